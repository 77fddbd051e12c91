import DequeModule
import OrderedCollections

/// What the disseminations share, and the only way they act on the world.
///
/// Handed along `inout`: time is `now`, dice are `random`, peers are `peers`, and all speech goes through `say`
/// and `forward`, on the streams of the manner that is being handled.
public struct Commons: Sendable {
  /// This node.
  public let me: PeerID
  /// The present instant.
  public internal(set) var now: Instant
  /// The dice.
  public var random: Random
  /// Who is connected, and on which topics.
  public internal(set) var peers = PeerBook()
  /// What is held for those who want it.
  public internal(set) var store: MessageStore
  /// What is lacking, and who offered it.
  public internal(set) var wants: Wantlist
  /// What we met within the window.
  var seen: SeenFilter
  /// What we met before that, probably.
  var duplicates: DuplicateFilter?
  /// The highest sequence number of each author, on topics that ask for rising ones.
  var sequences: SequenceCheck
  /// How much each author has left, on topics that have budgets.
  var authors: AuthorBudgets
  /// Messages named by content that came just now.
  var twins = Twins()
  /// What is being examined.
  var validation: Validation
  /// What waits for other messages, or for the pieces of its object.
  var awaiting: Awaiting
  /// Objects too large for one message.
  var objects: Objects
  private var promiseAlarm = EarliestAlarm()
  /// What peers told us they have and do not want from us.
  public internal(set) var unwanted = Unwanted()
  /// Whom to listen to.
  var firewall: Firewall
  /// Peers that are over a budget, and not read from for a moment.
  var reading: OrderedSet<PeerID> = []
  /// What went on before it was examined.
  var unexamined: Unexamined
  var retractionAlarm = EarliestAlarm()
  /// How fast peers are on the whole, for those we know nothing of; nil before the first answer.
  var pace: Pace?
  /// Bytes of the largest message that was asked for and came.
  private var largest = 0
  /// Bytes of such messages on the whole; before the first, of a small signed one.
  var typical = 200
  let paceParameters: PaceParameters
  /// How long a holder has to give what it offered, if its manner says nothing.
  private let patience: Duration
  var readingAlarm = EarliestAlarm()
  var reportsAlarm = EarliestAlarm()
  var barsAlarm = EarliestAlarm()
  /// Who was barred in this turn.
  var expelled: [PeerID] = []
  /// Until when keys of two epochs are in use.
  var handOverUntil: Instant?
  /// What we saw of each peer, and what follows.
  public internal(set) var reputation: Reputation
  /// Running totals.
  public internal(set) var counters = Counters()
  /// Manners whose streams are opened to every peer.
  var spoken = OrderedSet(Manner.spokenAlways)
  /// When we left a topic, or changed what spreads it.
  var leftAt: Instant?
  /// Joined topics in the order of joining.
  var joined: OrderedDictionary<Topic, TopicPolicy> = [:]
  /// Whose event is being handled.
  var manner = Manner.gossipSub
  var outbox = Outbox()
  var alarms = Alarms()
  var surfaced: [Node.Effect] = []
  var reach = Reach()
  /// Bytes of pieces given in this turn so far.
  var pieceBytes = 0
  /// Messages forwarded in this turn so far.
  var forwarded = 0
  let limits: Limits

  init(_ configuration: Configuration, as me: PeerID, seed: [UInt8], at birth: Instant) {
    self.me = me
    now = birth
    random = Random(seed: seed)
    limits = configuration.limits
    paceParameters = configuration.pace
    patience = configuration.gossipSub.wantFollowup
    store = MessageStore(
      windowsKept: configuration.gossipSub.historyLength, countMax: limits.storeCountMax,
      sizeMax: limits.storeSizeMax)
    let circulation = configuration.firewall.circulation
    seen = SeenFilter(
      window: limits.seenFor, slides: limits.seenSlides, countMax: limits.seenMax,
      giversFor: circulation.retention, givenMax: circulation.idsMax)
    duplicates = configuration.duplicates.map { DuplicateFilter($0, secret: seed, at: birth) }
    sequences = SequenceCheck(authorsMax: limits.authorsMax)
    authors = AuthorBudgets(authorsMax: limits.authorsMax)
    firewall = Firewall(configuration.firewall, isWatching: configuration.reputation.mode != .acting)
    unexamined = Unexamined(configuration.firewall.lot, configuration.firewall.retractions)
    validation = Validation(limits)
    awaiting = Awaiting(
      parentsMax: limits.awaitingMax, needsMax: limits.needsMax)
    objects = Objects(sizeMax: limits.objectsSizeMax, keepFor: limits.objectsKeptFor)
    reputation = Reputation(configuration.reputation, at: birth)
    wants = Wantlist(
      patience: configuration.gossipSub.wantFollowup, countMax: limits.wantsMax,
      holdersMax: limits.holdersPerWant)
  }

  // MARK: Reading

  /// The topic's members for the manner being handled, in the order they joined.
  public func members(of topic: Topic) -> [PeerID] { peers.members(of: topic, by: manner) }

  /// Those of them that stand at least like this.
  public func members(of topic: Topic, atLeast least: Standing) -> [PeerID] {
    let members = members(of: topic)
    return reputation.isEverybodyWelcome
      ? members : members.filter { reputation.standing(of: $0) >= least }
  }

  /// Whether the peer's score lets it into the mesh.
  public func isWelcome(_ peer: PeerID) -> Bool { reputation.standing(of: peer) == .welcome }

  /// Whether the peer is a member of the topic, for the manner being handled.
  public func isMember(_ peer: PeerID, of topic: Topic) -> Bool {
    peers.isMember(peer, of: topic, by: manner)
  }

  /// What our stream of this manner speaks with the peer; nil if there is none.
  public func version(with peer: PeerID) -> ProtocolName? { peers.version(of: manner, with: peer) }

  /// The policy of a topic this node is on.
  public func policy(of topic: Topic) -> TopicPolicy? { joined[topic] }

  /// Whether this node is on the topic.
  public func isJoined(_ topic: Topic) -> Bool { joined[topic] != nil }

  /// Whether a message that nobody asked for was probably met before the exact window; not if enough peers bring it.
  mutating func isSuspect(_ id: MessageID, from peer: PeerID) -> Bool {
    guard duplicates != nil, !wants.isWanted(id), !validation.isOpen(id) else { return false }
    return !duplicates!.wants(id, toldBy: peer, at: now)
  }

  /// Whether this message was met: believed, refused, or under examination.
  public func hasMet(_ id: MessageID) -> Bool {
    seen.contains(id, at: now) || validation.isOpen(id) || store.holds(id)
  }

  /// Whether the message is held, and not only because it went on before its examination.
  func isBelieved(_ id: MessageID) -> Bool { store.holds(id) && !unexamined.contains(id) }

  /// What became of a message that was met, and whether this peer gave it before; what is held was accepted, however
  /// long ago.
  mutating func fate(of id: MessageID, from peer: PeerID) -> (fate: SeenFilter.Fate?, wasGiven: Bool) {
    let (fate, wasGiven) =
      firewall.giver(peer).map { seen.meet(id, from: $0, at: now) } ?? (seen.meet(id, at: now), false)
    return (fate ?? (isBelieved(id) ? .accepted : nil), wasGiven)
  }

  // MARK: Wanting

  /// Takes note that a peer offers what we lack.
  /// - Parameters:
  ///   - patience: how long its promise is good for at most; GossipSub's `wantFollowup` unless said. Who is known to be
  ///     faster, or if nothing is known of it others are, is given less; see `Pace`.
  ///   - size: bytes of the message, if they are known.
  ///   - mayWait: false if the caller chooses among the holders and looks after `hasRoom` itself.
  /// - Returns: whether to ask this peer now; false while another holder's promise is open, and while so much is under
  ///   way from this one that others are given the time to offer the same. It is asked for by itself then.
  public mutating func want(
    _ id: MessageID, heldBy peer: PeerID, patience: Duration? = nil, size: Int? = nil, mayWait: Bool = true
  ) -> Bool {
    if duplicates != nil, !wants.isWanted(id), !awaiting.isNeeded(.message(id)),
      !awaiting.isNeeded(.piece(id)), !duplicates!.wants(id, toldBy: peer, at: now)
    {
      counters.suspected += 1
      return false
    }
    let most = patience ?? self.patience
    let bytes = expected(size)
    let giver = Wantlist.Giver(
      allowance: mayWait ? allowance(of: peer) : .max, isUnreliable: mayWait && isUnreliable(peer))
    let mayAsk = wants.note(
      id, heldBy: peer, manner, timeout(of: peer, size, most: most), size: bytes, from: giver,
      mayWait: mayWait, at: now)
    setPromiseAlarm()
    guard mayAsk else { return false }
    counters.wantsAsked += 1
    firewall.requested([id], of: peer, at: now)
    asked(bytes, of: peer)
    return true
  }

  /// Bytes of what is asked for: a guess, unless they are known.
  private func expected(_ size: Int?) -> Int { min(max(size ?? typical, 1), 1 << 30) }

  /// Whether the peer may be asked for more: one request always is under way, beyond that as much as its pace allows.
  func hasRoom(_ peer: PeerID) -> Bool { wants.hasRoom(peer, 1, allowance(of: peer)) }

  /// How many messages may be asked of the peer at a time, going by those that came so far.
  func fitting(_ peer: PeerID) -> Int {
    max(1, (allowance(of: peer) - wants.underWay(from: peer)) / typical)
  }

  /// Bytes a second the peer may be asked for.
  func allowance(of peer: PeerID) -> Int {
    peers.allowance(of: peer) ?? paceParameters.allowanceStart
  }

  /// Whether the peer broke off so often lately that others are asked first.
  func isUnreliable(_ peer: PeerID) -> Bool {
    reputation.parameters.mode == .acting && reputation.isUnreliable(peer, at: now)
  }

  /// Those of the holders who do not break off; all of them if there is no such.
  func reliable(_ holders: [PeerID]) -> [PeerID] {
    let reliable = holders.filter { !isUnreliable($0) }
    return reliable.isEmpty ? holders : reliable
  }

  private mutating func asked(_ bytes: Int, of peer: PeerID) {
    let (now, parameters) = (now, paceParameters)
    updatePace(of: peer) { $0.used(bytes, at: now, parameters) }
  }

  private mutating func updatePace(of peer: PeerID, _ body: (inout Pace) -> Void) {
    let parameters = paceParameters
    _ = peers.update(peer) { entry in
      if entry.pace == nil { entry.pace = Pace(parameters) }
      body(&entry.pace!)
    }
  }

  /// What is known of each holder of something.
  private func judgement() -> (PeerID) -> Wantlist.Giver {
    let (peers, now, parameters) = (peers, now, paceParameters)
    let reputation = reputation.parameters.mode == .acting ? reputation : nil
    return { peer in
      Wantlist.Giver(
        allowance: peers.allowance(of: peer) ?? parameters.allowanceStart,
        isUnreliable: reputation?.isUnreliable(peer, at: now) ?? false,
        score: reputation?.partnerScore(of: peer, at: now) ?? 0.5)
    }
  }

  /// How long to wait for so many bytes of this peer.
  private func timeout(of peer: PeerID, _ size: Int?, most: Duration) -> Duration {
    let own = peers.entry(peer)?.pace
    guard let pace = own?.roundTrip == nil ? pace : own else { return most }
    return min(most, pace.timeout(max(size ?? largest, 1_024), paceParameters))
  }

  mutating func setPromiseAlarm() {
    if let instant = promiseAlarm.set(for: wants.deadline) { ring(.promise, at: instant) }
  }

  /// Ends due promises: breakers are observed, the next holders asked.
  /// - Returns: what nobody is left to give.
  mutating func endPromises() -> [(Manner, MessageID)] {
    guard promiseAlarm.rings(at: now) else { return [] }
    let outcome = wants.expire(at: now, judgement())
    for peer in outcome.broken.keys {
      let (now, parameters) = (now, paceParameters)
      updatePace(of: peer) { $0.timedOut(at: now, parameters) }
    }
    for (peer, count) in outcome.broken where mayBeBlamed(peer) {
      observe(.brokenPromise, of: peer, count: count)
    }
    return askNext(outcome)
  }

  /// Not for what did not come because we did not read, or is not wanted any more since we left its topic.
  private func mayBeBlamed(_ peer: PeerID) -> Bool {
    let lately = now - limits.needPatience
    guard leftAt.map({ $0 < lately }) ?? true, let entry = peers.entry(peer) else { return false }
    return !entry.isPaused && (entry.resumedAt.map { $0 < lately } ?? true)
  }

  /// Asks others for what a peer turns out not to have.
  mutating func lacked(_ id: MessageID, by peer: PeerID) -> [(Manner, MessageID)] {
    askNext(wants.lacked(id, by: peer, at: now, judgement()))
  }

  /// Stops wanting a message.
  public mutating func unwant(_ id: MessageID) { wants.forget(id) }

  /// Asks others for what a departed peer had promised.
  /// - Parameter owes: whether leaving in the middle of an exchange is its own doing; Bamboo alone minds that.
  mutating func releasePromises(of peer: PeerID, owes: Bool) -> [(Manner, MessageID)] {
    let outcome = wants.release(peer, at: now, judgement())
    if owes, outcome.owed.contains(.digestFirst) { observe(.disrupted, of: peer) }
    return askNext(outcome)
  }

  /// Asks holders that have room again for what waits for them.
  mutating func askFreed() { _ = askNext(wants.askFreed(at: now, judgement())) }

  private mutating func askNext(_ outcome: Wantlist.Outcome) -> [(Manner, MessageID)] {
    for (peer, request) in outcome.ask {
      counters.wantsAsked += UInt64(request.ids.count)
      firewall.requested(request.ids, of: peer, at: now)
      asked(request.bytes, of: peer)
      if peers.version(of: request.manner, with: peer) != nil, reputation.standing(of: peer) != .blocked {
        outbox.say(.want(request.ids), to: peer, request.manner)
      }
    }
    setPromiseAlarm()
    return outcome.gaveUp
  }

  // MARK: Speaking

  /// Says a word to a peer, in the frame it gets this turn. A peer without an open stream hears nothing; one that is
  /// ignored no offers, one that is blocked only that it is out of the mesh.
  public mutating func say(_ control: Control, to peer: PeerID) {
    guard version(with: peer) != nil else { return }
    switch reputation.standing(of: peer) {
    case .welcome, .gossipOnly: break
    case .ignored: if control.isOffer { return }
    case .blocked: guard case .prune = control else { return }
    }
    outbox.say(control, to: peer, manner)
  }

  /// Sends a message to a peer that may need it.
  /// - Returns: whether it was sent: not without an open stream, not to its own author or to who is blocked.
  @discardableResult
  public mutating func forward(_ message: Message, to peer: PeerID) -> Bool {
    guard version(with: peer) != nil, message.author != peer, reputation.standing(of: peer) != .blocked
    else { return false }
    outbox.forward(message.wire, to: peer, manner)
    forwarded += 1
    if message.wire.unexaminedHops > 0 { unexamined.sent(message.id, to: peer) }
    reach.extend(message.id, to: peer, surfacing: &surfaced)
    return true
  }

  /// Gives a message that we hold to a peer that has asked for it in its own way.
  /// - Returns: whether it was sent.
  @discardableResult
  public mutating func give(_ id: MessageID, to peer: PeerID) -> Bool {
    guard let message = store.message(id), message.wire.mayBeGiven(to: peer), forward(message, to: peer)
    else { return false }
    counters.wantsServed += 1
    return true
  }

  /// Gives a piece of an object to a peer that has asked for it.
  /// - Returns: false if this turn has given as many bytes as it may.
  mutating func give(piece name: MessageID, to peer: PeerID) -> Bool {
    guard version(with: peer) != nil, let size = objects.size(ofPiece: name),
      pieceBytes == 0 || pieceBytes + size <= Commons.pieceBytesPerTurn, let piece = objects.piece(name)
    else { return false }
    pieceBytes += size
    outbox.forward(piece, to: peer, manner)
    counters.wantsServed += 1
    return true
  }

  /// Bytes of pieces given in one turn: what honest nodes ask of one holder, twice.
  private static let pieceBytesPerTurn = 2 << 20

  /// Asks to be reminded.
  public mutating func ring(_ alarm: Alarm, after delay: Duration) { alarms.ring(alarm, at: now + delay) }
  mutating func ring(_ alarm: Alarm, at instant: Instant) { alarms.ring(alarm, at: instant) }

  /// Hands something to the application or the host.
  public mutating func surface(_ effect: Node.Effect) { surfaced.append(effect) }

  /// Tells logs, metrics and the curious.
  public mutating func notice(_ notice: Notice) { surfaced.append(.notice(notice)) }

  /// Records what a peer did that counts against it, on this topic if on one.
  public mutating func observe(
    _ observation: Observation, of peer: PeerID, on topic: Topic? = nil, count: Int = 1
  ) {
    reputation.observe(observation, of: peer, on: topic, count: count, at: now)
    _ = peers.update(peer) { $0.observations[observation, default: 0] += count }
    if observation == .brokenPromise { counters.brokenPromises += UInt64(count) }
    notice(.observed(observation, of: peer, count: count))
  }

  /// Records that a peer is in our mesh from now on.
  public mutating func grafted(_ peer: PeerID, on topic: Topic) {
    reputation.grafted(peer, on: topic, at: now)
    notice(.grafted(peer, topic))
  }

  /// Records that a peer is no longer in our mesh.
  public mutating func pruned(_ peer: PeerID, from topic: Topic, by party: MeshParty) {
    reputation.pruned(peer, on: topic, at: now)
    notice(.pruned(peer, topic, by: party))
  }

  /// Records how long a peer took to give what it was asked for; what came unasked says nothing.
  mutating func transferred(_ id: MessageID, _ bytes: Int, by peer: PeerID, isPiece: Bool = false) {
    guard let since = wants.asked(of: peer, for: id) else { return }
    wants.came(id)
    let time = now - since
    reputation.transferred(bytes, took: time, by: peer, at: now)
    largest = max(largest, bytes)
    if !isPiece { typical = max(128, (typical * 7 + bytes) / 8) }
    let (now, parameters) = (now, paceParameters)
    func note(_ pace: inout Pace) {
      pace.answered(after: time, bytes: bytes, at: now, parameters)
      pace.moved(bytes, in: time)
    }
    updatePace(of: peer, note)
    if pace == nil { pace = Pace(parameters) }
    note(&pace!)
  }

  /// The best partners first; equal ones as they come.
  public func inOrder(_ peers: [PeerID]) -> [PeerID] { reputation.inOrder(peers, at: now) }
}

/// What peers told us not to send them (IDONTWANT), for a while.
///
/// Bounded per peer by what its manner lets in per heartbeat; gone with the peer.
public struct Unwanted: Sendable {
  private var perPeer: [PeerID: [MessageID: Instant]] = [:]
  /// In the order of their ends: all notes last equally long.
  private var ends = Deque<(until: Instant, peer: PeerID, id: MessageID)>()

  /// Whether the peer has told us that it does not want this message.
  public func contains(_ id: MessageID, by peer: PeerID) -> Bool {
    !perPeer.isEmpty && perPeer[peer]?[id] != nil
  }

  /// Remembers that the peer does not want this message until then.
  public mutating func note(_ id: MessageID, by peer: PeerID, until: Instant) {
    perPeer[peer, default: [:]][id] = until
    ends.append((until, peer, id))
  }

  /// Forgets what has expired.
  public mutating func sweep(at now: Instant) {
    while let first = ends.first, first.until <= now {
      ends.removeFirst()
      guard let until = perPeer[first.peer]?[first.id], until <= now else { continue }
      perPeer[first.peer]?[first.id] = nil
      if perPeer[first.peer]?.isEmpty == true { perPeer[first.peer] = nil }
    }
  }

  mutating func forget(_ peer: PeerID) { perPeer[peer] = nil }

  /// Entries of this peer.
  public func count(of peer: PeerID) -> Int { perPeer[peer]?.count ?? 0 }
  /// Peers with entries.
  public var peers: Int { perPeer.count }
}

/// Who is known to hold messages of ours: they were sent it, or showed that they have it.
///
/// Bound: `countMax` messages, the oldest forgotten first; per message, the peers that were connected meanwhile.
struct Reach: Sendable {
  private var holders: [MessageID: (peers: Set<PeerID>, isWatched: Bool)] = [:]
  private var ages = Deque<MessageID>()

  mutating func begin(_ id: MessageID, countMax: Int) {
    if ages.count >= countMax, let oldest = ages.popFirst() { holders[oldest] = nil }
    holders[id] = ([], false)
    ages.append(id)
  }

  mutating func extend(_ id: MessageID, to peer: PeerID, surfacing effects: inout [Node.Effect]) {
    guard !holders.isEmpty, holders[id]?.peers.insert(peer).inserted == true, let entry = holders[id],
      entry.isWatched
    else { return }
    effects.append(.reached(id, entry.peers.count))
  }

  /// Starts or stops telling; starting tells at once. A forgotten message has reached 0.
  mutating func watch(_ id: MessageID, _ isWatched: Bool, surfacing effects: inout [Node.Effect]) {
    holders[id]?.isWatched = isWatched
    if isWatched { effects.append(.reached(id, holders[id]?.peers.count ?? 0)) }
  }
}
