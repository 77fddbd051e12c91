/// How a node judges its peers, and whether it acts on that.
///
/// The defaults are careful: honest peers under loss, churn and load stay welcome. What may be the fault of the network
/// between us counts little and never alone; what a peer can only have done itself counts much. Missing deliveries
/// (P3) do not count, since our own GossipSub leaves out copies that are probably not needed.
public struct ReputationParameters: Hashable, Sendable {
  /// What becomes of scores.
  public enum Mode: String, CaseIterable, Hashable, Sendable {
    /// Nothing is counted.
    case off
    /// Everything is counted and told, nothing is done about it.
    case watching
    /// Badly scored peers are not heard and not served.
    case acting
  }

  /// What becomes of scores.
  public var mode = Mode.acting
  /// GossipSub's peer score, but for what belongs to topics.
  public var peerScore = PeerScoreParameters()
  /// GossipSub's peer score on topics whose policy says nothing about it.
  public var topic = TopicScoreParameters()
  /// What follows from a score.
  public var thresholds = ScoreThresholds()
  /// Bamboo's partner score.
  public var partner = PartnerScoreParameters()
  /// When a node suspects itself.
  public var selfBlame = SelfBlameParameters()
  /// What becomes of the application's reports.
  public var reports = ReportParameters()
  /// Peers remembered after they left; the one that left first is forgotten first.
  public var rememberedMax = 1_024

  /// The defaults.
  public init() {}

  /// - Throws: `ConfigurationError` for the first parameter that cannot work.
  public func validate() throws(ConfigurationError) {
    try peerScore.validate()
    try topic.validate("reputation.topic")
    try thresholds.validate()
    try partner.validate()
    try selfBlame.validate()
    try reports.validate()
    try Rule.require(
      (0...1 << 24).contains(rememberedMax), "reputation.rememberedMax", "0 to 2^24", rememberedMax)
  }
}

/// GossipSub's peer score, but for what belongs to topics (`TopicScoreParameters`).
///
///     score = min(Σ topics, topicScoreCap) + P5 · w5 + P6 · w6 + P7 · w7 + slow · w
///
/// Source: libp2p `gossipsub-v1.1.md` "Peer Scoring"; the slow peer's term is Rust's.
public struct PeerScoreParameters: Hashable, Sendable {
  /// Most that all topics together may add; 0 for no limit. What they take away is not limited.
  public var topicScoreCap = 20.0
  /// w5: times the application's own score of the peer.
  public var applicationWeight = 1.0
  /// w6: times (n − threshold)² for n > threshold peers of one address; at most 0, and 0 counts no addresses. Off:
  /// many honest nodes may share an address.
  public var colocationWeight = 0.0
  /// Peers that may share an address.
  public var colocationThreshold = 8
  /// Addresses that may be shared by any number.
  public var colocationExempt: [AddressRange] = []
  /// w7: times (P7 − threshold)²; at most 0.
  public var behaviourWeight = -10.0
  /// P7 below this is forgiven.
  public var behaviourThreshold = 6.0
  /// Of P7 this share is left after `decayInterval`. 0.95 per second: gone after a minute and a half.
  public var behaviourDecay = 0.95
  /// Times (full outbound queues and broken promises − threshold); at most 0. With the default decay and the most that
  /// ambiguous observations add, this stays above −10: out of the mesh, and never worse.
  public var slowWeight = -0.6
  /// Full outbound queues that are forgiven.
  public var slowThreshold = 4.0
  /// Of the count of full queues this share is left after `decayInterval`.
  public var slowDecay = 0.95
  /// How often counters decay.
  public var decayInterval: Duration = .seconds(1)
  /// Below this a counter is 0.
  public var decayToZero = 0.01
  /// How long the score of a peer is kept after it left, unless it was positive. It does not decay meanwhile.
  public var retainFor: Duration = .seconds(3_600)

  /// The defaults.
  public init() {}

  /// The decay by which a counter that starts at 1 falls to `zero` within `time`.
  ///
  ///     decay = zero^(interval / time)
  public static func decay(
    over time: Duration, every interval: Duration = .seconds(1), to zero: Double = 0.01
  ) -> Double {
    let steps = max(1, time.nanoseconds / max(1, interval.nanoseconds))
    var (low, high) = (0.0, 1.0)
    for _ in 0..<64 {
      let middle = (low + high) / 2
      if power(middle, steps) < zero { low = middle } else { high = middle }
    }
    return high
  }

  func validate() throws(ConfigurationError) {
    let at = "reputation.peerScore"
    try Rule.notNegative(topicScoreCap, "\(at).topicScoreCap")
    try Rule.finite(applicationWeight, "\(at).applicationWeight")
    try Rule.penalty(colocationWeight, "\(at).colocationWeight")
    try Rule.require(
      colocationWeight == 0 || (1...1 << 30).contains(colocationThreshold), "\(at).colocationThreshold",
      "1 to 2^30", colocationThreshold)
    for range in colocationExempt {
      try Rule.require(
        range.isValid, "\(at).colocationExempt", "4 or 16 bytes and at most as many bits", range)
    }
    for (name, weight, threshold, decay) in [
      ("behaviour", behaviourWeight, behaviourThreshold, behaviourDecay),
      ("slow", slowWeight, slowThreshold, slowDecay),
    ] {
      try Rule.penalty(weight, "\(at).\(name)Weight")
      try Rule.notNegative(threshold, "\(at).\(name)Threshold", unless: weight == 0)
      try Rule.decay(decay, "\(at).\(name)Decay", unless: weight == 0)
    }
    try Rule.require(
      decayInterval >= .seconds(1) && Duration.settings.contains(decayInterval), "\(at).decayInterval",
      "at least 1 s, at most ten years", decayInterval)
    try Rule.decay(decayToZero, "\(at).decayToZero")
    try Rule.duration(retainFor, "\(at).retainFor")
  }
}

/// GossipSub's peer score on one topic.
///
///     weight · (P1 · w1 + P2 · w2 + P3 · w3 + P3b · w3b + P4² · w4)
///
/// A parameter counts only where its weight is not 0. Source: libp2p `gossipsub-v1.1.md` "Peer Scoring".
public struct TopicScoreParameters: Hashable, Sendable {
  /// How much this topic counts; 0 turns it off.
  public var weight = 1.0
  /// w1: times the time in the mesh, in quanta; at least 0.
  public var timeInMeshWeight = 0.001
  /// What time in the mesh is counted in.
  public var timeInMeshQuantum: Duration = .seconds(1)
  /// Most quanta that count.
  public var timeInMeshCap = 3_600.0
  /// w2: times the messages the peer was first to bring; at least 0.
  public var firstDeliveriesWeight = 0.05
  /// Of P2 this share is left after `decayInterval`. 0.992354: gone after ten minutes.
  public var firstDeliveriesDecay = 0.992354
  /// Most first deliveries that count.
  public var firstDeliveriesCap = 100.0
  /// w3: times (threshold − deliveries)² of a mesh partner; at most 0. Off: where copies are left out because they are
  /// probably not needed, honest partners deliver less.
  public var meshDeliveriesWeight = 0.0
  /// Of P3's counter this share is left after `decayInterval`.
  public var meshDeliveriesDecay = 0.926119
  /// Most deliveries that count.
  public var meshDeliveriesCap = 100.0
  /// So many deliveries are enough.
  public var meshDeliveriesThreshold = 20.0
  /// A copy counts as delivered so long after the first one was believed.
  public var meshDeliveriesWindow: Duration = .milliseconds(10)
  /// A partner has so long before its deliveries matter.
  public var meshDeliveriesActivation: Duration = .seconds(60)
  /// w3b: times the squared deficits of partnerships that ended; at most 0.
  public var meshFailureWeight = 0.0
  /// Of P3b this share is left after `decayInterval`.
  public var meshFailureDecay = 0.992354
  /// w4: times the square of invalid messages; at most 0.
  public var invalidWeight = -10.0
  /// Of P4 this share is left after `decayInterval`.
  public var invalidDecay = 0.992354

  /// The defaults.
  public init() {}

  /// Of no weight at all.
  public static var none: TopicScoreParameters {
    var none = TopicScoreParameters()
    none.weight = 0
    return none
  }

  /// Whether deliveries of mesh partners are watched.
  var watchesDeliveries: Bool { weight != 0 && (meshDeliveriesWeight != 0 || meshFailureWeight != 0) }

  func validate(_ at: String = "scoring") throws(ConfigurationError) {
    try Rule.notNegative(weight, "\(at).weight")
    try Rule.notNegative(timeInMeshWeight, "\(at).timeInMeshWeight")
    try Rule.duration(timeInMeshQuantum, "\(at).timeInMeshQuantum", unless: timeInMeshWeight == 0)
    try Rule.positive(timeInMeshCap, "\(at).timeInMeshCap", unless: timeInMeshWeight == 0)
    try Rule.notNegative(firstDeliveriesWeight, "\(at).firstDeliveriesWeight")
    try Rule.decay(firstDeliveriesDecay, "\(at).firstDeliveriesDecay", unless: firstDeliveriesWeight == 0)
    try Rule.positive(firstDeliveriesCap, "\(at).firstDeliveriesCap", unless: firstDeliveriesWeight == 0)
    try Rule.penalty(meshDeliveriesWeight, "\(at).meshDeliveriesWeight")
    try Rule.penalty(meshFailureWeight, "\(at).meshFailureWeight")
    let isUnwatched = meshDeliveriesWeight == 0 && meshFailureWeight == 0
    try Rule.decay(meshDeliveriesDecay, "\(at).meshDeliveriesDecay", unless: isUnwatched)
    try Rule.positive(meshDeliveriesCap, "\(at).meshDeliveriesCap", unless: isUnwatched)
    try Rule.positive(meshDeliveriesThreshold, "\(at).meshDeliveriesThreshold", unless: isUnwatched)
    try Rule.require(
      isUnwatched || (.zero...Duration.settings.upperBound).contains(meshDeliveriesWindow),
      "\(at).meshDeliveriesWindow", "0 to ten years", meshDeliveriesWindow)
    try Rule.require(
      isUnwatched || (.seconds(1)...Duration.settings.upperBound).contains(meshDeliveriesActivation),
      "\(at).meshDeliveriesActivation", "at least 1 s, at most ten years", meshDeliveriesActivation)
    try Rule.decay(meshFailureDecay, "\(at).meshFailureDecay", unless: meshFailureWeight == 0)
    try Rule.penalty(invalidWeight, "\(at).invalidWeight")
    try Rule.decay(invalidDecay, "\(at).invalidDecay")
  }
}

/// What follows from a GossipSub score. A peer below 0 is never in the mesh.
///
/// Source: libp2p `gossipsub-v1.1.md` "Score Thresholds"; the defaults are Rust's, but for the scale of topics.
public struct ScoreThresholds: Hashable, Sendable {
  /// Below: no offers, and none heard. At most 0.
  public var gossip = -10.0
  /// Below: not sent our own messages outside the mesh. At most `gossip`.
  public var publish = -50.0
  /// Below: heard only for subscriptions, and answered nothing. At most `publish`.
  public var graylist = -80.0
  /// At least this: trusted to name other peers. At least 0.
  public var acceptPX = 10.0
  /// A mesh whose median is below this grafts better peers. At least 0.
  public var opportunisticGraft = 1.0

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    let at = "reputation.thresholds"
    try Rule.penalty(gossip, "\(at).gossip")
    try Rule.penalty(publish, "\(at).publish")
    try Rule.require(publish <= gossip, "\(at).publish", "at most gossip (\(gossip))", publish)
    try Rule.penalty(graylist, "\(at).graylist")
    try Rule.require(graylist <= publish, "\(at).graylist", "at most publish (\(publish))", graylist)
    try Rule.notNegative(acceptPX, "\(at).acceptPX")
    try Rule.notNegative(opportunisticGraft, "\(at).opportunisticGraft")
  }
}

/// Bamboo's partner score.
///
///     S = G² · (interestShare · I + speedShare · Sp + reliabilityShare · R)
///
/// The four factors are in 0...1 and begin at 1/2. Source: Bamboo gossip v2, "Delaying", "Disrupting"; the numbers are
/// ours.
public struct PartnerScoreParameters: Hashable, Sendable {
  /// Weight of interest: how early the partner offers what turns out valid.
  public var interestShare = 0.2
  /// Weight of speed.
  public var speedShare = 0.4
  /// Weight of reliability: exchanges completed against exchanges broken off.
  public var reliabilityShare = 0.4
  /// How much the latest sample of interest and of speed changes these.
  public var smoothing = 1.0 / 32
  /// Interest, speed and reliability come half the way back to 1/2 in this time.
  public var halfLife: Duration = .seconds(3_600)
  /// Integrity does in this time.
  public var integrityHalfLife: Duration = .seconds(86_400)
  /// Bytes per second that are fast.
  public var bandwidthReference = 1_048_576.0
  /// A round trip that is fast.
  public var roundTripReference: Duration = .milliseconds(100)
  /// After so many exchanges broken off within `disruptionWindow`, a partner is asked last.
  public var disruptionsMax = 3
  /// How long a broken-off exchange is remembered for that.
  public var disruptionWindow: Duration = .seconds(600)

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    let at = "reputation.partner"
    for (name, share) in [
      ("interestShare", interestShare), ("speedShare", speedShare), ("reliabilityShare", reliabilityShare),
    ] { try Rule.require((0...1).contains(share), "\(at).\(name)", "0 to 1", share) }
    let sum = interestShare + speedShare + reliabilityShare
    try Rule.require(
      (0.999_999...1.000_001).contains(sum), "\(at).interestShare", "shares that add up to 1", sum)
    try Rule.require(smoothing > 0 && smoothing <= 1, "\(at).smoothing", "above 0, at most 1", smoothing)
    try Rule.duration(halfLife, "\(at).halfLife")
    try Rule.duration(integrityHalfLife, "\(at).integrityHalfLife")
    try Rule.positive(bandwidthReference, "\(at).bandwidthReference")
    try Rule.duration(roundTripReference, "\(at).roundTripReference")
    try Rule.require((1...32).contains(disruptionsMax), "\(at).disruptionsMax", "1 to 32", disruptionsMax)
    try Rule.duration(disruptionWindow, "\(at).disruptionWindow")
  }
}

/// When most partners look bad at once, the node's own network is the likelier cause.
///
/// Source: Bamboo gossip v2, "Delaying": a node with time-outs of most partners blames itself.
public struct SelfBlameParameters: Hashable, Sendable {
  /// What was seen longer ago does not count.
  public var window: Duration = .seconds(10)
  /// More than this share of the connected peers is most of them.
  public var share = 0.5
  /// Fewer peers are never most of them.
  public var peersMin = 3

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    try Rule.duration(window, "reputation.selfBlame.window")
    try Rule.require((0...1).contains(share), "reputation.selfBlame.share", "0 to 1", share)
    try Rule.require((1...1 << 30).contains(peersMin), "reputation.selfBlame.peersMin", "1 to 2^30", peersMin)
  }
}
