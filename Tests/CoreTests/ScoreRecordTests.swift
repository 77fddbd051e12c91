/// What is known of peers' conduct, over a restart.

import Testing

@testable import GossipCore

@Suite struct `A score that is kept` {
  /// A node that saw peer 1 behave well, and peer 2 badly; peer 3 left, peer 4 did nothing.
  func life() -> Reputation {
    var reputation = Reputation(ReputationParameters(), at: .zero)
    reputation.follow("t", nil)
    for number in 1...4 { reputation.connected(peer(number), at: .zero) }
    for number in 0..<50 {
      reputation.delivered(id(number), by: [peer(1), peer(3)], on: "t", at: .zero)
      reputation.transferred(100, took: .zero, by: peer(1), at: .zero)
    }
    reputation.observe(.invalidMessage, of: peer(2), on: "t", at: .zero)
    for _ in 0..<3 { reputation.observe(.disrupted, of: peer(2), at: .seconds(60)) }
    reputation.applicationScore(peer(2), -7)
    reputation.disconnected(peer(3), at: .seconds(100))
    return reputation
  }

  func factors(_ number: Int, _ reputation: Reputation, at now: Instant) -> [Double] {
    reputation.explain(peer(number), at: now).factors.map(\.value)
  }

  // BT-39
  @Test func `is that of whoever is known, as if all left`() throws {
    let kept = life().kept(at: .seconds(200), wallClock: 5_000)
    #expect(kept.map(\.peer) == [peer(1), peer(2), peer(3)])
    #expect(kept.map(\.left) == [nil, nil, 4_900] && kept.allSatisfy { $0.seen == 5_000 })
    #expect(kept[0].behaviour == 0 && kept[0].topics.isEmpty, "what it earned ends with its time")
    #expect(kept[1].topics.map(\.topic) == ["t"] && kept[1].application == -7)
    #expect((0.4...0.5).contains(kept[1].topics[0].invalid), "it decayed for a hundred seconds")
    #expect(kept[1].disruptions == [4_860, 4_860, 4_860])
  }

  // BT-39
  @Test func `is the same after a restart, and drifts back to the middle meanwhile`() throws {
    let before = life()
    let kept = before.kept(at: .seconds(200), wallClock: 5_000)
    var after = Reputation(ReputationParameters(), at: .seconds(9))
    after.restore(kept, at: .seconds(9), wallClock: 5_000 + 1_800)
    #expect(after.remembered == 3 && after.count == 3)
    for number in 1...3 { after.connected(peer(number), at: .seconds(9)) }
    // Half an hour of the node's absence counts like half an hour of its life.
    for number in 1...3 {
      let expected = factors(number, before, at: .seconds(2_000))
      let found = factors(number, after, at: .seconds(9))
      #expect(zip(expected, found).allSatisfy { abs($0 - $1) < 1e-9 }, "\(number): \(expected) \(found)")
    }
    #expect(
      after.partnerScore(of: peer(1), at: .seconds(9)) > after.partnerScore(of: peer(4), at: .seconds(9)))
    // On its topic it is judged when we join this.
    #expect(after.score(of: peer(2)) == -7)
    after.follow("t", nil)
    let invalid = try #require(kept[1].topics.first).invalid
    #expect(isClose(after.score(of: peer(2)), -7 - 10 * invalid * invalid))
    #expect(after.score(of: peer(2)) < -8 && after.verdict(on: peer(2)) == .gossipOnly)
  }

  // BT-37, BT-39
  @Test func `remembers who broke off within ten minutes`() {
    let kept = life().kept(at: .seconds(200), wallClock: 5_000)
    var soon = Reputation(ReputationParameters(), at: .zero)
    soon.restore(kept, at: .zero, wallClock: 5_000 + 400)
    #expect(soon.isUnreliable(peer(2), at: .zero) && !soon.isUnreliable(peer(2), at: .seconds(61)))
    var late = Reputation(ReputationParameters(), at: .zero)
    late.restore(kept, at: .zero, wallClock: 5_000 + 500)
    #expect(!late.isUnreliable(peer(2), at: .zero))
  }

  @Test func `is forgotten after an hour, and not told of whom nothing is known`() {
    let kept = life().kept(at: .seconds(200), wallClock: 5_000)
    var after = Reputation(ReputationParameters(), at: .zero)
    after.restore(kept, at: .zero, wallClock: 4_900 + 3_600)
    #expect(after.knows(peer(1)) && !after.knows(peer(3)), "it left an hour ago")
    after.restore([ScoreRecord(peer(9), seen: 8_500)], at: .zero, wallClock: 8_500)
    #expect(!after.knows(peer(9)))
    after.sweep(at: .seconds(101))
    #expect(after.count == 0)
  }

  @Test func `gives way to what is known already, and to a bound`() {
    var parameters = ReputationParameters()
    parameters.rememberedMax = 10
    var after = Reputation(parameters, at: .zero)
    after.connected(peer(2), at: .zero)
    let kept = life().kept(at: .seconds(200), wallClock: 5_000)
    after.restore(kept, at: .zero, wallClock: 5_000)
    #expect(factors(2, after, at: .zero) == [0.5, 0.5, 0.5, 0.5])
    after.restore(
      (20..<200).map {
        var record = ScoreRecord(peer($0), seen: 5_000 - Int64($0))
        record.speed = 0.9
        return record
      }, at: .zero, wallClock: 5_000)
    #expect(after.remembered == 10 && after.evicted > 0)
    #expect(after.knows(peer(20)) && !after.knows(peer(199)), "who left first is forgotten first")
  }

  @Test func `counts for nothing where it is no number, or the clock was set back`() {
    var record = ScoreRecord(peer(1), seen: .max)
    (record.interest, record.speed, record.completed) = (.nan, 7, -1)
    (record.good, record.bad, record.behaviour) = (.infinity, 1e300, -3)
    record.left = .min
    record.disruptions = [.min, .max]
    record.topics = [.init("t", failures: .nan, invalid: -1)]
    record.reports = .nan
    var after = Reputation(ReputationParameters(), at: .zero)
    after.follow("t", nil)
    after.restore([record], at: .zero, wallClock: 0)
    #expect(after.count == 0, "it left before the world began")
    record.left = nil
    after.restore([record], at: .zero, wallClock: -5)
    after.connected(peer(1), at: .zero)
    let factors = factors(1, after, at: .zero)
    #expect(factors[0] == 0.5 && factors[1] == 1 && factors[2] == 0.5 && factors[3] < 1e-9)
    #expect(after.score(of: peer(1)) == 0)
  }
}
