import GossipCore
import Testing

/// What a node does about peers of a bad score. Scores are set by the application (P5), so that they hold still.
@Suite struct `A badly scored peer` {
  let member = peer(1)
  let stranger = peer(6)

  /// Five partners and some outside, of which one has this score.
  func lone(
    outside: Int = 3, _ scores: [PeerID: Double] = [:], policy: TopicPolicy = TopicPolicy(),
    _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone.onMesh(of: 5, outside: outside, policy: policy, change)
    lone.score(scores)
    return lone
  }

  // GS-45
  @Test func `is no candidate for the mesh`() {
    let lone = Lone()
    lone.join(t)
    lone.connect(peer(1))
    lone.score([peer(1): -0.1])
    lone.open(peer(1))
    #expect(lone.hear(subscriptions: [Subscription(t, joins: true)], from: peer(1)).grafted(t) == [])
    #expect(lone.beat(3).grafted(t) == [])
    lone.score([peer(1): 0])
    #expect(lone.beat().grafted(t) == [peer(1)])
    let late = Lone()
    late.meet(peers(1...3))
    late.score([peer(2): -0.1])
    #expect(Set(late.join(t).grafted(t)) == [peer(1), peer(3)])
  }

  // GS-46
  @Test func `is pruned at the next heartbeat; at 0 it stays`() {
    let lone = lone([member: -0.1, peer(2): 0])
    let told = lone.beat()
    #expect(told.pruned(t) == [member])
    #expect(told.said.contains(.prune(t, 60, to: member)))
    #expect(lone.mesh().contains(peer(2)) && !lone.mesh().contains(member))
  }

  // GS-63
  @Test func `that grafts us is answered by PRUNE, and kept out for a while`() {
    let lone = lone([stranger: -0.1])
    let told = lone.hear(.graft(t), from: stranger)
    #expect(told.said == [.prune(t, 60, to: stranger)])
    #expect(told.observed == [])
    lone.score([stranger: 0])
    #expect(lone.hear(.graft(t), from: stranger).observed == [.init(.earlyGraft, stranger, 2)])
  }

  // GS-61, GS-62
  @Test func `by grafting again and again ends in silence`() {
    let lone = lone()
    lone.hear(.prune(t, backoff: 60), from: stranger)
    var answers = 0
    for _ in 0..<20 { answers += lone.hear(.graft(t), from: stranger).pruned(t).count }
    #expect((1...5).contains(answers))
    #expect(lone.standing(of: stranger) == .blocked)
    #expect(lone.hear(.graft(t), from: stranger).said.isEmpty)
  }

  // GS-84
  @Test func `below the gossip threshold is given nothing for its wants, and its offers are not heard`() {
    let lone = lone([stranger: -10.1, peer(7): -10])
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    #expect(lone.hear(.want([message.authorID]), from: stranger).effects.isEmpty)
    #expect(lone.hear(.want([message.authorID]), from: peer(7)).receivers(of: message.authorID) == [peer(7)])
    #expect(lone.hear(.have(t, [id(1)]), from: stranger).effects.isEmpty)
    #expect(lone.hear(.have(t, [id(1)]), from: peer(7)).wanted == [id(1)])
    // Its messages are read all the same.
    let other = WireMessage.by(peer(9), 2)
    #expect(lone.hear(other, from: stranger).delivered == [other.authorID])
  }

  // GS-86
  @Test func `below the gossip threshold is offered nothing`() {
    let lone = lone([stranger: -10.1, peer(7): -10])
    lone.hear(.by(peer(9), 1), from: peer(1))
    #expect(Set(lone.beat(3).offers(of: t).map(\.to)) == [peer(7), peer(8)])
    // Nor when it joins the topic anew.
    lone.hear(subscriptions: [Subscription(t, joins: false)], from: stranger)
    #expect(lone.hear(subscriptions: [Subscription(t, joins: true)], from: stranger).said == [])
  }

  // GS-87
  @Test func `changes nothing for the others, who are each offered a part of too many ids`() {
    let lone = lone(outside: 4, [stranger: -10.1]) { $0.gossipSub.offerLength = 10 }
    for number in 1...30 { lone.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    let offers = lone.beat().offers(of: t)
    #expect(Set(offers.map(\.to)) == [peer(7), peer(8), peer(9)])
    #expect(offers.allSatisfy { Set($0.ids).count == 10 })
    #expect(Set(offers.flatMap(\.ids)).count > 10)
  }

  // GS-103, GS-104
  @Test func `below the publish threshold is not sent our own messages`() {
    let lone = lone([stranger: -50.1, peer(7): -50])
    let told = lone.publish()
    #expect(Set(told.sentTexts.map(\.to)) == Set(peers(1...5) + [peer(7), peer(8)]))
  }

  // GS-102, GS-104
  @Test func `below the publish threshold leaves the fanout, and another takes its place`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...7))
    let first = Set(lone.publish().sentTexts.map(\.to))
    #expect(first.count == 6)
    guard let fallen = first.first, let spare = Set(peers(1...7)).subtracting(first).first else { return }
    lone.score([fallen: -50.1])
    lone.beat()
    #expect(Set(lone.publish("again").sentTexts.map(\.to)) == first.subtracting([fallen]).union([spare]))
    lone.hear(subscriptions: [Subscription(t, joins: false)], from: spare)
    #expect(Set(lone.publish("and again").sentTexts.map(\.to)) == first.subtracting([fallen]))
  }

  // GS-138
  @Test func `that is graylisted is heard for subscriptions only, answered nothing, and comes back`() {
    let lone = lone()
    for number in 0..<3 {
      lone.hear(WireMessage(topic: t, payload: bytes(number), author: nil, sequence: nil), from: stranger)
    }
    #expect(lone.standing(of: stranger) == .blocked)
    let message = WireMessage.by(peer(9), 9)
    #expect(lone.hear(message, from: stranger).delivered == [])
    #expect(
      lone.hear(.have(t, [id(1)]), .graft(t), .want([message.authorID]), from: stranger).effects.isEmpty)
    #expect(lone.counters.unheard == 2)
    let told = lone.hear(subscriptions: [Subscription(u, joins: true)], from: stranger)
    #expect(told.notices == [.subscribed(stranger, u)])
    lone.hear(message, from: peer(1))
    #expect(lone.publish().said.allSatisfy { $0.to != stranger })
    lone.advance(.seconds(800))
    #expect(lone.standing(of: stranger) == .welcome)
    let later = WireMessage.by(peer(9), 10)
    #expect(lone.hear(later, from: stranger).delivered == [later.authorID])
  }

  @Test func `that is graylisted is not waited for`() {
    let lone = lone([:])
    lone.hear(.have(t, [id(1)]), from: stranger)
    lone.hear(.have(t, [id(1)]), from: peer(7))
    let told = lone.score([stranger: -100])
    #expect(told.said == [.want([id(1)], to: peer(7))])
    #expect(told.notices.contains(.reputation(.standing(stranger, .blocked, from: .welcome, isActing: true))))
  }

  // BT-90
  @Test func `is dealt with like any other where scores are only watched`() {
    let lone = lone([member: -100, stranger: -100]) { $0.reputation.mode = .watching }
    #expect(lone.beat().pruned(t) == [])
    #expect(lone.standing(of: stranger) == .welcome)
    #expect(lone.publish().sentTexts.map(\.to).contains(stranger))
    #expect(lone.hear(.graft(t), from: stranger).said == [])
    #expect(lone.mesh().contains(stranger))
    let explanation = lone.node.explain(stranger)
    #expect(explanation.verdict == .blocked && explanation.standing == .welcome)
    #expect(lone.snapshot.peers.first { $0.id == stranger }?.score == -100)
  }

  @Test(arguments: Manner.allCases.filter { $0.protocols.first != "/meshsub/1.2.0" && $0 != .antiEntropy })
  func `is blocked in every manner alike`(manner: Manner) {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: manner))
    lone.meet(peers(1...3), speaking: manner.protocols[0])
    lone.score([peer(1): -100])
    for number in 0..<3 {
      let message = WireMessage.by(peer(9), UInt64(number))
      #expect(lone.hear(message, on: manner, from: peer(1)).effects.isEmpty)
      #expect(lone.hear(.want([id(number)]), on: manner, from: peer(1)).effects.isEmpty)
    }
    var told = lone.publish(to: manner == .direct ? .many(peers(1...3)) : .everyone)
    told += lone.advance(.seconds(2))
    #expect(!told.said.isEmpty && told.said.allSatisfy { $0.to != peer(1) })
  }
}

@Suite struct `Scores in the mesh` {
  // GS-43
  @Test func `keep the best when it shrinks, and enough outbound partners`() {
    for seed in 0..<20 as Range<UInt8> {
      let lone = Lone(seed: [seed]) { $0.gossipSub.degreeScore = 4 }
      lone.join(t)
      for number in 1...12 {
        lone.meet(peer(number), on: t, outbound: number > 10)
        lone.hear(.graft(t), from: peer(number))
      }
      precondition(lone.mesh().count == 12)
      let best = [3, 5, 7, 9].map(peer)
      lone.score(Dictionary(uniqueKeysWithValues: best.map { ($0, 5) }))
      lone.beat()
      #expect(lone.mesh().count == 6)
      #expect(Set(lone.mesh()) == Set(best + [peer(11), peer(12)]))
    }
  }

  // GS-53
  @Test func `let better peers in now and then where its median is low`() {
    let lone = Lone.onMesh(of: 5, outside: 10)
    lone.score(Dictionary(uniqueKeysWithValues: peers(1...5).map { ($0, 0.5) }))
    lone.score(Dictionary(uniqueKeysWithValues: peers(6...10).map { ($0, 2) }))
    lone.score(Dictionary(uniqueKeysWithValues: peers(11...15).map { ($0, 0.4) }))
    var grafts: [PeerID] = []
    while lone.counters.heartbeats < 59 { grafts += lone.beat().grafted(t) }
    #expect(grafts == [])
    grafts = lone.beat().grafted(t)
    #expect(grafts.count == 2 && Set(grafts).isSubset(of: peers(6...10)))
    grafts = lone.beat(59).grafted(t)
    #expect(grafts == [])
    #expect(lone.beat().grafted(t).count == 2)  // 3 of 7 are better: the median is still low
    #expect(lone.beat(60).grafted(t).count == 1)  // 4 of 9
    #expect(lone.beat(60).grafted(t) == [])  // 5 of 10: the higher one of the two in the middle
  }

  // GS-53
  @Test func `bring in nobody where the median is at the threshold`() {
    let lone = Lone.onMesh(of: 5, outside: 5)
    lone.score(Dictionary(uniqueKeysWithValues: peers(1...5).map { ($0, 1) }))
    lone.score(Dictionary(uniqueKeysWithValues: peers(6...10).map { ($0, 9) }))
    #expect(lone.beat(61).grafted(t) == [])
  }
}

/// Every way a message takes through validation, and what it adds to its senders' scores.
@Suite struct `A delivery's score` {
  func counter(_ kind: ScoreTerm.Kind, _ peer: PeerID, _ lone: Lone) -> Double {
    lone.node.explain(peer).terms.first { $0.kind == kind }?.counter ?? 0
  }

  func invalid(_ lone: Lone) -> [Double] { [1, 2, 3].map { counter(.invalidMessages, peer($0), lone) } }
  func first(_ lone: Lone) -> [Double] { [1, 2, 3].map { counter(.firstDeliveries, peer($0), lone) } }

  /// The judge has the message; two peers have sent it.
  func judging(_ verdict: Verdict) -> (lone: Lone, message: WireMessage) {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.reputation.peerScore.behaviourWeight = 0 }
    lone.verdict = nil
    let message = WireMessage.by(peer(9), 1)
    let told = lone.hear(message, from: peer(1))
    lone.hear(message, from: peer(2))
    for effect in told.effects {
      guard case .judge(let ticket, _, _) = effect else { continue }
      lone.tell(.judged(ticket, verdict))
      lone.tell(.judged(ticket, .reject))  // a second verdict is none
    }
    lone.hear(message, from: peer(3))
    lone.hear(message, from: peer(3))
    return (lone, message)
  }

  // GS-136
  @Test func `is the first sender's where it is accepted`() {
    let (lone, _) = judging(.accept)
    #expect(first(lone) == [1, 0, 0])
    #expect(invalid(lone) == [0, 0, 0])
  }

  // GS-136
  @Test func `is against all who sent it, then or later, where it is rejected`() {
    let (lone, _) = judging(.reject)
    #expect(first(lone) == [0, 0, 0])
    #expect(invalid(lone) == [1, 1, 2])
  }

  // GS-136
  @Test func `is nobody's where it is ignored`() {
    let (lone, _) = judging(.ignore)
    #expect(first(lone) == [0, 0, 0] && invalid(lone) == [0, 0, 0])
  }

  // GS-136
  @Test func `is nobody's where it is throttled`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.limits.judgementsOpen = 1 }
    lone.verdict = nil
    lone.hear(.by(peer(9), 1), from: peer(2))
    #expect(lone.hear(.by(peer(9), 2), from: peer(1)).rejected == [.throttled])
    lone.hear(.by(peer(9), 2), from: peer(3))
    #expect(first(lone) == [0, 0, 0] && invalid(lone) == [0, 0, 0])
  }

  // GS-136
  @Test func `is against its sender at once where it is not signed rightly`() {
    let lone = Lone.onMesh(of: 3)
    let forged = WireMessage(topic: t, payload: "x", author: peer(9), sequence: 2).signed([1])
    lone.hear(forged, from: peer(1))
    lone.hear(WireMessage(topic: t, payload: "x", author: peer(9), sequence: 3), from: peer(2))
    #expect(invalid(lone) == [1, 1, 0])
  }

  // GS-136
  @Test func `counts the copies of partners while it was judged and soon after`() {
    var scoring = TopicScoreParameters()
    (scoring.timeInMeshWeight, scoring.meshDeliveriesWeight) = (1, -0.001)
    scoring.meshDeliveriesDecay = 0.9
    scoring.meshDeliveriesThreshold = 5
    scoring.meshDeliveriesActivation = .seconds(1)
    scoring.meshDeliveriesWindow = .milliseconds(50)
    let lone = Lone.onMesh(of: 3, policy: TopicPolicy(isJudged: true, scoring: scoring))
    lone.advance(.seconds(3))
    lone.verdict = nil
    let message = WireMessage.by(peer(9), 1)
    let told = lone.hear(message, from: peer(1))
    lone.hear(message, from: peer(2))
    for effect in told.effects {
      if case .judge(let ticket, _, _) = effect { lone.tell(.judged(ticket, .accept)) }
    }
    #expect([1, 2, 3].map { counter(.meshDeliveries, peer($0), lone) } == [1, 1, 0])
    lone.hear(message, from: peer(3))
    lone.hear(message, from: peer(3))
    #expect([1, 2, 3].map { counter(.meshDeliveries, peer($0), lone) } == [1, 1, 1])
  }
}

@Suite struct `Partners by score` {
  // BT-38
  @Test func `are told the best first, equal ones as they come`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .digestFirst))
    lone.meet(peers(1...4), speaking: Manner.digestFirst.protocols[0])
    #expect(lone.publish("one").sentTexts.map(\.to) == peers(1...4))
    // Peer 3 brings good news.
    lone.hear(.by(peer(9), 1), on: .digestFirst, from: peer(3))
    #expect(lone.publish("two").sentTexts.map(\.to) == [3, 1, 2, 4].map(peer))
  }

  // BT-35
  @Test func `that leave owing what they were asked for are less reliable`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .digestFirst))
    lone.meet(peers(1...4), speaking: Manner.digestFirst.protocols[0])
    let message = WireMessage.by(peer(9), 1, bytes(5_000))
    let advert = Advert(
      id: message.authorID, hash: [UInt8](repeating: 0, count: 32), size: UInt64(message.bytes.count))
    for number in [1, 2] { lone.hear(.advert(t, [advert]), on: .digestFirst, from: peer(number)) }
    func reliability(_ number: Int) -> Double? {
      lone.node.explain(peer(number)).factors.first { $0.name == "reliability" }?.value
    }
    let told = lone.disconnect(peer(1))
    #expect(told.observed == [.init(.disrupted, peer(1))])
    #expect(told.said == [.want([message.authorID], to: peer(2))])
    #expect(reliability(1).map { $0 < 0.2 } == true)
    // BT-36: while nothing is owed, leaving costs nothing.
    #expect(lone.disconnect(peer(3)).observed == [])
    #expect(reliability(3) == 0.5)
  }
}

extension Lone {
  /// The application's opinion of peers.
  @discardableResult
  func score(_ scores: [PeerID: Double]) -> Told {
    scores.keys.sorted().reduce(into: Told()) { $0 += tell(.score($1, scores[$1]!)) }
  }

  func standing(of peer: PeerID) -> Standing? { node.snapshot.peers.first { $0.id == peer }?.standing }
}
