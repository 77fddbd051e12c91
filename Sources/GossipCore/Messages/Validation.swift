import OrderedCollections

/// Messages whose examination is not over: proof first, then the application's judgement.
///
/// One examination per id, however many copies come: further copies only add holders. A copy that differs from
/// the one being checked is kept aside, so that a forgery cannot silence the true message; if the proof fails the
/// next version is tried. An id counts as seen only once its proof held.
///
/// Bounds: checks and judgements open (`Limits`), versions per check, unchecked messages per peer (at which the
/// node stops reading from it).
struct Validation: Sendable {
  enum Stage: Sendable {
    case proof
    case judgement
    /// Other messages have to come first.
    case awaiting
  }

  struct Examination: Sendable {
    let ticket: Ticket
    var message: Message
    var stage: Stage
    /// Who sent this version, the first one first.
    var holders: OrderedSet<PeerID>
    /// Versions that differ, and who sent them.
    var rivals: [(wire: WireMessage, peer: PeerID)] = []
    /// Who is charged for it while it is open; while it waits for others nobody is, or those could not come.
    var charged: PeerID?
    /// Whether the healer brought it.
    let isHealed: Bool
  }

  private var open: [MessageID: Examination] = [:]
  private var byTicket: [Ticket: MessageID] = [:]
  private var judgedPerTopic: [Topic: Int] = [:]
  private(set) var judgements = 0
  private let limits: Limits

  init(_ limits: Limits) { self.limits = limits }

  var count: Int { open.count }
  func isOpen(_ id: MessageID) -> Bool { open[id] != nil }

  /// `again` is the same from the same peer.
  enum Copy { case unknown, same, again, rival }

  /// Takes in a further copy of a message under examination.
  mutating func add(_ wire: WireMessage, id: MessageID, from peer: PeerID) -> Copy {
    guard open[id] != nil else { return .unknown }
    if wire.hasSameBytes(as: open[id]!.message.wire.bytes) {
      return open[id]!.holders.append(peer).inserted ? .same : .again
    }
    let isKept = open[id]!.rivals.contains { $0.peer == peer || $0.wire.bytes == wire.bytes }
    if !isKept, open[id]!.rivals.count < limits.versionsPerCheck, open[id]!.stage == .proof {
      open[id]!.rivals.append((wire, peer))
    }
    return .rival
  }

  /// Begins an examination, or refuses when too many are open.
  mutating func begin(_ message: Message, from peer: PeerID, isHealed: Bool = false, _ ticket: Ticket) -> Bool
  {
    guard open.count < limits.checksOpen else { return false }
    open[message.id] = Examination(
      ticket: ticket, message: message, stage: .proof, holders: [peer], charged: peer, isHealed: isHealed)
    byTicket[ticket] = message.id
    return true
  }

  /// What this ticket stands for, if it is still open in this stage.
  func examination(_ ticket: Ticket, _ stage: Stage) -> Examination? {
    guard let id = byTicket[ticket], let examination = open[id], examination.stage == stage else {
      return nil
    }
    return examination
  }

  /// The proof failed: puts the next rival in its place, if there is one.
  /// - Returns: the version to check now.
  mutating func tryRival(of id: MessageID) -> Examination? {
    guard var examination = open[id], !examination.rivals.isEmpty else { return nil }
    let rival = examination.rivals.removeFirst()
    examination.message = Message(id: id, wire: rival.wire)
    examination.holders = [rival.peer]
    examination.charged = rival.peer
    open[id] = examination
    return examination
  }

  /// The examination of this message, if it is open.
  func examination(of id: MessageID) -> Examination? { open[id] }

  /// From now on nobody is charged for it.
  /// - Returns: who was.
  mutating func discharge(_ id: MessageID) -> PeerID? {
    defer { open[id]?.charged = nil }
    return open[id]?.charged
  }

  /// Other messages have to come first; whoever judged is free for others meanwhile.
  mutating func await(_ id: MessageID) {
    guard let stage = open[id]?.stage else { return }
    if stage == .judgement { endJudgement(of: open[id]!.message.topic) }
    open[id]!.stage = .awaiting
    open[id]!.rivals = []
  }

  /// The object whose manifest was waiting is complete.
  mutating func complete(_ id: MessageID, with object: Payload) {
    guard let wire = open[id]?.message.wire else { return }
    open[id]!.message = Message(id: id, wire: wire, object: object)
  }

  /// Whether the application can take another message of this topic.
  func canJudge(_ topic: Topic) -> Bool {
    judgements < limits.judgementsOpen && judgedPerTopic[topic, default: 0] < limits.judgementsOpenPerTopic
  }

  mutating func beginJudgement(_ id: MessageID) {
    guard let topic = open[id]?.message.topic else { return }
    open[id]!.stage = .judgement
    open[id]!.rivals = []
    judgements += 1
    judgedPerTopic[topic, default: 0] += 1
  }

  /// Ends an examination, whatever came of it.
  @discardableResult
  mutating func end(_ id: MessageID) -> Examination? {
    guard let examination = open.removeValue(forKey: id) else { return nil }
    byTicket[examination.ticket] = nil
    if examination.stage == .judgement { endJudgement(of: examination.message.topic) }
    return examination
  }

  private mutating func endJudgement(of topic: Topic) {
    judgements -= 1
    judgedPerTopic[topic]! -= 1
    if judgedPerTopic[topic] == 0 { judgedPerTopic[topic] = nil }
  }
}
