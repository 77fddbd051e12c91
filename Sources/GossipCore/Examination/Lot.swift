/// Whether a message of one peer is examined before it goes on, or goes on first and is examined later.
///
/// With probability `p` it is examined now. `p` is 1 for a peer we know nothing of, falls by a hundredth with each
/// message that proved right, never below a floor, and is 1 again after any that failed. The dice are the node's own,
/// so that nobody can tell from a message whether it will be looked at.
///
///     good messages     0      1       2    …   68    …   298 and more
///     p                 1   0.99   0.9801      0.505       0.05
///
/// Bad messages that pass before one is caught: (1 − p) / p on average, 19 at the floor. Whoever behaves until `p` is
/// down and then spams until caught passes 6 % bad ones.
///
/// Forced, whatever the dice say: after `hopsMax` hops in a row that did not examine, and while ultimate verification
/// is behind (see `Ultimate`).
///
/// Source: Bamboo gossip v2, "Probabilistic instantaneous verification"; figures are ours.
struct Lot: Sendable {
  /// The probability that the next message is examined first.
  private(set) var probability = 1.0

  init() {}

  /// A message of the peer was verified for good.
  mutating func verified(_ parameters: LotParameters) {
    let next =
      switch parameters.descent {
      case .geometric: probability * (1 - parameters.decline)
      case .linear: probability - parameters.decline
      }
    probability = max(parameters.floor, next)
  }

  /// A message of the peer failed, or was taken back.
  mutating func failed() { probability = 1 }

  /// Whether to examine a message before it goes on.
  /// - Parameters:
  ///   - hops: how many in a row did not, as the message says.
  ///   - isBehind: whether ultimate verification missed a deadline.
  ///   - dice: the node's; thrown only if they decide.
  func examinesNow(
    hops: Int, isBehind: Bool, _ parameters: LotParameters, using dice: inout some RandomNumberGenerator
  ) -> Bool {
    guard !isBehind, hops >= 0, hops < parameters.hopsMax, probability < 1 else { return true }
    return Double.random(in: 0..<1, using: &dice) < probability
  }

  /// What a message says, as it goes on, of hops in a row that did not examine it.
  static func hops(after hops: Int, isExamined: Bool) -> Int {
    isExamined ? 0 : min(255, max(0, hops) + 1)
  }
}

/// Parameters of examination by lot.
public struct LotParameters: Hashable, Sendable {
  /// How the probability falls.
  public enum Descent: Hashable, Sendable {
    /// By a share of itself.
    case geometric
    /// By always the same.
    case linear
  }

  /// By how much it falls with each good message.
  public var decline = 0.01
  /// How.
  public var descent = Descent.geometric
  /// The least probability.
  public var floor = 0.05
  /// After so many hops in a row that did not examine a message, we do.
  public var hopsMax = 3
  /// Within what time each message is verified, examined first or not: a block interval.
  public var within: Duration = .seconds(1)
  /// How much longer than that a peer that passed on something bad may take to take it back: a round trip.
  public var retractionWait: Duration = .seconds(1)
  /// Messages that may wait for that.
  public var waitingMax = 16_384

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    guard decline >= 0, decline < 1 else {
      throw ConfigurationError("lot.decline", expected: "0 or more, below 1", found: "\(decline)")
    }
    // Without a floor a peer's exposure has no bound.
    guard floor > 0, floor <= 1 else {
      throw ConfigurationError("lot.floor", expected: "above 0, at most 1", found: "\(floor)")
    }
    guard (1...127).contains(hopsMax) else {
      throw ConfigurationError("lot.hopsMax", expected: "1 to 127", found: "\(hopsMax)")
    }
    for (name, value) in [("within", within), ("retractionWait", retractionWait)] {
      try Rule.duration(value, "lot.\(name)")
    }
    try Rule.count(waitingMax, atMost: 1 << 24, "lot.waitingMax")
  }
}
