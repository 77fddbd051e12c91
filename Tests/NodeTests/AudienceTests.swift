import GossipCore
import Testing

extension Told {
  /// Publications that went out.
  fileprivate var publications: [Publication] {
    effects.compactMap { if case .published(_, .success(let publication)) = $0 { publication } else { nil } }
  }
  fileprivate var failures: [PublishFailure] {
    effects.compactMap { if case .published(_, .failure(let failure)) = $0 { failure } else { nil } }
  }
  /// Who was sent any message.
  fileprivate var receivers: [PeerID] { frames.flatMap { frame, peer in frame.messages.map { _ in peer } } }
}

@Suite struct `A message for some` {
  // BB-18
  @Test(arguments: [Manner.gossipSub, .push, .infection, .advert, .slots, .digestFirst])
  func `few goes straight to them, whatever spreads the topic`(manner: Manner) {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: manner))
    lone.meet(peers(1...20), speaking: manner.protocols[0])
    let told = lone.publish(to: .many([peer(3), peer(17)]))
    #expect(told.receivers == [peer(3), peer(17)])
    #expect(told.publications.first?.way == .direct && told.publications.first?.sentTo == 2)
    #expect(lone.sizes.stored == 0, "nobody else may ask for it")
    let later = lone.advance(.seconds(5))
    #expect(later.said.allSatisfy { if case .word(.have) = $0.thing { false } else { true } })
  }

  @Test func `for one goes to one`() {
    let lone = Lone.onMesh(of: 5)
    let told = lone.publish(to: .one(peer(2)))
    #expect(told.receivers == [peer(2)])
  }

  // BB-19
  @Test func `of whom one is out of reach takes everybody's overlay`() {
    let lone = Lone.onMesh(of: 5)
    let told = lone.publish(to: .many([peer(1), peer(77)]))
    #expect(told.publications.first?.way == .fullOverlay)
    #expect(Set(told.receivers) == Set(peers(1...5)), "a small one of our own, flooded as always")
  }

  @Test func `takes the way its decision explains`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .digestFirst))
    lone.meet(peers(1...200), speaking: Manner.digestFirst.protocols[0])
    let decision = lone.node.decision(for: peers(1...60), size: 400_000, on: t)
    #expect(decision.choice == .subOverlay && decision.recipients == 60 && decision.network.nodes == 201)
    #expect(lone.node.decision(for: peers(1...60), size: 100, on: t).choice == .direct)
    #expect(lone.node.decision(for: peers(1...120), size: 400_000, on: t).choice == .fullOverlay)
    #expect(lone.node.decision(for: [peer(1), peer(300)], size: 10, on: t).choice == .fullOverlay)
    let told = lone.publish(bytes(400_000), to: .many(peers(1...60)))
    #expect(told.publications.first?.way == .subOverlay)
  }

  @Test func `names nobody twice, and not its own author`() {
    let lone = Lone.onMesh(of: 5)
    for audience in [
      Audience.many([peer(1), peer(1)]), .many([peer(1)]), .many([peer(1), peer(0)]), .one(peer(0)),
      .many((1...1_025).map(peer)),
    ] {
      let told = lone.publish(to: audience)
      #expect(told.failures.count == 1 && told.receivers == [])
    }
  }

  @Test func `is too large if its names leave no room`() {
    let lone = Lone.onMesh(of: 5)
    let limit = lone.configuration.wire.frameSizeMax - 1_024
    let told = lone.publish(bytes(limit - 1_000), to: .many(peers(1...60)))
    guard case .tooLarge? = told.failures.first else {
      Issue.record("\(told.failures)")
      return
    }
  }

  @Test func `keeps its names on the wire, and under its signature`() {
    let message = WireMessage.by(
      peer(9), 1, for: Recipients([peer(0), peer(4)], by: .fullOverlay))
    #expect(message.way == .fullOverlay && message.recipients?.peers == [peer(0), peer(4)])
    #expect(message.isFor(peer(4)) && !message.isFor(peer(5)))
    let plain = WireMessage(topic: t, payload: "hello", author: peer(9), sequence: 1)
    #expect(message.signedBytes != plain.signedBytes)
    let lone = Lone.onMesh(of: 5)
    #expect(lone.hear(message, from: peer(1)).delivered == [message.authorID])
  }

  @Test func `that names nobody, or no way, is no message`() {
    for recipients in [Recipients([], by: .direct)] {
      var frame = Frame(.gossipSub)
      frame.messages = [.by(peer(9), 1, for: recipients)]
      let encoded = frame.encoded
      #expect(throws: WireError.self) {
        try unsafe Frame(decoding: encoded.span.bytes, on: .gossipSub, WireLimits())
      }
    }
  }
}

@Suite struct `A message that comes straight` {
  private func straight(from author: PeerID = peer(9), to recipients: PeerID...) -> WireMessage {
    .by(author, 1, for: Recipients(recipients, by: .direct))
  }

  @Test(arguments: [Manner.gossipSub, .push, .infection, .advert, .slots, .digestFirst])
  func `is delivered and goes no further`(manner: Manner) {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: manner))
    lone.meet(peers(1...10), speaking: manner.protocols[0])
    let message = straight(to: peer(0), peer(5))
    let told = lone.hear(messages: [message], on: manner, from: peer(9))
    #expect(told.delivered == [message.authorID] && told.said == [])
    #expect(lone.observations(of: peer(9)) == [:] && lone.sizes.stored == 0)
    #expect(lone.hear(messages: [message], on: manner, from: peer(9)).delivered == [], "once")
  }

  @Test func `from another than its author, or for others, is not taken`() {
    let lone = Lone.onMesh(of: 5)
    #expect(lone.hear(straight(to: peer(0)), from: peer(1)).delivered == [])
    #expect(lone.hear(straight(from: peer(1), to: peer(2)), from: peer(1)).delivered == [])
    #expect(lone.counters.strays == 2 && lone.sizes.seen == 0)
  }
}

@Suite struct `A message for others` {
  // BT-88
  @Test func `is passed on and not delivered`() {
    let lone = Lone.onMesh(of: 5)
    let message = WireMessage.by(peer(9), 1, for: Recipients([peer(2), peer(4)], by: .fullOverlay))
    let told = lone.hear(message, from: peer(1))
    #expect(told.delivered == [] && Set(told.receivers(of: message.authorID)) == Set(peers(2...5)))
    #expect(lone.counters.carried == 1 && lone.counters.delivered == 0)
  }

  // BT-88
  @Test func `that runs among them is not given to anybody else`() {
    let manner = Manner.digestFirst
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .digestFirst))
    lone.meet(peers(1...8), speaking: manner.protocols[0])
    let message = WireMessage.by(peer(1), 1, for: Recipients([peer(0), peer(2), peer(3)], by: .subOverlay))
    let told = lone.hear(messages: [message], on: manner, from: peer(1))
    #expect(told.delivered == [message.authorID])
    let offered = told.said.compactMap { if case .word(.advert) = $0.thing { $0.to } else { nil } }
    #expect(Set(offered) == [peer(2), peer(3)])
    let given = lone.hear(.want([message.authorID]), on: manner, from: peer(2))
    #expect(given.receivers == [peer(2)])
    let refused = lone.hear(.want([message.authorID]), on: manner, from: peer(7))
    #expect(refused.said == [.word(.lack([message.authorID]), to: peer(7))])
    lone.meet(peer(20), on: t, speaking: manner.protocols[0])
    #expect(lone.hear(.resend(t, filter: []), on: manner, from: peer(8)).said == [])
  }

  @Test func `that runs among them comes from their partners only`() {
    let manner = Manner.digestFirst
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .digestFirst))
    lone.meet(peers(1...8), speaking: manner.protocols[0])
    let message = WireMessage.by(peer(1), 1, for: Recipients([peer(0), peer(2)], by: .subOverlay))
    #expect(lone.hear(messages: [message], on: manner, from: peer(7)).delivered == [])
    #expect(lone.observations(of: peer(7)) == [.outsider: 1])
    #expect(lone.hear(messages: [message], on: manner, from: peer(2)).delivered == [message.authorID])
  }
}
