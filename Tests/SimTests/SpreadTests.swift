import GossipCore
import GossipSim
import Testing

/// What holds for every manner of spreading, whatever its way.
@Suite struct `Every manner of spreading` {
  /// Those that bring everything by themselves; push is infect and die, and has its healer.
  static func policy(_ manner: Manner, objects: ObjectPolicy? = nil) -> TopicPolicy {
    TopicPolicy(
      spread: manner, heal: manner == .push ? .digests(every: .seconds(4)) : Heal(), objects: objects)
  }

  static let cases = Manner.spreading.flatMap { manner in (1...6).map { (manner, $0) } }

  @Test(arguments: cases) func `delivers everything among few`(manner: Manner, nodes: Int) {
    var world = world(nodes, .full, policy: TopicPolicy(spread: manner))
    let isComplete = world.stream(6, by: Array(0..<nodes))
    #expect(isComplete)
    #expect(Report.isFaultless(world))
    if nodes == 1 {
      #expect(
        world.results.values.allSatisfy { (try? $0.get())?.subscribers == 0 }, "it says there is nobody")
    }
  }

  @Test(arguments: Manner.spreading.filter { $0 != .direct })
  func `carries objects in pieces`(manner: Manner) {
    let policy = Self.policy(manner, objects: ObjectPolicy(threshold: 10_000, pieceSize: 16_384))
    var world = world(8, .random(dials: 3), policy: policy)
    let big = Payload((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) })
    world.publish(big, to: "t", by: 0, policy: policy)
    world.publish("small", to: "t", by: 1, policy: policy)
    let isComplete = world.run(for: .seconds(40)) { world in
      (2..<8).allSatisfy { world.delivered(at: $0) == 2 } && world.delivered(at: 0) == 1
        && world.delivered(at: 1) == 1
    }
    #expect(isComplete)
  }

  @Test(arguments: Manner.spreading.filter { $0 != .direct })
  func `with a healer brings everything to those who were away`(manner: Manner) {
    let policy = TopicPolicy(spread: manner, heal: .digests(every: .seconds(4)))
    var world = world(8, .full, policy: policy)
    world.crash(7)
    for number in 0..<5 {
      world.publish(Payload("\(number)"), to: "t", by: number, policy: policy)
      world.run(for: .milliseconds(200))
    }
    world.restart(7)
    world.tell(7, .subscribe("t", policy))
    for other in 0..<7 { world.connect(7, other) }
    let isComplete = world.run(for: .seconds(30)) { $0.delivered(at: 7) == 5 }
    #expect(isComplete)
  }
}
