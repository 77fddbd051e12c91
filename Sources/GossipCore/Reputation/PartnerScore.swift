/// Bamboo's four factors of one partner: interest, speed, reliability, integrity.
///
///     S = G² · (0.2 · I + 0.4 · Sp + 0.4 · R)
///
/// Integrity multiplies, since a fast liar is worth nothing; the others trade off. It decides about order, whom to
/// send to and ask first, and never alone about shutting out. Interest and speed are moving means of samples in 0...1;
/// reliability and integrity are the means (1 + good) / (2 + good + bad). All come back to 1/2 with time.
///
/// Source: Bamboo gossip v2; smoothing and weights are ours.
struct PartnerScore: Hashable, Sendable {
  private(set) var interest = 0.5
  private(set) var speed = 0.5
  /// Exchanges completed, and those broken off times their weight.
  private(set) var completed = 0.0
  private(set) var failed = 0.0
  /// Messages that proved good, and bad ones times their weight.
  private(set) var good = 0.0
  private(set) var bad = 0.0
  /// The decay interval up to which time has been taken into account.
  private var tick: Int64

  /// What the parameters mean per decay interval.
  struct Scale: Hashable, Sendable {
    let parameters: PartnerScoreParameters
    let decay: Double
    let integrityDecay: Double

    init(_ parameters: PartnerScoreParameters, every interval: Duration) {
      self.parameters = parameters
      decay = PeerScoreParameters.decay(over: parameters.halfLife, every: interval, to: 0.5)
      integrityDecay = PeerScoreParameters.decay(over: parameters.integrityHalfLife, every: interval, to: 0.5)
    }
  }

  init(at tick: Int64) { self.tick = tick }

  init(
    interest: Double, speed: Double, completed: Double, failed: Double, good: Double, bad: Double,
    at tick: Int64
  ) {
    (self.interest, self.speed, self.completed, self.failed) = (interest, speed, completed, failed)
    (self.good, self.bad, self.tick) = (good, bad, tick)
  }

  var reliability: Double { (1 + completed) / (2 + completed + failed) }
  var integrity: Double { (1 + good) / (2 + good + bad) }

  /// Whether nothing is known but what is assumed of everybody.
  var isNeutral: Bool {
    interest == 0.5 && speed == 0.5 && completed == 0 && failed == 0 && good == 0 && bad == 0
  }

  /// S.
  func score(_ scale: Scale) -> Double {
    let weights = scale.parameters
    return integrity * integrity
      * (weights.interestShare * interest + weights.speedShare * speed
        + weights.reliabilityShare * reliability)
  }

  // MARK: Samples

  /// Where it came in the order of those who had a message: 1 for the first, 0 for the last.
  mutating func ranked(_ sample: Double, _ scale: Scale) {
    interest += (sample - interest) * scale.parameters.smoothing
  }

  /// How fast it gave what was asked for; 0 for a time-out.
  /// - Returns: by how much speed changed.
  @discardableResult
  mutating func paced(_ sample: Double, _ scale: Scale) -> Double {
    let change = (sample - speed) * scale.parameters.smoothing
    speed += change
    return change
  }

  mutating func complete() { completed += 1 }
  mutating func fail(weight: Double) { failed += weight }
  mutating func proveGood() { good += 1 }
  mutating func proveBad(weight: Double) { bad += weight }

  /// Takes back what turned out to be nobody's fault.
  mutating func takeBack(speed change: Double, failed weight: Double, after ticks: Int64, _ scale: Scale) {
    let rest = power(scale.decay, ticks)
    speed = min(1, max(0, speed - change * rest))
    failed = max(0, failed - weight * rest)
  }

  /// How fast a transfer was: what the reference link would have needed, over what it took.
  ///
  /// One measurement has both round trip and bandwidth in it, so the two are judged together.
  static func pace(bytes: Int, took: Duration, _ scale: Scale) -> Double {
    let parameters = scale.parameters
    let expected =
      parameters.roundTripReference.inSeconds + Double(max(0, bytes)) / parameters.bandwidthReference
    return took.inSeconds > expected ? expected / took.inSeconds : 1
  }

  // MARK: Time

  /// Lets time pass up to a decay interval.
  mutating func advance(to now: Int64, _ scale: Scale) {
    guard now > tick else { return }
    let rest = power(scale.decay, now - tick)
    interest = 0.5 + (interest - 0.5) * rest
    speed = 0.5 + (speed - 0.5) * rest
    completed *= rest
    failed *= rest
    let integrityRest = power(scale.integrityDecay, now - tick)
    good *= integrityRest
    bad *= integrityRest
    tick = now
  }
}
