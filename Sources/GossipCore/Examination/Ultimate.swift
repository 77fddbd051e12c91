import HeapModule

/// Messages that went on before they were examined, in the order in which they have to be.
///
/// Each has a deadline, a block interval after it came. If one passes, the node is overloaded: until nothing is overdue
/// every message is examined before it goes on, and no peer is blamed. The oldest come first, and may be verified
/// together.
///
/// Bound: `LotParameters.waitingMax` messages; beyond, a message has to be examined at once.
/// Source: Bamboo gossip v2, "Deterministic ultimate verification".
struct Ultimate: Sendable {
  private struct Place: Comparable, Sendable {
    let deadline: Instant
    let number: UInt64
    let id: MessageID

    static func < (a: Place, b: Place) -> Bool { (a.deadline, a.number) < (b.deadline, b.number) }
    static func == (a: Place, b: Place) -> Bool { a.number == b.number }
  }

  private struct Waiting: Sendable {
    let deadline: Instant
    let number: UInt64
  }

  /// Not settled, whether verification has begun or not.
  private var open: [MessageID: Waiting] = [:]
  /// By deadline; those settled meanwhile are not in `open`.
  private var deadlines = Heap<Place>()
  /// Verification of these has not begun.
  private var queue = Heap<Place>()
  private var nextNumber: UInt64 = 0
  private let waitingMax: Int
  /// Messages that were settled after their deadline.
  private(set) var missed: UInt64 = 0

  init(waitingMax: Int) { self.waitingMax = waitingMax }

  /// Messages that are not settled.
  var count: Int { open.count }

  /// A message goes on unexamined.
  /// - Returns: false if it must be examined now, for there are too many or it is here already.
  mutating func add(_ id: MessageID, deadline: Instant) -> Bool {
    guard open.count < waitingMax, open[id] == nil else { return false }
    let place = Place(deadline: deadline, number: nextNumber, id: id)
    open[id] = Waiting(deadline: deadline, number: nextNumber)
    nextNumber += 1
    deadlines.insert(place)
    queue.insert(place)
    if deadlines.count > 2 * waitingMax { deadlines = Heap(deadlines.unordered.filter { isOpen($0) }) }
    if queue.count > 2 * waitingMax { queue = Heap(queue.unordered.filter { isOpen($0) }) }
    return true
  }

  /// The next messages to verify, those due first in front; each is handed out once.
  mutating func next(_ count: Int) -> [MessageID] {
    var batch: [MessageID] = []
    while batch.count < count, let place = queue.popMin() {
      if isOpen(place) { batch.append(place.id) }
    }
    return batch
  }

  /// The message is verified, whatever came of it.
  /// - Returns: whether it was waiting.
  @discardableResult
  mutating func settle(_ id: MessageID, at now: Instant) -> Bool {
    guard let waiting = open.removeValue(forKey: id) else { return false }
    if waiting.deadline <= now { missed += 1 }
    return true
  }

  /// The next deadline.
  mutating func deadline() -> Instant? {
    while let first = deadlines.min, !isOpen(first) { deadlines.removeMin() }
    return deadlines.min?.deadline
  }

  /// Whether a message is overdue: until there is none, everything is examined before it goes on.
  mutating func isBehind(at now: Instant) -> Bool { deadline().map { $0 <= now } ?? false }

  private func isOpen(_ place: Place) -> Bool { open[place.id]?.number == place.number }
}
