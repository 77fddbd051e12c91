import GossipCore
import Testing

@Suite struct `A message older than the exact window` {
  let message = WireMessage.by(peer(90), 1)
  let large = WireMessage.by(peer(90), 2, bytes(2_000))

  /// Both messages were met five minutes ago.
  func later(_ count: Int = 4) -> Lone {
    let lone = Lone.withDigests(count) { $0.duplicates = DuplicateFilterParameters() }
    lone.push(message, from: peer(1))
    lone.offer(of: large, from: peer(1))
    lone.push(large, from: peer(1))
    lone.advance(.seconds(300))
    return lone
  }

  // BT-82
  @Test func `is not taken again, and nobody is blamed`() {
    let lone = later()
    let told = lone.push(message, from: peer(2))
    #expect(told.delivered == [] && told.toCheck.isEmpty && told.observed == [])
    #expect(lone.offer(of: large, from: peer(2)).wanted == [])
    #expect(lone.advance(.seconds(10)).observed == [] && lone.counters.suspected == 2)
    let fresh = WireMessage.by(peer(90), 3)
    #expect(lone.push(fresh, from: peer(2)).delivered == [fresh.authorID])
  }

  // BT-83
  @Test func `is asked for all the same when three peers offer it`() {
    let lone = later()
    #expect(lone.offer(of: large, from: peer(2)).wanted == [])
    #expect(lone.offer(of: large, from: peer(2)).wanted == [])
    #expect(lone.offer(of: large, from: peer(3)).wanted == [])
    #expect(lone.offer(of: large, from: peer(4)).said == [.want([large.authorID], to: peer(4))])
    #expect(lone.push(large, from: peer(4)).delivered == [large.authorID])
  }

  // BT-83
  @Test func `is taken all the same when three peers bring it`() {
    let lone = later()
    for number in [2, 2, 3] { #expect(lone.push(message, from: peer(number)).delivered == []) }
    #expect(lone.push(message, from: peer(4)).delivered == [message.authorID])
  }

  // BT-83
  @Test func `is taken if it comes straight from its author`() {
    let lone = Lone { $0.duplicates = DuplicateFilterParameters() }
    lone.join(t, policy: .direct)
    lone.meet(peer(1), on: t, speaking: Manner.direct.protocols[0])
    let message = WireMessage.by(peer(1), 1)
    #expect(lone.hear(message, on: .direct, from: peer(1)).delivered == [message.authorID])
    lone.advance(.seconds(300))
    #expect(lone.hear(message, on: .direct, from: peer(1)).delivered == [message.authorID])
  }

  // BT-83
  @Test func `is asked for at once if another depends on it`() {
    let lone = Lone.withDigests(4, policy: TopicPolicy(spread: .digestFirst, isJudged: true)) {
      $0.duplicates = DuplicateFilterParameters()
    }
    lone.push(message, from: peer(1))
    lone.advance(.seconds(300))
    lone.verdict = nil
    let block = WireMessage.by(peer(91), 5)
    let told = lone.judge(lone.push(block, from: peer(2)), .await([message.authorID]))
    #expect(told.said == [.want([message.authorID], to: peer(2))])
    let given = lone.push(message, from: peer(2))
    #expect(lone.judge(given, .accept).toJudge.map(\.message.id) == [block.authorID])
  }

  // BT-82, BT-84
  @Test func `is new again after twenty minutes`() {
    let lone = later()
    lone.advance(.seconds(1_200))
    #expect(lone.push(message, from: peer(2)).delivered == [message.authorID])
  }
}

@Suite struct `A message whose number does not rise` {
  var rising: TopicPolicy {
    var policy = TopicPolicy(isJudged: true)
    policy.wantsRisingSequences = true
    return policy
  }

  // GS-26
  @Test func `is ignored on topics that ask for it, and nobody is blamed`() {
    let lone = Lone.onMesh(of: 3, policy: rising)
    #expect(lone.hear(.by(peer(9), 5), from: peer(1)).delivered.count == 1)
    let told = lone.hear(.by(peer(9), 4), from: peer(2))
    #expect(told.delivered == [] && told.toJudge.isEmpty && told.observed == [] && told.said == [])
    #expect(lone.hear(.by(peer(9), 6), from: peer(2)).delivered.count == 1)
    #expect(lone.hear(.by(peer(8), 1), from: peer(2)).delivered.count == 1, "each author counts for itself")
    #expect(lone.counters.replayed == 1 && lone.sizes.checks == 0)
  }

  // GS-26
  @Test func `is believed by the first of two that were examined together`() {
    let lone = Lone.onMesh(of: 3, policy: rising)
    lone.verdict = nil
    let high = lone.hear(.by(peer(9), 5), from: peer(1))
    let low = lone.hear(.by(peer(9), 4), from: peer(2))
    #expect(low.toJudge.count == 1)
    #expect(lone.judge(high, .accept).delivered.count == 1)
    let told = lone.judge(low, .accept)
    #expect(told.delivered == [] && told.observed == [] && lone.sizes.checks == 0)
  }

  // GS-26
  @Test func `does not go on unexamined`() {
    var policy = TopicPolicy.byLot
    policy.wantsRisingSequences = true
    let lone = Lone.trusting(3, policy: policy)
    lone.verdict = .accept
    lone.push(.by(peer(90), 5), from: peer(1))
    #expect(lone.push(.by(peer(90), 4), from: peer(2)).said == [])
    #expect(lone.counters.replayed == 1 && lone.sizes.unexamined == 0)
  }
}
