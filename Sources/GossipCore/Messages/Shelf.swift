import DequeModule

/// What the store knows of one topic's messages besides the windows they came in: their order, how long they stay,
/// what they are about, and where they stand.
///
/// A *ghost* is a message that has left before twice its time was over: hidden, but it does not come in again, nor
/// does anything older about the same. Source: Fabric's message store, whose items expire after their time and are
/// forgotten after twice that.
///
/// Bounds: messages by the store; ghosts by `ghostsMax`, the oldest forgotten first.
struct Shelf: Sendable {
  /// What an application says of a message, as far as its topic asks.
  struct Facts {
    let subject: Subject?
    let position: UInt64?

    /// Subjects with names that are too long, and positions that none could follow, are none.
    init(_ message: Message, _ policy: TopicPolicy) {
      let subject = policy.meaning.subject?(message.head)
      self.subject = subject.flatMap { $0.name.count <= Subject.nameSizeMax ? $0 : nil }
      position = policy.meaning.position?(message.head).flatMap { $0 < .max ? $0 : nil }
    }
  }

  private struct Item {
    let serial: UInt64
    let came: Instant
    let subject: Subject?
    /// Its place on the ladder, if it has one.
    let position: UInt64?
    /// Whether it has fallen out of the windows.
    var isAged = false
  }

  private struct Ghost {
    let until: Instant
    let id: MessageID
    let subject: Subject?
  }

  /// How long messages stay.
  private(set) var retention: Retention
  /// Whom it concerns when a message leaves.
  private(set) var manners: [Manner]
  private var items: [MessageID: Item] = [:]
  /// In the order they came; of those that left, the serial number is nobody's.
  private var arrivals = Deque<(serial: UInt64, id: MessageID)>()
  private var serial: UInt64 = 0
  /// The newest version of each subject; no id if it is a ghost.
  private var subjects: [[UInt8]: (version: UInt64, id: MessageID?)] = [:]
  private(set) var ladder = Ladder()
  private var ghosts = Deque<Ghost>()
  private var ghostIDs: Set<MessageID> = []  // looked up only
  private let ghostsMax: Int

  init(_ policy: TopicPolicy, ghostsMax: Int) {
    (retention, manners, self.ghostsMax) = (policy.keeping, policy.toldOfWithdrawals, ghostsMax)
  }

  /// Whether nothing is held or remembered.
  var isEmpty: Bool { items.isEmpty && ghosts.isEmpty }

  /// What is held, in the order it came.
  /// - Complexity: amortized O(result).
  var held: [MessageID] { arrivals.compactMap { items[$0.id]?.serial == $0.serial ? $0.id : nil } }

  /// Whether this or something newer is or was here.
  func refuses(_ id: MessageID, _ facts: Facts) -> Bool {
    if ghostIDs.contains(id) { return true }
    if let subject = facts.subject, let known = subjects[subject.name], subject.version <= known.version {
      return true
    }
    guard case .last(let count) = retention, let position = facts.position else { return false }
    if let highest = ladder.highest?.position, position < highest,
      highest - position > UInt64(clamping: count)
    {
      return true
    }
    return ladder.id(at: position) != nil
  }

  /// Takes in a message that it does not refuse.
  /// - Returns: those that have to leave for it.
  mutating func add(_ id: MessageID, _ facts: Facts, at now: Instant) -> [MessageID] {
    var leaving: [MessageID] = []
    if let subject = facts.subject {
      if let older = subjects[subject.name]?.id { leaving.append(older) }
      subjects[subject.name] = (subject.version, id)
    }
    let position = facts.position.flatMap { ladder.insert(id, at: $0) ? $0 : nil }
    serial += 1
    items[id] = Item(serial: serial, came: now, subject: facts.subject, position: position)
    arrivals.append((serial, id))
    return leaving + belowLast.filter { !leaving.contains($0) }
  }

  /// Those too far below the highest position.
  private var belowLast: [MessageID] {
    guard case .last(let count) = retention, let highest = ladder.highest?.position else { return [] }
    let (lowest, isBelowZero) = highest.subtractingReportingOverflow(UInt64(clamping: count))
    return isBelowZero ? [] : ladder.below(lowest)
  }

  /// A message left. What leaves early, but for a newer one about the same, is remembered for twice its time.
  mutating func remove(_ id: MessageID, at now: Instant) {
    guard let item = items.removeValue(forKey: id) else { return }
    if let position = item.position { ladder.remove(position) }
    if arrivals.count > 2 * items.count + 64 { arrivals.removeAll { items[$0.id]?.serial != $0.serial } }
    let isNewest = item.subject.map { subjects[$0.name]?.id == id } ?? true
    guard isNewest else { return }
    if case .during(let time) = retention, item.came + time * 2 > now {
      if let subject = item.subject { subjects[subject.name] = (subject.version, nil) }
      ghosts.append(Ghost(until: item.came + time * 2, id: id, subject: item.subject))
      ghostIDs.insert(id)
      if ghosts.count > ghostsMax, let oldest = ghosts.popFirst() { forget(oldest) }
    } else if let subject = item.subject {
      subjects[subject.name] = nil
    }
  }

  private mutating func forget(_ ghost: Ghost) {
    ghostIDs.remove(ghost.id)
    if let subject = ghost.subject, let known = subjects[subject.name], known.id == nil,
      known.version == subject.version
    {
      subjects[subject.name] = nil
    }
  }

  // MARK: Leaving

  /// A message fell out of the windows.
  /// - Returns: whether it stays all the same.
  mutating func outlastsWindows(_ id: MessageID) -> Bool {
    guard let item = items[id], staysAfterWindows(item) else { return false }
    items[id]!.isAged = true
    return true
  }

  /// Whether a message is held although it has fallen out of the windows.
  func isAged(_ id: MessageID) -> Bool { items[id]?.isAged ?? false }

  private func staysAfterWindows(_ item: Item) -> Bool {
    switch retention {
    case .heartbeats: false
    case .during: true
    case .last: item.position != nil
    }
  }

  /// Keeps messages from now on as another policy says; none: only as long as their windows are open.
  /// - Returns: those that have to leave for it.
  mutating func follow(_ policy: TopicPolicy?) -> [MessageID] {
    if let policy { manners = policy.toldOfWithdrawals }
    let retention = policy?.keeping ?? .heartbeats
    guard retention != self.retention else { return [] }
    self.retention = retention
    let below = belowLast
    return below + held.filter { items[$0]!.isAged && !staysAfterWindows(items[$0]!) && !below.contains($0) }
  }

  /// When the next message or ghost has had its time.
  var nextExpiry: Instant {
    var next = ghosts.first?.until ?? .distantFuture
    if case .during(let time) = retention, let oldest = arrivals.first {
      next = min(next, items[oldest.id].map { $0.came + time } ?? .zero)
    }
    return next
  }

  /// Forgets ghosts whose time is over.
  /// - Returns: messages whose time is over.
  mutating func expire(at now: Instant) -> [MessageID] {
    while let ghost = ghosts.first, ghost.until <= now {
      ghosts.removeFirst()
      forget(ghost)
    }
    guard case .during(let time) = retention else { return [] }
    var over: [MessageID] = []
    while let oldest = arrivals.first {
      if let item = items[oldest.id], item.serial == oldest.serial {
        guard item.came + time <= now else { break }
        over.append(oldest.id)
      }
      arrivals.removeFirst()
    }
    return over
  }
}

extension Subject {
  /// Longest name that counts, bytes.
  static let nameSizeMax = 64
}

extension TopicPolicy {
  /// Whether a topic's messages are more to the store than the windows they came in.
  var needsShelf: Bool {
    if spread != .gossipSub || meaning.subject != nil || heal.isOn { return true }
    if case .heartbeats = keeping { return false }
    return true
  }

  /// Who wants to hear that a message is not held any more. GossipSub speaks only of what its windows show.
  var toldOfWithdrawals: [Manner] { spread == .gossipSub && !heal.isOn ? [] : manners }
}
