import GossipCore
import Testing

@Suite struct `A barred peer` {
  /// Peer 1 has given the same small message twice, unasked.
  func circulated(_ change: (inout Configuration) -> Void = { _ in }) -> (lone: Lone, told: Told) {
    let lone = Lone.withDigests(3, change)
    let message = WireMessage.by(peer(90), 1)
    lone.push(message, from: peer(1))
    return (lone, lone.push(message, from: peer(1)))
  }

  // BT-48, GS-144
  @Test func `is disconnected, not heard meanwhile, and turned away when it comes again`() {
    let (lone, told) = circulated()
    #expect(told.barred == [.init(peer(1), .circulation)] && told.disconnected == [peer(1)])
    let record = lone.node.blacklist(wallClock: 1_000)
    #expect(
      record.map(\.peer) == [peer(1)] && record[0].evidence == WireMessage.by(peer(90), 1).authorID.bytes)
    #expect(record[0].since == 1_000 && record[0].until == 1_000 + 86_400)
    #expect(lone.push(.by(peer(90), 2), from: peer(1)).effects.isEmpty)
    #expect(
      lone.hear(.want([WireMessage.by(peer(90), 1).authorID]), on: .digestFirst, from: peer(1)).said == [])
    lone.disconnect(peer(1))
    #expect(lone.isTurnedAway(peer(1)) && lone.counters.turnedAway == 1)
    #expect(lone.snapshot.peers.map(\.id) == [peer(2), peer(3)])
    // What it wrote is not taken either, whoever brings it.
    #expect(lone.push(.by(peer(1), 5), from: peer(2)).effects.isEmpty)
  }

  // BT-48
  @Test func `is not heard from the moment on at which it is barred`() {
    let lone = Lone.withDigests(3)
    let message = WireMessage.by(peer(90), 1)
    lone.push(message, from: peer(1))
    let told = lone.hear(
      messages: [message, .by(peer(90), 2)], words: [.want([message.authorID])], on: .digestFirst,
      from: peer(1))
    #expect(told.disconnected == [peer(1)])
    #expect(told.delivered == [] && told.said == [])
  }

  // GS-144
  @Test func `loses no score by it`() {
    let lone = Lone.onMesh(of: 3)
    lone.bar(peer(1))
    let before = lone.node.explain(peer(1))
    lone.hear(.by(peer(9), 1), from: peer(1))
    lone.hear(.graft(t), from: peer(1))
    #expect(lone.node.explain(peer(1)).score == before.score)
    #expect(lone.observations(of: peer(1)).isEmpty)
  }

  // BT-48
  @Test func `is not waited for: others are asked at once, and leaving is not held against it`() {
    let lone = Lone.withDigests(3)
    let message = WireMessage.by(peer(90), 1, bytes(2_000))
    lone.offer(of: message, from: peer(1))
    lone.offer(of: message, from: peer(2))
    #expect(lone.bar(peer(1)).said == [.want([message.authorID], to: peer(2))])
    #expect(lone.disconnect(peer(1)).observed == [])
    #expect(lone.push(message, from: peer(2)).delivered == [message.authorID])
  }

  // BT-48
  @Test func `does not bring those into disrepute who offer what it wrote`() {
    let lone = Lone.withDigests(3)
    lone.bar(peer(90))
    let message = WireMessage.by(peer(90), 1, bytes(2_000))
    lone.offer(of: message, from: peer(1))
    lone.offer(of: message, from: peer(2))
    var told = lone.push(message, from: peer(1))
    told += lone.advance(.seconds(30))
    #expect(told.observed == [] && told.delivered == [] && told.wanted == [])
    #expect(lone.offer(of: message, from: peer(3)).wanted == [] && lone.sizes.wants == 0)
  }

  // BT-48
  @Test func `cannot keep out what somebody else wrote by putting its name on it`() {
    let policy = TopicPolicy(spread: .digestFirst, signing: .laxSign, identification: .contentHash)
    let lone = Lone.withDigests(3, policy: policy)
    lone.bar(peer(90))
    let (borrowed, genuine) = (WireMessage.by(peer(90), 1, "same"), WireMessage.by(peer(91), 1, "same"))
    #expect(lone.push(borrowed, from: peer(1)).delivered == [])
    #expect(lone.push(genuine, from: peer(2)).delivered == [genuine.contentID])
  }

  @Test func `does not make those incomplete who depend on what it wrote`() {
    let lone = Lone.withDigests(3, policy: TopicPolicy(spread: .digestFirst, isJudged: true))
    lone.verdict = nil
    lone.bar(peer(90))
    let (deploy, block) = (WireMessage.by(peer(90), 1), WireMessage.by(peer(91), 1))
    let told = lone.judge(lone.push(block, from: peer(1)), .await([deploy.authorID]))
    #expect(told.wanted == [deploy.authorID])
    var after = lone.push(deploy, from: peer(1))
    after += lone.advance(.seconds(90))
    #expect(after.observed == [] && lone.sizes.awaiting == 0 && lone.sizes.checks == 0)
  }

  // BT-55, GS-144
  @Test func `is free after a day, after two the second time`() {
    let (lone, _) = circulated()
    lone.disconnect(peer(1))
    #expect(lone.advance(.seconds(86_399)).unbarred == [])
    #expect(lone.isTurnedAway(peer(1)))
    #expect(lone.advance(.seconds(1)).unbarred == [peer(1)])
    lone.meet(peer(1), on: t, speaking: Manner.digestFirst.protocols[0])
    let message = WireMessage.by(peer(90), 7)
    #expect(lone.push(message, from: peer(1)).delivered == [message.authorID])
    #expect(lone.push(message, from: peer(1)).barred == [.init(peer(1), .circulation)])
    lone.disconnect(peer(1))
    #expect(lone.advance(.seconds(2 * 86_400 - 1)).unbarred == [])
    #expect(lone.advance(.seconds(1)).unbarred == [peer(1)])
    #expect(!lone.isTurnedAway(peer(1)))
  }

  // BT-55
  @Test func `stays barred over a restart, and is disconnected if it is there already`() {
    let records = circulated().lone.node.blacklist(wallClock: 1_000)
    let lone = Lone.withDigests(2)
    let told = lone.tell(.restore(records + records, wallClock: 1_000 + 3_600))
    #expect(told.disconnected == [peer(1)])
    lone.disconnect(peer(1))
    #expect(lone.isTurnedAway(peer(1)))
    #expect(lone.advance(.seconds(86_400 - 3_600)).unbarred == [peer(1)])
    #expect(!lone.isTurnedAway(peer(1)))
    let late = Lone.withDigests(2)
    #expect(late.tell(.restore(records, wallClock: 1_000 + 90_000)).disconnected == [])
    #expect(late.bar(peer(1)).notices.contains(.barred(peer(1), .byHand, for: .seconds(2 * 86_400))))
  }

  @Test func `is never this node itself`() {
    let lone = Lone.withDigests(1)
    #expect(lone.bar(peer(0)).effects.isEmpty)
    let own = BlacklistRecord(
      peer: peer(0), reason: .byHand, evidence: [], since: 0, until: nil, times: 1)
    lone.tell(.restore([own], wallClock: 10))
    #expect(lone.sizes.barred == 0 && lone.publish("mine").sentTexts.map(\.to) == [peer(1)])
  }

  @Test func `by hand is barred as long as the operator wants, and may be forgiven`() {
    let lone = Lone.withDigests(2)
    #expect(lone.bar(peer(1), for: .seconds(60)).barred == [.init(peer(1), .byHand)])
    lone.disconnect(peer(1))
    #expect(lone.bar(peer(1), for: .seconds(30)).effects.isEmpty, "it is barred for longer")
    #expect(lone.tell(.unbar(peer(1))).unbarred == [peer(1)])
    #expect(!lone.isTurnedAway(peer(1)))
    #expect(lone.bar(peer(1), for: .seconds(60)).barred.count == 1)
    #expect(lone.advance(.seconds(60)).unbarred == [peer(1)])
    #expect(lone.tell(.unbar(peer(2))).effects.isEmpty)
  }

  @Test func `costs one alarm, however many there are`() {
    let lone = Lone.withDigests(1)
    let before = lone.sizes.alarms
    for round in 1...20 {
      for number in 10...40 { lone.bar(peer(number), for: .seconds(100 + Int64(round))) }
      for number in 10...40 { lone.tell(.unbar(peer(number))) }
    }
    lone.tell(
      .restore(
        (10...40).map {
          BlacklistRecord(peer: peer($0), reason: .unretracted, evidence: [], since: 0, until: 50, times: 1)
        }, wallClock: 0))
    #expect(lone.sizes.alarms <= before + 2)
    #expect(lone.advance(.seconds(50)).unbarred == (10...40).map(peer))
  }

  // BT-90
  @Test func `would only be told of where peers are watched`() {
    let (lone, told) = circulated { $0.reputation.mode = .watching }
    #expect(told.wouldBar == [.init(peer(1), .circulation)] && told.barred == [] && told.disconnected == [])
    let next = WireMessage.by(peer(90), 2)
    #expect(lone.push(next, from: peer(1)).delivered == [next.authorID])
    #expect(lone.sizes.barred == 0 && !lone.isTurnedAway(peer(7)))
    // An operator's word counts all the same.
    #expect(lone.bar(peer(1)).disconnected == [peer(1)])
  }
}
