/// Numbers that were used, numbers that have to rise, and numbers that rise over a crash.

import Testing

@testable import GossipCore

@Suite struct `A window of numbers` {
  // BT-72
  @Test func `takes what comes a thousand places late, and refuses 1,025`() {
    var window = SequenceWindow()
    for number in [5_000, 4_000, 5_000 - 1_023] as [UInt64] {
      let isTaken = window.take(number)
      #expect(isTaken)
    }
    for number in [5_000 - 1_024, 5_000 - 1_025, 0, 5_000, 4_000] as [UInt64] {
      let isTaken = window.take(number)
      #expect(!isTaken)
    }
    #expect(window.highest == 5_000 && window.refused == 5)
  }

  // BT-72
  @Test(arguments: 0..<10 as Range<UInt64>) func `agrees with a plain set`(seed: UInt64) {
    var dice = Dice(seed)
    var window = SequenceWindow()
    var used: Set<UInt64> = []
    var top: UInt64 = dice.pick([1 << 10, .max - 200_000, 0])
    for step in 0..<5_000 {
      let number: UInt64 =
        switch dice.number(0...9) {
        case 0: top &+ UInt64(dice.number(0...3_000))
        case 1...4: top &+ UInt64(dice.number(0...3))
        default: top &- UInt64(dice.number(0...1_200))
        }
      guard number < .max - 3_000 else { continue }
      let highest = used.max()
      let isFresh = !used.contains(number) && (highest.map { number > $0 || $0 - number < 1_024 } ?? true)
      guard window.take(number) == isFresh else {
        Issue.record("seed \(seed), step \(step): \(number)")
        return
      }
      if isFresh { used.insert(number) }
      top = max(top, used.max() ?? 0)
      if used.count > 4_000 { used = used.filter { $0 + 2_000 > top } }
    }
  }

  @Test func `reaches to the last number there is`() {
    var window = SequenceWindow()
    let taken = [0, .max, 0, .max - 5, .max].map { window.take($0) }
    #expect(taken == [true, true, false, true, false])
  }
}

@Suite struct `A check of rising numbers` {
  // GS-26
  @Test func `ignores replays and lower numbers of each author`() {
    var check = SequenceCheck(authorsMax: 10)
    let first = [5, 5, 4, 6, 100, 99, 101].map { check.take($0, by: peer(1)) }
    #expect(first == [true, false, false, true, true, false, true] && check.replays == 3)
    let other = check.take(5, by: peer(2))
    #expect(other)
  }

  // GS-26
  @Test func `believes one of two that were examined together`() {
    var check = SequenceCheck(authorsMax: 10)
    #expect(check.isFresh(7, by: peer(1)) && check.isFresh(7, by: peer(1)))
    let taken = [check.take(7, by: peer(1)), check.take(7, by: peer(1))]
    #expect(taken == [true, false])
  }

  // GS-26
  @Test func `remembers so many authors, and forgets who was heard of longest ago`() {
    var check = SequenceCheck(authorsMax: 3)
    for number in 1...3 { _ = check.take(5, by: peer(number)) }
    _ = check.take(6, by: peer(1))
    _ = check.take(5, by: peer(4))
    #expect(check.count == 3 && check.forgotten == 1)
    #expect([1, 2, 3, 4].map { check.isFresh(5, by: peer($0)) } == [false, true, false, false])
    for number in 0..<1_000 as Range<UInt64> { _ = check.take(number, by: peer(Int(number % 5))) }
    #expect(check.count == 3)
  }
}

@Suite struct `Reserved sequence numbers` {
  // GS-25
  @Test func `rise strictly over ten thousand and several crashes`() {
    var (disk, last, writes): (UInt64, UInt64, Int) = (0, 0, 0)
    var dice = Dice(25)
    for _ in 0..<20 {
      var reserve = SequenceReserve(stored: disk, block: 1_000)
      for _ in 0..<dice.number(0...1_500) {
        if let bound = reserve.wanted {
          disk = bound
          reserve.stored(bound)
          writes += 1
        }
        guard let number = reserve.next(), number > last else {
          Issue.record("after \(last)")
          return
        }
        last = number
      }
    }
    #expect(last > 10_000 && writes < 60)
  }

  // GS-25
  @Test func `wait for the write, which is asked for early`() {
    var reserve = SequenceReserve(stored: 100, block: 10)
    let none = reserve.next()
    #expect(none == nil && reserve.wanted == 110)
    reserve.stored(110)
    #expect(reserve.wanted == nil)
    let some = (0..<4).map { _ in reserve.next() }
    #expect(some == [100, 101, 102, 103] && reserve.wanted == nil)
    let fifth = reserve.next()
    #expect(fifth == 104 && reserve.wanted == 120, "half of the block is left")
    let rest = (0..<6).map { _ in reserve.next() }
    #expect(rest == [105, 106, 107, 108, 109, nil])
    reserve.stored(120)
    reserve.stored(50)
    let more = reserve.next()
    #expect(more == 110)
  }

  // GS-25
  @Test func `begin with the clock where that is further, and end with the last there is`() {
    var reserve = SequenceReserve(stored: 5, clock: 1_000, block: 0)
    #expect(reserve.wanted == 1_001)
    reserve.stored(1_001)
    let numbers = [reserve.next(), reserve.next()]
    #expect(numbers == [1_000, nil])
    var last = SequenceReserve(stored: .max - 1, block: 10)
    #expect(last.wanted == .max)
    last.stored(.max)
    let ending = [last.next(), last.next()]
    #expect(ending == [.max - 1, nil] && last.wanted == nil)
    let zero = SequenceReserve(stored: 0)
    #expect(zero.wanted == 1 + 1 << 20)
  }
}
