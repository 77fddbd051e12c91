import GossipCore
import Testing

@testable import GossipSim

@Suite struct `The queue of events` {
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `gives what a sorted list gives`(seed: UInt64) {
    var dice = WorldDice(seed: seed)
    var queue = EventQueue<Int>()
    var model: [(at: Int64, number: Int)] = []
    var now: Int64 = 0
    var number = 0
    for _ in 0..<2_000 {
      if Bool.random(using: &dice) || model.isEmpty {
        // Now, soon, within the wheel, and far beyond it.
        let spans: [Int64] = [1, 1_000, 1_000_000, 3_000_000_000, 60_000_000_000]
        let at = now + Int64.random(in: 0..<spans.randomElement(using: &dice)!, using: &dice)
        queue.add(number, at: Instant(nanoseconds: at))
        model.append((at, number))
        number += 1
      } else {
        model.sort { ($0.at, $0.number) < ($1.at, $1.number) }
        let expected = model.removeFirst()
        let found = queue.next(until: .distantFuture)
        #expect(found?.event == expected.number && found?.at.nanoseconds == expected.at)
        now = max(now, expected.at)
      }
    }
  }

  @Test func `gives nothing before its time`() {
    var queue = EventQueue<Int>()
    queue.add(1, at: Instant(nanoseconds: 5_000_000_000))
    let early = queue.next(until: Instant(nanoseconds: 4_999_999_999))?.event
    let due = queue.next(until: Instant(nanoseconds: 5_000_000_000))?.event
    #expect(early == nil && due == 1)
    #expect(queue.isEmpty)
  }
}
