import Crypto
import DequeModule
import OrderedCollections

/// Digests along an epoch's fanout sets, then request and message.
///
/// A believed message is made known to all partners by its digest (name, size, hash); who lacks it asks one of those
/// who offered it, and the next one when the first does not give. What comes must be what its digest said. Only
/// partners may bring messages, and who is whose partner follows from the epoch (`FanoutSets`), so that nobody can
/// choose whom to cut off and whom to flood. Small messages of our own are pushed without a digest.
///
/// Without an epoch everybody connected is a partner: nothing to verify, nobody is cut off, one digest per link. Give
/// epochs where there are more links than that bears.
///
/// Source: Bamboo gossip v2, "Dropping", "Spoofing and spamming", "Replaying"; numbers are ours where it has none.
/// Bounds: outstanding digests and repeated ones per peer, digests per frame, hashes per turn, one answer per peer, topic and second.
public struct DigestFirst: Dissemination {
  /// The manner this is.
  public static let manner = Manner.digestFirst

  let parameters: DigestFirstParameters
  private(set) var partners: Partners
  private var digests: Digests
  private var hashes = Hashes()
  /// Partners of this epoch within reach, per topic.
  private var within: OrderedDictionary<Topic, OrderedSet<PeerID>> = [:]
  private var begunAt = Instant.zero
  /// Members whose partnership in a new epoch is still to be computed.
  private var unexamined = Deque<(peer: PeerID, topic: Topic)>()
  private var isExamining = false
  /// Peers that spoke to us in this epoch although they are no partners.
  private var outsiders: Set<PeerID> = []
  /// How often a peer lacked what it had offered, since it last gave something.
  private var lacks: [PeerID: Int] = [:]
  /// When we last told a peer all digests of a topic because it asked.
  private var retold: OrderedDictionary<PeerID, [Topic: Instant]> = [:]
  /// How often each peer told of the same message.
  private var repeats: [PeerID: DigestRepeats] = [:]
  /// Topics with fewer than `partnersMin` partners within reach.
  private var lonely: OrderedSet<Topic> = []
  private var isPulling = false

  /// Of messages that more partners offered than the wantlist remembers: how many of them gave nothing.
  private var silent: [MessageID: Int] = [:]
  private static let silentMax = 1_024

  private enum Reminder {
    static let examine: UInt64 = 1
    static let overdue: UInt64 = 2
    static let settled: UInt64 = 3
    static let pull: UInt64 = 4
  }

  init(_ parameters: DigestFirstParameters, as me: PeerID) {
    self.parameters = parameters
    partners = Partners(of: me, failure: parameters.failure)
    digests = Digests(perPeerMax: parameters.digestsPerPeer)
  }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .accepted(let accepted): spread(accepted, &commons)
    case .refused(let id, let holders): disbelieve(id, holders, &commons)
    case .heard(let words, let peer): hear(words, from: peer, &commons)
    case .lacked(let id, let peer): lacked(id, by: peer, &commons)
    case .gaveUp(let id): askTheRest(for: id, &commons)
    case .told(.epoch(let epoch)): take(epoch, &commons)
    case .arrived(let peer, let topic): welcome(peer, on: topic, isArrival: true, &commons)
    case .departed(let peer, let topic): miss(peer, on: topic, &commons)
    case .vanished(let peer): forget(peer)
    case .left(let topic): leave(topic)
    case .rang(.own(_, let reminder), _): remember(reminder, &commons)
    case .began, .joined, .changed, .met, .withdrawn, .echoed, .served, .lost, .told, .rang: break
    }
  }

  /// Partners of this epoch within reach.
  public func partners(on topic: Topic) -> [PeerID] { within[topic]?.elements ?? [] }
  /// Who offered it.
  public func holders(of id: MessageID) -> [PeerID] { digests.givers(of: id) }
  /// Partners per topic, outstanding digests, and what is remembered of peers.
  public var perPeerEntries: Int {
    within.values.reduce(0) { $0 + $1.count } + digests.count + outsiders.count + lacks.count + retold.count
      + unexamined.count
  }

  func kind(of topic: Topic) -> MessageClass { parameters.classes[topic] ?? .any }

  // MARK: Spreading

  /// To all partners but those who have it: the author, who brought it, and who offered it meanwhile.
  private mutating func spread(_ accepted: Acceptance, _ commons: inout Commons) {
    let message = accepted.message
    let givers = digests.settle(message.id)
    silent[message.id] = nil
    hashes.forget(message.id)
    for holder in accepted.holders { lacks[holder] = nil }
    rank(givers, accepted, &commons)
    let partners =
      message.wire.way == .subOverlay
      ? among(message, isOwn: accepted.isOwn, &commons) : partners(on: message.topic)
    let receivers = commons.inOrder(
      partners.filter {
        !accepted.holders.contains($0) && !givers.contains($0) && $0 != message.author
      })
    if accepted.isOwn, message.payload.count <= parameters.pushBelow {
      for peer in receivers { commons.forward(message, to: peer) }
    } else if !receivers.isEmpty {
      let digest = hashes.advert(of: message)
      for peer in receivers { commons.say(.advert(message.topic, [digest]), to: peer) }
    }
  }

  /// Those who offer early give us fresh news; a small message may have come without an offer.
  private func rank(_ givers: [PeerID], _ accepted: Acceptance, _ commons: inout Commons) {
    guard let bringer = accepted.holders.first, !accepted.isHealed else { return }
    let order = givers.contains(bringer) ? givers : accepted.holders + givers
    commons.reputation.ranked(OrderedSet(order).elements, at: commons.now)
  }

  /// Tells a partner of everything we still hold on a topic, the newest first.
  private mutating func offerLive(on topic: Topic, to peer: PeerID, _ commons: inout Commons) {
    var live: [Advert] = []
    for id in commons.store.recent(topic, windows: .max).prefix(parameters.digestsPerPeer) {
      guard let message = commons.store.message(id), message.author != peer,
        message.wire.mayBeGiven(to: peer)
      else { continue }
      live.append(hashes.advert(of: message))
    }
    if !live.isEmpty { commons.say(.advert(topic, live), to: peer) }
  }

  // MARK: Hearing

  private mutating func hear(_ words: [Control], from peer: PeerID, _ commons: inout Commons) {
    let count = words.reduce(0) { if case .advert(_, let adverts) = $1 { $0 + adverts.count } else { $0 } }
    // The seed would close the connection; what a peer's behaviour leads to is not decided here.
    guard count <= parameters.digestsPerFrame else { return commons.observe(.flooded, of: peer) }
    for word in words {
      switch word {
      case .advert(let topic, let adverts): heardDigests(adverts, on: topic, from: peer, &commons)
      case .resend(let topic, _): retell(topic, to: peer, &commons)
      default: break  // other manners' words
      }
    }
  }

  /// Asks for what we lack, unless somebody else was asked already.
  private mutating func heardDigests(
    _ adverts: [Advert], on topic: Topic, from peer: PeerID, _ commons: inout Commons
  ) {
    guard let policy = commons.policy(of: topic), policy.spread == .digestFirst,
      commons.version(with: peer) != nil
    else { return }  // we left, or cannot ask
    var adverts = adverts
    if adverts.contains(where: { !$0.isAmongRecipients }), !isAdmitted(peer, on: topic, &commons) {
      adverts.removeAll { !$0.isAmongRecipients }
    }
    countRepeats(adverts, of: peer, &commons)
    var wanted: [MessageID] = []
    for advert in adverts where advert.size <= UInt64(policy.payloadSizeMax) + 1_024 {
      let isExamined = commons.validation.isOpen(advert.id)
      guard isExamined || !commons.hasMet(advert.id) else { continue }
      if let dropped = digests.note(advert, on: topic, by: peer) {
        commons.counters.digestsDropped += 1
        lookElsewhere(for: dropped, than: peer, &commons)
      }
      guard !isExamined else { continue }  // remembered as a holder, should the copy we have be false
      let isAsked = commons.want(
        advert.id, heldBy: peer, patience: parameters.patience, size: Int(clamping: advert.size))
      if isAsked { wanted.append(advert.id) }
    }
    if !wanted.isEmpty { commons.say(.want(wanted), to: peer) }
  }

  /// Who tells of the same over and over keeps us busy.
  private mutating func countRepeats(_ adverts: [Advert], of peer: PeerID, _ commons: inout Commons) {
    var isExcessive = false
    for advert in adverts where repeats[peer, default: DigestRepeats()].offered(advert.id, parameters.repeats)
    { isExcessive = true }
    if isExcessive { commons.observe(.flooded, of: peer) }
  }

  /// Asks a peer to tell again what it has; to do so is no repetition.
  private mutating func askAgain(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    repeats[peer] = nil
    commons.say(.resend(topic, filter: []), to: peer)
  }

  /// Answers a peer that asks what there is. Asking twice within a block interval is no fault: a new partner may
  /// also be the only one.
  private mutating func retell(_ topic: Topic, to peer: PeerID, _ commons: inout Commons) {
    guard commons.isJoined(topic), isAdmitted(peer, on: topic, &commons) else { return }
    if let last = retold[peer]?[topic], commons.now - last < parameters.blockInterval { return }
    retold[peer, default: [:]][topic] = commons.now
    offerLive(on: topic, to: peer, &commons)
  }

  /// Whether the peer may speak of this topic; if not, it is observed and remembered.
  private mutating func isAdmitted(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) -> Bool {
    if partners.admits(peer, in: kind(of: topic), at: commons.now) { return true }
    // Its epoch may have begun before ours: should it turn out to be a partner, it is asked to say it again.
    outsiders.insert(peer)
    commons.observe(.outsider, of: peer)
    return false
  }

  // MARK: Messages

  /// Only from partners, only what was asked for or is small, and only what its digest said.
  public mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool {
    if message.wire.way == .subOverlay {
      switch part(of: peer, in: message, commons.me) {
      case .giver: return true
      case .partner: break
      case .none:
        commons.observe(.outsider, of: peer)
        lookElsewhere(for: message.id, than: peer, &commons)
        return false
      }
    } else if !isAdmitted(peer, on: message.topic, &commons) {
      lookElsewhere(for: message.id, than: peer, &commons)
      return false
    }
    let isSmall = message.payload.count <= parameters.pushBelow
    guard let digest = digests.digest(of: message.id, by: peer) else {
      if !isSmall { commons.observe(.unasked, of: peer) }
      return isSmall
    }
    guard digest.topic == message.topic, digest.size == UInt64(message.wire.bytes.count),
      digest.hash == Hashes.hash(of: message)
    else {
      commons.observe(.falseDigest, of: peer, on: message.topic)
      lookElsewhere(for: message.id, than: peer, &commons)
      return false
    }
    guard isSmall || wasAsked(peer, for: message.id, commons) else {
      commons.observe(.unasked, of: peer)
      return false
    }
    return true
  }

  /// Those who offer are asked in the order of their offers. A late answer is no fault.
  private func wasAsked(_ peer: PeerID, for id: MessageID, _ commons: Commons) -> Bool {
    let givers = digests.givers(of: id)
    guard let last = commons.wants.asked(for: id), let place = givers.firstIndex(of: last),
      let own = givers.firstIndex(of: peer)
    else { return true }
    return own <= place
  }

  /// This peer will not give it: the next one is asked, if this one was to.
  private mutating func lookElsewhere(for id: MessageID, than peer: PeerID, _ commons: inout Commons) {
    digests.remove(id, by: peer)
    _ = commons.lacked(id, by: peer)
  }

  /// What came was not genuine: others may have the true one. What the application refused nobody needs.
  private mutating func disbelieve(_ id: MessageID, _ holders: [PeerID], _ commons: inout Commons) {
    guard !commons.hasMet(id) else {
      digests.settle(id)
      return
    }
    for holder in holders { lookElsewhere(for: id, than: holder, &commons) }
    ask(digests.givers(of: id)[...], for: id, &commons)
  }

  /// Those who were asked stayed silent. Whoever offered it after them has not been asked: a crowd that offers
  /// everything first and gives nothing must not keep us from an honest partner.
  private mutating func askTheRest(for id: MessageID, _ commons: inout Commons) {
    let tried = (silent[id] ?? 0) + 1 + commons.limits.holdersPerWant
    let rest = digests.givers(of: id).dropFirst(tried)
    silent[id] = rest.isEmpty || silent.count >= DigestFirst.silentMax ? nil : tried
    ask(rest, for: id, &commons)
  }

  private func ask(_ givers: ArraySlice<PeerID>, for id: MessageID, _ commons: inout Commons) {
    for giver in givers where commons.version(with: giver) != nil {
      if commons.want(id, heldBy: giver, patience: parameters.patience) {
        commons.say(.want([id]), to: giver)
      }
    }
  }

  /// It offered what it has not. Once may be bad luck.
  private mutating func lacked(_ id: MessageID, by peer: PeerID, _ commons: inout Commons) {
    digests.remove(id, by: peer)
    lacks[peer, default: 0] += 1
    guard lacks[peer] == parameters.lacksMax else { return }
    lacks[peer] = nil
    commons.observe(.emptyOffer, of: peer)
  }

  // MARK: Epochs

  private mutating func take(_ epoch: Epoch, _ commons: inout Commons) {
    switch partners.take(epoch, former: commons.now + parameters.handOver) {
    case .announced, .known: return
    case .refused(let reason): return commons.notice(.epoch(.refused(epoch.number, reason)))
    case .began: break
    }
    begunAt = commons.now
    commons.handOverUntil = commons.now + parameters.handOver
    repeats.removeAll()
    commons.notice(.epoch(.began(epoch.number)))
    ring(Reminder.overdue, after: parameters.epochLength, &commons)
    ring(Reminder.settled, after: parameters.handOver, &commons)
    drawAnew(&commons)
  }

  /// Our own picks are partners at once; who picked us is found out in the following turns.
  private mutating func drawAnew(_ commons: inout Commons) {
    let topics = OrderedSet(Array(within.keys) + commons.joined.filter { $0.value.uses(.digestFirst) }.keys)
    within.removeAll()
    unexamined.removeAll()
    for topic in topics {
      for peer in commons.members(of: topic) {
        if partners.cost(of: peer, in: kind(of: topic)) == 0 {
          welcome(peer, on: topic, isArrival: false, &commons)
        } else {
          unexamined.append((peer, topic))
        }
      }
    }
    examine(&commons)
  }

  /// Finds out which members are partners now, so many hashes per turn.
  private mutating func examine(_ commons: inout Commons) {
    var budget = parameters.hashesPerTurn
    while budget > 0, let (peer, topic) = unexamined.popFirst() {
      budget -= partners.cost(of: peer, in: kind(of: topic))
      if commons.isMember(peer, of: topic) { welcome(peer, on: topic, isArrival: false, &commons) }
    }
    if unexamined.isEmpty {
      outsiders.removeAll()
    } else if !isExamining {
      isExamining = true
      ring(Reminder.examine, after: .milliseconds(1), &commons)
    }
  }

  /// A new partner, by connection or by epoch, is told of what is live, and asked if we did not listen to it before.
  private mutating func welcome(
    _ peer: PeerID, on topic: Topic, isArrival: Bool, _ commons: inout Commons
  ) {
    let kind = kind(of: topic)
    guard partners.contains(peer, in: kind), within[topic, default: []].append(peer).inserted else { return }
    if isArrival || !partners.contained(peer, in: kind) { offerLive(on: topic, to: peer, &commons) }
    if !isArrival, outsiders.contains(peer) { askAgain(peer, on: topic, &commons) }
    if lonely.contains(topic) { watch(topic, &commons) }
  }

  private mutating func miss(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    within[topic]?.remove(peer)
    if within[topic]?.isEmpty == true { within[topic] = nil }
    watch(topic, &commons)
  }

  /// Below two partners the others may be cut off from us: somebody should know, and whoever remains is asked.
  private mutating func watch(_ topic: Topic, _ commons: inout Commons) {
    guard commons.isJoined(topic), let nodes = partners.nodes(of: kind(of: topic)),
      nodes > DigestFirst.partnersMin, commons.now >= begunAt + parameters.handOver,
      case let usable = partners(on: topic).count, usable < DigestFirst.partnersMin
    else {
      lonely.remove(topic)
      return
    }
    if lonely.append(topic).inserted { commons.notice(.epoch(.fewPartners(topic, usable: usable))) }
    if !isPulling { pull(&commons) }
  }

  private mutating func pull(_ commons: inout Commons) {
    isPulling = lonely.contains { within[$0] != nil }
    guard isPulling else { return }
    for topic in lonely {
      for peer in partners(on: topic) { askAgain(peer, on: topic, &commons) }
    }
    ring(Reminder.pull, after: parameters.pullEvery, &commons)
  }

  private func ring(_ reminder: UInt64, after delay: Duration, _ commons: inout Commons) {
    commons.ring(.own(.digestFirst, reminder), after: delay)
  }

  private mutating func remember(_ reminder: UInt64, _ commons: inout Commons) {
    switch reminder {
    case Reminder.examine:
      isExamining = false
      examine(&commons)
    case Reminder.overdue:
      if let number = partners.number, commons.now - begunAt >= parameters.epochLength {
        commons.notice(.epoch(.overdue(number)))
      }
    case Reminder.settled:
      for (topic, policy) in commons.joined where policy.uses(.digestFirst) { watch(topic, &commons) }
    case Reminder.pull: pull(&commons)
    default: break
    }
  }

  // MARK: Leaving

  private mutating func leave(_ topic: Topic) {
    digests.forget(topic)
    repeats.removeAll()  // who finds us back on it tells again
    lonely.remove(topic)
    for peer in Array(retold.keys) {
      retold[peer]?[topic] = nil
      if retold[peer]?.isEmpty == true { retold[peer] = nil }
    }
  }

  private mutating func forget(_ peer: PeerID) {
    digests.forget(peer)
    outsiders.remove(peer)
    lacks[peer] = nil
    repeats[peer] = nil
    retold[peer] = nil
    unexamined.removeAll { $0.peer == peer }
  }

  /// So few partners within reach are too few.
  private static let partnersMin = 2
}

/// Hashes of the messages we spoke of lately: a message is offered again in each epoch.
private struct Hashes: Sendable {
  private var known: [MessageID: [UInt8]] = [:]
  private var ages = Deque<MessageID>()
  private static let countMax = 8_192

  mutating func advert(of message: Message) -> Advert {
    let hash = known[message.id] ?? remember(message)
    return Advert(
      id: message.id, hash: hash, size: UInt64(message.wire.bytes.count),
      attribute: message.wire.way == .subOverlay ? Advert.amongRecipients : [])
  }

  /// A message that comes again after a long time may be encoded otherwise.
  mutating func forget(_ id: MessageID) { known[id] = nil }

  private mutating func remember(_ message: Message) -> [UInt8] {
    if ages.count >= Hashes.countMax, let oldest = ages.popFirst() { known[oldest] = nil }
    let hash = Hashes.hash(of: message)
    known[message.id] = hash
    ages.append(message.id)
    return hash
  }

  /// SHA-256 of its encoding.
  static func hash(of message: Message) -> [UInt8] {
    var hash = SHA256()
    unsafe message.wire.bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    return Array(hash.finalize())
  }
}

/// Parameters of `DigestFirst`. All nodes of a network must agree on `failure` and `classes`.
///
/// Source: Bamboo gossip v2 gives intentions; the numbers are ours.
public struct DigestFirstParameters: Hashable, Sendable {
  /// Accepted probability, per epoch, that droppers cut somebody honest off; decides how many partners there are.
  public var failure = FanoutSets.failure
  /// The class of each topic; topics not named here are of the class `any`. Only members able to verify a class
  /// spread its topics.
  public var classes: [Topic: MessageClass] = [:]
  /// How long an asked partner has to give.
  public var patience: Duration = .seconds(1)
  /// Payloads of at most so many bytes need no digest. The Internet Computer pushes the same.
  public var pushBelow = 1_024
  /// Digests in one frame; more are too many to be honest.
  public var digestsPerFrame = 256
  /// Outstanding digests of one peer.
  public var digestsPerPeer = 4_096
  /// How often a peer may tell of the same message.
  public var repeats = DigestRepeatParameters()
  /// How often in a row a peer may lack what it offered.
  public var lacksMax = 3
  /// Time between blocks of the application's chain: what others of the kind are counted in.
  public var blockInterval: Duration = .seconds(1)
  /// For how long after the beginning of an epoch former partners are still listened to: two block intervals.
  public var handOver: Duration = .seconds(2)
  /// How long an epoch lasts; a longer one is told as overdue.
  public var epochLength: Duration = .seconds(600)
  /// How often the remaining partner is asked for digests when there are fewer than two.
  public var pullEvery: Duration = .seconds(5)
  /// Hashes computed per turn while the partners of a new epoch are found out; about 10 ms.
  public var hashesPerTurn = 16_384

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    guard failure > 0, failure < 1 else {
      throw ConfigurationError("digestFirst.failure", expected: "above 0, below 1", found: "\(failure)")
    }
    try repeats.validate()
    for (name, value, least) in [
      ("pushBelow", pushBelow, 0), ("digestsPerFrame", digestsPerFrame, 1),
      ("digestsPerPeer", digestsPerPeer, 1), ("lacksMax", lacksMax, 1), ("hashesPerTurn", hashesPerTurn, 1),
    ] where !(least...1 << 30).contains(value) {
      throw ConfigurationError("digestFirst.\(name)", expected: "\(least) to 2^30", found: "\(value)")
    }
    for (name, value) in [
      ("patience", patience), ("blockInterval", blockInterval), ("handOver", handOver),
      ("epochLength", epochLength), ("pullEvery", pullEvery),
    ] where !Duration.settings.contains(value) {
      throw ConfigurationError(
        "digestFirst.\(name)", expected: "more than 0, at most ten years", found: "\(value)")
    }
  }
}
