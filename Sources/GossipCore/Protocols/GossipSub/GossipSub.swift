import OrderedCollections

/// libp2p's GossipSub router, versions 1.0 to 1.2: messages run along a mesh of a few partners per topic; their
/// ids are offered to some others, who ask for what they lack.
///
/// Source: libp2p `pubsub/gossipsub` specifications v1.0 to v1.2; where implementations disagree, the choices
/// are listed in ARCHITECTURE.md. The mesh's upkeep is in `Heartbeat.swift`, offers and wants in `Gossip.swift`.
public struct GossipSub: Dissemination {
  let parameters: GossipSubParameters
  var mesh = Mesh()
  var fanout = Fanout()
  var stagger = Stagger()
  /// What each peer sent since the last heartbeat; forgotten at the next one.
  var thisHeartbeat = OrderedDictionary<PeerID, Allowance>()
  /// Partners whose queue was full, and the heartbeat until which they are offered what they may lack.
  var lacking = OrderedDictionary<PeerID, UInt64>()
  var ticks: UInt64 = 0

  /// What a peer used of its per-heartbeat budgets.
  struct Allowance: Sendable {
    var offers = 0
    var asked = 0
    var dontWants = 0
  }

  init(_ parameters: GossipSubParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .began: scheduleFirstHeartbeat(&commons)
    case .rang(.heartbeat, let due): beat(due, &commons)
    case .joined(let topic): join(topic, &commons)
    case .left(let topic): leave(topic, &commons)
    case .arrived(let peer, let topic): greet(peer, on: topic, &commons)
    case .departed(let peer, let topic): forget(peer, on: topic, &commons)
    case .vanished(let peer): forget(peer, &commons)
    case .met(let id, let message, let source): declineCopies(of: id, message, from: source, &commons)
    case .accepted(let accepted): spread(accepted.message, accepted.holders, &commons)
    case .heard(let words, let peer): hear(words, from: peer, &commons)
    case .rang(.stagger, _): catchUp(&commons)
    case .echoed(let id, let peer):
      stagger.echoed(id, by: peer, at: commons.now)
    case .lost(let peer): lacking[peer] = ticks + UInt64(parameters.historyGossip)
    case .changed, .refused, .withdrawn, .served, .gaveUp, .lacked, .told, .rang: break
    }
  }

  /// The mesh.
  public func partners(on topic: Topic) -> [PeerID] { Array(mesh.members(of: topic)) }
  /// Mesh and fanout places, backoffs, counters of this heartbeat, and estimates of redundancy.
  public var perPeerEntries: Int {
    mesh.entries + fanout.entries + thisHeartbeat.count + stagger.estimates + lacking.count
  }

  // MARK: Joining and leaving

  /// Takes over the fanout, tops up at random, grafts all at once.
  private mutating func join(_ topic: Topic, _ commons: inout Commons) {
    guard !mesh.isJoined(topic) else { return }
    mesh.join(topic)
    let known = fanout.remove(topic).filter {
      mesh.backoff(of: $0, on: topic) == nil && commons.isMember($0, of: topic) && commons.isWelcome($0)
    }
    for peer in known.prefix(parameters.degree) { graft(peer, to: topic, &commons) }
    graftCandidates(parameters.degree - known.count, to: topic, &commons)
  }

  private mutating func leave(_ topic: Topic, _ commons: inout Commons) {
    for peer in mesh.leave(topic) {
      mesh.back(off: peer, on: topic, until: commons.now + parameters.unsubscribeBackoff)
      sayPrune(topic, to: peer, for: parameters.unsubscribeBackoff, &commons)
      commons.pruned(peer, from: topic, by: .us)
    }
  }

  /// A peer subscribes: below D_lo it is grafted at once instead of at the next heartbeat (as Rust and Nim do), and
  /// it is offered what was published shortly before it came, so that a first message finds a late first peer.
  private mutating func greet(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    if mesh.isJoined(topic), mesh.members(of: topic).count < parameters.degreeLow,
      isCandidate(peer, on: topic), commons.isWelcome(peer)
    {
      graft(peer, to: topic, &commons)
    }
    let recent = commons.store.recent(topic, windows: parameters.historyGossip)
    if !recent.isEmpty {
      commons.say(.have(topic, commons.random.sample(parameters.offerLength, of: recent)), to: peer)
    }
  }

  private mutating func forget(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    if mesh.remove(peer, from: topic) { commons.pruned(peer, from: topic, by: .peer) }
    fanout.remove(peer, from: topic)
  }

  /// Our stream is gone. A peer may have been grafted without being a member: it is removed from every mesh.
  private mutating func forget(_ peer: PeerID, _ commons: inout Commons) {
    for topic in Array(mesh.topics.keys) { forget(peer, on: topic, &commons) }
    thisHeartbeat[peer] = nil
    stagger.forget(peer)
    lacking[peer] = nil
    commons.unwanted.forget(peer)
  }

  // MARK: Grafting and pruning

  /// Whether the mesh may take this peer in.
  func isCandidate(_ peer: PeerID, on topic: Topic) -> Bool {
    !mesh.contains(peer, on: topic) && mesh.backoff(of: peer, on: topic) == nil
  }

  /// Grafts up to `count` random candidates that `fits` lets through.
  mutating func graftCandidates(
    _ count: Int, to topic: Topic, _ commons: inout Commons, where fits: (PeerID) -> Bool = { _ in true }
  ) {
    guard count > 0 else { return }
    let candidates = commons.members(of: topic, atLeast: .welcome).filter {
      isCandidate($0, on: topic) && fits($0)
    }
    for peer in commons.random.sample(count, of: candidates) { graft(peer, to: topic, &commons) }
  }

  private mutating func graft(_ peer: PeerID, to topic: Topic, _ commons: inout Commons) {
    mesh.add(peer, to: topic)
    commons.say(.graft(topic), to: peer)
    commons.grafted(peer, on: topic)
  }

  mutating func prune(_ peer: PeerID, from topic: Topic, _ commons: inout Commons) {
    mesh.remove(peer, from: topic)
    refuse(peer, topic, &commons)
    commons.pruned(peer, from: topic, by: .us)
  }

  /// Says PRUNE and keeps the peer out for a while.
  private mutating func refuse(_ peer: PeerID, _ topic: Topic, _ commons: inout Commons) {
    mesh.back(off: peer, on: topic, until: commons.now + parameters.pruneBackoff)
    sayPrune(topic, to: peer, for: parameters.pruneBackoff, &commons)
  }

  /// v1.0 knows no backoff.
  private func sayPrune(_ topic: Topic, to peer: PeerID, for backoff: Duration, _ commons: inout Commons) {
    let seconds = UInt64(max(1, backoff.components.seconds))
    let isOld = commons.version(with: peer) == "/meshsub/1.0.0"
    commons.say(.prune(topic, backoff: isOld ? nil : seconds), to: peer)
  }

  private mutating func hearGraft(_ topic: Topic, from peer: PeerID, _ commons: inout Commons) {
    // Unknown topics are not answered and leave no trace: a stranger could fill our memory with them.
    guard mesh.isJoined(topic), !mesh.contains(peer, on: topic) else { return }
    if let until = mesh.backoff(of: peer, on: topic), until > commons.now {
      let left = until - commons.now
      let isFlood = left > parameters.pruneBackoff - parameters.graftFloodThreshold
      commons.observe(.earlyGraft, of: peer, count: isFlood ? 2 : 1)
      return refuse(peer, topic, &commons)
    }
    guard commons.isWelcome(peer) else { return refuse(peer, topic, &commons) }
    let members = mesh.members(of: topic)
    if members.count >= parameters.degreeHigh {
      let outbound = members.count { commons.peers.isOutbound($0) }
      let isWelcome =
        commons.peers.isOutbound(peer)
        && (outbound < parameters.degreeOutbound || members.count < 2 * parameters.degreeHigh)
      guard isWelcome else { return refuse(peer, topic, &commons) }
    }
    mesh.add(peer, to: topic)
    commons.grafted(peer, on: topic)
  }

  private mutating func hearPrune(
    _ topic: Topic, _ seconds: UInt64?, from peer: PeerID, _ commons: inout Commons
  ) {
    guard mesh.isJoined(topic) else { return }
    if mesh.remove(peer, from: topic) { commons.pruned(peer, from: topic, by: .peer) }
    let backoff =
      switch seconds {
      case nil, 0: parameters.pruneBackoff
      case let seconds?: min(.seconds(Int64(clamping: min(seconds, 1 << 40))), parameters.backoffMax)
      }
    mesh.back(off: peer, on: topic, until: commons.now + backoff)
  }

  /// The words of one frame, in the order go-libp2p-pubsub takes them: offers, grafts, prunes, IDONTWANT.
  private mutating func hear(_ words: [Control], from peer: PeerID, _ commons: inout Commons) {
    var offers = OrderedDictionary<Topic, [MessageID]>()
    var grafts = OrderedSet<Topic>()
    var prunes = OrderedDictionary<Topic, UInt64?>()
    var declined: [MessageID] = []
    for word in words {
      switch word {
      case .have(let topic, let ids): offers[topic, default: []] += ids
      case .graft(let topic): grafts.append(topic)
      case .prune(let topic, let backoff): prunes[topic] = backoff
      case .dontWant(let ids): declined += ids
      default: break  // wants are the node's, the rest is not spoken here
      }
    }
    if !offers.isEmpty { hearOffers(offers, from: peer, &commons) }
    for topic in grafts { hearGraft(topic, from: peer, &commons) }
    for (topic, backoff) in prunes { hearPrune(topic, backoff, from: peer, &commons) }
    if !declined.isEmpty { hearDontWant(declined, from: peer, &commons) }
  }

  // MARK: Spreading

  /// Hands a message to those who should have it at once: the mesh, or the fanout of a topic we are not on, or
  /// everybody if it is our own and small.
  private mutating func spread(_ message: Message, _ holders: [PeerID], _ commons: inout Commons) {
    let isOwn = holders.isEmpty
    let topic = message.topic
    if isOwn, message.payload.count <= parameters.floodPublishSize {
      if !mesh.isJoined(topic) { _ = fanoutPeers(topic, &commons) }
      declineCopiesOfOwn(message, &commons)
      // A mesh partner need not have subscribed.
      let everybody = OrderedSet(published(on: topic, commons) + mesh.members(of: topic))
      for peer in everybody { commons.forward(message, to: peer) }
      return
    }
    if isOwn { declineCopiesOfOwn(message, &commons) }
    let targets = mesh.isJoined(topic) ? Array(mesh.members(of: topic)) : fanoutPeers(topic, &commons)
    let receivers = targets.filter { !holders.contains($0) && !commons.unwanted.contains(message.id, by: $0) }
    guard !isOwn, parameters.staggers else {
      for peer in receivers { commons.forward(message, to: peer) }
      return
    }
    let author = message.author
    let origin = stagger.place(of: author ?? holders[0])
    stagger.begin(message.id, origin, holders: holders, at: commons.now)
    var waiting: [PeerID] = []
    for peer in receivers where peer != author {
      if stagger.isRedundant(peer, origin, isAuthor: author != nil) {
        waiting.append(peer)
      } else if commons.forward(message, to: peer) {
        stagger.sent(to: peer, origin, late: false)
      }
    }
    guard !waiting.isEmpty else { return }
    if let at = stagger.hold(message.id, from: waiting, at: commons.now, &commons.random) {
      commons.ring(.stagger, at: at)
    }
  }

  /// Sends what was held back to those who still seem to lack it.
  private mutating func catchUp(_ commons: inout Commons) {
    let (late, ring) = stagger.release(at: commons.now)
    for copy in late {
      guard let message = commons.store.message(copy.id) else { continue }  // evicted meanwhile
      let partners = mesh.members(of: message.topic)
      for peer in copy.partners where partners.contains(peer) && !commons.unwanted.contains(copy.id, by: peer)
      {
        if commons.forward(message, to: peer) { stagger.sent(to: peer, copy.origin, late: true) }
      }
    }
    if let ring { commons.ring(.stagger, at: ring) }
  }

  private mutating func fanoutPeers(_ topic: Topic, _ commons: inout Commons) -> [PeerID] {
    fanout.publish(
      topic, at: commons.now, degree: parameters.degree, members: published(on: topic, commons),
      &commons.random)
  }

  /// Members whose score lets us push our own messages to them.
  func published(on topic: Topic, _ commons: Commons) -> [PeerID] {
    let members = commons.members(of: topic)
    let reputation = commons.reputation
    return reputation.isEverybodyWelcome ? members : members.filter { reputation.isPublishedTo($0) }
  }
}

/// Peers we publish to on topics we are not on.
///
/// Kept for `fanoutFor` after the last publication. Source: libp2p `gossipsub-v1.0.md` "Fanout".
/// Bound: topics we publish to within that time, D peers each.
struct Fanout: Sendable {
  private struct Topicwise: Sendable {
    var peers: [PeerID] = []
    var lastPublished: Instant
  }

  private var topics: OrderedDictionary<Topic, Topicwise> = [:]

  var entries: Int { topics.values.reduce(0) { $0 + $1.peers.count } }
  var all: [Topic] { Array(topics.keys) }
  func peers(of topic: Topic) -> [PeerID] { topics[topic]?.peers ?? [] }

  /// The topic's fanout, chosen now if there is none yet.
  mutating func publish(
    _ topic: Topic, at now: Instant, degree: Int, members: [PeerID], _ random: inout Random
  ) -> [PeerID] {
    topics[topic, default: Topicwise(lastPublished: now)].lastPublished = now
    if topics[topic]!.peers.isEmpty { topUp(topic, degree: degree, members: members, &random) }
    return topics[topic]!.peers
  }

  mutating func topUp(_ topic: Topic, degree: Int, members: [PeerID], _ random: inout Random) {
    guard let current = topics[topic]?.peers, current.count < degree else { return }
    let candidates = members.filter { !current.contains($0) }
    topics[topic]!.peers += random.sample(degree - current.count, of: candidates)
  }

  /// Drops peers of the topic that do not hold to this.
  mutating func keep(_ topic: Topic, where holds: (PeerID) -> Bool) {
    topics[topic]?.peers.removeAll { !holds($0) }
  }

  mutating func remove(_ topic: Topic) -> [PeerID] { topics.removeValue(forKey: topic)?.peers ?? [] }
  mutating func remove(_ peer: PeerID, from topic: Topic) { topics[topic]?.peers.removeAll { $0 == peer } }

  /// Drops topics without a publication since `instant`.
  mutating func expire(publishedBefore instant: Instant) {
    topics.removeAll { $0.value.lastPublished < instant }
  }
}
