import GossipCore
import Testing

/// The way of a message from its first copy to delivery: proof, judgement, and what is remembered.
@Suite struct `A message under examination` {
  // GS-115
  @Test func `is delivered and passed on when it is accepted`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    let message = WireMessage.by(peer(9), 1)
    let told = lone.hear(message, from: peer(1))
    #expect(told.delivered == [message.authorID])
    #expect(told.receivers(of: message.authorID) == [peer(2), peer(3)])
    #expect(told.observed == [])
    #expect(lone.counters.delivered == 1)
  }

  // GS-115
  @Test func `is neither delivered nor passed on when it is rejected, and its sender is blamed`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = .reject
    let message = WireMessage.by(peer(9), 1)
    let told = lone.hear(message, from: peer(1))
    #expect(told.delivered == [] && told.said == [])
    #expect(told.notices.contains(.rejected(message.authorID, from: peer(1), .failed)))
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(lone.counters.rejected == 1 && lone.sizes.stored == 0)
  }

  // GS-115
  @Test func `is neither delivered nor passed on when it is ignored, and nobody is blamed`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = .ignore
    let told = lone.hear(.by(peer(9), 1), from: peer(1))
    #expect(told.delivered == [] && told.said == [] && told.observed == [])
    #expect(told.rejected == [.ignored])
    #expect(lone.counters.ignored == 1 && lone.counters.rejected == 0 && lone.sizes.stored == 0)
  }

  // GS-116
  @Test func `is checked and judged once though ten peers send it`() {
    let lone = Lone.onMesh(of: 10, policy: .judged)
    (lone.checksAtOnce, lone.verdict) = (false, nil)
    let message = WireMessage.by(peer(90), 1)
    var told = Told()
    for number in 1...5 { told += lone.hear(message, from: peer(number)) }
    #expect(told.toCheck.count == 1)
    told += lone.tell(.checked(told.toCheck[0].ticket, authentic: true))
    for number in 6...10 { told += lone.hear(message, from: peer(number)) }
    #expect(told.toCheck.count == 1 && told.toJudge.count == 1)
    told += lone.tell(.judged(told.toJudge[0].ticket, .accept))
    for number in 1...10 { told += lone.hear(message, from: peer(number)) }
    #expect(told.toCheck.count == 1 && told.toJudge.count == 1)
    #expect(told.delivered == [message.authorID])
    #expect(lone.counters.duplicates == 19)
  }

  // GS-117
  @Test func `that was rejected is not judged again, and later senders are blamed each`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = .reject
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    lone.advance(.seconds(60))
    for number in 2...3 {
      let told = lone.hear(message, from: peer(number))
      #expect(told.toCheck.isEmpty && told.toJudge.isEmpty)
      #expect(told.observed == [.init(.invalidMessage, peer(number))])
    }
  }

  // GS-117
  @Test func `that was ignored is not judged again, and later senders are not blamed`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = .ignore
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    let told = lone.hear(message, from: peer(2))
    #expect(told.effects.isEmpty)
  }

  // GS-117: a rejection counts for all who sent it meanwhile.
  @Test func `holds a rejected message against everybody who sent it while it was checked`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    (lone.checksAtOnce, lone.verdict) = (false, .reject)
    let message = WireMessage.by(peer(9), 1)
    let check = lone.hear(message, from: peer(1)).toCheck
    lone.hear(message, from: peer(2))
    let told = lone.tell(.checked(check[0].ticket, authentic: true))
    #expect(told.observed == [.init(.invalidMessage, peer(1)), .init(.invalidMessage, peer(2))])
  }

  // GS-117
  @Test func `holds a rejected message against everybody who sent it while it was judged`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = nil
    let message = WireMessage.by(peer(9), 1)
    let judging = lone.hear(message, from: peer(1)).toJudge
    lone.hear(message, from: peer(2))
    let told = lone.tell(.judged(judging[0].ticket, .reject))
    #expect(told.observed == [.init(.invalidMessage, peer(1)), .init(.invalidMessage, peer(2))])
  }

  // GS-29
  @Test func `is not sent to those who sent a copy while it was judged`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = nil
    let message = WireMessage.by(peer(9), 1)
    let judging = lone.hear(message, from: peer(1)).toJudge
    lone.hear(message, from: peer(2))
    let told = lone.tell(.judged(judging[0].ticket, .accept))
    #expect(told.receivers(of: message.authorID) == [peer(3)])
  }

  // GS-118
  @Test func `beyond those that may be checked is refused, not seen, and accepted when it comes again`() {
    let lone = Lone.onMesh(of: 3) { $0.limits.checksOpen = 2 }
    lone.checksAtOnce = false
    let messages = (1...3).map { WireMessage.by(peer(9), $0) }
    let open = (0..<2).map { lone.hear(messages[$0], from: peer(1)).toCheck[0].ticket }
    let told = lone.hear(messages[2], from: peer(1))
    #expect(told.rejected == [.queueFull] && told.observed == [] && told.toCheck.isEmpty)
    #expect(lone.sizes.checks == 2 && lone.counters.throttled == 1)
    lone.tell(.checked(open[0], authentic: true))
    lone.checksAtOnce = true
    #expect(lone.hear(messages[2], from: peer(1)).delivered == [messages[2].authorID])
  }

  // GS-119
  @Test func `beyond those the application may judge is dropped, blames nobody, and stays seen`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.limits.judgementsOpen = 2 }
    lone.join(u, policy: .judged)
    lone.verdict = nil
    var judging = lone.hear(.by(peer(9), 1), from: peer(1)).toJudge
    judging += lone.hear(.by(peer(9), 2, on: u), from: peer(1)).toJudge
    let third = WireMessage.by(peer(9), 3)
    let told = lone.hear(third, from: peer(1))
    #expect(told.rejected == [.throttled] && told.observed == [] && told.toJudge.isEmpty)
    for judgement in judging { lone.tell(.judged(judgement.ticket, .accept)) }
    #expect(lone.hear(third, from: peer(2)).effects.isEmpty)
    #expect(lone.hear(.by(peer(9), 4), from: peer(1)).toJudge.count == 1)
  }

  // GS-119
  @Test func `of one topic cannot take the judgements of another`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.limits.judgementsOpenPerTopic = 2 }
    lone.join(u, policy: .judged)
    lone.verdict = nil
    for number in 1...2 { #expect(lone.hear(.by(peer(9), UInt64(number)), from: peer(1)).toJudge.count == 1) }
    #expect(lone.hear(.by(peer(9), 3), from: peer(1)).rejected == [.throttled])
    #expect(lone.hear(.by(peer(9), 4, on: u), from: peer(1)).toJudge.count == 1)
  }

  // GS-125
  @Test func `is a duplicate for two minutes after its first sight, whatever comes meanwhile`() {
    let lone = Lone.onMesh(of: 3)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    lone.advance(.seconds(119))
    #expect(lone.hear(message, from: peer(2)).delivered == [])
    lone.advance(.seconds(2))
    #expect(lone.hear(message, from: peer(2)).delivered == [message.authorID])
  }

  // GS-125
  @Test func `is a duplicate for two minutes after its last sight, if the window slides`() {
    let lone = Lone.onMesh(of: 3) {
      $0.limits.seenSlides = true
      $0.firewall.circulation.retention = .seconds(1)
    }
    let message = WireMessage.by(peer(9), 1)
    lone.hear(message, from: peer(1))
    for _ in 1...5 {
      lone.advance(.seconds(119))
      #expect(lone.hear(message, from: peer(2)).delivered == [])
    }
    lone.advance(.seconds(121))
    #expect(lone.sizes.seen == 0)
    #expect(lone.hear(message, from: peer(2)).delivered == [message.authorID])
  }

  // GS-125
  @Test func `displaces the oldest when as many are remembered as may be`() {
    let lone = Lone.onMesh(of: 3) { $0.limits.seenMax = 10 }
    let messages = (1...11).map { WireMessage.by(peer(9), $0) }
    for message in messages { lone.hear(message, from: peer(1)) }
    #expect(lone.sizes.seen == 10 && lone.counters.evicted == 1)
    #expect(lone.hear(messages[10], from: peer(2)).delivered == [])
    lone.beat(6)  // the store has let go of it as well
    #expect(lone.hear(messages[0], from: peer(2)).delivered == [messages[0].authorID])
  }

  @Test func `of a topic we left meanwhile is not delivered`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    (lone.checksAtOnce, lone.verdict) = (false, nil)
    let first = lone.hear(.by(peer(9), 1), from: peer(1)).toCheck
    let second = lone.hear(.by(peer(9), 2), from: peer(1)).toCheck
    let judging = lone.tell(.checked(first[0].ticket, authentic: true)).toJudge
    lone.leave(t)
    #expect(lone.tell(.judged(judging[0].ticket, .accept)).delivered == [])
    #expect(lone.tell(.checked(second[0].ticket, authentic: true)).toJudge.isEmpty)
    #expect(lone.sizes.checks == 0)
  }

  @Test func `on a topic we are not on is a stray and nobody's fault`() {
    let lone = Lone.onMesh(of: 3)
    #expect(lone.hear(.by(peer(9), 1, on: u), from: peer(1)).effects.isEmpty)
    #expect(lone.hear(.by(peer(9), 1), on: .direct, from: peer(1)).effects.isEmpty)
    #expect(lone.counters.strays == 2 && lone.sizes.seen == 0)
  }
}

@Suite struct `A forged copy` {
  let genuine = WireMessage.by(peer(9), 1)
  func forged(_ text: String) -> WireMessage {
    WireMessage(topic: t, payload: Payload(text), author: peer(9), sequence: 1).signed([6, 6, 6])
  }

  // GS-20
  @Test func `cannot shadow the true one that comes while it is checked`() {
    let lone = Lone.onMesh(of: 3)
    lone.checksAtOnce = false
    let check = lone.hear(forged("evil"), from: peer(1)).toCheck
    #expect(lone.hear(genuine, from: peer(2)).effects.isEmpty)
    lone.checksAtOnce = true
    let told = lone.tell(.checked(check[0].ticket, authentic: false))
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.toCheck.map(\.message.bytes) == [genuine.bytes])
    #expect(told.delivered == [genuine.authorID])
    #expect(Set(told.receivers(of: genuine.authorID)) == [peer(1), peer(3)])
    #expect(lone.sizes.checks == 0)
  }

  // GS-20
  @Test func `that comes while the true one is checked costs its sender nothing and us nothing`() {
    let lone = Lone.onMesh(of: 3)
    lone.checksAtOnce = false
    let check = lone.hear(genuine, from: peer(1)).toCheck
    lone.hear(forged("evil"), from: peer(2))
    let told = lone.tell(.checked(check[0].ticket, authentic: true))
    #expect(told.delivered == [genuine.authorID] && told.toCheck.isEmpty)
  }

  // GS-20
  @Test func `from each of several peers is tried in turn, up to the bound`() {
    let lone = Lone.onMesh(of: 8) { $0.limits.versionsPerCheck = 4 }
    lone.checksAtOnce = false
    let check = lone.hear(forged("evil 1"), from: peer(1)).toCheck
    for number in 2...4 { lone.hear(forged("evil \(number)"), from: peer(number)) }
    lone.hear(genuine, from: peer(5))
    for number in 6...8 { lone.hear(forged("evil \(number)"), from: peer(number)) }
    lone.checksAtOnce = true
    let told = lone.tell(.checked(check[0].ticket, authentic: false))
    #expect(told.observed == (1...4).map { .init(.invalidMessage, peer($0)) })
    #expect(told.delivered == [genuine.authorID])
  }

  // GS-20
  @Test func `does not take a second place if its sender sends another`() {
    let lone = Lone.onMesh(of: 3)
    lone.checksAtOnce = false
    let check = lone.hear(forged("evil"), from: peer(1)).toCheck
    for number in 1...10 { lone.hear(forged("more \(number)"), from: peer(1)) }
    lone.hear(genuine, from: peer(2))
    lone.checksAtOnce = true
    #expect(lone.tell(.checked(check[0].ticket, authentic: false)).delivered == [genuine.authorID])
  }
}

@Suite struct `A peer with many unchecked messages` {
  // BT-41, BT-42
  @Test func `is paused at the limit and resumed when there is room, and not blamed`() {
    let lone = Lone.onMesh(of: 3) { $0.firewall.allowance = AllowanceParameters(fixed: 8) }
    lone.checksAtOnce = false
    var tickets: [Ticket] = []
    for number in 1...7 {
      let told = lone.hear(.by(peer(9), UInt64(number)), from: peer(1))
      #expect(told.paused == [])
      tickets += told.toCheck.map(\.ticket)
    }
    let eighth = lone.hear(.by(peer(9), 8), from: peer(1))
    #expect(eighth.paused == [peer(1)] && eighth.notices.contains(.paused(peer(1))))
    tickets += eighth.toCheck.map(\.ticket)
    #expect(lone.snapshot.peers.map(\.isPaused) == [true, false, false])
    let first = lone.tell(.checked(tickets[0], authentic: false))
    #expect(first.resumed == [peer(1)] && first.notices.contains(.resumed(peer(1))))
    for ticket in tickets[1...] { #expect(lone.tell(.checked(ticket, authentic: true)).resumed == []) }
    #expect(lone.snapshot.peers.map(\.isPaused) == [false, false, false])
  }

  // BT-41, BT-44
  @Test
  func `has sixteen places at first, more with each doubling of good ones, and sixteen after a bad one`() {
    let lone = Lone.onMesh(of: 3)
    func fill(_ start: UInt64) -> (places: Int, tickets: [Ticket]) {
      lone.checksAtOnce = false
      defer { lone.checksAtOnce = true }
      var tickets: [Ticket] = []
      while lone.snapshot.peers[0].isPaused == false {
        let told = lone.hear(.by(peer(9), start + UInt64(tickets.count)), from: peer(1))
        tickets += told.toCheck.map(\.ticket)
      }
      return (tickets.count, tickets)
    }
    let first = fill(1)
    #expect(first.places == 16)
    for ticket in first.tickets { lone.tell(.checked(ticket, authentic: true)) }
    #expect(fill(100).places == 16 + 65, "16 log2(17)")
    let lone2 = Lone.onMesh(of: 3)
    for number in 1...15 { lone2.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    lone2.checksAtOnce = false
    let bad = lone2.hear(.by(peer(9), 50), from: peer(1)).toCheck[0].ticket
    lone2.tell(.checked(bad, authentic: false))
    for number in 0..<16 { lone2.hear(.by(peer(9), 100 + UInt64(number)), from: peer(1)) }
    #expect(lone2.snapshot.peers[0].isPaused)
  }

  // BT-47
  @Test func `is still written to`() {
    let lone = Lone.onMesh(of: 3) { $0.firewall.allowance = AllowanceParameters(fixed: 4) }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...4).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)])
    #expect(lone.publish().sentTexts.map(\.to).contains(peer(1)))
  }

  @Test func `is paused once, whatever was on its way`() {
    let lone = Lone.onMesh(of: 3) { $0.firewall.allowance = AllowanceParameters(fixed: 8) }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...20).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)] && told.toCheck.count == 20)
    var after = Told()
    for check in told.toCheck { after += lone.tell(.checked(check.ticket, authentic: true)) }
    #expect(after.resumed == [peer(1)])
  }

  @Test func `waits for the judge as well`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.firewall.allowance = AllowanceParameters(fixed: 4) }
    lone.verdict = nil
    let told = lone.hear(messages: (1...4).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.paused == [peer(1)])
    #expect(lone.tell(.judged(told.toJudge[0].ticket, .ignore)).resumed == [peer(1)])
    #expect(lone.tell(.judged(told.toJudge[1].ticket, .reject)).resumed == [])
  }

  @Test func `leaves the others alone`() {
    let lone = Lone.onMesh(of: 3) { $0.firewall.allowance = AllowanceParameters(fixed: 4) }
    lone.checksAtOnce = false
    lone.hear(messages: (1...10).map { .by(peer(9), $0) }, from: peer(1))
    lone.checksAtOnce = true
    let message = WireMessage.by(peer(9), 11)
    #expect(lone.hear(message, from: peer(2)).delivered == [message.authorID])
  }

  @Test func `does not get rid of them by coming back`() {
    let lone = Lone.onMesh(of: 3) { $0.firewall.allowance = AllowanceParameters(fixed: 4) }
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...4).map { .by(peer(9), $0) }, from: peer(1))
    lone.disconnect(peer(1))
    lone.meet(peer(1), on: t)
    #expect(lone.snapshot.peers.last?.isPaused == true)
    #expect(lone.tell(.checked(told.toCheck[0].ticket, authentic: true)).resumed == [peer(1)])
  }

  @Test func `whose tickets never come back costs a bounded number of checks`() {
    let lone = Lone.onMesh(of: 5) { $0.limits.checksOpen = 100 }
    lone.checksAtOnce = false
    for number in 1...5 {
      for round in 0..<10 {
        let base = UInt64(number * 1_000 + round * 100)
        lone.hear(messages: (0..<100).map { .by(peer(90), base + $0) }, from: peer(number))
      }
    }
    #expect(lone.sizes.checks == 100)
    #expect(lone.counters.throttled == 4_900)
    for number in 1...5 { lone.disconnect(peer(number)) }
    lone.advance(.seconds(600))
    #expect(lone.sizes.checks == 100 && lone.sizes.seen == 0 && lone.sizes.stored == 0)
  }
}
