/// Time that saturates, alarms that ring in order, and dice that a seed repeats.

import Testing

@testable import GossipCore

@Suite struct `Time` {
  static let edges: [Int64] = [.min, .min + 1, -1_000_000_000, -1, 0, 1, 1_000_000_000, .max - 1, .max]

  // GS-149
  @Test func `saturates where it would overflow`() {
    for a in Self.edges {
      for b in Self.edges {
        let (instant, duration) = (Instant(nanoseconds: a), Duration.nanoseconds(b))
        let (x, y) = (Int128(a), Int128(b))
        #expect((instant + duration).nanoseconds == Int64(clamping: x + y))
        #expect((instant - duration).nanoseconds == Int64(clamping: x - y))
        #expect((instant - Instant(nanoseconds: b)).nanoseconds == Int64(clamping: x - y))
        #expect((instant < Instant(nanoseconds: b)) == (a < b))
      }
    }
  }

  // GS-149
  @Test func `takes absurd durations as the longest there is`() {
    #expect(Duration.seconds(Int64.max).nanoseconds == .max)
    #expect(Duration.seconds(Int64.min).nanoseconds == .min)
    #expect(Instant.zero + .seconds(Int64.max) == .distantFuture)
    #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
    #expect(Instant.distantFuture - .seconds(Int64.max) == .zero)
  }

  @Test func `counts in whole nanoseconds`() {
    for edge in Self.edges { #expect(Duration.nanoseconds(edge).nanoseconds == edge) }
    #expect(Duration.milliseconds(-1_500).nanoseconds == -1_500_000_000)
    #expect((Duration.seconds(1) / 3).nanoseconds == 333_333_333)
    #expect((Duration.seconds(-1) / 3).nanoseconds == -333_333_333)
  }

  @Test func `counts nanoseconds alike however long it is`() {
    for shift in 0..<127 {
      for offset: Int128 in [-1, 0, 1] {
        let attoseconds = ((1 as Int128) << Int128(shift)) + offset
        for signed in [attoseconds, -attoseconds] {
          let expected = Int64(clamping: signed / 1_000_000_000)
          #expect(Duration(attoseconds: signed).nanoseconds == expected, "2^\(shift)")
        }
      }
    }
  }

  // GS-149
  @Test func `holds for 49 days and for 200 years`() {
    for start in [Duration.seconds(49 * 86_400 + 61_635), .seconds(200 * 365 * 86_400)] {
      let now = Instant.zero + start
      #expect((now + .milliseconds(1)) - now == .milliseconds(1))
      #expect(now + .seconds(1) > now)
    }
  }

  @Test func `is told to people in seconds and milliseconds`() {
    #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
    #expect(Duration.milliseconds(1_500).inMilliseconds == 1_500)
    #expect(Duration.milliseconds(-250).inSeconds == -0.25)
  }
}

@Suite struct `The alarms` {
  @Test func `ring in the order of their instants, then of their setting`() {
    var alarms = Alarms()
    #expect(alarms.deadline == nil)
    alarms.ring(.inquiry(1), at: .seconds(2))
    alarms.ring(.inquiry(2), at: .seconds(1))
    alarms.ring(.inquiry(3), at: .seconds(2))
    alarms.ring(.heartbeat, at: .seconds(1))
    #expect(alarms.deadline == .seconds(1))
    #expect(alarms.due(at: .seconds(0.999)) == nil)
    var rung: [Alarm] = []
    while let (alarm, at) = alarms.due(at: .seconds(2)) {
      rung.append(alarm)
      #expect(at == (rung.count <= 2 ? .seconds(1) : .seconds(2)))
    }
    #expect(rung == [.inquiry(2), .heartbeat, .inquiry(1), .inquiry(3)])
    #expect(alarms.count == 0 && alarms.deadline == nil)
  }

  @Test(arguments: 0..<10 as Range<UInt64>) func `ring as a sorted list would`(seed: UInt64) {
    var dice = Dice(seed)
    var alarms = Alarms()
    var naive: [(at: Int64, number: UInt64)] = []  // kept sorted, equal instants in order of setting
    var now: Int64 = 0
    for number in 0..<3_000 as Range<UInt64> {
      let at = now + Int64(dice.number(-5...50))
      alarms.ring(.inquiry(number), at: Instant(nanoseconds: at))
      naive.insert((at, number), at: naive.firstIndex { $0.at > at } ?? naive.count)
      now += Int64(dice.number(0...2))
      while dice.chance(2, in: 3) {
        let due = naive.first.flatMap { $0.at <= now ? $0 : nil }
        let rung = alarms.due(at: Instant(nanoseconds: now))
        guard rung?.alarm == due.map({ .inquiry($0.number) }), rung?.at.nanoseconds == due?.at else {
          Issue.record("at \(now): rang \(String(describing: rung)), expected \(String(describing: due))")
          return
        }
        if due == nil { break }
        naive.removeFirst()
      }
      guard alarms.deadline?.nanoseconds == naive.first?.at, alarms.count == naive.count else {
        Issue.record("at \(now): deadline \(String(describing: alarms.deadline))")
        return
      }
    }
  }
}

@Suite struct `The dice` {
  @Test func `fall as they always did`() {
    var random = Random(seed: (0..<32).map { UInt8($0) })
    #expect(
      (0..<8).map { _ in random.next() } == [
        0xbd88_3a29_00e5_d6a9, 0x1fb7_7ad0_13e2_cb38, 0x012a_0752_8525_b28c, 0xd0f4_27e5_0bc4_f1bd,
        0x3f3b_b7d8_2d47_ef04, 0x16ee_09a0_f309_3317, 0xc04f_2453_7539_a599, 0x45eb_5e34_65c6_9065,
      ])
    var unseeded = Random(seed: [])
    #expect(unseeded.next() == 0x7a0b_81a1_f570_55af)
  }

  // GS-56
  @Test func `fall alike for equal seeds, otherwise for others`() {
    func stream(_ seed: [UInt8]) -> [UInt64] {
      var random = Random(seed: seed)
      return (0..<100).map { _ in random.next() }
    }
    #expect(stream([1, 2, 3]) == stream([1, 2, 3]))
    #expect(stream([1, 2, 3]) != stream([1, 2, 4]))
    #expect(Set(stream([1, 2, 3]) + stream([1, 2, 4])).count == 200)
    var original = Random(seed: [9])
    _ = original.next()
    var copy = original
    #expect((0..<9).map { _ in original.next() } == (0..<9).map { _ in copy.next() })
  }

  // GS-48, GS-80
  @Test func `sample without repeats, as many as there are`() {
    var random = Random(seed: [1])
    let pool = Array(0..<50)
    for count in [-1, 0, 1, 7, 49, 50, 51, .max] {
      let sample = random.sample(count, of: pool)
      #expect(sample.count == min(max(count, 0), 50))
      #expect(Set(sample).count == sample.count)
      #expect(sample.allSatisfy(pool.contains))
    }
    #expect(random.sample(3, of: [Int]()).isEmpty)
    #expect(random.sample(50, of: pool) != pool, "the order is random, too")
  }

  // GS-80
  @Test func `sample everyone at every place about equally often`() {
    var random = Random(seed: [2])
    var counts = [[Int]](repeating: [0, 0, 0], count: 8)  // element × place
    let rounds = 8_000
    for _ in 0..<rounds {
      for (place, element) in random.sample(3, of: Array(0..<8)).enumerated() { counts[element][place] += 1 }
    }
    // Expected 1,000 each, standard deviation 30: six of them leave no luck.
    for count in counts.joined() { #expect((820...1_180).contains(count)) }
  }
}
