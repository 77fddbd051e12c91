import OrderedCollections

/// A participant, without a body. Feed it what happened; perform what it asks.
///
/// One call of `handle` is one *turn*: the input is taken in completely and every consequence is in `effects` when
/// the call returns. Nothing is pending inside except alarms, and `deadline` tells the earliest. Two nodes with the
/// same configuration, seed and inputs live the same life.
///
/// This file has the turn itself, peers and topics; messages that come in are in `Inbound.swift`, our own in
/// `Publishing.swift`.
public struct Node: Sendable {
  let configuration: Configuration
  var commons: Commons
  var disseminations: [any Dissemination]
  var drafts: [Ticket: Publishing] = [:]
  var nextTicket: UInt64 = 1
  var nextSequence: UInt64
  /// How often waiting messages were looked at.
  var looks: UInt64 = 0

  /// - Parameters:
  ///   - me: the node's own id; its key stays outside.
  ///   - seed: seeds the node's dice; 32 unpredictable bytes in production.
  ///   - birth: the present instant.
  /// - Throws: `ConfigurationError` for the first setting that cannot work.
  public init(_ configuration: Configuration, as me: PeerID, seed: [UInt8], at birth: Instant)
    throws(ConfigurationError)
  {
    try configuration.validate()
    self.configuration = configuration
    commons = Commons(configuration, as: me, seed: seed, at: birth)
    nextSequence = configuration.sequenceStart
    disseminations = Manner.allCases.map { manner in
      switch manner {
      case .gossipSub: GossipSub(configuration.gossipSub)
      case .direct: Direct(configuration.direct, payloadSizeMax: configuration.wire.frameSizeMax - 1_024)
      case .push: Push(configuration.push)
      case .infection: Infection(configuration.infection)
      case .advert: AdvertGossip(configuration.advert)
      case .slots: SlotTable(configuration.slots)
      case .digestFirst: DigestFirst(configuration.digestFirst, as: me)
      case .antiEntropy: AntiEntropy(configuration.antiEntropy)
      }
    }
    for manner in Manner.allCases { tell(manner, .began) }
    for manner in configuration.manners { speak(manner) }
  }

  /// This node's id.
  public var me: PeerID { commons.me }

  /// When to call again with `.wake`, if nothing else happens first.
  public var deadline: Instant? { commons.alarms.deadline }

  /// One turn.
  ///
  /// - Parameters:
  ///   - now: must not run backwards; an earlier instant than before counts as the same one.
  ///   - effects: the turn's consequences are appended, in order.
  public mutating func handle(_ input: Input, at now: Instant, into effects: inout [Effect]) {
    commons.now = max(now, commons.now)
    commons.forwarded = 0
    commons.pieceBytes = 0
    if commons.store.nextExpiry <= commons.now { commons.store.expire(at: commons.now) }
    if commons.reputation.nextTick <= commons.now { commons.reputation.decay(at: commons.now) }
    take(input)
    ringDueAlarms()
    if !commons.expelled.isEmpty { releaseExpelled() }
    if commons.reputation.hasNotices { tellStandings() }
    if !commons.store.withdrawn.isEmpty { tellWithdrawn() }
    commons.outbox.flush(into: &commons.surfaced, &commons.counters)
    if effects.isEmpty {
      swap(&effects, &commons.surfaced)
    } else {
      effects.append(contentsOf: commons.surfaced)
      commons.surfaced.removeAll(keepingCapacity: true)
    }
  }

  private mutating func take(_ input: Input) {
    switch input {
    case .connected(let peer, let link): connected(peer, link)
    case .disconnected(let peer, let severance): disconnected(peer, severance)
    case .opened(let peer, let manner, let version): opened(peer, manner, version)
    case .closed(let peer, let manner): closed(peer, manner)
    case .received(let frame, let peer): received(frame, from: peer)
    case .garbled(_, let peer):
      commons.counters.garbled += 1
      commons.observe(.garbled, of: peer)
    case .shed(let peer, let lane, let count):
      commons.counters.shed += UInt64(count)
      commons.notice(.shed(peer, lane, count: count))
      commons.observe(.stalled, of: peer)
      if lane == .message, commons.peers.version(of: .gossipSub, with: peer) != nil {
        tell(.gossipSub, .lost(by: peer))
      }
    case .publish(let draft): publish(draft)
    case .subscribe(let topic, let policy): subscribe(topic, policy)
    case .unsubscribe(let topic): unsubscribe(topic)
    case .ask(let inquiry): tell(.direct, .told(.ask(inquiry)))
    case .withdraw(let token): tell(.direct, .told(.withdraw(inquiry: token)))
    case .answer(let ticket, let answer): tell(.direct, .told(.answer(ticket, answer)))
    case .epoch(let epoch): tell(.digestFirst, .told(.epoch(epoch)))
    case .bar(let peer, let duration): bar(peer, .byHand, for: duration)
    case .unbar(let peer): unbar(peer)
    case .restore(let records, let wallClock): restore(records, wallClock: wallClock)
    case .score(let peer, let score): commons.reputation.applicationScore(peer, score)
    case .checked(let ticket, let authentic): checked(ticket, authentic)
    case .judged(let ticket, let verdict): judged(ticket, verdict)
    case .signed(let ticket, let signature, let key): signed(ticket, signature, key)
    case .watchReach(let id, let isWatched):
      commons.reach.watch(id, isWatched, surfacing: &commons.surfaced)
    case .wake: break
    }
  }

  private mutating func ringDueAlarms() {
    while let (alarm, due) = commons.alarms.due(at: commons.now) {
      switch alarm {
      case .heartbeat:
        commons.seen.sweep(commons.now)
        commons.reputation.sweep(at: commons.now)
        commons.objects.sweep(commons.now, heldBy: commons.store)
        tell(.gossipSub, .rang(alarm, due: due))
      case .stagger: tell(.gossipSub, .rang(alarm, due: due))
      case .inquiry, .requests: tell(.direct, .rang(alarm, due: due))
      case .promise: for (manner, id) in commons.endPromises() { gaveUp(id, manner) }
      case .awaiting: lookAtAwaiting()
      case .reading: readAgain()
      case .bars: endBars()
      case .retractions: endRetractions()
      case .own(let manner, _): tell(manner, .rang(alarm, due: due))
      }
    }
  }

  /// Lets one dissemination react.
  mutating func tell(_ manner: Manner, _ event: DisseminationEvent) {
    commons.manner = manner
    disseminations[manner.index].handle(event, &commons)
  }

  /// Lets the dissemination that spreads a topic react, and the one that heals it.
  mutating func tell(_ policy: TopicPolicy, _ event: DisseminationEvent) {
    tell(policy.spread, event)
    if policy.heal.isOn { tell(.antiEntropy, event) }
  }

  /// What is not held any more for another reason than the age of its window, or of a topic whose manner must know.
  private mutating func tellWithdrawn() {
    for (id, manners) in commons.store.takeWithdrawn() {
      for manner in manners { tell(manner, .withdrawn(id)) }
    }
  }

  /// Nobody waits for what a blocked peer promised: it would not be heard.
  private mutating func tellStandings() {
    while commons.reputation.hasNotices {
      for notice in commons.reputation.takeNotices() {
        commons.notice(.reputation(notice))
        guard case .standing(let peer, .blocked, _, isActing: true) = notice else { continue }
        for (manner, id) in commons.releasePromises(of: peer, owes: false) { gaveUp(id, manner) }
      }
    }
  }

  mutating func takeTicket() -> Ticket {
    defer { nextTicket += 1 }
    return Ticket(number: nextTicket)
  }

  // MARK: Peers

  private mutating func connected(_ peer: PeerID, _ link: Link) {
    guard !commons.peers.isConnected(peer), peer != me else { return }
    guard !isBarred(peer) else {
      commons.counters.turnedAway += 1
      return commons.surface(.disconnect(peer, Severance("barred")))
    }
    commons.peers.connect(peer, link)
    commons.firewall.connected(peer, link.ip, at: commons.now, &commons.seen)
    commons.reputation.connected(peer, ip: link.ip, at: commons.now)
    commons.notice(.connected(peer, link))
    settleReading(peer)
  }

  private mutating func disconnected(_ peer: PeerID, _ severance: Severance) {
    guard commons.peers.isConnected(peer) else { return }
    for manner in Manner.allCases {
      if commons.peers.version(of: manner, with: peer) != nil {
        closed(peer, manner)
      } else {
        tell(manner, .vanished(peer))  // it may have spoken although our stream never opened
      }
    }
    _ = commons.peers.disconnect(peer)
    commons.unwanted.forget(peer)
    for (manner, id) in commons.releasePromises(of: peer, owes: true) { gaveUp(id, manner) }
    commons.firewall.disconnected(peer, at: commons.now)
    commons.reputation.disconnected(peer, at: commons.now)
    commons.notice(.disconnected(peer, severance))
  }

  /// Our stream is open: greet with everything we are on, then meet the peer on its topics.
  private mutating func opened(_ peer: PeerID, _ manner: Manner, _ version: ProtocolName) {
    guard commons.peers.isConnected(peer) else { return }
    let isNew = commons.peers.version(of: manner, with: peer) == nil
    let topics = commons.peers.open(manner, version, with: peer)
    guard isNew else { return }
    commons.notice(.opened(peer, version))
    for (topic, policy) in commons.joined where policy.uses(manner) {
      commons.outbox.announce(Subscription(topic, joins: true), to: peer, manner)
    }
    for topic in topics { tell(manner, .arrived(peer, on: topic)) }
  }

  private mutating func closed(_ peer: PeerID, _ manner: Manner) {
    guard commons.peers.version(of: manner, with: peer) != nil else { return }
    for topic in commons.peers.close(manner, with: peer) { tell(manner, .departed(peer, from: topic)) }
    tell(manner, .vanished(peer))
  }

  // MARK: Topics

  private mutating func subscribe(_ topic: Topic, _ policy: TopicPolicy) {
    let current = commons.joined[topic]?.manners ?? []
    guard commons.joined[topic] != nil || commons.joined.count < configuration.limits.topicsJoined else {
      return
    }
    commons.joined[topic] = policy
    commons.store.follow(policy, on: topic, at: commons.now)
    commons.reputation.follow(topic, policy.scoring)
    for manner in current where !policy.uses(manner) { leave(topic, manner) }
    for manner in policy.manners {
      speak(manner)
      if current.contains(manner) {
        tell(manner, .changed(topic))
      } else {
        announce(Subscription(topic, joins: true), manner)
        tell(manner, .joined(topic))
      }
    }
  }

  /// Streams of a manner are opened when a topic first needs them.
  mutating func speak(_ manner: Manner) {
    if commons.spoken.append(manner).inserted { commons.surface(.speak(manner)) }
  }

  private mutating func unsubscribe(_ topic: Topic) {
    guard let policy = commons.joined.removeValue(forKey: topic) else { return }
    stopAwaiting(on: topic)
    for manner in policy.manners { leave(topic, manner) }
    commons.reputation.forget(topic)
    commons.store.follow(nil, on: topic, at: commons.now)
  }

  private mutating func leave(_ topic: Topic, _ manner: Manner) {
    commons.leftAt = commons.now
    announce(Subscription(topic, joins: false), manner)
    tell(manner, .left(topic))
  }

  private mutating func announce(_ subscription: Subscription, _ manner: Manner) {
    for peer in commons.peers.speakers(of: manner) { commons.outbox.announce(subscription, to: peer, manner) }
  }

  // MARK: Snapshot

  /// A reading of the node.
  public var snapshot: Snapshot {
    let peers = commons.peers.connected.compactMap { id -> Snapshot.Peer? in
      guard let entry = commons.peers.entry(id) else { return nil }
      return Snapshot.Peer(
        id: id, link: entry.link, speaks: entry.speaks.compactMap { $0 },
        topics: Array(OrderedSet(entry.announced.flatMap { $0 })),
        observations: entry.observations.map { ($0.key, $0.value) }, isPaused: entry.isPaused,
        score: commons.reputation.score(of: id),
        partnerScore: commons.reputation.partnerScore(of: id, at: commons.now),
        standing: commons.reputation.standing(of: id))
    }
    let topics = commons.joined.map { topic, policy in
      Snapshot.Joined(
        topic: topic, spread: policy.spread, members: commons.peers.members(of: topic, by: policy.spread),
        partners: disseminations[policy.spread.index].partners(on: topic))
    }
    return Snapshot(me: me, peers: peers, topics: topics, counters: counters, sizes: sizes)
  }

  /// Whether anything is known of the peer's conduct: it is connected, or was.
  public func knows(_ peer: PeerID) -> Bool { commons.reputation.knows(peer) }

  /// Why a peer's scores are what they are, term by term; it need not be connected.
  public func explain(_ peer: PeerID) -> Explanation { commons.reputation.explain(peer, at: commons.now) }

  /// What a peer is worth here, and whether it is neither heard nor served.
  package func regard(for peer: PeerID) -> (score: Double, isBlocked: Bool) {
    let standing = commons.reputation.standing(of: peer)
    return (commons.reputation.score(of: peer), standing == .blocked || isBarred(peer))
  }

  /// Members of a topic that can be spoken to: by its own manner if it is joined, by any if not.
  public func members(of topic: Topic) -> [PeerID] {
    if let policy = commons.joined[topic] { return commons.peers.members(of: topic, by: policy.spread) }
    return OrderedSet(Manner.allCases.flatMap { commons.peers.members(of: topic, by: $0) }).elements
  }

  /// Running totals since birth.
  public var counters: Counters {
    var counters = commons.counters
    counters.evicted +=
      commons.seen.evicted + commons.store.evicted + commons.wants.refused
      + commons.awaiting.refused + commons.objects.evicted + commons.firewall.evicted
      + commons.unexamined.evicted + commons.reputation.evicted
    counters.selfBlames = commons.reputation.selfBlames
    return counters
  }

  /// How much it holds at the moment.
  public var sizes: Sizes {
    var sizes = Sizes()
    sizes.seen = commons.seen.count
    sizes.stored = commons.store.count
    sizes.storedBytes = commons.store.bytes
    sizes.wants = commons.wants.count
    sizes.checks = commons.validation.count
    sizes.awaiting = commons.awaiting.count
    sizes.needs = commons.awaiting.needed
    sizes.objectBytes = commons.objects.bytes
    sizes.guarded = commons.firewall.count
    sizes.barred = commons.firewall.blacklist.count
    sizes.unexamined = commons.unexamined.count
    sizes.alarms = commons.alarms.count
    sizes.peers = commons.peers.count
    sizes.remembered = commons.reputation.remembered
    sizes.perPeer = disseminations.reduce(commons.unwanted.peers) { $0 + $1.perPeerEntries }
    return sizes
  }
}
