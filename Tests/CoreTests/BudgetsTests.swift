/// How much of each kind one peer may send.

import Testing

@testable import GossipCore

@Suite struct `A peer's budgets` {
  /// Ten messages a second, twenty at once; a thousand bytes a second, five thousand at once.
  var parameters: BudgetParameters {
    var parameters = BudgetParameters()
    parameters.messages = .init(
      things: Budget(rate: 10, burst: 20), bytes: Budget(rate: 1_000, burst: 5_000))
    return parameters
  }

  @Test func `allow a burst, then the rate`() {
    var budgets = Budgets()
    let burst = (0..<25).map { _ in budgets.admits(1, 10, of: .messages, at: .seconds(5), parameters) }
    #expect(burst == (0..<25).map { $0 < 20 })
    let second = (0..<15).map { _ in budgets.admits(1, 10, of: .messages, at: .seconds(6), parameters) }
    #expect(second == (0..<15).map { $0 < 10 })
    let rested = (0..<25).map { _ in budgets.admits(1, 10, of: .messages, at: .seconds(100), parameters) }
    #expect(rested == burst)
  }

  @Test func `count bytes too`() {
    var budgets = Budgets()
    let large = (0..<3).map { _ in budgets.admits(1, 2_500, of: .messages, at: .zero, parameters) }
    #expect(large == [true, true, false])
    let small = budgets.admits(1, 1, of: .messages, at: .zero, parameters)
    let later = budgets.admits(1, 1_000, of: .messages, at: .seconds(1), parameters)
    #expect(!small && later)
  }

  @Test func `of one class leave the others alone`() {
    var budgets = Budgets()
    for _ in 0..<100 { _ = budgets.admits(1, 100, of: .messages, at: .zero, parameters) }
    for kind in BudgetClass.allCases {
      let isAdmitted = budgets.admits(1, 100, of: kind, at: .zero, parameters)
      #expect(isAdmitted == (kind != .messages))
    }
  }

  @Test func `tell how long to wait for what is here already`() {
    var budgets = Budgets()
    let within = budgets.charge(20, 0, of: .messages, at: .zero, parameters)
    let beyond = budgets.charge(5, 0, of: .messages, at: .zero, parameters)
    #expect(within == .zero && beyond == .milliseconds(500) && budgets.exceeded == 1)
    let then = budgets.charge(1, 0, of: .messages, at: .seconds(0.6), parameters)
    #expect(then == .zero)
    let huge = budgets.charge(.max, .max, of: .messages, at: .seconds(1), parameters)
    #expect(huge > .seconds(3_600))
    let soon = budgets.charge(0, 0, of: .messages, at: .seconds(6), parameters)
    #expect(soon == .zero, "no debt larger than a burst")
  }

  @Test func `are what no honest node at full load meets`() {
    var budgets = Budgets()
    let parameters = BudgetParameters()
    var now = Instant.zero
    // All a node can handle, 40,000 messages a second of 1 KiB, and what is said beside them, from one peer alone.
    for _ in 0..<40_000 {
      now = now + .microseconds(25)
      let isWithin =
        budgets.admits(1, 1_100, of: .messages, at: now, parameters)
        && budgets.admits(4, 160, of: .offers, at: now, parameters)
        && budgets.admits(4, 160, of: .wants, at: now, parameters)
        && budgets.admits(4, 160, of: .words, at: now, parameters)
        && budgets.admits(4, 160, of: .answers, at: now, parameters)
      guard isWithin else {
        Issue.record("exceeded at \(now)")
        return
      }
    }
    // The largest frames others send, one after the other.
    for _ in 0..<10 {
      let isWithin = budgets.admits(20_000, 1 << 20, of: .offers, at: now, parameters)
      #expect(isWithin)
    }
    #expect(budgets.exceeded == 0)
  }

  @Test func `refuse parameters that cannot work`() {
    func refused(_ change: (inout BudgetParameters) -> Void) -> String? {
      var changed = BudgetParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.offers.things.rate = 0 } == "budgets.offers.things.rate")
    #expect(refused { $0.words.bytes.burst = 0 } == "budgets.words.bytes.burst")
    #expect(refused { $0.wants.bytes = Budget(rate: 1, burst: 1 << 40) } == "budgets.wants.bytes.burst")
    #expect(refused { $0.answers.things = Budget(rate: 1, burst: 1) } == nil)
  }
}

extension Budgets {
  /// Takes so much, if all of it is within the budget.
  /// - Returns: whether it is.
  fileprivate mutating func admits(
    _ count: Int, _ size: Int, of kind: BudgetClass, at now: Instant, _ parameters: BudgetParameters
  ) -> Bool {
    var charged = self
    guard charged.charge(count, size, of: kind, at: now, parameters) == .zero else { return false }
    self = charged
    return true
  }
}
