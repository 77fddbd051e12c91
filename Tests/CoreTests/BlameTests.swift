/// Who is to blame for a bad message, and what it costs to have taken it back or not.

import Testing

@testable import GossipCore

@Suite struct `Blame for a bad message` {
  // BB-14, BT-60
  @Test func `is the sender's if it says it examined it, and else open`() {
    #expect(BadMessage(isExamined: true).blame == .barSender(.examinedBad))
    #expect(BadMessage(isFromAuthor: true).blame == .barSender(.examinedBad))
    #expect(BadMessage().blame == .awaitRetraction)
    #expect(BadMessage().blame.resetsSender)
  }

  // BT-64
  @Test func `is the sender's alone if nobody can read it`() {
    for isExamined in [false, true] {
      for isInHandOver in [false, true] {
        let bad = BadMessage(isExamined: isExamined, isDecodable: false, isInHandOver: isInHandOver)
        #expect(bad.blame == .barSender(.undecodable))
      }
    }
  }

  // BT-65
  @Test func `is the author's if its signature holds`() {
    #expect(BadMessage(isProven: true).blame == .barAuthor)
    #expect(!BadMessage(isProven: true).blame.resetsSender)
    #expect(BadMessage(isFromAuthor: true, isProven: true).blame == .barAuthor)
    #expect(BadMessage(isExamined: true, isProven: true).blame == .barBoth)
  }

  // BT-60
  @Test func `is nobody's between two epochs`() {
    for isExamined in [false, true] {
      for isFromAuthor in [false, true] {
        let bad = BadMessage(isExamined: isExamined, isFromAuthor: isFromAuthor, isInHandOver: true)
        #expect(bad.blame == .nobody && !bad.blame.resetsSender)
      }
    }
  }
}

@Suite struct `Taking back a bad message` {
  let victim = peer(1)

  func retractions(_ change: (inout RetractionParameters) -> Void = { _ in }) -> Retractions {
    var parameters = RetractionParameters()
    change(&parameters)
    return Retractions(parameters)
  }

  // BT-61
  @Test func `in time costs an eighth`() {
    var retractions = retractions()
    let open = retractions.foundBad(id(1), from: victim, until: .seconds(1.1), at: .seconds(0.2))
    #expect(open == nil && retractions.deadline == .seconds(1.1))
    #expect(retractions.due(at: .seconds(1)).count == 0)
    let cost = retractions.retracted(id(1), by: victim, at: .seconds(1.05))
    #expect(cost == .eighth)
    #expect(
      retractions.due(at: .seconds(9)).count == 0 && retractions.count == 0 && retractions.deadline == nil)
  }

  // BT-61
  @Test func `again and again in time leaves nothing behind`() {
    var retractions = retractions()
    for number in 0..<10_000 {
      _ = retractions.foundBad(id(number), from: victim, until: .seconds(1), at: .zero)
      _ = retractions.retracted(id(number), by: victim, at: .zero)
    }
    #expect(retractions.count == 0 && retractions.entries <= 65)
  }

  // BT-61
  @Test func `may come before we found it bad`() {
    var retractions = retractions()
    let early = retractions.retracted(id(1), by: victim, at: .zero)
    let other = retractions.foundBad(id(1), from: peer(2), until: .seconds(1), at: .zero)
    let cost = retractions.foundBad(id(1), from: victim, until: .seconds(1), at: .zero)
    #expect(early == nil && other == nil && cost == .eighth)
    let once = retractions.foundBad(id(1), from: victim, until: .seconds(1), at: .zero)
    #expect(once == nil)
  }

  // BT-61
  @Test func `too late, or never, costs all`() {
    var retractions = retractions()
    for number in 1...3 {
      _ = retractions.foundBad(id(number), from: peer(number), until: .seconds(4 - Double(number)), at: .zero)
    }
    #expect(retractions.deadline == .seconds(1))
    let due = retractions.due(at: .seconds(2))
    #expect(due.map(\.peer) == [peer(2), peer(3)] && due.allSatisfy { $0.cost == .full })
    let late = retractions.retracted(id(1), by: peer(1), at: .seconds(3))
    #expect(late == .full)
  }

  // BT-67
  @Test func `sixteen not taken back within ten minutes bar`() {
    var retractions = retractions()
    var costs: [Retractions.Cost] = []
    for number in 0..<16 {
      let now = Double(number) * 30
      _ = retractions.foundBad(id(number), from: victim, until: .seconds(now + 1), at: .seconds(now))
      costs += retractions.due(at: .seconds(now + 2)).map(\.cost)
    }
    #expect(costs == [Retractions.Cost](repeating: .full, count: 15) + [.bar])
  }

  // BT-67
  @Test func `sixteen in a longer time do not`() {
    var retractions = retractions()
    for number in 0..<100 {
      let now = Double(number) * 41
      _ = retractions.foundBad(id(number), from: victim, until: .seconds(now + 1), at: .seconds(now))
      #expect(retractions.due(at: .seconds(now + 2)).map(\.cost) == [.full])
    }
  }

  // BT-67
  @Test func `fifty-eight taken back do not`() {
    var retractions = retractions()
    for number in 0..<58 {
      _ = retractions.foundBad(id(number), from: victim, until: .seconds(2), at: .seconds(1))
    }
    let costs = (0..<58).map { retractions.retracted(id($0), by: victim, at: .seconds(1.5)) }
    #expect(costs.allSatisfy { $0 == .eighth } && retractions.due(at: .seconds(9)).count == 0)
  }

  @Test func `is remembered within bounds, and what is forgotten blames nobody`() {
    var retractions = retractions { ($0.openMax, $0.earlyMax, $0.peersMax) = (3, 2, 2) }
    for number in 0..<5 { _ = retractions.foundBad(id(number), from: victim, until: .seconds(1), at: .zero) }
    #expect(retractions.count == 3 && retractions.unblamed == 2)
    #expect(retractions.due(at: .seconds(1)).map(\.id) == [id(2), id(3), id(4)])
    for number in 0..<5 { _ = retractions.retracted(id(number), by: peer(7), at: .seconds(2)) }
    #expect(retractions.forgotten == 3)
    for number in 0..<5 { _ = retractions.retracted(id(9), by: peer(20 + number), at: .seconds(3)) }
    let cost = retractions.foundBad(id(4), from: peer(7), until: .seconds(9), at: .seconds(4))
    #expect(cost == nil, "too many peers took something back meanwhile")
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout RetractionParameters) -> Void) -> String? {
      var changed = RetractionParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.guiltyMax = 0 } == "retractions.guiltyMax")
    #expect(refused { $0.earlyMax = 0 } == "retractions.earlyMax")
    #expect(refused { $0.window = .zero } == "retractions.window")
  }
}
