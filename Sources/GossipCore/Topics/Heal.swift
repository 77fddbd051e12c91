/// What brings a topic's members what its spread missed; any combination.
///
/// Source: Fabric's pull (digests) and state transfer (heights); the Internet Computer's retransmission (on link).
public struct Heal: Hashable, Sendable {
  /// Compares what we hold with a few random members, so often (Fabric: 4 s); nil never does. Not more often than a
  /// round takes, see `AntiEntropyParameters`.
  public var digestsEvery: Duration?
  /// Tells and asks for positions without gaps, so often (Fabric: 10 s); needs `Meaning.position`. nil never does.
  public var heightsEvery: Duration?
  /// Asks each new member to tell again what it holds, and everybody each minute (the Internet Computer: 60 s).
  public var onLink: Bool

  /// Off, unless something is said.
  public init(digestsEvery: Duration? = nil, heightsEvery: Duration? = nil, onLink: Bool = false) {
    (self.digestsEvery, self.heightsEvery, self.onLink) = (digestsEvery, heightsEvery, onLink)
  }

  /// Whether anything is healed.
  public var isOn: Bool { digestsEvery != nil || heightsEvery != nil || onLink }

  /// Digests, so often.
  public static func digests(every interval: Duration) -> Heal { Heal(digestsEvery: interval) }
  /// Heights, so often.
  public static func heights(every interval: Duration) -> Heal { Heal(heightsEvery: interval) }
  /// Resending on each new link.
  public static let onLink = Heal(onLink: true)

  func validate(_ meaning: Meaning) throws(ConfigurationError) {
    for (name, interval) in [("digestsEvery", digestsEvery), ("heightsEvery", heightsEvery)] {
      guard let interval, !Duration.settings.contains(interval) else { continue }
      throw ConfigurationError(
        "heal.\(name)", expected: "more than 0, at most ten years", found: "\(interval)")
    }
    guard heightsEvery == nil || meaning.position != nil else {
      throw ConfigurationError(
        "heal.heightsEvery", expected: "nil, since meaning.position is not given",
        found: "\(heightsEvery ?? .zero)")
    }
  }
}

/// How long a node keeps a topic's messages for those who lack them; always within the store's bounds.
public enum Retention: Hashable, Sendable {
  /// As long as GossipSub's history: five heartbeats unless configured otherwise.
  case heartbeats
  /// So long after they came.
  case during(Duration)
  /// Those at the highest positions, so many and the one before; needs `Meaning.position`. As Fabric keeps blocks.
  ///
  /// On a topic this node publishes to without being on it, they are kept like `heartbeats`.
  ///
  /// What lies farther below the highest position is stale. Judge such topics: whoever may publish a very high
  /// position decides what is kept.
  case last(Int)

  func validate(_ meaning: Meaning) throws(ConfigurationError) {
    switch self {
    case .heartbeats: break
    case .during(let time):
      guard !Duration.settings.contains(time) else { return }
      throw ConfigurationError(
        "retention", expected: "more than 0, at most ten years", found: "during \(time)")
    case .last(let count):
      guard count >= 1 else {
        throw ConfigurationError("retention", expected: "the last 1 or more", found: "\(count)")
      }
      guard meaning.position != nil else {
        throw ConfigurationError(
          "retention", expected: "another than last, since meaning.position is not given",
          found: "last \(count)")
      }
    }
  }
}

/// What an application knows of a topic's messages and the node does not: pure functions, called often. Of an object too
/// large for one message they are shown the first 512 bytes.
public struct Meaning: Sendable {
  /// What a message is about, and how new it is: a newer one about the same replaces an older one.
  public var subject: (@Sendable (Payload) -> Subject?)?
  /// A message's place in a sequence without gaps: a block's number.
  public var position: (@Sendable (Payload) -> UInt64?)?
  /// What an advert tells of a message besides its name, at most `Advert.attributeSizeMax` bytes.
  public var attribute: (@Sendable (Payload) -> [UInt8])?
  /// How urgent an advertised message is. Subscribe again to have everything ranked anew.
  public var rank: (@Sendable (MessageID, _ attribute: [UInt8]) -> Priority)?
  /// What we tell others to leave out when they resend, at most 1,024 bytes.
  public var filter: (@Sendable () -> [UInt8])?
  /// Whether a message passes another node's filter.
  public var passes: (@Sendable (_ filter: [UInt8], Payload) -> Bool)?

  /// Nothing is known.
  public init(
    subject: (@Sendable (Payload) -> Subject?)? = nil, position: (@Sendable (Payload) -> UInt64?)? = nil,
    attribute: (@Sendable (Payload) -> [UInt8])? = nil,
    rank: (@Sendable (MessageID, _ attribute: [UInt8]) -> Priority)? = nil,
    filter: (@Sendable () -> [UInt8])? = nil,
    passes: (@Sendable (_ filter: [UInt8], Payload) -> Bool)? = nil
  ) {
    (self.subject, self.position, self.attribute) = (subject, position, attribute)
    (self.rank, self.filter, self.passes) = (rank, filter, passes)
  }
}

/// What a message is about, and how new it is.
public struct Subject: Hashable, Sendable {
  /// What it is about, at most 64 bytes.
  public let name: [UInt8]
  /// Higher is newer.
  public let version: UInt64

  /// Made of its parts.
  public init(_ name: [UInt8], version: UInt64) { (self.name, self.version) = (name, version) }
}

/// How urgent an advertised message is.
///
/// Source: the Internet Computer's priority function.
public enum Priority: UInt8, CaseIterable, Comparable, Hashable, Sendable {
  /// Never wanted.
  case drop
  /// Perhaps wanted later: remembered, not fetched.
  case stash
  /// Fetched when nothing else waits.
  case later
  case fetch
  /// Fetched before everything else.
  case fetchNow

  /// The less urgent first.
  public static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
}
