import GossipCore
import GossipSim
import Testing

/// Healing alone, and healing beside what spreads.
@Suite struct `Healing in a simulated network` {
  /// What nodes speak that only heal: nothing is pushed.
  private static let healingOnly = Manner.allCases.map { $0 == .antiEntropy ? $0.protocols : [] }

  private func policy(_ heal: Heal, retention: Retention = .during(.seconds(400))) -> TopicPolicy {
    TopicPolicy(
      heal: heal, retention: retention,
      meaning: Meaning(position: { $0.text.split(separator: " ").last.flatMap { UInt64($0) } }))
  }

  /// Whether everybody has everything.
  private func isComplete(_ world: World) -> Bool {
    (0..<world.count).allSatisfy { world.delivered(at: $0) == world.owed(to: $0) }
  }

  // FT-63
  @Test func `by digests alone brings ten messages to five peers`() {
    var world = world(6, .full, policy: policy(.digests(every: .seconds(4)))) { _ in
      `Healing in a simulated network`.healingOnly
    }
    let isComplete = world.stream(10, by: [0])
    #expect(isComplete)
    #expect(Report.isFaultless(world))
    #expect((1..<6).allSatisfy { world.node($0)!.counters.healed == 10 })
  }

  @Test(arguments: 1...6, [Heal.digests(every: .seconds(4)), .heights(every: .seconds(4)), .onLink])
  func `works among few nodes`(count: Int, heal: Heal) {
    var world = World(seed: 1)
    for _ in 0..<count { world.add(speaking: `Healing in a simulated network`.healingOnly) }
    for index in 0..<count { world.tell(index, .subscribe("t", policy(heal))) }
    for number in 0..<10 { world.publish(Payload("m \(number)"), to: "t", by: 0) }
    world.run(for: .seconds(1))
    #expect(world.publications.count == 10)
    var dice = WorldDice(seed: 1)
    for (a, b) in Topology.full.links(among: count, &dice) { world.connect(a, b) }
    let complete = world.run(for: .seconds(40)) { isComplete($0) }
    #expect(complete)
  }

  // FT-77
  @Test func `brings a node that is 500 positions behind to the top, in 50 spans`() {
    var world = World(seed: 1)
    let policy = policy(.heights(every: .seconds(10)))
    world.add(speaking: `Healing in a simulated network`.healingOnly)
    world.tell(0, .subscribe("t", policy))
    for number in 0..<500 { world.publish(Payload("\(number)"), to: "t", by: 0) }
    world.run(for: .seconds(1))
    world.add(speaking: `Healing in a simulated network`.healingOnly)
    world.tell(1, .subscribe("t", policy))
    world.connect(1, 0)
    let complete = world.run(for: .seconds(30)) { isComplete($0) }
    #expect(complete)
    #expect(world.node(1)!.counters.spansAsked == 50 && world.node(1)!.counters.spansFailed == 0)
    let positions = world.messages.indices.map { number in world.deliveries[number].number }
    #expect(positions == positions.sorted(), "lowest first")
  }

  @Test(arguments: [Heal.digests(every: .seconds(4)), .heights(every: .seconds(10)), .onLink])
  func `lets a node that was away catch up`(heal: Heal) {
    let policy = policy(heal)
    var world = world(8, .full, policy: policy)
    for number in 0..<30 {
      if number == 5 { world.crash(7) }
      world.publish(Payload("m \(number)"), to: "t", by: number % 3)
      world.run(for: .seconds(1))
    }
    let before = world.delivered(at: 7)
    world.restart(7)
    world.tell(7, .subscribe("t", policy))
    for other in 0..<4 { world.connect(7, other) }
    let caughtUp = world.run(for: .seconds(30)) { $0.delivered(at: 7) == before + 30 }
    #expect(caughtUp)
  }

  /// Each newcomer keeps what it was told for as long as if it were new, and so a chain of them keeps a message alive
  /// beyond the memory of the others.
  @Test func `brings a message again that newcomers told one another until the others had forgotten it`() {
    let policy = TopicPolicy(heal: .digests(every: .seconds(4)), retention: .during(.seconds(60)))
    func again(newcomers: Int) -> Bool? {
      var world = World(seed: 1)
      world.checkers = Checkers()
      func join() {
        let index = world.add()
        world.tell(index, .subscribe("t", policy))
        for other in 0..<index { world.connect(index, other) }
      }
      for _ in 0..<3 { join() }
      world.run(for: .seconds(2))
      world.publish("old", to: "t", by: 0)
      for _ in 0..<newcomers {
        world.run(for: .seconds(50))
        join()
      }
      world.run(for: .seconds(60))
      return world.checkers?.findings.contains { $0.checker == .once }
    }
    #expect(again(newcomers: 1) == false && again(newcomers: 2) == true)
  }

  @Test func `completes what loses 70 % of all copies`() {
    var model = NetworkModel()
    model.loss = 0.7
    func undelivered(_ policy: TopicPolicy) -> Int {
      var world = World(model, seed: 4)
      for _ in 0..<6 { world.add() }
      for index in 0..<6 { world.tell(index, .subscribe("t", policy)) }
      var dice = WorldDice(seed: 4)
      for (a, b) in Topology.ring.links(among: 6, &dice) { world.connect(a, b) }
      world.run(for: .seconds(2))
      for number in 0..<20 {
        world.publish(Payload("m \(number)"), to: "t", by: 0)
        world.run(for: .milliseconds(50))
      }
      world.run(for: .seconds(100), every: .seconds(1)) { isComplete($0) }
      return (0..<6).reduce(0) { $0 + world.owed(to: $1) - world.delivered(at: $1) }
    }
    #expect(undelivered(TopicPolicy()) > 0)
    #expect(undelivered(policy(.digests(every: .seconds(4)))) == 0)
  }
}
