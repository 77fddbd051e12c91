import Crypto
import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Synchronization
import Testing

/// Foundation has a `Host` of its own.
typealias Host = GossipHost.Host

/// One node of ours on loopback TCP, with everything it received.
final class Ours: Sendable {
  let host: Host
  let address: Multiaddr
  private let topic: Topic
  private let hashes: Hashes
  private let peers = Mutex<[PeerProcess]>([])

  /// Hashes of received payloads, in hex.
  private final class Hashes: Sendable {
    let received = Mutex<[String]>([])
  }

  private init(host: Host, address: Multiaddr, topic: Topic, hashes: Hashes) {
    (self.host, self.address, self.topic, self.hashes) = (host, address, topic, hashes)
  }

  /// Runs `body` with a node that is on `topic`.
  static func run(topic: Topic, _ body: @escaping @Sendable (Ours) async throws -> Void) async throws {
    var configuration = HostConfiguration()
    configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
    let host = try Host(configuration)
    let hashes = Hashes()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await host.run() }
      let address = try await host.listening()[0]
      try await host.withSubscription(to: topic, TopicPolicy()) { incoming in
        let ours = Ours(host: host, address: address, topic: topic, hashes: hashes)
        try await withThrowingTaskGroup(of: Void.self) { inner in
          inner.addTask {
            for await case .message(let message, _) in incoming {
              hashes.received.withLock { $0.append(hex(SHA256.hash(data: message.payload.bytes))) }
            }
          }
          defer {
            inner.cancelAll()
            for peer in ours.peers.withLock({ $0 }) { peer.stop() }
          }
          try await body(ours)
        }
      }
      group.cancelAll()
    }
  }

  /// Starts a peer and links it with us.
  func start(
    _ kind: PeerProcess.Kind, _ dialer: `Our node and real libp2p peers`.Dialer, _ arguments: [String]
  ) async throws -> PeerProcess {
    let common = ["--topic", topic.name, "--timeout", "100"]
    switch dialer {
    case .theirs:
      let peer = try PeerProcess(kind, common + ["--connect", "\(address)"] + arguments)
      peers.withLock { $0.append(peer) }
      _ = try await peer.address()
      return peer
    case .ours:
      let peer = try PeerProcess(kind, common + arguments)
      peers.withLock { $0.append(peer) }
      _ = try await host.connect(to: try await peer.address())
      return peer
    }
  }

  /// Publishes different payloads once somebody is on the topic; their hashes.
  func publish(_ count: Int, size: Int, pause: Duration = .milliseconds(5)) async throws -> Set<String> {
    _ = try await host.waitForPeers(1, on: topic, within: .seconds(30))
    var published: Set<String> = []
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<count {
      let bytes = (0..<size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      _ = try await host.publish(Payload(bytes), to: topic)
      published.insert(hex(SHA256.hash(data: bytes)))
      try await Task.sleep(for: pause)  // the Go peer drops what its reader has not taken: 32 messages
    }
    return published
  }

  /// Waits until exactly these hashes came, `count` messages in all.
  func waitForHashes(_ wanted: Set<String>, count: Int) async throws {
    try await eventually("\(count) messages") {
      let received = self.hashes.received.withLock { $0 }
      return received.count >= count && Set(received) == wanted
    }
    #expect(hashes.received.withLock { $0.count } == count)
  }

  func waitUntil(_ what: String, _ holds: @escaping @Sendable (Snapshot) -> Bool) async throws {
    try await eventually(what) { await holds(self.host.snapshot) }
  }

  /// What is known of the peers, once `find` finds what it wants in it.
  func details<R: Sendable>(_ find: @escaping @Sendable ([PeerDetails]) -> R?) async throws -> R {
    let found = Mutex<R?>(nil)
    try await eventually("peer details") {
      let result = find(await self.host.peers)
      found.withLock { $0 = result }
      return result != nil
    }
    return found.withLock { $0! }
  }
}

/// Looks again and again until `holds`, at most for a minute.
func eventually(_ what: String, _ holds: @escaping @Sendable () async -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while await !holds() {
    guard ContinuousClock.now < deadline else {
      throw PeerProcess.Missing(description: "no \(what) in a minute")
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}

func hex(_ digest: some Sequence<UInt8>) -> String {
  digest.map { String($0, radix: 16).leftPadded(to: 2) }.joined()
}

extension String {
  fileprivate func leftPadded(to width: Int) -> String { String(repeating: "0", count: width - count) + self }
}
