import DequeModule
import OrderedCollections

/// Casper's gossiper: what is new is offered by id to a few random members, one more for each that had it already,
/// until enough were newly infected or the network seems saturated.
///
/// A *rumor* is a believed message while we offer it. An offered member *wants* it, and is infected by us as soon as
/// the node has given it the body; or it has *held* it already; or it stays silent and is replaced. Only answers from
/// a member with an open offer count. A finished rumor is remembered for a while, so that it does not begin anew.
///
/// Who is offered something unknown wants it at once; further offers meanwhile are answered "held", as the source
/// does: the body is on its way, and whoever offers it too shall look for somebody else. Should the body not come,
/// the wantlist asks those others. Offers reach nobody who lies ("not held", and never tells others): a topic with
/// such members needs a healer (`Heal`).
///
/// Source: Casper documentation, "Network Communication", and casper-node's gossiper.
/// Bounds: rumors, attempts per rumor, ids asked per peer; what is finished or examined, by number and time.
public struct Infection: Dissemination {
  private let parameters: InfectionParameters
  /// What we offer; looked up only, `order` has them by age.
  private var rumors: [MessageID: Rumor] = [:]
  private var order = Deque<(number: UInt64, id: MessageID)>()
  private var nextNumber: UInt64 = 0
  /// Offers in the order they were made, answered ones among them; all are patient equally long.
  private var offers = Deque<Offer>()
  /// Those without an answer.
  private var open = 0
  private var isWatching = false
  /// What is being examined: time runs out for it.
  private var examined = Remembered()
  private var finished = Remembered()
  /// Ids asked from each peer since `askedSince`.
  private var asked: OrderedDictionary<PeerID, Int> = [:]
  private var askedSince = Instant.zero

  private struct Rumor: Sendable {
    /// Tells it from an earlier rumor of the same message.
    let number: UInt64
    /// Everybody we sent to, whatever became of it.
    var attempted: OrderedSet<PeerID> = []
    /// Those of them who owe an answer.
    var inFlight: OrderedSet<PeerID> = []
    /// Those who have it from us.
    var infected = 0
    /// Those who said that they had it.
    var held = 0
  }

  private struct Offer: Sendable {
    let due: Instant
    let id: MessageID
    let peer: PeerID
    let number: UInt64
  }

  init(_ parameters: InfectionParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .met(let id, let message, let peer): begin(id, message, from: peer, &commons)
    case .accepted(let accepted): spread(accepted, &commons)
    case .refused(let id, _): refused(id, &commons)
    case .withdrawn(let id): finish(id, &commons)
    case .heard(let words, let peer): hear(words, from: peer, &commons)
    case .served(let id, let peer): answered(id, by: peer, isInfected: true, &commons)
    case .echoed(let id, let peer): echoed(id, by: peer, &commons)
    case .rang: expireOffers(&commons)
    case .vanished(let peer): forget(peer, &commons)
    case .began, .joined, .left, .changed, .arrived, .departed, .lost, .gaveUp, .lacked, .told: break
    }
  }

  /// A body is taken from whom it is expected: a stranger's gift is not even examined. What is awaited may come from
  /// anybody, since a holder we gave up on may just be slow; so may what is small enough to come unasked.
  public mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool {
    guard !finished.contains(message.id, at: commons.now) else { return false }
    return commons.wants.isWanted(message.id) || isSmall(message.wire)
  }

  /// Nobody in particular: each offer is drawn anew.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// Open offers, and peers we asked lately.
  public var perPeerEntries: Int { open + asked.count }

  // MARK: Spreading

  /// From now on the message has `examinationPatience` to be believed; later it is not passed on.
  private mutating func begin(
    _ id: MessageID, _ message: WireMessage, from peer: PeerID, _ commons: inout Commons
  ) {
    let countMax = commons.limits.checksOpen + commons.limits.judgementsOpen
    examined.insert(id, until: commons.now + parameters.examinationPatience, at: commons.now, countMax)
    // It came unasked, which was an offer, too: whoever made it counts us as infected.
    if isSmall(message), !commons.wants.isWanted(id) { commons.say(.dontWant([id]), to: peer) }
  }

  /// A verdict is final; a failed proof only says that this copy was forged, and the true one may still come.
  private mutating func refused(_ id: MessageID, _ commons: inout Commons) {
    _ = examined.remove(id, at: commons.now)
    if commons.hasMet(id) { remember(id, &commons) }
  }

  /// A believed message becomes a rumor, unless it took too long, or is old news from the healer.
  private mutating func spread(_ accepted: Acceptance, _ commons: inout Commons) {
    let id = accepted.message.id
    let isInTime = examined.remove(id, at: commons.now) || accepted.isOwn
    guard !accepted.isHealed else { return }
    guard isInTime else { return remember(id, &commons) }
    if isSmall(accepted.message.wire) {
      for peer in accepted.holders.dropFirst() { commons.say(.held([id]), to: peer) }
    }
    guard rumors[id] == nil else { return }
    while rumors.count >= parameters.rumorsMax, let oldest = order.popFirst() {
      guard rumors[oldest.id]?.number == oldest.number else { continue }
      commons.counters.evicted += 1  // the oldest was offered to most
      finish(oldest.id, &commons)
    }
    nextNumber += 1
    rumors[id] = Rumor(number: nextNumber)
    order.append((nextNumber, id))
    proceed(id, &commons)
  }

  /// "To send now = k − (in flight + infected)", and never more than the rule allows; or the end.
  private mutating func proceed(_ id: MessageID, _ commons: inout Commons) {
    guard rumors[id] != nil else { return }
    // Only what can be given is offered.
    guard let message = commons.store.message(id) else { return finish(id, &commons) }
    let members = commons.members(of: message.topic, atLeast: .gossipOnly)
    while !isDone(rumors[id]!) {
      let missing = missing(rumors[id]!)
      let drawn = draw(missing, of: members, except: rumors[id]!.attempted, &commons.random)
      if drawn.isEmpty { break }
      for peer in drawn { offer(message, to: peer, &commons) }
    }
    watch(&commons)
    if isDone(rumors[id]!) { return finish(id, &commons) }
    guard rumors[id]!.inFlight.isEmpty else { return }
    commons.counters.ranOutOfPeers += 1
    finish(id, &commons)
  }

  private func isDone(_ rumor: Rumor) -> Bool {
    if rumor.infected >= parameters.infectionTarget { return true }
    return switch parameters.stopRule {
    case .production: rumor.attempted.count >= parameters.attemptsMax
    case .seed(let saturation): rumor.held >= saturation
    }
  }

  private func missing(_ rumor: Rumor) -> Int {
    let missing = max(0, parameters.infectionTarget - rumor.inFlight.count - rumor.infected)
    return switch parameters.stopRule {
    case .production: min(missing, parameters.attemptsMax - rumor.attempted.count)
    case .seed: missing
    }
  }

  /// The attempt is recorded in the same step as the offer: an answer cannot come in between.
  private mutating func offer(_ message: Message, to peer: PeerID, _ commons: inout Commons) {
    let id = message.id
    rumors[id]!.attempted.append(peer)
    if isSmall(message.wire) {
      guard commons.forward(message, to: peer) else { return }  // its author
    } else {
      commons.say(.have(message.topic, [id]), to: peer)
    }
    commons.counters.offersMade += 1
    rumors[id]!.inFlight.append(peer)
    open += 1
    offers.append(
      Offer(due: commons.now + parameters.offerTimeout, id: id, peer: peer, number: rumors[id]!.number))
  }

  /// Up to `count` random members that were not attempted.
  /// - Complexity: O(count) while few of many were attempted, else O(members).
  private func draw(
    _ count: Int, of members: [PeerID], except attempted: OrderedSet<PeerID>, _ random: inout Random
  ) -> [PeerID] {
    guard members.count > 4 * (attempted.count + count) else {
      return random.sample(count, of: members.filter { !attempted.contains($0) })
    }
    var drawn = OrderedSet<PeerID>()
    while drawn.count < count {
      let peer = members[Int.random(in: 0..<members.count, using: &random)]
      if !attempted.contains(peer) { drawn.append(peer) }
    }
    return drawn.elements
  }

  /// The rumor is spoken of no more.
  private mutating func finish(_ id: MessageID, _ commons: inout Commons) {
    guard let rumor = rumors.removeValue(forKey: id) else { return }
    open -= rumor.inFlight.count
    remember(id, &commons)
    if order.count > 2 * rumors.count + 64 {
      let rumors = rumors
      order.removeAll { rumors[$0.id]?.number != $0.number }
    }
  }

  private mutating func remember(_ id: MessageID, _ commons: inout Commons) {
    let until = commons.now + parameters.finishedFor
    commons.counters.evicted += finished.insert(id, until: until, at: commons.now, parameters.finishedMax)
  }

  // MARK: Answers

  /// Counts only where an offer of ours is open: forged answers would make us send more, or stop early.
  private mutating func answered(
    _ id: MessageID, by peer: PeerID, isInfected: Bool, _ commons: inout Commons
  ) {
    guard rumors[id]?.inFlight.remove(peer) != nil else { return }
    open -= 1
    if isInfected { rumors[id]!.infected += 1 } else { rumors[id]!.held += 1 }
    proceed(id, &commons)
  }

  /// A copy of what we have. Sent unasked, it was an offer, and whoever made it waits for an answer.
  private mutating func echoed(_ id: MessageID, by peer: PeerID, _ commons: inout Commons) {
    if parameters.pushBelow > 0 { commons.say(.held([id]), to: peer) }
  }

  private func isOpen(_ offer: Offer) -> Bool {
    guard let rumor = rumors[offer.id], rumor.number == offer.number else { return false }
    return rumor.inFlight.contains(offer.peer)
  }

  /// One alarm for all offers, at the end of the oldest open one.
  private mutating func watch(_ commons: inout Commons) {
    if offers.count > 2 * open + 64 { offers = offers.filter(isOpen) }
    while let first = offers.first, !isOpen(first) { offers.removeFirst() }
    guard !isWatching, let first = offers.first else { return }
    isWatching = true
    commons.ring(.own(.infection, 0), after: first.due - commons.now)
  }

  /// Whoever stayed silent counts no more; others are offered the rumor instead.
  private mutating func expireOffers(_ commons: inout Commons) {
    isWatching = false
    while let first = offers.first, first.due <= commons.now {
      offers.removeFirst()
      if isOpen(first) { end(first, &commons) }
    }
    watch(&commons)
  }

  /// A peer that left will not answer.
  private mutating func forget(_ peer: PeerID, _ commons: inout Commons) {
    asked[peer] = nil
    for offer in offers.filter({ $0.peer == peer }) where isOpen(offer) { end(offer, &commons) }
    watch(&commons)
  }

  private mutating func end(_ offer: Offer, _ commons: inout Commons) {
    rumors[offer.id]!.inFlight.remove(offer.peer)
    open -= 1
    proceed(offer.id, &commons)
  }

  // MARK: Being offered

  private mutating func hear(_ words: [Control], from peer: PeerID, _ commons: inout Commons) {
    var offered = OrderedDictionary<MessageID, Topic>()
    for word in words {
      switch word {
      case .have(let topic, let ids): for id in ids { offered[id] = topic }
      case .held(let ids): for id in ids { answered(id, by: peer, isInfected: false, &commons) }
      case .dontWant(let ids):  // the thanks for what we sent unasked
        guard parameters.pushBelow > 0 else { break }
        for id in ids { answered(id, by: peer, isInfected: true, &commons) }
      default: break  // other manners' words; wants are the node's
      }
    }
    if !offered.isEmpty { hearOffers(offered, from: peer, &commons) }
  }

  /// Everything offered is answered at once: wanted or held. The latter also where it is not wanted for another
  /// reason (we are not on the topic, do not believe it, or ask too much already): the offer shall go elsewhere.
  private mutating func hearOffers(
    _ offered: OrderedDictionary<MessageID, Topic>, from peer: PeerID, _ commons: inout Commons
  ) {
    if commons.now - askedSince >= parameters.bodyPatience {
      askedSince = commons.now
      asked.removeAll()
    }
    var (wanted, held): ([MessageID], [MessageID]) = ([], [])
    var isFlood = false
    for (id, topic) in offered {
      let isNews = isNews(id, on: topic, commons)
      let mayAsk = asked[peer, default: 0] < parameters.asksPerPeer
      isFlood = isFlood || (isNews && !mayAsk)
      if isNews, mayAsk, commons.want(id, heldBy: peer, patience: parameters.bodyPatience) {
        asked[peer, default: 0] += 1
        wanted.append(id)
      } else {
        held.append(id)
      }
    }
    if !wanted.isEmpty { commons.say(.want(wanted), to: peer) }
    if !held.isEmpty { commons.say(.held(held), to: peer) }
    if isFlood { commons.observe(.flooded, of: peer) }
  }

  private func isNews(_ id: MessageID, on topic: Topic, _ commons: Commons) -> Bool {
    commons.policy(of: topic)?.spread == .infection && rumors[id] == nil && !commons.hasMet(id)
      && !finished.contains(id, at: commons.now) && !commons.store.holds(id)
  }

  private func isSmall(_ message: WireMessage) -> Bool { message.payload.count < parameters.pushBelow }
}

/// Ids with an end that is equally far ahead for all; forgotten in the order they came, when others come.
private struct Remembered: Sendable {
  private var ends: [MessageID: Instant] = [:]
  private var order = Deque<(until: Instant, id: MessageID)>()

  func contains(_ id: MessageID, at now: Instant) -> Bool { ends[id].map { $0 > now } ?? false }

  /// Forgets what has ended and, if there is no room, the oldest.
  /// - Returns: how many were forgotten for want of room.
  @discardableResult
  mutating func insert(_ id: MessageID, until: Instant, at now: Instant, _ countMax: Int) -> UInt64 {
    var evicted: UInt64 = 0
    while let oldest = order.first, oldest.until <= now || ends.count >= countMax || ends[oldest.id] == nil {
      order.removeFirst()
      guard ends[oldest.id] == oldest.until else { continue }  // removed, or younger than this
      ends[oldest.id] = nil
      if oldest.until > now { evicted += 1 }
    }
    ends[id] = until
    order.append((until, id))
    return evicted
  }

  /// - Returns: whether it was there, and had not ended.
  mutating func remove(_ id: MessageID, at now: Instant) -> Bool {
    guard let until = ends.removeValue(forKey: id) else { return false }
    if order.count > 2 * ends.count + 64 {
      let ends = ends
      order.removeAll { ends[$0.id] != $0.until }
    }
    return until > now
  }
}

/// When enough is enough.
public enum StopRule: Hashable, Sendable {
  /// casper-node's: k newly infected, or ⌊100 · k / (100 − saturation)⌋ attempts, whatever their answers; `saturation`
  /// in percent, 0 to 99. At k = 3 and 80 %, 15 attempts.
  case production(saturation: Int)
  /// The documentation's: k newly infected, or `saturation` members that had it already. Silent members count as
  /// neither, so that only the number of members bounds the attempts.
  case seed(saturation: Int)
}

/// Parameters of `Infection`. Defaults are casper-node's production settings unless a line says otherwise.
public struct InfectionParameters: Hashable, Sendable {
  /// k: how many members each node means to infect, and how many offers are open at one time (`infection_target`).
  public var infectionTarget = 3
  /// When a rumor ends before that (`saturation_limit_percent`).
  public var stopRule = StopRule.production(saturation: 80)
  /// How long an offered member may stay silent before another takes its place. casper-node: 30 s in production, 10 s
  /// in code. Messages must be kept for longer (`TopicPolicy.keeping`): what is not held any more is not offered.
  public var offerTimeout: Duration = .seconds(10)
  /// How long an offerer has to give the body before the next one is asked (`get_remainder_timeout`).
  public var bodyPatience: Duration = .seconds(5)
  /// How long proof and judgement may take for a message still to be passed on (`validate_and_store_timeout`).
  public var examinationPatience: Duration = .seconds(60)
  /// How long a finished rumor is remembered and does not begin anew (`finished_entry_duration`).
  public var finishedFor: Duration = .seconds(60)
  /// Messages with payloads of fewer bytes are sent whole instead of being offered, and taken unasked; all nodes of a
  /// network must agree. casper-node does so for items that are their own id. 0, the default, never: each of the 13
  /// offers a node makes would carry the body, which is cheaper only where body and signature are smaller than the id.
  public var pushBelow = 0
  /// Rumors at one time; the oldest gives way to a new one. casper-node: unbounded.
  public var rumorsMax = 1 << 14
  /// Finished rumors remembered. casper-node: unbounded.
  public var finishedMax = 1 << 17
  /// Ids asked from one peer within `bodyPatience`, so that nobody fills the wantlist alone.
  public var asksPerPeer = 1 << 14

  /// The defaults.
  public init() {}

  /// Offers of one message at most, under the production rule.
  var attemptsMax: Int {
    guard case .production(let saturation) = stopRule else { return .max }
    return 100 * infectionTarget / (100 - saturation)
  }

  /// - Throws: `ConfigurationError` for the first parameter out of range.
  func validate() throws(ConfigurationError) {
    let saturation: (Int, ClosedRange<Int>) =
      switch stopRule {
      case .production(let percent): (percent, 0...99)
      case .seed(let count): (count, 1...1 << 20)
      }
    for (name, value, range) in [
      ("infectionTarget", infectionTarget, 1...1 << 20), ("stopRule", saturation.0, saturation.1),
      ("pushBelow", pushBelow, 0...1 << 30), ("rumorsMax", rumorsMax, 1...1 << 30),
      ("finishedMax", finishedMax, 1...1 << 30), ("asksPerPeer", asksPerPeer, 1...1 << 30),
    ] where !range.contains(value) {
      throw ConfigurationError(
        "infection.\(name)", expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
    }
    for (name, value) in [
      ("offerTimeout", offerTimeout), ("bodyPatience", bodyPatience),
      ("examinationPatience", examinationPatience), ("finishedFor", finishedFor),
    ] { try Rule.duration(value, "infection.\(name)") }
  }
}
