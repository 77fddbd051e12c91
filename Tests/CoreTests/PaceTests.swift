/// How fast a peer is, and what follows; and whether it is rather we who are slow.

import Testing

@testable import GossipCore

@Suite struct `A pace` {
  let parameters = PaceParameters()

  // BB-5, BT-32
  @Test func `smooths round trips and expects answers by them`() {
    var pace = Pace(parameters)
    #expect(pace.timeout(0, parameters) == .seconds(1))
    pace.answered(after: .milliseconds(400), at: .zero, parameters)
    #expect(pace.roundTrip == .milliseconds(400) && pace.variation == .milliseconds(200))
    #expect(pace.timeout(0, parameters) == .milliseconds(1_200))
    pace.answered(after: .milliseconds(480), at: .seconds(1), parameters)
    #expect(pace.roundTrip == .milliseconds(410) && pace.variation == .milliseconds(170))
    #expect(pace.timeout(0, parameters) == .milliseconds(1_090))
    // Without a bandwidth the least allowance is assumed.
    #expect(pace.timeout(16 << 10, parameters) == .milliseconds(2_090))
    #expect(pace.timeout(8 << 10, parameters) == .milliseconds(1_590))
    pace.moved(1 << 20, in: .seconds(1))
    #expect(pace.timeout(1 << 19, parameters) == .milliseconds(1_590))
    #expect(pace.timeout(1 << 30, parameters) == .seconds(30))
    #expect(pace.timeout(.max, parameters) == .seconds(30))
    #expect(pace.timeout(-1, parameters) == .milliseconds(1_090))
  }

  // BT-32
  @Test func `measures the bandwidth of what comes`() {
    var pace = Pace(parameters)
    pace.moved(1_000, in: .milliseconds(100))
    #expect(pace.bandwidth == 10_000)
    pace.moved(18_000, in: .seconds(1))
    #expect(pace.bandwidth == 11_000)
    pace.moved(.max, in: .zero)
    pace.moved(-5, in: .seconds(-5))
    #expect(pace.bandwidth > 0)
  }

  // BT-33
  @Test func `grants more for each busy and clean second`() {
    var pace = Pace(parameters)
    for tenth in 0...600 { pace.used(pace.allowance / 10 + 1, at: .seconds(Double(tenth) / 10), parameters) }
    #expect(pace.allowance == (1 << 20) + 60 * (64 << 10))
    pace.timedOut(at: .seconds(60), parameters)
    #expect(pace.allowance == ((1 << 20) + 60 * (64 << 10)) / 2)
  }

  // BT-33
  @Test func `grants nothing for idle seconds, nor for those with a time-out`() {
    var pace = Pace(parameters)
    for second in 0..<100 { pace.used(pace.allowance / 2, at: .seconds(Double(second)), parameters) }
    #expect(pace.allowance == 1 << 20)
    pace.used(pace.allowance, at: .seconds(200), parameters)
    pace.timedOut(at: .seconds(200.5), parameters)
    pace.used(1, at: .seconds(201.5), parameters)
    #expect(pace.allowance == 1 << 19)
  }

  // BT-33
  @Test func `halves once per round trip, and never below the floor nor above the top`() {
    var pace = Pace(parameters)
    pace.answered(after: .milliseconds(100), at: .zero, parameters)
    for _ in 0..<5 { pace.timedOut(at: .seconds(1), parameters) }
    #expect(pace.allowance == 1 << 19 && pace.timeoutsInRow == 5)
    pace.timedOut(at: .seconds(1.1), parameters)
    #expect(pace.allowance == 1 << 18)
    pace.answered(after: .milliseconds(100), at: .seconds(1.1), parameters)
    #expect(pace.timeoutsInRow == 0 && pace.timeouts == 6)
    var fast = Pace(parameters)
    for second in 0..<2_000 { fast.used(.max, at: .seconds(Double(second)), parameters) }
    #expect(fast.allowance == 64 << 20)
  }

  // BT-33
  @Test func `halves when round trips double`() {
    var pace = Pace(parameters)
    for second in 0..<10 { pace.answered(after: .milliseconds(20), at: .seconds(Double(second)), parameters) }
    pace.answered(after: .milliseconds(40), at: .seconds(10), parameters)
    #expect(pace.allowance == 1 << 20)
    pace.answered(after: .milliseconds(41), at: .seconds(11), parameters)
    #expect(pace.allowance == 1 << 19)
    // A route that became longer is the measure after two periods.
    var now = 12.0
    for _ in 0..<1_000 {
      now += 1
      pace.answered(after: .milliseconds(60), at: .seconds(now), parameters)
    }
    let before = pace.allowance
    for _ in 0..<10 {
      now += 1
      pace.used(.max, at: .seconds(now), parameters)
      pace.answered(after: .milliseconds(60), at: .seconds(now), parameters)
    }
    #expect(pace.allowance >= before + 9 * (64 << 10))
  }

  // BT-33
  @Test func `does not take for a queue that large answers take longer, nor short delays`() {
    var pace = Pace(parameters)
    for second in 0..<10 {
      let now = Instant.seconds(Double(second))
      pace.answered(after: .milliseconds(50), bytes: 100, at: now, parameters)
      pace.answered(after: .milliseconds(400), bytes: 1 << 20, at: now, parameters)
      pace.answered(after: .milliseconds(150), bytes: 64 << 10, at: now, parameters)
    }
    #expect(pace.allowance == 1 << 20)
    pace.answered(after: .milliseconds(301), bytes: 64 << 10, at: .seconds(20), parameters)
    #expect(pace.allowance == 1 << 19)
    var near = Pace(parameters)
    for tenth in 1...100 {
      near.answered(
        after: .milliseconds(tenth.isMultiple(of: 2) ? 1 : 39), at: .seconds(Double(tenth) / 10), parameters)
    }
    #expect(near.allowance == 1 << 20)
  }

  // BB-6, BT-31
  @Test func `never takes everything from a peer, however often it times out`() {
    var pace = Pace(parameters)
    for second in 0..<1_000 { pace.timedOut(at: .seconds(Double(second)), parameters) }
    #expect(pace.allowance == 16 << 10 && pace.timeoutsInRow == 1_000)
    #expect(pace.timeout(0, parameters) == .seconds(1))
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout PaceParameters) -> Void) -> String? {
      var changed = PaceParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.timeoutMin = .zero } == "pace.timeoutMin")
    #expect(refused { $0.timeoutMax = .milliseconds(999) } == "pace.timeoutMax")
    #expect(refused { $0.allowanceMin = 0 } == "pace.allowanceMin")
    #expect(refused { $0.allowanceStart = 1 << 13 } == "pace.allowanceStart")
    #expect(refused { $0.allowanceMax = 1 << 19 } == "pace.allowanceStart")
    #expect(refused { $0.shortestFor = .zero } == "pace.shortestFor")
    #expect(refused { $0.queueFrom = .zero } == "pace.queueFrom")
  }
}

@Suite struct `A self-check` {
  // BT-34
  @Test func `finds itself at fault when more than half of the partners time out within ten seconds`() {
    var check = SelfBlame(SelfBlameParameters())
    let few = (0..<5).map { check.timedOut(peer($0), of: 10, at: .seconds(Double($0))) }
    #expect(few == [Bool](repeating: false, count: 5))
    let same = check.timedOut(peer(4), of: 10, at: .seconds(5))
    #expect(!same, "one peer counts once")
    check.note(peer(5), at: .seconds(6))
    let wronged = check.judge(connected: 10, at: .seconds(6))
    #expect(check.isBlaming && Set(wronged) == Set((0...5).map { peer($0) }), "told once, of all of them")
    #expect(check.judge(connected: 10, at: .seconds(9)) == [] && check.isBlaming)
    #expect(check.isAtFault(of: 10, at: .seconds(10)) == false, "the first is ten seconds ago")
    let later = check.timedOut(peer(6), of: 10, at: .seconds(30))
    #expect(!later)
  }

  // BT-34
  @Test func `does not count who is gone, nor doubt itself for a single partner`() {
    var check = SelfBlame(SelfBlameParameters())
    let single = check.timedOut(peer(1), of: 1, at: .zero)
    #expect(!single)
    for number in 0..<6 { _ = check.timedOut(peer(number), of: 10, at: .zero) }
    #expect(check.isAtFault(of: 10, at: .zero) == true)
    check.forget(peer(3))
    #expect(check.isAtFault(of: 10, at: .zero) == false)
  }

  @Test func `remembers so many`() {
    var check = SelfBlame(SelfBlameParameters())
    for number in 0..<1_024 { _ = check.timedOut(peer(number), of: 100_000, at: .zero) }
    #expect(check.isAtFault(of: 2_100, at: .zero) == false && check.isAtFault(of: 1_000, at: .zero) == true)
    for step in 0..<10_000 { _ = check.timedOut(peer(1), of: 10, at: .seconds(Double(step) / 10_000)) }
    #expect(check.suspects == 1_024 && check.isAtFault(of: 3, at: .seconds(1)) == true)
    #expect(check.isAtFault(of: 3, at: .seconds(11)) == false && check.suspects == 0, "not beyond the window")
  }
}

extension SelfBlame {
  /// A partner timed out.
  /// - Returns: whether that is our own fault.
  fileprivate mutating func timedOut(_ peer: PeerID, of partners: Int, at now: Instant) -> Bool {
    note(peer, at: now)
    return isAtFault(of: partners, at: now)
  }

  fileprivate mutating func isAtFault(of partners: Int, at now: Instant) -> Bool {
    _ = judge(connected: partners, at: now)
    return isBlaming
  }
}
