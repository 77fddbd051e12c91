import GossipCore
import GossipSim
import Testing

/// Builds a world of subscribed nodes.
func world(
  _ count: Int, _ topology: Topology, seed: UInt64 = 1, _ configuration: Configuration = Configuration(),
  policy: TopicPolicy = TopicPolicy(),
  speaking: (Int) -> [[ProtocolName]] = { _ in Manner.allCases.map(\.protocols) }
) -> World {
  var world = World(seed: seed)
  for index in 0..<count { world.add(configuration, speaking: speaking(index)) }
  for index in 0..<count { world.tell(index, .subscribe("t", policy)) }
  var dice = WorldDice(seed: seed)
  for (a, b) in topology.links(among: count, &dice) { world.connect(a, b) }
  world.run(for: .seconds(2))
  return world
}

extension World {
  /// Publishes `count` messages, by each node in turn, and waits until everybody alive has them all.
  mutating func stream(_ count: Int, by publishers: [Int], pause: Duration = .milliseconds(50)) -> Bool {
    for number in 0..<count {
      publish(Payload("message \(number)"), to: "t", by: publishers[number % publishers.count])
      run(for: pause)
    }
    let living = (0..<self.count).filter { isAlive($0) && life(of: $0) == 0 }
    return run(for: .seconds(20)) { world in
      world.publications.count == count && living.allSatisfy { world.delivered(at: $0) == world.owed(to: $0) }
    }
  }

  func delivered(at index: Int) -> Int { deliveries.count { $0.participant == index } }

  func owed(to index: Int) -> Int { publications.values.count { $0.participant != index } }
}

@Suite struct `A simulated network` {
  // GS-110
  @Test(arguments: [3, 10])
  func `delivers every message to everybody, sparse or dense`(dials: Int) {
    var world = world(20, .random(dials: dials))
    let isComplete = world.stream(100, by: Array(0..<20))
    #expect(isComplete)
    #expect(Report.isFaultless(world))
  }

  // GS-110
  @Test func `delivers along a line of six`() {
    var world = world(6, .line)
    let isComplete = world.stream(20, by: [0, 5])
    #expect(isComplete)
  }

  // GS-111
  @Test func `delivers in a tree of ten`() {
    var world = world(10, .tree)
    let isComplete = world.stream(20, by: [0, 9])
    #expect(isComplete)
  }

  @Test(arguments: 1...6)
  func `delivers among few nodes`(count: Int) {
    var world = world(count, .full)
    let isComplete = world.stream(10, by: Array(0..<count))
    #expect(isComplete)
    if count == 1 {
      let results = world.results.values.compactMap { try? $0.get() }
      #expect(results.count == 10 && results.allSatisfy { $0.sentTo == 0 && $0.subscribers == 0 })
    }
  }

  // GS-109
  @Test func `delivers where nodes speak different versions`() {
    let versions: [[ProtocolName]] = [
      ["/meshsub/1.0.0"], ["/meshsub/1.1.0", "/meshsub/1.0.0"], Manner.gossipSub.protocols,
    ]
    var world = world(15, .random(dials: 4)) { [versions[$0 % 3], []] }
    let isComplete = world.stream(30, by: [0, 1, 2])
    #expect(isComplete)
  }

  // GS-52
  @Test func `misses nothing when 5 of 20 crash during the stream`() {
    var world = world(20, .random(dials: 6))
    for number in 0..<60 {
      if number == 20 { for victim in [3, 7, 11, 13, 19] { world.crash(victim) } }
      world.publish(Payload("m\(number)"), to: "t", by: number % 3)
      world.run(for: .milliseconds(50))
    }
    let living = (0..<20).filter { world.isAlive($0) }
    let isComplete = world.run(for: .seconds(20)) { world in
      living.allSatisfy { world.delivered(at: $0) == world.owed(to: $0) }
    }
    #expect(isComplete)
    world.run(for: .seconds(2))
    for index in living {
      let snapshot = world.node(index)!.snapshot
      let degree = snapshot.topics[0].partners.count
      #expect(degree >= min(5, snapshot.peers.count), "node \(index) has \(degree) partners")
    }
  }

  // GS-42
  @Test func `settles on mesh degrees within the bounds`() {
    var world = world(50, .random(dials: 10))
    world.run(for: .seconds(10))
    for index in 0..<50 {
      let degree = world.node(index)!.snapshot.topics[0].partners.count
      #expect((5...12).contains(degree), "node \(index) has \(degree) partners")
    }
  }

  @Test func `never delivers what was forged`() throws {
    var world = world(8, .full)
    let genuine = WireMessage(topic: "t", payload: "forged", author: world.peer(3), sequence: 77)
    let forged = genuine.signed([UInt8](repeating: 1, count: 64))
    var frame = Frame(.gossipSub)
    frame.messages = [forged]
    world.tell(1, .received(frame, from: world.peer(2)))
    world.run(for: .seconds(5))
    #expect(world.deliveries.isEmpty)
    let observations = try #require(world.node(1)).snapshot.peers.first { $0.id == world.peer(2) }?
      .observations
    #expect(observations?.contains { $0.0 == .invalidMessage } == true)
  }

  // GS-148
  @Test func `forgets everybody after ten minutes of churn`() {
    var world = world(8, .full)
    var dice = WorldDice(seed: 5)
    for round in 0..<60 {
      let victim = Int.random(in: 1..<8, using: &dice)
      world.crash(victim)
      world.publish(Payload("r\(round)"), to: "t", by: 0)
      world.run(for: .seconds(5))
      world.restart(victim)
      world.tell(victim, .subscribe("t", TopicPolicy()))
      for other in 0..<8 where other != victim { world.connect(victim, other) }
      world.run(for: .seconds(5))
    }
    for other in 1..<8 { world.crash(other) }
    world.run(for: .seconds(300))
    let sizes = world.node(0)!.snapshot.sizes
    #expect(
      sizes.peers == 0 && sizes.perPeer == 0 && sizes.wants == 0 && sizes.checks == 0 && sizes.stored == 0)
  }

  // GS-149
  @Test(arguments: [Duration.seconds(49 * 86_400), .seconds(200 * 365 * 86_400)])
  func `works after a long uptime`(uptime: Duration) {
    var world = World(seed: 1)
    world.run(until: .zero + uptime)
    for _ in 0..<5 { world.add() }
    for index in 0..<5 { world.tell(index, .subscribe("t", TopicPolicy())) }
    for a in 0..<5 { for b in a + 1..<5 { world.connect(a, b) } }
    world.run(for: .seconds(2))
    let isComplete = world.stream(10, by: [0])
    #expect(isComplete)
  }

  // GS-105
  @Test func `hands a message to a peer that comes only after it was published`() {
    var world = World(seed: 1)
    for _ in 0..<2 { world.add() }
    for index in 0..<2 { world.tell(index, .subscribe("t", TopicPolicy())) }
    world.publish("early", to: "t", by: 0)
    world.run(for: .seconds(1))
    world.connect(0, 1)
    let isComplete = world.run(for: .seconds(3)) { $0.delivered(at: 1) == 1 }
    #expect(isComplete)
  }

  // GS-101
  @Test func `takes publications from a node that is not on the topic`() {
    var world = world(10, .full)
    world.tell(9, .unsubscribe("t"))
    world.run(for: .seconds(1))
    world.publish(Payload([UInt8](repeating: 1, count: 8_000)), to: "t", by: 9)
    let isComplete = world.run(for: .seconds(5)) { world in
      (0..<9).allSatisfy { world.delivered(at: $0) == 1 }
    }
    #expect(isComplete)
    #expect(world.delivered(at: 9) == 0)
  }

  @Test func `carries a message of a megabyte`() {
    var world = world(6, .line)
    world.publish(Payload([UInt8](repeating: 7, count: 1_000_000)), to: "t", by: 0)
    let isComplete = world.run(for: .seconds(10)) { world in
      (1..<6).allSatisfy { world.delivered(at: $0) == 1 }
    }
    #expect(isComplete)
  }

  @Test func `delivers anonymous messages by their content`() {
    let policy = TopicPolicy(signing: .strictNoSign, identification: .contentHash)
    var world = world(10, .random(dials: 3), policy: policy)
    let isComplete = world.stream(20, by: [0, 1])
    #expect(isComplete)
  }
}

@Suite struct `Staggering, judged by the simulator,` {
  private func report(_ change: (inout Scenario) -> Void) throws -> Report {
    var scenario = Scenario()
    scenario.nodes = 40
    scenario.topology = .random(dials: 8)
    scenario.messages = 150
    scenario.rate = 25
    scenario.publishers = 3
    change(&scenario)
    return try scenario.run()
  }

  @Test func `leaves out a quarter of the duplicates, and costs no latency`() throws {
    let plain = try report { $0.configuration.gossipSub.staggers = false }
    let staggered = try report { _ in }
    #expect(plain.coverage == 1 && staggered.coverage == 1)
    #expect(staggered.duplicates < plain.duplicates * 3 / 4)
    #expect(try #require(staggered.latency(0.99)) <= #require(plain.latency(0.99)) * 102 / 100)
  }

  @Test func `delivers everything with jitter, with 30 % of the copies lost, with 30 % of the nodes crashed`()
    throws
  {
    #expect(try report { $0.network.jitter = .milliseconds(50) }.coverage == 1)
    #expect(try report { $0.network.loss = 0.3 }.coverage > 0.999)
    #expect(try report { $0.crashes = 12 }.coverage == 1)
  }
}

@Suite struct `A simulated link with faults` {
  @Test func `keeps order under jitter, and loses the share of messages it should`() throws {
    var model = NetworkModel()
    model.jitter = .milliseconds(100)
    var world = World(model, seed: 3)
    for index in 0..<2 {
      world.add()
      world.tell(index, .subscribe("t", TopicPolicy(spread: .direct)))
    }
    world.connect(0, 1)
    world.run(for: .seconds(1))
    for number in 0..<50 {
      world.publish(
        Payload("\(number)"), to: "t", by: 0, for: .one(world.peer(1)), policy: TopicPolicy(spread: .direct))
      world.run(for: .milliseconds(5))
    }
    world.run(for: .seconds(1))
    let published = world.publications.sorted { $0.value.at < $1.value.at }.map(\.key)
    #expect(world.deliveries.map { world.messages[Int($0.number)] } == published && published.count == 50)

    var whole = Scenario()
    (whole.nodes, whole.messages) = (20, 10)
    var lossy = Scenario()
    lossy.network.loss = 1
    (lossy.nodes, lossy.messages, lossy.patience) = (20, 10, .seconds(5))
    #expect(try whole.run().coverage == 1)
    #expect(try lossy.run().delivered == 0)
  }
}

extension Report {
  /// Nothing twice, nothing unpublished.
  static func isFaultless(_ world: World) -> Bool {
    var met: Set<String> = []
    return world.deliveries.allSatisfy {
      met.insert("\($0.participant) \($0.number)").inserted
        && world.publications[world.messages[Int($0.number)]] != nil
    }
  }
}

@Suite struct `Direct messages in a simulated network` {
  private func directWorld(_ count: Int) -> World {
    world(count, .full, policy: TopicPolicy(spread: .direct))
  }

  @Test func `reach exactly their audience`() {
    var world = directWorld(6)
    let audience = Audience.many([world.peer(2), world.peer(4)])
    world.publish("for two", to: "t", by: 0, for: audience)
    world.publish("for one", to: "t", by: 0, for: .one(world.peer(1)))
    world.publish("for all", to: "t", by: 0)
    world.run(for: .seconds(5))
    #expect((0..<6).map { world.delivered(at: $0) } == [0, 2, 2, 1, 2, 1])
  }

  // BB-V4, BB-V5
  @Test func `are answered in the order of the recipients`() throws {
    var world = directWorld(5)
    world.answer = { _, payload, index in
      index == 3 ? .failure(.failed("no")) : .success(Payload("\(payload.text) from \(index)"))
    }
    let order = [4, 3, 1].map { world.peer($0) }
    let token = world.ask(.many(order), "hello", on: "t", by: 0, within: .seconds(5))
    world.run(for: .seconds(2))
    let replies = try #require(world.answers[token]).get()
    #expect(replies.map(\.peer) == order)
    #expect(
      replies.map(\.answer) == [.success("hello from 4"), .failure(.failed("no")), .success("hello from 1")])
  }
}
