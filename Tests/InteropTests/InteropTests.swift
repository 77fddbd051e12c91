import Crypto
import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Testing

/// Our node with real Go and Python libp2p nodes, on loopback.
///
/// The peers come from `Interop/setup`; without it these tests are skipped, in CI they must run.
@Suite(
  .enabled(if: PeerProcess.isAvailable || ProcessInfo.processInfo.environment["CI"] == "true"), .serialized)
struct `Our node and real libp2p peers` {
  enum Dialer: String, CaseIterable, Sendable { case ours, theirs }

  // LP-69
  @Test(.timeLimit(.minutes(3)), arguments: [PeerProcess.Kind.go, .python], Dialer.allCases)
  func `exchange 100 messages each way, whoever dials`(kind: PeerProcess.Kind, dialer: Dialer) async throws {
    try await Ours.run(topic: "interop") { ours in
      let peer = try await ours.start(kind, dialer, ["--publish", "100", "--expect", "100"])
      let hashes = try await ours.publish(100, size: 64)
      try await expectEqual(ours, peer, hashes)
      #expect(try await peer.wait("done") { $0.events("done").first?["published"] as? Double } == 100)
    }
  }

  // LP-71
  @Test(.timeLimit(.minutes(3)), arguments: [PeerProcess.Kind.go, .python], [0, 1, 65_536, 1_000_000])
  func `exchange payloads from nothing to a megabyte`(kind: PeerProcess.Kind, size: Int) async throws {
    try await Ours.run(topic: "interop") { ours in
      let peer = try await ours.start(
        kind, .theirs, ["--publish", "3", "--expect", "3", "--size", "\(size)", "--interval", "0.2"])
      let hashes = try await ours.publish(3, size: size, pause: .milliseconds(200))
      if size == 0 {
        // All three payloads are the same bytes; the messages are told apart by their ids.
        _ = try await peer.wait("three messages each way") { $0.events("done").first.map { _ in true } }
        try await ours.waitForHashes(Set(peer.publishedHashes), count: 3)
      } else {
        try await expectEqual(ours, peer, hashes)
      }
    }
  }

  // LP-73
  @Test(.timeLimit(.minutes(3)))
  func `carry messages between Go and Python in the middle of a line`() async throws {
    try await Ours.run(topic: "interop") { ours in
      let arguments = ["--publish", "50", "--expect", "50", "--min-peers", "1", "--settle", "4"]
      let go = try await ours.start(.go, .theirs, arguments)
      let python = try await ours.start(.python, .theirs, arguments)
      for peer in [go, python] {
        _ = try await peer.wait("done", within: .seconds(90)) { $0.events("done").first.map { _ in true } }
      }
      #expect(Set(go.receivedHashes) == Set(python.publishedHashes))
      #expect(Set(python.receivedHashes) == Set(go.publishedHashes))
      #expect(go.receivedHashes.count == 50 && python.receivedHashes.count == 50)
    }
  }

  // LP-70
  @Test(.timeLimit(.minutes(2)), arguments: ["1.0", "1.1", "1.2"])
  func `settle with Python on the newest version both speak`(version: String) async throws {
    try await Ours.run(topic: "interop") { ours in
      let peer = try await ours.start(.python, .theirs, ["--protocol", version])
      let theirs = try await peer.wait("connected") { $0.events("connected").first?["pubsub"] as? String }
      #expect(theirs == "/meshsub/\(version).0")
      try await ours.waitUntil("our stream speaks \(version)") {
        $0.peers.first?.speaks.contains(ProtocolName("/meshsub/\(version).0")) == true
      }
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func `speaks 1.1 with Go`() async throws {
    try await Ours.run(topic: "interop") { ours in
      _ = try await ours.start(.go, .theirs, [])
      try await ours.waitUntil("our stream speaks 1.1") {
        $0.peers.first?.speaks.contains("/meshsub/1.1.0") == true
      }
    }
  }

  @Test(.timeLimit(.minutes(2)))
  func `says IDONTWANT to Python and hears it from Python`() async throws {
    try await Ours.run(topic: "interop") { ours in
      try await Ours.run(topic: "interop") { second in
        try await second.host.connect(to: ours.address)
        let python = try await ours.start(
          .python, .theirs, ["--protocol", "1.2", "--connect", "\(second.address)"])
        for node in [ours, second] {
          try await node.waitUntil("a mesh of two") { $0.topics.first?.partners.count == 2 }
        }
        _ = try await ours.publish(20, size: 4_096, pause: .milliseconds(50))
        _ = try await python.wait("IDONTWANT from us") { $0.events("idontwant").first.map { _ in true } }
        try await ours.waitUntil("IDONTWANT from Python") { $0.counters.dontWantsReceived > 0 }
      }
    }
  }

  @Test(.timeLimit(.minutes(2)), arguments: [PeerProcess.Kind.go, .python])
  func `answer identify and ping`(kind: PeerProcess.Kind) async throws {
    try await Ours.run(topic: "interop") { ours in
      let peer = try await ours.start(kind, .theirs, kind == .python ? ["--ping"] : [])
      let details = try await ours.details { $0.first { $0.agent != nil && $0.roundTrip != nil } }
      #expect(details.agent?.hasPrefix(kind == .go ? "p2pd/" : "py-libp2p/") == true)
      #expect(details.protocols.contains("/ipfs/id/1.0.0"))
      if kind == .python {
        #expect(try await peer.wait("ping answer") { $0.events("ping").first?["rtt_ms"] as? Double } >= 0)
        let agent = try await peer.wait("our identify") { $0.events("identified").first?["agent"] as? String }
        #expect(agent.hasPrefix("swift-gossip/"))
      }
    }
  }

  // LP-72
  @Test(.timeLimit(.minutes(2)), arguments: [TheirKey.rsa, .ecdsa])
  func `verify peers with other keys than ours`(key: TheirKey) async throws {
    try await Ours.run(topic: "interop") { ours in
      let arguments = ["--publish", "10", "--expect", "10", "--key-hex", key.hex]
      let peer = try await ours.start(.go, .theirs, arguments)
      let hashes = try await ours.publish(10, size: 64)
      try await expectEqual(ours, peer, hashes)
    }
  }

  // LP-74
  @Test(.timeLimit(.minutes(2)))
  func `find a killed Go peer again after it restarts`() async throws {
    try await Ours.run(topic: "interop") { ours in
      let first = try await ours.start(.go, .theirs, [])
      try await ours.waitUntil("the peer") { !$0.peers.isEmpty }
      first.kill()
      try await ours.waitUntil("nobody") { $0.peers.isEmpty }
      let second = try await ours.start(.go, .theirs, ["--publish", "5", "--expect", "5"])
      let hashes = try await ours.publish(5, size: 64)
      try await expectEqual(ours, second, hashes)
    }
  }

  /// Everything we published is at the peer once, everything it published is with us once.
  private func expectEqual(_ ours: Ours, _ peer: PeerProcess, _ published: Set<String>) async throws {
    _ = try await peer.wait("all our messages") { Set($0.receivedHashes) == published ? true : nil }
    #expect(peer.receivedHashes.count == published.count)
    let count = try await peer.wait("all its own messages") { peer in
      peer.events("done").isEmpty ? nil : peer.publishedHashes.count
    }
    try await ours.waitForHashes(Set(peer.publishedHashes), count: count)
  }
}

/// Identities of types we do not create, as libp2p PrivateKey messages.
enum TheirKey: String, CustomTestStringConvertible, Sendable {
  case rsa, ecdsa

  var testDescription: String { rawValue }
  var hex: String {
    switch self {
    case .ecdsa:
      "08031279307702010104203e5b1fe9712e6c314942a750bd67485de3c1efe85b1bfb520ae8f9ae3dfa4a4ca00a06082a8648ce3d0301"
        + "07a14403420004de3d300fa36ae0e8f5d530899d83abab44abf3161f162a4bc901d8e6ecda020e8b6d5f8da30525e71d6851510c"
        + "098e5c47c646a597fb4dcec034e9f77c409e62"
    case .rsa: RSAKey.freshHex
    }
  }
}
