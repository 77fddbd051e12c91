import GossipCore
import Testing

@Suite struct `A topic with a budget for each author` {
  /// Two messages a second and four at once, of a megabyte, also from newcomers.
  static let budget = {
    var budget = AuthorBudget(
      messages: Budget(rate: 2, burst: 4), bytes: Budget(rate: 1 << 20, burst: 1 << 20))
    budget.newcomerEighths = 8
    return budget
  }()
  static let policy = TopicPolicy(authorBudget: budget)

  func lone(_ change: (inout Configuration) -> Void = { _ in }) -> Lone {
    .onMesh(of: 3, policy: Self.policy, change)
  }

  @Test func `takes so much of it, whoever brings it, and does not even check the rest`() {
    let lone = lone()
    var told = Told()
    for number in 1...7 {
      told += lone.hear(.by(peer(9), UInt64(number)), from: peer(1 + number % 3))
    }
    #expect(told.delivered.count == 4 && told.toCheck.count == 4 && lone.counters.overBudget == 3)
    #expect(told.paused == [] && told.observed == [] && told.rejected == [])
    #expect(lone.hear(.by(peer(8), 1), from: peer(1)).delivered.count == 1)
  }

  @Test func `takes what was too much when it comes again and there is room`() {
    let lone = lone()
    for number in 1...5 { lone.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    let fifth = WireMessage.by(peer(9), 5)
    lone.advance(.milliseconds(499))
    #expect(lone.hear(fifth, from: peer(1)).delivered == [])
    lone.advance(.milliseconds(1))
    let told = lone.hear(fifth, from: peer(1))
    #expect(told.delivered == [fifth.authorID])
    #expect(Set(told.receivers(of: fifth.authorID)) == [peer(2), peer(3)])
  }

  @Test func `charges nobody for what he did not sign`() {
    let lone = lone()
    for number in 1...30 { lone.hear(.forged(UInt64(number), by: peer(9)), from: peer(1)) }
    let genuine = (31...34).map { WireMessage.by(peer(9), UInt64($0)) }
    #expect(lone.hear(messages: genuine, from: peer(2)).delivered == genuine.map(\.authorID))
  }

  @Test func `keeps room for what is new, however often the old is told again`() {
    let lone = lone()
    let old = (1...8).map { WireMessage.by(peer(9), UInt64($0)) }
    for message in old {
      #expect(lone.hear(message, from: peer(1)).delivered.count == 1)
      lone.advance(.seconds(1))
    }
    lone.jump(.seconds(300))
    #expect(lone.hear(messages: old, from: peer(2)).delivered.count == 4)
    let new = (9...12).map { WireMessage.by(peer(9), UInt64($0)) }
    #expect(lone.hear(messages: new, from: peer(2)).delivered.count == 4)
  }

  @Test func `does not read from an author that brings too much of its own, until there is room`() {
    let lone = lone()
    var told = Told()
    for number in 1...6 { told += lone.hear(.by(peer(1), UInt64(number)), from: peer(1)) }
    #expect(told.delivered.count == 4 && told.paused == [peer(1)])
    #expect(told.observed == [] && told.rejected == [])
    #expect(told.notices.contains(.spent(author: peer(1), t, for: .milliseconds(500))))
    #expect(lone.advance(.milliseconds(499)).resumed == [])
    #expect(lone.advance(.milliseconds(1)).resumed == [peer(1)])
  }

  @Test
  func `checks no more of it at a time, for each peer that brings it, than there is room for`() {
    let lone = lone()
    lone.checksAtOnce = false
    let told = lone.hear(messages: (1...6).map { .by(peer(9), $0) }, from: peer(1))
    #expect(told.toCheck.count == 4 && lone.sizes.budgeted == 4 && lone.counters.overBudget == 2)
    #expect(told.paused == [])
    #expect(lone.hear(.by(peer(9), 7), from: peer(2)).toCheck.count == 1)
    for check in told.toCheck { lone.tell(.checked(check.ticket, authentic: false)) }
    #expect(lone.sizes.budgeted == 1)
    #expect(lone.hear(.by(peer(9), 8), from: peer(3)).toCheck.count == 1)
  }

  @Test func `turns back what was checked while the budget was used up, as if it had never come`() {
    let lone = lone()
    lone.checksAtOnce = false
    let own = lone.hear(messages: (1...4).map { .by(peer(1), $0) }, from: peer(1))
    let others = lone.hear(messages: (5...6).map { .by(peer(1), $0) }, from: peer(2))
    var told = Told()
    for check in others.toCheck + own.toCheck {
      told += lone.tell(.checked(check.ticket, authentic: true))
    }
    #expect(told.delivered == [5, 6, 1, 2].map { WireMessage.by(peer(1), $0).authorID })
    #expect(lone.counters.overBudget == 2 && lone.sizes.checks == 0 && lone.sizes.budgeted == 0)
    #expect(told.paused == [peer(1)] && told.observed == [])
    lone.checksAtOnce = true
    lone.advance(.seconds(1))
    for number in [3, 4] as [UInt64] {
      let message = WireMessage.by(peer(1), number)
      #expect(lone.hear(message, from: peer(2)).delivered == [message.authorID])
    }
  }

  @Test func `breaks nobody's promise by having no room`() {
    let lone = lone()
    for number in 1...4 { lone.hear(.by(peer(9), UInt64(number)), from: peer(1)) }
    let message = WireMessage.by(peer(9), 5)
    #expect(lone.hear(.have(t, [message.authorID]), from: peer(2)).wanted == [message.authorID])
    #expect(lone.hear(message, from: peer(2)).delivered == [])
    #expect(lone.advance(.seconds(20)).observed == [])
  }

  @Test func `publishes less than others take, and says when there is room`() {
    let lone = lone()
    var failures: [PublishFailure] = []
    for number in 1...3 {
      if case .failure(let failure)? = lone.publish(bytes(number)).published.first?.result {
        failures.append(failure)
      }
    }
    #expect(failures == [.overBudget(Self.budget, retryAfter: .milliseconds(500))])
    #expect(failures.first?.description.contains("publish again in 0.5 seconds") == true)
    lone.advance(.milliseconds(500))
    #expect(lone.publish("at last").publication?.sentTo == 3)
  }

  @Test func `charges an object with all its bytes`() {
    let lone = Lone()
    var budget = Self.budget
    (budget.messages, budget.bytes) = (Budget(rate: 100, burst: 100), Budget(rate: 10_000, burst: 20_000))
    var policy = TopicPolicy(authorBudget: budget)
    policy.objects = ObjectPolicy(threshold: 1_000, pieceSize: 1_024, sizeMax: 100_000)
    lone.join(t, policy: policy)
    #expect(lone.publish(bytes(50_000)).publication != nil)
    guard case .failure(.overBudget(_, let wait))? = lone.publish("small").published.first?.result
    else {
      Issue.record("not charged")
      return
    }
    #expect(wait > .seconds(4) && wait < .seconds(5))
  }

  @Test func `knows a bounded number of authors`() {
    let lone = lone { $0.limits.authorsMax = 3 }
    for author in 20..<60 { lone.hear(.by(peer(author), 1), from: peer(1)) }
    #expect(lone.sizes.authors == 3 && lone.counters.evicted >= 37)
  }
}
