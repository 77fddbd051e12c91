import GossipCore
import GossipSim
import Testing

/// Joins the topic, and says nothing ever after.
private struct Silent: Participant {
  var deadline: Instant? { nil }

  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
    guard case .opened(let peer, let manner, _) = input else { return }
    var frame = Frame(manner)
    frame.subscriptions = [Subscription("t", joins: true)]
    effects.append(.send(frame, to: peer))
  }
}

@Suite struct `Digest first in a simulated network` {
  private static let policy = TopicPolicy(spread: .digestFirst)

  private func epoch(_ number: UInt64, of world: World, _ members: some Sequence<Int>) -> Epoch {
    do {
      var epoch = try Epoch(
        number: number, roster: members.map { Epoch.Member(world.peer($0)) },
        beacon: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32))
      epoch.prepare()
      return epoch
    } catch { preconditionFailure("\(error)") }
  }

  @Test(arguments: 1...6)
  func `delivers among few nodes`(count: Int) {
    var world = world(count, .full, policy: Self.policy)
    let isComplete = world.stream(10, by: Array(0..<count))
    #expect(isComplete && Report.isFaultless(world))
  }

  // BT-22: a path is the slowest graph that hangs together.
  @Test(arguments: [100, 3_000])
  func `delivers along a path`(size: Int) {
    var world = world(12, .line, policy: Self.policy)
    for index in 0..<12 { world.tell(index, .subscribe("t", Self.policy)) }
    for number in 0..<5 {
      world.publish(Payload([UInt8](repeating: UInt8(number), count: size)), to: "t", by: 0)
    }
    let isComplete = world.run(for: .seconds(20)) { world in
      (1..<12).allSatisfy { world.delivered(at: $0) == 5 }
    }
    #expect(isComplete)
  }

  @Test func `delivers large messages once each, where links are few`() {
    var world = world(20, .random(dials: 3), policy: Self.policy)
    for number in 0..<20 {
      world.publish(Payload([UInt8](repeating: UInt8(number), count: 20_000)), to: "t", by: number)
      world.run(for: .milliseconds(50))
    }
    let isComplete = world.run(for: .seconds(10)) { world in
      (0..<20).allSatisfy { world.delivered(at: $0) == 19 }
    }
    #expect(isComplete && Report.isFaultless(world))
    let duplicates = (0..<20).reduce(0) { $0 + (world.node($1)?.counters.duplicates ?? 0) }
    #expect(duplicates == 0, "digests come first, so no message comes twice")
  }

  // BT-21, BB-4
  @Test func `reaches all honest nodes in five hops while a third of 100 is silent`() throws {
    var model = NetworkModel()
    model.latency = .milliseconds(50)...Duration.milliseconds(50)
    var world = World(model, seed: 21)
    for _ in 0..<67 { world.add() }
    for _ in 0..<33 { world.add { _, _, _ in Silent() } }
    let epoch = epoch(21, of: world, 0..<100)
    var sets = FanoutSets(of: epoch)
    #expect(sets.picksPerNode == 13)
    for index in 0..<67 {
      world.tell(index, .subscribe("t", Self.policy))
      world.tell(index, .epoch(epoch))
    }
    for a in 0..<67 {
      for b in a + 1..<100 where sets.arePartners(world.peer(a), world.peer(b)) { world.connect(a, b) }
    }
    world.run(for: .seconds(3))
    world.publish(Payload([UInt8](repeating: 1, count: 2_000)), to: "t", by: 0)
    let start = world.now
    // A hop is digest, want and message: 150 ms, and a check.
    world.run(for: .milliseconds(5 * 155))
    #expect((1..<67).allSatisfy { world.delivered(at: $0) == 1 })
    let last = try #require(world.deliveries.last).at - start
    #expect(last <= .milliseconds(4 * 155), "it takes 3 or 4: \(last)")
  }

  // BT-22: pairs are cut off from one another until partners change.
  @Test func `among pairs that change each epoch delivers to 64 nodes in 16 epochs, not in one`() {
    var configuration = Configuration()
    configuration.gossipSub.historyLength = 100
    var world = World(seed: 5)
    for _ in 0..<64 { world.add(configuration) }
    for index in 0..<64 { world.tell(index, .subscribe("t", Self.policy)) }
    var dice = WorldDice(seed: 6)
    var epochs = 0
    func reached(_ world: World) -> Int { world.deliveries.count }
    while reached(world) < 63, epochs < 20 {
      epochs += 1
      let order = Array(0..<64).shuffled(using: &dice)
      for pair in stride(from: 0, to: 64, by: 2) {
        let (a, b) = (order[pair], order[pair + 1])
        let epoch = epoch(UInt64(epochs), of: world, [a, b])
        world.tell(a, .epoch(epoch))
        world.tell(b, .epoch(epoch))
        world.connect(a, b)
      }
      if epochs == 1 { world.publish(Payload([UInt8](repeating: 1, count: 3_000)), to: "t", by: 0) }
      world.run(for: .seconds(3))
      if epochs == 1 { #expect(reached(world) == 1) }
    }
    #expect(reached(world) == 63 && epochs <= 16, "\(epochs) epochs")
  }

  // BT-26
  @Test func `loses nothing when epochs begin at different instants`() {
    var world = world(20, .full, policy: Self.policy)
    var dice = WorldDice(seed: 3)
    for number in 1...4 as ClosedRange<UInt64> {
      let epoch = epoch(number, of: world, 0..<20)
      for index in Array(0..<20).shuffled(using: &dice) {
        world.tell(index, .epoch(epoch))
        world.publish(
          Payload([UInt8](repeating: UInt8(index), count: 1_500)), to: "t", by: index)
        world.run(for: .milliseconds(30))
      }
    }
    let isComplete = world.run(for: .seconds(20)) { world in
      (0..<20).allSatisfy { world.delivered(at: $0) == world.owed(to: $0) }
    }
    #expect(isComplete && world.publications.count == 80)
  }
}
