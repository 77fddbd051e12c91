import DequeModule
import OrderedCollections

/// What we saw of each peer, what that makes of it, and why.
///
/// Protocols and the node *observe*; nobody but this computes a score. Two scores are weights over the same
/// observations: GossipSub's peer score decides how far a peer is heard and served (`Standing`), Bamboo's partner score
/// decides about order, whom to send to and ask first. `Weights` says how much each observation counts for either.
///
/// Scores are counted in *ticks* of the decay interval since birth: a counter that nothing keeps up decays with them.
/// While nothing decays there are no ticks, and `nextTick` is never.
///
/// Source: libp2p `gossipsub-v1.1.md` "Peer Scoring"; Bamboo gossip v2.
/// Bounds: connected peers, and `rememberedMax` that left; topics joined; 32 sightings per peer.
public struct Reputation: Sendable {
  /// All that is known of one peer.
  struct Record: Sendable {
    var score = PeerScore()
    var partner: PartnerScore
    /// Nil while it is connected.
    var leftAt: Instant?
    /// Its address, 4 or 16 bytes; empty if unknown.
    var ip: [UInt8] = []
    var verdict = Standing.welcome
    var sightings = Deque<Sighting>()
    /// What ambiguous observations added lately, per tick: all of it may be taken back.
    fileprivate var doubtful = Deque<Doubtful>()
    /// When exchanges were broken off, the last few.
    var disruptions: [Instant] = []
    /// What stood against it before a restart on topics we are not on yet.
    var elsewhere: [ScoreRecord.OnTopic] = []

    init(partner: PartnerScore) { self.partner = partner }

    var isBlank: Bool { score.isBlank && partner.isNeutral && elsewhere.isEmpty }
  }

  /// What ambiguous observations of one peer added in one tick.
  fileprivate struct Doubtful: Sendable {
    let tick: Int64
    let at: Instant
    var timeOuts = 0.0
    var behaviour = 0.0
    var slow = 0.0
    var speed = 0.0
    var failed = 0.0
  }

  /// A scored topic.
  struct Scored: Sendable {
    let topic: Topic
    var scoring: TopicScoreParameters
  }

  /// How peers are judged.
  public let parameters: ReputationParameters
  let scale: PartnerScore.Scale
  private let birth: Instant
  var records: OrderedDictionary<PeerID, Record> = [:]
  /// Who left and is remembered, in the order of leaving.
  var departed: OrderedDictionary<PeerID, Instant> = [:]
  /// What the application reported.
  var reports: Reports
  /// Ordered not for its order: a few topics are found faster by comparing than by hashing.
  private var places: OrderedDictionary<Topic, Int> = [:]
  private(set) var scored: [Scored?] = []
  private var freePlaces: [Int] = []
  private var colocation: Colocation
  private var deliveries = Deliveries()
  private var selfBlame: SelfBlame
  private var tick: Int64 = 0
  /// Connected peers.
  private var connected = 0
  /// Connected peers that are not welcome by their score.
  private var unwelcome = 0
  private var notices: [ReputationNotice] = []
  private var forgotten: UInt64 = 0

  /// When counters decay next; `distantFuture` while there are none.
  private(set) var nextTick = Instant.distantFuture
  /// How often this node began to blame itself.
  private(set) var selfBlames: UInt64 = 0

  static let sightingsMax = 32

  init(_ parameters: ReputationParameters, at birth: Instant) {
    self.parameters = parameters
    self.birth = birth
    scale = PartnerScore.Scale(parameters.partner, every: parameters.peerScore.decayInterval)
    colocation = Colocation(
      threshold: parameters.peerScore.colocationThreshold, exempt: parameters.peerScore.colocationExempt)
    selfBlame = SelfBlame(parameters.selfBlame)
    reports = Reports(parameters.reports, at: birth)
  }

  /// Entries thrown out because a table was full.
  var evicted: UInt64 { forgotten + deliveries.evicted + reports.evicted }
  /// Peers known, connected or not.
  var count: Int { records.count }
  /// Peers that left and are remembered.
  var remembered: Int { departed.count }
  /// Messages whose further copies may count as deliveries.
  var deliveriesWatched: Int { deliveries.count }
  /// Whether anything is to be told.
  var hasNotices: Bool { !notices.isEmpty }

  /// What is to be told since this was asked last.
  mutating func takeNotices() -> [ReputationNotice] {
    defer { notices.removeAll(keepingCapacity: true) }
    return notices
  }

  private var isOff: Bool { parameters.mode == .off }

  // MARK: Time

  func number(of instant: Instant) -> Int64 {
    max(0, (instant - birth).nanoseconds) / parameters.peerScore.decayInterval.nanoseconds
  }

  private func instant(of tick: Int64) -> Instant {
    let (product, overflow) = tick.multipliedReportingOverflow(
      by: parameters.peerScore.decayInterval.nanoseconds)
    return birth + .nanoseconds(overflow ? .max : product)
  }

  /// Lets counters decay, as often as intervals have passed.
  public mutating func decay(at now: Instant) {
    guard now >= nextTick else { return }
    let current = number(of: now)
    let (steps, at) = (current - tick, instant(of: current))
    tick = current
    var isLive = false
    for index in records.values.indices where records.values[index].leftAt == nil {
      let changes = records.values[index].score.decay(
        steps, to: at, parameters.peerScore, { [scored] in scored[$0]?.scoring })
      isLive = isLive || changes
      forgetDoubts(of: index, at: now)
      judge(index)
    }
    blameSelf(selfBlame.judge(connected: connected, at: now))
    nextTick = isLive ? instant(of: tick + 1) : .distantFuture
  }

  /// Something begins to decay.
  private mutating func wake(at now: Instant) {
    decay(at: now)
    guard nextTick == .distantFuture else { return }
    tick = number(of: now)
    nextTick = instant(of: tick + 1)
  }

  /// Judges a peer anew.
  private mutating func judge(_ index: Int) {
    let verdict = Standing(score(at: index), parameters.thresholds)
    let former = records.values[index].verdict
    guard verdict != former else { return }
    records.values[index].verdict = verdict
    guard records.values[index].leftAt == nil else { return }
    if former == .welcome { unwelcome += 1 } else if verdict == .welcome { unwelcome -= 1 }
    notices.append(
      .standing(records.keys[index], verdict, from: former, isActing: parameters.mode == .acting))
  }

  private func score(at index: Int) -> Double {
    records.values[index].score.terms(parameters.peerScore, { scored[$0]?.scoring })
  }

  // MARK: Topics

  /// This node is on a topic, or scores it otherwise from now on; counters stay, below the new caps.
  mutating func follow(_ topic: Topic, _ scoring: TopicScoreParameters?) {
    guard !isOff else { return }
    let scoring = scoring ?? parameters.topic
    if let place = places[topic] {
      scored[place]!.scoring = scoring
      for index in records.values.indices {
        records.values[index].score.updateIfKnown(place) { $0.cap(scoring) }
        judge(index)
      }
      return
    }
    let place = freePlaces.popLast() ?? scored.count
    places[topic] = place
    if place == scored.count { scored.append(nil) }
    scored[place] = Scored(topic: topic, scoring: scoring)
    recall(topic, place)
  }

  /// What stood against peers on a topic before a restart counts from now on.
  private mutating func recall(_ topic: Topic, _ place: Int) {
    for index in records.values.indices where !records.values[index].elsewhere.isEmpty {
      guard let there = records.values[index].elsewhere.firstIndex(where: { $0.topic == topic }) else {
        continue
      }
      let kept = records.values[index].elsewhere.remove(at: there)
      records.values[index].score.update(place) { ($0.failures, $0.invalid) = (kept.failures, kept.invalid) }
      judge(index)
    }
  }

  /// The place of a scored topic.
  func place(of topic: Topic) -> Int? { places[topic] }

  /// This node left a topic; its counters go with it.
  mutating func forget(_ topic: Topic) {
    guard let place = places.removeValue(forKey: topic) else { return }
    scored[place] = nil
    freePlaces.append(place)
    for index in records.values.indices {
      records.values[index].score.forget(place)
      judge(index)
    }
  }

  // MARK: Coming and going

  /// A peer connected. What was remembered of it counts again, for it did not decay meanwhile.
  mutating func connected(_ peer: PeerID, ip: [UInt8] = [], at now: Instant) {
    guard !isOff, records[peer].map({ $0.leftAt != nil }) ?? true else { return }
    decay(at: now)
    if let left = departed.removeValue(forKey: peer), left + parameters.peerScore.retainFor <= now {
      records[peer] = nil
    }
    var record = records[peer] ?? Record(partner: PartnerScore(at: number(of: now)))
    record.leftAt = nil
    record.ip = ip
    record.verdict = .welcome
    records[peer] = record
    connected += 1
    if !record.isBlank { wake(at: now) }
    if parameters.peerScore.colocationWeight != 0 { shareAddress(colocation.add(peer, at: ip)) }
    if let index = records.index(forKey: peer) { judge(index) }
  }

  private mutating func shareAddress(_ changed: OrderedSet<PeerID>) {
    for peer in changed {
      guard let index = records.index(forKey: peer) else { continue }
      records.values[index].score.colocation = colocation.value(at: records.values[index].ip)
      judge(index)
    }
  }

  /// A peer left. A good score is forgotten at once, a bad one is kept for a while.
  mutating func disconnected(_ peer: PeerID, at now: Instant) {
    guard let index = records.index(forKey: peer), records.values[index].leftAt == nil else { return }
    decay(at: now)
    connected -= 1
    if records.values[index].verdict != .welcome { unwelcome -= 1 }
    selfBlame.forget(peer)
    if parameters.peerScore.colocationWeight != 0 {
      shareAddress(colocation.remove(peer, from: records.values[index].ip))
    }
    records.values[index].score.colocation = 0
    records.values[index].leftAt = now
    records.values[index].doubtful = []
    part(&records.values[index])
    judge(index)
    if records.values[index].isBlank {
      records.remove(at: index)
    } else {
      departed[peer] = now
    }
    sweep(at: now)
  }

  /// Leaves of a score what counts when its peer comes back.
  func part(_ record: inout Record) {
    if record.score.terms(parameters.peerScore, { scored[$0]?.scoring }) > 0 {
      let application = record.score.application
      record.score = PeerScore()
      record.score.application = application
    } else {
      record.score.leave { [scored] in scored[$0]?.scoring }
    }
  }

  /// Forgets those who left long ago, and who are too many.
  mutating func sweep(at now: Instant) {
    while let (peer, left) = departed.elements.first {
      if left + parameters.peerScore.retainFor <= now {
        departed.removeFirst()
        records[peer] = nil
      } else if departed.count > parameters.rememberedMax {
        // Names are free: those who come and go must not make us forget whom we had reason to remember.
        let next = departed.keys.first { verdict(on: $0) == .welcome } ?? peer
        departed[next] = nil
        records[next] = nil
        forgotten += 1
      } else {
        return
      }
    }
  }

  // MARK: The mesh

  /// A peer entered our mesh.
  mutating func grafted(_ peer: PeerID, on topic: Topic, at now: Instant) {
    guard let index = records.index(forKey: peer), let place = places[topic] else { return }
    wake(at: now)
    records.values[index].score.update(place) { $0.graft(at: now) }
  }

  /// A peer left our mesh.
  mutating func pruned(_ peer: PeerID, on topic: Topic, at now: Instant) {
    guard let index = records.index(forKey: peer), let place = places[topic],
      let scoring = scored[place]?.scoring
    else { return }
    decay(at: now)
    records.values[index].score.updateIfKnown(place) { $0.prune(scoring) }
    judge(index)
  }

  // MARK: Good things

  /// A message was believed.
  /// - Parameters:
  ///   - holders: who had sent it by then, the first one first.
  ///   - ranks: whether that is also the order in which they learnt of it (not where they were asked for it).
  mutating func delivered(
    _ id: MessageID, by holders: [PeerID], on topic: Topic, ranks: Bool = true, at now: Instant
  ) {
    guard !isOff, !holders.isEmpty else { return }
    wake(at: now)
    let place = places[topic]
    let scoring = place.flatMap { scored[$0]?.scoring }
    let watches = scoring?.watchesDeliveries == true
    for (rank, peer) in holders.enumerated() {
      guard let index = records.index(forKey: peer) else { continue }
      records.values[index].partner.advance(to: tick, scale)
      records.values[index].partner.proveGood()
      if ranks { rate(index, rank, among: holders.count) }
      guard let place, let scoring, scoring.weight != 0, rank == 0 || watches else { continue }
      records.values[index].score.update(place) {
        if rank == 0 { $0.deliveredFirst(scoring) }
        if watches { $0.delivered(scoring) }
      }
    }
    if watches, let scoring {
      deliveries.begin(id, by: holders, until: now + scoring.meshDeliveriesWindow, at: now)
    }
  }

  /// A copy of what was believed already.
  mutating func duplicate(_ id: MessageID, by peer: PeerID, on topic: Topic, at now: Instant) {
    guard deliveries.count > 0, let place = places[topic], let scoring = scored[place]?.scoring,
      scoring.watchesDeliveries, deliveries.counts(id, by: peer, at: now),
      let index = records.index(forKey: peer)
    else { return }
    wake(at: now)
    records.values[index].score.updateIfKnown(place) { $0.delivered(scoring) }
  }

  /// Partners offered what turned out valid, in this order.
  mutating func ranked(_ peers: [PeerID], at now: Instant) {
    guard !isOff else { return }
    for (rank, peer) in peers.enumerated() {
      guard let index = records.index(forKey: peer) else { continue }
      records.values[index].partner.advance(to: number(of: now), scale)
      rate(index, rank, among: peers.count)
    }
  }

  /// 1 for the first, 0 for the last.
  private mutating func rate(_ index: Int, _ rank: Int, among count: Int) {
    records.values[index].partner.ranked(count > 1 ? 1 - Double(rank) / Double(count - 1) : 1, scale)
  }

  /// What a peer was asked for came: so many bytes, so long after.
  mutating func transferred(_ bytes: Int, took: Duration, by peer: PeerID, at now: Instant) {
    guard !isOff, let index = records.index(forKey: peer) else { return }
    records.values[index].partner.advance(to: number(of: now), scale)
    records.values[index].partner.complete()
    records.values[index].partner.paced(PartnerScore.pace(bytes: bytes, took: took, scale), scale)
  }

  /// The application's own score of a peer that is known; anything but a finite number is taken as 0.
  mutating func applicationScore(_ peer: PeerID, _ score: Double) {
    guard let index = records.index(forKey: peer) else { return }
    records.values[index].score.application = score.isFinite ? min(max(score, -1e12), 1e12) : 0
    judge(index)
  }

  // MARK: Bad things

  /// A peer did something that counts against it. A topic that is not scored has no effect.
  mutating func observe(
    _ observation: Observation, of peer: PeerID, on topic: Topic? = nil, count: Int = 1, at now: Instant
  ) {
    guard !isOff, count > 0, let index = records.index(forKey: peer) else { return }
    wake(at: now)
    records.values[index].partner.advance(to: tick, scale)
    record(observation, topic, count, index, now)
    if observation == .disrupted { disrupted(index, now) }
    if observation.weights.isAmbiguous {
      doubt(observation.weights, index, Double(count), now)
    } else {
      condemn(observation.weights, index, topic, Double(count))
    }
    judge(index)
  }

  /// The same as the last sighting, within a tick, is one sighting.
  private mutating func record(
    _ observation: Observation, _ topic: Topic?, _ count: Int, _ index: Int, _ now: Instant
  ) {
    if let last = records.values[index].sightings.last, last.observation == observation,
      last.topic == topic, number(of: last.at) == tick
    {
      let end = records.values[index].sightings.count - 1
      records.values[index].sightings[end].count = last.count &+ count
      records.values[index].sightings[end].at = now
      return
    }
    if records.values[index].sightings.count >= Reputation.sightingsMax {
      records.values[index].sightings.removeFirst()
    }
    records.values[index].sightings.append(
      Sighting(observation: observation, topic: topic, count: count, at: now))
  }

  /// What only the peer itself can have done.
  private mutating func condemn(_ weights: Weights, _ index: Int, _ topic: Topic?, _ count: Double) {
    records.values[index].score.behaviour += weights.behaviour * count
    records.values[index].partner.proveBad(weight: weights.integrity * count)
    guard weights.invalid > 0 else { return }
    if let topic {
      if let place = places[topic] {
        records.values[index].score.update(place) { $0.invalid += weights.invalid * count }
      }
    } else {
      records.values[index].score.behaviour += weights.invalid * count
    }
  }

  /// What may be the network's fault, or ours: counted in small, and only while most others look well.
  private mutating func doubt(_ weights: Weights, _ index: Int, _ count: Double, _ now: Instant) {
    if records.values[index].doubtful.last?.tick != tick {
      forgetDoubts(of: index, at: now)
      records.values[index].doubtful.append(Doubtful(tick: tick, at: now))
      selfBlame.note(records.keys[index], at: now)
    }
    blameSelf(selfBlame.judge(connected: connected, at: now))
    guard !selfBlame.isBlaming else { return }
    let end = records.values[index].doubtful.count - 1
    var doubtful = records.values[index].doubtful[end]
    var behaviour = min(weights.behaviour * count, Weights.ambiguousPerTick - doubtful.behaviour)
    if weights.isTimeOut {
      behaviour = min(behaviour, Weights.timeOutsPerTick - doubtful.timeOuts)
      doubtful.timeOuts += behaviour
      for _ in 0..<Int(min(count, 32)) { doubtful.speed += records.values[index].partner.paced(0, scale) }
    }
    let slow = min(weights.slow * count, Weights.ambiguousPerTick - doubtful.slow)
    doubtful.behaviour += behaviour
    doubtful.slow += slow
    doubtful.failed += weights.reliability * count
    records.values[index].doubtful[end] = doubtful
    records.values[index].score.behaviour += behaviour
    records.values[index].score.slow += slow
    records.values[index].partner.fail(weight: weights.reliability * count)
  }

  /// Most look bad at once: what they seemed to do within the window is taken back.
  private mutating func blameSelf(_ wronged: [PeerID]) {
    guard !wronged.isEmpty else { return }
    selfBlames += 1
    notices.append(.selfBlame(suspects: selfBlame.suspects, connected: connected))
    let score = parameters.peerScore
    for peer in wronged {
      guard let index = records.index(forKey: peer) else { continue }
      records.values[index].partner.advance(to: tick, scale)
      for doubt in records.values[index].doubtful {
        let ticks = tick - doubt.tick
        records.values[index].score.behaviour -= doubt.behaviour * power(score.behaviourDecay, ticks)
        records.values[index].score.slow -= doubt.slow * power(score.slowDecay, ticks)
        records.values[index].partner.takeBack(
          speed: doubt.speed, failed: doubt.failed, after: ticks, scale)
      }
      records.values[index].score.behaviour = max(0, records.values[index].score.behaviour)
      records.values[index].score.slow = max(0, records.values[index].score.slow)
      records.values[index].doubtful = Deque(
        records.values[index].doubtful.filter { $0.tick == tick }.map { Doubtful(tick: $0.tick, at: $0.at) })
      judge(index)
    }
  }

  private mutating func forgetDoubts(of index: Int, at now: Instant) {
    while let first = records.values[index].doubtful.first,
      first.at + parameters.selfBlame.window <= now
    { records.values[index].doubtful.removeFirst() }
  }

  private mutating func disrupted(_ index: Int, _ now: Instant) {
    if records.values[index].disruptions.count >= parameters.partner.disruptionsMax {
      records.values[index].disruptions.removeFirst()
    }
    records.values[index].disruptions.append(now)
  }

  // MARK: Reading

  /// Whether the peer is connected or remembered.
  func knows(_ peer: PeerID) -> Bool { records[peer] != nil }

  /// GossipSub's score; 0 of a peer that is not known.
  public func score(of peer: PeerID) -> Double {
    records.index(forKey: peer).map { score(at: $0) } ?? 0
  }

  /// Bamboo's score, 0 to 1.
  public func partnerScore(of peer: PeerID, at now: Instant) -> Double { partner(peer, at: now).score(scale) }

  private func partner(_ peer: PeerID, at now: Instant) -> PartnerScore {
    let present = number(of: now)
    var partner = records[peer]?.partner ?? PartnerScore(at: present)
    partner.advance(to: present, scale)
    return partner
  }

  /// Whether the peer broke off so many exchanges lately that others are asked first.
  public func isUnreliable(_ peer: PeerID, at now: Instant) -> Bool {
    guard let disruptions = records[peer]?.disruptions, let first = disruptions.first else { return false }
    return disruptions.count >= parameters.partner.disruptionsMax
      && now - first < parameters.partner.disruptionWindow
  }

  /// The best partners first, and those that break off last; equal ones as they come, all of them unless scores are
  /// acted upon.
  func inOrder(_ peers: [PeerID], at now: Instant) -> [PeerID] {
    guard parameters.mode == .acting, peers.count > 1 else { return peers }
    let ranks = peers.enumerated().map { place, peer in
      (peer: peer, place: place, score: partnerScore(of: peer, at: now), isLast: isUnreliable(peer, at: now))
    }
    return ranks.sorted { a, b in
      if a.isLast != b.isLast { return b.isLast }
      return a.score != b.score ? a.score > b.score : a.place < b.place
    }.map(\.peer)
  }

  /// The score by which peers are chosen; 0 of everybody unless scores are acted upon.
  func merit(of peer: PeerID) -> Double { parameters.mode == .acting ? score(of: peer) : 0 }

  /// What the peer's score calls for, acted upon or not.
  public func verdict(on peer: PeerID) -> Standing { records[peer]?.verdict ?? .welcome }

  /// Whether nothing is to be done about any connected peer.
  var isEverybodyWelcome: Bool { unwelcome == 0 || parameters.mode != .acting }

  /// What is to be done about the connected peer: everybody is welcome where scores are only watched.
  @inline(__always)  // a call would copy a kilobyte first
  public func standing(of peer: PeerID) -> Standing { isEverybodyWelcome ? .welcome : verdict(on: peer) }

  /// Whether our own messages are pushed to the peer outside the mesh.
  public func isPublishedTo(_ peer: PeerID) -> Bool {
    standing(of: peer) > .ignored || score(of: peer) >= parameters.thresholds.publish
  }

  /// Every term of both scores, and what was seen last.
  public func explain(_ peer: PeerID, at now: Instant) -> Explanation {
    let record = records[peer] ?? Record(partner: PartnerScore(at: tick))
    var terms: [ScoreTerm] = []
    let score = record.score.terms(parameters.peerScore, { scored[$0]?.scoring }) {
      terms.append(
        ScoreTerm(
          kind: $0, topic: $1.flatMap { scored[$0]?.topic }, counter: $2, weight: $3, contribution: $4))
    }
    let partner = partner(peer, at: now)
    let weights = parameters.partner
    return Explanation(
      peer: peer, score: score, terms: terms, partnerScore: partner.score(scale),
      factors: [
        ScoreFactor(name: "interest", value: partner.interest, share: weights.interestShare),
        ScoreFactor(name: "speed", value: partner.speed, share: weights.speedShare),
        ScoreFactor(name: "reliability", value: partner.reliability, share: weights.reliabilityShare),
        ScoreFactor(name: "integrity", value: partner.integrity, share: nil),
      ],
      verdict: record.verdict, standing: standing(of: peer), sightings: Array(record.sightings),
      isSelfBlaming: selfBlame.isBlaming, at: now)
  }
}
