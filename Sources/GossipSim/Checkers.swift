public import GossipCore

/// Watches honest nodes from outside: it sees what they deliver, how much they hold, and in the end who got what. No
/// node knows of it, and it believes no node.
///
/// At each step: *once*, *believed*, *segregated*, *attributed*, *bounded*, *just*. In the end: *everyone*, *isolated*,
/// *frugal*.
public struct Checkers: Sendable {
  /// What can be found.
  public enum Checker: String, CaseIterable, Hashable, Sendable {
    /// No message is delivered twice to one application.
    case once
    /// What is delivered was proven or judged as its topic asks, and somebody published it.
    case believed
    /// Nothing is delivered on a topic that the application is not on.
    case segregated
    /// The author delivered is who published it.
    case attributed
    /// What peers can fill stays within its limits.
    case bounded
    /// Everything reaches everybody it is owed to.
    case everyone
    /// Whoever attacks is worth less than every honest peer, or is blocked.
    case isolated
    /// No honest peer is blocked or barred by an honest one, not for a moment.
    case just
    /// A delivery costs so many copies at most.
    case frugal
  }

  /// Something that should not be.
  public struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// Who found it.
    public let checker: Checker
    /// What it is.
    public let what: String
    /// In words for people.
    public var description: String { "\(checker.rawValue): \(what)" }
  }

  /// What a peer is worth to an observer.
  public struct Regard: Hashable, Sendable {
    /// Its score.
    public var score: Double
    /// Whether it is neither heard nor served.
    public var isBlocked: Bool

    /// Made of its parts.
    public init(score: Double, isBlocked: Bool = false) {
      (self.score, self.isBlocked) = (score, isBlocked)
    }
  }

  /// What a peer is worth to an observer; nil if nobody keeps account of it.
  public typealias Standing = @Sendable (World, _ observer: Int, _ peer: PeerID) -> Regard?

  /// A delivery, as it is seen from outside.
  public struct Sight: Sendable {
    let message: Message
    /// The message's number in `World.messages`.
    let number: Int
    let participant: Int
    /// The policy under which the application is on the topic; nil if it is not.
    let policy: TopicPolicy?
    /// What the application says of it; nil if it was not asked.
    let verdict: Verdict?
    /// Who published a message of this name.
    let publisher: Int?
    /// Whom it claims as its author, if that is a participant.
    let author: Int?
    /// Whether that one may publish what it likes.
    let isOfHostile: Bool
  }

  /// What was found so far, the first hundred.
  public private(set) var findings: [Finding] = []
  /// How often each found something.
  public private(set) var counts: [Checker: Int] = [:]
  /// The most that any honest node held of each.
  public private(set) var peak = Sizes()
  /// What nodes may hold.
  public var bounds: Sizes
  /// The worst standing that an honest peer ever had with an honest one.
  public private(set) var worstStanding = GossipCore.Standing.welcome
  /// Per message, a bit for each participant that was given it in its present life.
  private var met: [[UInt64]] = []
  /// Who did whom an injustice; each is found once.
  private var wrongs: Set<Wrong> = []  // looked up only

  private static let findingsMax = 100

  private struct Wrong: Hashable {
    let observer: Int
    let other: Int
    let isBar: Bool
  }

  /// Checkers that hold nodes to the limits of their configuration.
  public init(_ configuration: Configuration = Configuration()) {
    bounds = Sizes.bounds(of: configuration)
  }

  /// Takes note of something that should not be.
  public mutating func find(_ checker: Checker, _ what: @autoclosure () -> String) {
    counts[checker, default: 0] += 1
    if findings.count < Checkers.findingsMax { findings.append(Finding(checker: checker, what: what())) }
  }

  // MARK: At each step

  mutating func died(_ participant: Int) {
    let (word, bit) = (participant >> 6, UInt64(1) << UInt64(participant & 63))
    for number in met.indices where word < met[number].count { met[number][word] &= ~bit }
  }

  /// Looks at a delivery.
  public mutating func delivered(_ sight: Sight) {
    let node = "node \(sight.participant)"
    let name = "\(sight.message.id)"
    if !meet(sight.number, sight.participant) { find(.once, "\(node) delivered \(name) again") }
    guard let policy = sight.policy else {
      return find(.segregated, "\(node) delivered \(name) on \(sight.message.topic), where it is not")
    }
    if sight.verdict.map({ $0 != .accept }) ?? false {
      find(.believed, "\(node) delivered \(name), of which its application says \(sight.verdict!)")
    }
    let wire = sight.message.wire
    if policy.signing == .strictSign || wire.signature != nil, !Notional.isAuthentic(wire) {
      find(.believed, "\(node) delivered \(name), which its author did not sign")
    }
    if sight.publisher == nil, !sight.isOfHostile, policy.signing == .strictSign {
      find(.believed, "\(node) delivered \(name), which nobody published")
    }
    if policy.signing == .strictSign, let publisher = sight.publisher, sight.author != publisher {
      find(.attributed, "\(node) was told that \(name) is by \(sight.author.map { "\($0)" } ?? "nobody")")
    }
  }

  /// Takes note that a message was met; false if it was before.
  private mutating func meet(_ number: Int, _ participant: Int) -> Bool {
    while met.count <= number { met.append([]) }
    let (word, bit) = (participant >> 6, UInt64(1) << UInt64(participant & 63))
    while met[number].count <= word { met[number].append(0) }
    defer { met[number][word] |= bit }
    return met[number][word] & bit == 0
  }

  /// Looks at how much a node holds.
  public mutating func held(_ sizes: Sizes, by participant: Int) {
    for (name, size) in Sizes.names {
      let (held, bound) = (sizes[keyPath: size], bounds[keyPath: size])
      if held > bound { find(.bounded, "node \(participant) holds \(held) \(name), more than \(bound)") }
      peak[keyPath: size] = max(peak[keyPath: size], held)
    }
  }

  /// Hears what an honest node thinks of an honest peer from now on: the moment is seen even if it passes.
  /// - Parameter why: what it saw of it, for people.
  mutating func judged(
    _ other: Int, _ standing: GossipCore.Standing, by observer: Int, _ why: String
  ) {
    worstStanding = min(worstStanding, standing)
    if standing == .blocked { wrong(other, by: observer, isBar: false, why) }
  }

  /// Hears that an honest node bars an honest peer.
  mutating func barred(_ other: Int, by observer: Int, _ why: String) {
    wrong(other, by: observer, isBar: true, why)
  }

  private mutating func wrong(_ other: Int, by observer: Int, isBar: Bool, _ why: String = "") {
    guard wrongs.insert(Wrong(observer: observer, other: other, isBar: isBar)).inserted else { return }
    find(
      .just,
      "node \(observer) \(isBar ? "bars" : "blocks") node \(other), which keeps the rules"
        + (why.isEmpty ? "" : ": \(why)"))
  }

  /// Looks whether an honest node has shut out another one, whatever it tells.
  mutating func injustice(_ injustice: World.Injustice) {
    for (observer, other) in injustice.blocked { wrong(other, by: observer, isBar: false) }
    for (observer, other, reason) in injustice.barred { wrong(other, by: observer, isBar: true, reason.text) }
  }

  // MARK: In the end

  /// Looks at what honest nodes think of the peers they are linked with: on the average every attacker that somebody
  /// has seen doing something must be worth less than every honest peer. A single node may have had nothing to do with
  /// either.
  mutating func isolation(_ worth: World.Worth) {
    guard let least = worth.peers.lazy.filter({ !$0.isHostile }).map(\.score).min() else { return }
    for peer in worth.peers where peer.isHostile && peer.isAccused && peer.score >= least {
      find(
        .isolated,
        "attacker \(peer.place) is worth \(Report.rounded(peer.score)), an honest node \(Report.rounded(least))"
      )
    }
  }

  /// Looks at what deliveries cost.
  public mutating func cost(_ copies: Double, atMost: Double) {
    if copies > atMost { find(.frugal, "\(Report.rounded(copies)) copies per delivery, more than \(atMost)") }
  }

  /// Looks whether the network came to rest.
  public mutating func rest(after events: Int, atMost: Int) {
    if events >= atMost { find(.bounded, "no rest after \(events) events") }
  }

  /// Looks at what reached whom.
  public mutating func reached(_ delivered: Int, of owed: Int) {
    if delivered < owed { find(.everyone, "\(owed - delivered) of \(owed) deliveries did not happen") }
  }
}

extension Sizes {
  /// Everything that can be filled, by name.
  static var names: [(String, WritableKeyPath<Sizes, Int>)] {
    [
      ("seen ids", \.seen), ("messages", \.stored), ("bytes of messages", \.storedBytes), ("wants", \.wants),
      ("examinations", \.checks), ("waiting messages", \.awaiting), ("needs", \.needs),
      ("bytes of objects", \.objectBytes), ("alarms", \.alarms), ("peers", \.peers),
      ("entries per peer", \.perPeer),
    ]
  }

  /// What a node of this configuration may hold; what has no limit of its own gets a generous one.
  static func bounds(of configuration: Configuration) -> Sizes {
    let limits = configuration.limits
    var bounds = Sizes()
    bounds.seen = limits.seenMax
    bounds.stored = limits.storeCountMax
    // A message that is larger than the store is still kept, alone.
    bounds.storedBytes = limits.storeSizeMax + configuration.wire.frameSizeMax
    bounds.wants = limits.wantsMax
    bounds.checks = limits.checksOpen + limits.awaitingMax
    bounds.awaiting = limits.awaitingMax
    bounds.needs = limits.needsMax
    bounds.objectBytes = limits.objectsSizeMax
    bounds.alarms = 1_024 + limits.wantsMax
    bounds.peers = 4_096
    bounds.perPeer = 1 << 17
    return bounds
  }
}
