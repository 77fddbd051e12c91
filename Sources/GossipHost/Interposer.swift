package import GossipCore
package import GossipLibp2p
import NIOCore

/// What stands between a host and its node, where something does: a demonstration or a test has it hear and say other
/// things than the node would, on real connections.
package protocol Interposer: Sendable {
  /// When it wants to be woken, besides the node.
  var deadline: Instant? { get }
  /// One turn, in the node's stead.
  mutating func handle(
    _ input: Node.Input, at now: Instant, into effects: inout [Node.Effect], _ node: inout Node)
  /// What it wants done that no node could ask for; asked after each turn.
  mutating func takeDeeds() -> [InterposerDeed]
}

/// What no node asks for.
package enum InterposerDeed: Sendable {
  /// Connect to this address; whether that works is seen by what follows.
  case connect(Multiaddr)
  /// Write these bytes to the peer's stream of this manner, whatever they are.
  case write([UInt8], Manner, to: PeerID)
}

extension Host {
  func perform(_ deed: InterposerDeed) {
    switch deed {
    case .connect(let address): Task { try? await connect(to: address) }
    case .write(let bytes, let manner, let peer):
      guard let connection = links.carrier(of: manner, to: peer) else { return }
      connection.loop.execute { connection.write(bytes, on: manner) }
    }
  }
}
