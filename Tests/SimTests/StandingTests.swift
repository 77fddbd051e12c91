import GossipCore
import GossipSim
import Testing

/// A peer that joins the topic and answers everything it hears with a forgery.
private struct Forger: Participant {
  let me: PeerID
  var number: UInt64 = 0
  var deadline: Instant? { nil }

  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
    switch input {
    case .opened(let peer, .gossipSub, _):
      var frame = Frame(.gossipSub)
      frame.subscriptions = [Subscription("t", joins: true)]
      frame.controls = [.graft("t")]
      effects.append(.send(frame, to: peer))
    case .received(let frame, let peer) where !frame.messages.isEmpty:
      number += 1
      var forged = Frame(.gossipSub)
      let message = WireMessage(topic: "t", payload: "false", author: me, sequence: number)
      forged.messages = [message.signed([1, 2, 3])]
      effects.append(.send(forged, to: peer))
    default: break
    }
  }
}

@Suite struct `Standing in a simulated network` {
  /// Of the connected peers of all nodes: the worst standing among those that `includes` lets through.
  private func worst(_ world: World, includes: (Int, PeerID) -> Bool = { _, _ in true }) -> Standing {
    (0..<world.count).flatMap { index in
      (world.node(index)?.snapshot.peers ?? []).filter { includes(index, $0.id) }.map(\.standing)
    }.min() ?? .welcome
  }

  /// The first connected peer of anybody that is not welcome to gossip, and why.
  private func worstExplained(_ world: World) -> String? {
    for index in 0..<world.count {
      for peer in world.node(index)?.snapshot.peers ?? [] where peer.standing < .gossipOnly {
        return "node \(index): \(world.node(index)?.explain(peer.id).description ?? "")"
      }
    }
    return nil
  }

  // GS-138, BT-89
  @Test(arguments: [Manner.gossipSub, .push, .infection, .digestFirst, .advert, .slots])
  func `of honest nodes is good, under loss, load and churn`(manner: Manner) {
    var policy = TopicPolicy(spread: manner)
    policy.heal = Heal(digestsEvery: .seconds(1))
    var model = NetworkModel()
    (model.loss, model.jitter) = (0.1, .milliseconds(100))
    var world = World(model, seed: 7)
    for _ in 0..<16 { world.add() }
    for index in 0..<16 { world.tell(index, .subscribe("t", policy)) }
    var dice = WorldDice(seed: 7)
    for (a, b) in Topology.random(dials: 4).links(among: 16, &dice) { world.connect(a, b) }
    world.run(for: .seconds(2))
    var seen = Standing.welcome
    for round in 0..<30 {
      for number in 0..<20 {
        world.publish(Payload("\(round) \(number)"), to: "t", by: (round + number) % 16)
        world.run(for: .milliseconds(25))
      }
      if round % 5 == 4 {
        let index = round % 16
        world.crash(index)
        world.run(for: .milliseconds(300))
        world.restart(index)
        world.tell(index, .subscribe("t", policy))
        for other in 0..<16 where other != index && other % 3 == 0 { world.connect(index, other) }
      }
      seen = min(seen, worst(world))
      if let bad = worstExplained(world) {
        Issue.record("round \(round): \(bad)")
        break
      }
    }
    #expect(seen >= .gossipOnly)
  }

  // BT-89
  @Test func `of forgers ends, and nobody else's suffers`() {
    var world = World(seed: 3)
    for _ in 0..<12 { world.add() }
    let forgers = (0..<4).map { _ in world.add { id, _, _ in Forger(me: id) } }
    for index in 0..<12 { world.tell(index, .subscribe("t", TopicPolicy())) }
    for a in 0..<16 { for b in a + 1..<16 where a < 12 { world.connect(a, b) } }
    world.run(for: .seconds(2))
    for number in 0..<100 {
      world.publish(Payload("\(number)"), to: "t", by: number % 12)
      world.run(for: .milliseconds(50))
    }
    let isComplete = world.run(for: .seconds(10)) { world in
      (0..<12).allSatisfy { world.delivered(at: $0) == world.owed(to: $0) }
    }
    #expect(isComplete)
    let liars = Set(forgers.map { world.peer($0) })
    #expect(worst(world) { !liars.contains($1) } == .welcome)
    let blocked = (0..<12).flatMap { world.node($0)?.snapshot.peers ?? [] }.filter {
      liars.contains($0.id) && $0.standing == .blocked
    }
    #expect(blocked.count > 24, "of 48")
  }
}
