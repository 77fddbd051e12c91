import GossipCore
import GossipSim
import Testing

@Suite struct `A large object` {
  static let policy = TopicPolicy(
    objects: ObjectPolicy(threshold: 10_000, pieceSize: 16_384, sizeMax: 4 << 20))

  @Test(arguments: [2, 6, 20])
  func `reaches every node, while small messages overtake it`(nodes: Int) {
    var world = world(nodes, .random(dials: 4), policy: Self.policy)
    let big = Payload((0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) })
    world.publish(big, to: "t", by: 0, policy: Self.policy)
    let start = world.now
    for number in 0..<20 {
      world.publish(Payload("urgent \(number)"), to: "t", by: nodes - 1, policy: Self.policy)
      world.run(for: .milliseconds(50))
    }
    let owed = (0..<nodes).map { $0 == 0 || $0 == nodes - 1 ? (nodes == 1 ? 0 : ($0 == 0 ? 20 : 1)) : 21 }
    let isComplete = world.run(for: .seconds(30)) { world in
      (0..<nodes).allSatisfy { world.delivered(at: $0) == owed[$0] }
    }
    #expect(isComplete)
    let urgent = world.deliveries.filter { delivery in
      world.publications[world.messages[Int(delivery.number)]]?.participant != 0
    }
    let latencies = urgent.compactMap { delivery in
      world.publications[world.messages[Int(delivery.number)]].map { delivery.at - $0.at }
    }.sorted()
    #expect(latencies.count == 20 * (nodes - 1))
    #expect(latencies[latencies.count * 99 / 100 - 1] < .milliseconds(600))
    for index in 0..<nodes where index != 0 {
      let sizes = world.node(index)!.snapshot.sizes
      #expect(sizes.objectBytes == 600_000 && sizes.awaiting == 0 && sizes.wants == 0)
    }
    #expect(world.now - start < .seconds(20))
  }

  @Test func `is fetched from those who have it when its author leaves half way`() {
    var world = world(12, .random(dials: 4), policy: Self.policy)
    let big = Payload((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) })
    world.publish(big, to: "t", by: 0, policy: Self.policy)
    let hasFirst = world.run(for: .seconds(30), every: .milliseconds(10)) { !$0.deliveries.isEmpty }
    #expect(hasFirst)
    world.crash(0)
    let isComplete = world.run(for: .seconds(60)) { world in
      (1..<12).allSatisfy { world.delivered(at: $0) == 1 }
    }
    #expect(isComplete)
  }
}
