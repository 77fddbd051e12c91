/// A gossip peer without a host: a session that upgrades, subscribes and grafts, and then says nothing more.
///
/// Whoever drives it carries its bytes, and may stop reading them: a peer that never reads is one that a benchmark
/// can put beside real hosts.

public import GossipCore
import GossipLibp2p

/// One connection of such a peer, from the dialing side.
public struct BarePeer: Sendable {
  /// Who it is.
  public let id: PeerID
  /// Whether it has said that it is on the topic, and grafted; what is left of that is in `takeOutput`.
  public private(set) var hasJoined = false

  private let identity: Identity
  private let topic: Topic
  private var session: Session

  /// - Parameters:
  ///   - seed: makes the identity; the same seed, the same peer.
  ///   - connection: tells the connections of one peer apart.
  public init(seed: UInt8, connection: UInt8, on topic: Topic) {
    do { identity = try Identity(seed: Sample.seed(seed)) } catch {
      preconditionFailure("identity: \(error)")
    }
    id = identity.peer
    self.topic = topic
    session = Session(
      .dialer, SessionSettings(identity: identity, gossip: Manner.allCases.map(\.protocols)), expecting: nil,
      observed: nil, staticSeed: Sample.seed(connection), ephemeralSeed: Sample.seed(connection ^ 0x80),
      at: .zero)
  }

  /// Says the first words.
  public mutating func start(at now: Instant) { session.start(at: now) }

  /// Takes bytes of the transport, in any split.
  public mutating func receive(_ bytes: [UInt8], at now: Instant) {
    session.receive(bytes.span.bytes, at: now)
    while let event = session.nextEvent() {
      guard case .opened(family: 0, _) = event else { continue }
      var hello = Frame(.gossipSub)
      hello.subscriptions = [Subscription(topic, joins: true)]
      hello.controls = [.graft(topic)]
      hasJoined = session.send(hello.delimited, on: 0)
    }
  }

  /// Hands over the bytes for the transport.
  public mutating func takeOutput() -> [UInt8] {
    session.flush()
    return session.takeOutput()
  }
}

/// Such a peer that talks as much as it is let: for floods.
extension BarePeer {
  /// Queues a frame for the host.
  /// - Returns: false, and nothing is queued, if it would have to wait for the host's window.
  public mutating func say(_ frame: Frame) -> Bool {
    session.writable(on: 0) > 0 && session.send(frame.delimited, on: 0)
  }

  /// A message of ours. Signing takes some tens of microseconds: who floods does it beforehand.
  /// - Parameter isGenuine: whether the signature is ours, or garbage.
  public func message(_ number: UInt64, _ payload: Payload, isGenuine: Bool) -> WireMessage {
    let plain = WireMessage(topic: topic, payload: payload, author: id, sequence: number)
    let garbage = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 64)
    return plain.signed(isGenuine ? identity.sign(plain.signedBytes) : garbage)
  }

  /// Does what is due at this instant.
  public mutating func wake(at now: Instant) { session.wake(at: now) }
}
