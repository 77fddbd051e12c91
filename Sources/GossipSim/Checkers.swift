public import GossipCore

/// Watches honest nodes from outside: it sees what they deliver, how much they hold, and in the end who got what. No
/// node knows of it, and it believes no node.
///
/// At each step: *once*, *believed*, *segregated*, *attributed*, *bounded*. In the end: *everyone*, *isolated*,
/// *just*, *frugal*.
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
    /// No honest peer is blocked by an honest one.
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

  /// What a peer is worth to an observer; nil if nobody keeps account of it.
  public typealias Standing =
    @Sendable (World, _ observer: Int, _ peer: PeerID) -> (score: Double, isBlocked: Bool)?

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
  /// Per message, a bit for each participant that was given it in its present life.
  private var met: [[UInt64]] = []

  private static let findingsMax = 100

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

  // MARK: In the end

  /// Looks at what honest nodes think of the peers they are linked with: on the average every attacker that somebody
  /// has seen doing something must be worth less than every honest peer. A single node may have had nothing to do with
  /// either.
  public mutating func standings(in world: World, _ standing: Standing) {
    injustice(in: world, standing)
    var worth = [(sum: Double, count: Int)](repeating: (0, 0), count: world.count)
    var isAccused = [Bool](repeating: false, count: world.count)
    for observer in 0..<world.count where world.isAlive(observer) && !world.isHostile(observer) {
      for other in world.linked(with: observer) {
        guard let (score, _) = standing(world, observer, world.peer(other)) else { continue }
        worth[other] = (worth[other].sum + score, worth[other].count + 1)
        if world.isHostile(other), !isAccused[other] {
          isAccused[other] = world.node(observer)?.explain(world.peer(other)).sightings.isEmpty == false
        }
      }
    }
    let means = worth.map { $0.count == 0 ? nil : $0.sum / Double($0.count) }
    let honest = means.indices.filter { !world.isHostile($0) }.compactMap { means[$0] }
    guard let least = honest.min() else { return }
    for (other, mean) in means.enumerated() where world.isHostile(other) && isAccused[other] {
      guard let mean, mean >= least else { continue }
      find(
        .isolated,
        "attacker \(other) is worth \(Report.rounded(mean)), an honest node \(Report.rounded(least))")
    }
  }

  /// Looks whether an honest node has shut out another one.
  public mutating func injustice(in world: World, _ standing: Standing) {
    for observer in 0..<world.count where world.isAlive(observer) && !world.isHostile(observer) {
      for other in world.linked(with: observer) where !world.isHostile(other) {
        guard standing(world, observer, world.peer(other))?.isBlocked == true else { continue }
        find(.just, "node \(observer) blocks node \(other), which keeps the rules")
      }
      for record in world.node(observer)?.blacklist(wallClock: 0) ?? [] {
        guard let other = world.place(of: record.peer), !world.isHostile(other) else { continue }
        find(.just, "node \(observer) bars node \(other), which keeps the rules: \(record.reason.text)")
      }
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
