import CoreMetrics
import GossipCore
import GossipHost
import GossipLibp2p
import MetricsTestKit
import Testing

@Suite(.timeLimit(.minutes(4))) struct `Telemetry` {
  @Test func `writes peers and their reasons to the log`() async throws {
    let book = LogBook()
    try await withHosts(2) {
      $0.logger = book.logger
    } _: { hosts in
      try await hosts[0].connect(to: hosts[1].address)
      #expect(book.contains("listening", "/ip4/127.0.0.1/tcp/"))
      try await eventually("a line") { book.contains("connected", "\(hosts[1].identity.peer)") }
      await hosts[0].disconnect(hosts[1].identity.peer)
      try await eventually("a reason") { book.contains("disconnected", "reason=closed by this node") }
    }
  }

  @Test func `counts once a second, without a label per peer or topic`() async throws {
    let metrics = TestMetrics()
    MetricsSystem.bootstrap(metrics)  // once per process: this is the only test that does
    try await withHosts(2) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        try await hosts[0].connect(to: hosts[1].address)
        try await hosts[0].waitForPeers(1, on: "t", within: .seconds(30))
        for number in 0..<10 { _ = try await hosts[0].publish(Payload("\(number)"), to: "t") }
        try await eventually("messages") { inboxes[1].count == 10 }
        try await eventually("counters") {
          let published = try? metrics.expectCounter("gossip_messages_published")
          let delivered = try? metrics.expectCounter("gossip_messages_delivered")
          return (published?.totalValue ?? 0) >= 10 && (delivered?.totalValue ?? 0) >= 10
        }
        #expect(metrics.counters.allSatisfy { $0.dimensions.isEmpty })
      }
    }
  }
}
