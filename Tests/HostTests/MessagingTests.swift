import GossipCore
import GossipHost
import GossipLibp2p
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(4))) struct `Hosts` {
  @Test(arguments: Reach.allCases)
  func `exchange messages`(reach: Reach) async throws {
    try await withHosts(2, reach) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        try await hosts[0].connect(to: hosts[1].address)
        for (index, host) in hosts.enumerated() {
          try await host.waitForPeers(1, on: "t", within: .seconds(30))
          for number in 0..<20 { _ = try await host.publish(Payload("\(index)/\(number)"), to: "t") }
        }
        try await eventually("all messages") { inboxes.allSatisfy { $0.count == 20 } }
        #expect(Set(inboxes[1].texts) == Set((0..<20).map { "0/\($0)" }))
        #expect(Set(inboxes[0].texts) == Set((0..<20).map { "1/\($0)" }))
      }
    }
  }

  @Test func `slow down who publishes more than the queues hold, and lose nothing`() async throws {
    try await withHosts(3) {
      $0.subscriptionBuffer = 2_000
      $0.limits.queue.messages = 1 << 18
    } _: { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        for other in hosts.dropFirst() { try await hosts[0].connect(to: other.address) }
        try await hosts[0].waitForPeers(2, on: "t", within: .seconds(30))
        let filler = String(repeating: "x", count: 16_000)
        try await withTaskExecutorPreference(hosts[0].executor) {
          for number in 0..<1_000 { _ = try await hosts[0].publish(Payload("\(number) \(filler)"), to: "t") }
        }
        try await eventually("all messages") { inboxes.dropFirst().allSatisfy { $0.count == 1_000 } }
        #expect(await hosts[0].snapshot.counters.shed == 0)
      }
    }
  }

  @Test func `serve tasks on their own loop, and connections on all loops`() async throws {
    try await withHosts(3) {
      $0.spreadsConnections = true
    } _: { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        for other in hosts.dropFirst() { try await hosts[0].connect(to: other.address) }
        try await withTaskExecutorPreference(hosts[0].executor) {
          try await hosts[0].waitForPeers(2, on: "t", within: .seconds(30))
          for number in 0..<200 { _ = try await hosts[0].publish(Payload("\(number)"), to: "t") }
        }
        try await eventually("all messages") { inboxes.dropFirst().allSatisfy { $0.count == 200 } }
        let texts = (0..<200).map { "\($0)" }
        #expect(inboxes.dropFirst().allSatisfy { $0.texts.sorted() == texts.sorted() })
      }
    }
  }

  @Test(arguments: [0, 1, 65_536, 1_000_000])
  func `carry payloads of any size`(size: Int) async throws {
    try await withHosts(2) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        try await hosts[0].connect(to: hosts[1].address)
        try await hosts[0].waitForPeers(1, on: "t", within: .seconds(30))
        let published = try await hosts[0].publish(Payload([UInt8](repeating: 0x61, count: size)), to: "t")
        #expect(published.sentTo == 1)
        try await eventually("the message") { inboxes[1].texts.map(\.utf8.count) == [size] }
      }
    }
  }

  @Test func `wait for peers, so that the first message is not lost`() async throws {
    try await withHosts(2) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        async let found = hosts[0].waitForPeers(1, on: "t", within: .seconds(30))
        try await hosts[1].connect(to: hosts[0].address)
        #expect(try await found == 1)
        _ = try await hosts[0].publish("first", to: "t")
        try await eventually("the first message") { inboxes[1].texts == ["first"] }
      }
    }
  }

  @Test func `say how many peers were missing when time is up`() async throws {
    try await withHosts(1) { hosts in
      await #expect(
        throws: HostError.tooFewPeers(topic: "t", wanted: 2, found: 0, within: .milliseconds(50))
      ) { try await hosts[0].waitForPeers(2, on: "t", within: .milliseconds(50)) }
    }
  }

  @Test func `give evidence of a publication`() async throws {
    try await withHosts(4) { hosts in
      try await withInboxes(hosts, on: "t") { _ in
        for other in hosts.dropFirst() { try await hosts[0].connect(to: other.address) }
        try await hosts[0].waitForPeers(3, on: "t", within: .seconds(30))
        let published = try await hosts[0].publish("news", to: "t")
        #expect(published.sentTo == 3 && published.subscribers == 3)
        #expect(await published.reached(3, within: .seconds(5)) == 3)
        #expect(await published.reached(4, within: .milliseconds(50)) == 3)
      }
    }
  }

  @Test func `publish to nobody, and say so`() async throws {
    try await withHosts(1) { hosts in
      let published = try await hosts[0].publish("alone", to: "t")
      #expect(published.sentTo == 0 && published.subscribers == 0)
    }
  }

  // GS-16
  @Test func `refuse to publish what does not fit into a frame`() async throws {
    try await withHosts(1) { hosts in
      await #expect(throws: PublishFailure.tooLarge(bytes: 2_000_000, limit: (1 << 20) - 1_024)) {
        try await hosts[0].publish(Payload([UInt8](repeating: 0, count: 2_000_000)), to: "t")
      }
    }
  }

  // GS-124
  @Test func `drop only the slow reader's messages, and tell it how many`() async throws {
    try await withHosts(2) {
      $0.subscriptionBuffer = 8
    } _: { hosts in
      try await hosts[1].withSubscription(to: "t") { slow in
        try await withInboxes(hosts, on: "t") { inboxes in
          try await hosts[0].connect(to: hosts[1].address)
          try await hosts[0].waitForPeers(1, on: "t", within: .seconds(30))
          for number in 0..<50 {
            _ = try await hosts[0].publish(Payload("\(number)"), to: "t")
            try await eventually("the quick reader") { inboxes[1].count == number + 1 }
          }
          #expect(inboxes[1].missed == 0)
        }
        var iterator = slow.makeAsyncIterator()
        guard case .missed(let missed)? = await iterator.next() else {
          Issue.record("the slow reader was not told")
          return
        }
        #expect(missed == 42)
        guard case .message(let message, _)? = await iterator.next() else {
          Issue.record("no message")
          return
        }
        #expect(message.payload.text == "42")
      }
    }
  }

  @Test func `share one join between subscriptions of a topic`() async throws {
    try await withHosts(2) { hosts in
      try await hosts[0].connect(to: hosts[1].address)
      try await hosts[1].withSubscription(to: "t") { first in
        try await hosts[1].withSubscription(to: "t") { _ in
          try await hosts[0].waitForPeers(1, on: "t", within: .seconds(30))
        }
        // The second one has gone, the topic is still joined.
        _ = try await hosts[0].publish("still here", to: "t")
        var iterator = first.makeAsyncIterator()
        guard case .message(let message, _)? = await iterator.next() else {
          Issue.record("no message")
          return
        }
        #expect(message.payload.text == "still here")
      }
      try await eventually("unsubscribed") { await hosts[0].snapshot.peers.allSatisfy { $0.topics.isEmpty } }
    }
  }

  @Test func `refuse topics that no frame carries, and more than they may join`() async throws {
    try await withHosts(1) {
      $0.node.limits.topicsJoined = 1
    } _: { hosts in
      for name in ["", String(repeating: "x", count: 513)] {
        await #expect(throws: SubscriptionError.self) {
          try await hosts[0].withSubscription(to: Topic(name)) { _ in }
        }
      }
      try await hosts[0].withSubscription(to: "one") { _ in
        await #expect(throws: SubscriptionError.self) {
          try await hosts[0].withSubscription(to: "two") { _ in }
        }
        try await hosts[0].withSubscription(to: "one") { _ in }
      }
    }
  }

  @Test func `tell notices to every listener`() async throws {
    try await withHosts(2) { hosts in
      let notices = hosts[0].notices
      let peer = try await hosts[0].connect(to: hosts[1].address)
      for await notice in notices {
        if case .connected(let found, let link) = notice {
          #expect(found == peer && link.isOutbound)
          break
        }
      }
    }
  }

  // GS-18
  @Test func `never deliver what its author did not sign`() async throws {
    try await withHosts(2) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        let address = try await hosts[0].address
        let liar = HostilePeer()
        try await liar.connect(to: address)
        try await eventually("a stream") { await liar.isOpen }
        var frame = Frame(.gossipSub)
        frame.messages = [
          WireMessage(topic: "t", payload: "lie", author: hosts[1].identity.peer, sequence: 1)
            .signed([UInt8](repeating: 9, count: 64)),
          WireMessage(topic: "t", payload: "true", author: liar.id, sequence: 1),
        ]
        let genuine = frame.messages[1]
        frame.messages[1] = genuine.signed(liar.identity.sign(genuine.signedBytes))
        try await liar.say(frame)
        try await eventually("the genuine one") { inboxes[0].texts == ["true"] }
        #expect(await hosts[0].snapshot.counters.rejected == 1)
      }
    }
  }
}

@Suite(.timeLimit(.minutes(4))) struct `A judge` {
  private func pair(
    _ judge: @escaping Judge, _ change: (inout HostConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable ([Host], [Inbox]) async throws -> Void
  ) async throws {
    try await withHosts(2, .tcp, change) { hosts in
      try await hosts[0].withSubscription(to: "t") { _ in
        try await withInboxes([hosts[1]], on: "t", judge: judge) { inboxes in
          try await hosts[0].connect(to: hosts[1].address)
          try await hosts[0].waitForPeers(1, on: "t", within: .seconds(30))
          try await body(hosts, inboxes)
        }
      }
    }
  }

  // GS-115
  @Test func `lets through what it accepts, and blames for what it rejects`() async throws {
    let judge: Judge = { message, _ in
      switch message.payload.text {
      case "bad": .reject
      case "odd": .ignore
      default: .accept
      }
    }
    try await pair(judge) { hosts, inboxes in
      for text in ["bad", "odd", "good"] { _ = try await hosts[0].publish(Payload(text), to: "t") }
      try await eventually("the good one") { inboxes[0].texts == ["good"] }
      try await eventually("verdicts") {
        let counters = await hosts[1].snapshot.counters
        return counters.rejected == 1 && counters.ignored == 1
      }
      let observations = await hosts[1].snapshot.peers[0].observations
      #expect(observations.count == 1 && observations[0] == (.invalidMessage, 1))
    }
  }

  // GS-120
  @Test func `and the host's own judge: reject beats ignore beats accept`() async throws {
    let topical: Judge = { message, _ in message.payload.text.hasPrefix("a") ? .accept : .ignore }
    let general: Judge = { message, _ in message.payload.text.hasSuffix("z") ? .reject : .accept }
    try await pair(topical) {
      $0.judge = general
    } _: { hosts, inboxes in
      // The publisher's own judge is asked too.
      await #expect(throws: PublishFailure.judged(.reject)) { try await hosts[0].publish("az", to: "t") }
      for text in ["bb", "aa"] { _ = try await hosts[0].publish(Payload(text), to: "t") }
      try await eventually("the accepted one") { inboxes[0].texts == ["aa"] }
      try await eventually("the ignored one") { await hosts[1].snapshot.counters.ignored == 1 }
    }
  }

  // GS-121
  @Test func `that takes too long counts as ignore`() async throws {
    let gate = Gate()
    let judge: Judge = { message, _ in
      if message.payload.text == "slow" { await gate.wait() }  // and does not heed cancellation
      return .accept
    }
    try await pair(judge) {
      $0.judgePatience = .milliseconds(100)
    } _: { hosts, inboxes in
      _ = try await hosts[0].publish("slow", to: "t")
      _ = try await hosts[0].publish("quick", to: "t")
      try await eventually("the quick one") { inboxes[0].texts == ["quick"] }
      try await eventually("ignored") { await hosts[1].snapshot.counters.ignored == 1 }
      await gate.open()
    }
  }

  // GS-122, BB-V3
  @Test func `has a topic to itself, and so has an answerer`() async throws {
    try await withHosts(1) { hosts in
      try await hosts[0].withSubscription(
        to: "t", judge: { _, _ in .accept }, answer: { $0.payload }
      ) { _ in
        await #expect(throws: SubscriptionError.self) {
          try await hosts[0].withSubscription(to: "t", judge: { _, _ in .accept }) { _ in }
        }
        await #expect(throws: SubscriptionError.self) {
          try await hosts[0].withSubscription(to: "t", answer: { $0.payload }) { _ in }
        }
      }
      try await hosts[0].withSubscription(to: "t", judge: { _, _ in .accept }) { _ in }
    }
  }

  // GS-123
  @Test func `tells the publisher what it thinks`() async throws {
    try await withHosts(1) { hosts in
      try await hosts[0].withSubscription(to: "t", judge: { _, _ in .reject }) { _ in
        await #expect(throws: PublishFailure.judged(.reject)) { try await hosts[0].publish("x", to: "t") }
      }
    }
  }

  @Test func `that is slow stops the reading of the socket, not the node`() async throws {
    let gate = Gate()
    try await pair({ _, _ in
      await gate.wait()
      return .accept
    }) {
      $0.node.firewall.allowance = AllowanceParameters(fixed: 4)
    } _: { hosts, inboxes in
      for number in 0..<100 { _ = try await hosts[0].publish(Payload("\(number)"), to: "t") }
      try await eventually("paused") { await hosts[1].snapshot.peers.first?.isPaused == true }
      #expect(inboxes[0].count == 0)
      await gate.open()
      try await eventually("all messages") { inboxes[0].count == 100 }
      try await eventually("resumed") { await hosts[1].snapshot.peers.first?.isPaused == false }
    }
  }
}

/// Holds tasks until it is opened.
actor Gate {
  private var isOpen = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func wait() async {
    if !isOpen { await withCheckedContinuation { waiting.append($0) } }
  }

  func open() {
    isOpen = true
    for waiter in waiting { waiter.resume() }
    waiting = []
  }
}

@Suite(.timeLimit(.minutes(4))) struct `A request` {
  private static let policy = TopicPolicy(spread: .direct)

  private func network(
    _ count: Int, _ answer: @escaping Answerer, _ body: @escaping @Sendable ([Host]) async throws -> Void
  ) async throws {
    try await withHosts(count) { hosts in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for host in hosts {
          group.addTask {
            try await host.withSubscription(to: "t", Self.policy, answer: answer) { for await _ in $0 {} }
          }
        }
        for other in hosts.dropFirst() { try await hosts[0].connect(to: other.address) }
        try await eventually("everybody") { await hosts[0].snapshot.topics.first?.members.count == count - 1 }
        defer { group.cancelAll() }
        try await body(hosts)
      }
    }
  }

  // BB-V1
  @Test func `brings the handler's reply`() async throws {
    try await network(2, { Payload("echo \($0.payload.text)") }) { hosts in
      let replies = try await hosts[0].ask(.one(hosts[1].identity.peer), "hi", on: "t", within: .seconds(5))
      #expect(replies == [Reply(peer: hosts[1].identity.peer, answer: .success("echo hi"))])
    }
  }

  // BB-1, BB-V4, BB-V5
  @Test func `to all brings replies in the order of the recipients, failures among them`() async throws {
    struct Refusal: Error, CustomStringConvertible { let description = "not today" }
    try await network(
      6,
      { request in
        if request.payload.text == "who fails" { throw Refusal() }
        return Payload("fine")
      }
    ) { hosts in
      let order = hosts.dropFirst().reversed().map(\.identity.peer)
      let fine = try await hosts[0].ask(.many(order), "hello", on: "t", within: .seconds(5))
      #expect(fine.map(\.peer) == order && fine.allSatisfy { $0.answer == .success("fine") })
      let failed = try await hosts[0].ask(.everyone, "who fails", on: "t", within: .seconds(5))
      #expect(Set(failed.map(\.peer)) == Set(order) && failed.count == 5)
      #expect(failed.allSatisfy { $0.answer == .failure(.failed("not today")) })
    }
  }

  // BB-V2
  @Test func `on a topic nobody answers is refused, not lost`() async throws {
    try await network(2, { $0.payload }) { hosts in
      let replies = try await hosts[0].ask(
        .one(hosts[1].identity.peer), "hi", on: "other", within: .seconds(5))
      #expect(replies.map(\.answer) == [.failure(.unknownTopic)])
    }
  }

  // BB-V6
  @Test func `ends at its deadline and keeps what has come`() async throws {
    try await network(
      3,
      { request in
        if request.payload.text == "stuck" { try await Task.sleep(for: .seconds(60)) }
        return "ok"
      }
    ) { hosts in
      let start = ContinuousClock.now
      let peers = hosts.dropFirst().map(\.identity.peer)
      let replies = try await hosts[0].ask(.many(Array(peers)), "stuck", on: "t", within: .milliseconds(100))
      #expect(ContinuousClock.now - start < .seconds(5))
      #expect(replies.allSatisfy { $0.answer == .failure(.deadlineExceeded) })
    }
  }

  // BB-V7
  @Test func `that is cancelled cancels the remote handler`() async throws {
    let started = Gate()
    let cancelled = Gate()
    try await network(
      2,
      { _ in
        await started.open()
        do { try await Task.sleep(for: .seconds(60)) } catch {
          await cancelled.open()
          throw error
        }
        return "never"
      }
    ) { hosts in
      let peer = hosts[1].identity.peer
      let asking = Task { try await hosts[0].ask(.one(peer), "hi", on: "t", within: .seconds(60)) }
      await started.wait()
      asking.cancel()
      await cancelled.wait()
      await #expect(throws: CancellationError.self) { _ = try await asking.value }
    }
  }

  // BB-V12
  @Test func `to many with fewer than two is the caller's mistake`() async throws {
    try await network(2, { $0.payload }) { hosts in
      for audience: Audience in [.many([]), .many([hosts[1].identity.peer])] {
        await #expect(throws: AskRefusal.self) {
          try await hosts[0].ask(audience, "hi", on: "t", within: .seconds(1))
        }
      }
    }
  }

  // BB-V8
  @Test func `whose deadline has passed sends nothing`() async throws {
    try await network(2, { $0.payload }) { hosts in
      let before = await hosts[0].snapshot.counters.framesSent
      let replies = try await hosts[0].ask(.one(hosts[1].identity.peer), "hi", on: "t", within: .zero)
      #expect(replies.map(\.answer) == [.failure(.deadlineExceeded)])
      #expect(await hosts[0].snapshot.counters.framesSent == before)
    }
  }
}
