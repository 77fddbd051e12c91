import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import NIOCore
import NIOPosix
import Testing

@Suite(.timeLimit(.minutes(4))) struct `Connections` {
  // LP-65
  @Test func `that are dialed at once make one peer, and traffic once`() async throws {
    try await withHosts(2) { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        let (a, b) = (try await hosts[0].address, try await hosts[1].address)
        async let one = hosts[0].connect(to: a == b ? a : b)
        async let other = hosts[1].connect(to: a)
        _ = try? await one
        _ = try? await other
        for (host, peer) in [(hosts[0], hosts[1]), (hosts[1], hosts[0])] {
          try await host.waitForPeers(1, on: "t", within: .seconds(30))
          #expect(await host.snapshot.peers.map(\.id) == [peer.identity.peer])
        }
        for number in 0..<20 { _ = try await hosts[0].publish(Payload("\(number)"), to: "t") }
        try await eventually("all messages") { inboxes[1].count == 20 }
        #expect(Set(inboxes[1].texts).count == 20)
      }
    }
  }

  // LP-66
  @Test func `to somebody else than meant are refused, and say who answered`() async throws {
    try await withHosts(2) { hosts in
      let stranger = Identity.random().peer
      let address = try #require(try await hosts[1].address.withoutPeer).with(stranger)
      let error = await #expect(throws: DialError.self) { try await hosts[0].connect(to: address) }
      let text = try #require(error).description
      #expect(text.contains("\(stranger)") && text.contains("\(hosts[1].identity.peer)"), "\(text)")
      #expect(await hosts[1].snapshot.peers.isEmpty)
    }
  }

  // LP-66
  @Test func `to ourselves are refused`() async throws {
    try await withHosts(1) { hosts in
      await #expect(throws: DialError.self) {
        try await hosts[0].connect(to: try await hosts[0].address)
      }
      let nameless = try #require(try await hosts[0].address.withoutPeer)
      await #expect(throws: DialError.self) { try await hosts[0].connect(to: nameless) }
      try await eventually("nobody") { await hosts[0].snapshot.peers.isEmpty }
    }
  }

  // LP-66
  @Test func `to where nobody listens fail with a reason`() async throws {
    try await withHosts(1) { hosts in
      let nowhere = try Multiaddr("/ip4/127.0.0.1/tcp/1")
      let error = await #expect(throws: DialError.self) { try await hosts[0].connect(to: nowhere) }
      #expect(try #require(error).reason.lowercased().contains("refused"))
      let udp = try Multiaddr("/ip4/127.0.0.1/udp/1")
      await #expect(throws: DialError.self) { try await hosts[0].connect(to: udp) }
    }
  }

  // LP-67
  @Test func `beyond the limit are refused, and taken again when there is room`() async throws {
    try await withHosts(4) {
      $0.limits.connections = 2
    } _: { hosts in
      let address = try await hosts[0].address
      for host in hosts[1...2] { try await host.connect(to: address) }
      await #expect(throws: DialError.self) { try await hosts[3].connect(to: address) }
      await hosts[1].disconnect(hosts[0].identity.peer)
      try await eventually("room") { await hosts[0].snapshot.peers.count == 1 }
      try await hosts[3].connect(to: address)
      try await eventually("both") { await hosts[0].snapshot.peers.count == 2 }
    }
  }

  @Test func `to bootstrap nodes are made again when they were lost`() async throws {
    try await withHosts(1) { hosts in
      let address = try await hosts[0].address
      try await withHosts(1) {
        $0.bootstrap = [address]
      } _: { others in
        try await eventually("connected") { await others[0].snapshot.peers.count == 1 }
        try await eventually("seen from both ends") { await hosts[0].snapshot.peers.count == 1 }
        var notices = others[0].notices.makeAsyncIterator()
        await hosts[0].disconnect(others[0].identity.peer)
        var wasLost = false
        while let notice = await notices.next() {
          if case .disconnected = notice { wasLost = true }
          if case .connected(let peer, _) = notice, wasLost {
            #expect(peer == hosts[0].identity.peer)
            break
          }
        }
        #expect(wasLost)
      }
    }
  }

  @Test func `tell what the peer is`() async throws {
    try await withHosts(2) { hosts in
      try await hosts[0].connect(to: hosts[1].address)
      try await eventually("identify and a ping") {
        await hosts[0].peers.first.map { $0.agent != nil && $0.roundTrip != nil } == true
      }
      let details = try #require(await hosts[0].peers.first)
      #expect(details.agent?.hasPrefix("swift-gossip/") == true)
      #expect(
        details.protocols.contains("/meshsub/1.2.0")
          && details.protocols.contains("/ipfs/ping/1.0.0"))
      let listening = try #require(try await hosts[1].address.withoutPeer)
      #expect(details.listenAddresses == [listening])
      #expect(details.isOutbound)
    }
  }
}

/// How an attacker leaves or stays, at some stage of a connection.
enum Attack: String, CaseIterable, Sendable { case silence, halfClose, reset, garbage, drip }

/// What it said before that, byte for byte as an honest dialer would.
enum Opening: String, CaseIterable, Sendable {
  case nothing, header, proposal, halfANoiseMessage

  var bytes: [UInt8] {
    let header = [0x13] + Array("/multistream/1.0.0\n".utf8)
    let proposal = [0x07] + Array("/noise\n".utf8)
    return switch self {
    case .nothing: []
    case .header: header
    case .proposal: header + proposal
    case .halfANoiseMessage: header + proposal + [0, 32] + [UInt8](repeating: 5, count: 16)
    }
  }
}

@Suite(.serialized, .timeLimit(.minutes(4))) struct `A hostile stranger` {
  // LP-18, LP-30, LP-64
  @Test(arguments: Attack.allCases, Opening.allCases)
  func `is dropped by the deadline with a logged reason, and nobody else notices`(
    attack: Attack, opening: Opening
  ) async throws {
    let book = LogBook()
    try await withHosts(2) {
      $0.logger = book.logger
      $0.limits.upgradePatience = .seconds(1)
    } _: { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        try await hosts[1].connect(to: hosts[0].address)
        try await hosts[1].waitForPeers(1, on: "t", within: .seconds(30))
        let stranger = try await RawPeer.connect(to: try await hosts[0].address)
        try await stranger.write(opening.bytes)
        let dripping = Task {
          switch attack {
          case .silence: break
          case .halfClose: try await stranger.halfClose()
          case .reset: try await stranger.reset()
          case .garbage: try await stranger.write([UInt8](repeating: 0xfe, count: 3_000))
          case .drip:
            while !Task.isCancelled {
              try await stranger.write([0x01])
              try await Task.sleep(for: .milliseconds(20))
            }
          }
        }
        defer {
          dripping.cancel()
          stranger.close()
        }
        try await eventually("dropped") {
          book.contains("connection dropped before it was a peer", "reason=")
        }
        _ = try await hosts[1].publish("unharmed", to: "t")
        try await eventually("traffic") { inboxes[0].texts == ["unharmed"] }
        #expect(await hosts[0].snapshot.peers.count == 1)
      }
    }
  }

  @Test func `that resets after filling the read buffer leaves no ghost behind`() async throws {
    try await withHosts(2) {
      $0.limits.upgrades = 8
      $0.limits.upgradePatience = .seconds(2)
    } _: { hosts in
      let address = try await hosts[0].address
      let opening = Opening.proposal.bytes + [0xff, 0xff]
      for round in 0..<150 {
        let stranger = try await RawPeer.connect(to: address)
        let filler = [UInt8](repeating: 7, count: 2_048 * (1 + round % 8) - opening.count)
        try? await stranger.write(opening + filler)  // it may have been refused
        try? await stranger.reset()
      }
      // Once their time is up, there is room for an honest peer.
      try await eventually("room") { (try? await hosts[1].connect(to: address)) != nil }
    }
  }

  @Test func `cannot open more upgrades than allowed`() async throws {
    let book = LogBook()
    try await withHosts(1) {
      $0.logger = book.logger
      $0.limits.upgrades = 4
    } _: { hosts in
      let address = try await hosts[0].address
      var strangers: [RawPeer] = []
      for _ in 0..<10 { strangers.append(try await RawPeer.connect(to: address)) }
      try await eventually("refusals") { book.contains("connection refused", "are being upgraded") }
      for stranger in strangers { stranger.close() }
      try await eventually("room again") { (try? await RawPeer.connect(to: address)) != nil }
    }
  }
}

/// A hostile peer is connected to the first of two hosts, and when it has done its worst, they still hear each other.
private func attack(
  _ change: (inout HostConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable (HostilePeer, [Host], [Inbox]) async throws -> Void
) async throws {
  try await withHosts(2, .tcp, change) { hosts in
    try await withInboxes(hosts, on: "t") { inboxes in
      try await hosts[1].connect(to: hosts[0].address)
      try await hosts[1].waitForPeers(1, on: "t", within: .seconds(30))
      let peer = HostilePeer()
      try await peer.connect(to: try await hosts[0].address)
      try await eventually("a stream") { await peer.isOpen }
      defer { Task { await peer.close() } }
      try await body(peer, hosts, inboxes)
      _ = try await hosts[1].publish("unharmed", to: "t")
      try await eventually("traffic") { inboxes[0].texts.contains("unharmed") }
    }
  }
}

@Suite(.timeLimit(.minutes(4))) struct `A hostile peer` {
  /// The peer is a mesh partner that reads nothing from now on.
  private func joinAndStopReading(_ peer: HostilePeer, _ host: Host) async throws {
    var frame = Frame(.gossipSub)
    frame.subscriptions = [Subscription("t", joins: true)]
    frame.controls = [.graft("t")]
    try await peer.say(frame)
    try await eventually("two members") { await host.snapshot.topics[0].members.count == 2 }
    try await peer.stopReading()
  }

  @Test func `or an honest one that exceeds a budget is made to wait, and stays`() async throws {
    let book = LogBook()
    try await withHosts(2) {
      $0.logger = book.logger
      $0.limits.faultsPerMinute = 2
      $0.node.firewall.budgets.messages.things = Budget(rate: 200, burst: 4)
    } _: { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        try await hosts[1].connect(to: hosts[0].address)
        try await hosts[1].waitForPeers(1, on: "t", within: .seconds(30))
        for number in 0..<100 {
          _ = try await hosts[1].publish(Payload("number \(number)"), to: "t")
        }
        try await eventually("all of them") { inboxes[0].count == 100 }
        #expect(book.contains("reading paused", "\(hosts[1].identity.peer)"))
        #expect(await hosts[0].snapshot.peers.count == 1)
        #expect(!book.contains("disconnected", "faults within a minute"))
      }
    }
  }

  // GS-8
  @Test func `that goes on sending garbage is counted and dropped`() async throws {
    let book = LogBook()
    try await attack {
      $0.logger = book.logger
      $0.limits.faultsPerMinute = 4
    } _: { peer, hosts, _ in
      var used = 0
      while true {
        // Each stream is good for one piece of garbage: then it is reset.
        let last = used
        try await eventually("another stream, or the end") {
          await peer.wake()
          let (openings, hasEnded) = await (peer.openings, peer.hasEnded)
          return openings > last || hasEnded
        }
        used = await peer.openings
        guard await !peer.hasEnded else { break }
        let before = await hosts[0].snapshot.counters.garbled
        guard (try? await peer.say([4, 0xff, 0xff, 0xff, 0xff])) != nil else { continue }
        try await eventually("counted, or the end") {
          if await peer.hasEnded { return true }
          return await hosts[0].snapshot.counters.garbled > before
        }
      }
      try await eventually("the end") { await peer.hasEnded }
      try await eventually("told") {
        book.contains("disconnected", "\(peer.id)", "faults within a minute")
      }
      #expect(await hosts[0].snapshot.counters.garbled > 4)
    }
  }

  // GS-7
  @Test func `cannot send a frame over the maximum`() async throws {
    try await attack { peer, hosts, _ in
      var length: [UInt8] = []
      Varint.append(1 << 20 + 1, to: &length)
      try await peer.say(length)
      try await eventually("counted") { await hosts[0].snapshot.counters.garbled == 1 }
    }
  }

  // GS-145
  @Test func `that never reads is closed, and its queue stays at its bound`() async throws {
    let book = LogBook()
    try await attack {
      $0.logger = book.logger
      $0.limits.stallPatience = .seconds(3)
      $0.limits.queue.messages = 1 << 20
      $0.limits.publishPatience = .zero  // one of two peers is more than a third
    } _: { peer, hosts, inboxes in
      try await joinAndStopReading(peer, hosts[0])
      for number in 0..<400 {
        let size = 50_000
        _ = try await hosts[0].publish(
          Payload([UInt8](repeating: UInt8(number % 256), count: size)), to: "t")
        try await eventually("the other peer") { inboxes[1].count == number + 1 }
        if await hosts[0].snapshot.counters.shed > 0 { break }
      }
      #expect(await hosts[0].snapshot.counters.shed > 0)
      try await eventually("closed") { book.contains("disconnected", "\(peer.id)", "stalled") }
    }
  }

  // GS-145
  @Test func `that never reads disturbs no stream between the others`() async throws {
    try await attack {
      $0.limits.stallPatience = .seconds(60)
      $0.limits.queue.messages = 1 << 19
      $0.limits.publishPatience = .zero  // one of two peers is more than a third
      $0.subscriptionBuffer = 8_192
    } _: { peer, hosts, inboxes in
      try await joinAndStopReading(peer, hosts[0])
      let filler = String(repeating: "x", count: 6_000)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, host) in hosts.enumerated() {
          group.addTask(executorPreference: host.executor) {
            for number in 1...1_500 {
              _ = try await host.publish(Payload("\(number) \(filler)"), to: "t")
              guard number % 50 == 0 else { continue }
              try await eventually("message \(number)") { inboxes[1 - index].count >= number }
            }
          }
        }
        try await group.waitForAll()
      }
      try await eventually("both streams") {
        inboxes.allSatisfy { $0.count == 1_500 && $0.missed == 0 }
      }
      #expect(await hosts[0].snapshot.counters.shed > 0)
    }
  }
}

/// One after the other, and apart from other suites: they look at the memory of the whole process.
@Suite(.serialized, .timeLimit(.minutes(4))) struct `A flood` {
  @Test
  func `for a slow judge waits in its own kernel, and costs a bounded amount of memory`()
    async throws
  {
    let gate = Gate()
    try await attack {
      $0.judge = { message, _ in
        if message.payload.text.hasPrefix("flood") { await gate.wait() }
        return .accept
      }
      $0.node.firewall.allowance = AllowanceParameters(fixed: 8)
    } _: { peer, hosts, _ in
      let before = await hosts[0].traffic.received
      let residentBefore = residentBytes()
      let flooding = Task {
        for number in 0..<2_000 {
          var frame = Frame(.gossipSub)
          let filler = String(repeating: "x", count: 16_000)
          let message = WireMessage(
            topic: "t", payload: Payload("flood \(number) \(filler)"), author: peer.id,
            sequence: UInt64(number))
          frame.messages = [message.signed(peer.identity.sign(message.signedBytes))]
          try await peer.say(frame)
        }
      }
      try await eventually("paused") {
        await hosts[0].snapshot.peers.first { $0.id == peer.id }?.isPaused == true
      }
      // Its 32 MB do not come in; what is open is what one burst brought, not what it sent.
      try await eventually("a standstill") {
        let first = await hosts[0].traffic.received
        try await Task.sleep(for: .milliseconds(200))
        return await hosts[0].traffic.received == first
      }
      let taken = await hosts[0].traffic.received - before
      #expect(taken < 4 << 20, "\(taken) bytes were read")
      #expect(await hosts[0].snapshot.sizes.checks < 100)
      #expect(residentBytes() - residentBefore < 64 << 20, "resident memory grew")
      flooding.cancel()
      await gate.open()
    }
  }

  // BT-45
  @Test(arguments: [true, false])
  func `of messages, signed or not, costs bounded memory, and honest messages still come`(
    isGenuine: Bool
  )
    async throws
  {
    try await withHosts(3) {
      $0.node.limits.storeSizeMax = 8 << 20
    } _: { hosts in
      try await withInboxes(hosts, on: "t") { inboxes in
        for host in hosts[1...] { try await host.connect(to: hosts[0].address) }
        try await hosts[0].waitForPeers(2, on: "t", within: .seconds(30))
        let peer = HostilePeer()
        try await peer.connect(to: try await hosts[0].address)
        try await eventually("a stream") { await peer.isOpen }
        var greeting = Frame(.gossipSub)
        greeting.subscriptions = [Subscription("t", joins: true)]
        try await peer.say(greeting)
        let before = residentBytes()
        let flooding = Task {
          let filler = String(repeating: "x", count: 16_000)
          for number in 0..<4_000 {
            try Task.checkCancellation()
            var frame = Frame(.gossipSub)
            let message = WireMessage(
              topic: "t", payload: Payload("flood \(number) \(filler)"), author: peer.id,
              sequence: UInt64(number))
            let garbage = [UInt8](repeating: 7, count: 64)
            let bytes = message.signedBytes
            frame.messages = [message.signed(isGenuine ? peer.identity.sign(bytes) : garbage)]
            try await peer.say(frame)
          }
        }
        for number in 0..<20 {
          _ = try await hosts[1].publish(Payload("honest \(number)"), to: "t")
          try await eventually("message \(number)", within: .seconds(20)) {
            inboxes[2].texts.contains("honest \(number)")
          }
        }
        flooding.cancel()
        #expect(residentBytes() - before < 160 << 20, "resident memory grew")
        if !isGenuine {
          try await eventually("seen through") {
            await hosts[0].explain(peer.id).map { $0.verdict == .blocked } == true
          }
        }
        await peer.close()
      }
    }
  }
}

/// Resident memory of this process, bytes.
func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var (size, resident) = (0, 0)
  withUnsafeMutablePointer(to: &size) { size in
    withUnsafeMutablePointer(to: &resident) { resident in
      _ = withVaList([size, resident]) { vfscanf(file, "%ld %ld", $0) }
    }
  }
  return resident * Int(sysconf(Int32(_SC_PAGESIZE)))
}
