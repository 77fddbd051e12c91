import OrderedCollections

/// What still gets in when validation cannot keep up: control from everybody, messages by merit.
///
/// While messages were refused lately because too many waited, and refusals are more than a share of what is
/// validated, a source's frames are taken whole with the probability
///
///     (1 + delivered) / (1 + delivered + duplicateWeight · duplicates + ignoreWeight · ignored + rejectWeight · rejected)
///
/// and otherwise only their control words. A source is an IP address, shared by its peers, so that a hundred peers of
/// one machine are weighed together. Counters fade; a source nobody is connected from is remembered for a while.
///
/// Bound: `sourcesMax` sources, of which those without peers give way, longest gone first; beyond, a source is unknown
/// and taken whole.
/// Source: go-libp2p-pubsub, peer gater.
struct Gater: Sendable {
  /// What to take of a frame.
  enum Admission: Hashable, Sendable { case all, controlOnly }

  private struct Source: Sendable {
    var peers = 0
    /// When its last peer went.
    var departed: Instant?
    var delivered = 0.0
    var duplicates = 0.0
    var ignored = 0.0
    var rejected = 0.0
    /// The decay these counters have had.
    var tick: Int64
  }

  private var sources: OrderedDictionary<[UInt8], Source> = [:]
  private var validated = 0.0
  private var throttled = 0.0
  private var tick: Int64 = 0
  private var lastThrottled: Instant?
  private let parameters: GaterParameters
  /// Sources there was no room for.
  private(set) var unknown: UInt64 = 0
  /// Frames of which only the control was taken.
  private(set) var gated: UInt64 = 0

  init(_ parameters: GaterParameters) { self.parameters = parameters }

  /// Sources that are known.
  var count: Int { sources.count }

  // MARK: Sources

  /// A peer with this address came.
  mutating func connected(_ ip: [UInt8], at now: Instant) {
    if sources[ip] == nil {
      forgetGone(now)
      guard sources.count < parameters.sourcesMax else {
        unknown += 1
        return
      }
      sources[ip] = Source(tick: tick(at: now))
    }
    sources[ip]!.peers += 1
    sources[ip]!.departed = nil
  }

  /// A peer with this address went.
  mutating func disconnected(_ ip: [UInt8], at now: Instant) {
    guard let peers = sources[ip]?.peers, peers > 0 else { return }
    sources[ip]!.peers = peers - 1
    if peers == 1 { sources[ip]!.departed = now }
  }

  /// - Complexity: O(sources), when one comes.
  private mutating func forgetGone(_ now: Instant) {
    let retained = parameters.retained
    sources.removeAll { $0.value.departed.map { $0 + retained <= now } ?? false }
    while sources.count >= parameters.sourcesMax {
      let gone = sources.elements.filter { $0.value.departed != nil }
      guard let first = gone.min(by: { $0.value.departed! < $1.value.departed! }) else { return }
      sources.removeValue(forKey: first.key)
    }
  }

  // MARK: What becomes of messages

  /// A message goes to validation, whoever sent it.
  mutating func validates(at now: Instant) {
    decay(now)
    validated += 1
  }

  /// A message was refused because too many wait.
  mutating func throttles(at now: Instant) {
    decay(now)
    throttled += 1
    lastThrottled = now
  }

  /// A message of this source was believed.
  /// - Parameter weight: what a delivery on its topic counts.
  mutating func delivered(from ip: [UInt8], weight: Double = 1, at now: Instant) {
    count(ip, now) { $0.delivered += weight }
  }
  /// Another copy came from this source.
  mutating func duplicated(from ip: [UInt8], at now: Instant) { count(ip, now) { $0.duplicates += 1 } }
  /// A message of this source was ignored.
  mutating func ignored(from ip: [UInt8], at now: Instant) { count(ip, now) { $0.ignored += 1 } }
  /// A message of this source was rejected.
  mutating func rejected(from ip: [UInt8], at now: Instant) { count(ip, now) { $0.rejected += 1 } }

  private mutating func count(_ ip: [UInt8], _ now: Instant, _ add: (inout Source) -> Void) {
    guard let place = sources.index(forKey: ip) else { return }
    decay(place, now)
    add(&sources.values[place])
  }

  // MARK: Admission

  /// With which probability a frame of this source is taken whole.
  mutating func chance(of ip: [UInt8], at now: Instant) -> Double {
    guard let lastThrottled, now - lastThrottled <= parameters.quiet else { return 1 }
    decay(now)
    guard throttled > 0, validated == 0 || throttled / validated >= parameters.threshold else { return 1 }
    guard let place = sources.index(forKey: ip) else { return 1 }
    decay(place, now)
    let source = sources.values[place]
    let total =
      source.delivered + parameters.duplicateWeight * source.duplicates
      + parameters.ignoreWeight * source.ignored + parameters.rejectWeight * source.rejected
    return total == 0 ? 1 : (1 + source.delivered) / (1 + total)
  }

  /// What to take of a frame of this source; throws the dice only where they decide.
  mutating func admission(
    of ip: [UInt8], at now: Instant, using dice: inout some RandomNumberGenerator
  ) -> Admission {
    let chance = chance(of: ip, at: now)
    guard chance < 1, Double.random(in: 0..<1, using: &dice) >= chance else { return .all }
    gated += 1
    return .controlOnly
  }

  // MARK: Decay

  private func tick(at now: Instant) -> Int64 { now.nanoseconds / parameters.decayInterval.nanoseconds }

  private mutating func decay(_ now: Instant) {
    let next = tick(at: now)
    guard next > tick else { return }
    let factor = Gater.power(parameters.globalDecay, next - tick)
    for counter in [\Gater.validated, \Gater.throttled] {
      self[keyPath: counter] = faded(self[keyPath: counter], factor)
    }
    tick = next
  }

  private mutating func decay(_ place: Int, _ now: Instant) {
    let (next, last) = (tick(at: now), sources.values[place].tick)
    guard next > last else { return }
    let factor = Gater.power(parameters.sourceDecay, next - last)
    for counter in [\Source.delivered, \.duplicates, \.ignored, \.rejected] {
      sources.values[place][keyPath: counter] = faded(sources.values[place][keyPath: counter], factor)
    }
    sources.values[place].tick = next
  }

  private func faded(_ value: Double, _ factor: Double) -> Double {
    let rest = value * factor
    return rest < parameters.decayToZero ? 0 : rest
  }

  /// By repeated squaring.
  private static func power(_ base: Double, _ exponent: Int64) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
      if rest & 1 == 1 { result *= square }
      square *= square
      rest >>= 1
    }
    return result
  }
}

/// Parameters of the gater, with go-libp2p-pubsub's defaults.
public struct GaterParameters: Hashable, Sendable {
  /// Refused messages per validated one from which on the gate works.
  public var threshold = 0.33
  /// What is left of the node's counters after each interval: 0.01^(1/120), a hundredth after two minutes.
  public var globalDecay = 0.9623506263980885
  /// What is left of a source's counters after each interval: 0.01^(1/3600), a hundredth after an hour.
  public var sourceDecay = 0.9987216039048303
  /// How often counters fade.
  public var decayInterval: Duration = .seconds(1)
  /// What is less is nothing.
  public var decayToZero = 0.01
  /// How long a source is remembered after its last peer went.
  public var retained: Duration = .seconds(6 * 3_600)
  /// How long after the last refusal the gate still works.
  public var quiet: Duration = .seconds(60)
  /// What a duplicate counts against a delivery.
  public var duplicateWeight = 0.125
  /// What an ignored message counts.
  public var ignoreWeight = 1.0
  /// What a rejected message counts.
  public var rejectWeight = 16.0
  /// Sources remembered.
  public var sourcesMax = 4_096

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    func require(_ holds: Bool, _ name: String, _ expected: String, _ found: Any) throws(ConfigurationError) {
      guard holds else {
        throw ConfigurationError("gater.\(name)", expected: expected, found: "\(found)")
      }
    }
    try require(threshold > 0 && threshold.isFinite, "threshold", "more than 0", threshold)
    for (name, value) in [("globalDecay", globalDecay), ("sourceDecay", sourceDecay)] {
      try require(value > 0 && value < 1, name, "above 0, below 1", value)
    }
    try require(decayToZero >= 0 && decayToZero < 1, "decayToZero", "0 or more, below 1", decayToZero)
    for (name, value) in [("decayInterval", decayInterval), ("quiet", quiet)] {
      try require(
        value >= .seconds(1) && Duration.settings.contains(value), name, "1 s to ten years", value)
    }
    try require(Duration.settings.contains(retained), "retained", "more than 0, at most ten years", retained)
    try require(
      duplicateWeight > 0 && duplicateWeight.isFinite, "duplicateWeight", "more than 0", duplicateWeight)
    for (name, value) in [("ignoreWeight", ignoreWeight), ("rejectWeight", rejectWeight)] {
      try require(value >= 1 && value.isFinite, name, "at least 1", value)
    }
    try require((1...1 << 20).contains(sourcesMax), "sourcesMax", "1 to 2^20", sourcesMax)
  }
}
