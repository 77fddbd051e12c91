import OrderedCollections

/// What peers send us: a frame's subscriptions, messages and words, and the way of a message from its first copy to
/// delivery: shape → known already? → proof → judgement → kept, delivered, told on.
extension Node {
  mutating func received(_ frame: Frame, from peer: PeerID) {
    guard commons.peers.isConnected(peer), !isBarred(peer) else { return }
    commons.counters.framesReceived += 1
    commons.counters.messagesReceived += UInt64(frame.messages.count)
    chargeBudgets(peer, frame)
    if !frame.subscriptions.isEmpty { subscriptions(frame.subscriptions, from: peer, frame.manner) }
    guard commons.reputation.standing(of: peer) != .blocked else {
      commons.counters.unheard += 1
      return
    }
    if !frame.messages.isEmpty { receive(frame.messages, from: peer, frame.manner) }
    // What it has just sent may have barred it.
    if !frame.controls.isEmpty, !isBarred(peer) { words(frame.controls, from: peer, frame.manner) }
  }

  // MARK: Subscriptions and words

  /// Opposite announcements of one topic in one frame cancel, repeats collapse.
  private mutating func subscriptions(_ announced: [Subscription], from peer: PeerID, _ manner: Manner) {
    var net = OrderedDictionary<Topic, Bool>()
    for subscription in announced {
      switch net[subscription.topic] {
      case nil: net[subscription.topic] = subscription.joins
      case subscription.joins: break
      default: net[subscription.topic] = nil
      }
    }
    for (topic, joins) in net {
      let change = commons.peers.announce(
        Subscription(topic, joins: joins), by: peer, manner, topicsMax: configuration.limits.topicsPerPeer)
      switch change {
      case .joined:
        commons.notice(.subscribed(peer, topic))
        tell(manner, .arrived(peer, on: topic))
      case .left:
        commons.notice(.unsubscribed(peer, topic))
        tell(manner, .departed(peer, from: topic))
      case .tooMany: return commons.observe(.flooded, of: peer)
      case .unchanged: break
      }
    }
  }

  /// Wants are answered here, for all manners alike; everything else is for the dissemination.
  private mutating func words(_ controls: [Control], from peer: PeerID, _ manner: Manner) {
    var others: [Control] = []
    let standing = commons.reputation.standing(of: peer)
    for control in controls where standing > .ignored || !(control.isOffer || control.isWant) {
      if !commons.awaiting.isEmpty { offered(control, by: peer) }
      switch control {
      case .want(let ids): serve(ids, to: peer, manner)
      case .lack(let ids): for id in ids { lacked(id, by: peer, manner) }
      case .retract(let ids): heardRetraction(ids, from: peer)
      default: others.append(control)
      }
    }
    if !others.isEmpty { tell(manner, .heard(others, from: peer)) }
  }

  /// A peer we asked cannot give; nobody else's word counts.
  private mutating func lacked(_ id: MessageID, by peer: PeerID, _ manner: Manner) {
    guard commons.wants.asked(for: id) == peer else { return }
    tell(manner, .lacked(id, by: peer))
    for (manner, id) in commons.lacked(id, by: peer) { gaveUp(id, manner) }
  }

  private mutating func serve(_ ids: [MessageID], to peer: PeerID, _ manner: Manner) {
    let times =
      manner == .gossipSub ? configuration.gossipSub.retransmissions : configuration.limits.servesPerPeer
    commons.manner = manner
    var (missing, excess) = ([MessageID](), 0)
    for id in OrderedSet(ids) where !commons.unwanted.contains(id, by: peer) {
      if !commons.objects.isEmpty, commons.objects.size(ofPiece: id) != nil {
        if !commons.give(piece: id, to: peer) { missing.append(id) }
        continue
      }
      guard let message = commons.store.serve(id, to: peer, times: times) else {
        if commons.store.holds(id) { excess += 1 } else { missing.append(id) }
        continue
      }
      guard message.wire.mayBeGiven(to: peer) else {
        missing.append(id)
        continue
      }
      guard commons.forward(message, to: peer) else { continue }
      commons.counters.wantsServed += 1
      tell(manner, .served(id, to: peer))
    }
    if excess > 0 { commons.observe(.flooded, of: peer, count: excess) }
    // libp2p has no word for it, and direct messages are never wanted.
    if !missing.isEmpty, manner != .gossipSub, manner != .direct { commons.say(.lack(missing), to: peer) }
  }

  // MARK: A message's way

  /// Under overload a source may lose its messages; what it promised is not held against it then.
  private mutating func receive(_ messages: [WireMessage], from peer: PeerID, _ manner: Manner) {
    guard commons.firewall.admitsMessages(of: peer, at: commons.now, using: &commons.random) else {
      commons.counters.gated += UInt64(messages.count)
      for (manner, id) in commons.releasePromises(of: peer, owes: false) { gaveUp(id, manner) }
      return
    }
    for message in messages where !isBarred(peer) { receive(message, from: peer, manner) }
  }

  private mutating func receive(_ received: WireMessage, from peer: PeerID, _ manner: Manner) {
    guard let policy = commons.joined[received.topic],
      policy.uses(manner) || isNeeded(received, under: policy, from: peer)
    else {
      commons.counters.strays += 1
      return
    }
    // Where there are no objects the field that says so is one we do not know: other nodes pass it on.
    let wire = policy.objects == nil && received.kind != .plain ? received.asPlain : received
    if wire.kind == .piece { return receivePiece(wire, from: peer) }
    if wire.way == .direct, !isStraightForUs(wire, from: peer) {
      commons.counters.strays += 1
      return
    }
    if let fault = Node.shapeFault(of: wire, under: policy) {
      return reject(nil, on: wire.topic, [peer], fault)
    }
    let id =
      if case .contentHash = policy.identification {
        commons.twins.id(of: wire)
      } else {
        policy.identification.id(of: wire)
      }
    guard id.count <= configuration.wire.idSizeMax else {
      return reject(nil, on: wire.topic, [peer], .tooLarge)
    }
    // What the healer asked for may be under way in another manner, too.
    if manner == .antiEntropy { commons.firewall.requested([id], of: peer, at: commons.now) }
    let (known, wasGiven) = commons.fate(of: id, from: peer)
    if wasGiven { repeated(id, wire, by: peer, policy, manner) }
    if let fate = known {
      // While the application judges, whoever sends the same is a holder.
      if fate == .pending, commons.validation.add(wire, id: id, from: peer) == .same {
        if commons.awaiting.waits(id) { holds(id, peer) }
      }
      return duplicate(id, fate, wire, from: peer, policy)
    }
    if let author = wire.claimedAuthor, isBarred(author) { return passOver(id, wire, from: peer, policy) }
    // What comes straight from its author nobody else could bring, were it taken for known by mistake.
    guard manner == .direct || wire.way == .direct || !commons.isSuspect(id, from: peer) else {
      commons.counters.suspected += 1
      return
    }
    // An echo of what we did write is a duplicate, and evidence of its reach; anything else is a lie.
    if wire.claimedAuthor == me {
      guard mayBeOurs(wire) else { return reject(id, on: wire.topic, [peer], .selfOrigin) }
      commons.counters.duplicates += 1
      return
    }
    let copy = commons.validation.add(wire, id: id, from: peer)
    if copy == .again { repeated(id, wire, by: peer, policy, manner) }
    switch copy {
    case .same, .again, .rival:
      commons.counters.duplicates += 1
      commons.reach.extend(id, to: peer, surfacing: &commons.surfaced)
    case .unknown:
      let message = Message(id: id, wire: wire)
      commons.manner = manner
      guard
        wire.way == .direct || commons.awaiting.wasAsked(peer, for: id)
          || disseminations[manner.index].admits(message, from: peer, &commons)
      else {
        commons.counters.refused += 1
        return
      }
      begin(message, from: peer, policy, manner)
    }
  }

  /// Whether a message of another manner's topic was asked of this peer, by one that waits for it.
  private func isNeeded(_ wire: WireMessage, under policy: TopicPolicy, from peer: PeerID) -> Bool {
    !commons.awaiting.isEmpty && commons.awaiting.wasAsked(peer, for: policy.identification.id(of: wire))
  }

  /// Whether a message in our name has a number that we have passed: we may have written it longer ago than we
  /// remember, and whoever brings it back may have got it in good faith.
  private func mayBeOurs(_ wire: WireMessage) -> Bool {
    wire.sequence.count == 8 && wire.sequence.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } <= nextSequence
  }

  /// Who is barred wrote it, or so it says. Whoever gives it as asked has kept its promise.
  private mutating func passOver(
    _ id: MessageID, _ wire: WireMessage, from peer: PeerID, _ policy: TopicPolicy
  ) {
    commons.counters.strays += 1
    guard commons.wants.asked(for: id) != nil, !commons.validation.isOpen(id) else { return }
    guard case .author = policy.identification else { return commons.wants.excuse(id, of: peer) }
    // Nobody else can have written what bears this id: it is not wanted any more.
    commons.seen.insert(id, .ignored, at: commons.now)
    commons.wants.forget(id)
    tell(policy, of: wire, .refused(id, holders: [peer]))
    dependencyRefused(id)
  }

  /// What is wrong with a message before anybody computes anything.
  private static func shapeFault(of wire: WireMessage, under policy: TopicPolicy) -> Rejection? {
    if wire.payload.count > policy.payloadSizeMax { return .tooLarge }
    switch policy.signing {
    case .strictSign: return wire.signature == nil ? .missingSignature : nil
    case .strictNoSign:
      if wire.signature != nil { return .unexpectedSignature }
      return wire.hasAuthor || wire.hasSequence || wire.key != nil ? .unexpectedAuthInfo : nil
    case .laxSign, .laxNoSign: return nil
    }
  }

  private mutating func duplicate(
    _ id: MessageID, _ fate: SeenFilter.Fate, _ wire: WireMessage, from peer: PeerID, _ policy: TopicPolicy
  ) {
    commons.counters.duplicates += 1
    commons.firewall.duplicated(peer, at: commons.now)
    // What depends on it may have asked for it while it was here, but waited itself: the promise is kept.
    commons.wants.forget(id)
    commons.reach.extend(id, to: peer, surfacing: &commons.surfaced)
    switch fate {
    case .rejected: condemnAgain(id, wire, from: peer, policy)
    case .accepted: commons.reputation.duplicate(id, by: peer, on: wire.topic, at: commons.now)
    case .pending, .ignored: break
    }
    tell(policy, .echoed(id, by: peer))
  }

  private mutating func begin(
    _ message: Message, from peer: PeerID, _ policy: TopicPolicy, _ manner: Manner
  ) {
    commons.transferred(message.id, message.wire.bytes.count, by: peer)
    if message.wire.signature == nil, !policy.isJudged, message.wire.kind == .plain {
      // Nothing to examine: believed in the turn it came in.
      tell(policy, of: message.wire, .met(message.id, message.wire, from: peer))
      commons.wants.forget(message.id)
      guard !commons.store.isStale(message, policy) else {
        commons.seen.insert(message.id, .ignored, at: commons.now)
        commons.counters.ignored += 1
        return tell(policy, of: message.wire, .refused(message.id, holders: [peer]))
      }
      commons.seen.insert(message.id, .accepted, at: commons.now)
      return believe(message, holders: [peer], policy, isHealed: manner == .antiEntropy)
    }
    let ticket = takeTicket()
    commons.firewall.examines(at: commons.now)
    guard commons.validation.begin(message, from: peer, isHealed: manner == .antiEntropy, ticket) else {
      commons.counters.throttled += 1
      commons.firewall.throttles(at: commons.now)
      commons.wants.excuse(message.id, of: peer)  // it gave what it was asked for
      return reject(message.id, on: message.topic, [peer], .queueFull)
    }
    charge(peer, message)
    tell(policy, of: message.wire, .met(message.id, message.wire, from: peer))
    passOnUnexamined(message, from: peer, policy, isHealed: manner == .antiEntropy)
    if message.wire.signature != nil {
      commons.surface(.check(ticket, message.wire))
    } else {
      proven(ticket)
    }
  }

  mutating func checked(_ ticket: Ticket, _ authentic: Bool) {
    guard let examination = commons.validation.examination(ticket, .proof) else { return }
    if authentic { return proven(ticket) }
    let (failed, holders) = (examination.message, Array(examination.holders))
    condemn(failed, holders, .invalidSignature, isProven: false)
    if let policy = commons.joined[failed.topic] {
      takeBack(failed.id, policy)
    } else {
      letGo(failed.id, nil)
    }
    if let rival = commons.validation.tryRival(of: examination.message.id) {
      if let charged = examination.charged { discharge(charged, failed) }
      if let charged = rival.charged { charge(charged, rival.message) }
      turn(from: examination, to: rival.message)
      if rival.message.wire.signature == nil { return proven(ticket) }
      commons.surface(.check(ticket, rival.message.wire))
    } else {
      refuse(examination.message.id)
    }
  }

  /// The next version may be of another topic, whose dissemination has not heard of it.
  private mutating func turn(from former: Validation.Examination, to next: Message) {
    guard former.message.topic != next.topic, let source = former.holders.first else { return }
    if let policy = commons.joined[former.message.topic] {
      tell(policy, of: former.message.wire, .refused(next.id, holders: Array(former.holders)))
    }
    if let policy = commons.joined[next.topic] {
      tell(policy, of: next.wire, .met(next.id, next.wire, from: source))
    }
  }

  /// From here on the message counts as seen, and as kept promise of everybody who offered it.
  private mutating func proven(_ ticket: Ticket) {
    guard let examination = commons.validation.examination(ticket, .proof) else { return }
    let (message, id) = (examination.message, examination.message.id)
    commons.seen.insert(id, .pending, at: commons.now)
    commons.wants.forget(id)
    guard let policy = commons.joined[message.topic] else { return forget(id) }
    if message.wire.kind == .manifest { return assemble(message, policy) }
    judge(message, policy)
  }

  /// We left its topic meanwhile: it may come again as if it were new.
  private mutating func forget(_ id: MessageID) {
    end(id)
    letGo(id, nil)
    commons.seen.expire(id)
  }

  /// Asks the application, if the topic has a judge; not about what something newer has replaced.
  mutating func judge(_ message: Message, _ policy: TopicPolicy) {
    let id = message.id
    guard !commons.store.isStale(message, policy), !isReplay(message, policy, takes: false) else {
      return ignore(id, policy)
    }
    guard policy.isJudged else { return accept(message) }
    guard let examination = commons.validation.examination(of: id) else { return }
    guard commons.validation.canJudge(message.topic) else {
      commons.seen.settle(id, .ignored)
      commons.counters.throttled += 1
      commons.firewall.throttles(at: commons.now)
      reject(id, on: message.topic, Array(examination.holders), .throttled)
      return refuse(id)
    }
    commons.validation.beginJudgement(id)
    commons.surface(.judge(examination.ticket, message, from: examination.holders[0]))
  }

  /// Not believed, and nobody's fault.
  private mutating func ignore(_ id: MessageID, _ policy: TopicPolicy?) {
    commons.seen.settle(id, .ignored)
    commons.counters.ignored += 1
    letGo(id, policy)
    refuse(id)
  }

  mutating func judged(_ ticket: Ticket, _ verdict: Verdict) {
    if drafts[ticket] != nil { return judgedOwn(ticket, verdict) }
    guard let examination = commons.validation.examination(ticket, .judgement) else { return }
    let (message, id) = (examination.message, examination.message.id)
    switch verdict {
    case .accept: return accept(message)
    case .await(let needs): return park(message, for: needs)
    case .reject:
      commons.seen.settle(id, .rejected)
      condemn(
        message, Array(examination.holders), .failed, isProven: message.wire.signature != nil)
      refuse(id)
    case .ignore:
      for peer in examination.holders { commons.firewall.ignored(peer, at: commons.now) }
      for peer in examination.holders.prefix(1) { commons.notice(.rejected(id, from: peer, .ignored)) }
      ignore(id, commons.joined[message.topic])
    }
  }

  /// Ends the examination of what is not believed.
  mutating func refuse(_ id: MessageID) {
    endRefused(id)
    dependencyRefused(id)
  }

  mutating func endRefused(_ id: MessageID) {
    guard let examination = end(id) else { return }
    guard let policy = commons.joined[examination.message.topic] else { return letGo(id, nil) }
    takeBack(id, policy)
    tell(policy, of: examination.message.wire, .refused(id, holders: Array(examination.holders)))
  }

  private mutating func accept(_ message: Message) {
    guard let policy = commons.joined[message.topic], commons.validation.examination(of: message.id) != nil
    else { return forget(message.id) }
    guard !isReplay(message, policy, takes: true) else { return ignore(message.id, policy) }
    guard let examination = end(message.id) else { return }
    commons.seen.settle(message.id, .accepted)
    believe(message, holders: Array(examination.holders), policy, isHealed: examination.isHealed)
  }

  /// Whether the topic asks for rising sequence numbers and this one does not rise.
  private mutating func isReplay(_ message: Message, _ policy: TopicPolicy, takes: Bool) -> Bool {
    guard rises(message, policy) else {
      commons.counters.replayed += 1
      return true
    }
    if takes, policy.wantsRisingSequences, let (number, author) = message.wire.claimedNumber {
      _ = commons.sequences.take(number, by: author)
    }
    return false
  }

  /// Whether the message's number rises, if its topic asks for that.
  func rises(_ message: Message, _ policy: TopicPolicy) -> Bool {
    guard policy.wantsRisingSequences, let (number, author) = message.wire.claimedNumber else { return true }
    return commons.sequences.isFresh(number, by: author)
  }

  /// Kept, delivered, told on.
  private mutating func believe(
    _ proven: Message, holders: [PeerID], _ policy: TopicPolicy, isHealed: Bool
  ) {
    let message = proven.asExamined
    remember(message, holders, policy, isHealed: isHealed)
    commons.wants.forget(message.id)
    let acceptance = Acceptance(
      message: message, holders: holders, audience: .everyone, isHealed: isHealed)
    let wentOn = wentOn(message, policy)
    if message.wire.isFor(me) {
      commons.counters.delivered += 1
      commons.surface(.deliver(message, from: holders[0]))
    } else {
      commons.counters.carried += 1
    }
    if !wentOn {
      if message.wire.way != .direct { keep(message, policy) }
      tell(policy, of: message.wire, .accepted(acceptance))
    } else if policy.heal.isOn {
      tell(.antiEntropy, .accepted(acceptance))
    }
    dependencyArrived(message.id)
  }

  /// The first to give a message that proved right gains by it; all are known to have given it.
  private mutating func remember(
    _ message: Message, _ holders: [PeerID], _ policy: TopicPolicy, isHealed: Bool
  ) {
    // Who was asked for it had it first only if it offered first, which its dissemination knows.
    commons.reputation.delivered(
      message.id, by: holders, on: message.topic, ranks: policy.spread != .digestFirst && !isHealed,
      at: commons.now)
    commons.duplicates?.insert(message.id, at: commons.now)
    let hasRoom = commons.firewall.verified(
      holders[0], wasExamined: message.wire.signature != nil || policy.isJudged, at: commons.now)
    if hasRoom { settleReading(holders[0]) }
    for holder in holders {
      if let giver = commons.firewall.giver(holder) { commons.seen.give(message.id, from: giver) }
    }
  }

  /// Kept, so that others can be given it; what it replaces or pushes out is withdrawn at the end of the turn.
  mutating func keep(_ message: Message, _ policy: TopicPolicy) {
    guard policy.spread.keepsMessages else { return }
    guard case .last = policy.keeping, !commons.isJoined(message.topic) else {
      return commons.store.put(message, policy, at: commons.now)
    }
    // Nobody would ever leave the topic, and so end it.
    var brief = policy
    brief.retention = .heartbeats
    commons.store.put(message, brief, at: commons.now)
  }

  /// Counts and tells why a message was not believed. What is the senders' fault is held against them.
  mutating func reject(_ id: MessageID?, on topic: Topic, _ senders: [PeerID], _ reason: Rejection) {
    let observation: Observation? =
      switch reason {
      case .missingSignature, .unexpectedSignature, .unexpectedAuthInfo, .invalidSignature, .failed,
        .tooLarge:
        .invalidMessage
      case .selfOrigin: .selfOrigin
      case .queueFull, .throttled, .ignored: nil
      case .incomplete: .incomplete
      }
    if observation != nil { commons.counters.rejected += 1 }
    for peer in senders {
      commons.notice(.rejected(id, from: peer, reason))
      if let observation { commons.observe(observation, of: peer, on: topic) }
      if observation == .invalidMessage { commons.firewall.failed(peer, at: commons.now) }
    }
  }

  // MARK: Unchecked messages

  @discardableResult
  private mutating func end(_ id: MessageID) -> Validation.Examination? {
    guard let examination = commons.validation.end(id) else { return nil }
    if let charged = examination.charged { discharge(charged, examination.message) }
    return examination
  }
}

extension WireMessage {
  /// The number its author gave it, as it says.
  fileprivate var claimedNumber: (number: UInt64, author: PeerID)? {
    guard let author = claimedAuthor, !sequence.isEmpty else { return nil }
    return (sequence.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }, author)
  }
}

extension Manner {
  /// Whether accepted messages are kept for those who want them. Direct messages are for their audience only.
  var keepsMessages: Bool { self != .direct }
}
