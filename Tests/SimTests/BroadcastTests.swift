import GossipCore
import GossipSim
import Testing

/// Messages are held until the test is over.
private func holding(_ change: (inout Configuration) -> Void = { _ in }) -> Configuration {
  var configuration = Configuration()
  configuration.gossipSub.historyLength = 600
  change(&configuration)
  return configuration
}

private func policy(_ manner: Manner) -> TopicPolicy {
  TopicPolicy(spread: manner, retention: .during(.seconds(600)))
}

/// A node behind a mask: what leaves it passes the mask first.
private struct Filtered: Participant {
  var node: Node
  let passes: @Sendable (inout Frame) -> Void

  var deadline: Instant? { node.deadline }

  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
    var inner: [Node.Effect] = []
    node.handle(input, at: now, into: &inner)
    for effect in inner {
      guard case .send(var frame, let peer) = effect else {
        effects.append(effect)
        continue
      }
      passes(&frame)
      if !frame.isEmpty { effects.append(.send(frame, to: peer)) }
    }
  }
}

/// Honest nodes first, then masked ones, all linked with all.
private func world(
  _ manner: Manner, honest: Int, masked: Int = 0, _ model: NetworkModel = NetworkModel(),
  _ configuration: Configuration = holding(), topology: Topology = .full, seed: UInt64 = 1,
  passes: @escaping @Sendable (inout Frame) -> Void = { _ in }
) -> World {
  var world = World(model, seed: seed)
  for _ in 0..<honest { world.add(configuration) }
  for _ in 0..<masked {
    world.add { id, seed, birth in
      do {
        return Filtered(node: try Node(configuration, as: id, seed: seed, at: birth), passes: passes)
      } catch {
        preconditionFailure("\(error)")
      }
    }
  }
  for index in 0..<world.count { world.tell(index, .subscribe("t", policy(manner))) }
  var dice = WorldDice(seed: seed)
  for (a, b) in topology.links(among: world.count, &dice) { world.connect(a, b) }
  world.run(for: .seconds(2))
  return world
}

extension World {
  /// Publishes messages by turns and waits until the first `honest` nodes have them all.
  fileprivate mutating func spread(
    _ count: Int, size: Int, among honest: Int, _ manner: Manner, within span: Duration
  ) -> Bool {
    for number in 0..<count {
      let payload = Payload([UInt8(number)] + [UInt8](repeating: 7, count: size - 1))
      publish(payload, to: "t", by: number % honest, policy: policy(manner))
      run(for: .milliseconds(50))
    }
    return run(for: span) { world in
      world.publications.count == count
        && (0..<honest).allSatisfy { world.delivered(at: $0) == world.owed(to: $0) }
    }
  }
}

@Suite struct `The Internet Computer's broadcasts` {
  static let manners: [Manner] = [.advert, .slots]

  // IT-56
  @Test(arguments: manners, 1...6) func `deliver among few nodes`(manner: Manner, count: Int) {
    var world = world(manner, honest: count)
    let isComplete = world.spread(5, size: 100, among: count, manner, within: .seconds(5))
    #expect(isComplete)
    #expect(Report.isFaultless(world))
  }

  // IT-56
  @Test(arguments: manners) func `deliver along a line and in a tree, small messages and large ones`(
    manner: Manner
  ) {
    for topology in [Topology.line, .tree] {
      for size in [50, 3_000] {
        var world = world(manner, honest: 6, topology: topology)
        let isComplete = world.spread(6, size: size, among: 6, manner, within: .seconds(20))
        #expect(isComplete, "\(topology), \(size) bytes")
        #expect(Report.isFaultless(world))
      }
    }
  }

  // IT-57, IC-2
  @Test(arguments: manners)
  func `reach nine of thirteen although four are silent and a fifth of copies is lost`(
    manner: Manner
  ) {
    var model = NetworkModel()
    model.loss = 0.2
    for size in [100, 2_000] {
      var world = world(manner, honest: 9, masked: 4, model) { frame in
        frame.messages = []
        frame.controls = []
      }
      let isComplete = world.spread(18, size: size, among: 9, manner, within: .seconds(200))
      #expect(isComplete, "\(size) bytes")
      #expect(Report.isFaultless(world))
    }
  }

  // IT-58, IC-2
  @Test(arguments: manners) func `deliver although four of thirteen show everything and give nothing`(
    manner: Manner
  ) throws {
    var world = world(manner, honest: 9, masked: 4) { $0.messages = [] }
    let isComplete = world.spread(9, size: 2_000, among: 9, manner, within: .seconds(12 * 15))
    #expect(isComplete)
    let broken = (0..<9).flatMap { world.node($0)?.snapshot.peers ?? [] }.filter { peer in
      peer.observations.contains { $0.0 == .brokenPromise }
    }.compactMap { world.place(of: $0.id) }
    #expect(broken.allSatisfy { $0 >= 9 }, "the silent ones can be told from the others")
  }

  // IT-59, IC-4
  @Test(arguments: manners) func `reach all if their author reaches one`(manner: Manner) {
    var world = world(manner, honest: 8)
    for other in 1..<8 { world.disconnect(0, other) }
    world.connect(0, 3)
    world.run(for: .seconds(1))
    world.publish(Payload([UInt8](repeating: 1, count: 5_000)), to: "t", by: 0, policy: policy(manner))
    let isComplete = world.run(for: .seconds(5)) { world in
      (1..<8).allSatisfy { world.delivered(at: $0) == 1 }
    }
    #expect(isComplete)
  }

  // IT-60
  @Test(arguments: manners) func `bring a node that was away what still counts, without a new message`(
    manner: Manner
  ) {
    var world = world(manner, honest: 5)
    world.crash(4)
    let isComplete = world.spread(10, size: 500, among: 4, manner, within: .seconds(5))
    #expect(isComplete)
    world.run(for: .seconds(150))  // longer than ids are remembered
    world.restart(4)
    world.tell(4, .subscribe("t", policy(manner)))
    for other in 0..<4 { world.connect(4, other) }
    let isBack = world.run(for: .seconds(5)) { $0.delivered(at: 4) == 10 }
    #expect(isBack)
    world.run(for: .seconds(150))
    #expect(Report.isFaultless(world))
  }

  // IT-63
  @Test(arguments: manners) func `deliver although queues overflow`(manner: Manner) {
    var model = NetworkModel()
    (model.bandwidth, model.windowBytes, model.queue.messages) = (50_000, 4_000, 9_000)
    var world = world(manner, honest: 4, model)
    let isComplete = world.spread(20, size: 4_000, among: 1, manner, within: .seconds(300))
    #expect(isComplete)
    #expect(world.traffic.shed > 0)
  }

  // IT-61, IC-5
  @Test func `cost each receiver of a megabyte little more than that, by adverts`() {
    var world = world(.advert, honest: 13)
    let before = world.traffic.bytes
    let isComplete = world.spread(1, size: 1_000_000, among: 13, .advert, within: .seconds(20))
    #expect(isComplete)
    let received = (world.traffic.bytes - before) / 12
    #expect((1_000_000...1_003_000).contains(received), "\(received) bytes")
  }

  // IT-61, IC-5
  @Test func `cost each receiver twelve copies, if everybody pushes to everybody`() {
    let configuration = holding {
      $0.slots.pushBelow = 1 << 30
      $0.slots.relay = .messages
    }
    // A tenth of the megabyte, for the tests' sake.
    var world = world(.slots, honest: 13, NetworkModel(), configuration)
    let before = world.traffic.bytes
    let isComplete = world.spread(1, size: 100_000, among: 13, .slots, within: .seconds(20))
    world.run(for: .seconds(1))
    #expect(isComplete)
    let received = (world.traffic.bytes - before) / 12
    #expect((1_000_000...1_300_000).contains(received), "\(received) bytes")
  }

  // IT-62
  @Test(arguments: manners) func `live the same life twice`(manner: Manner) {
    func fingerprint() -> String {
      var model = NetworkModel()
      (model.loss, model.jitter) = (0.2, .milliseconds(30))
      var world = world(manner, honest: 6, model)
      _ = world.spread(8, size: 1_500, among: 6, manner, within: .seconds(60))
      return world.fingerprint.description
    }
    #expect(fingerprint() == fingerprint())
  }
}
