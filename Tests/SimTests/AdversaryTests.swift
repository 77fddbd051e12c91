import GossipCore
import GossipSim
import Testing

/// Each mask does what its heading says, as seen by two honest nodes with nothing but the mask between them.
@Suite struct `An adversary` {
  /// Honest node 0, the mask 1, honest node 2, in a line.
  private func line(
    _ adversary: Adversary, policy: TopicPolicy = TopicPolicy(), begins: Instant = .zero,
    _ configuration: Configuration = Configuration()
  ) -> World {
    var world = World(seed: 1)
    world.judge = Judging.verdict
    world.redialAfter = .milliseconds(500)
    world.checkers = Checkers()
    let plot = Plot(
      topic: "t", policy: policy, honest: [0, 2].map(Notional.peer), victim: Notional.peer(0),
      begins: begins)
    world.add(configuration)
    world.add(adversary, plot, configuration)
    world.add(configuration)
    for index in 0..<3 { world.tell(index, .subscribe("t", policy)) }
    world.connect(0, 1)
    world.connect(1, 2)
    world.run(for: .seconds(2))
    return world
  }

  /// Publishes at node 0, and tells when node 2 has it.
  private func way(_ world: inout World, by publisher: Int = 0, size: Int = 2_000) -> Duration? {
    let start = world.now
    let before = world.deliveries.count
    let policy = TopicPolicy()
    world.publish(
      Payload([UInt8](repeating: 65, count: size)), to: "t", by: publisher, policy: policy)
    let other = 2 - publisher
    world.run(for: .seconds(10)) { world in
      world.deliveries[before...].contains {
        $0.participant == other
          && world.publications[world.messages[Int($0.number)]]?.participant == publisher
      }
    }
    return world.deliveries[before...].last {
      $0.participant == other
        && world.publications[world.messages[Int($0.number)]]?.participant == publisher
    }.map { $0.at - start }
  }

  private func observed(_ observation: Observation, by index: Int, of other: Int, in world: World)
    -> Int
  {
    let peer = world.node(index)?.snapshot.peers.first { $0.id == world.peer(other) }
    return peer?.observations.first { $0.0 == observation }?.1 ?? 0
  }

  // MARK: What they leave undone

  @Test(arguments: [
    Adversary.dropper, .promiseBreaker, .liar, .craver, .silent, .slowReader, .coldBoot,
  ])
  func `that passes nothing on keeps a message from whoever has no other link`(adversary: Adversary) {
    var world = line(adversary)
    #expect(way(&world) == nil)
    #expect(world.nodeWithin(1) != nil && world.node(1) == nil && world.isHostile(1))
  }

  @Test func `that delays passes everything on, late`() throws {
    var world = line(.delayer)
    let found = way(&world)
    let way = try #require(found)
    #expect(way > .seconds(2) && way < .seconds(4), "\(way)")
  }

  @Test func `that censors keeps one publisher's messages back and passes on all others`() throws {
    var world = line(.censor)
    #expect(way(&world, by: 0) == nil)
    #expect(way(&world, by: 2) != nil)
  }

  @Test func `that is covert behaves until its time has come`() {
    var world = line(.covertFlash, begins: .zero + .seconds(10))
    #expect(way(&world) != nil)
    world.run(until: .zero + .seconds(10))
    #expect(way(&world) == nil)
  }

  @Test func `that breaks promises is found out by whoever asks`() {
    var world = line(.promiseBreaker)
    _ = way(&world)
    #expect(observed(.brokenPromise, by: 2, of: 1, in: world) > 0)
    #expect(world.node(2)!.sizes.wants <= 1)
  }

  @Test func `that withholds what messages depend on is found out`() {
    var configuration = Configuration()
    configuration.limits.needPatience = .seconds(1)
    configuration.limits.awaitingFor = .seconds(3)
    var world = line(.withholder, policy: TopicPolicy(isJudged: true), configuration)
    world.run(for: .seconds(10))
    #expect(observed(.incomplete, by: 0, of: 1, in: world) > 0)
    #expect(world.node(0)!.sizes.awaiting <= 10)
  }

  // MARK: What they say

  @Test(arguments: [
    (Adversary.spoofer, Observation.invalidMessage), (.invalidSender, .invalidMessage),
    (.garbler, .garbled),
    (.ihaveSpammer, .brokenPromise), (.graftFlooder, .earlyGraft),
  ])
  func `that says what is not so is observed`(adversary: Adversary, observation: Observation) {
    var world = line(adversary, policy: TopicPolicy(isJudged: true))
    world.run(for: .seconds(5))
    for honest in [0, 2] {
      #expect(observed(observation, by: honest, of: 1, in: world) > 0, "\(adversary) by \(honest)")
    }
    #expect(world.checkers!.findings.isEmpty, "\(world.checkers!.findings)")
  }

  @Test func `that alters messages is observed, and nobody believes them`() {
    var world = line(.spammer)
    #expect(way(&world) == nil)
    #expect(observed(.invalidMessage, by: 2, of: 1, in: world) > 0)
    #expect(world.checkers!.findings.isEmpty)
  }

  @Test func `that floods gives everybody ten messages a second`() {
    var world = line(.flooder)
    let before = world.deliveries.count
    world.run(for: .seconds(4))
    #expect(
      (70...90).contains(world.deliveries.count - before), "\(world.deliveries.count - before)")
    #expect(world.checkers!.findings.isEmpty)
  }

  @Test func `that floods is held to the budget of an author`() {
    let budget = AuthorBudget(
      messages: Budget(rate: 2, burst: 4), bytes: Budget(rate: 1 << 20, burst: 1 << 20))
    var world = line(.flooder, policy: TopicPolicy(authorBudget: budget))
    let before = world.deliveries.count
    world.run(for: .seconds(4))
    // Each of two nodes takes two messages a second, and four at first.
    #expect(
      (10...26).contains(world.deliveries.count - before), "\(world.deliveries.count - before)")
    #expect(world.node(0)!.counters.overBudget > 0)
    #expect(observed(.flooded, by: 0, of: 1, in: world) == 0)
    #expect(world.checkers!.findings.isEmpty)
  }

  @Test func `that circulates costs duplicates, and nothing is delivered twice`() {
    var world = line(.circulator)
    _ = way(&world)
    let before = world.node(0)!.counters.duplicates
    world.run(for: .seconds(5))
    #expect(world.node(0)!.counters.duplicates - before >= 8)
    #expect(world.checkers!.findings.isEmpty)
  }

  @Test func `that disrupts cuts links, and they come back`() {
    var world = line(.disrupter)
    for _ in 0..<8 { _ = way(&world) }
    world.run(for: .seconds(2))
    #expect(world.isLinked(0, 1) && world.isLinked(1, 2))
    #expect(world.deliveries.contains { $0.participant == 2 }, "some exchanges end well")
  }

  @Test func `that replays is refused while it is remembered`() {
    var world = line(.replayer)
    _ = way(&world)
    world.run(for: .seconds(100))
    #expect(world.checkers!.findings.isEmpty)
  }

  /// Nothing but the memory of ids stands against it; numbers of authors are not compared.
  @Test func `that replays is believed again when it is forgotten`() {
    var configuration = Configuration()
    configuration.limits.seenFor = .seconds(8)
    var world = line(.replayer, configuration)
    _ = way(&world)
    world.run(for: .seconds(30))
    #expect(world.checkers!.findings.contains { $0.checker == .once })
  }

  @Test func `that signs two messages of one number is believed once by each`() {
    var world = line(.equivocator)
    world.run(for: .seconds(5))
    #expect(world.deliveries.count { $0.participant == 0 } >= 4)
    #expect(world.checkers!.findings.isEmpty)
  }

  @Test func `that wants everything is served no more than three times`() {
    var world = line(.iwantSpammer)
    _ = way(&world)
    world.run(for: .seconds(10))
    #expect(world.node(0)!.counters.wantsServed <= 3)
  }

  // MARK: Where they stand

  @Test func `that eclipses links with its victim and tells it nothing`() {
    let plot = Plot(topic: "t", policy: TopicPolicy(), honest: (0..<8).map(Notional.peer))
    var world = World(seed: 2)
    for _ in 0..<8 { world.add() }
    for _ in 0..<4 { world.add(.eclipser, plot) }
    for index in 0..<12 { world.tell(index, .subscribe("t", TopicPolicy())) }
    for index in 0..<7 { world.connect(index, index + 1) }
    for index in 8..<12 { world.connect(index, 4) }
    world.run(for: .seconds(4))
    #expect((8..<12).allSatisfy { world.isLinked(0, $0) })
    world.publish("hello", to: "t", by: 4)
    world.run(for: .milliseconds(150))
    #expect(
      !world.deliveries.contains { $0.participant == 0 },
      "it comes by the long way, not by its neighbours")
    world.run(for: .seconds(5))
    #expect(world.deliveries.contains { $0.participant == 0 })
  }

  @Test func `of a crowd shares its address and has more links than its share`() {
    let plot = Plot(topic: "t", policy: TopicPolicy(), honest: (0..<20).map(Notional.peer))
    var world = World(seed: 2)
    for _ in 0..<20 { world.add() }
    for _ in 0..<3 { world.add(.colocatedCrowd, plot) }
    for index in 0..<23 { world.tell(index, .subscribe("t", TopicPolicy())) }
    world.run(for: .seconds(3))
    #expect(Set((20..<23).map { world.ip(of: $0) }).count == 1)
    #expect(Set((0..<20).map { world.ip(of: $0) }).count == 20)
    for index in 20..<23 { #expect(world.linked(with: index).count >= 10) }
  }

  @Test func `that grafts again before its time is observed`() {
    var configuration = Configuration()
    configuration.gossipSub.setDegree(2)
    let plot = Plot(topic: "t", policy: TopicPolicy(), honest: (0..<4).map(Notional.peer))
    var world = World(seed: 3)
    for _ in 0..<4 { world.add(configuration) }
    for _ in 0..<6 { world.add(.earlyRegrafter, plot, configuration) }
    for index in 0..<10 { world.tell(index, .subscribe("t", TopicPolicy())) }
    for (a, b) in (0..<10).flatMap({ a in (a + 1..<10).map { (a, $0) } }) { world.connect(b, a) }
    world.run(for: .seconds(10))
    let count = (4..<10).reduce(0) { $0 + observed(.earlyGraft, by: 0, of: $1, in: world) }
    #expect(count > 5, "\(count)")
  }

  // MARK: What it costs

  /// A third of 21 nodes attack, for ten seconds and then some, with the healer's help.
  private func attacked(_ adversary: Adversary, _ manner: Manner) throws -> Attacks.Row {
    var attacks = Attacks()
    attacks.scenario.nodes = 21
    attacks.scenario.messages = 15
    attacks.scenario.rate = 5
    attacks.scenario.publishers = 4
    attacks.scenario.messagesAfter = 5
    attacks.adversaries = [adversary]
    attacks.manners = [manner]
    attacks.defences = attacks.defences.filter { $0.name == "on" }
    return try attacks.run()[0]
  }

  @Test(arguments: Adversary.allCases)
  func `keeps nothing from anybody while two thirds are honest`(adversary: Adversary) throws {
    let row = try attacked(adversary, .gossipSub)
    // Three seconds are too short to be known; the large table looks at that.
    let faults = row.faults.filter { !$0.contains("isolated") }
    #expect(faults.isEmpty, "\(faults.prefix(3)); \(row.cells)")
  }

  @Test(arguments: Manner.spreading.filter { $0 != .direct && $0 != .gossipSub })
  func `that drops keeps nothing from anybody, however a topic spreads`(manner: Manner) throws {
    let row = try attacked(.dropper, manner)
    #expect(row.faults.isEmpty, "\(row.faults.prefix(3)); \(row.cells)")
  }
}
