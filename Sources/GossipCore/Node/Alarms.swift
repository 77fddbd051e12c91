import HeapModule

/// Many alarms inside, one deadline outside.
///
/// Alarms ring in the order of their instants; equal instants ring in the order they were set. They cannot be
/// taken back: whoever is rung looks whether it still matters.
struct Alarms: Sendable {
  private var heap = Heap<Entry>()
  private var sequence: UInt64 = 0

  private struct Entry: Comparable, Sendable {
    let at: Instant
    let sequence: UInt64
    let alarm: Alarm

    static func < (a: Entry, b: Entry) -> Bool { (a.at, a.sequence) < (b.at, b.sequence) }
    static func == (a: Entry, b: Entry) -> Bool { a.at == b.at && a.sequence == b.sequence }
  }

  var count: Int { heap.count }

  /// The earliest alarm's instant.
  var deadline: Instant? { heap.min?.at }

  /// - Complexity: O(log n).
  mutating func ring(_ alarm: Alarm, at instant: Instant) {
    heap.insert(Entry(at: instant, sequence: sequence, alarm: alarm))
    sequence += 1
  }

  /// The next alarm that is due, with the instant it was meant for.
  mutating func due(at now: Instant) -> (alarm: Alarm, at: Instant)? {
    guard let first = heap.min, first.at <= now else { return nil }
    heap.removeMin()
    return (first.alarm, first.at)
  }
}

/// Something a node wants to be reminded of.
public enum Alarm: Hashable, Sendable {
  /// Somebody over its budget may be read again.
  case reading
  /// The application's reports are to be looked at.
  case reports
  /// A bar may have ended.
  case bars
  /// The time to take something back is over.
  case retractions
  /// GossipSub's heartbeat.
  case heartbeat
  /// Copies GossipSub held back are due.
  case stagger
  /// The oldest promise of a wanted message is due.
  case promise
  /// An inquiry's patience ends.
  case inquiry(UInt64)
  /// Requests may have waited as long as their askers do.
  case requests
  /// Messages may have waited too long for what they depend on.
  case awaiting
  /// Of one manner; what the number means is its own affair.
  case own(Manner, UInt64)
}
