import GossipCore
import Testing

/// One to one, one to many, one to all. The host runs the handlers; the node decides who asks and answers what.
let direct: ProtocolName = "/gossip/direct/1.0.0"

extension Lone {
  /// A node on `t`, spread by Direct, with so many peers on it.
  static func telling(
    _ count: Int, policy: TopicPolicy = .direct, _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(change)
    lone.join(t, policy: policy)
    if count > 0 { lone.meet(peers(1...count), on: t, speaking: direct) }
    return lone
  }

  /// Asks under a token.
  @discardableResult
  func ask(
    _ audience: Audience, _ payload: Payload = "?", token: UInt64 = 1, within patience: Duration = .seconds(1)
  ) -> Told {
    tell(.ask(Inquiry(token: token, topic: t, payload: payload, audience: audience, patience: patience)))
  }

  /// A peer answers the question it was given in `told`.
  @discardableResult
  func reply(_ answer: Answer, to told: Told, from peer: PeerID) -> Told {
    guard let id = told.askID(to: peer) else { return Told() }
    return hear(.reply(id, answer), on: .direct, from: peer)
  }
}

extension Told {
  /// The number of the question put to this peer.
  func askID(to peer: PeerID) -> AskID? {
    for said in said where said.to == peer {
      if case .word(.ask(let id, _, _, _)) = said.thing { return id }
    }
    return nil
  }
  /// Whom a question was put to.
  var questioned: [PeerID] {
    said.compactMap { if case .word(.ask) = $0.thing { $0.to } else { nil } }
  }
  var cancelled: [PeerID] {
    said.compactMap { if case .word(.cancel) = $0.thing { $0.to } else { nil } }
  }
}

@Suite struct `An inquiry` {
  // BB-V1
  @Test func `of one peer returns its reply`() {
    let lone = Lone.telling(2)
    let told = lone.ask(.one(peer(1)), "2 + 2", within: .seconds(1))
    #expect(told.said == [.word(.ask(1, t, "2 + 2", patience: 1_000), to: peer(1))])
    #expect(told.frames.map(\.frame.manner) == [.direct] && told.answered == [])
    let after = lone.reply(.success("4"), to: told, from: peer(1))
    #expect(after.answered == [.init(1, .success([Reply(peer: peer(1), answer: .success("4"))]))])
    #expect(lone.sizes.perPeer == 0)
  }

  // BB-V4
  @Test func `of ten of whom three fail has seven replies and three errors in the recipients' order`() {
    let lone = Lone.telling(10)
    let recipients = peers(1...10).reversed().map { $0 }
    let told = lone.ask(.many(recipients))
    #expect(told.questioned == recipients)
    var after = Told()
    for number in [3, 9, 1, 7, 5, 10, 2, 8, 4, 6] {
      let failure = AskFailure.failed("out of \(number)")
      after += lone.reply(
        [2, 5, 8].contains(number) ? .failure(failure) : .success(Payload("\(number)")), to: told,
        from: peer(number))
    }
    let replies = recipients.map { recipient in
      let number = number(of: recipient)
      return Reply(
        peer: recipient,
        answer: [2, 5, 8].contains(number)
          ? .failure(.failed("out of \(number)")) : .success(Payload("\(number)")))
    }
    #expect(after.answered == [.init(1, .success(replies))])
  }

  // BB-V5
  @Test func `of all asks every other node on the topic once, and not us`() {
    let lone = Lone.telling(7)
    lone.meet(peer(20), on: u, speaking: direct)
    lone.meet(peer(21), on: t)  // by gossip, not directly
    let told = lone.ask(.everyone)
    #expect(told.questioned == peers(1...7))
  }

  // BB-V5
  @Test func `of all while nobody is there has no replies`() {
    #expect(Lone.telling(0).ask(.everyone).answered == [.init(1, .success([]))])
  }

  // BB-V6
  @Test func `ends at its deadline and keeps the replies that came`() {
    let lone = Lone.telling(3)
    let told = lone.ask(.many(peers(1...3)), within: .milliseconds(100))
    lone.reply(.success("a"), to: told, from: peer(1))
    lone.reply(.success("c"), to: told, from: peer(3))
    #expect(lone.advance(.milliseconds(99)).answered == [])
    let ended = lone.advance(.milliseconds(1))
    #expect(
      ended.answered == [
        .init(
          1,
          .success([
            Reply(peer: peer(1), answer: .success("a")),
            Reply(peer: peer(2), answer: .failure(.deadlineExceeded)),
            Reply(peer: peer(3), answer: .success("c")),
          ]))
      ])
    #expect(ended.cancelled == [peer(2)])
    #expect(lone.reply(.success("late"), to: told, from: peer(2)).effects.isEmpty)
    #expect(lone.sizes.perPeer == 0)
  }

  // BB-V7
  @Test func `that is withdrawn tells those who have not answered, and nobody else`() {
    let lone = Lone.telling(3)
    let told = lone.ask(.many(peers(1...3)))
    lone.reply(.success("a"), to: told, from: peer(1))
    let after = lone.tell(.withdraw(inquiry: 1))
    #expect(after.cancelled == [peer(2), peer(3)] && after.answered == [])
    #expect(lone.reply(.success("late"), to: told, from: peer(2)).effects.isEmpty)
    #expect(lone.tell(.withdraw(inquiry: 1)).effects.isEmpty)
    #expect(lone.advance(.seconds(5)).answered == [])
  }

  // BB-V8
  @Test(arguments: [Duration.zero, .seconds(-1)])
  func `whose deadline has passed sends nothing`(patience: Duration) {
    let lone = Lone.telling(2)
    let told = lone.ask(.many(peers(1...2)), within: patience)
    #expect(told.said == [])
    let failures = peers(1...2).map { Reply(peer: $0, answer: .failure(.deadlineExceeded)) }
    #expect(told.answered == [.init(1, .success(failures))])
  }

  // BB-V9
  @Test func `returns after the handler ran, a message before`() {
    let lone = Lone.telling(1)
    let message = lone.publish("hello", to: .one(peer(1)))
    #expect(message.publication?.sentTo == 1)
    let question = lone.ask(.one(peer(1)))
    #expect(question.answered == [])
    #expect(lone.reply(.success("done"), to: question, from: peer(1)).answered.count == 1)
  }

  // BB-V11
  @Test func `of a hundred is fine, of a hundred and one refused`() {
    let lone = Lone.telling(101)
    #expect(lone.ask(.many(peers(1...100))).questioned.count == 100)
    for audience in [Audience.everyone, .many(peers(1...101))] {
      let told = lone.ask(audience, token: 2)
      guard case .failure(let refusal) = told.answered.first?.result else {
        Issue.record("asked \(told.questioned.count)")
        continue
      }
      #expect(told.said == [] && refusal.reason.contains("101"))
    }
    guard case .failure(.audience) = lone.publish(to: .everyone).published.first?.result else {
      Issue.record("published")
      return
    }
  }

  // BB-V12
  @Test(arguments: [[], [peer(1)]])
  func `of many needs two recipients`(recipients: [PeerID]) {
    let lone = Lone.telling(3)
    let told = lone.ask(.many(recipients))
    guard case .failure = told.answered.first?.result else {
      Issue.record("asked \(told.questioned)")
      return
    }
    #expect(told.said == [])
    guard case .failure(.audience) = lone.publish(to: .many(recipients)).published.first?.result else {
      Issue.record("published")
      return
    }
  }

  // BB-V12
  @Test(arguments: [Audience.many([peer(1), peer(1)]), .one(peer(0)), .many([peer(1), peer(0)])])
  func `names nobody twice, and not the asker`(audience: Audience) {
    let told = Lone.telling(3).ask(audience)
    guard case .failure = told.answered.first?.result else {
      Issue.record("asked \(told.questioned)")
      return
    }
    #expect(told.said == [])
  }

  @Test func `of somebody we are not connected to fails for that one`() {
    let lone = Lone.telling(1)
    let told = lone.ask(.many([peer(50), peer(1)]))
    #expect(told.questioned == [peer(1)])
    #expect(
      lone.reply(.success("a"), to: told, from: peer(1)).answered == [
        .init(
          1,
          .success([
            Reply(peer: peer(50), answer: .failure(.notConnected)),
            Reply(peer: peer(1), answer: .success("a")),
          ]))
      ])
  }

  @Test func `of a peer that leaves fails for that one at once`() {
    let lone = Lone.telling(2)
    let told = lone.ask(.many(peers(1...2)))
    lone.disconnect(peer(2))
    let after = lone.reply(.success("a"), to: told, from: peer(1))
    #expect(
      after.answered == [
        .init(
          1,
          .success([
            Reply(peer: peer(1), answer: .success("a")),
            Reply(peer: peer(2), answer: .failure(.disconnected)),
          ]))
      ])
  }

  @Test func `takes a reply only from whom it asked, and only one`() throws {
    let lone = Lone.telling(3)
    let told = lone.ask(.many(peers(1...2)))
    let id = try #require(told.askID(to: peer(1)))
    #expect(lone.hear(.reply(id, .success("forged")), on: .direct, from: peer(3)).effects.isEmpty)
    #expect(lone.hear(.reply(id, .success("forged")), on: .direct, from: peer(2)).effects.isEmpty)
    lone.reply(.success("first"), to: told, from: peer(1))
    lone.reply(.success("second"), to: told, from: peer(1))
    let after = lone.reply(.success("b"), to: told, from: peer(2))
    #expect(
      after.answered == [
        .init(
          1,
          .success([
            Reply(peer: peer(1), answer: .success("first")), Reply(peer: peer(2), answer: .success("b")),
          ]))
      ])
  }

  @Test func `beyond those that may be open is refused`() {
    let lone = Lone.telling(1) { $0.direct.inquiriesMax = 2 }
    for token in 1...2 { #expect(lone.ask(.one(peer(1)), token: UInt64(token)).answered == []) }
    guard case .failure = lone.ask(.one(peer(1)), token: 3).answered.first?.result else {
      Issue.record("asked")
      return
    }
  }
}

@Suite struct `A request of a peer` {
  // BB-V1
  @Test func `reaches the handler with its time, and the handler's answer goes back`() throws {
    let lone = Lone.telling(1)
    let told = lone.hear(.ask(7, t, "2 + 2", patience: 300), on: .direct, from: peer(1))
    let asked = try #require(told.asked.first)
    #expect(asked.topic == t && asked.payload == "2 + 2" && asked.peer == peer(1))
    #expect(asked.within == .milliseconds(300))
    let after = lone.tell(.answer(asked.ticket, .success("4")))
    #expect(after.said == [.word(.reply(7, .success("4")), to: peer(1))])
    #expect(lone.tell(.answer(asked.ticket, .success("5"))).effects.isEmpty)
    #expect(lone.advance(.seconds(1)).said == [] && lone.sizes.perPeer == 0)
  }

  // BB-V2
  @Test func `on an unknown topic gets an error, and the node lives on`() {
    let lone = Lone.telling(1)
    let told = lone.hear(.ask(7, "unknown", "?", patience: 300), on: .direct, from: peer(1))
    #expect(told.said == [.word(.reply(7, .failure(.unknownTopic)), to: peer(1))] && told.asked == [])
    #expect(lone.hear(.ask(8, t, "?", patience: 300), on: .direct, from: peer(1)).asked.count == 1)
  }

  // BB-V6
  @Test func `ends at its asker's deadline`() {
    let lone = Lone.telling(1)
    let asked = lone.hear(.ask(7, t, "?", patience: 100), on: .direct, from: peer(1)).asked
    let told = lone.advance(.milliseconds(100))
    #expect(told.forgotten == asked.map(\.ticket))
    #expect(told.said == [.word(.reply(7, .failure(.deadlineExceeded)), to: peer(1))])
    #expect(lone.tell(.answer(asked[0].ticket, .success("late"))).effects.isEmpty)
  }

  // BB-V7
  @Test func `that is cancelled stops its handler`() {
    let lone = Lone.telling(1)
    let asked = lone.hear(.ask(7, t, "?", patience: 100), on: .direct, from: peer(1)).asked
    let told = lone.hear(.cancel(7), on: .direct, from: peer(1))
    #expect(told.forgotten == asked.map(\.ticket) && told.said == [])
    #expect(lone.tell(.answer(asked[0].ticket, .success("late"))).effects.isEmpty)
  }

  // BB-V7
  @Test func `can be cancelled by its asker only`() {
    let lone = Lone.telling(2)
    lone.hear(.ask(7, t, "?", patience: 100), on: .direct, from: peer(1))
    #expect(lone.hear(.cancel(7), on: .direct, from: peer(2)).effects.isEmpty)
  }

  // BB-V7
  @Test func `stops its handler when its asker leaves`() {
    let lone = Lone.telling(1)
    let asked = lone.hear(.ask(7, t, "?", patience: 100), on: .direct, from: peer(1)).asked
    #expect(lone.disconnect(peer(1)).forgotten == asked.map(\.ticket))
    #expect(lone.sizes.perPeer == 0)
  }

  // BB-V7
  @Test func `stops its handler when its asker leaves even if our stream to it never opened`() {
    let lone = Lone.telling(0)
    lone.connect(peer(1))
    let asked = lone.hear(.ask(7, t, "?", patience: 60_000), on: .direct, from: peer(1)).asked
    #expect(lone.disconnect(peer(1)).forgotten == asked.map(\.ticket))
    #expect(lone.sizes.perPeer == 0)
  }

  // BB-V10
  @Test func `waits while ten are worked on, ends at its deadline, and the ten are not lost`() {
    let lone = Lone.telling(11)
    var working: [Told.Asked] = []
    for number in 1...10 {
      working += lone.hear(.ask(1, t, "?", patience: 5_000), on: .direct, from: peer(number)).asked
    }
    #expect(working.count == 10)
    #expect(lone.hear(.ask(1, t, "?", patience: 100), on: .direct, from: peer(11)).effects.isEmpty)
    let ended = lone.advance(.milliseconds(100))
    #expect(ended.said == [.word(.reply(1, .failure(.deadlineExceeded)), to: peer(11))])
    #expect(ended.forgotten == [] && ended.asked == [])
    for asked in working {
      #expect(
        lone.tell(.answer(asked.ticket, .success("ok"))).said == [
          .word(.reply(1, .success("ok")), to: asked.peer)
        ])
    }
  }

  // BB-V10
  @Test func `that waited is worked on when a handler is free, with the time it has left`() {
    let lone = Lone.telling(11)
    var working: [Told.Asked] = []
    for number in 1...10 {
      working += lone.hear(.ask(1, t, "?", patience: 5_000), on: .direct, from: peer(number)).asked
    }
    lone.hear(.ask(1, t, "last", patience: 1_000), on: .direct, from: peer(11))
    lone.advance(.milliseconds(400))
    let told = lone.tell(.answer(working[0].ticket, .success("ok")))
    #expect(told.asked.map(\.peer) == [peer(11)])
    #expect(told.asked.map(\.within) == [.milliseconds(600)])
  }

  // BB-V10
  @Test func `is not worked on once its deadline has passed`() {
    let lone = Lone.telling(11)
    var working: [Told.Asked] = []
    for number in 1...10 {
      working += lone.hear(.ask(1, t, "?", patience: 500), on: .direct, from: peer(number)).asked
    }
    lone.hear(.ask(1, t, "late", patience: 110), on: .direct, from: peer(11))
    lone.advance(.milliseconds(111))
    #expect(lone.tell(.answer(working[0].ticket, .success("ok"))).asked == [])
    #expect(lone.advance(.seconds(5)).asked == [])
  }

  // BB-V10
  @Test func `that ends together with those it waited for is not worked on`() {
    let lone = Lone.telling(12)
    for number in 1...12 { lone.hear(.ask(1, t, "?", patience: 100), on: .direct, from: peer(number)) }
    let told = lone.advance(.milliseconds(200))
    #expect(told.asked == [])
    #expect(told.forgotten.count == 10)
    #expect(told.said.count == 12 && lone.sizes.perPeer == 0)
  }

  // BB-V8
  @Test func `that comes without any time left is not worked on`() {
    let lone = Lone.telling(1)
    var told = lone.hear(.ask(1, t, "?", patience: 0), on: .direct, from: peer(1))
    told += lone.advance(.milliseconds(100))
    #expect(told.asked == [])
    #expect(told.said == [.word(.reply(1, .failure(.deadlineExceeded)), to: peer(1))])
  }

  @Test func `beyond those a peer may have is refused`() {
    let lone = Lone.telling(2) { $0.direct.requestsPerPeer = 3 }
    for number in 1...3 {
      #expect(lone.hear(.ask(AskID(number), t, "?", patience: 900), on: .direct, from: peer(1)).said == [])
    }
    let told = lone.hear(.ask(4, t, "?", patience: 900), on: .direct, from: peer(1))
    #expect(told.said == [.word(.reply(4, .failure(.overloaded)), to: peer(1))])
    #expect(lone.hear(.ask(1, t, "?", patience: 900), on: .direct, from: peer(2)).asked.count == 1)
  }

  @Test func `may stay as long as we allow, whatever its asker says`() {
    let lone = Lone.telling(1) { $0.direct.patienceMax = .seconds(2) }
    let told = lone.hear(.ask(1, t, "?", patience: .max), on: .direct, from: peer(1))
    #expect(told.asked.map(\.within) == [.seconds(2)])
    #expect(lone.advance(.seconds(2)).forgotten == told.asked.map(\.ticket))
  }

  @Test func `cannot be asked and cancelled into keeping an alarm for each`() {
    let lone = Lone.telling(1)
    for round in 0..<10 {
      let words = (0..<1_000).flatMap { number -> [Control] in
        let id = AskID(round * 1_000 + number)
        return [.ask(id, t, "?", patience: 600_000), .cancel(id)]
      }
      lone.hear(words: words, on: .direct, from: peer(1))
    }
    #expect(lone.sizes.perPeer == 0)
    #expect(lone.sizes.alarms <= 1_024 + 2)
  }
}

@Suite struct `A direct message` {
  // BB-V5
  @Test func `to all goes to every peer on the topic once`() {
    let lone = Lone.telling(5)
    let told = lone.publish("hello")
    #expect(told.sentTexts.map(\.to) == peers(1...5))
    #expect(told.frames.allSatisfy { $0.frame.manner == .direct })
    #expect(told.publication.map { [$0.sentTo, $0.subscribers] } == [5, 5])
  }

  // BB-V4
  @Test func `to some goes to these, in their order`() {
    let lone = Lone.telling(5)
    #expect(lone.publish(to: .one(peer(4))).sentTexts.map(\.to) == [peer(4)])
    #expect(lone.publish(to: .many([peer(3), peer(1)])).sentTexts.map(\.to) == [peer(3), peer(1)])
    #expect(lone.publish(to: .one(peer(50))).publication?.sentTo == 0)
  }

  // BB-V9
  @Test func `is delivered and not passed on`() {
    let lone = Lone.telling(5)
    let message = WireMessage.by(peer(1), 1)
    let told = lone.hear(message, on: .direct, from: peer(1))
    #expect(told.delivered == [message.authorID] && told.said == [])
    #expect(lone.sizes.stored == 0)
    #expect(lone.hear(.want([message.authorID]), on: .direct, from: peer(2)).said == [])
    #expect(lone.hear(message, on: .direct, from: peer(2)).delivered == [])
  }

  // BB-V13
  @Test func `of the same bytes again is another message`() {
    let lone = Lone.telling(2)
    #expect(lone.hear(.by(peer(1), 1, "same"), on: .direct, from: peer(1)).delivered.count == 1)
    #expect(lone.hear(.by(peer(1), 2, "same"), on: .direct, from: peer(1)).delivered.count == 1)
    #expect(lone.hear(.by(peer(2), 1, "same"), on: .direct, from: peer(2)).delivered.count == 1)
  }

  // BB-V13
  @Test func `of the same bytes on another topic is another message`() {
    var policy = TopicPolicy.anonymous
    policy.spread = .direct
    let lone = Lone.telling(2, policy: policy)
    lone.join(u, policy: policy)
    #expect(lone.hear(.anonymous("same", on: t), on: .direct, from: peer(1)).delivered.count == 1)
    #expect(lone.hear(.anonymous("same", on: u), on: .direct, from: peer(1)).delivered.count == 1)
  }

  @Test func `knows no mesh, no offers and no wants`() {
    let lone = Lone.telling(3)
    lone.hear(.by(peer(1), 1), on: .direct, from: peer(1))
    let words: [Control] = [
      .graft(t), .prune(t, backoff: 60), .have(t, [id(1)]), .dontWant([id(1)]), .want([id(1)]),
    ]
    #expect(lone.hear(words: words, on: .direct, from: peer(1)).effects.isEmpty)
    #expect(lone.advance(.seconds(10)).said == [])
    #expect(lone.mesh() == [])
  }
}
