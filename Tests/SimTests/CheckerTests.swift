import GossipCore
import GossipSim
import Testing

/// A node that keeps the rules, but for what it tells its application.
private struct Wrong: Participant {
  var node: Node
  let deliver: @Sendable (Message, PeerID) -> [Message]

  var deadline: Instant? { node.deadline }

  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
    var below: [Node.Effect] = []
    node.handle(input, at: now, into: &below)
    for effect in below {
      if case .deliver(let message, let source) = effect {
        effects += deliver(message, source).map { .deliver($0, from: source) }
      } else {
        effects.append(effect)
      }
    }
  }
}

@Suite struct `A checker` {
  /// What is found when node 1 tells its application `deliver` instead of what it heard from node 0.
  private func findings(
    policy: TopicPolicy = TopicPolicy(), _ deliver: @escaping @Sendable (Message, PeerID) -> [Message]
  ) -> [Checkers.Finding] {
    var world = World(seed: 1)
    world.checkers = Checkers()
    world.judge = Judging.verdict
    world.add()
    world.add { id, seed, birth in
      do {
        return Wrong(node: try Node(Configuration(), as: id, seed: seed, at: birth), deliver: deliver)
      } catch {
        preconditionFailure("\(error)")
      }
    }
    for index in 0..<2 { world.tell(index, .subscribe("t", policy)) }
    world.connect(0, 1)
    world.run(for: .seconds(1))
    world.publish("hello", to: "t", by: 0)
    world.run(for: .seconds(2))
    return world.checkers?.findings ?? []
  }

  @Test func `finds nothing where all is well`() {
    #expect(findings { message, _ in [message] }.isEmpty)
  }

  @Test func `sees what is delivered twice`() {
    #expect(findings { message, _ in [message, message] }.map(\.checker) == [.once])
  }

  @Test func `sees what its author did not sign`() {
    let found = findings { message, _ in
      let forged = WireMessage(topic: "t", payload: "other", author: message.author, sequence: 1)
      return [Message(id: message.id, wire: forged.signed([UInt8](repeating: 1, count: 64)))]
    }
    #expect(found.map(\.checker) == [.believed])
  }

  @Test func `sees what nobody published`() {
    let found = findings { _, source in
      let made = WireMessage(topic: "t", payload: "made up", author: source, sequence: 99)
      let signed = made.signed(Notional.signature(of: source, over: made.signedBytes))
      return [Message(id: MessageID([1, 2, 3]), wire: signed)]
    }
    #expect(found.map(\.checker) == [.believed])
  }

  @Test func `sees what the application refused`() {
    let found = findings(policy: TopicPolicy(isJudged: true)) { message, source in
      let bad = WireMessage(topic: "t", payload: Payload(Judging.invalidPayload), author: source, sequence: 3)
      return [
        Message(id: message.id, wire: bad.signed(Notional.signature(of: source, over: bad.signedBytes)))
      ]
    }
    #expect(found.map(\.checker) == [.believed])
  }

  @Test func `sees deliveries on topics the application is not on`() {
    let found = findings { message, source in
      let other = WireMessage(topic: "elsewhere", payload: "x", author: source, sequence: 7)
      return [
        Message(id: message.id, wire: other.signed(Notional.signature(of: source, over: other.signedBytes)))
      ]
    }
    #expect(found.map(\.checker) == [.segregated])
  }

  @Test func `sees a wrong author`() {
    let found = findings { message, _ in
      let thief = Notional.peer(1)
      let stolen = WireMessage(topic: "t", payload: message.payload, author: thief, sequence: 7)
      return [
        Message(id: message.id, wire: stolen.signed(Notional.signature(of: thief, over: stolen.signedBytes)))
      ]
    }
    #expect(found.map(\.checker) == [.attributed])
  }

  private var small: Scenario {
    var scenario = Scenario()
    scenario.nodes = 6
    scenario.messages = 6
    scenario.rate = 20
    scenario.messagesAfter = 2
    scenario.patience = .seconds(3)
    scenario.disturbances = [Disturbance(.load(1), until: .seconds(1))]
    return scenario
  }

  @Test func `sees a node that holds more than it may`() {
    var checkers = Checkers()
    checkers.bounds.stored = 3
    var sizes = Sizes()
    sizes.stored = 3
    checkers.held(sizes, by: 1)
    #expect(checkers.findings.isEmpty && checkers.peak.stored == 3)
    sizes.stored = 4
    checkers.held(sizes, by: 1)
    #expect(checkers.findings.map(\.checker) == [.bounded] && checkers.peak.stored == 4)
  }

  @Test func `finds nothing in a whole scenario where all is well`() throws {
    let report = try small.run()
    #expect(report.findings.isEmpty && report.faults.isEmpty && report.coverage == 1, "\(report.findings)")
  }

  @Test func `sees what did not arrive`() throws {
    var scenario = small
    scenario.disturbances = [Disturbance(.loss(1), until: .seconds(1))]
    scenario.configuration.gossipSub.historyGossip = 0
    let report = try scenario.run()
    #expect(report.coverage < 1 && report.violations.isEmpty)
    #expect(report.faults.first?.hasPrefix("everyone") == true && report.missing.count > 0)
  }

  @Test func `sees what costs too much`() throws {
    var scenario = small
    scenario.copiesMax = 0.5
    #expect(try scenario.run().findings.map(\.checker) == [.frugal])
  }

  @Test func `sees honest peers that are blocked`() throws {
    var scenario = small
    scenario.standing = { world, observer, peer in
      Checkers.Regard(score: 0, isBlocked: observer == 0 && peer == world.peer(1))
    }
    let report = try scenario.run()
    #expect(report.findings.map(\.checker) == [.just] && report.violations.count == 1, "\(report.findings)")
  }

  @Test func `sees honest peers that were blocked for a while`() throws {
    var scenario = small
    scenario.disturbances = [Disturbance(.load(1), until: .seconds(40))]
    scenario.standing = { world, observer, peer in
      let isNight = (Instant.zero + .seconds(12)..<Instant.zero + .seconds(30)).contains(world.now)
      return Checkers.Regard(score: 0, isBlocked: isNight && observer == 0 && peer == world.peer(1))
    }
    let report = try scenario.run()
    #expect(report.findings.map(\.checker) == [.just], "\(report.findings)")
  }

  @Test func `hears of honest peers that were blocked for a moment`() {
    var world = World(seed: 1)
    world.checkers = Checkers()
    for _ in 0..<3 { world.add() }
    for other in 1...2 { world.connect(0, other) }
    world.tell(0, .score(world.peer(1), -1e6))
    world.tell(0, .score(world.peer(1), 0))
    world.run(for: .seconds(1))
    #expect(world.node(0)?.regard(for: world.peer(1)).isBlocked == false)
    #expect(world.checkers?.findings.map(\.checker) == [.just] && world.checkers?.worstStanding == .blocked)
  }

  @Test func `hears of honest peers that were barred for a moment`() {
    var world = World(seed: 1)
    world.checkers = Checkers()
    for _ in 0..<3 { world.add() }
    for other in 1...2 { world.connect(0, other) }
    world.tell(0, .bar(world.peer(1), for: .seconds(1)))
    world.run(for: .seconds(5))
    #expect(world.checkers?.findings.map(\.checker) == [.just] && world.checkers?.worstStanding == .welcome)
  }

  @Test(arguments: [(-1.0, 0), (0.0, 1), (1.0, 1)])
  func `sees attackers that are thought of as well as honest peers`(score: Double, found: Int) throws {
    var scenario = small
    scenario.topology = .full
    scenario.adversaries = [Scenario.Troop(.garbler, 1)]
    scenario.standing = { world, observer, peer in
      observer != 0 ? nil : Checkers.Regard(score: world.place(of: peer) == 5 ? score : 0)
    }
    #expect(try scenario.run().findings.count { $0.checker == .isolated } == found)
  }
}
