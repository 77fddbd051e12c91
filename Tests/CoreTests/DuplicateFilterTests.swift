/// A filter that may be wrong, and does no harm when it is.

import Testing

@testable import GossipCore

@Suite struct `A SipHash` {
  // BT-84
  @Test func `has the published values`() {
    let key = SipHash.Key(low: 0x0706_0504_0302_0100, high: 0x0f0e_0d0c_0b0a_0908)
    let bytes = Array(0..<64 as Range<UInt8>)
    for (count, value) in [
      (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (7, 0xab02_00f5_8b01_d137),
      (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5),
    ] as [(Int, UInt64)] { #expect(SipHash.hash(bytes.prefix(count), key) == value, "\(count) bytes") }
  }

  // BT-84
  @Test func `of an id is that of its forty-eight bytes`() {
    let key = SipHash.Key(low: 5, high: 6)
    for count in [0, 1, 31, 40, 46] {
      let bytes = (0..<count).map { UInt8($0 + 1) }
      let padded = bytes + [UInt8](repeating: 0, count: 47 - count)
      // The number of bytes stands where the hash counts them.
      #expect(MessageID(bytes).keyedHash(key) == plain(padded, count, key))
    }
    let long = [UInt8](repeating: 7, count: 60)
    #expect(MessageID(long).keyedHash(key) == SipHash.hash(long, key))
  }

  private func plain(_ bytes: [UInt8], _ count: Int, _ key: SipHash.Key) -> UInt64 {
    func word(_ part: some Sequence<UInt8>) -> UInt64 { part.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    var hash = SipHash(key)
    for start in stride(from: 0, to: 40, by: 8) { hash.add(word(bytes[start..<start + 8])) }
    return hash.finish(word(bytes[40..<47]) | UInt64(count) << 56)
  }
}

@Suite struct `A duplicate filter` {
  func filter(_ secret: UInt8 = 1, _ change: (inout DuplicateFilterParameters) -> Void = { _ in })
    -> DuplicateFilter
  {
    var parameters = DuplicateFilterParameters()
    change(&parameters)
    return DuplicateFilter(parameters, secret: [secret], at: .zero)
  }

  func long(_ number: Int) -> MessageID {
    MessageID((0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) })
  }

  @Test func `takes three bytes and a half per id`() {
    let parameters = DuplicateFilterParameters()
    #expect(parameters.probes == 21)
    #expect((370_000...385_000).contains(filter().size / 2))
  }

  // BB-17, BT-82
  @Test func `knows all it met, and takes few others for known`() {
    var filter = filter { ($0.capacity, $0.falsePositives) = (4_000, 1e-3) }
    for number in 0..<8_000 { filter.insert(long(number), at: .zero) }
    #expect(filter.turns == 1, "both generations are full")
    let missing = (0..<8_000).count { !filter.mayContain(long($0), at: .zero) }
    #expect(missing == 0)
    let trials = 200_000
    let wrong = (1_000_000..<1_000_000 + trials).count { filter.mayContain(long($0), at: .zero) }
    #expect(wrong <= trials * 2 / 1_000, "\(wrong) of \(trials)")
    #expect(wrong > 0)
  }

  // BT-82
  @Test func `remembers for ten minutes at least, and twenty at most`() {
    var filter = filter()
    filter.insert(id(1), at: .zero)
    filter.insert(id(2), at: .seconds(599))
    let known = [599.0, 600, 1_199].map { filter.mayContain(id(2), at: .seconds($0)) }
    #expect(known == [true, true, true] && filter.turns == 1)
    #expect(filter.mayContain(id(2), at: .seconds(1_200)) == false)
    filter.insert(id(3), at: .seconds(1_300))
    #expect(filter.mayContain(id(3), at: .seconds(9_000)) == false, "after a rest of hours nothing is left")
  }

  // BT-82
  @Test func `turns when it is full, and counts copies once`() {
    var filter = filter { $0.capacity = 100 }
    for _ in 0..<10 { for number in 0..<100 { filter.insert(id(number), at: .zero) } }
    #expect(filter.turns <= 1)
    for number in 100..<200 { filter.insert(id(number), at: .zero) }
    let missing = (100..<200).count { !filter.mayContain(id($0), at: .zero) }
    #expect(missing == 0)
  }

  // BT-84
  @Test func `errs on other ids at another node, and after it turned`() {
    func errors(_ filter: inout DuplicateFilter) -> Set<Int> {
      Set((100_000..<120_000).filter { filter.mayContain(long($0), at: .seconds(1)) })
    }
    let change: (inout DuplicateFilterParameters) -> Void = {
      ($0.capacity, $0.falsePositives) = (2_000, 0.05)
    }
    var (one, two) = (filter(1, change), filter(2, change))
    for number in 0..<2_000 {
      one.insert(long(number), at: .zero)
      two.insert(long(number), at: .zero)
    }
    var again = filter(1, change)
    for number in 0..<2_000 { again.insert(long(number), at: .zero) }
    let (first, second) = (errors(&one), errors(&two))
    #expect(first.count > 100 && second.count > 100)
    #expect(first == errors(&again), "the same secret errs alike")
    #expect(first.intersection(second).count < first.count / 5)

    var later = filter(1, change)
    later.insert(long(9_999_999), at: .zero)
    for number in 0..<2_000 { later.insert(long(number), at: .seconds(601)) }
    let third = Set((100_000..<120_000).filter { later.mayContain(long($0), at: .seconds(602)) })
    #expect(third.count > 100 && first.intersection(third).count < first.count / 5)
  }

  // BT-83
  @Test func `gives way when three different peers tell of what it takes for known`() {
    var filter = filter()
    let isNew = filter.wants(id(1), toldBy: peer(1), at: .zero)
    #expect(isNew)
    filter.insert(id(1), at: .zero)  // as if another id had set its bits
    let told = [1, 1, 2, 1, 3, 3].map { filter.wants(id(1), toldBy: peer($0), at: .zero) }
    #expect(told == [false, false, false, false, true, false] && filter.askedAnyway == 1)
  }

  // BT-83
  @Test func `counts the advertisers of so many ids`() {
    var filter = filter { $0.suspectsMax = 4 }
    for number in 0..<6 { filter.insert(id(number), at: .zero) }
    for number in 0..<6 { _ = filter.wants(id(number), toldBy: peer(1), at: .zero) }
    #expect(filter.forgotten == 2)
    _ = filter.wants(id(5), toldBy: peer(2), at: .zero)
    let isAsked = filter.wants(id(5), toldBy: peer(3), at: .zero)
    #expect(isAsked)
    for _ in 0..<1_000 { for giver in 1...3 { _ = filter.wants(id(5), toldBy: peer(giver), at: .zero) } }
    #expect(filter.askedAnyway == 1_001)
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout DuplicateFilterParameters) -> Void) -> String? {
      var changed = DuplicateFilterParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.capacity = 0 } == "duplicateFilter.capacity")
    for value in [0, 0.2, .nan, .infinity, -1] {
      #expect(refused { $0.falsePositives = value } == "duplicateFilter.falsePositives")
    }
    #expect(refused { $0.turnAfter = .zero } == "duplicateFilter.turnAfter")
    #expect(refused { $0.advertisersMax = 0 } == "duplicateFilter.advertisersMax")
  }
}
