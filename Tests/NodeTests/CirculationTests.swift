import GossipCore
import Testing

@Suite struct `The same message again` {
  let message = WireMessage.by(peer(90), 1)
  let large = WireMessage.by(peer(90), 2, bytes(2_000))

  // BT-49
  @Test func `from another peer is a duplicate and nobody's fault`() {
    let lone = Lone.withDigests(3)
    #expect(lone.push(message, from: peer(1)).delivered == [message.authorID])
    let told = lone.push(message, from: peer(2))
    #expect(told.delivered == [] && told.observed == [] && told.barred == [])
  }

  // BT-75
  @Test func `through two partners counts once, whether it is being examined or done`() {
    let lone = Lone.withDigests(3, policy: TopicPolicy(spread: .digestFirst, isJudged: true))
    lone.verdict = nil
    let told = lone.push(message, from: peer(1))
    #expect(lone.push(message, from: peer(2)).toJudge.isEmpty)
    #expect(lone.judge(told, .accept).delivered == [message.authorID])
    let late = lone.push(message, from: peer(3))
    #expect(late.delivered == [] && late.toJudge.isEmpty && late.observed == [])
    #expect(lone.counters.delivered == 1)
  }

  // BT-51
  @Test func `from a peer that was asked for it again is accepted`() {
    let lone = Lone.withDigests(3) {
      $0.limits.seenFor = .seconds(10)
      $0.gossipSub.historyLength = 3
    }
    lone.join(t, policy: TopicPolicy(spread: .digestFirst, retention: .heartbeats))
    #expect(lone.offer(of: large, from: peer(1)).wanted == [large.authorID])
    #expect(lone.push(large, from: peer(1)).delivered == [large.authorID])
    lone.advance(.seconds(20))
    #expect(lone.offer(of: large, from: peer(1)).wanted == [large.authorID])
    let told = lone.push(large, from: peer(1))
    #expect(told.delivered == [large.authorID] && told.barred == [])
  }

  // BT-51
  @Test func `pushed and asked for crosses without harm`() {
    let lone = Lone.withDigests(3)
    lone.offer(of: message, from: peer(1))
    #expect(lone.push(message, from: peer(1)).delivered == [message.authorID])
    #expect(lone.push(message, from: peer(1)).barred == [])
    #expect(lone.push(message, from: peer(1)).barred == [.init(peer(1), .circulation)])
  }

  // BT-48
  @Test func `while it is examined is circulation as well`() {
    let lone = Lone.withDigests(3)
    lone.checksAtOnce = false
    lone.push(message, from: peer(1))
    #expect(lone.push(message, from: peer(1)).barred == [.init(peer(1), .circulation)])
  }

  // BT-54
  @Test func `in a new connection is still recognised`() {
    let lone = Lone.withDigests(3)
    lone.push(message, from: peer(1))
    lone.disconnect(peer(1))
    lone.advance(.seconds(500))
    lone.meet(peer(1), on: t, speaking: Manner.digestFirst.protocols[0])
    #expect(lone.push(message, from: peer(1)).barred == [.init(peer(1), .circulation)])
  }

  // BT-52
  @Test func `after the exact record forgot it accuses nobody`() {
    let lone = Lone.withDigests(3) { $0.duplicates = DuplicateFilterParameters() }
    lone.push(message, from: peer(1))
    lone.advance(.seconds(601))
    let told = lone.push(message, from: peer(1))
    #expect(told.delivered == [] && told.barred == [] && told.observed == [])
    #expect(lone.counters.suspected == 1)
  }

  @Test func `is only seen where messages come unasked`() {
    let lone = Lone.onMesh(of: 3)
    lone.hear(message, from: peer(1))
    let told = lone.hear(message, from: peer(1))
    #expect(told.observed == [.init(.circulated, peer(1))] && told.barred == [])
  }

  @Test(arguments: [Manner.push, .antiEntropy])
  func `is what some manners are about`(manner: Manner) {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .push, heal: Heal(digestsEvery: .seconds(4))))
    lone.meet(peer(1), on: t, speaking: manner.protocols[0])
    lone.hear(message, on: manner, from: peer(1))
    #expect(lone.hear(message, on: manner, from: peer(1)).observed == [])
  }

  // BT-48
  @Test func `pushed after the healer asked for it is no circulation`() {
    let lone = Lone.withDigests(
      2, policy: TopicPolicy(spread: .digestFirst, heal: Heal(digestsEvery: .seconds(4))))
    lone.open(peer(1), Manner.antiEntropy.protocols[0])
    lone.hear(subscriptions: [Subscription(t, joins: true)], on: .antiEntropy, from: peer(1))
    var (nonce, isFetched) = (nil as UInt64?, false)
    for _ in 0..<50 where !isFetched {
      guard let deadline = lone.node.deadline else { break }
      for said in lone.advance(deadline - lone.now).said {
        switch said.thing {
        case .word(.hello(t, let number)): nonce = number
        case .word(.fetch): isFetched = true
        default: break
        }
      }
      guard let greeting = nonce else { continue }
      lone.hear(.digest(nonce: greeting, [message.authorID]), on: .antiEntropy, from: peer(1))
      nonce = nil
    }
    #expect(isFetched)
    #expect(lone.hear(message, on: .antiEntropy, from: peer(1)).delivered == [message.authorID])
    let told = lone.push(message, from: peer(1))  // it was on its way
    #expect(told.barred == [] && told.observed == [])
  }

  // BT-48
  @Test func `said by its author is no circulation where the same content may be said again`() {
    let anonymous = TopicPolicy(spread: .digestFirst, signing: .strictNoSign, identification: .contentHash)
    let lone = Lone.withDigests(2, policy: anonymous)
    let alive = WireMessage.anonymous("alive")
    lone.push(alive, from: peer(1))
    lone.advance(.seconds(130))  // nobody remembers it as seen any more, its author neither
    let told = lone.push(alive, from: peer(1))
    #expect(told.barred == [] && told.delivered == [alive.contentID])
  }

  // BT-49
  @Test func `is not taken for that of the former owner of a number`() {
    let lone = Lone.withDigests(62, policy: TopicPolicy(spread: .digestFirst, isJudged: true))
    lone.verdict = nil
    let told = lone.push(message, from: peer(1))
    lone.disconnect(peer(1))
    lone.meet(peer(63), on: t, speaking: Manner.digestFirst.protocols[0])
    lone.judge(told, .accept)
    let copy = lone.push(message, from: peer(63))
    #expect(copy.barred == [] && copy.observed == [], "it gave it once")
    #expect(lone.push(message, from: peer(63)).barred == [.init(peer(63), .circulation)])
  }
}

@Suite struct `A digest told again` {
  let message = WireMessage.by(peer(90), 2, bytes(2_000))

  // BT-53
  @Test func `is free three times; the fifth telling is observed`() {
    let lone = Lone.withDigests(2)
    for _ in 1...4 { #expect(lone.offer(of: message, from: peer(1)).observed == []) }
    #expect(lone.offer(of: message, from: peer(1)).observed == [.init(.flooded, peer(1))])
    #expect(lone.offer(of: message, from: peer(2)).observed == [])
  }

  // BT-53
  @Test func `is free again after a reconnect, in a new epoch, and when it was asked for`() {
    let lone = Lone.withDigests(2)
    func tellings() -> [Told.Observed] {
      (1...4).flatMap { _ in lone.offer(of: message, from: peer(1)).observed }
    }
    #expect(tellings() == [])
    lone.disconnect(peer(1))
    lone.meet(peer(1), on: t, speaking: Manner.digestFirst.protocols[0])
    #expect(tellings() == [])
    lone.tell(.epoch(.of(1, peers(0...2))))
    #expect(tellings() == [])
    #expect(lone.offer(of: message, from: peer(1)).observed == [.init(.flooded, peer(1))])
  }

  // BT-53
  @Test func `is free when we are so lonely that we keep asking`() {
    let lone = Lone.withDigests(1) { $0.digestFirst.pullEvery = .seconds(1) }
    lone.tell(.epoch(.of(1, peers(0...4))))
    lone.advance(.seconds(3))
    for _ in 1...20 {
      let asked = lone.advance(.seconds(1))
      #expect(asked.resends == [peer(1)])
      #expect(lone.offer(of: message, from: peer(1)).observed == [])
    }
  }

  @Test func `is counted also if the message is here`() {
    let lone = Lone.withDigests(2)
    lone.offer(of: message, from: peer(1))
    lone.push(message, from: peer(1))
    for _ in 2...4 { #expect(lone.offer(of: message, from: peer(1)).observed == []) }
    #expect(lone.offer(of: message, from: peer(1)).observed == [.init(.flooded, peer(1))])
  }
}
