/// Time as the core knows it: nanoseconds on a monotonic clock that somebody else reads.
///
/// The host feeds a monotonic clock, the simulator a virtual one. Wall-clock steps cannot disturb a timer,
/// and all sums saturate, so a peer that names an absurd duration cannot overflow one.

/// A point on the monotonic clock of whoever drives the node.
public struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since that clock's own zero.
  public let nanoseconds: Int64

  /// The point this many nanoseconds after zero.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// The clock's zero.
  public static let zero = Instant(nanoseconds: 0)
  /// Later than anything that happens.
  public static let distantFuture = Instant(nanoseconds: .max)

  /// Whether the first comes before the second.
  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// That much later; saturates.
  public static func + (instant: Instant, duration: Duration) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
    return Instant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
  }

  /// That much earlier; saturates.
  public static func - (instant: Instant, duration: Duration) -> Instant {
    let (sum, overflow) = instant.nanoseconds.subtractingReportingOverflow(duration.nanoseconds)
    return Instant(nanoseconds: overflow ? (duration < .zero ? .max : .min) : sum)
  }

  /// The time between the two; saturates.
  public static func - (later: Instant, earlier: Instant) -> Duration {
    let (difference, overflow) = later.nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
    return .nanoseconds(overflow ? (later > earlier ? Int64.max : .min) : difference)
  }
}

extension Duration {
  /// The duration in whole nanoseconds, saturating at ± 292 years.
  public var nanoseconds: Int64 {
    // 10⁹ is 2⁹ · 5⁹: what lasts less than two hours is divided in one word.
    if let short = UInt64(exactly: attoseconds &>> 9) { return Int64(short / 1_953_125) }
    return Int64(clamping: attoseconds / 1_000_000_000)
  }

  /// The duration in seconds, for people and for reports.
  public var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }

  /// The duration in milliseconds, for people and for reports.
  public var inMilliseconds: Double { inSeconds * 1_000 }
}
