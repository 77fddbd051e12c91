/// Whom we have nothing to do with, for how long, and what of it outlives a restart.

import Testing

@testable import GossipCore

/// Which setting `validate` refuses, if any.
func settingRefused(_ validate: () throws(ConfigurationError) -> Void) -> String? {
  do throws(ConfigurationError) {
    try validate()
    return nil
  } catch {
    return error.setting
  }
}

@Suite struct `A blacklist` {
  static let day = 86_400.0

  func list(_ change: (inout BlacklistParameters) -> Void = { _ in }) -> Blacklist {
    var parameters = BlacklistParameters()
    change(&parameters)
    return Blacklist(parameters)
  }

  // BT-55, GS-144
  @Test func `bars for a day, then for two, then for four`() {
    var list = list()
    var now = 0.0
    for days in [1, 2, 4, 8] as [Double] {
      let isNew = list.add(peer(1), .circulation, evidence: [7], at: .seconds(now))
      #expect(isNew && list.bars(peer(1), at: .seconds(now)))
      #expect(list.bars(peer(1), at: .seconds(now + days * Self.day - 1)))
      #expect(!list.bars(peer(1), at: .seconds(now + days * Self.day)))
      #expect(!list.bars(peer(2), at: .seconds(now)))
      now += days * Self.day + 100
    }
    #expect(list.entry(of: peer(1), at: .seconds(now)) == nil)
    #expect(list.sweep(.seconds(now)) == [peer(1)])
    #expect(list.sweep(.seconds(now)) == [], "each end is told once")
  }

  // BB-10, BT-48
  @Test func `says why, since when, and on what evidence`() throws {
    var list = list()
    list.add(peer(1), .circulation, evidence: [1, 2, 3], at: .seconds(5))
    let entry = try #require(list.entry(of: peer(1), at: .seconds(6)))
    #expect(entry.reason == .circulation && entry.evidence == [1, 2, 3] && entry.times == 1)
    #expect(entry.since == .seconds(5) && entry.until == .seconds(5 + Self.day))
    #expect(list.deadline == .seconds(5 + Self.day))
    #expect(list.barred(at: .seconds(6)).map(\.peer) == [peer(1)])
  }

  @Test func `does not bar again for more of the same`() {
    var list = list()
    list.add(peer(1), .circulation, at: .zero)
    let isNew = list.add(peer(1), .undecodable, at: .seconds(10))
    #expect(!isNew && list.entry(of: peer(1), at: .seconds(11))?.reason == .circulation)
    #expect(!list.bars(peer(1), at: .seconds(Self.day)))
  }

  @Test func `forgets what was long ago`() {
    var list = list { $0.rememberedFor = .seconds(1_000) }
    list.add(peer(1), .circulation, at: .zero)
    #expect(list.sweep(.seconds(Self.day)) == [peer(1)])
    #expect(list.count == 1)
    #expect(list.sweep(.seconds(Self.day + 1_000)) == [])
    #expect(list.count == 0 && list.deadline == nil)
    list.add(peer(1), .circulation, at: .seconds(Self.day + 2_000))
    #expect(list.entry(of: peer(1), at: .seconds(Self.day + 2_000))?.times == 1)
  }

  @Test func `does what an operator says`() {
    var list = list { $0.isPermanent = true }
    list.add(peer(1), .circulation, at: .zero)
    list.add(peer(2), .byHand, for: .seconds(60), at: .zero)
    #expect(list.bars(peer(1), at: .seconds(1e9)) && !list.bars(peer(2), at: .seconds(60)))
    #expect(list.deadline == .seconds(60))
    let isLonger = list.add(peer(2), .byHand, for: .seconds(120), at: .zero)
    #expect(isLonger && list.bars(peer(2), at: .seconds(60)))
    let (isLifted, isLiftedAgain) = (list.remove(peer(1)), list.remove(peer(1)))
    #expect(isLifted && !isLiftedAgain && !list.bars(peer(1), at: .zero))
  }

  @Test func `never bars for longer than the most`() {
    let parameters = BlacklistParameters()
    #expect(parameters.duration(times: 9) == .seconds(256 * 86_400))
    for times in [10, 64, .max] { #expect(parameters.duration(times: times) == .seconds(365 * 86_400)) }
  }

  @Test func `lets the one go that ends soonest when it is full`() {
    var list = list { $0.countMax = 3 }
    for (number, length) in [(1, 100), (2, 50), (3, 70)] {
      list.add(peer(number), .byHand, for: .seconds(length), at: .zero)
    }
    list.add(peer(4), .circulation, at: .zero)
    #expect(list.count == 3 && list.evicted == 1)
    #expect([1, 2, 3, 4].map { list.bars(peer($0), at: .zero) } == [true, false, true, true])
    list.add(peer(5), .circulation, at: .seconds(80))
    #expect(list.evicted == 1, "what is over is no loss")
  }

  // BT-55
  @Test func `outlives a restart, also the count of times`() {
    var list = list()
    list.add(peer(1), .circulation, evidence: [9], at: .seconds(1_000))
    list.add(peer(2), .byHand, for: .seconds(50), at: .seconds(1_000))
    let records = list.records(at: .seconds(1_040), wallClock: 1_700_000_040)
    #expect(records.map(\.since) == [1_700_000_000, 1_700_000_000])
    #expect(records.map(\.until) == [1_700_086_400, 1_700_000_050])

    // An hour later, on another clock.
    var restarted = self.list()
    restarted.restore(records, at: .seconds(7), wallClock: 1_700_003_640)
    #expect(restarted.entry(of: peer(1), at: .seconds(7))?.evidence == [9])
    #expect(restarted.bars(peer(1), at: .seconds(7 + Self.day - 3_641)))
    #expect(!restarted.bars(peer(1), at: .seconds(7 + Self.day - 3_640)))
    #expect(!restarted.bars(peer(2), at: .seconds(7)) && restarted.sweep(.seconds(7)) == [])
    restarted.add(peer(2), .circulation, at: .seconds(8))
    #expect(restarted.entry(of: peer(2), at: .seconds(8))?.times == 2)
    let again = restarted.records(at: .seconds(7), wallClock: 1_700_003_640)
    #expect(again[0] == records[0])
  }

  @Test func `survives records of any kind`() {
    var list = list { $0.countMax = 2 }
    for (since, until) in [(Int64.min, Int64.max), (.max, .min), (0, .max), (0, nil)] as [(Int64, Int64?)] {
      list.restore(
        [
          BlacklistRecord(
            peer: peer(list.count), reason: .byHand, evidence: [UInt8](repeating: 1, count: 1_000),
            since: since, until: until, times: .max)
        ], at: .zero, wallClock: -5)
    }
    #expect(list.count == 2)
    for record in list.records(at: .distantFuture, wallClock: .max) { #expect(record.evidence.count == 64) }
    list.add(peer(0), .byHand, at: .distantFuture)
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout BlacklistParameters) -> Void) -> String? {
      var changed = BlacklistParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.first = .zero } == "blacklist.first")
    #expect(refused { $0.most = .seconds(86_399) } == "blacklist.most")
    #expect(refused { $0.most = .seconds(86_400) } == nil)
    #expect(refused { $0.rememberedFor = .zero } == "blacklist.rememberedFor")
    #expect(refused { $0.countMax = 0 } == "blacklist.countMax")
  }
}
