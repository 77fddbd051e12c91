/// How fast one peer is, and how much we ask of it at a time.
///
///     srtt    ← ⅞ srtt + ⅛ rtt                 rttvar ← ¾ rttvar + ¼ |srtt − rtt|
///     timeout(size) = min(30 s, max(1 s, srtt + 4 · rttvar) + size / max(floor, bandwidth))
///
/// The allowance, in bytes a second, finds its fair share as TCP does: each second in which four fifths of it were asked
/// for, without a time-out, adds a step; a time-out, or a round trip of more than twice the shortest, halves it, once per
/// round trip. Of one peer no more bytes are under way than it may give in a second; one request always is, and it never
/// goes below a floor. So a slow peer is asked for less and others for the rest, and it recovers; nothing here blocks,
/// bars or refuses.
///
/// Sources: Bamboo gossip v2, "Delaying", notes 1 and 2; RFC 6298 for the smoothing; the figures are ours.
struct Pace: Sendable {
  /// Round trips of answers of about one size: a large one takes longer than a small one, whatever waits before it.
  private struct Trips: Sendable {
    var smoothed: Duration?
    /// The shortest smoothed one of this period and of the one before: a route may become longer for good.
    var shortest: Duration?
    var formerShortest: Duration?
    var periodEnd = Instant(nanoseconds: .min)

    var least: Duration? { [shortest, formerShortest].compactMap(\.self).min() }

    mutating func note(_ rtt: Duration, _ now: Instant, _ parameters: PaceParameters) {
      let smoothed = smoothed.map { ($0 * 7 + rtt) / 8 } ?? rtt
      self.smoothed = smoothed
      if periodEnd <= now {
        (formerShortest, shortest) = (shortest, nil)
        periodEnd = now + parameters.shortestFor
      }
      shortest = min(shortest ?? smoothed, smoothed)
    }
  }

  /// Smoothed round trip; nil before the first.
  private(set) var roundTrip: Duration?
  private(set) var variation: Duration = .zero
  /// Bytes a second that come of it; 0 before the first measurement.
  private(set) var bandwidth = 0
  /// Bytes a second it may be asked for.
  private(set) var allowance: Int
  /// Time-outs since the last answer.
  private(set) var timeoutsInRow = 0
  private(set) var timeouts: UInt64 = 0

  private var trips = [Trips](repeating: Trips(), count: sizes.count + 1)
  private var lastHalved = Instant(nanoseconds: .min)
  private var secondEnd: Instant?
  private var usedThisSecond = 0
  private var isClean = true

  /// Where answers count as larger, bytes.
  private static let sizes = [4 << 10, 32 << 10, 256 << 10]

  init(_ parameters: PaceParameters) { allowance = parameters.allowanceStart }

  // MARK: Measured

  /// An answer of so many bytes came after this time.
  mutating func answered(
    after rtt: Duration, bytes: Int = 0, at now: Instant, _ parameters: PaceParameters
  ) {
    timeoutsInRow = 0
    let rtt = max(.nanoseconds(1), rtt)
    if let former = roundTrip {
      variation = (variation * 3 + abs(former - rtt)) / 4
      roundTrip = (former * 7 + rtt) / 8
    } else {
      (roundTrip, variation) = (rtt, rtt / 2)
    }
    let place = Pace.sizes.count { $0 <= bytes }
    let isFirst = trips[place].smoothed == nil
    trips[place].note(rtt, now, parameters)
    if !isFirst, rtt > parameters.queueFrom, let least = trips[place].least, rtt > least * 2 {
      halve(now, parameters)
    }
  }

  /// So many bytes took so long on their way to us.
  mutating func moved(_ bytes: Int, in time: Duration) {
    let nanoseconds = max(1, time.nanoseconds)
    let (scaled, overflow) = max(0, bytes).multipliedReportingOverflow(by: 1_000_000_000)
    let sample = min((overflow ? .max : scaled) / Int(nanoseconds), 1 << 50)
    bandwidth = bandwidth == 0 ? sample : (bandwidth * 7 + sample) / 8
  }

  /// An answer did not come in time.
  mutating func timedOut(at now: Instant, _ parameters: PaceParameters) {
    roll(now, parameters)
    timeouts &+= 1
    timeoutsInRow += 1
    isClean = false
    halve(now, parameters)
  }

  // MARK: What it may be asked for

  /// So many bytes were asked of it.
  mutating func used(_ bytes: Int, at now: Instant, _ parameters: PaceParameters) {
    roll(now, parameters)
    let (sum, overflow) = usedThisSecond.addingReportingOverflow(max(0, bytes))
    usedThisSecond = overflow ? .max : sum
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
    let rate = max(1, parameters.allowanceMin, bandwidth)
    let transfer =
      Duration.seconds(max(0, size) / rate) + .nanoseconds(max(0, size) % rate * 1_000_000_000 / rate)
    return min(parameters.timeoutMax, patience + transfer)
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
  /// A shorter round trip is no sign of a queue: delayed acknowledgements (40 ms) and busy loops double those as well.
  public var queueFrom: Duration = .milliseconds(40)

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("timeoutMin", timeoutMin), ("timeoutMax", timeoutMax), ("shortestFor", shortestFor),
      ("queueFrom", queueFrom),
    ] where !Duration.settings.contains(value) {
      throw ConfigurationError("pace.\(name)", expected: "more than 0, at most ten years", found: "\(value)")
    }
    guard timeoutMin <= timeoutMax else {
      throw ConfigurationError(
        "pace.timeoutMax", expected: "at least timeoutMin (\(timeoutMin))", found: "\(timeoutMax)")
    }
    for (name, value) in [
      ("allowanceMin", allowanceMin), ("allowanceStart", allowanceStart), ("allowanceMax", allowanceMax),
      ("allowanceStep", allowanceStep),
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
