import GossipCore
import GossipHost
import Testing

@Suite(.timeLimit(.minutes(4))) struct `A peer's standing` {
  // GS-131, GS-140
  @Test func `is explained, and changed by the application's own opinion`() async throws {
    try await withHosts(2) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        let peer = hosts[1].identity.peer
        #expect(await hosts[0].explain(peer) == nil)
        try await hosts[0].connect(to: try await hosts[1].address)
        try await hosts[1].waitForPeers(1, on: "t", within: .seconds(30))
        _ = try await hosts[1].publish("first", to: "t")
        try await eventually("the first") { inboxes[0].texts == ["first"] }
        let before = try #require(await hosts[0].explain(peer))
        #expect(before.standing == .welcome)
        #expect(before.terms.contains { $0.kind == .firstDeliveries && $0.topic == "t" })
        await hosts[0].setApplicationScore(-1_000, of: peer)
        let after = try #require(await hosts[0].explain(peer))
        #expect(after.standing == .blocked && after.description.contains("P5 application"))
        await hosts[0].setApplicationScore(0, of: peer)
        #expect(await hosts[0].explain(peer)?.standing == .welcome)
      }
    }
  }
}
