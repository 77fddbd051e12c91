import GossipCore
import Testing

/// Whatever happens to a node, in whatever order, it neither traps nor grows beyond its bounds.
@Suite struct `A node to which anything happens` {
  @Test(arguments: 1...24 as ClosedRange<UInt64>)
  func `stays within its bounds, answers everybody once, and forgets those who left`(seed: UInt64) {
    let life = RandomLife(seed)
    let lone = life.lone
    for step in 0..<1_500 {
      life.step()
      let sizes = lone.sizes
      let isWithin =
        sizes.seen <= 64 && sizes.stored <= 32 && sizes.storedBytes <= 20_000 && sizes.wants <= 32
        && sizes.checks <= 16 && sizes.peers <= 12
        && sizes.awaiting <= 3 && sizes.needs <= 20 && sizes.objectBytes <= 20_000
        // Those that are connected, and six that left; those that went on, and three that wait for others.
        && sizes.authors <= 3 && sizes.budgeted <= 16 && sizes.guarded <= 12 + 6
        && sizes.barred <= 6
        && sizes.unexamined <= 4 + 3
        // Heartbeat and promise; per request and inquiry one, for those of the last seconds.
        && sizes.alarms <= 200
        // Per topic and peer a mesh place, a fanout place and a backoff; per peer an allowance and its IDONTWANTs;
        // inquiries and requests; for digest first, per topic and peer a partner and one to be looked at, per peer
        // four digests, and three things to remember; what waits to be pushed; open offers of rumors, and peers asked.
        && sizes.perPeer <= 12 * (3 * 3 + 2) + 4 + 12 + 12 * (2 * 8 + 4 + 3) + 8 + (8 * 3 + 12)
          // Of healing, per topic and peer: a question, a height, an answer, an allowance; per peer: spans served.
          + 12 * (3 * 4 + 1)
          // Adverts, hashes received and answers per topic; rows of its table and what it has yet to be told.
          + 12 * (6 + 4 + 3) + 12 * (6 + 6)
      guard isWithin else {
        Issue.record("seed \(seed), step \(step): \(sizes)")
        return
      }
    }

    life.settle()
    life.depart()
    for topic in life.topics { lone.leave(topic) }
    life.pass(.seconds(4_000))
    lone.beat(20)
    #expect(lone.sizes.perPeer == 0, "seed \(seed)")
    #expect(
      lone.sizes.peers == 0 && lone.sizes.checks == 0 && lone.sizes.wants == 0, "seed \(seed)")
    #expect(lone.sizes.unexamined == 0 && lone.sizes.budgeted == 0, "seed \(seed)")
    #expect(
      lone.sizes.awaiting == 0 && lone.sizes.needs == 0 && lone.sizes.objectBytes == 0,
      "seed \(seed)")
    #expect(
      lone.sizes.seen == 0 && lone.sizes.stored == 0 && lone.sizes.storedBytes == 0, "seed \(seed)")
    #expect(lone.sizes.alarms == 1, "seed \(seed)")
    #expect(life.published.filter { $0.value != 1 }.isEmpty, "seed \(seed)")
    #expect(life.answered.filter { $0.value != 1 }.isEmpty, "seed \(seed)")
  }
}
