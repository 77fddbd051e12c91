/// Who gave us the same again unasked, and who did not.

import Testing

@testable import GossipCore

/// A node's exact record and the numbers of its peers.
private struct Record {
  var seen: SeenFilter
  var circulation: Circulation
  var now = Instant.zero

  init(_ change: (inout CirculationParameters) -> Void = { _ in }, window: Duration = .seconds(120)) {
    var parameters = CirculationParameters()
    change(&parameters)
    circulation = Circulation(parameters)
    seen = SeenFilter(
      window: window, slides: false, countMax: 100_000, giversFor: parameters.retention,
      givenMax: parameters.idsMax)
  }

  mutating func connect(_ peer: PeerID) -> Int? { circulation.connected(peer, at: now, &seen) }

  /// A copy comes in.
  /// - Returns: whether that is circulation.
  mutating func give(_ id: MessageID, by peer: PeerID) -> Bool {
    guard let number = circulation.number(of: peer) else { return false }
    let copy = seen.meet(id, from: number, at: now)
    if copy.fate == nil {
      seen.insert(id, .accepted, at: now)
      seen.give(id, from: number)
    }
    return copy.wasGiven && circulation.accuses(id, of: number, at: now)
  }
}

@Suite struct `The record of who gave what` {
  // BT-48, BT-49
  @Test func `accuses the peer that gives the same again, and nobody else`() {
    var record = Record()
    for number in 0..<5 { #expect(record.connect(peer(number)) == number) }
    let first = (0..<5).map { record.give(id(1), by: peer($0)) }
    #expect(first == [Bool](repeating: false, count: 5), "honest duplication")
    let again = record.give(id(1), by: peer(3))
    #expect(again && record.circulation.circulated == 1)
    let other = record.give(id(2), by: peer(3))
    #expect(!other)
  }

  // BT-51
  @Test func `is content with a copy that we asked for again`() {
    var record = Record()
    let number = record.connect(peer(1))!
    record.circulation.requested(id(1), of: number, at: .zero)
    record.circulation.requested(id(1), of: number, at: .zero)
    let copies = (0..<4).map { _ in record.give(id(1), by: peer(1)) }
    #expect(copies == [false, false, false, true], "one more than asked: a push may cross a request")
    #expect(record.circulation.forgiven == 2)
    _ = record.connect(peer(2))
    let others = (0..<2).map { _ in record.give(id(1), by: peer(2)) }
    #expect(others == [false, true], "what one was asked for another was not")
  }

  // BT-54
  @Test func `is not impressed by a new connection`() {
    var record = Record()
    _ = record.connect(peer(1))
    _ = record.give(id(1), by: peer(1))
    record.circulation.disconnected(peer(1), at: record.now)
    record.now = .seconds(60)
    #expect(record.connect(peer(1)) == 0)
    let again = record.give(id(1), by: peer(1))
    #expect(again)
  }

  // BT-48
  @Test func `remembers for ten minutes, longer than the id counts as seen`() {
    var record = Record()
    _ = record.connect(peer(1))
    _ = record.connect(peer(2))
    _ = record.give(id(1), by: peer(1))
    record.now = .seconds(599)
    #expect(!record.seen.contains(id(1), at: record.now))
    let again = record.give(id(1), by: peer(1))
    #expect(again, "the id is new again, and its giver is known")
    record.seen.insert(id(2), .accepted, at: record.now)
    record.now = .seconds(1_300)
    record.seen.sweep(record.now)
    #expect(record.seen.count == 0)
    let later = record.give(id(1), by: peer(1))
    #expect(!later)
  }

  @Test func `remembers no more ids than it may beyond the window`() {
    var record = Record({ $0.idsMax = 10 })
    _ = record.connect(peer(1))
    for number in 0..<50 { _ = record.give(id(number), by: peer(1)) }
    #expect(record.seen.count == 50)
    record.now = .seconds(130)
    record.seen.sweep(record.now)
    #expect(record.seen.count == 10 && record.seen.evicted == 0)
    let (old, recent) = (record.give(id(0), by: peer(1)), record.give(id(49), by: peer(1)))
    #expect(!old && recent)
  }

  // BT-52
  @Test func `accuses nobody of what only a filter knows`() {
    var record = Record()
    _ = record.connect(peer(1))
    var filter = DuplicateFilter(DuplicateFilterParameters(), secret: [1], at: .zero)
    filter.insert(id(1), at: .zero)
    let isKnown = filter.mayContain(id(1), at: .zero)
    let isAccused = record.give(id(1), by: peer(1))
    #expect(isKnown && !isAccused)
  }

  @Test func `forgets who gave a message that may come again`() {
    var record = Record()
    _ = record.connect(peer(1))
    _ = record.give(id(1), by: peer(1))
    record.seen.expire(id(1))
    let again = record.give(id(1), by: peer(1))
    #expect(!again)
  }

  // BT-49
  @Test func `never takes a peer for another that had its number`() {
    var record = Record()
    for number in 0..<SeenFilter.giversMax {
      _ = record.connect(peer(number))
      _ = record.give(id(1), by: peer(number))
    }
    #expect(record.connect(peer(100)) == nil && record.circulation.unnumbered == 1)
    record.circulation.disconnected(peer(7), at: .seconds(2))
    record.circulation.disconnected(peer(5), at: .seconds(1))
    #expect(record.connect(peer(100)) == 5, "of who went longest ago")
    let first = record.give(id(1), by: peer(100))
    #expect(!first)
    #expect(record.connect(peer(101)) == nil, "the record is not walked all the time")
    record.now = .seconds(10)
    #expect(record.connect(peer(101)) == 7)
    #expect(record.connect(peer(7)) == nil)
    let old = record.give(id(1), by: peer(6))
    #expect(old)
  }

  @Test func `accuses nobody while it may have forgotten a request`() {
    var record = Record({ ($0.requestsMax, $0.patienceMax) = (4, .seconds(30)) })
    let number = record.connect(peer(1))!
    for request in 0..<9 { record.circulation.requested(id(request), of: number, at: .seconds(1)) }
    record.now = .seconds(2)
    let copies = (0..<2).map { _ in record.give(id(0), by: peer(1)) }
    #expect(copies == [false, false] && record.circulation.uncertain == 1)
    record.now = .seconds(40)
    let later = record.give(id(0), by: peer(1))
    #expect(later)
  }

  // BT-48, BT-49, BT-51
  @Test(arguments: 0..<8 as Range<UInt64>) func `agrees with a plain list`(seed: UInt64) {
    var dice = Dice(seed)
    var record = Record()
    for number in 0..<20 { _ = record.connect(peer(number)) }
    var given: [Int: Int] = [:]
    var asked: [Int: Int] = [:]
    for step in 0..<5_000 {
      let (name, giver) = (dice.number(0...40), dice.number(0...19))
      let key = name * 100 + giver
      if dice.chance(1, in: 4) {
        record.circulation.requested(id(name), of: giver, at: record.now)
        asked[key, default: 0] += 1
        continue
      }
      let isRepeat = given[key] != nil
      let isForgiven = isRepeat && asked[key, default: 0] > 0
      if isForgiven { asked[key]! -= 1 }
      given[key] = 1
      let accused = record.give(id(name), by: peer(giver))
      guard accused == (isRepeat && !isForgiven) else {
        Issue.record("seed \(seed), step \(step)")
        return
      }
    }
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout CirculationParameters) -> Void) -> String? {
      var changed = CirculationParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.retention = .zero } == "circulation.retention")
    #expect(refused { $0.idsMax = 0 } == "circulation.idsMax")
    #expect(refused { $0.requestsMax = 0 } == "circulation.requestsMax")
    #expect(refused { $0.renumberEvery = .zero } == "circulation.renumberEvery")
  }
}

@Suite struct `Repeated digests` {
  let parameters = DigestRepeatParameters()

  // BT-53
  @Test func `are free three times`() {
    var repeats = DigestRepeats()
    let offers = (0..<6).map { _ in repeats.offered(id(1), parameters) }
    #expect(offers == [false, false, false, false, true, true] && repeats.excessive == 2)
    let other = repeats.offered(id(2), parameters)
    #expect(!other)
  }

  // BT-53
  @Test func `are free again after a reconnect or with a new epoch`() {
    var repeats = DigestRepeats()
    for _ in 0..<4 { _ = repeats.offered(id(1), parameters) }
    repeats.removeAll()
    let offers = (0..<5).map { _ in repeats.offered(id(1), parameters) }
    #expect(offers == [false, false, false, false, true])
  }

  @Test func `are remembered for the newest ids, and by count`() {
    var few = parameters
    few.idsMax = 10
    var repeats = DigestRepeats()
    for round in 0..<300 { for number in 0..<5 { _ = repeats.offered(id(number + round / 100), few) } }
    #expect(repeats.excessive > 1_000)
    for number in 100..<200 { _ = repeats.offered(id(number), few) }
    let isExcessive = repeats.offered(id(1), few)
    #expect(!isExcessive, "forgotten, for 100 others came")
  }

  @Test func `refuse parameters that cannot work`() {
    func refused(_ change: (inout DigestRepeatParameters) -> Void) -> String? {
      var changed = DigestRepeatParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { $0.freeRepeats = 0 } == nil)
    #expect(refused { $0.freeRepeats = -1 } == "digestRepeats.freeRepeats")
    #expect(refused { $0.idsMax = 0 } == "digestRepeats.idsMax")
  }
}
