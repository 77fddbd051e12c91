import GossipCore
import Testing

/// Our own messages.
@Suite struct `A publication` {
  // GS-15
  @Test func `of others that is too large is refused alone, its neighbours are delivered`() {
    let lone = Lone.onMesh(of: 2, policy: TopicPolicy(payloadSizeMax: 100))
    let (small, large, last) = (
      WireMessage.by(peer(9), 1, bytes(100)), WireMessage.by(peer(9), 2, bytes(101)),
      WireMessage.by(peer(9), 3)
    )
    let told = lone.hear(small, large, last, from: peer(1))
    #expect(told.delivered == [small.authorID, last.authorID])
    #expect(told.rejected == [.tooLarge])
    #expect(told.receivers(of: large.authorID) == [])
  }

  // GS-16
  @Test func `that does not fit into a frame is an error that names both sizes`() {
    let lone = Lone.onMesh(of: 2)
    let limit = (1 << 20) - 1_024
    let told = lone.publish(bytes(limit + 1))
    #expect(told.published == [.init(1, .failure(.tooLarge(bytes: limit + 1, limit: limit)))])
    #expect(told.said == [] && told.toSign.isEmpty)
    #expect(lone.publish(bytes(limit)).publication?.sentTo == 2)
  }

  // GS-16
  @Test func `larger than its topic allows is an error`() {
    let lone = Lone.onMesh(of: 2, policy: TopicPolicy(payloadSizeMax: 10))
    #expect(lone.publish(bytes(11)).published == [.init(1, .failure(.tooLarge(bytes: 11, limit: 10)))])
  }

  @Test func `needs a topic whose name is neither empty nor too long`() {
    let lone = Lone()
    for name in ["", String(repeating: "n", count: 513)] {
      guard case .failure(.topic) = lone.publish(on: Topic(name)).published.first?.result else {
        Issue.record("published to \(name)")
        continue
      }
    }
    #expect(lone.publish(on: Topic(String(repeating: "n", count: 512))).publication != nil)
  }

  // GS-101
  @Test func `on a topic we are not on goes to the same D peers each time`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...20))
    let first = lone.publish().sentTexts.map(\.to)
    #expect(first.count == 6)
    for _ in 1...3 {
      lone.advance(.seconds(50))
      #expect(lone.publish().sentTexts.map(\.to) == first)
    }
  }

  // GS-101
  @Test func `leaves no fanout behind a minute after the last one`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...20))
    lone.publish()
    lone.advance(.seconds(59))
    #expect(lone.sizes.perPeer == 6)
    lone.advance(.milliseconds(2_100))
    #expect(lone.sizes.perPeer == 0)
  }

  // GS-101
  @Test func `on a topic we are not on neither grafts nor announces`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...20))
    #expect(lone.publish().said.allSatisfy { if case .message = $0.thing { true } else { false } })
    #expect(lone.snapshot.topics.isEmpty)
  }

  @Test func `has a fanout member replaced that left the topic`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...20))
    let first = lone.publish().sentTexts.map(\.to)
    lone.hear(subscriptions: [Subscription(t, joins: false)], from: first[0])
    lone.beat()
    let second = lone.publish().sentTexts.map(\.to)
    #expect(second.count == 6 && Set(second).isSuperset(of: first.dropFirst()))
    #expect(!second.contains(first[0]))
  }

  // GS-103
  @Test func `small and our own goes to everybody on the topic`() {
    let lone = Lone.onMesh(of: 5, outside: 10)
    lone.meet(peers(20...25), on: u)
    #expect(Set(lone.publish(bytes(4_096)).sentTexts.map(\.to)) == Set(peers(1...15)))
    #expect(Set(lone.publish(bytes(4_097)).sentTexts.map(\.to)) == Set(peers(1...5)))
  }

  // GS-103
  @Test func `of others goes to the mesh only`() {
    let lone = Lone.onMesh(of: 5, outside: 10)
    let message = WireMessage.by(peer(90), 1)
    #expect(lone.hear(message, from: peer(1)).receivers(of: message.authorID) == peers(2...5))
  }

  // GS-103
  @Test func `reaches a partner that never subscribed`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1))
    lone.hear(.graft(t), from: peer(1))
    #expect(lone.publish().sentTexts.map(\.to) == [peer(1)])
  }

  // GS-105
  @Test func `without peers says so, and is offered to those who come within its time`() throws {
    let lone = Lone()
    lone.join(t)
    let publication = try #require(lone.publish().publication)
    #expect(publication.sentTo == 0 && publication.subscribers == 0)
    lone.advance(.seconds(2))
    let told = lone.meet(peer(1), on: t)
    #expect(told.said.contains(.have(t, [publication.id], to: peer(1))))
    #expect(lone.hear(.want([publication.id]), from: peer(1)).said == [.message(publication.id, to: peer(1))])
  }

  // GS-105
  @Test func `tells how many it was handed to and how many are on the topic`() throws {
    let lone = Lone.onMesh(of: 5, outside: 10)
    let small = try #require(lone.publish().publication)
    #expect(small.sentTo == 15 && small.subscribers == 15)
    let large = try #require(lone.publish(bytes(10_000)).publication)
    #expect(large.sentTo == 5 && large.subscribers == 15)
  }

  // GS-106
  @Test func `of what is known already is a duplicate and goes nowhere`() {
    let lone = Lone.onMesh(of: 2, policy: .anonymous)
    let mine = WireMessage.anonymous("mine").contentID
    let theirs = WireMessage.anonymous("theirs")
    #expect(lone.publish("mine").publication?.id == mine)
    let again = lone.publish("mine")
    #expect(again.published == [.init(2, .failure(.duplicate(mine)))] && again.said == [])
    lone.hear(theirs, from: peer(1))
    let copy = lone.publish("theirs")
    #expect(copy.published == [.init(3, .failure(.duplicate(theirs.contentID)))] && copy.said == [])
  }

  // GS-106
  @Test func `crossing the same message under examination is a duplicate`() throws {
    let lone = Lone.onMesh(
      of: 2, policy: TopicPolicy(signing: .strictNoSign, identification: .contentHash, isJudged: true))
    lone.verdict = nil
    let message = WireMessage.anonymous("same")
    let mine = try #require(lone.publish("same").toJudge.first)
    let theirs = try #require(lone.hear(message, from: peer(1)).toJudge.first)
    #expect(
      lone.tell(.judged(mine.ticket, .accept)).published == [
        .init(1, .failure(.duplicate(message.contentID)))
      ])
    #expect(lone.tell(.judged(theirs.ticket, .accept)).delivered == [message.contentID])
  }

  // GS-123
  @Test(arguments: [Verdict.reject, .ignore])
  func `our own judge does not accept is returned with its verdict and goes nowhere`(verdict: Verdict) {
    let lone = Lone.onMesh(of: 2, policy: .judged)
    lone.verdict = verdict
    let told = lone.publish("bad")
    #expect(told.toJudge.map(\.from) == [peer(0)])
    #expect(told.published == [.init(1, .failure(.judged(verdict)))])
    #expect(told.said == [] && told.observed == [])
  }

  // GS-123: what our own judge rejected counts as seen.
  @Test func `our own judge rejected is not believed from others either`() {
    let policy = TopicPolicy(signing: .strictNoSign, identification: .contentHash, isJudged: true)
    let lone = Lone.onMesh(of: 2, policy: policy)
    lone.verdict = .reject
    lone.publish("bad")
    lone.verdict = .accept
    let told = lone.hear(.anonymous("bad"), from: peer(1))
    #expect(told.delivered == [] && told.toJudge.isEmpty)
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
  }

  @Test func `has a higher number than the one before`() {
    let lone = Lone.onMesh(of: 1) { $0.sequenceStart = .max - 20_000 }
    var last: [UInt8] = []
    for _ in 1...10_000 {
      guard let sent = lone.publish().frames.first?.frame.messages.first else {
        Issue.record("nothing sent")
        return
      }
      #expect(last.lexicographicallyPrecedes(sent.sequence))
      last = Array(sent.sequence)
    }
  }

  @Test func `of a run of different fates has each token answered exactly once`() {
    let lone = Lone { $0.limits.publicationsOpen = 8 }
    lone.join(t, policy: .judged)
    lone.join(u, policy: .anonymous)
    lone.meet(peers(1...3))
    (lone.signsAtOnce, lone.verdict) = (false, nil)
    var told = Told()
    for number in 1...40 {
      switch number % 4 {
      case 0: told += lone.publish(bytes(number), on: u)
      case 1: told += lone.publish(bytes(2 << 20), on: t)
      case 2: told += lone.publish("same", on: u)
      default: told += lone.publish(bytes(number), on: t)
      }
    }
    #expect(told.published.count == 40 - 8, "eight wait for their signatures")
    for request in told.toSign {
      let signed = lone.tell(.signed(request.ticket, signature: [1], key: nil))
      told += signed
      for judging in signed.toJudge { told += lone.tell(.judged(judging.ticket, .accept)) }
    }
    #expect(told.published.map(\.token).sorted() == Array(1...40))
  }

  @Test func `beyond those that may wait is refused`() {
    let lone = Lone { $0.limits.publicationsOpen = 3 }
    lone.signsAtOnce = false
    for _ in 1...3 { #expect(lone.publish().published == []) }
    #expect(lone.publish().published == [.init(4, .failure(.overloaded(limit: 3)))])
  }

  @Test func `answers with a ticket that was used, or never given, change nothing`() throws {
    let lone = Lone.onMesh(of: 2)
    lone.signsAtOnce = false
    let request = try #require(lone.publish().toSign.first)
    #expect(lone.tell(.signed(request.ticket, signature: [1], key: nil)).published.count == 1)
    #expect(lone.tell(.signed(request.ticket, signature: [1], key: nil)).effects.isEmpty)
    for number in [0, 999, UInt64.max] {
      let ticket = Ticket(number: number)
      #expect(lone.tell(.signed(ticket, signature: [1], key: nil)).effects.isEmpty)
      #expect(lone.tell(.checked(ticket, authentic: true)).effects.isEmpty)
      #expect(lone.tell(.judged(ticket, .accept)).effects.isEmpty)
      #expect(lone.tell(.answer(ticket, .success("x"))).effects.isEmpty)
    }
  }
}

@Suite struct `The reach of a publication` {
  @Test func `counts those it was sent to and those who show that they have it`() throws {
    let lone = Lone.onMesh(of: 5, outside: 3) { $0.gossipSub.floodPublishSize = 0 }
    let told = lone.publish()
    let id = try #require(told.publication?.id)
    let wire = try #require(told.frames.first?.frame.messages.first)
    #expect(lone.tell(.watchReach(id, true)).reached == [.init(id, 5)])
    #expect(lone.hear(.have(t, [id]), from: peer(6)).reached == [.init(id, 6)])
    #expect(lone.hear(.dontWant([id]), from: peer(7)).reached == [.init(id, 7)])
    #expect(lone.hear(wire, from: peer(8)).reached == [.init(id, 8)])
    #expect(lone.hear(wire, from: peer(8)).reached == [])
    lone.tell(.watchReach(id, false))
    lone.meet(peer(9), on: t)
    #expect(lone.hear(.have(t, [id]), from: peer(9)).reached == [])
  }

  @Test func `of a message we do not know is nobody`() {
    let lone = Lone.onMesh(of: 1)
    #expect(lone.tell(.watchReach(id(1), true)).reached == [.init(id(1), 0)])
  }
}
