/// GossipSub's counters of one peer: P1 to P4 per topic, P5 to P7, and how slow it is.
///
/// Source: libp2p `gossipsub-v1.1.md` "Peer Scoring". Where implementations disagree: time in the mesh is fractional,
/// and a deficit of deliveries (P3) no longer hurts after the prune, when it has become a mesh failure (P3b), as in
/// Rust and Nim.
struct PeerScore: Hashable, Sendable {
  /// The counters of one topic.
  struct OnTopic: Hashable, Sendable {
    /// Place of the topic among those scored.
    let place: Int
    /// Since when it is in our mesh; nil if it is not.
    var graftedAt: Instant?
    /// Seconds in the mesh, as of the last decay.
    var timeInMesh = 0.0
    /// Whether it is in the mesh long enough that its deliveries matter.
    var isActive = false
    /// P2, P3's deliveries, P3b, P4.
    var first = 0.0
    var deliveries = 0.0
    var failures = 0.0
    var invalid = 0.0

    init(place: Int) { self.place = place }
  }

  /// In the order of their places.
  private(set) var topics: [OnTopic] = []
  /// P5, as the application has it.
  var application = 0.0
  /// P6: the squared excess of peers on its addresses.
  var colocation = 0.0
  /// P7.
  var behaviour = 0.0
  /// Full outbound queues.
  var slow = 0.0

  /// Whether nothing is known of it.
  var isBlank: Bool {
    application == 0 && behaviour == 0 && slow == 0
      && topics.allSatisfy { $0.failures == 0 && $0.invalid == 0 }
  }

  // MARK: Topics

  /// Changes the counters of a topic, which begin at 0.
  mutating func update(_ place: Int, _ body: (inout OnTopic) -> Void) {
    let index = topics.firstIndex(atOrAfter: place)
    if index == topics.count || topics[index].place != place {
      topics.insert(OnTopic(place: place), at: index)
    }
    body(&topics[index])
  }

  /// The same for a topic with counters only.
  mutating func updateIfKnown(_ place: Int, _ body: (inout OnTopic) -> Void) {
    let index = topics.firstIndex(atOrAfter: place)
    if index < topics.count, topics[index].place == place { body(&topics[index]) }
  }

  mutating func forget(_ place: Int) { topics.removeAll { $0.place == place } }

  /// Ends all partnerships; only what counts against the peer is kept.
  mutating func leave(_ parameters: (Int) -> TopicScoreParameters?) {
    for index in topics.indices {
      if let scoring = parameters(topics[index].place) { topics[index].prune(scoring) }
      topics[index].first = 0
      topics[index].deliveries = 0
    }
    slow = 0
  }

  // MARK: Time

  /// Lets decay intervals pass.
  /// - Returns: whether the next one will change anything.
  mutating func decay(
    _ steps: Int64, to now: Instant, _ parameters: PeerScoreParameters,
    _ scoring: (Int) -> TopicScoreParameters?
  ) -> Bool {
    let zero = parameters.decayToZero
    behaviour = Self.decayed(behaviour, parameters.behaviourDecay, steps, zero)
    slow = Self.decayed(slow, parameters.slowDecay, steps, zero)
    var isLive = behaviour != 0 || slow != 0
    for index in topics.indices {
      guard let scoring = scoring(topics[index].place) else { continue }
      if topics[index].decay(steps, to: now, zero, scoring) { isLive = true }
    }
    return isLive
  }

  fileprivate static func decayed(_ value: Double, _ decay: Double, _ steps: Int64, _ zero: Double) -> Double
  {
    guard value != 0 else { return 0 }
    let rest = value * (steps == 1 ? decay : power(decay, steps))
    return rest < zero ? 0 : rest
  }

  // MARK: The score

  /// Goes through the terms of the score: what it is, its topic's place, the counter, its weight, what it contributes.
  /// - Returns: their sum, the score.
  func terms(
    _ parameters: PeerScoreParameters, _ scoring: (Int) -> TopicScoreParameters?,
    _ each: (ScoreTerm.Kind, Int?, Double, Double, Double) -> Void = { _, _, _, _, _ in }
  ) -> Double {
    var sum = 0.0
    for topic in topics {
      guard let scoring = scoring(topic.place), scoring.weight != 0 else { continue }
      sum += topic.terms(scoring, each)
    }
    if parameters.topicScoreCap > 0, sum > parameters.topicScoreCap {
      each(.topicCap, nil, sum, 1, parameters.topicScoreCap - sum)
      sum = parameters.topicScoreCap
    }
    func add(_ kind: ScoreTerm.Kind, _ counter: Double, _ value: Double, _ weight: Double) {
      guard weight != 0, counter != 0 else { return }  // 0 times anything is 0, also in floating point
      each(kind, nil, counter, weight, value * weight)
      sum += value * weight
    }
    add(.application, application, application, parameters.applicationWeight)
    add(.colocation, colocation, colocation, parameters.colocationWeight)
    let excess = max(0, behaviour - parameters.behaviourThreshold)
    add(.behaviour, behaviour, excess * excess, parameters.behaviourWeight)
    add(.slow, slow, max(0, slow - parameters.slowThreshold), parameters.slowWeight)
    return sum
  }
}

extension PeerScore.OnTopic {
  /// How many deliveries are missing; 0 unless they matter.
  private func deficit(_ scoring: TopicScoreParameters) -> Double {
    isActive ? max(0, scoring.meshDeliveriesThreshold - deliveries) : 0
  }

  fileprivate func terms(
    _ scoring: TopicScoreParameters, _ each: (ScoreTerm.Kind, Int?, Double, Double, Double) -> Void
  ) -> Double {
    var sum = 0.0
    func add(_ kind: ScoreTerm.Kind, _ counter: Double, _ value: Double, _ weight: Double) {
      guard weight != 0, value != 0 else { return }
      let weight = weight * scoring.weight
      each(kind, place, counter, weight, value * weight)
      sum += value * weight
    }
    if graftedAt != nil, scoring.timeInMeshWeight != 0 {
      let quanta = min(timeInMesh / scoring.timeInMeshQuantum.inSeconds, scoring.timeInMeshCap)
      add(.timeInMesh, quanta, quanta, scoring.timeInMeshWeight)
    }
    add(.firstDeliveries, first, first, scoring.firstDeliveriesWeight)
    let deficit = deficit(scoring)
    add(.meshDeliveries, deliveries, deficit * deficit, scoring.meshDeliveriesWeight)
    add(.meshFailures, failures, failures, scoring.meshFailureWeight)
    add(.invalidMessages, invalid, invalid * invalid, scoring.invalidWeight)
    return sum
  }

  /// The mesh took it in: its time begins anew, its deliveries do not.
  mutating func graft(at now: Instant) {
    graftedAt = now
    timeInMesh = 0
    isActive = false
  }

  /// It left the mesh; a deficit of deliveries stays as failure.
  mutating func prune(_ scoring: TopicScoreParameters) {
    guard graftedAt != nil else { return }
    let deficit = deficit(scoring)
    if scoring.meshFailureWeight != 0 { failures += deficit * deficit }
    graftedAt = nil
    timeInMesh = 0
    isActive = false
  }

  mutating func deliveredFirst(_ scoring: TopicScoreParameters) {
    if scoring.firstDeliveriesWeight != 0 { first = min(first + 1, scoring.firstDeliveriesCap) }
  }

  /// A delivery of a mesh partner, first or soon enough.
  mutating func delivered(_ scoring: TopicScoreParameters) {
    guard graftedAt != nil else { return }
    deliveries = min(deliveries + 1, scoring.meshDeliveriesCap)
  }

  /// Counters fit under caps that may have come down.
  mutating func cap(_ scoring: TopicScoreParameters) {
    if scoring.firstDeliveriesWeight != 0 { first = min(first, scoring.firstDeliveriesCap) }
    if scoring.watchesDeliveries { deliveries = min(deliveries, scoring.meshDeliveriesCap) }
  }

  fileprivate mutating func decay(
    _ steps: Int64, to now: Instant, _ zero: Double, _ scoring: TopicScoreParameters
  ) -> Bool {
    first = PeerScore.decayed(first, scoring.firstDeliveriesDecay, steps, zero)
    deliveries = PeerScore.decayed(deliveries, scoring.meshDeliveriesDecay, steps, zero)
    failures = PeerScore.decayed(failures, scoring.meshFailureDecay, steps, zero)
    invalid = PeerScore.decayed(invalid, scoring.invalidDecay, steps, zero)
    let isCounted = first != 0 || deliveries != 0 || failures != 0 || invalid != 0
    guard let graftedAt, scoring.weight != 0 else { return isCounted }
    timeInMesh = max(0, (now - graftedAt).inSeconds)
    if scoring.watchesDeliveries { isActive = isActive || now - graftedAt > scoring.meshDeliveriesActivation }
    let isGrowing =
      scoring.timeInMeshWeight != 0
      && timeInMesh < scoring.timeInMeshCap * scoring.timeInMeshQuantum.inSeconds
    return isCounted || isGrowing || (scoring.watchesDeliveries && !isActive)
  }
}

extension [PeerScore.OnTopic] {
  /// Where the topic of this place is, or would be.
  fileprivate func firstIndex(atOrAfter place: Int) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].place < place { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
