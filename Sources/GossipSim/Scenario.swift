public import GossipCore

/// A network, a stream of messages, and what goes wrong: everything a simulation needs, derived from one seed.
public struct Scenario: Sendable {
  /// How many nodes.
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
  /// What everything follows from.
  public var seed: UInt64 = 1

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
      (1...nodes).contains(publishers), "publishers", "1 to the number of nodes (\(nodes))", publishers)
    try require(
      (0...max(0, nodes - publishers)).contains(crashes), "crashes", "0 to nodes - publishers", crashes)
    try require((0...1).contains(network.loss), "loss", "0 to 1", network.loss)
    try require(network.jitter >= .zero, "jitter", "at least 0", network.jitter)
    try require(network.bandwidth > 0, "bandwidth", "more than 0 bytes per second", network.bandwidth)
  }

  /// Lives the whole scenario.
  /// - Parameter progress: told now and then how much of the stream was published, 0…1.
  /// - Throws: what `validate` throws.
  public func run(_ progress: (Double) -> Void = { _ in }) throws(ConfigurationError) -> Report {
    try validate()
    var world = World(network, seed: seed)
    var dice = WorldDice(seed: seed ^ 0x5cea_4a10)
    populate(&world, &dice)
    world.run(for: warmUp)
    let before = world.meter
    let victims = Array((publishers..<nodes).shuffled(using: &dice).prefix(crashes))
    let pause = Duration.nanoseconds(Int64(1e9 / rate))
    for number in 0..<messages {
      if number == messages / 2 { for victim in victims { world.crash(victim) } }
      if restarts { revive(victims, &world, &dice, after: number) }
      world.publish(payload(number), to: topic, by: number % publishers, policy: policy)
      world.run(for: pause)
      if number % 64 == 0 { progress(Double(number) / Double(messages)) }
    }
    let expected = world.publications.count * max(0, survivors(world).count - 1)
    world.run(for: patience) { Report.reached($0, survivors($0)) >= expected }
    progress(1)
    return Report(self, world, survivors(world), since: before)
  }

  private func populate(_ world: inout World, _ dice: inout WorldDice) {
    for _ in 0..<nodes { world.add(configuration) }
    for index in 0..<nodes { world.tell(index, .subscribe(topic, policy)) }
    for (a, b) in topology.links(among: nodes, &dice) { world.connect(a, b) }
  }

  /// Two simulated seconds after the crash, at the latest with half of the rest to go, the victims come back, linked
  /// anew.
  private func revive(_ victims: [Int], _ world: inout World, _ dice: inout WorldDice, after number: Int) {
    let pause = min(Int(rate * 2), (messages - messages / 2) / 2)
    guard number == messages / 2 + pause else { return }
    for victim in victims {
      world.restart(victim)
      world.tell(victim, .subscribe(topic, policy))
      let others = (0..<nodes).filter { $0 != victim }.shuffled(using: &dice)
      for other in others.prefix(4) { world.connect(victim, other) }
    }
  }

  /// Nodes that lived through everything: a message is owed to these.
  private func survivors(_ world: World) -> [Int] {
    (0..<nodes).filter { world.isAlive($0) && world.life(of: $0) == 0 }
  }

  private func payload(_ number: Int) -> Payload {
    var dice = WorldDice(seed: UInt64(number))
    var bytes: [UInt8] = []
    while bytes.count < size {
      let word = dice.next()
      for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
    }
    return Payload(Array(bytes.prefix(size)))
  }
}
