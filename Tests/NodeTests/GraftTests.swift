import GossipCore
import Testing

/// GRAFT and PRUNE as peers say them.
@Suite struct `A GRAFT` {
  // GS-57
  @Test func `for a topic we are not on is ignored and leaves no trace`() {
    let lone = Lone.onMesh(of: 2)
    let before = lone.sizes
    #expect(lone.hear(.graft("nowhere"), from: peer(1)).effects.isEmpty)
    #expect(lone.sizes == before)
  }

  // GS-58
  @Test func `adds the peer in silence, and the next message goes to it`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    let told = lone.hear(.graft(t), from: peer(6))
    #expect(told.said == [])
    #expect(told.notices == [.grafted(peer(6), t)])
    let message = WireMessage.by(peer(9), 1)
    #expect(lone.hear(message, from: peer(1)).receivers(of: message.authorID) == peers(2...6))
  }

  // GS-59
  @Test func `of a partner does nothing`() {
    let lone = Lone.onMesh(of: 5)
    #expect(lone.hear(.graft(t), from: peer(1)).effects.isEmpty)
    #expect(lone.mesh() == peers(1...5))
  }

  // GS-61
  @Test func `within the backoff is refused, held against the peer, and the backoff begins anew`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.hear(.prune(t, backoff: 60), from: peer(6))
    lone.advance(.seconds(15))
    let told = lone.hear(.graft(t), from: peer(6))
    #expect(told.said == [.prune(t, 60, to: peer(6))])
    #expect(told.observed == [.init(.earlyGraft, peer(6), 1)])
    lone.advance(.seconds(50))  // 65 s after the prune, 50 s after the graft
    #expect(lone.hear(.graft(t), from: peer(6)).said == [.prune(t, 60, to: peer(6))])
    #expect(!lone.mesh().contains(peer(6)))
  }

  // GS-61
  @Test func `within 10 s of the prune counts twice`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.hear(.prune(t, backoff: 60), from: peer(6))
    lone.advance(.seconds(9))
    #expect(lone.hear(.graft(t), from: peer(6)).observed == [.init(.earlyGraft, peer(6), 2)])
    #expect(lone.observations(of: peer(6)) == [.earlyGraft: 2])
  }

  // GS-61
  @Test func `after the backoff is welcome`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.hear(.prune(t, backoff: 60), from: peer(6))
    lone.advance(.seconds(61))
    #expect(lone.hear(.graft(t), from: peer(6)).said == [])
    #expect(lone.mesh().contains(peer(6)))
  }

  // GS-64
  @Test func `at D_hi is refused if the peer dialed us, accepted if we dialed it`() {
    let lone = Lone.onMesh(of: 12, outside: 1)
    #expect(lone.hear(.graft(t), from: peer(13)).said == [.prune(t, 60, to: peer(13))])
    lone.meet(peer(14), on: t, outbound: true)
    #expect(lone.hear(.graft(t), from: peer(14)).said == [])
    #expect(lone.mesh() == peers(1...12) + [peer(14)])
  }

  // GS-64: the exception has an end.
  @Test func `is refused to peers we dialed too, once the mesh has twice D_hi`() {
    let lone = Lone.onMesh(of: 5)
    for number in 6...40 {
      lone.meet(peer(number), on: t, outbound: true)
      lone.hear(.graft(t), from: peer(number))
    }
    #expect(lone.mesh().count == 24)
  }

  // GS-65
  @Test func `may share its frame with others that are refused`() {
    let lone = Lone.onMesh(of: 5, outside: 1)
    lone.join(u)
    lone.hear(.prune(u, backoff: 60), from: peer(6))
    lone.advance(.seconds(20))
    let told = lone.hear(.graft(t), .graft("nowhere"), .graft(u), from: peer(6))
    #expect(told.said == [.prune(u, 60, to: peer(6))])
    #expect(lone.mesh().contains(peer(6)) && !lone.mesh(u).contains(peer(6)))
  }

  // GS-66
  @Test func `that crosses ours makes one link and no PRUNE`() {
    let lone = Lone()
    lone.join(t)
    #expect(lone.meet(peer(1), on: t).grafted(t) == [peer(1)])
    #expect(lone.hear(.graft(t), from: peer(1)).said == [])
    #expect(lone.beat(3).said == [])
    #expect(lone.mesh() == [peer(1)])
  }

  // GS-69
  @Test func `without a subscription is accepted, up to D_hi`() {
    let lone = Lone()
    lone.join(t)
    for number in 1...50 {
      lone.meet(peer(number))
      lone.hear(.graft(t), from: peer(number))
    }
    #expect(lone.mesh() == peers(1...12))
    lone.beat()
    #expect(lone.mesh().count == 6)
  }

  // GS-75
  @Test func `said 10,000 times in a frame is one`() {
    let lone = Lone.onMesh(of: 5, outside: 2)
    let joined = lone.hear(words: [Control](repeating: .graft(t), count: 10_000), from: peer(6))
    #expect(joined.notices == [.grafted(peer(6), t)] && joined.said == [])
    lone.hear(.prune(t, backoff: 60), from: peer(7))
    let refused = lone.hear(words: [Control](repeating: .graft(t), count: 10_000), from: peer(7))
    #expect(refused.said == [.prune(t, 60, to: peer(7))])
    #expect(refused.observed == [.init(.earlyGraft, peer(7), 2)])
  }
}

@Suite struct `A PRUNE` {
  // GS-67
  @Test func `from a stranger to the mesh only sets a backoff`() {
    let lone = Lone.onMesh(of: 4)
    lone.meet(peer(5))  // not on the topic
    let told = lone.hear(.prune(t, backoff: 60), from: peer(5))
    #expect(told.effects.isEmpty)
    #expect(lone.mesh() == peers(1...4))
    let subscribed = lone.hear(subscriptions: [Subscription(t, joins: true)], from: peer(5))
    #expect(subscribed.said == [])
  }

  // GS-67
  @Test func `for a topic we are not on leaves no trace`() {
    let lone = Lone.onMesh(of: 2)
    let before = lone.sizes
    #expect(lone.hear(.prune("nowhere", backoff: 60), from: peer(1)).effects.isEmpty)
    #expect(lone.sizes == before)
  }

  // GS-67
  @Test func `of a partner ends the partnership without an answer`() {
    let lone = Lone.onMesh(of: 5)
    let told = lone.hear(.prune(t, backoff: 60), from: peer(2))
    #expect(told.said == [])
    #expect(told.notices == [.pruned(peer(2), t, by: .peer)])
    #expect(lone.mesh() == [peer(1), peer(3), peer(4), peer(5)])
  }

  /// Whether a peer that said these prunes, one after the other, is still backed off so long after them.
  func isBackedOff(after prunes: UInt64?..., at delay: Duration) -> Bool {
    let lone = Lone.onMesh(of: 5, outside: 1)
    for backoff in prunes { lone.hear(.prune(t, backoff: backoff), from: peer(6)) }
    lone.advance(delay)
    return lone.hear(.graft(t), from: peer(6)).pruned(t) == [peer(6)]
  }

  // GS-68
  @Test func `without a backoff, or with 0, means a minute`() {
    for backoff in [nil, 0] as [UInt64?] {
      #expect(isBackedOff(after: backoff, at: .seconds(59)))
      #expect(!isBackedOff(after: backoff, at: .seconds(61)))
    }
  }

  // GS-68
  @Test(arguments: [3_600, 3_601, 1 << 40, 1 << 62, .max] as [UInt64])
  func `can impose an hour at most`(backoff: UInt64) {
    #expect(isBackedOff(after: backoff, at: .seconds(3_599)))
    #expect(!isBackedOff(after: backoff, at: .seconds(3_601)))
  }

  // GS-68
  @Test func `never shortens a backoff`() {
    #expect(isBackedOff(after: 100, 5, at: .seconds(99)))
    #expect(!isBackedOff(after: 100, 5, at: .seconds(101)))
    #expect(isBackedOff(after: 5, 100, at: .seconds(99)))
  }

  // GS-75
  @Test func `said 10,000 times in a frame is one`() {
    let lone = Lone.onMesh(of: 5)
    let words = [Control](repeating: .prune(t, backoff: 60), count: 10_000)
    #expect(lone.hear(words: words, from: peer(1)).notices == [.pruned(peer(1), t, by: .peer)])
    #expect(lone.sizes.perPeer == 4 + 1, "four partners and one backoff")
  }

  // GS-68
  @Test func `cannot fill our memory with backoffs`() {
    let lone = Lone()
    lone.join(t)
    for number in 1...20_000 {
      lone.connect(peer(number))
      lone.open(peer(number))
      lone.hear(.prune(t, backoff: .max), from: peer(number))
      lone.disconnect(peer(number))
    }
    #expect(lone.sizes.perPeer <= 16_384)
  }
}
