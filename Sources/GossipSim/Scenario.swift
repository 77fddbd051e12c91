public import GossipCore

/// A network, a stream of messages, who attacks it, and what goes wrong: everything a simulation needs, derived from
/// one seed.
///
/// With adversaries or disturbances it has two phases: anything goes while the first messages are published; then the
/// weather clears, though the hostile stay, some more messages are published, and everything must arrive.
public struct Scenario: Sendable {
  /// So many participants of one kind.
  public struct Troop: Hashable, Sendable {
    /// What they do.
    public var adversary: Adversary
    /// How many.
    public var count: Int
    /// Made of its parts.
    public init(_ adversary: Adversary, _ count: Int) { (self.adversary, self.count) = (adversary, count) }
  }

  /// How many nodes, the hostile included.
  public var nodes = 100
  /// Who dials whom.
  public var topology = Topology.random(dials: 10)
  /// How links behave.
  public var network = NetworkModel()
  /// Settings of every node.
  public var configuration = Configuration()
  /// The topic's policy.
  public var policy = TopicPolicy()
  /// The topic everybody is on.
  public var topic: Topic = "simulation"
  /// Messages of the stream.
  public var messages = 100
  /// Messages per second, over the whole network.
  public var rate = 10.0
  /// Payload bytes.
  public var size = 1_024
  /// The first so many nodes publish, in turn.
  public var publishers = 1
  /// How long meshes form before the first message.
  public var warmUp: Duration = .seconds(3)
  /// How long to wait for stragglers after the last message.
  public var patience: Duration = .seconds(30)
  /// How many nodes, publishers excepted, crash half way through the stream.
  public var crashes = 0
  /// Whether they come back two seconds later.
  public var restarts = false
  /// The hostile among the nodes.
  public var adversaries: [Troop] = []
  /// What goes wrong, and when.
  public var disturbances: [Disturbance] = []
  /// Whether each message depends on one before it.
  public var chains = false
  /// Messages published after the weather has cleared, when anything was wrong before.
  public var messagesAfter = 10
  /// What honest nodes think of their peers.
  public var standing: Checkers.Standing = Scenario.standing
  /// Events that the whole life takes at most; a network that needs more does not come to rest.
  public var eventsMax = Int.max
  /// Copies a delivery may cost; nil is as many as it takes.
  public var copiesMax: Double?
  /// What everything follows from.
  public var seed: UInt64 = 1

  /// What nodes think of their peers, as they tell it.
  public static let standing: Checkers.Standing = { world, observer, peer in
    guard let regard = world.node(observer)?.regard(for: peer) else { return nil }
    return Checkers.Regard(score: regard.score, isBlocked: regard.isBlocked)
  }

  /// The defaults.
  public init() {}

  /// - Throws: `ConfigurationError` for the first setting that cannot work.
  public func validate() throws(ConfigurationError) {
    func require(_ holds: Bool, _ name: String, _ expected: String, _ found: Any) throws(ConfigurationError) {
      guard holds else { throw ConfigurationError(name, expected: expected, found: "\(found)") }
    }
    try configuration.validate()
    try policy.validate()
    try require((1...100_000).contains(nodes), "nodes", "1 to 100000", nodes)
    try require((0...10_000_000).contains(messages), "messages", "0 to 10000000", messages)
    try require(rate > 0 && rate <= 1e6, "rate", "above 0, at most 1000000", rate)
    let sizeMax = policy.objects?.sizeMax ?? 1_000_000
    try require((8...sizeMax).contains(size), "size", "8 to \(sizeMax) bytes", size)
    try require(
      adversaries.allSatisfy { (0...nodes).contains($0.count) } && hostile < nodes, "adversaries",
      "fewer than the number of nodes (\(nodes))", hostile)
    try require(
      (1...honest).contains(publishers), "publishers", "1 to the number of honest nodes (\(honest))",
      publishers
    )
    try require(
      (0...max(0, honest - publishers)).contains(crashes), "crashes", "0 to honest nodes - publishers",
      crashes)
    try require((0...1_000_000).contains(messagesAfter), "messagesAfter", "0 to 1000000", messagesAfter)
    for disturbance in disturbances { try disturbance.validate() }
    try require((0...1).contains(network.loss), "loss", "0 to 1", network.loss)
    try require(network.jitter >= .zero, "jitter", "at least 0", network.jitter)
    try require(network.bandwidth > 0, "bandwidth", "more than 0 bytes per second", network.bandwidth)
  }

  /// Lives the whole scenario.
  /// - Parameter progress: told now and then how much of the stream was published, 0…1.
  /// - Throws: what `validate` throws.
  public func run(_ progress: (Double) -> Void = { _ in }) throws(ConfigurationError) -> Report {
    try validate()
    var trial = Trial(self)
    return trial.live(progress)
  }

  /// How many are hostile.
  public var hostile: Int { adversaries.reduce(0) { $0 + $1.count } }
  /// How many keep the rules.
  public var honest: Int { nodes - hostile }
  /// Whether anything is wrong, so that it has two phases.
  public var isHard: Bool { hostile > 0 || !disturbances.isEmpty }

  func payload(_ number: Int) -> [UInt8] {
    var dice = WorldDice(seed: UInt64(number))
    var bytes: [UInt8] = []
    while bytes.count < size {
      let word = dice.next()
      for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
    }
    return Array(bytes.prefix(size))
  }
}

extension GossipSubParameters {
  /// Sets the mesh's degree, and the bounds that follow it.
  public mutating func setDegree(_ degree: Int) {
    self.degree = degree
    degreeLow = max(1, degree - 1)
    degreeHigh = degree * 2
    degreeOutbound = max(0, min(2, degree / 2 - 1))
  }
}
