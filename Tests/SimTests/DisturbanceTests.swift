import GossipCore
import GossipSim
import Testing

@Suite struct `A disturbance` {
  @Test(arguments: [
    "crash:5@0s-10s", "restart:2@1s-1s", "partition:0.5@500ms-20s", "one-way:0.25@0s-9s", "loss:0.1@5s-20s",
    "clog:3@0s-86400s", "skew:4@2s-8s", "churn:500ms@0s-60s", "load:10.0@0s-5s",
  ])
  func `is read as it is written`(text: String) {
    #expect(Disturbance(text)?.description == text)
  }

  @Test(arguments: [("loss:1@2-1m", "loss:1.0@2s-60s"), ("churn:1.5m@0-24h", "churn:90s@0s-86400s")])
  func `may be written in other units`(text: String, plain: String) {
    #expect(Disturbance(text)?.description == plain)
  }

  @Test(arguments: [
    "", "loss", "loss:0.1", "loss:0.1@1s", "loss:x@0-1", "rain:1@0-1", "crash:0.5@0-1", "loss:1@x-y",
  ])
  func `that is none is not read`(text: String) {
    #expect(Disturbance(text) == nil)
  }

  @Test(arguments: ["loss:1.1@0-1", "crash:-1@0-1", "churn:0@0-1", "load:0@0-1", "loss:0.1@2-1"])
  func `that makes no sense is refused`(text: String) throws {
    var scenario = Scenario()
    scenario.disturbances = [try #require(Disturbance(text))]
    #expect(throws: ConfigurationError.self) { try scenario.run() }
  }

  /// Twenty nodes with a healer, and messages for five seconds.
  private func report(_ disturbances: String..., seed: UInt64 = 1) throws -> Report {
    var scenario = Scenario()
    scenario.nodes = 20
    scenario.messages = 25
    scenario.rate = 5
    scenario.publishers = 3
    scenario.seed = seed
    scenario.messagesAfter = 5
    scenario.policy.heal = .digests(every: .seconds(1))
    scenario.policy.retention = .during(.seconds(120))
    scenario.disturbances = disturbances.compactMap { Disturbance($0) }
    return try scenario.run()
  }

  @Test(arguments: [
    "crash:5@1s-3s", "restart:5@2s-2s", "partition:0.4@1s-4s", "one-way:0.4@1s-4s", "loss:0.4@0s-4s",
    "clog:5@1s-4s",
    "skew:5@1s-4s", "churn:500ms@0s-4s", "load:5@1s-2s",
  ])
  func `that is over leaves nothing undelivered`(text: String) throws {
    let report = try report(text)
    #expect(report.faults.isEmpty && report.coverage == 1, "\(report.faults)")
  }

  @Test func `may come with others`() throws {
    let report = try report(
      "loss:0.2@0s-4s", "churn:700ms@0s-4s", "partition:0.3@1s-3s", "skew:4@0s-5s", "clog:2@1s-2s")
    #expect(report.faults.isEmpty && report.coverage == 1, "\(report.faults)")
  }

  @Test func `is felt while it lasts`() throws {
    let calm = try report("load:1@0s-1s")
    for text in ["partition:0.4@0s-9s", "one-way:0.4@0s-9s", "loss:0.9@0s-9s"] {
      let late = try report(text)
      #expect(late.promptness < 0.95, "\(text): \(late.promptness)")
      #expect(try #require(late.latency(1)) > #require(calm.latency(1)) * 2, "\(text)")
    }
    #expect(try report("load:5@0s-1s").simulated < calm.simulated)
  }

  @Test func `of the same seed is the same`() throws {
    let (first, again) = (try report("churn:300ms@0s-4s"), try report("churn:300ms@0s-4s"))
    #expect(first.fingerprint == again.fingerprint)
    #expect(try report("churn:300ms@0s-4s", seed: 2).fingerprint != first.fingerprint)
  }
}

@Suite struct `The weather of a world` {
  private func pair(_ model: NetworkModel = NetworkModel()) -> World {
    var world = World(model, seed: 1)
    world.redialAfter = .milliseconds(500)
    for _ in 0..<2 { world.add() }
    for index in 0..<2 { world.tell(index, .subscribe("t", TopicPolicy())) }
    world.connect(0, 1)
    world.run(for: .seconds(2))
    return world
  }

  @Test func `separates two sides until they are united`() throws {
    var world = pair()
    let separated = world.separate([0])
    let partition = try #require(separated)
    #expect(!world.isLinked(0, 1))
    world.run(for: .seconds(5))
    #expect(!world.isLinked(0, 1))
    world.unite(partition)
    world.run(for: .seconds(1))
    #expect(world.isLinked(0, 1))
  }

  @Test func `separates in one direction alone`() throws {
    var world = pair()
    let separated = world.separate([0], isOneWay: true)
    let partition = try #require(separated)
    world.publish("there", to: "t", by: 0)
    world.publish("back", to: "t", by: 1)
    world.run(for: .seconds(3))
    #expect(world.deliveries.map(\.participant) == [0] && world.isLinked(0, 1))
    world.unite(partition)
    world.run(for: .seconds(1))
    #expect(world.deliveries.map(\.participant) == [0, 1], "what waited arrives")
  }

  @Test func `clogs the links of one participant`() {
    var world = pair()
    world.clog(1, to: 1_000)
    let start = world.now
    world.publish(Payload([UInt8](repeating: 7, count: 5_000)), to: "t", by: 0)
    world.run(for: .seconds(20)) { !$0.deliveries.isEmpty }
    #expect(world.now - start > .seconds(5))
  }

  @Test func `clogs links no longer than it says`() {
    var world = pair()
    world.clog(1, to: 4_000)
    for number in 0..<20 {
      world.publish(Payload([UInt8](repeating: UInt8(number), count: 40_000)), to: "t", by: 0)
    }
    world.run(for: .seconds(5))
    world.clog(1, to: nil)
    world.run(for: .seconds(20))
    #expect(world.deliveries.count == 20)
  }

  @Test(arguments: [0.5, 1, 2.0, 3.7])
  func `lets clocks run wrong, and nobody sleeps for ever or wakes without end`(rate: Double) {
    var world = pair()
    world.setClock(of: 1, rate: rate, jump: .seconds(30))
    let before = world.node(1)?.counters.heartbeats ?? 0
    let events = world.events
    world.run(for: .seconds(100))
    let beats = Double((world.node(1)?.counters.heartbeats ?? 0) - before)
    #expect(abs(beats - 100 * rate) <= 3, "\(beats) heartbeats")
    #expect(world.events - events < 3_000)
    world.setClock(of: 1, rate: 1)
    world.publish("hello", to: "t", by: 0)
    world.run(for: .seconds(1))
    #expect(world.deliveries.count == 1)
  }

  @Test func `brings lost links back, and those of whoever was dead`() {
    var world = pair()
    world.disconnect(0, 1)
    world.run(for: .seconds(1))
    #expect(world.isLinked(0, 1))
    world.crash(1)
    world.run(for: .seconds(3))
    world.restart(1)
    world.run(for: .seconds(1))
    #expect(world.isLinked(0, 1))
  }
}
