public import GossipCore
public import GossipLibp2p
public import Logging
public import NIOCore
import NIOPosix

/// Everything a host can be told at its birth; checked once, in `Host.init`.
public struct HostConfiguration: Sendable {
  /// Who this node is; a fresh identity by default.
  public var identity = Identity.random()
  /// Where to listen, `/ip4/…/tcp/PORT` or `/ip6/…/tcp/PORT`; port 0 lets the system choose. Empty: only dial.
  public var listen: [Multiaddr] = []
  /// Nodes to stay connected to, redialed with growing pauses for as long as the host runs.
  public var bootstrap: [Multiaddr] = []
  /// The protocol's own settings.
  public var node = Configuration()
  /// How peers are judged; a part of `node`.
  public var reputation: ReputationParameters {
    get { node.reputation }
    set { node.reputation = newValue }
  }
  /// Sockets, or memory.
  public var transport = Transport.tcp
  /// What identify tells others about this software.
  public var agent = "swift-gossip/0.1.0"
  /// What connections may cost.
  public var limits = HostLimits()
  /// Keeps who is barred over restarts; nil forgets.
  public var blacklistStore: (any BlacklistStore)?
  /// Keeps what is known of peers' conduct over restarts; nil forgets.
  public var scoreStore: (any ScoreStore)?
  /// Keeps sequence numbers over restarts, so that they rise even if the clock was set back; nil trusts the clock.
  public var sequenceStore: (any SequenceStore)?
  /// Judges every topic's messages, beside the topic's own judge.
  public var judge: Judge?
  /// A judge that takes longer counts as `ignore`.
  public var judgePatience: Duration?
  /// Messages a subscriber may lag behind before the oldest are dropped.
  public var subscriptionBuffer = 1_024
  /// Where rare things are told; silent by default.
  public var logger = Logger(label: "gossip", factory: { _ in SwiftLogNoOpLogHandler() })
  /// Loops for connections; one of them becomes the host's own.
  public var eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

  /// Whether connections live on all loops of the group, instead of the host's own. Encryption then uses several
  /// cores, and every message hops between threads: worth it for one host that moves hundreds of megabytes a second.
  public var spreadsConnections = false

  /// The defaults.
  public init() {}

  /// How peers are reached.
  public enum Transport: Sendable {
    case tcp
    /// Inside this process, without sockets.
    case memory(MemoryNetwork)
  }

  func validate() throws(ConfigurationError) {
    try node.validate()
    try limits.validate()
    guard subscriptionBuffer >= 1 else {
      throw ConfigurationError("subscriptionBuffer", expected: "at least 1", found: "\(subscriptionBuffer)")
    }
    for address in listen {
      guard case .tcp = transport else {
        throw ConfigurationError(
          "listen", expected: "no address with the memory transport, which chooses its own",
          found: "\(address)")
      }
      guard let endpoint = address.tcpEndpoint, endpoint.kind == .ip4 || endpoint.kind == .ip6 else {
        throw ConfigurationError("listen", expected: "/ip4/ADDRESS/tcp/PORT or /ip6/…", found: "\(address)")
      }
    }
  }
}

/// What connections may cost a host. Descriptors are counted too: beyond half of the process's limit no connection
/// is taken.
public struct HostLimits: Hashable, Sendable {
  /// Connections in all.
  public var connections = 512
  /// Connections of one peer; the newest beyond is closed.
  public var connectionsPerPeer = 4
  /// Connections that are not upgraded yet, in all and per remote address (loopback is free).
  public var upgrades = 64
  /// Of those, from one remote address.
  public var upgradesPerAddress = 8
  /// From the first byte to the running muxer. Go: 15 s.
  public var upgradePatience: Duration = .seconds(10)
  /// How long a dial may take until TCP is up.
  public var dialPatience: Duration = .seconds(10)
  /// Without progress for this long while something waits to be sent, a peer is closed.
  public var stallPatience: Duration = .seconds(10)
  /// How long a publication waits for room while the queues of more than a third of the peers are half full; 0 does
  /// not wait.
  public var publishPatience: Duration = .seconds(1)
  /// How long leaving may take.
  public var farewellPatience: Duration = .seconds(2)
  /// Garbled frames and limits overstepped by one peer within a minute, before it is disconnected.
  public var faultsPerMinute = 16
  /// Bytes that may wait for one peer, per manner and lane.
  public var queue = SendQueue.Bounds()

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("connections", connections), ("connectionsPerPeer", connectionsPerPeer), ("upgrades", upgrades),
      ("upgradesPerAddress", upgradesPerAddress), ("faultsPerMinute", faultsPerMinute),
    ] where value < 1 {
      throw ConfigurationError("limits.\(name)", expected: "at least 1", found: "\(value)")
    }
    for (name, value) in [
      ("upgradePatience", upgradePatience), ("dialPatience", dialPatience), ("stallPatience", stallPatience),
    ] where value <= .zero {
      throw ConfigurationError("limits.\(name)", expected: "more than 0", found: "\(value)")
    }
  }
}

extension Identity {
  /// A fresh Ed25519 identity from the system's dice.
  public static func random() -> Identity {
    do { return try Identity(seed: Dice.bytes(32)) } catch {
      preconditionFailure("a fresh seed was refused: \(error)")
    }
  }
}

/// Unpredictable bytes, and the clock: the two things the layers below must not have.
enum Dice {
  static func bytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}

extension Instant {
  /// The monotonic clock's reading.
  package static var present: Instant { Instant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds)) }
}

extension NIODeadline {
  init(_ instant: Instant) { self = .uptimeNanoseconds(UInt64(max(0, instant.nanoseconds))) }
}

/// What the application thinks of a message, and of the peer that brought it; our own id for what we publish.
public typealias Judge = @Sendable (Message, PeerID) async -> Verdict

/// Answers a peer's request. Cancelled when the asker gives up; what it throws travels back as text.
public typealias Answerer = @Sendable (Request) async throws -> Payload

/// A peer's request.
public struct Request: Sendable {
  /// Where it was asked.
  public let topic: Topic
  /// What was asked.
  public let payload: Payload
  /// Who asks.
  public let peer: PeerID
  /// How long the asker waits.
  public let patience: Duration
}
