/// What a peer's score leads to.
public enum Standing: String, CaseIterable, Comparable, Hashable, Sendable {
  /// Heard only for subscriptions, and answered nothing.
  case blocked
  /// Neither offered anything nor heard when it offers or wants; its messages are still read.
  case ignored
  /// Not in the mesh; offers and wants are as with everybody.
  case gossipOnly = "gossip only"
  case welcome

  /// The worse first.
  public static func < (a: Standing, b: Standing) -> Bool { a.rank < b.rank }

  private var rank: Int {
    switch self {
    case .blocked: 0
    case .ignored: 1
    case .gossipOnly: 2
    case .welcome: 3
    }
  }

  /// What a score leads to.
  init(_ score: Double, _ thresholds: ScoreThresholds) {
    self =
      if score < thresholds.graylist {
        .blocked
      } else if score < thresholds.gossip {
        .ignored
      } else if score < 0 {
        .gossipOnly
      } else {
        .welcome
      }
  }
}

/// What a node tells about its judgement of peers.
public enum ReputationNotice: Hashable, Sendable {
  /// A peer's score crossed a threshold; `isActing` is false where this is only watched.
  case standing(PeerID, Standing, from: Standing, isActing: Bool)
  /// So many of the connected peers look bad at once that this node blames itself.
  case selfBlame(suspects: Int, connected: Int)
}

/// Why a peer's scores are what they are: every term, and what was seen of it last.
public struct Explanation: Hashable, Sendable {
  /// Of whom this is.
  public let peer: PeerID
  /// GossipSub's score: the sum of `terms`.
  public let score: Double
  /// Its terms; those that are 0 are left out.
  public let terms: [ScoreTerm]
  /// Bamboo's score: the square of the integrity times the sum of the others.
  public let partnerScore: Double
  /// Its four factors.
  public let factors: [ScoreFactor]
  /// What the score calls for.
  public let verdict: Standing
  /// What is done; other than `verdict` where scores are only watched.
  public let standing: Standing
  /// The last observations, at most 32, the oldest first.
  public let sightings: [Sighting]
  /// Whether most peers look so bad at the moment that the node blames itself.
  public let isSelfBlaming: Bool
  /// When this was so.
  public let at: Instant
}

/// One term of GossipSub's score.
public struct ScoreTerm: Hashable, Sendable {
  /// What it counts.
  public enum Kind: String, CaseIterable, Hashable, Sendable {
    case timeInMesh = "P1 time in mesh"
    case firstDeliveries = "P2 first deliveries"
    case meshDeliveries = "P3 mesh deliveries"
    case meshFailures = "P3b mesh failures"
    case invalidMessages = "P4 invalid messages"
    case topicCap = "cap of topics"
    case application = "P5 application"
    case colocation = "P6 shared addresses"
    case behaviour = "P7 behaviour"
    case slow = "slow"
  }

  /// What it counts.
  public let kind: Kind
  /// On which topic, if on one.
  public let topic: Topic?
  /// How much was counted.
  public let counter: Double
  /// Its weight, times that of its topic.
  public let weight: Double
  /// What it adds to the score.
  public let contribution: Double
}

/// One factor of Bamboo's score.
public struct ScoreFactor: Hashable, Sendable {
  /// What it is called.
  public let name: String
  /// From 0 to 1.
  public let value: Double
  /// Its share; integrity has none, since it multiplies.
  public let share: Double?
}

/// Something seen of a peer.
public struct Sighting: Hashable, Sendable {
  /// What was seen.
  public let observation: Observation
  /// On which topic, if on one.
  public let topic: Topic?
  /// How often.
  public internal(set) var count: Int
  /// When it was seen last.
  public internal(set) var at: Instant
}

extension Explanation: CustomStringConvertible {
  /// A table for people.
  public var description: String {
    var rows = [
      "\(peer): \(standing.rawValue)" + (verdict == standing ? "" : ", would be \(verdict.rawValue)")
        + (isSelfBlaming ? " (most peers look bad: we blame ourselves)" : ""),
      "peer score \(Self.short(score))",
    ]
    for term in terms {
      let name = term.kind.rawValue + (term.topic.map { " on \($0.name.prefix(32))" } ?? "")
      rows.append(
        Self.row(name, Self.short(term.counter), Self.short(term.weight), Self.short(term.contribution)))
    }
    rows.append("partner score \(Self.short(partnerScore))")
    for factor in factors {
      rows.append(Self.row(factor.name, Self.short(factor.value), factor.share.map(Self.short) ?? "G²", ""))
    }
    if !sightings.isEmpty { rows.append("seen") }
    for sighting in sightings {
      let name = sighting.observation.rawValue + (sighting.topic.map { " on \($0.name.prefix(32))" } ?? "")
      rows.append(
        Self.row(name, "\(sighting.count)", "\(Self.short((at - sighting.at).inSeconds)) s ago", ""))
    }
    return rows.joined(separator: "\n")
  }

  private static func row(_ name: String, _ cells: String...) -> String {
    let padded = cells.map { String(repeating: " ", count: max(1, 14 - $0.count)) + $0 }.joined()
    return "  " + name + String(repeating: " ", count: max(0, 40 - name.count)) + padded
  }

  /// With at most three places behind the point.
  private static func short(_ value: Double) -> String {
    guard abs(value) < 1e9 else { return "\(value)" }
    let text = "\((value * 1_000).rounded() / 1_000)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
