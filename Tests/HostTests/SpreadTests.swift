import GossipCore
import GossipHost
import GossipLibp2p
import Testing

/// Every manner of spreading over real sockets: the same node, so one test each is enough to see its streams open.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `A topic on real sockets` {
  /// Links each host with each other one.
  static func link(_ hosts: [Host], on topic: Topic) async throws {
    for (index, host) in hosts.enumerated() {
      for other in hosts[(index + 1)...] { try await host.connect(to: try await other.address) }
    }
    for host in hosts { try await host.waitForPeers(hosts.count - 1, on: topic, within: .seconds(20)) }
  }

  @Test(arguments: Manner.spreading)
  func `brings every message to every node, whichever way it spreads`(manner: Manner) async throws {
    // A few random members per message may miss one: what heals push is part of it.
    let policy = TopicPolicy(spread: manner, heal: manner == .push ? .digests(every: .seconds(4)) : Heal())
    try await withHosts(6) { hosts in
      try await withInboxes(hosts, on: "t", policy) { inboxes in
        try await Self.link(hosts, on: "t")
        for number in 0..<12 {
          _ = try await hosts[number % 6].publish(Payload("\(number)"), to: "t", policy: policy)
        }
        try await eventually("all messages") { inboxes.allSatisfy { $0.count >= 10 } }
        for (index, inbox) in inboxes.enumerated() {
          #expect(Set(inbox.texts) == Set((0..<12).filter { $0 % 6 != index }.map { "\($0)" }))
          #expect(inbox.count == 10, "each once")
        }
      }
    }
  }

  @Test(arguments: Manner.spreading.filter { $0 != .push })
  func `hears those who publish without being on it`(manner: Manner) async throws {
    let policy = TopicPolicy(spread: manner)
    try await withHosts(4) {
      $0.node.manners = [manner]
    } _: { hosts in
      try await withInboxes(Array(hosts[1...]), on: "t", policy) { inboxes in
        for host in hosts[1...] { try await hosts[0].connect(to: try await host.address) }
        for (a, b) in [(1, 2), (2, 3), (1, 3)] { try await hosts[a].connect(to: try await hosts[b].address) }
        try await hosts[0].waitForPeers(3, on: "t", within: .seconds(20))
        _ = try await hosts[0].publish("from outside", to: "t", policy: policy)
        try await eventually("the message") { inboxes.allSatisfy { $0.texts == ["from outside"] } }
      }
    }
  }

  // BB-18, BT-88
  @Test(arguments: [Manner.gossipSub, .digestFirst])
  func `brings a message for some to these, straight or past others`(manner: Manner) async throws {
    let policy = TopicPolicy(spread: manner)
    try await withHosts(5) { hosts in
      try await withInboxes(hosts, on: "t", policy) { inboxes in
        try await Self.link(hosts, on: "t")
        let straight = try await hosts[0].publish(
          "straight", to: "t", for: .many([hosts[2].identity.peer, hosts[3].identity.peer]))
        #expect(straight.way == .direct && straight.sentTo == 2)
        let stranger = Identity.random().peer
        let past = try await hosts[0].publish(
          "past", to: "t", for: .many([hosts[4].identity.peer, stranger]))
        #expect(past.way == .fullOverlay)
        #expect(
          await hosts[0].decision(for: [hosts[4].identity.peer, stranger], size: 4, on: "t").choice
            == .fullOverlay)
        _ = try await hosts[1].publish("end", to: "t")
        try await eventually("the messages") {
          inboxes[2].count == 2 && inboxes[3].count == 2 && inboxes[4].count == 2 && inboxes[0].count == 1
        }
        #expect(Set(inboxes[2].texts) == ["straight", "end"] && Set(inboxes[4].texts) == ["past", "end"])
        #expect(inboxes[0].texts == ["end"] && inboxes[1].texts == [])
      }
    }
  }

  // CA-14
  @Test func `carries an object of several megabytes whole, and small messages meanwhile`() async throws {
    let policy = TopicPolicy(objects: ObjectPolicy(threshold: 100_000))
    let big = Payload((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 11) })
    try await withHosts(4) { hosts in
      let sizes = Sizes()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, host) in hosts.enumerated() {
          group.addTask {
            try await host.withSubscription(to: "t", policy) { incoming in
              for await case .message(let message, _) in incoming {
                await sizes.add(message.payload, at: index)
              }
            }
          }
        }
        for host in hosts {
          try await eventually("joined") { await host.snapshot.topics.contains { $0.topic == "t" } }
        }
        try await Self.link(hosts, on: "t")
        _ = try await hosts[0].publish(big, to: "t", policy: policy)
        _ = try await hosts[1].publish("small", to: "t", policy: policy)
        try await eventually("the object and the message") { await sizes.areComplete(big.count) }
        #expect(await sizes.isIntact(big))
        group.cancelAll()
      }
    }
  }

  private actor Sizes {
    private var payloads: [Int: [Payload]] = [:]

    func add(_ payload: Payload, at index: Int) { payloads[index, default: []].append(payload) }
    /// The object everywhere but at its author, the small message everywhere but at its own.
    func areComplete(_ big: Int) -> Bool {
      func sizes(_ index: Int) -> Set<Int> { Set((payloads[index] ?? []).map(\.count)) }
      return sizes(0) == [5] && sizes(1) == [big] && sizes(2) == [5, big] && sizes(3) == [5, big]
    }
    func isIntact(_ big: Payload) -> Bool {
      (1...3).allSatisfy { index in payloads[index]?.contains { $0 == big } == true }
    }
  }
}
