import Testing

@testable import GossipCore

@Suite struct `The decision how to reach some of the nodes` {
  private func decide(_ recipients: Int, _ size: Int, nodes: Int = 1_000) -> AudienceDecision {
    .decide(
      recipients: recipients, size: size, in: AudienceDecision.Network(nodes: nodes, fanout: 12))
  }
  private func figures(_ decision: AudienceDecision) -> [[String]] {
    AudienceDecision.Choice.allCases.map { Array(decision.row($0)[1...3]) }
  }

  // BT-85
  @Test func `is direct for a few, the full overlay for half of the nodes, else what costs least`() {
    #expect(decide(9, 4 << 20).choice == .direct)
    #expect(decide(10, 4 << 20).choice == .subOverlay)
    #expect(decide(500, 1_024).choice == .fullOverlay && decide(499, 1_024).choice == .direct)
    #expect(decide(100, 4 << 20).choice == .subOverlay)
    #expect(decide(100, 102_400).choice == .subOverlay)
    #expect(decide(100, 1_024).choice == .direct)
  }

  // BT-85
  @Test func `knows time, bytes and upload of each way`() {
    #expect(
      figures(decide(100, 1_024)) == [
        ["0.06 s", "117.40 kB", "117.40 kB"], ["0.45 s", "194.20 kB", "14.09 kB"],
        ["0.60 s", "1.94 MB", "14.09 kB"],
      ])
    #expect(
      figures(decide(100, 102_400)) == [
        ["0.87 s", "10.26 MB", "10.26 MB"], ["0.52 s", "10.33 MB", "1.23 MB"],
        ["0.70 s", "103.22 MB", "1.23 MB"],
      ])
    #expect(
      figures(decide(100, 4 << 20)) == [
        ["33.61 s", "419.45 MB", "419.45 MB"], ["3.47 s", "419.52 MB", "50.33 MB"],
        ["4.63 s", "4.19 GB", "50.33 MB"],
      ])
    #expect(figures(decide(10, 4 << 20)).map { $0[0] } == ["3.41 s", "2.31 s", "4.63 s"])
    #expect(
      figures(decide(50, 102_400, nodes: 100)).map { $0[...1] } == [
        ["0.46 s", "5.13 MB"], ["0.52 s", "5.17 MB"], ["0.52 s", "10.23 MB"],
      ])
  }

  // BT-87
  @Test func `never has the sender of an overlay upload more than k copies`() {
    for recipients in [1, 5, 12, 13, 400] {
      for size in [0, 1_000, 1 << 20] {
        let decision = decide(recipients, size)
        for choice in [AudienceDecision.Choice.subOverlay, .fullOverlay] {
          #expect(decision.cost(of: choice).upload <= Double(12 * (size + 150)))
        }
      }
    }
  }

  @Test func `counts hops as powers of the fanout`() {
    #expect(
      [1, 2, 12, 13, 144, 145, 1_000].map { AudienceDecision.hops(to: $0, fanout: 12) } == [
        1, 2, 2, 3, 3, 4, 4,
      ])
    #expect(AudienceDecision.hops(to: 8, fanout: 0) == 4, "a fanout below 2 counts as 2")
  }

  @Test func `is explained in a table`() {
    let text = decide(100, 102_400).description
    #expect(
      text == """
                        time  bytes in all    upload  score
        direct        0.87 s      10.26 MB  10.26 MB   1.00
        sub-overlay   0.52 s      10.33 MB   1.23 MB   0.80
        full overlay  0.70 s     103.22 MB   1.23 MB   5.43

        sub-overlay: the least cost of time and bytes together
        """)
    #expect(decide(3, 1).reason == "fewer than 10 recipients")
    let extreme = AudienceDecision.decide(
      recipients: .max, size: .max,
      in: AudienceDecision.Network(nodes: 0, bandwidth: .nan, roundTrip: .zero, fanout: -1))
    #expect(extreme.choice == .fullOverlay && !extreme.description.isEmpty)
  }
}
