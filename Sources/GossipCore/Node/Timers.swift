import HeapModule

/// What is to happen when: the earliest first, and at equal instants in the order they were set.
///
/// A timer is not taken back. Whoever sets it notes its number, and passes over those that mean nothing any more.
///
/// - Complexity: O(log n), but for `trim`.
struct Timers<Subject: Sendable>: Sendable {
  /// One of them.
  struct Timer: Comparable, Sendable {
    let at: Instant
    let number: UInt64
    let subject: Subject

    static func < (a: Timer, b: Timer) -> Bool { (a.at, a.number) < (b.at, b.number) }
    static func == (a: Timer, b: Timer) -> Bool { a.number == b.number }
  }

  private var heap = Heap<Timer>()
  private var nextNumber: UInt64 = 0

  var count: Int { heap.count }

  /// The earliest.
  var first: Timer? { heap.min }

  /// Sets one.
  /// - Returns: its number, which no other one has.
  @discardableResult
  mutating func set(_ subject: Subject, at instant: Instant) -> UInt64 {
    let number = nextNumber
    nextNumber += 1
    heap.insert(Timer(at: instant, number: number, subject: subject))
    return number
  }

  mutating func removeFirst() { heap.removeMin() }

  /// The next one that is due.
  mutating func due(at now: Instant) -> Timer? {
    guard let first = heap.min, first.at <= now else { return nil }
    heap.removeMin()
    return first
  }

  /// Forgets those that mean nothing any more, if they are too many together.
  mutating func trim(to countMax: Int, keeping means: (Timer) -> Bool) {
    if heap.count > countMax { heap = Heap(heap.unordered.filter(means)) }
  }
}

/// One alarm for many deadlines: it is set for the earliest.
///
/// Alarms cannot be taken back. When an earlier deadline comes up a second alarm is set, and the first, overtaken, still
/// rings. It must not be answered: each answer sets the next alarm, and alarms would multiply.
///
///     if let instant = alarm.set(for: wants.deadline) { ring(.promise, at: instant) }  // after each change
///     guard alarm.rings(at: now) else { return }                                       // when `.promise` rings
struct EarliestAlarm: Hashable, Sendable {
  private var instant: Instant?

  init() {}

  /// There is a deadline, or none.
  /// - Returns: when to ring; nil if an alarm is set that early.
  mutating func set(for deadline: Instant?) -> Instant? {
    guard let deadline, instant.map({ deadline < $0 }) ?? true else { return nil }
    instant = deadline
    return deadline
  }

  /// An alarm rings.
  /// - Returns: whether it is the one that was set last; then none is set any more.
  mutating func rings(at now: Instant) -> Bool {
    guard let instant, instant <= now else { return false }
    self.instant = nil
    return true
  }
}
