import GossipCore
import GossipSim
import Testing

@Suite struct `Infection in a simulated network` {
  private let policy = TopicPolicy(
    spread: .infection, signing: .strictNoSign, identification: .contentHash)

  private struct Figures {
    /// Share of the honest nodes that have a message, its publisher among them.
    var reached = 0.0
    /// Share of the messages that reached more than half of the honest, and how many of them these reached.
    var alive = 0.0
    var reachedAlive = 0.0
    /// Offers and bodies, per honest node and message.
    var offers = 0.0
    var bodies = 0.0
    /// From publication to the last delivery.
    var last = Duration.zero
  }

  /// A hundred nodes, of which the last `masked` wear a mask; messages are published one after the other.
  private func figures(
    _ messages: Int, seed: UInt64, saturation: Int = 80, masked: Int = 0, _ adversary: Adversary = .silent,
    patience: Duration = .seconds(3), heal: Heal = Heal()
  ) -> Figures {
    var policy = policy
    policy.heal = heal
    var configuration = Configuration()
    configuration.infection.stopRule = .production(saturation: saturation)
    configuration.gossipSub.historyLength = 200
    var world = World(seed: seed)
    let honest = 100 - masked
    let plot = Plot(topic: "t", policy: policy)
    for index in 0..<100 {
      if index < honest { world.add(configuration) } else { world.add(adversary, plot, configuration) }
      world.tell(index, .subscribe("t", policy))
    }
    for a in 0..<100 { for b in a + 1..<100 { world.connect(a, b) } }
    world.run(for: .seconds(1))
    var dice = WorldDice(seed: seed)
    for number in 0..<messages {
      let publisher = Int.random(in: 0..<honest, using: &dice)
      world.publish(Payload("message \(number)"), to: "t", by: publisher, policy: policy)
      world.run(for: .milliseconds(20))
    }
    world.run(for: patience)
    let deliveries = world.deliveries.filter { $0.participant < honest }
    let counters = (0..<honest).compactMap { world.node($0)?.counters }
    let count = Double(messages * honest)
    var figures = Figures()
    figures.reached = Double(deliveries.count + messages) / count
    figures.offers = Double(counters.reduce(0) { $0 + $1.offersMade }) / count
    figures.bodies = Double(counters.reduce(0) { $0 + $1.messagesReceived }) / count
    var copies = [Int](repeating: 0, count: world.messages.count)
    for delivery in deliveries { copies[Int(delivery.number)] += 1 }
    let alive = copies.map { $0 + 1 }.filter { 2 * $0 > honest }  // its publisher has it, too
    figures.alive = Double(alive.count) / Double(messages)
    figures.reachedAlive = Double(alive.reduce(0, +)) / Double(max(1, alive.count) * honest)
    figures.last = deliveries.map { $0.at - world.publications[world.messages[Int($0.number)]]!.at }
      .max()!
    return figures
  }

  // CA-12
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `reaches everybody with thirteen offers and one body per node, at 80 %`(seed: UInt64) {
    let figures = figures(10, seed: seed)
    #expect(figures.reached == 1)
    #expect((12.5...13.5).contains(figures.offers), "\(figures)")
    #expect((0.98...1.01).contains(figures.bodies), "\(figures)")
  }

  @Test(arguments: [(50, 5.6, 0.997), (0, 2.8, 0.944)], [1, 2] as [UInt64])
  func `costs less and reaches fewer at a lower saturation`(
    expected: (saturation: Int, offers: Double, reached: Double), seed: UInt64
  ) {
    let figures = figures(40, seed: seed, saturation: expected.saturation)
    #expect(abs(figures.offers - expected.offers) < 0.3, "\(figures)")
    #expect(
      abs(figures.reached - expected.reached) < (expected.saturation == 0 ? 0.015 : 0.003), "\(figures)")
  }

  // CT-15
  @Test(arguments: [1] as [UInt64])
  func `reaches everybody although a third are silent`(seed: UInt64) {
    let figures = figures(5, seed: seed, masked: 33, patience: .seconds(60))
    #expect(figures.reached == 1)
    #expect(figures.last < .seconds(60))
  }

  /// A model without time (1,000 messages) has 5.8 % of the messages die at birth, since their first members were all
  /// liars, and the others reach 97.9 % of the honest: 94 % in all. So has this simulation over 800 messages (seeds 11
  /// to 18, 100 each: 94.0 %); in the few that fit into a test, only the second figure is stable.
  @Test(arguments: [1, 11] as [UInt64])
  func `reaches 98 % of the honest although a third want everything and tell nobody, unless it dies at birth`(
    seed: UInt64
  ) {
    let figures = figures(40, seed: seed, masked: 33, .craver)
    #expect(abs(figures.reachedAlive - 0.979) < 0.015, "\(figures)")
    #expect((0.8...1).contains(figures.alive), "\(figures)")
    #expect(abs(figures.reached - figures.alive * figures.reachedAlive) < 0.02, "\(figures)")
  }

  // CT-15
  @Test(arguments: [11] as [UInt64])
  func `reaches every honest node although a third lie, once the healer compares digests`(seed: UInt64) {
    let alone = figures(20, seed: seed, masked: 33, .craver)
    let healed = figures(
      20, seed: seed, masked: 33, .craver, patience: .seconds(45), heal: .digests(every: .seconds(4)))
    #expect(alone.reached < 0.99, "\(alone)")
    #expect(healed.reached == 1, "\(healed)")
  }

  // CT-13
  @Test(arguments: [2, 5, 20], [1, 10, 30])
  func `brings everything to everybody, and nothing stays open`(count: Int, messages: Int) {
    var world = world(count, .full, policy: TopicPolicy(spread: .infection))
    var dice = WorldDice(seed: UInt64(count))
    for number in 0..<messages {
      world.publish(Payload("message \(number)"), to: "t", by: Int.random(in: 0..<count, using: &dice))
    }
    let isComplete = world.run(for: .seconds(20)) { $0.deliveries.count == messages * (count - 1) }
    #expect(isComplete)
    #expect(Report.isFaultless(world))
    world.run(for: .seconds(20))
    for index in 0..<count {
      let sizes = world.node(index)!.snapshot.sizes
      #expect(sizes.wants == 0)
      #expect(sizes.perPeer < count, "peers that were asked")
      #expect(sizes.alarms == 1, "no offer is open: only the heartbeat is left")
    }
  }

  @Test(arguments: 1...6)
  func `delivers everything among few nodes`(count: Int) {
    var world = world(count, .full, policy: TopicPolicy(spread: .infection))
    let isComplete = world.stream(20, by: Array(0..<count))
    #expect(isComplete)
    #expect(Report.isFaultless(world))
  }
}
