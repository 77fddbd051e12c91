import OrderedCollections

/// Messages are advertised to everybody, and asked of one advertiser at a time.
///
/// An advert is a name, the hash of the encoding, its size, and what the application needs to rank it. Nothing is
/// believed of it before the message is here: only the encoding with the advertised hash and size completes, and who
/// gave another one loses its advert. A silent advertiser costs one patience, then the next is asked; when all were
/// tried, a new round begins. Every believed message is advertised again, so that an author who tells few reaches all.
/// Whatever was missed is advertised anew on request, to those who come and every minute.
///
/// Source: the Internet Computer's first gossip layer (advert, chunk request, chunk, retransmission request); a message
/// is one chunk here. This file has what it reacts to and what it tells; `Downloads.swift` has how it asks.
public struct AdvertGossip: Dissemination {
  let parameters: AdvertParameters
  /// Topics we are on, in the order of joining.
  private var topics: OrderedSet<Topic> = []
  /// Peers that advertised or asked, in the order in which they first did.
  var advertisers: OrderedDictionary<PeerID, Advertiser> = [:]
  /// What was advertised and is not here.
  var artifacts: [MessageID: Artifact] = [:]
  /// Ends of downloads and of pauses between rounds; those of ended downloads are void.
  /// The ends of downloads and of pauses.
  var timers = Timers<MessageID>()
  var timerAlarm = EarliestAlarm()
  /// Hashes of what we made, of what the healer brought, and of what came from peers that left.
  private var received: RecentHashes
  /// Hashes of messages we hold, so that they are computed once.
  private var hashes: [MessageID: ContentHash] = [:]
  private var isRepeating = false

  /// The alarms of this manner.
  enum Reminder: UInt64 {
    case timers, resend
  }

  init(_ parameters: AdvertParameters) {
    self.parameters = parameters
    received = RecentHashes(countMax: parameters.receivedPerPeer)
  }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .joined(let topic): join(topic, &commons)
    case .left(let topic): leave(topic, &commons)
    case .changed(let topic): rank(topic, &commons)
    case .arrived(let peer, let topic): meet(peer, on: topic, &commons)
    case .departed(let peer, let topic): forget(peer, topic, &commons)
    case .vanished(let peer): forget(peer, &commons)
    case .met(let id, let wire, let peer): arrived(id, wire, from: peer, &commons)
    case .accepted(let accepted): spread(accepted, &commons)
    case .refused(let id, let holders): refused(id, holders, &commons)
    case .withdrawn(let id): hashes[id] = nil  // the node itself answers wants for it with `lack`
    case .lacked(let id, let peer): lacked(id, by: peer, &commons)
    case .gaveUp(let id): gaveUp(id, &commons)
    case .heard(let words, let peer): hear(words, from: peer, &commons)
    case .rang(.own(_, Reminder.timers.rawValue), _): ringTimers(&commons)
    case .rang(.own(_, Reminder.resend.rawValue), _): repeatRequests(&commons)
    case .began, .echoed, .served, .lost, .told, .rang: break
    }
  }

  /// Nobody in particular: adverts go to all.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// Its advertisers.
  public func holders(of id: MessageID) -> [PeerID] { artifacts[id]?.advertisers.elements ?? [] }
  /// Adverts, hashes received, and answers given.
  public var perPeerEntries: Int { advertisers.values.reduce(0) { $0 + $1.count } }

  // MARK: Telling

  /// A message is here: its download ends, and others hear of it.
  private mutating func spread(_ accepted: Acceptance, _ commons: inout Commons) {
    let message = accepted.message
    let (hash, knowing) = finish(message, &commons)
    if commons.store.holds(message.id) { remember(hash, of: message.id, commons) }
    let peers = commons.members(of: message.topic).filter {
      !accepted.holders.contains($0) && !knowing.contains($0)  // they told us
    }
    let advert = describe(message, hash, commons.policy(of: message.topic))
    for peer in share(of: peers, isOwn: accepted.isOwn, &commons) {
      commons.say(.advert(message.topic, [advert]), to: peer)
    }
  }

  /// Our own go to everybody; of others we may tell some, ⌈n · percent / 100⌉ at random.
  private func share(of peers: [PeerID], isOwn: Bool, _ commons: inout Commons) -> [PeerID] {
    guard !isOwn, let percent = parameters.relayPercent else { return peers }
    return commons.random.sample((peers.count * percent + 99) / 100, of: peers)
  }

  private func describe(_ message: Message, _ hash: ContentHash, _ policy: TopicPolicy?) -> Advert {
    let attribute = policy?.meaning.attribute?(message.head) ?? []
    return Advert(
      id: message.id, hash: hash.bytes, size: UInt64(message.wire.bytes.count),
      attribute: Array(attribute.prefix(Advert.attributeSizeMax)))
  }

  private mutating func remember(_ hash: ContentHash, of id: MessageID, _ commons: Commons) {
    hashes[id] = hash
    if hashes.count > 2 * commons.store.count + 64 { hashes = hashes.filter { commons.store.holds($0.key) } }
  }

  // MARK: Telling again

  private mutating func join(_ topic: Topic, _ commons: inout Commons) {
    topics.append(topic)
    for peer in commons.members(of: topic) { ask(peer, topic, &commons) }
    repeatLater(&commons)
  }

  /// A newcomer tells us what it holds. It does not know that we are there if we only publish to the topic, so it
  /// then is told unasked.
  private mutating func meet(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    if topics.contains(topic) {
      ask(peer, topic, &commons)
      repeatLater(&commons)
    } else {
      answer(peer, topic, filter: [], &commons)
    }
  }

  private func ask(_ peer: PeerID, _ topic: Topic, _ commons: inout Commons) {
    let filter = commons.policy(of: topic)?.meaning.filter?() ?? []
    commons.say(.resend(topic, filter: Array(filter.prefix(ControlFields.filterSizeMax))), to: peer)
  }

  /// One alarm for all peers, as long as there are any.
  private mutating func repeatLater(_ commons: inout Commons) {
    guard !isRepeating, topics.contains(where: { !commons.members(of: $0).isEmpty }) else { return }
    isRepeating = true
    commons.ring(.own(.advert, Reminder.resend.rawValue), after: parameters.resendEvery)
  }

  private mutating func repeatRequests(_ commons: inout Commons) {
    isRepeating = false
    for topic in topics { for peer in commons.members(of: topic) { ask(peer, topic, &commons) } }
    repeatLater(&commons)
  }

  /// Answers a request, the first one always. The clock of the pause starts with an answer, not with the peer.
  private mutating func resend(
    _ topic: Topic, filter: [UInt8], to peer: PeerID, _ commons: inout Commons
  ) {
    guard topics.contains(topic) else { return }
    if let last = advertisers[peer]?.answered[topic], commons.now < last + parameters.resendSpacing {
      commons.counters.resendsRefused += 1
      return
    }
    answer(peer, topic, filter: filter, &commons)
    know(peer)
    advertisers[peer]?.answered[topic] = commons.now
  }

  /// Adverts of all we hold that passes the filter; of too many, others each time.
  private mutating func answer(
    _ peer: PeerID, _ topic: Topic, filter: [UInt8], _ commons: inout Commons
  ) {
    let policy = commons.policy(of: topic)
    var held = commons.store.held(on: topic).compactMap { commons.store.message($0) }.filter { message in
      message.author != peer && (policy?.meaning.passes?(filter, message.head) ?? true)
    }
    if held.count > parameters.resendLength {
      held = commons.random.sample(parameters.resendLength, of: held)
    }
    guard !held.isEmpty else { return }
    let adverts = held.map { message in
      let hash = hashes[message.id] ?? ContentHash(of: message.wire)
      remember(hash, of: message.id, commons)
      return describe(message, hash, policy)
    }
    commons.say(.advert(topic, adverts), to: peer)
  }

  // MARK: Being told

  private mutating func hear(_ words: [Control], from peer: PeerID, _ commons: inout Commons) {
    for word in words {
      switch word {
      case .advert(let topic, let adverts):
        // Who publishes without being on the topic advertises too; but it must be possible to ask.
        guard topics.contains(topic), commons.version(with: peer) != nil else {
          commons.counters.offersIgnored += UInt64(adverts.count)
          continue
        }
        for advert in adverts { hear(advert, on: topic, from: peer, &commons) }
      case .resend(let topic, let filter): resend(topic, filter: filter, to: peer, &commons)
      default: break  // other manners' words
      }
    }
    next(peer, &commons)
  }

  private mutating func hear(
    _ advert: Advert, on topic: Topic, from peer: PeerID, _ commons: inout Commons
  ) {
    commons.reach.extend(advert.id, to: peer, surfacing: &commons.surfaced)
    guard advertisers[peer]?.claims[advert.id] == nil else { return }  // said before; the first word stands
    guard let hash = ContentHash(advert.hash), !isKnown(advert.id, hash, commons),
      let size = Int(exactly: advert.size), size <= parameters.quotaPerPeer
    else {
      commons.counters.offersIgnored += 1
      return
    }
    let rank = commons.policy(of: topic)?.meaning.rank?(advert.id, advert.attribute) ?? .fetch
    guard rank != .drop else {
      commons.counters.offersIgnored += 1
      return
    }
    know(peer)
    guard makeRoom(for: rank, of: peer, &commons) else { return }
    let claim = Advertiser.Claim(
      topic: topic, hash: hash, size: size, attribute: advert.attribute, rank: rank)
    advertisers[peer]?.add(advert.id, claim)
    artifacts[advert.id, default: Artifact()].advertisers.append(peer)
  }

  mutating func know(_ peer: PeerID) {
    if advertisers[peer] == nil {
      advertisers[peer] = Advertiser(receivedMax: parameters.receivedPerPeer)
    }
  }

  /// Whether the message was met to the end, or this encoding received, from whomever.
  private mutating func isKnown(_ id: MessageID, _ hash: ContentHash, _ commons: Commons) -> Bool {
    if commons.seen.contains(id, at: commons.now) || commons.store.holds(id) || received.meet(hash) {
      return true
    }
    for index in advertisers.values.indices where advertisers.values[index].received.meet(hash) {
      return true
    }
    return false
  }

  /// A peer that advertises beyond its bound loses its least urgent advert, the oldest first.
  private mutating func makeRoom(for rank: Priority, of peer: PeerID, _ commons: inout Commons) -> Bool {
    guard let advertiser = advertisers[peer], advertiser.claims.count >= parameters.advertsPerPeer else {
      return true
    }
    commons.counters.evicted += 1
    guard let oldest = advertiser.leastUrgent(upTo: rank) else { return false }
    drop(oldest, of: peer, &commons)
    return true
  }

  /// The hash of what came goes to whoever was charged for it.
  mutating func note(_ hash: ContentHash, from peer: PeerID?) {
    if let peer, advertisers[peer] != nil {
      advertisers[peer]?.received.insert(hash)
    } else {
      received.insert(hash)
    }
  }

  // MARK: Leaving

  private mutating func leave(_ topic: Topic, _ commons: inout Commons) {
    topics.remove(topic)
    for peer in advertisers.keys {
      advertisers[peer]?.answered[topic] = nil
      for id in advertisers[peer]?.ids(where: { $0.topic == topic }) ?? [] { drop(id, of: peer, &commons) }
    }
    for peer in advertisers.keys { next(peer, &commons) }
  }

  private mutating func forget(_ peer: PeerID, _ topic: Topic, _ commons: inout Commons) {
    let ids = advertisers[peer]?.ids { $0.topic == topic } ?? []
    let open = ids.filter { drop($0, of: peer, &commons) }
    for id in open { goOn(id, &commons) }
    next(peer, &commons)
  }

  /// What it was asked for is asked of others at once; what it gave is remembered.
  private mutating func forget(_ peer: PeerID, _ commons: inout Commons) {
    let ids = advertisers[peer]?.ids() ?? []
    let open = ids.filter { drop($0, of: peer, &commons) }
    if let gone = advertisers.removeValue(forKey: peer) { received.absorb(gone.received) }
    for id in open { goOn(id, &commons) }
  }

  /// The application ranks anew: all of a topic's adverts move in one step.
  private mutating func rank(_ topic: Topic, _ commons: inout Commons) {
    let rank = commons.policy(of: topic)?.meaning.rank ?? { _, _ in .fetch }
    for peer in advertisers.keys {
      for id in advertisers[peer]?.rank(topic, by: rank) ?? [] { drop(id, of: peer, &commons) }
    }
    for peer in advertisers.keys { next(peer, &commons) }
  }
}

/// Parameters of `AdvertGossip`. Defaults from the gossip configuration of an Internet Computer subnet, where it
/// names them.
public struct AdvertParameters: Hashable, Sendable {
  /// Requests open to one peer (`max_artifact_streams_per_peer`).
  public var slotsPerPeer = 20
  /// How long an advertiser may take before the next one is asked (`max_chunk_wait_ms`).
  public var chunkPatience: Duration = .seconds(15)
  /// Bytes for which a download is given one patience per member; a larger message is given more
  /// (`max_chunk_size`). A download lives max(size / chunkSize, 1) · members · chunkPatience; then its adverts go to
  /// the tail of their queues.
  public var chunkSize = 4_096
  /// Pause before all advertisers are tried anew (`pfn_evaluation_period_ms`).
  public var roundPause: Duration = .seconds(3)
  /// How often every member is asked to tell again what it holds (`retransmission_request_ms`).
  public var resendEvery: Duration = .seconds(60)
  /// How often, at most, a member's request is answered, per topic; the first one always is. With the same interval
  /// on both sides, delays on the way cost every second answer at worst.
  public var resendSpacing: Duration = .seconds(60)
  /// Adverts in one answer; of more that are held, others are picked each time. 4,096 of them fill four fifths of
  /// the queue for offers.
  public var resendLength = 4_096
  /// To how many of the members a message of somebody else is advertised, 1 to 100 %; nil: to all
  /// (`advert_config.best_effort_percentage`).
  public var relayPercent: Int?
  /// Adverts kept per peer; beyond, the least urgent ones go, the oldest first.
  public var advertsPerPeer = 10_000
  /// Hashes of received messages remembered per peer (`receive_check_cache_size`).
  public var receivedPerPeer = 5_000
  /// Bytes of downloads that began with one peer; further ones of that peer wait, larger ones are refused. As much
  /// as a peer's queue for messages to us holds, so that what we ask of it does not overflow there.
  public var quotaPerPeer = 4 << 20

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("slotsPerPeer", slotsPerPeer), ("chunkSize", chunkSize), ("resendLength", resendLength),
      ("advertsPerPeer", advertsPerPeer), ("receivedPerPeer", receivedPerPeer),
      ("quotaPerPeer", quotaPerPeer),
    ] { try Rule.count(value, atMost: 1 << 30, "advert.\(name)") }
    for (name, value) in [
      ("chunkPatience", chunkPatience), ("roundPause", roundPause), ("resendEvery", resendEvery),
      ("resendSpacing", resendSpacing),
    ] { try Rule.duration(value, "advert.\(name)") }
    if let relayPercent, !(1...100).contains(relayPercent) {
      throw ConfigurationError(
        "advert.relayPercent", expected: "1 to 100, or nil for all", found: "\(relayPercent)")
    }
  }
}
