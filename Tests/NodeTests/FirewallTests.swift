import GossipCore
import Testing

@Suite struct `The firewall of a node` {
  // BT-41, BT-43, BT-47
  @Test func `stops reading a flooder, who is written to, while the others are served at once`() {
    let lone = Lone.onMesh(of: 6)
    lone.checksAtOnce = false
    var told = Told()
    for number in 1...16 { told += lone.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    #expect(told.paused == [peer(1)] && told.observed == [])
    #expect(lone.publish().sentTexts.map(\.to).contains(peer(1)))
    lone.checksAtOnce = true
    for number in 2...6 {
      let message = WireMessage.by(peer(9), UInt64(100 + number))
      #expect(lone.hear(message, from: peer(number)).delivered == [message.authorID])
    }
  }

  // BT-42
  @Test func `reads on as soon as one place is free`() {
    let lone = Lone.onMesh(of: 3)
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...16).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)])
    #expect(lone.tell(.checked(told.toCheck[0].ticket, authentic: true)).resumed == [peer(1)])
  }

  // BT-44
  @Test func `lengthens nobody's queue for what nobody had to examine`() {
    let lone = Lone.onMesh(of: 3)
    lone.join(u, policy: .anonymous)
    for number in 1...64 { lone.hear(.anonymous(bytes(number), on: u), from: peer(1)) }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...16).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)], "sixteen places, as at first")
  }

  // BT-44
  @Test func `shortens the queue of who gave a message that the application refuses`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    for number in 1...15 { lone.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    lone.verdict = .reject
    lone.hear(.by(peer(9), 50), from: peer(1))
    lone.verdict = nil
    #expect(lone.hear(messages: (100...115).map { .by(peer(9), $0) }, from: peer(1)).paused == [peer(1)])
  }

  // BT-41
  @Test func `charges each version of a message to who sent it`() {
    let lone = Lone.onMesh(of: 3) {
      $0.firewall.allowance = AllowanceParameters(fixed: 4)
      $0.firewall.allowance.bytesPerPlace = 1_000
      $0.reputation.mode = .off
    }
    lone.checksAtOnce = false
    lone.hear(.by(peer(9), 1), from: peer(1))
    let check = lone.hear(.forged(2, by: peer(9), bytes(3_000)), from: peer(1)).toCheck[0]
    lone.hear(.by(peer(9), 2, bytes(10)), from: peer(2))
    let next = lone.tell(.checked(check.ticket, authentic: false)).toCheck[0]
    // Peer 1 has one small message with us, and peer 2 another.
    #expect(lone.hear(.by(peer(9), 3, bytes(1_500)), from: peer(1)).paused == [])
    let told = lone.hear(messages: (4...6).map { .by(peer(9), $0) }, from: peer(2))
    #expect(told.paused == [peer(2)])
    #expect(lone.tell(.checked(next.ticket, authentic: true)).resumed == [peer(2)])
  }

  @Test func `that is off reads on whatever comes, and keeps out who is barred`() {
    let lone = Lone.onMesh(of: 3) {
      $0.firewall.isOn = false
      $0.firewall.budgets.messages.things = Budget(rate: 1, burst: 1)
    }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...600).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [] && told.observed == [])
    #expect(told.toCheck.count == 600 && lone.sizes.guarded == 0)
    lone.tell(.bar(peer(2), for: nil))
    lone.hear(.by(peer(8), 1), from: peer(2))
    #expect(lone.sizes.checks == 600 && lone.sizes.barred == 1)
  }

  // BT-41
  @Test func `breaks nobody's promise by its own overload`() {
    let lone = Lone.onMesh(of: 3) { $0.limits.checksOpen = 1 }
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(9), 2)
    lone.hear(.have(t, [message.authorID]), from: peer(2))
    lone.hear(.by(peer(9), 1), from: peer(1))
    #expect(lone.hear(message, from: peer(2)).rejected == [.queueFull])
    #expect(lone.advance(.seconds(20)).observed == [])
  }
}

@Suite struct `A peer over its budget` {
  func strict(_ configuration: inout Configuration) {
    configuration.firewall.budgets.messages.things = Budget(rate: 1, burst: 5)
  }

  @Test func `is not read from until it is within again, and observed`() {
    let lone = Lone.onMesh(of: 3, strict)
    #expect(lone.hear(messages: (1...5).map { .by(peer(9), $0) }, from: peer(1)).paused == [])
    let told = lone.hear(messages: (6...7).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)] && told.observed == [.init(.flooded, peer(1))])
    #expect(lone.advance(.milliseconds(1_999)).resumed == [])
    #expect(lone.advance(.milliseconds(1)).resumed == [peer(1)])
  }

  @Test func `is read again in time also if it comes back meanwhile`() {
    let lone = Lone.onMesh(of: 3, strict)
    lone.hear(messages: (1...7).map { .by(peer(9), $0) }, from: peer(1))
    lone.disconnect(peer(1))
    #expect(lone.meet(peer(1), on: t).paused == [peer(1)], "coming back frees nobody")
    #expect(lone.advance(.seconds(2)).resumed == [peer(1)])
  }

  @Test func `costs few alarms, however much was on its way`() {
    let lone = Lone.onMesh(of: 3, strict)
    let before = lone.sizes.alarms
    for number in 1...500 { lone.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    #expect(lone.sizes.alarms <= before + 3)
    #expect(lone.advance(.seconds(30)).resumed == [peer(1)])
  }

  @Test func `whose unchecked messages are too many as well is read when both have passed`() {
    let lone = Lone.onMesh(of: 3) {
      strict(&$0)
      $0.firewall.allowance = AllowanceParameters(fixed: 6)
    }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...7).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)])
    #expect(lone.advance(.seconds(5)).resumed == [])
    var after = Told()
    for check in told.toCheck { after += lone.tell(.checked(check.ticket, authentic: true)) }
    #expect(after.resumed == [peer(1)])
  }
}

@Suite struct `Under overload, a node with a gate` {
  /// Peers 1 and 2 have addresses of their own; peer 1 has sent ten forgeries, peer 2 ten messages. Then the queue was
  /// full for a while.
  func overloaded() -> (lone: Lone, open: [Ticket]) {
    let lone = Lone {
      $0.firewall.gater = GaterParameters()
      $0.reputation.mode = .off
      $0.limits.checksOpen = 2
    }
    lone.join(t)
    for number in 1...4 {
      let address: [UInt8] = [10, 0, 0, number == 4 ? 1 : UInt8(number)]
      lone.tell(.connected(peer(number), Link(isOutbound: false, address: "", ip: address)))
      lone.open(peer(number))
      lone.hear(subscriptions: [Subscription(t, joins: true)], from: peer(number))
    }
    for number in 1...10 {
      lone.hear(.forged(UInt64(number), by: peer(9)), from: peer(1))
      lone.hear(.by(peer(8), UInt64(number)), from: peer(2))
    }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...30).map { .by(peer(7), $0) }, from: peer(3))
    lone.checksAtOnce = true
    return (lone, told.toCheck.map(\.ticket))
  }

  // GS-139
  @Test func `hears only the words of a source whose messages were bad, and all of a good one`() {
    let (lone, open) = overloaded()
    for ticket in open { lone.tell(.checked(ticket, authentic: true)) }
    let (bad, good) = (WireMessage.by(peer(6), 1), WireMessage.by(peer(6), 2))
    let told = lone.hear(messages: [bad], words: [.have(t, [id(1)])], from: peer(1))
    #expect(told.delivered == [] && told.wanted == [id(1)] && lone.counters.gated == 1)
    #expect(lone.hear(good, from: peer(2)).delivered == [good.authorID])
    // Its neighbour at the same address is weighed with it.
    #expect(lone.hear(bad, from: peer(4)).delivered == [] && lone.counters.gated == 2)
    // A minute after the last refusal all is as before.
    lone.advance(.seconds(61))
    #expect(lone.hear(bad, from: peer(1)).delivered == [bad.authorID])
  }

  // GS-90
  @Test func `asks others for what a gated source promised, and holds nothing against it`() {
    let (lone, open) = overloaded()
    for ticket in open { lone.tell(.checked(ticket, authentic: true)) }
    let message = WireMessage.by(peer(6), 1)
    lone.hear(.have(t, [message.authorID]), from: peer(1))
    lone.hear(.have(t, [message.authorID]), from: peer(2))
    let told = lone.hear(message, from: peer(1))
    #expect(told.said == [.want([message.authorID], to: peer(2))])
    #expect(lone.hear(message, from: peer(2)).delivered == [message.authorID])
    #expect(lone.advance(.seconds(20)).observed == [])
  }
}
