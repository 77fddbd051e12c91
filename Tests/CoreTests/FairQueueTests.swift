/// Who waits for whom.

import Testing

@testable import GossipCore

@Suite struct `A fair queue` {
  @Test func `takes one thing of each in turn, and of each in order`() {
    var queue = FairQueue<Int, String>()
    for thing in ["a1", "a2", "a3"] { queue.append(thing, of: 1) }
    for thing in ["b1", "b2"] { queue.append(thing, of: 2) }
    queue.append("c1", of: 3)
    let first = queue.take(4)
    #expect(first == ["a1", "b1", "c1", "a2"] && queue.count == 2)
    queue.append("c2", of: 3)
    let rest = queue.take(100)
    #expect(rest == ["b2", "a3", "c2"] && queue.isEmpty)
  }

  @Test func `makes nobody wait for more than one thing of each other`() {
    var queue = FairQueue<Int, Int>()
    for number in 0..<5_000 { queue.append(number, of: 1) }
    _ = queue.take(17)
    queue.append(-1, of: 2)
    let next = queue.take(2)
    #expect(next == [17, -1])
  }

  @Test func `takes nothing where nothing is asked for, and no more than there is`() {
    var queue = FairQueue<Int, Int>()
    let none = queue.take(5)
    queue.append(1, of: 1)
    let zero = queue.take(0)
    let negative = queue.take(-1)
    let all = queue.take(.max)
    #expect(none == [] && zero == [] && negative == [] && all == [1] && queue.count == 0)
  }

  @Test(arguments: 0..<10 as Range<UInt64>) func `agrees with a naive one`(seed: UInt64) {
    var dice = Dice(seed)
    var queue = FairQueue<Int, Int>()
    var naive: [(owner: Int, things: [Int])] = []
    for step in 0..<2_000 {
      if dice.number(0...2) > 0 {
        let owner = dice.number(0...4)
        queue.append(step, of: owner)
        if let place = naive.firstIndex(where: { $0.owner == owner }) {
          naive[place].things.append(step)
        } else {
          naive.append((owner, [step]))
        }
      } else {
        let most = dice.number(0...4)
        var expected: [Int] = []
        while expected.count < most, !naive.isEmpty {
          var first = naive.removeFirst()
          expected.append(first.things.removeFirst())
          if !first.things.isEmpty { naive.append(first) }
        }
        let taken = queue.take(most)
        guard taken == expected, queue.count == naive.reduce(0, { $0 + $1.things.count }) else {
          Issue.record("seed \(seed), step \(step): \(taken), expected \(expected)")
          return
        }
      }
    }
  }
}
