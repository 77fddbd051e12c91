/// What was met within the window, by first sight and by last.

import Testing

@testable import GossipCore

@Suite struct `A seen filter` {
  func filter(slides: Bool = false, countMax: Int = 1_000) -> SeenFilter {
    SeenFilter(window: .seconds(10), slides: slides, countMax: countMax)
  }

  // GS-125
  @Test func `forgets by first sight although duplicates come`() {
    var seen = filter()
    seen.insert(id(1), .accepted, at: .seconds(0))
    for second in 1...9 { #expect(seen.meet(id(1), at: .seconds(Double(second))) == .accepted) }
    #expect(seen.contains(id(1), at: .seconds(9.999)))
    #expect(!seen.contains(id(1), at: .seconds(10)))
    #expect(seen.meet(id(1), at: .seconds(10)) == nil)
    #expect(seen.count == 0)
  }

  // GS-125
  @Test func `forgets by last sight if it slides`() {
    var seen = filter(slides: true)
    seen.insert(id(1), .accepted, at: .seconds(0))
    for second in stride(from: 8.0, through: 80, by: 8) {
      #expect(seen.meet(id(1), at: .seconds(second)) == .accepted)
    }
    #expect(seen.contains(id(1), at: .seconds(89)))
    #expect(seen.meet(id(1), at: .seconds(90)) == nil)
  }

  // GS-125
  @Test func `an expired id can be inserted anew though others stand in front of it`() {
    var seen = filter(slides: true)
    seen.insert(id(1), .rejected, at: .seconds(0))
    #expect(seen.meet(id(1), at: .seconds(1)) == .rejected)  // until 11
    seen.insert(id(2), .accepted, at: .seconds(9))  // until 19
    #expect(seen.meet(id(2), at: .seconds(10.5)) == .accepted)
    #expect(seen.meet(id(1), at: .seconds(12)) == nil)
    seen.insert(id(1), .accepted, at: .seconds(12))
    #expect(seen.meet(id(1), at: .seconds(13)) == .accepted)
  }

  // GS-117
  @Test func `remembers what became of a message`() {
    var seen = filter()
    seen.insert(id(1), .pending, at: .zero)
    #expect(seen.meet(id(1), at: .zero) == .pending)
    for fate in [.accepted, .rejected, .ignored] as [SeenFilter.Fate] {
      seen.settle(id(1), fate)
      #expect(seen.meet(id(1), at: .seconds(1)) == fate)
    }
    seen.settle(id(2), .accepted)
    #expect(seen.meet(id(2), at: .seconds(1)) == nil, "what was never met has no fate")
    seen.insert(id(1), .rejected, at: .seconds(5))
    #expect(seen.meet(id(1), at: .seconds(6)) == .rejected)
    #expect(seen.meet(id(1), at: .seconds(10)) == nil, "a second insertion is no first sight")
  }

  @Test func `drops the oldest when it is full, and counts`() {
    var seen = filter(countMax: 3)
    for number in 1...5 { seen.insert(id(number), .accepted, at: .seconds(Double(number))) }
    #expect(seen.count == 3 && seen.evicted == 2)
    #expect((1...5).map { seen.contains(id($0), at: .seconds(5)) } == [false, false, true, true, true])
    seen.insert(id(4), .rejected, at: .seconds(5))
    #expect(seen.count == 3 && seen.evicted == 2, "what is known takes no place")
    seen.insert(id(9), .accepted, at: .seconds(15))
    #expect(seen.count == 1 && seen.evicted == 2, "what expired makes room by itself")
  }

  // GS-125
  @Test(arguments: 0..<12 as Range<UInt64>) func `agrees with a plain list`(seed: UInt64) {
    let slides = seed % 2 == 1
    var dice = Dice(seed)
    var seen = filter(slides: slides)
    var naive: [MessageID: (until: Instant, fate: SeenFilter.Fate)] = [:]
    var now = Instant.zero
    for step in 0..<4_000 {
      now = now + .milliseconds(dice.number(0...400))
      let some = id(dice.number(0...60))
      let fate = dice.pick([.pending, .accepted, .rejected, .ignored] as [SeenFilter.Fate])
      let known = naive[some].flatMap { $0.until > now ? $0 : nil }
      var agrees = true
      switch dice.number(0...4) {
      case 0, 1:
        agrees = seen.meet(some, at: now) == known?.fate
        if slides, known != nil { naive[some]!.until = now + .seconds(10) }
      case 2: agrees = seen.contains(some, at: now) == (known != nil)
      case 3:
        seen.insert(some, fate, at: now)
        naive[some] = (known?.until ?? now + .seconds(10), fate)
      default:
        guard known != nil else { break }
        seen.settle(some, fate)
        naive[some]!.fate = fate
      }
      guard agrees, seen.count >= naive.values.count(where: { $0.until > now }), seen.count <= 61 else {
        Issue.record("step \(step) at \(now): \(some)")
        return
      }
    }
    now = now + .seconds(30)
    seen.sweep(now)
    #expect(seen.count == 0)
  }
}
