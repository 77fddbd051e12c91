/// Bamboo's partner score, and a node's suspicion of itself.

import Testing

@testable import GossipCore

@Suite struct `A partner score` {
  static let now = Instant.zero

  func factor(_ name: String, _ number: Int, _ reputation: Reputation, at now: Instant = .zero) -> Double {
    reputation.explain(peer(number), at: now).factors.first { $0.name == name }!.value
  }

  func factors(_ number: Int, _ reputation: Reputation) -> [Double] {
    reputation.explain(peer(number), at: .zero).factors.map(\.value)
  }

  func reputation(_ peers: ClosedRange<Int> = 1...5) -> Reputation {
    var reputation = Reputation(ReputationParameters(), at: .zero)
    reputation.follow("t", nil)
    for number in peers { reputation.connected(peer(number), at: .zero) }
    return reputation
  }

  @Test func `begins at a half in each factor`() {
    let reputation = reputation()
    #expect(factors(1, reputation) == [0.5, 0.5, 0.5, 0.5])
    #expect(reputation.partnerScore(of: peer(1), at: .zero) == 0.125)
    #expect(reputation.partnerScore(of: peer(99), at: .zero) == 0.125)
  }

  // BB-3, BT-29
  @Test func `gains interest by offering first and loses it by offering last`() {
    var reputation = reputation()
    reputation.ranked([peer(1), peer(2), peer(3)], at: .zero)
    #expect(factors(1, reputation) == [0.5 + 0.5 / 32, 0.5, 0.5, 0.5])
    #expect(factors(2, reputation) == [0.5, 0.5, 0.5, 0.5])
    #expect(factors(3, reputation) == [0.5 - 0.5 / 32, 0.5, 0.5, 0.5])
    // Whoever brings a message alone was first; where it was asked for, that says nothing.
    reputation.delivered(id(1), by: [peer(4)], on: "t", at: .zero)
    reputation.delivered(id(2), by: [peer(5)], on: "t", ranks: false, at: .zero)
    #expect(factor("interest", 4, reputation) == 0.5 + 0.5 / 32)
    #expect(factor("interest", 5, reputation) == 0.5)
  }

  // BT-30
  @Test func `of a liar is the lowest, however fast`() {
    var reputation = reputation()
    for _ in 0..<1_000 {
      reputation.transferred(1 << 20, took: .milliseconds(1), by: peer(1), at: .zero)
      reputation.ranked([peer(1), peer(2)], at: .zero)
      reputation.observe(.disrupted, of: peer(2), at: .zero)
      reputation.observe(.falseDigest, of: peer(1), on: "t", at: .zero)
    }
    let scores = (1...5).map { reputation.partnerScore(of: peer($0), at: .zero) }
    #expect(scores.min() == scores[0] && scores[0] < 1e-6)
    #expect(factor("speed", 1, reputation) > 0.999)
  }

  @Test func `loses to one bad message what a hundred good ones gave`() {
    var reputation = reputation()
    for number in 0..<100 { reputation.delivered(id(number), by: [peer(1)], on: "t", at: .zero) }
    #expect(isClose(factor("integrity", 1, reputation), 101.0 / 102))
    reputation.observe(.invalidMessage, of: peer(1), on: "t", at: .zero)
    #expect(isClose(factor("integrity", 1, reputation), 101.0 / 134))
  }

  // BT-31
  @Test func `loses speed alone by time-outs, and no number of them shuts a peer out`() {
    var reputation = reputation()
    reputation.observe(.brokenPromise, of: peer(1), at: .zero)
    #expect(factors(1, reputation) == [0.5, 0.5 - 0.5 / 32, 0.5, 0.5])
    for second in 0..<1_000 {
      reputation.observe(.brokenPromise, of: peer(1), count: 10, at: .seconds(Double(second)))
      #expect(reputation.verdict(on: peer(1)) >= .gossipOnly)
    }
    #expect(factor("speed", 1, reputation, at: .seconds(999)) < 0.01)
    #expect(factor("integrity", 1, reputation) == 0.5)
  }

  @Test func `knows fast transfers from slow ones`() {
    var reputation = reputation()
    for _ in 0..<200 {
      reputation.transferred(1 << 20, took: .milliseconds(1_100), by: peer(1), at: .zero)
      reputation.transferred(1 << 20, took: .milliseconds(11_000), by: peer(2), at: .zero)
      reputation.transferred(100, took: .milliseconds(50), by: peer(3), at: .zero)
    }
    #expect(factor("speed", 1, reputation) > 0.99)
    #expect((0.09...0.12).contains(factor("speed", 2, reputation)))
    #expect(factor("speed", 3, reputation) > 0.99)
    #expect(factor("reliability", 2, reputation) > 0.99)
  }

  // BB-8, BT-35, BT-37
  @Test func `loses reliability by exchanges broken off, and is asked last after three`() {
    var reputation = reputation()
    for _ in 0..<4 { reputation.transferred(100, took: .zero, by: peer(1), at: .zero) }
    #expect(isClose(factor("reliability", 1, reputation), 5.0 / 6))
    reputation.observe(.disrupted, of: peer(1), at: .zero)
    #expect(factor("reliability", 1, reputation) == 0.5)
    reputation.observe(.disrupted, of: peer(1), at: .seconds(100))
    #expect(!reputation.isUnreliable(peer(1), at: .seconds(100)))
    reputation.observe(.disrupted, of: peer(1), at: .seconds(200))
    #expect(reputation.isUnreliable(peer(1), at: .seconds(599)))
    #expect(!reputation.isUnreliable(peer(1), at: .seconds(600)))
    #expect(reputation.verdict(on: peer(1)) == .welcome)
  }

  // BT-36
  @Test func `is not changed by parting`() {
    var reputation = reputation()
    reputation.transferred(100, took: .zero, by: peer(1), at: .zero)
    let before = factors(1, reputation)
    reputation.disconnected(peer(1), at: .zero)
    reputation.connected(peer(1), at: .zero)
    #expect(factors(1, reputation) == before)
  }

  // BT-39
  @Test func `survives parting and comes back to a half with time`() {
    var reputation = reputation()
    for number in 0..<100 {
      reputation.delivered(id(number), by: [peer(1), peer(2)], on: "t", at: .zero)
      reputation.transferred(100, took: .zero, by: peer(1), at: .zero)
    }
    let speed = factor("speed", 1, reputation)
    reputation.disconnected(peer(1), at: .seconds(10))
    reputation.connected(peer(1), at: .seconds(1_810))
    let later = Instant.seconds(3_600)
    #expect(abs(factor("speed", 1, reputation, at: later) - (0.5 + (speed - 0.5) / 2)) < 1e-6)
    #expect(isClose(factor("reliability", 1, reputation, at: later), 51.0 / 52))
    #expect(factor("integrity", 1, reputation, at: later) > 0.98)
    #expect(abs(factor("interest", 1, reputation, at: .seconds(360_000)) - 0.5) < 1e-6)
  }
}

@Suite struct `Blaming itself` {
  /// Six connected peers, of whom ambiguous things are seen.
  struct Doubted {
    var reputation: Reputation

    init(_ peers: Int = 6) {
      var parameters = ReputationParameters()
      (parameters.peerScore.behaviourThreshold, parameters.peerScore.behaviourWeight) = (0, -1_000)
      reputation = Reputation(parameters, at: .zero)
      reputation.follow("t", nil)
      for number in 1...peers { reputation.connected(peer(number), at: .zero) }
    }

    mutating func see(_ observation: Observation, of numbers: ClosedRange<Int>, at seconds: Double) {
      for number in numbers { reputation.observe(observation, of: peer(number), at: .seconds(seconds)) }
    }

    func scores(_ numbers: ClosedRange<Int>) -> [Double] { numbers.map { reputation.score(of: peer($0)) } }
    func speeds(_ numbers: ClosedRange<Int>) -> [Double] {
      numbers.map { reputation.explain(peer($0), at: .zero).factors[1].value }
    }
  }

  // BT-34
  @Test func `a node holds time-outs of most partners within ten seconds against none of them`() {
    var doubted = Doubted()
    doubted.see(.brokenPromise, of: 1...3, at: 0.1)
    #expect(doubted.scores(1...3).allSatisfy { $0 < 0 })
    doubted.see(.brokenPromise, of: 4...4, at: 0.9)  // four of six
    #expect(doubted.scores(1...6) == [0, 0, 0, 0, 0, 0])
    #expect(doubted.speeds(1...6).allSatisfy { isClose($0, 0.5) })
    #expect((1...4).allSatisfy { doubted.reputation.standing(of: peer($0)) == .welcome })
    #expect(doubted.reputation.selfBlames == 1)
    #expect(doubted.reputation.takeNotices().contains(.selfBlame(suspects: 4, connected: 6)))
    // As long as it lasts nothing counts; afterwards it does again.
    doubted.see(.brokenPromise, of: 1...4, at: 9)
    #expect(doubted.scores(1...6) == [0, 0, 0, 0, 0, 0])
    #expect(doubted.reputation.selfBlames == 1)
    doubted.see(.brokenPromise, of: 1...1, at: 30)
    #expect(doubted.scores(1...2)[0] < 0)
  }

  // BT-34
  @Test func `a node takes back what it counted in the seconds before`() {
    var doubted = Doubted()
    for second in 0..<5 { doubted.see(.stalled, of: 1...3, at: Double(second) + 0.5) }
    doubted.see(.disrupted, of: 1...3, at: 5.5)
    doubted.see(.brokenPromise, of: 1...3, at: 6.5)
    #expect(doubted.scores(1...3).allSatisfy { $0 < 0 })
    doubted.see(.stalled, of: 4...4, at: 7.5)
    let explanation = doubted.reputation.explain(peer(1), at: .seconds(7.5))
    #expect(explanation.terms.allSatisfy { abs($0.contribution) < 1e-9 })
    #expect(explanation.factors.allSatisfy { abs($0.value - 0.5) < 1e-9 })
    #expect(explanation.isSelfBlaming)
    // What is longer ago stays.
    var slow = Doubted()
    slow.see(.brokenPromise, of: 1...3, at: 0.5)
    slow.see(.brokenPromise, of: 1...4, at: 11.5)
    #expect(slow.reputation.selfBlames == 1)
    #expect(slow.scores(1...3).allSatisfy { $0 < 0 })
    #expect(slow.scores(4...4) == [0])
  }

  @Test func `a node still sees what only a peer itself can have done`() {
    var doubted = Doubted()
    doubted.see(.brokenPromise, of: 1...6, at: 0)
    doubted.see(.invalidMessage, of: 1...6, at: 0)
    doubted.see(.garbled, of: 1...1, at: 0)
    #expect(doubted.scores(1...6).allSatisfy { $0 < 0 })
    #expect(doubted.reputation.standing(of: peer(1)) == .blocked)
  }

  @Test func `takes more than half of the partners, and at least three`() {
    var two = Doubted(2)
    two.see(.brokenPromise, of: 1...2, at: 0)
    #expect(two.reputation.selfBlames == 0 && two.scores(1...2).allSatisfy { $0 < 0 })
    var half = Doubted(6)
    half.see(.brokenPromise, of: 1...3, at: 0)
    #expect(half.reputation.selfBlames == 0)
    // Those who left do not count.
    half.reputation.disconnected(peer(6), at: .zero)
    half.see(.brokenPromise, of: 3...3, at: 1)
    #expect(half.reputation.selfBlames == 1)
    #expect(half.scores(1...3) == [0, 0, 0])
  }
}

@Suite struct `Weights of observations` {
  /// What honest peers may be seen doing, under loss, load and churn, never makes them unwelcome by itself.
  @Test(arguments: [Observation.brokenPromise, .stalled, .disrupted])
  func `leave a slow or lossy peer with its offers`(observation: Observation) {
    var reputation = Reputation(ReputationParameters(), at: .zero)
    reputation.follow("t", nil)
    reputation.connected(peer(1), at: .zero)
    for second in 0..<2_000 {
      reputation.observe(observation, of: peer(1), count: 100, at: .seconds(Double(second)))
    }
    #expect(reputation.verdict(on: peer(1)) >= .gossipOnly)
  }

  @Test(arguments: [
    Observation.invalidMessage, .falseDigest, .garbled, .earlyGraft, .unasked, .flooded, .emptyOffer,
    .incomplete,
  ])
  func `shut out whoever goes on misbehaving, and not at the first time`(observation: Observation) {
    var reputation = Reputation(ReputationParameters(), at: .zero)
    reputation.follow("t", nil)
    reputation.connected(peer(1), at: .zero)
    for number in 0..<100 { reputation.delivered(id(number), by: [peer(1)], on: "t", at: .zero) }
    reputation.observe(observation, of: peer(1), on: "t", at: .zero)
    #expect(reputation.verdict(on: peer(1)) > .ignored)
    for second in 0..<60 {
      reputation.observe(observation, of: peer(1), on: "t", count: 3, at: .seconds(Double(second)))
    }
    #expect(reputation.verdict(on: peer(1)) == .blocked)
  }
}
