import GossipCore
import Testing

/// IHAVE and IWANT: messages for those outside the mesh, and promises kept and broken.
@Suite struct `An offer` {
  // GS-76
  @Test func `leads to a want, and the message is delivered and passed on`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let message = WireMessage.by(peer(9), 1)
    #expect(
      lone.hear(.have(t, [message.authorID]), from: peer(6)).said == [.want([message.authorID], to: peer(6))])
    let told = lone.hear(message, from: peer(6))
    #expect(told.delivered == [message.authorID])
    #expect(told.receivers(of: message.authorID) == peers(1...5))
    #expect(lone.sizes.wants == 0)
  }

  // GS-77
  @Test func `on a topic we are not on is not wanted`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    #expect(lone.hear(.have("nowhere", [id(1)]), from: peer(6)).said == [])
    #expect(lone.sizes.wants == 0)
  }

  // GS-77
  @Test func `of what we met already is not wanted`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let messages = (1...3).map { WireMessage.by(peer(9), $0) }
    lone.hear(messages[0], from: peer(1))
    lone.verdict = .reject
    lone.join(t, policy: .judged)
    lone.hear(messages[1], from: peer(1))
    lone.verdict = nil
    lone.hear(messages[2], from: peer(1))
    let told = lone.hear(.have(t, messages.map(\.authorID) + [id(1)]), from: peer(6))
    #expect(told.said == [.want([id(1)], to: peer(6))])
  }

  // GS-77
  @Test func `of what is being examined is not wanted`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    #expect(lone.hear(.have(t, [message.authorID]), from: peer(6)).said == [])
  }

  // GS-78
  @Test func `is ignored after ten frames with offers within a heartbeat, and heard again after it`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.beat()
    for number in 1...10 {
      #expect(lone.hear(.have(t, [id(number)]), from: peer(6)).wanted == [id(number)])
    }
    let told = lone.hear(.have(t, [id(11)]), from: peer(6))
    #expect(told.said == [])
    #expect(told.observed == [.init(.flooded, peer(6))])
    #expect(lone.hear(.have(t, [id(11)]), from: peer(1)).wanted == [id(11)], "others are heard")
    lone.beat()
    #expect(lone.hear(.have(t, [id(12)]), from: peer(6)).wanted == [id(12)])
  }

  // GS-78
  @Test func `counts by frames with offers, not by other words`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    for number in 1...20 { lone.hear(.want([id(number)]), .graft(t), from: peer(6)) }
    #expect(lone.hear(.have(t, [id(50)]), from: peer(6)).wanted == [id(50)])
  }

  // GS-79
  @Test func `of 5,001 ids leads to 5,000 wants`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let wanted = lone.hear(.have(t, ids(0..<5_001)), from: peer(6)).wanted
    #expect(wanted.count == 5_000 && Set(wanted).count == 5_000)
  }

  // GS-79
  @Test func `leads to 5,000 wants within a heartbeat however it is divided`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.beat()
    #expect(lone.hear(.have(t, ids(0..<3_000)), from: peer(6)).wanted.count == 3_000)
    #expect(lone.hear(.have(t, ids(3_000..<6_000)), from: peer(6)).wanted.count == 2_000)
    #expect(lone.hear(.have(t, ids(6_000..<6_001)), from: peer(6)).wanted == [])
    lone.beat()
    #expect(lone.hear(.have(t, ids(6_000..<6_001)), from: peer(6)).wanted.count == 1)
  }

  // GS-80
  @Test func `beyond the budget is wanted in part, at random, without repeats`() {
    func asked(_ seed: UInt8) -> [MessageID] {
      let lone = Lone(seed: [seed]) { $0.gossipSub.offerLength = 200 }
      lone.join(t)
      lone.join(u)
      lone.meet(peer(1), on: t)
      return lone.hear(.have(t, ids(0..<150) + ids(0..<50)), .have(u, ids(100..<300)), from: peer(1)).wanted
    }
    let (first, second) = (asked(1), asked(2))
    #expect(first.count == 200 && Set(first).count == 200)
    #expect(Set(first).isSubset(of: ids(0..<300)))
    #expect(first != first.sorted())
    #expect(Set(first) != Set(second))
  }

  // GS-81: one is asked; the next one if the promise breaks.
  @Test func `made by several peers is wanted from one at a time`() {
    let lone = Lone.onMesh(of: 5, outside: 3)
    #expect(lone.hear(.have(t, [id(1)]), from: peer(6)).said == [.want([id(1)], to: peer(6))])
    #expect(lone.hear(.have(t, [id(1)]), from: peer(7)).said == [])
    #expect(lone.hear(.have(t, [id(1)]), from: peer(8)).said == [])
    #expect(lone.advance(.milliseconds(2_999)).wanted == [])
    #expect(lone.advance(.milliseconds(1)).said == [.want([id(1)], to: peer(7))])
    #expect(lone.advance(.seconds(3)).said == [.want([id(1)], to: peer(8))])
    #expect(lone.advance(.seconds(3)).wanted == [])
    #expect(lone.sizes.wants == 0)
    #expect(lone.hear(.have(t, [id(1)]), from: peer(6)).said == [.want([id(1)], to: peer(6))])
  }

  // GS-85, GS-86
  @Test func `of a message is made in three heartbeats`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    for _ in 1...3 { #expect(lone.beat().said == [.have(t, [message.authorID], to: peer(6))]) }
    #expect(lone.beat(5).said == [])
  }

  // GS-86
  @Test(arguments: [(1, 1), (4, 4), (6, 6), (20, 6), (27, 6), (28, 7), (40, 10), (100, 25)])
  func `goes to six members outside the mesh, or to a quarter of them`(outside: Int, targets: Int) {
    let lone = Lone.meshless(peers: outside)
    lone.hear(.by(peer(900), 1), from: peer(1))
    let offered = lone.beat().offers(of: t).map(\.to)
    #expect(offered.count == targets && Set(offered).count == targets)
  }

  // GS-86
  @Test func `goes neither to partners nor to peers of other topics`() {
    let lone = Lone.onMesh(of: 5, outside: 3)
    lone.join(u)
    lone.meet(peers(20...29), on: u)
    let message = WireMessage.by(peer(90), 1)
    lone.hear(message, from: peer(1))
    #expect(Set(lone.beat().offers(of: t).map(\.to)) == Set(peers(6...8)))
  }

  // GS-86
  @Test func `names the topic's own messages only`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.join(u)
    let (here, there) = (WireMessage.by(peer(9), 1), WireMessage.by(peer(9), 2, on: u))
    lone.hear(here, there, from: peer(1))
    #expect(lone.beat().said == [.have(t, [here.authorID], to: peer(6))])
  }

  @Test func `of more ids than one may hold names others to each peer`() {
    let lone = Lone.meshless(peers: 6) { $0.gossipSub.offerLength = 50 }
    lone.hear(messages: (1...100).map { .by(peer(9), $0) }, from: peer(1))
    let offers = lone.beat().offers(of: t).map(\.ids)
    #expect(offers.map(\.count) == [50, 50, 50, 50, 50, 50])
    #expect(Set(offers.flatMap { $0 }).count > 80)
    #expect(Set(offers).count == 6)
  }

  @Test func `is made at once to a peer that comes within three heartbeats`() {
    let lone = Lone.onMesh(of: 5)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    #expect(lone.meet(peer(6), on: t).said.contains(.have(t, [message.authorID], to: peer(6))))
  }
}

@Suite struct `A want` {
  // GS-82
  @Test func `is served three times to each peer`() {
    let lone = Lone.onMesh(of: 5, outside: 2)
    let message = WireMessage.by(peer(9), 1)
    let id = message.authorID
    #expect(lone.hear(message, from: peer(1)).receivers(of: id).contains(peer(2)))
    for _ in 1...3 { #expect(lone.hear(.want([id]), from: peer(2)).said == [.message(id, to: peer(2))]) }
    for _ in 1...3 { #expect(lone.hear(.want([id]), from: peer(2)).said == []) }
    #expect(lone.hear(.want([id]), from: peer(6)).said == [.message(id, to: peer(6))])
    #expect(lone.counters.wantsServed == 4)
  }

  // GS-82
  @Test func `repeated within a frame is served once`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    let want = Control.want([MessageID](repeating: message.authorID, count: 1_000))
    #expect(lone.hear(want, from: peer(6)).said == [.message(message.authorID, to: peer(6))])
  }

  // GS-83
  @Test func `for what we do not have is met with silence`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    #expect(lone.hear(.want(ids(0..<100)), from: peer(6)).effects.isEmpty)
  }

  // GS-83
  @Test func `for what is not validated is met with silence`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    #expect(lone.hear(.want([message.authorID]), from: peer(6)).said == [])
    lone.checksAtOnce = true
    lone.verdict = .reject
    lone.join(t, policy: .judged)
    let refused = WireMessage.by(peer(9), 2)
    lone.hear(refused, from: peer(1))
    #expect(lone.hear(.want([refused.authorID]), from: peer(6)).said == [])
  }

  // GS-83, GS-85
  @Test func `is served during five heartbeats`() {
    let lone = Lone.onMesh(of: 5)
    lone.meet(peers(6...12))
    lone.beat()
    let message = WireMessage.by(peer(90), 1)
    lone.hear(message, from: peer(1))
    for number in 6...10 {
      #expect(lone.hear(.want([message.authorID]), from: peer(number)).said.count == 1)
      lone.beat()
    }
    #expect(lone.hear(.want([message.authorID]), from: peer(11)).said == [])
    #expect(lone.sizes.stored == 0 && lone.sizes.storedBytes == 0)
  }
}

@Suite struct `A promise` {
  // GS-88: every id is promised.
  @Test func `broken counts against the peer once per id, after 3 s`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.hear(.have(t, ids(0..<100)), from: peer(6))
    #expect(lone.advance(.milliseconds(2_999)).observed == [])
    #expect(lone.advance(.milliseconds(1)).observed == [.init(.brokenPromise, peer(6), 100)])
    #expect(lone.observations(of: peer(6)) == [.brokenPromise: 100])
    #expect(lone.sizes.wants == 0)
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  // GS-89
  @Test func `is kept by giving in time`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(.have(t, [message.authorID]), from: peer(6))
    lone.advance(.milliseconds(2_900))
    lone.hear(message, from: peer(6))
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  // GS-89
  @Test func `is kept when somebody else gives`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(.have(t, [message.authorID]), from: peer(6))
    lone.hear(message, from: peer(1))
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  // GS-89
  @Test func `is kept when the application rejects what was given`() {
    let lone = Lone.onMesh(of: 5, outside: 1, policy: .judged)
    lone.verdict = .reject
    let message = WireMessage.by(peer(9), 1)
    lone.hear(.have(t, [message.authorID]), from: peer(6))
    #expect(lone.hear(message, from: peer(6)).observed == [.init(.invalidMessage, peer(6))])
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  // GS-89
  @Test func `is not kept by giving something unsigned or forged`() {
    let lone = Lone.onMesh(of: 5, outside: 2)
    let unsigned = WireMessage(topic: t, payload: "x", author: peer(9), sequence: 1)
    let forged = WireMessage(topic: t, payload: "x", author: peer(9), sequence: 2).signed([1])
    lone.hear(.have(t, [unsigned.authorID]), from: peer(6))
    lone.hear(.have(t, [forged.authorID]), from: peer(7))
    lone.hear(unsigned, from: peer(6))
    lone.hear(forged, from: peer(7))
    let told = lone.advance(.seconds(3))
    #expect(told.observed == [.init(.brokenPromise, peer(6)), .init(.brokenPromise, peer(7))])
  }

  // GS-91
  @Test func `of a peer that leaves passes to the next holder, and nobody is blamed`() {
    let lone = Lone.onMesh(of: 5, outside: 2)
    lone.hear(.have(t, [id(1)]), from: peer(6))
    lone.hear(.have(t, [id(1)]), from: peer(7))
    let told = lone.disconnect(peer(6))
    #expect(told.said == [.want([id(1)], to: peer(7))])
    #expect(told.observed == [])
    lone.disconnect(peer(7))
    #expect(lone.sizes.wants == 0)
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  // GS-91
  @Test func `of another peer lasts its full time after the first promiser left`() {
    let lone = Lone.onMesh(of: 5, outside: 2)
    lone.hear(.have(t, [id(1)]), from: peer(6))
    lone.advance(.seconds(1))
    lone.disconnect(peer(6))
    lone.advance(.seconds(1))
    #expect(lone.hear(.have(t, [id(1)]), from: peer(7)).wanted == [id(1)])
    #expect(lone.advance(.milliseconds(2_999)).observed == [])
    #expect(lone.advance(.milliseconds(1)).observed == [.init(.brokenPromise, peer(7))])
  }

  // GS-92
  @Test func `is not asked for again when the want could not be sent`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.hear(.have(t, [id(1)]), from: peer(6))
    #expect(lone.tell(.shed(peer(6), .offer, count: 1)).said == [])
    #expect(lone.advance(.seconds(10)).wanted == [])
  }

  @Test func `cannot be given for more than the wantlist holds`() {
    let lone = Lone.onMesh(of: 5, outside: 1) { $0.limits.wantsMax = 10 }
    #expect(lone.hear(.have(t, ids(0..<100)), from: peer(6)).wanted.count == 10)
    #expect(lone.sizes.wants == 10)
    #expect(lone.counters.evicted == 90)
  }
}

@Suite struct `A partner whose queue was full` {
  @Test func `is offered what it may lack for some heartbeats, and then is a partner like the others`() {
    let lone = Lone.onMesh(of: 4)
    let first = WireMessage.by(peer(9), 1)
    lone.hear(first, from: peer(1))
    #expect(lone.beat().offers(of: t).isEmpty)
    lone.tell(.shed(peer(2), .message, count: 1))
    let offers = lone.beat().offers(of: t)
    #expect(offers.map(\.to) == [peer(2)] && offers.map(\.ids) == [[first.authorID]])
    #expect(lone.hear(.want([first.authorID]), from: peer(2)).receivers(of: first.authorID) == [peer(2)])
    lone.beat(3)
    lone.hear(.by(peer(9), 2), from: peer(1))
    #expect(lone.beat().offers(of: t).isEmpty)
  }
}
