/// Which messages are examined before they go on, and by when the others are.

import Testing

@testable import GossipCore

@Suite struct `A lot` {
  let parameters = LotParameters()

  /// A lot after so many good messages.
  func lot(after good: Int) -> Lot {
    var lot = Lot()
    for _ in 0..<good { lot.verified(parameters) }
    return lot
  }

  // BB-13, BT-58
  @Test func `falls by a hundredth with each good message, to its floor, and is 1 again after a bad one`() {
    var lot = Lot()
    var expected = 1.0
    for good in 0..<400 {
      #expect(abs(lot.probability - max(0.05, expected)) < 1e-12, "after \(good)")
      lot.verified(parameters)
      expected *= 0.99
    }
    #expect(lot.probability == 0.05)
    #expect(self.lot(after: 298).probability > 0.05 && self.lot(after: 299).probability == 0.05)
    lot.failed()
    #expect(lot.probability == 1)
  }

  @Test func `may fall in a line`() {
    var parameters = parameters
    (parameters.descent, parameters.decline) = (.linear, 0.25)
    var lot = Lot()
    let falling = (0..<5).map { _ in
      lot.verified(parameters)
      return lot.probability
    }
    #expect(falling == [0.75, 0.5, 0.25, 0.05, 0.05])
  }

  // BT-59
  @Test func `lets nineteen bad messages pass on average at its floor`() {
    let lot = lot(after: 400)
    var dice = Dice(59)
    let trials = 100_000
    var passed = (0..<trials).map { _ in
      var count = 0
      while !lot.examinesNow(hops: 0, isBehind: false, parameters, using: &dice) { count += 1 }
      return count
    }
    let mean = Double(passed.reduce(0, +)) / Double(trials)
    #expect(abs(mean - 19) < 0.5, "\(mean)")
    passed.sort()
    #expect((57...59).contains(passed[trials * 95 / 100]), "\(passed[trials * 95 / 100])")
  }

  // BT-62
  @Test func `is not thrown after three hops that did not examine`() {
    let lot = lot(after: 400)
    var dice = Dice(1)
    for hops in [3, 4, 255, -1] {
      for _ in 0..<200 {
        let isExamined = lot.examinesNow(hops: hops, isBehind: false, parameters, using: &dice)
        #expect(isExamined)
      }
    }
    let examined = (0..<1_000).count { _ in
      lot.examinesNow(hops: 2, isBehind: false, parameters, using: &dice)
    }
    #expect((20...90).contains(examined))
    #expect([0, 1, 2, 255].map { Lot.hops(after: $0, isExamined: false) } == [1, 2, 3, 255])
    #expect(Lot.hops(after: 2, isExamined: true) == 0)
  }

  // BB-12, BT-57
  @Test func `is not thrown while verification is behind`() {
    let lot = lot(after: 400)
    var dice = Dice(1)
    let state = dice.state
    for _ in 0..<100 {
      let isExamined = lot.examinesNow(hops: 0, isBehind: true, parameters, using: &dice)
      #expect(isExamined)
    }
    #expect(dice.state == state)
  }

  // BT-66
  @Test func `falls on different messages at different nodes`() {
    let lot = lot(after: 400)
    let picks = ([[1], [2]] as [[UInt8]]).map { seed in
      var dice = Random(seed: seed)
      return (0..<2_000).filter { _ in lot.examinesNow(hops: 0, isBehind: false, parameters, using: &dice) }
    }
    #expect(picks.allSatisfy { (60...140).contains($0.count) })
    #expect(Set(picks[0]).intersection(picks[1]).count < 25)
  }

  // BT-68
  @Test func `lets whoever behaves until it is low pass seven percent bad messages at most`() {
    var dice = Dice(68)
    var lot = Lot()
    var (good, bad) = (0, 0)
    for _ in 0..<2_000 {
      while lot.probability > parameters.floor {
        lot.verified(parameters)
        good += 1
      }
      while !lot.examinesNow(hops: 0, isBehind: false, parameters, using: &dice) { bad += 1 }
      lot.failed()
    }
    let share = Double(bad) / Double(good + bad)
    #expect(share <= 0.07 && share > 0.05, "\(share)")
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout LotParameters) -> Void) -> String? {
      var changed = LotParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    for value in [-0.1, 1, .nan, .infinity] { #expect(refused { $0.decline = value } == "lot.decline") }
    for value in [0, 1.1, .nan, -.infinity] { #expect(refused { $0.floor = value } == "lot.floor") }
    #expect(refused { $0.floor = 1 } == nil)
    #expect(refused { $0.hopsMax = 0 } == "lot.hopsMax")
    #expect(refused { $0.within = .zero } == "lot.within")
    #expect(refused { $0.waitingMax = 0 } == "lot.waitingMax")
  }
}

@Suite struct `Ultimate verification` {
  // BT-57
  @Test func `looks to the earliest deadline first, and takes each message once`() {
    var ultimate = Ultimate(waitingMax: 100)
    for (number, deadline) in [(1, 3.0), (2, 1), (3, 2), (4, 1)] {
      let isTaken = ultimate.add(id(number), deadline: .seconds(deadline))
      #expect(isTaken)
    }
    let isTwice = ultimate.add(id(1), deadline: .zero)
    #expect(!isTwice)
    var deadlines = [ultimate.deadline()]
    for number in [2, 4, 3] {
      ultimate.settle(id(number), at: .zero)
      deadlines.append(ultimate.deadline())
    }
    #expect(deadlines == [.seconds(1), .seconds(1), .seconds(2), .seconds(3)] && ultimate.count == 1)
    ultimate.settle(id(1), at: .zero)
    #expect(ultimate.deadline() == nil && ultimate.count == 0 && ultimate.missed == 0)
  }

  // BT-57
  @Test func `is behind from a missed deadline on, until nothing is overdue`() {
    var ultimate = Ultimate(waitingMax: 100)
    for number in 1...3 { _ = ultimate.add(id(number), deadline: .seconds(Double(number))) }
    #expect(ultimate.isBehind(at: .seconds(0.999)) == false)
    #expect(ultimate.isBehind(at: .seconds(1)) == true)
    ultimate.settle(id(1), at: .seconds(1.5))
    #expect(ultimate.isBehind(at: .seconds(1.5)) == false && ultimate.missed == 1)
    ultimate.settle(id(2), at: .seconds(1.6))
    #expect(ultimate.missed == 1)
    #expect(ultimate.isBehind(at: .seconds(5)) == true)
    ultimate.settle(id(3), at: .seconds(5))
    #expect(ultimate.isBehind(at: .seconds(9)) == false && ultimate.deadline() == nil && ultimate.missed == 2)
  }

  // BT-57
  @Test func `has room for so many, and the others are examined at once`() {
    var ultimate = Ultimate(waitingMax: 3)
    let taken = (0..<5).map { ultimate.add(id($0), deadline: .seconds(1)) }
    #expect(taken == [true, true, true, false, false])
    for round in 0..<1_000 {
      ultimate.settle(id(round), at: .zero)
      _ = ultimate.add(id(round + 3), deadline: .seconds(Double(round)))
    }
    #expect(ultimate.count == 3)
    let settled = (0..<2_000).filter { ultimate.settle(id($0), at: .zero) }
    #expect(settled == [1_000, 1_001, 1_002])
  }
}
