import DequeModule
import Testing

@testable import GossipCore

/// A queue whose elements are found by hash.
@Suite struct `Places in a queue` {
  @Test(arguments: 0..<8 as Range<UInt64>) func `are those of a plain search`(seed: UInt64) {
    var dice = Dice(seed)
    var queue = Deque<Int>()
    var places = Places()
    // Few hashes, so that they collide and chains wrap around the end of the table.
    let spread = dice.pick([3, 50, 1 << 40])
    func hash(_ element: Int) -> Int { (element &* 0x9e37_79b9) % spread - 1 }
    for step in 0..<3_000 {
      if dice.chance(3, in: 5) {
        let new = step
        places.append(hash(new)) { hash(queue[$0]) }
        queue.append(new)
      } else if !queue.isEmpty {
        places.removeFirst(hash(queue[0])) { hash(queue[$0]) }
        queue.removeFirst()
      }
      if queue.count > 200 {
        while !queue.isEmpty {
          places.removeFirst(hash(queue[0])) { hash(queue[$0]) }
          queue.removeFirst()
        }
      }
      let sought = dice.number(0...max(1, step))
      guard places.find(hash(sought), { queue[$0] == sought }) == queue.firstIndex(of: sought) else {
        Issue.record("seed \(seed), step \(step)")
        return
      }
    }
  }
}
