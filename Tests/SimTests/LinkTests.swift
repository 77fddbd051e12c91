import GossipCore
import GossipSim
import Testing

@Suite struct `A simulated link` {
  private func pair(_ model: NetworkModel) -> World {
    var world = World(model, seed: 1)
    for _ in 0..<2 { world.add() }
    for index in 0..<2 { world.tell(index, .subscribe("t", TopicPolicy())) }
    world.connect(0, 1)
    world.run(for: .seconds(2))
    return world
  }

  @Test func `takes its latency and the time its bytes need`() {
    var model = NetworkModel()
    model.latency = .milliseconds(30)...Duration.milliseconds(30)
    model.bandwidth = 1_000_000
    model.signingTime = .zero
    model.checkingTime = .zero
    var world = pair(model)
    let start = world.now
    world.publish(Payload([UInt8](repeating: 1, count: 100_000)), to: "t", by: 0)
    world.run(for: .seconds(3))
    let taken = world.deliveries[0].at - start
    // 100 kB and its fields at 1 MB/s, and 30 ms on the way.
    #expect(taken > .milliseconds(130) && taken < .milliseconds(132), "\(taken)")
  }

  @Test func `keeps the order of what was sent`() {
    var world = pair(NetworkModel())
    var sent: [MessageID] = []
    for number in 0..<200 {
      let token = world.publish(Payload("\(number)"), to: "t", by: 0)
      world.run(for: .milliseconds(1))
      if case .success(let publication)? = world.results[token] { sent.append(publication.id) }
    }
    world.run(for: .seconds(2))
    #expect(sent.count == 200)
    #expect(world.deliveries.map { world.messages[Int($0.number)] } == sent)
  }

  @Test func `loses what was under way when it is cut`() {
    var world = pair(NetworkModel())
    world.publish("lost", to: "t", by: 0)
    world.run(for: .milliseconds(1))
    world.disconnect(0, 1)
    world.run(for: .seconds(20))
    #expect(world.deliveries.isEmpty)
    #expect(world.node(0)!.snapshot.peers.isEmpty && world.node(1)!.snapshot.peers.isEmpty)
  }

  @Test func `that is refused is tried again once each time, however long`() {
    /// Takes no link.
    struct Hermit: Participant {
      var deadline: Instant? { nil }
      mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
        if case .connected(let peer, _) = input { effects.append(.disconnect(peer, Severance("no"))) }
      }
    }
    var world = World(seed: 1)
    world.redialAfter = .seconds(1)
    world.add()
    world.add { _, _, _ in Hermit() }
    world.connect(0, 1)
    world.run(for: .seconds(12))  // doubling would show already
    #expect((12..<60).contains(world.events), "\(world.events) events")
  }

  @Test func `holds back at its window, and sheds what does not fit into the queue`() {
    var model = NetworkModel()
    model.bandwidth = 1_000
    model.windowBytes = 10_000
    model.queue.messages = 20_000
    var world = pair(model)
    for number in 0..<50 {
      world.publish(Payload([UInt8](repeating: UInt8(number), count: 5_000)), to: "t", by: 0)
      world.run(for: .milliseconds(1))
    }
    #expect(world.traffic.shed > 0)
    #expect(world.node(0)!.counters.shed > 0)
    #expect(world.node(0)!.snapshot.peers[0].observations.contains { $0.0 == .stalled })
  }
}
