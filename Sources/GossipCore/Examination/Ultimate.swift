/// Messages that went on before they were examined, and by when they have to be.
///
/// Each has a deadline, a block interval after it came. If one passes, the node is overloaded: until nothing is overdue
/// every message is examined before it goes on, and no peer is blamed.
///
/// Bound: `LotParameters.waitingMax` messages; beyond, a message has to be examined at once.
/// Source: Bamboo gossip v2, "Deterministic ultimate verification".
struct Ultimate: Sendable {
  /// Not settled, with the number of its timer.
  private var open: [MessageID: (deadline: Instant, timer: UInt64)] = [:]
  /// Those settled meanwhile are not in `open`.
  private var deadlines = Timers<MessageID>()
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
    open[id] = (deadline, deadlines.set(id, at: deadline))
    deadlines.trim(to: 2 * waitingMax) { [open] in open[$0.subject]?.timer == $0.number }
    return true
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
    while let first = deadlines.first, open[first.subject]?.timer != first.number { deadlines.removeFirst() }
    return deadlines.first?.at
  }

  /// Whether a message is overdue: until there is none, everything is examined before it goes on.
  mutating func isBehind(at now: Instant) -> Bool { deadline().map { $0 <= now } ?? false }
}
