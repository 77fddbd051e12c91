import GossipCore
import HeapModule

/// Events in the order of (instant, sequence): a timing wheel with a heap for the present tick and one for the far
/// future.
///
/// - Complexity: amortized O(1) for events within the wheel's four seconds, O(log n) within one tick and beyond.
struct EventQueue<Event: Sendable>: Sendable {
  /// Entries move about a lot, and are small for that; the events stay where they are.
  private struct Entry: Comparable, Sendable {
    let at: Instant
    let sequence: UInt64
    let place: Int

    static func < (a: Entry, b: Entry) -> Bool { (a.at, a.sequence) < (b.at, b.sequence) }
    static func == (a: Entry, b: Entry) -> Bool { a.sequence == b.sequence }
  }

  /// A tick is 2^20 ns, about a millisecond.
  private static var tickBits: Int64 { 20 }
  private static var slots: Int64 { 4_096 }

  private var present = Heap<Entry>()
  private var wheel: [[Entry]]
  private var inWheel = 0
  private var far = Heap<Entry>()
  private var tick: Int64 = 0
  private var sequence: UInt64 = 0
  private var events: [Event?] = []
  private var free: [Int] = []

  init() { wheel = [[Entry]](repeating: [], count: Int(EventQueue.slots)) }

  var isEmpty: Bool { present.isEmpty && inWheel == 0 && far.isEmpty }

  mutating func add(_ event: Event, at instant: Instant) {
    let place = free.popLast() ?? events.count
    if place == events.count { events.append(event) } else { events[place] = event }
    line(up: Entry(at: instant, sequence: sequence, place: place))
    sequence += 1
  }

  private mutating func line(up entry: Entry) {
    let due = entry.at.nanoseconds >> EventQueue.tickBits
    if due <= tick {
      present.insert(entry)
    } else if due < tick + EventQueue.slots {
      wheel[Int(due % EventQueue.slots)].append(entry)
      inWheel += 1
    } else {
      far.insert(entry)
    }
  }

  /// The next event if it is due by `end`.
  mutating func next(until end: Instant) -> (at: Instant, event: Event)? {
    while present.isEmpty {
      guard advance(until: end.nanoseconds >> EventQueue.tickBits) else { return nil }
    }
    guard let first = present.min, first.at <= end else { return nil }
    present.removeMin()
    free.append(first.place)
    guard let event = events[first.place].take() else { preconditionFailure("event \(first.place) is gone") }
    return (first.at, event)
  }

  /// Moves on to the next tick that has events, at the latest to `last`; false if there is none by then.
  private mutating func advance(until last: Int64) -> Bool {
    if inWheel == 0 {
      guard let first = far.min else { return false }
      let due = first.at.nanoseconds >> EventQueue.tickBits
      guard due <= last else { return false }
      tick = max(tick, due - 1)  // the wheel is empty: nothing is passed over
    }
    guard tick < last else { return false }
    tick += 1
    let slot = Int(tick % EventQueue.slots)
    if !wheel[slot].isEmpty {
      inWheel -= wheel[slot].count
      for entry in wheel[slot] { present.insert(entry) }
      wheel[slot].removeAll(keepingCapacity: true)
    }
    // What was far comes within reach.
    while let first = far.min, first.at.nanoseconds >> EventQueue.tickBits < tick + EventQueue.slots {
      far.removeMin()
      line(up: first)
    }
    return true
  }
}
