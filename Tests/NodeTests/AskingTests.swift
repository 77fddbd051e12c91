import Testing

@testable import GossipCore

/// Of whom a node asks what it lacks, and how much at a time.
@Suite struct `A slow partner` {
  /// Messages of about 5,000 bytes, larger than may come unasked.
  let messages = (1...40).map { WireMessage.by(peer(90), UInt64($0), bytes(5_000)) }

  /// What a peer is asked for.
  func asked(_ told: Told, of peer: PeerID) -> [MessageID] {
    told.said.flatMap { said -> [MessageID] in
      if case .word(.want(let ids)) = said.thing, said.to == peer { ids } else { [] }
    }
  }

  /// A node with partners 1 and 2, of whom the first did not answer in time for long.
  func slowed() -> Lone {
    let lone = Lone { $0.digestFirst.patience = .seconds(1) }
    lone.join(t, policy: .digests)
    lone.meet(peers(1...2), speaking: Manner.digestFirst.protocols[0])
    for number in 0..<10 {
      let silent = WireMessage.by(peer(91), UInt64(number + 1), bytes(5_000))
      lone.offer(of: silent, from: peer(1))
      lone.advance(.seconds(20))
    }
    #expect(lone.node.commons.allowance(of: peer(1)) == 16 << 10)
    #expect(lone.node.commons.allowance(of: peer(2)) == 1 << 20)
    return lone
  }

  // BB-7
  @Test func `is asked for little at a time, and the next holder for the rest`() {
    let lone = slowed()
    let adverts = messages.map(\.advert)
    let first = lone.hear(words: [.advert(t, adverts)], on: .digestFirst, from: peer(1))
    #expect(asked(first, of: peer(1)) == messages.prefix(3).map(\.authorID), "15 KiB of 16")
    let second = lone.hear(words: [.advert(t, adverts)], on: .digestFirst, from: peer(2))
    #expect(asked(second, of: peer(2)) == messages.dropFirst(3).map(\.authorID))
    #expect(lone.node.commons.reputation.standing(of: peer(1)) == .welcome)
  }

  // BB-6, BB-7
  @Test func `is asked for all if nobody else has it, one after the other`() {
    let lone = slowed()
    let told = lone.hear(words: [.advert(t, messages.map(\.advert))], on: .digestFirst, from: peer(1))
    var waiting = asked(told, of: peer(1))
    var received: [MessageID] = []
    while let next = waiting.first, received.count < 100 {
      waiting.removeFirst()
      let message = messages.first { $0.authorID == next }!
      let told = lone.push(message, from: peer(1))
      received += told.delivered
      waiting += asked(told, of: peer(1))
      #expect(waiting.count <= 4)
      lone.advance(.milliseconds(20))
    }
    #expect(received == messages.map(\.authorID))
    #expect(lone.sizes.wants == 0)
  }

  // BB-6, BB-7
  @Test func `is asked for all after one patience, whatever it gave`() {
    let lone = slowed()
    var told = lone.hear(words: [.advert(t, messages.map(\.advert))], on: .digestFirst, from: peer(1))
    told += lone.advance(.seconds(1))
    #expect(Set(asked(told, of: peer(1))) == Set(messages.map(\.authorID)))
  }

  // BB-7
  @Test func `is asked for fewer adverts than others`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .advert))
    lone.meet(peers(1...2), speaking: Manner.advert.protocols[0])
    lone.change { $0.commons.slow(peer(1), times: 20) }
    let adverts = messages.map(\.advert)
    let first = lone.hear(words: [.advert(t, adverts)], on: .advert, from: peer(1))
    #expect(asked(first, of: peer(1)).count == 4)
    let second = lone.hear(words: [.advert(t, adverts)], on: .advert, from: peer(2))
    #expect(asked(second, of: peer(2)).count == 20)
  }

  // BB-7
  @Test func `is asked for few slots at a time, and for more as they come`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .slots))
    lone.meet(peers(1...1), speaking: Manner.slots.protocols[0])
    lone.change {
      $0.commons.slow(peer(1), times: 20)
      $0.commons.typical = 1_024
    }
    let updates = messages.enumerated().map { place, message in
      Control.slot(
        SlotUpdate(
          version: UInt64(place + 1), slot: UInt64(place), topic: t, id: message.authorID, isPushed: false))
    }
    let told = lone.hear(words: updates, on: .slots, from: peer(1))
    var waiting = asked(told, of: peer(1))
    #expect(waiting.count == 16, "a kilobyte is assumed for each")
    var received: [MessageID] = []
    while let next = waiting.first, received.count < 100 {
      waiting.removeFirst()
      let told = lone.hear(messages.first { $0.authorID == next }!, on: .slots, from: peer(1))
      received += told.delivered
      waiting += asked(told, of: peer(1))
    }
    #expect(Set(received) == Set(messages.map(\.authorID)))
  }
}

@Suite struct `A partner that broke off three times` {
  let message = WireMessage.by(peer(90), 1, bytes(5_000))

  func asked(_ told: Told) -> [PeerID] {
    told.said.compactMap { if case .word(.want) = $0.thing { $0.to } else { nil } }
  }

  /// Peer 1 left three times while it owed something.
  func lone(_ spread: Manner) -> Lone {
    let lone = Lone.withDigests(0, policy: TopicPolicy(spread: .digestFirst))
    lone.join(u, policy: TopicPolicy(spread: spread))
    for number in 1...3 {
      lone.meet(peer(1), on: t, speaking: Manner.digestFirst.protocols[0])
      lone.offer(of: .by(peer(91), UInt64(number), bytes(5_000)), from: peer(1))
      #expect(lone.disconnect(peer(1)).observed == [.init(.disrupted, peer(1))])
    }
    lone.meet(peers(1...3), on: spread == .digestFirst ? t : u, speaking: spread.protocols[0])
    return lone
  }

  @discardableResult
  func offer(_ lone: Lone, _ number: Int, _ spread: Manner) -> Told {
    let message = spread == .digestFirst ? message : WireMessage.by(peer(90), 1, bytes(5_000), on: u)
    let word: Control =
      switch spread {
      case .slots:
        .slot(SlotUpdate(version: 1, slot: 0, topic: u, id: message.authorID, isPushed: false))
      default: .advert(message.topic, [message.advert])
      }
    return lone.hear(word, on: spread, from: peer(number))
  }

  // BT-37
  @Test func `is not asked while another one offers the same within a moment`() {
    let lone = lone(.digestFirst)
    #expect(asked(offer(lone, 1, .digestFirst)) == [])
    lone.advance(.milliseconds(400))
    #expect(asked(offer(lone, 2, .digestFirst)) == [peer(2)])
    // Nor when that one stays silent and a third one is there.
    offer(lone, 3, .digestFirst)
    #expect(asked(lone.advance(.seconds(10))).first == peer(3))
  }

  // BT-37
  @Test func `is asked if nobody else offers it`() {
    let lone = lone(.digestFirst)
    #expect(asked(offer(lone, 1, .digestFirst)) == [])
    #expect(asked(lone.advance(.milliseconds(500))) == [peer(1)])
    #expect(lone.push(message, from: peer(1)).delivered == [message.authorID])
  }

  // BT-37
  @Test(arguments: [Manner.advert, .slots])
  func `is asked last in manners that choose among all who show it`(spread: Manner) {
    let lone = lone(spread)
    let message = WireMessage.by(peer(90), 1, bytes(5_000), on: u)
    // Peers 2 and 3 are busy with others' requests, so that all three show it before anybody is asked.
    lone.change { node in for number in 2...3 { node.commons.slow(peer(number), times: 20) } }
    #expect(asked(offer(lone, 2, spread)) == [peer(2)])
    offer(lone, 1, spread)
    offer(lone, 3, spread)
    #expect(asked(lone.hear(.lack([message.authorID]), on: spread, from: peer(2))) == [peer(3)])
    #expect(asked(lone.hear(.lack([message.authorID]), on: spread, from: peer(3))) == [peer(1)])
  }

  // BT-37
  @Test func `is asked like any other where scores are only watched`() {
    let lone = Lone.withDigests(0) { $0.reputation.mode = .watching }
    for number in 1...3 {
      lone.meet(peer(1), on: t, speaking: Manner.digestFirst.protocols[0])
      lone.offer(of: .by(peer(91), UInt64(number), bytes(5_000)), from: peer(1))
      lone.disconnect(peer(1))
    }
    lone.meet(peer(1), on: t, speaking: Manner.digestFirst.protocols[0])
    #expect(asked(lone.offer(of: message, from: peer(1))) == [peer(1)])
  }
}

extension Commons {
  /// So many time-outs of the peer.
  fileprivate mutating func slow(_ peer: PeerID, times: Int) {
    let (start, parameters) = (now, paceParameters)
    _ = peers.update(peer) { entry in
      var pace = Pace(parameters)
      for time in 0..<times { pace.timedOut(at: start + .nanoseconds(Int64(time)), parameters) }
      entry.pace = pace
    }
  }
}
