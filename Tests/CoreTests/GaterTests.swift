/// What still gets in while validation cannot keep up.

import Testing

@testable import GossipCore

@Suite struct `A gater` {
  let good: [UInt8] = [10, 0, 0, 1]
  let bad: [UInt8] = [10, 0, 0, 2]

  /// Half of what is validated is refused, at instant zero.
  func overloaded(_ change: (inout GaterParameters) -> Void = { _ in }) -> Gater {
    var parameters = GaterParameters()
    change(&parameters)
    var gater = Gater(parameters)
    for ip in [good, bad] { gater.connected(ip, at: .zero) }
    for number in 0..<100 {
      gater.validates(at: .zero)
      if number % 2 == 0 { gater.throttles(at: .zero) }
    }
    return gater
  }

  // GS-139
  @Test func `takes everything while nothing was refused lately`() {
    var gater = Gater(GaterParameters())
    gater.connected(bad, at: .zero)
    for _ in 0..<100 { gater.rejected(from: bad, at: .zero) }
    #expect(gater.chance(of: bad, at: .zero) == 1)
    for _ in 0..<100 { gater.validates(at: .zero) }
    #expect(gater.chance(of: bad, at: .zero) == 1)
    for _ in 0..<32 { gater.throttles(at: .zero) }
    #expect(gater.chance(of: bad, at: .zero) == 1, "fewer than a third")
    gater.throttles(at: .zero)
    #expect(gater.chance(of: bad, at: .zero) < 1)
    #expect(gater.chance(of: bad, at: .seconds(61)) == 1, "quiet for a minute")
    gater.throttles(at: .seconds(61))
    #expect(gater.chance(of: bad, at: .seconds(61)) < 1)
  }

  // GS-139
  @Test func `weighs a source by what came of its messages`() {
    var gater = overloaded()
    #expect(gater.chance(of: good, at: .zero) == 1, "nothing is known of it")
    for _ in 0..<9 { gater.delivered(from: good, at: .zero) }
    #expect(gater.chance(of: good, at: .zero) == 1)
    for _ in 0..<8 { gater.duplicated(from: good, at: .zero) }
    #expect(gater.chance(of: good, at: .zero) == 10.0 / 11)
    gater.ignored(from: good, at: .zero)
    #expect(gater.chance(of: good, at: .zero) == 10.0 / 12)
    gater.rejected(from: good, at: .zero)
    #expect(gater.chance(of: good, at: .zero) == 10.0 / 28)
    gater.delivered(from: good, weight: 2, at: .zero)
    #expect(gater.chance(of: good, at: .zero) == 12.0 / 30)
    #expect(gater.chance(of: [1, 2], at: .zero) == 1, "no such source")
  }

  // GS-139
  @Test func `lets a bad source pass as often as its chance says`() {
    var gater = overloaded()
    gater.delivered(from: bad, at: .zero)
    for _ in 0..<3 { gater.ignored(from: bad, at: .zero) }
    var dice = Dice(1)
    let trials = 20_000
    let taken = (0..<trials).count { _ in gater.admission(of: bad, at: .zero, using: &dice) == .all }
    #expect(abs(Double(taken) / Double(trials) - 2.0 / 5) < 0.02)
    #expect(gater.gated == UInt64(trials - taken))
    let before = dice.state
    #expect(gater.admission(of: good, at: .zero, using: &dice) == .all)
    #expect(dice.state == before, "no dice where they decide nothing")
  }

  // GS-139
  @Test func `shares a source among the peers of its address`() {
    var gater = overloaded()
    gater.connected(bad, at: .zero)
    gater.rejected(from: bad, at: .zero)
    gater.disconnected(bad, at: .zero)
    #expect(gater.chance(of: bad, at: .zero) == 1.0 / 17)
    gater.disconnected(bad, at: .zero)
    gater.connected(bad, at: .seconds(1))
    #expect(gater.chance(of: bad, at: .seconds(1)) < 0.1, "and remembers it")
  }

  // GS-139
  @Test func `fades`() {
    let parameters = GaterParameters()
    let hundredth = (0..<120).reduce(1.0) { rest, _ in rest * parameters.globalDecay }
    let hundredthToo = (0..<3_600).reduce(1.0) { rest, _ in rest * parameters.sourceDecay }
    #expect(abs(hundredth - 0.01) < 1e-9 && abs(hundredthToo - 0.01) < 1e-9)
    var gater = overloaded { $0.quiet = .seconds(100_000) }
    for _ in 0..<10 { gater.rejected(from: bad, at: .zero) }
    #expect(gater.chance(of: bad, at: .zero) == 1.0 / 161)
    let later = gater.chance(of: bad, at: .seconds(59))
    #expect(later > 1.0 / 161 && later < 1.0 / 140)
    #expect(gater.chance(of: bad, at: .seconds(400)) == 1, "nothing is left of the refusals")
    gater.throttles(at: .seconds(7_300))
    #expect(gater.chance(of: bad, at: .seconds(7_300)) == 1, "nor of what the source did")
  }

  // GS-139
  @Test func `forgets a source six hours after its last peer`() {
    var gater = Gater(GaterParameters())
    gater.connected(good, at: .zero)
    gater.disconnected(good, at: .zero)
    gater.connected(bad, at: .seconds(21_599))
    #expect(gater.count == 2)
    gater.connected([1], at: .seconds(21_600))
    #expect(gater.count == 2)
  }

  @Test func `has room for so many sources`() {
    var parameters = GaterParameters()
    parameters.sourcesMax = 3
    var gater = Gater(parameters)
    for number in 0..<3 as Range<UInt8> { gater.connected([number], at: .zero) }
    gater.connected([3], at: .seconds(1))
    #expect(gater.count == 3 && gater.unknown == 1)
    gater.disconnected([2], at: .seconds(2))
    gater.disconnected([0], at: .seconds(3))
    gater.connected([4], at: .seconds(4))
    gater.connected([2], at: .seconds(5))
    #expect(gater.count == 3 && gater.unknown == 1, "the one gone longest gives way")
    gater.disconnected([99], at: .seconds(6))
    gater.rejected(from: [99], at: .seconds(6))
    #expect(gater.count == 3)
  }

  static let rules: [(String, @Sendable (inout GaterParameters) -> Void)] = [
    ("", { _ in }), ("", { $0.threshold = 0.001 }), ("threshold", { $0.threshold = 0 }),
    ("threshold", { $0.threshold = .nan }), ("threshold", { $0.threshold = .infinity }),
    ("threshold", { $0.threshold = -.infinity }),
    ("", { $0.globalDecay = 0.001 }), ("globalDecay", { $0.globalDecay = 0 }),
    ("globalDecay", { $0.globalDecay = 1 }), ("globalDecay", { $0.globalDecay = .nan }),
    ("", { $0.sourceDecay = 0.999_999 }), ("sourceDecay", { $0.sourceDecay = 1 }),
    ("sourceDecay", { $0.sourceDecay = -0.1 }), ("sourceDecay", { $0.sourceDecay = .infinity }),
    ("", { $0.decayInterval = .seconds(1) }), ("decayInterval", { $0.decayInterval = .milliseconds(999) }),
    ("", { $0.quiet = .seconds(1) }), ("quiet", { $0.quiet = .milliseconds(999) }),
    ("", { $0.decayToZero = 0 }), ("decayToZero", { $0.decayToZero = 1 }),
    ("decayToZero", { $0.decayToZero = .nan }),
    ("retained", { $0.retained = .zero }),
    ("", { $0.duplicateWeight = 0.001 }), ("duplicateWeight", { $0.duplicateWeight = 0 }),
    ("duplicateWeight", { $0.duplicateWeight = .nan }),
    ("duplicateWeight", { $0.duplicateWeight = .infinity }),
    ("", { $0.ignoreWeight = 1 }), ("ignoreWeight", { $0.ignoreWeight = 0.999 }),
    ("ignoreWeight", { $0.ignoreWeight = .nan }),
    ("", { $0.rejectWeight = 1 }), ("rejectWeight", { $0.rejectWeight = 0.999 }),
    ("rejectWeight", { $0.rejectWeight = .infinity }), ("rejectWeight", { $0.rejectWeight = -.infinity }),
    ("sourcesMax", { $0.sourcesMax = 0 }),
  ]

  // GS-137
  @Test func `refuses parameters that cannot work`() {
    for (place, (setting, change)) in Self.rules.enumerated() {
      var changed = GaterParameters()
      change(&changed)
      #expect(
        settingRefused(changed.validate) == (setting.isEmpty ? nil : "gater.\(setting)"), "rule \(place)")
    }
  }
}
