/// How much of each kind one peer may send us.
///
/// A token bucket per class, once for things and once for bytes. What a bucket holds is kept as the instant at which it
/// will be full again, so that time fills it by itself:
///
///     full' = max(full, now) + amount / rate,   allowed while full' − now ≤ burst / rate
///
/// The defaults are what no honest node reaches, so that going beyond is flooding: a node handles some 40,000 messages a
/// second from all its peers together, and one peer alone may send more than that for ever.
///
/// Source: the idea of rate limits is in every anchor, none of their figures are (flow-go: 500 messages a second and
/// peer); ours are a small multiple of the fastest node we measured.
struct Budgets: Sendable {
  /// What is left of one budget.
  struct Bucket: Sendable {
    /// When it will be full again.
    var full = Instant(nanoseconds: .min)

    /// How much later than allowed it would be full after `amount` more; not positive if that is within the budget.
    func excess(_ amount: Int, _ budget: Budget, _ now: Instant) -> Duration {
      var copy = self
      return .nanoseconds(copy.charge(amount, budget, now))
    }

    mutating func take(_ amount: Int, _ budget: Budget, _ now: Instant) { _ = charge(amount, budget, now) }

    /// Takes so much, whether it is there or not.
    /// - Returns: how much later than allowed it is full now, in nanoseconds; not positive if that is within the budget.
    mutating func charge(_ amount: Int, _ budget: Budget, _ now: Instant) -> Int64 {
      let (now, burst) = (max(now.nanoseconds, -.max), budget.nanoseconds(budget.burst))
      let then = max(full.nanoseconds, now).adding(budget.nanoseconds(amount))
      // No debt larger than a burst: whoever stops is free again soon.
      full = Instant(nanoseconds: min(then, now.adding(burst).adding(burst)))
      return then.adding(-now).adding(-burst)
    }
  }

  private var things = [Bucket](repeating: Bucket(), count: BudgetClass.allCases.count)
  private var bytes = [Bucket](repeating: Bucket(), count: BudgetClass.allCases.count)
  /// Times a budget was exceeded.
  private(set) var exceeded: UInt64 = 0

  init() {}

  /// Takes so much out of a class's budget, for it is here already.
  /// - Returns: how long not to read from the peer until it is within its budget again; zero if it is.
  mutating func charge(
    _ count: Int, _ size: Int, of kind: BudgetClass, at now: Instant, _ parameters: BudgetParameters
  ) -> Duration {
    let (place, limits) = (kind.index, parameters[kind])
    let excess = max(
      things[place].charge(count, limits.things, now), bytes[place].charge(size, limits.bytes, now))
    guard excess > 0 else { return .zero }
    exceeded &+= 1
    return .nanoseconds(excess)
  }
}

/// Kinds of what a peer sends, each with a budget of its own.
public enum BudgetClass: Int, CaseIterable, Hashable, Sendable {
  /// Messages; things are messages.
  case messages
  /// Offers, adverts, digests, slots, summaries; things are ids.
  case offers
  /// Wants, fetches, spans, questions; things are ids.
  case wants
  /// Subscriptions, grafts, prunes, and what not to send; things are topics and ids.
  case words
  /// What answers us: had, lack, replies; things are ids.
  case answers

  var index: Int { rawValue }
}

/// A rate and how much may come at once.
public struct Budget: Hashable, Sendable {
  /// Per second.
  public var rate: Int
  /// At once, after a pause of `burst / rate`.
  public var burst: Int

  /// Made of its parts.
  public init(rate: Int, burst: Int) { (self.rate, self.burst) = (rate, burst) }

  /// How long it takes until so much is there again.
  func time(_ amount: Int) -> Duration { .nanoseconds(nanoseconds(amount)) }

  fileprivate func nanoseconds(_ amount: Int) -> Int64 {
    let (amount, divisor) = (UInt64(max(0, amount)), UInt64(max(1, rate)))
    let (product, overflow) = amount.multipliedReportingOverflow(by: 1_000_000_000)
    if !overflow { return Int64(clamping: product / divisor) }
    // 128 bits: no amount is too large.
    let wide = amount.multipliedFullWidth(by: 1_000_000_000)
    guard wide.high < divisor else { return .max }
    return Int64(clamping: divisor.dividingFullWidth(wide).quotient)
  }

  var burstTime: Duration { time(burst) }
}

extension Int64 {
  /// The sum; saturates.
  fileprivate func adding(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }
}

/// Parameters of the budgets.
public struct BudgetParameters: Hashable, Sendable {
  /// The budgets of one class.
  public struct Limits: Hashable, Sendable {
    /// Messages or ids.
    public var things: Budget
    /// Their bytes.
    public var bytes: Budget

    /// Made of its parts.
    public init(things: Budget, bytes: Budget) { (self.things, self.bytes) = (things, bytes) }
  }

  /// Of messages: 64 MiB a second for a slow network would be plenty; a loopback brings half a gigabyte.
  public var messages = Limits(
    things: Budget(rate: 100_000, burst: 200_000), bytes: Budget(rate: 1 << 30, burst: 1 << 30))
  /// Of offers: several ids per message.
  public var offers = Limits(
    things: Budget(rate: 400_000, burst: 800_000), bytes: Budget(rate: 64 << 20, burst: 128 << 20))
  /// Of wants.
  public var wants = Limits(
    things: Budget(rate: 400_000, burst: 800_000), bytes: Budget(rate: 64 << 20, burst: 128 << 20))
  /// Of subscriptions, mesh words and what not to send: some for each message.
  public var words = Limits(
    things: Budget(rate: 200_000, burst: 400_000), bytes: Budget(rate: 64 << 20, burst: 128 << 20))
  /// Of answers.
  public var answers = Limits(
    things: Budget(rate: 400_000, burst: 800_000), bytes: Budget(rate: 1 << 30, burst: 1 << 30))

  /// The defaults.
  public init() {}

  /// The budgets of a class.
  public subscript(kind: BudgetClass) -> Limits {
    switch kind {
    case .messages: messages
    case .offers: offers
    case .wants: wants
    case .words: words
    case .answers: answers
    }
  }

  func validate() throws(ConfigurationError) {
    for kind in BudgetClass.allCases {
      for (name, budget) in [("things", self[kind].things), ("bytes", self[kind].bytes)] {
        try Rule.budget(budget, "budgets.\(kind).\(name)")
      }
    }
  }
}
