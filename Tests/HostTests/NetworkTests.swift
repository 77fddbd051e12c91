import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Logging
import ServiceLifecycle
import Testing

@Suite(.serialized, .timeLimit(.minutes(10))) struct `Twenty nodes in one process` {
  /// Links each host with its successor and four others.
  private static func link(_ hosts: [Host]) async throws {
    var addresses: [Multiaddr] = []
    for host in hosts { addresses.append(try await host.address) }
    for (index, host) in hosts.enumerated() {
      for step in [1, 3, 5, 7, 9] { try await host.connect(to: addresses[(index + step) % hosts.count]) }
    }
    for host in hosts { try await host.waitForPeers(5, on: "t", within: .seconds(20)) }
  }

  @Test(arguments: [(Signing.strictSign, 10_000), (.strictNoSign, 2_000)])
  func `get every message exactly once at full speed`(signing: Signing, count: Int) async throws {
    let policy = TopicPolicy(
      signing: signing, identification: signing == .strictSign ? .author : .contentHash)
    try await withHosts(20) {
      $0.subscriptionBuffer = count
    } _: { hosts in
      try await withInboxes(hosts, on: "t", policy) { inboxes in
        try await Self.link(hosts)
        let filler = String(repeating: "x", count: 1_010)
        for number in 0..<count {
          _ = try await hosts[0].publish(Payload("\(number) \(filler)"), to: "t", policy: policy)
          // Flow control: at most 64 messages that are not everywhere yet.
          if number % 32 == 31 {
            try await eventually("message \(number - 32)", within: .seconds(60)) {
              inboxes.dropFirst().allSatisfy { $0.count >= number - 32 }
            }
          }
        }
        try await eventually("all messages", within: .seconds(60)) {
          inboxes.dropFirst().allSatisfy { $0.count >= count }
        }
        let expected = Set((0..<count).map { "\($0) \(filler)" })
        for inbox in inboxes.dropFirst() {
          #expect(inbox.count == count && inbox.missed == 0)
          #expect(Set(inbox.texts) == expected)
        }
        #expect(inboxes[0].count == 0)
      }
    }
  }

  // GS-52
  @Test func `miss nothing when five of them are killed during the stream`() async throws {
    try await withHosts(15) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        let stop = Gate()
        let victims = Task {
          try await withHosts(5) { doomed in
            try await withInboxes(doomed, on: "t") { _ in
              for (index, host) in doomed.enumerated() {
                for step in 0..<5 {
                  try await host.connect(to: try await hosts[(index * 3 + step) % 15].address)
                }
              }
              await stop.wait()
            }
          }
        }
        try await Self.link(hosts)
        for number in 0..<200 {
          if number == 100 { await stop.open() }
          _ = try await hosts[number % 3].publish(Payload("\(number)"), to: "t")
        }
        _ = try await victims.value
        // The first three published; the others must have everything.
        let readers = inboxes[3...]
        try await eventually("all messages") { readers.allSatisfy { $0.count >= 200 } }
        let expected = Set((0..<200).map { "\($0)" })
        for reader in readers { #expect(reader.count == 200 && Set(reader.texts) == expected) }
      }
    }
  }
}

@Suite(.timeLimit(.minutes(4))) struct `A host as a service` {
  // LP-68
  @Test func `shuts down gracefully: says goodbye and leaves no socket behind`() async throws {
    try await withHosts(1) { others in
      var configuration = HostConfiguration()
      configuration.listen = [loopback]
      let host = try Host(configuration)
      let services = ServiceGroup(services: [host], logger: Logger(label: "test"))
      let running = Task { try await services.run() }
      let address = try await host.address
      let subscribed = Task { try await host.withSubscription(to: "t") { for await _ in $0 {} } }
      try await others[0].withSubscription(to: "t") { _ in
        try await others[0].connect(to: address)
        try await others[0].waitForPeers(1, on: "t", within: .seconds(30))
        await services.triggerGracefulShutdown()
        try await running.value
        try await subscribed.value  // the subscription ended with the host
        try await eventually("gone") { await others[0].snapshot.peers.isEmpty }
        await #expect(throws: DialError.self) { try await others[0].connect(to: address) }
        await #expect(throws: HostError.leaving) { try await host.publish("late", to: "t") }
      }
    }
  }

  @Test func `cannot listen where another listens, and says where`() async throws {
    try await withHosts(1) { hosts in
      var configuration = HostConfiguration()
      let taken = try #require(try await hosts[0].address.withoutPeer)
      configuration.listen = [taken]
      let second = try Host(configuration)
      let error = await #expect(throws: ListenError.self) { try await second.run() }
      #expect(try #require(error).address == taken)
    }
  }

  @Test func `refuses settings that cannot work`() {
    for change: (inout HostConfiguration) -> Void in [
      { $0.subscriptionBuffer = 0 }, { $0.limits.connections = 0 }, { $0.node.gossipSub.degree = -1 },
      {
        $0.listen = [
          .init(ip: "127.0.0.1", tcp: 1)!.with(Identity.random().peer), try! Multiaddr("/dns/x/tcp/1"),
        ]
      },
      { $0.limits.stallPatience = .zero },
    ] {
      var configuration = HostConfiguration()
      change(&configuration)
      #expect(throws: ConfigurationError.self) { try Host(configuration) }
    }
  }
}
