/// How fast one peer is, both ways, and how much we let it have.
///
///     srtt    ← ⅞ srtt + ⅛ rtt                 rttvar ← ¾ rttvar + ¼ |srtt − rtt|
///     timeout(size) = min(30 s, max(1 s, srtt + 4 · rttvar) + size / max(floor, bandwidth))
///
/// The allowance, in bytes a second, finds its fair share as TCP does: each second that used four fifths of it without
/// a time-out adds a step; a time-out, or a round trip of more than twice the shortest, halves it, once per round trip.
/// It never goes below a floor, and nothing here blocks, bars or refuses: slow peers are served last, not less.
///
/// Sources: Bamboo gossip v2, "Delaying", notes 1 and 2; RFC 6298 for the smoothing; the figures are ours.
struct Pace: Sendable {
  enum Direction: Sendable { case up, down }

  /// Smoothed round trip; nil before the first.
  private(set) var roundTrip: Duration?
  private(set) var variation: Duration = .zero
  /// Bytes a second we send and get; 0 before the first measurement.
  private(set) var upBandwidth = 0
  private(set) var downBandwidth = 0
  /// Bytes a second the peer may have of us.
  private(set) var allowance: Int
  /// Time-outs since the last answer.
  private(set) var timeoutsInRow = 0
  private(set) var timeouts: UInt64 = 0

  /// The shortest smoothed round trip of this period and of the one before: a route may become longer for good.
  private var shortest: Duration?
  private var formerShortest: Duration?
  private var periodEnd = Instant(nanoseconds: .min)
  private var lastHalved = Instant(nanoseconds: .min)
  private var secondEnd: Instant?
  private var usedThisSecond = 0
  private var isClean = true

  init(_ parameters: PaceParameters) { allowance = parameters.allowanceStart }

  // MARK: Measured

  /// An answer came after this time.
  mutating func answered(after rtt: Duration, at now: Instant, _ parameters: PaceParameters) {
    timeoutsInRow = 0
    let rtt = max(.nanoseconds(1), rtt)
    guard let former = roundTrip else {
      (roundTrip, variation) = (rtt, rtt / 2)
      return noteShortest(rtt, now, parameters)
    }
    variation = (variation * 3 + abs(former - rtt)) / 4
    let smoothed = (former * 7 + rtt) / 8
    roundTrip = smoothed
    noteShortest(smoothed, now, parameters)
    if let least = [shortest, formerShortest].compactMap({ $0 }).min(), rtt > least * 2 {
      halve(now, parameters)
    }
  }

  /// So many bytes took so long on their way.
  mutating func moved(_ bytes: Int, _ direction: Direction, in time: Duration) {
    let nanoseconds = max(1, time.nanoseconds)
    let (scaled, overflow) = max(0, bytes).multipliedReportingOverflow(by: 1_000_000_000)
    let sample = min((overflow ? .max : scaled) / Int(nanoseconds), 1 << 50)
    switch direction {
    case .up: upBandwidth = Pace.smooth(upBandwidth, sample)
    case .down: downBandwidth = Pace.smooth(downBandwidth, sample)
    }
  }

  /// An answer did not come in time.
  mutating func timedOut(at now: Instant, _ parameters: PaceParameters) {
    roll(now, parameters)
    timeouts &+= 1
    timeoutsInRow += 1
    isClean = false
    halve(now, parameters)
  }

  private static func smooth(_ former: Int, _ sample: Int) -> Int {
    former == 0 ? sample : (former * 7 + sample) / 8
  }

  private mutating func noteShortest(_ rtt: Duration, _ now: Instant, _ parameters: PaceParameters) {
    if periodEnd <= now {
      (formerShortest, shortest) = (shortest, nil)
      periodEnd = now + parameters.shortestFor
    }
    shortest = min(shortest ?? rtt, rtt)
  }

  // MARK: What it may have

  /// So many bytes went to the peer.
  mutating func used(_ bytes: Int, at now: Instant, _ parameters: PaceParameters) {
    roll(now, parameters)
    let (sum, overflow) = usedThisSecond.addingReportingOverflow(max(0, bytes))
    usedThisSecond = overflow ? .max : sum
  }

  /// How many bytes are left of this second's allowance.
  mutating func room(at now: Instant, _ parameters: PaceParameters) -> Int {
    roll(now, parameters)
    return max(0, allowance - usedThisSecond)
  }

  /// Ends the second if it is over.
  private mutating func roll(_ now: Instant, _ parameters: PaceParameters) {
    guard let end = secondEnd else {
      secondEnd = now + .seconds(1)
      return
    }
    guard end <= now else { return }
    if isClean, usedThisSecond >= allowance / 5 * 4 {
      allowance = min(parameters.allowanceMax, allowance + parameters.allowanceStep)
    }
    (usedThisSecond, isClean) = (0, true)
    // Idle seconds earn nothing; those in a row meet without a gap.
    secondEnd = now < end + .seconds(1) ? end + .seconds(1) : now + .seconds(1)
  }

  private mutating func halve(_ now: Instant, _ parameters: PaceParameters) {
    guard lastHalved + (roundTrip ?? .zero) <= now else { return }
    lastHalved = now
    allowance = max(parameters.allowanceMin, allowance / 2)
  }

  // MARK: What to expect

  /// How long to wait for an answer of so many bytes.
  func timeout(_ size: Int, _ parameters: PaceParameters) -> Duration {
    let patience = max(parameters.timeoutMin, (roundTrip ?? .zero) + variation * 4)
    let rate = max(1, parameters.allowanceMin, downBandwidth)
    let transfer =
      Duration.seconds(max(0, size) / rate) + .nanoseconds(max(0, size) % rate * 1_000_000_000 / rate)
    return min(parameters.timeoutMax, patience + transfer)
  }

  /// How fast the peer is in one direction, 0…1: half for bandwidth, half for nearness.
  func speed(_ direction: Direction, _ parameters: PaceParameters) -> Double {
    let bandwidth = direction == .up ? upBandwidth : downBandwidth
    let wide = min(1, Double(bandwidth) / Double(max(1, parameters.bandwidthReference)))
    let near = roundTrip.map { min(1, parameters.roundTripReference.inSeconds / $0.inSeconds) } ?? 0
    return 0.5 * wide + 0.5 * near
  }
}

private func abs(_ duration: Duration) -> Duration { duration < .zero ? .zero - duration : duration }

/// Parameters of the pace.
public struct PaceParameters: Hashable, Sendable {
  /// Shortest time-out.
  public var timeoutMin: Duration = .seconds(1)
  /// Longest time-out.
  public var timeoutMax: Duration = .seconds(30)
  /// Allowance of a new peer, bytes a second.
  public var allowanceStart = 1 << 20
  /// What a busy, clean second adds, bytes a second.
  public var allowanceStep = 64 << 10
  /// Least allowance, bytes a second: enough to recover from.
  public var allowanceMin = 16 << 10
  /// Largest allowance, bytes a second.
  public var allowanceMax = 64 << 20
  /// The shortest round trip is that of this period and of the one before; so long a period lasts.
  public var shortestFor: Duration = .seconds(300)
  /// Bandwidth that counts as fast, bytes a second.
  public var bandwidthReference = 8 << 20
  /// Round trip that counts as near.
  public var roundTripReference: Duration = .milliseconds(100)

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("timeoutMin", timeoutMin), ("timeoutMax", timeoutMax), ("shortestFor", shortestFor),
      ("roundTripReference", roundTripReference),
    ] where !Duration.settings.contains(value) {
      throw ConfigurationError("pace.\(name)", expected: "more than 0, at most ten years", found: "\(value)")
    }
    guard timeoutMin <= timeoutMax else {
      throw ConfigurationError(
        "pace.timeoutMax", expected: "at least timeoutMin (\(timeoutMin))", found: "\(timeoutMax)")
    }
    for (name, value) in [
      ("allowanceMin", allowanceMin), ("allowanceStart", allowanceStart), ("allowanceMax", allowanceMax),
      ("allowanceStep", allowanceStep), ("bandwidthReference", bandwidthReference),
    ] where !(1...1 << 32).contains(value) {
      throw ConfigurationError("pace.\(name)", expected: "1 to 2^32", found: "\(value)")
    }
    guard (allowanceMin...max(allowanceMin, allowanceMax)).contains(allowanceStart) else {
      throw ConfigurationError(
        "pace.allowanceStart", expected: "allowanceMin to allowanceMax (\(allowanceMin)...\(allowanceMax))",
        found: "\(allowanceStart)")
    }
  }
}
