import GossipCore
import GossipSim
import Testing

@Suite struct `A message for some nodes of a simulated network` {
  /// Who delivered the only message.
  private func delivered(_ world: World) -> Set<Int> { Set(world.deliveries.map(\.participant)) }

  // BT-88, BB-18
  @Test(arguments: [Manner.gossipSub, .push, .infection, .advert, .slots, .digestFirst])
  func `reaches them through everybody's overlay, and nobody else delivers it`(manner: Manner) {
    let policy = TopicPolicy(spread: manner, heal: Heal(digestsEvery: .seconds(1)))
    var world = world(30, .random(dials: 4), policy: policy)
    let recipients = Array(10..<28)
    world.publish("for some", to: "t", by: 0, for: .many(recipients.map { world.peer($0) }))
    let isComplete = world.run(for: .seconds(20)) { $0.deliveries.count == recipients.count }
    world.run(for: .seconds(5))
    #expect(isComplete && delivered(world) == Set(recipients) && world.deliveries.count == recipients.count)
    #expect(world.results.values.allSatisfy { (try? $0.get().way) == .fullOverlay })
  }

  // BB-19, BT-87, BT-88
  @Test func `runs among them if that costs least, and its author uploads few copies`() {
    let policy = TopicPolicy(spread: .digestFirst)
    var world = world(80, .full, policy: policy)
    let size = 300_000
    let before = (0..<80).map { world.sentBytes[$0] }
    let recipients = Array(40..<70)
    world.publish(
      Payload([UInt8](repeating: 7, count: size)), to: "t", by: 0,
      for: .many(recipients.map { world.peer($0) }))
    let isComplete = world.run(for: .seconds(20)) { $0.deliveries.count == recipients.count }
    #expect(isComplete && delivered(world) == Set(recipients))
    #expect(world.results.values.allSatisfy { (try? $0.get().way) == .subOverlay })
    let sent = (0..<80).map { world.sentBytes[$0] - before[$0] }
    let picks = AudienceDecision.Network(nodes: 31).fanout
    #expect(sent[0] <= 2 * picks * (size + 2_000), "the author's upload")
    #expect((1..<40).allSatisfy { sent[$0] < 1_000 }, "others hear nothing of it")
    #expect(sent.reduce(0, +) < (recipients.count + 1) * (size + 20_000), "one copy each")
  }

  // BT-86
  @Test func `gets straight to those who cannot verify it, and they pass nothing on`() throws {
    var configuration = Configuration()
    configuration.digestFirst.classes = ["t": "security"]
    let policy = TopicPolicy(spread: .digestFirst)
    var world = world(80, .full, configuration, policy: policy)
    let unable = 44..<50
    let roster = (0..<80).map {
      Epoch.Member(world.peer($0), verifies: unable.contains($0) ? ["access"] : nil)
    }
    let epoch = try Epoch(number: 1, roster: roster, beacon: [UInt8](repeating: 3, count: 32))
    for index in 0..<80 { world.tell(index, .epoch(epoch)) }
    world.run(for: .seconds(3))
    let before = (0..<80).map { world.sentBytes[$0] }
    let recipients = Array(44..<74)
    let size = 300_000
    world.publish(
      Payload([UInt8](repeating: 7, count: size)), to: "t", by: 0,
      for: .many(recipients.map { world.peer($0) }))
    let isComplete = world.run(for: .seconds(20)) { $0.deliveries.count == recipients.count }
    #expect(isComplete && delivered(world) == Set(recipients))
    #expect(world.results.values.allSatisfy { (try? $0.get().way) == .subOverlay })
    #expect(unable.allSatisfy { world.sentBytes[$0] - before[$0] < 2_000 })
  }
}
