/// How much each author may say.

import Testing

@testable import GossipCore

@Suite struct `Budgets of authors` {
  /// Ten messages a second and sixteen at once, a thousand bytes a second and four thousand at once; newcomers have all
  /// of it.
  let budget = {
    var budget = AuthorBudget(
      messages: Budget(rate: 10, burst: 16), bytes: Budget(rate: 1_000, burst: 4_000))
    budget.newcomerEighths = 8
    return budget
  }()

  @Test func `stay closed until a 64th of the burst is there`() {
    var authors = AuthorBudgets(authorsMax: 10)
    var budget = budget
    budget.messages.burst = 128
    let burst = (1...128).map { authors.charge(peer(1), $0, 10, on: "t", budget, at: .zero) }
    #expect(burst.allSatisfy { $0 == nil })
    let first = authors.charge(peer(1), 129, 10, on: "t", budget, at: .zero)
    let second = authors.begin(peer(1), 129, from: peer(99), on: "t", budget, at: .seconds(0.19))
    let open = authors.begin(peer(1), 129, from: peer(99), on: "t", budget, at: .seconds(0.2))
    #expect(first == .init(until: .seconds(0.2), isNew: true))
    #expect(second == .init(until: .seconds(0.2), isNew: false) && open == nil)
  }

  @Test func `begin with half of the burst`() {
    var authors = AuthorBudgets(authorsMax: 10)
    var budget = budget
    budget.newcomerEighths = AuthorBudget(messagesPerSecond: 1).newcomerEighths
    let begun = (1...10).map { authors.begin(peer(1), $0, from: peer(7), on: "t", budget, at: .zero) == nil }
    let first = (1...10).map { authors.charge(peer(1), $0, 1, on: "t", budget, at: .zero) == nil }
    #expect(begun == Array(repeating: true, count: 8) + [false, false] && first == begun)
    let later = (11...30).map { authors.charge(peer(1), $0, 1, on: "t", budget, at: .seconds(60)) == nil }
    #expect(later.count { $0 } == 16)
  }

  @Test func `let nobody have more checks of one author than there is room for`() {
    var authors = AuthorBudgets(authorsMax: 10)
    let first = (1...16).map {
      authors.begin(peer(1), $0, from: peer(7), on: "t", budget, at: .zero)
    }
    #expect(first.allSatisfy { $0 == nil } && authors.underWay == 16)
    let next = authors.begin(peer(1), 17, from: peer(7), on: "t", budget, at: .zero)
    #expect(next == .init(until: .seconds(0.1), isNew: false))
    // Nothing is proven: others, and other authors, have all of it.
    let others = authors.begin(peer(1), 17, from: peer(8), on: "t", budget, at: .zero)
    let otherAuthor = authors.begin(peer(2), 17, from: peer(7), on: "t", budget, at: .zero)
    #expect(others == nil && otherAuthor == nil)
    authors.examined(peer(1), from: peer(7), on: "t")
    let again = authors.begin(peer(1), 17, from: peer(7), on: "t", budget, at: .zero)
    #expect(again == nil)
    for _ in 1...100 { authors.examined(peer(1), from: peer(7), on: "t") }
    #expect(authors.underWay == 2)
  }

  @Test func `of one author and topic leave the others alone`() {
    var authors = AuthorBudgets(authorsMax: 10)
    for number in 1...20 {
      _ = authors.charge(peer(1), UInt64(number), 10, on: "t", budget, at: .zero)
    }
    let spent = authors.begin(peer(1), 21, from: peer(99), on: "t", budget, at: .zero)
    let elsewhere = authors.charge(peer(1), 21, 10, on: "u", budget, at: .zero)
    let other = authors.charge(peer(2), 21, 10, on: "t", budget, at: .zero)
    #expect(spent != nil && elsewhere == nil && other == nil && authors.count == 3)
  }

  @Test func `let one large message into debt, which is paid before the next`() {
    var authors = AuthorBudgets(authorsMax: 10)
    let large = authors.charge(peer(1), 1, 50_000, on: "t", budget, at: .zero)
    let next = authors.charge(peer(1), 2, 1, on: "t", budget, at: .zero)
    // 46,000 bytes of debt, and a 64th of 4,000.
    #expect(large == nil && next == .init(until: .zero + .milliseconds(46_062), isNew: true))
  }

  @Test func `have another share for numbers that were used, are old, or missing`() {
    var authors = AuthorBudgets(authorsMax: 10)
    for number in 1...16 {
      _ = authors.charge(peer(1), 5_000 + UInt64(number), 10, on: "t", budget, at: .zero)
    }
    let fresh = authors.begin(peer(1), 6_000, from: peer(99), on: "t", budget, at: .zero)
    #expect(fresh != nil, "the fresh share is used up")
    for late in [5_001, 1, nil] as [UInt64?] {
      let closing = authors.begin(peer(1), late, from: peer(99), on: "t", budget, at: .zero)
      #expect(closing == nil)
    }
    // Whoever tells again what the author once said uses up the late share only.
    for _ in 1...20 { _ = authors.charge(peer(1), 5_001, 10, on: "t", budget, at: .seconds(100)) }
    let replayed = authors.begin(peer(1), 5_002, from: peer(99), on: "t", budget, at: .seconds(100))
    let news = authors.begin(peer(1), 6_000, from: peer(99), on: "t", budget, at: .seconds(100))
    #expect(replayed != nil && news == nil)
  }

  @Test func `give way when they are full again the soonest`() {
    var authors = AuthorBudgets(authorsMax: 3)
    for (author, count) in [(1, 16), (2, 1), (3, 5)] {
      for number in 1...count {
        _ = authors.charge(peer(author), UInt64(number), 1, on: "t", budget, at: .zero)
      }
    }
    _ = authors.charge(peer(4), 1, 1, on: "t", budget, at: .zero)
    #expect(authors.count == 3 && authors.evicted == 1)
    let hurried = authors.begin(peer(1), 17, from: peer(99), on: "t", budget, at: .zero)
    #expect(hurried != nil, "who owes most is remembered")
    // However many names come and go.
    for name in 10..<200 { _ = authors.charge(peer(name), 1, 1, on: "t", budget, at: .zero) }
    let still = authors.begin(peer(1), 17, from: peer(99), on: "t", budget, at: .zero)
    #expect(still != nil && authors.count == 3)
    // What is full again is forgotten without loss.
    let evicted = authors.evicted
    _ = authors.charge(peer(300), 1, 1, on: "t", budget, at: .seconds(100))
    #expect(authors.evicted == evicted)
  }

  @Test(arguments: 0..<10 as Range<UInt64>)
  func `never let in more than the burst and the rate`(seed: UInt64) {
    var dice = Dice(seed)
    var authors = AuthorBudgets(authorsMax: 10)
    var now = Instant.zero
    var admitted: [(at: Instant, size: Int)] = []
    for number in 1...600 as ClosedRange<UInt64> {
      now = now + .milliseconds(dice.pick([0, 0, 1, 20, 150]))
      let size = dice.number(1...300)
      if authors.charge(peer(1), number, size, on: "t", budget, at: now) == nil {
        admitted.append((now, size))
      }
    }
    for first in admitted.indices {
      var bytes = 0
      for last in first..<admitted.count {
        bytes += admitted[last].size
        let seconds = (admitted[last].at - admitted[first].at).inSeconds + 1e-6
        guard Double(last - first + 1) <= 16 + 10 * seconds,
          Double(bytes) <= 4_300 + 1_000 * seconds
        else {
          Issue.record(
            "seed \(seed): \(last - first + 1) messages, \(bytes) bytes within \(seconds) s")
          return
        }
      }
    }
    #expect(admitted.count > 100)
  }

  @Test func `are a little smaller for what we write ourselves`() {
    let own = AuthorBudget(messagesPerSecond: 640).own
    #expect(own.messages == Budget(rate: 630, burst: 160) && own.bytes.rate < 640 * 4_096)
    let least = AuthorBudget(messages: Budget(rate: 1, burst: 1), bytes: Budget(rate: 1, burst: 1))
      .own
    // Whoever has never heard of us takes all that we say at once, and something besides that came late.
    var strangers = AuthorBudgets(authorsMax: 1)
    let budget = AuthorBudget(messagesPerSecond: 640)
    let taken = (1...UInt64(2 * own.messages.burst)).map {
      strangers.charge(peer(1), $0, 100, on: "t", budget, at: .zero) == nil
    }
    #expect(taken.allSatisfy { $0 })
    #expect(least.messages == Budget(rate: 1, burst: 1) && settingRefused(least.validate) == nil)
  }

  @Test func `refuse what cannot work`() {
    func refused(_ change: (inout AuthorBudget) -> Void) -> String? {
      var changed = AuthorBudget(messagesPerSecond: 100)
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.messages.rate = 0 } == "authorBudget.messages.rate")
    #expect(refused { $0.newcomerEighths = 9 } == "authorBudget.newcomerEighths")
    #expect(refused { $0.newcomerEighths = -1 } == "authorBudget.newcomerEighths")
    #expect(refused { $0.bytes.burst = 0 } == "authorBudget.bytes.burst")
    #expect(refused { $0.bytes = Budget(rate: 1, burst: 1 << 40) } == "authorBudget.bytes.burst")
    #expect(refused { $0 = AuthorBudget(messagesPerSecond: .max) } == "authorBudget.messages.rate")
    #expect(refused { $0 = AuthorBudget(messagesPerSecond: -1) } == "authorBudget.messages.rate")
    for signing in Signing.allCases where signing != .strictSign {
      let policy = TopicPolicy(
        signing: signing, identification: .contentHash,
        authorBudget: AuthorBudget(messagesPerSecond: 1))
      #expect(settingRefused(policy.validate) == "authorBudget")
    }
  }
}
