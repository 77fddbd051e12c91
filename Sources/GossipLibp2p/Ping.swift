/// `/ipfs/ping/1.0.0`: 32 bytes go out, the same come back.
///
/// Source: libp2p `ping/ping.md`. The responder echoes whole blocks, however they are split, until the opener
/// ends the stream.

import GossipCore

enum Ping {
  static let name: ProtocolName = "/ipfs/ping/1.0.0"
  static let blockSize = 32

  /// The side that echoes.
  struct Responder: Sendable {
    private var held: [UInt8] = []

    /// Whole blocks to send back, now that these bytes came.
    mutating func receive(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
      held.append(contentsOf: bytes)
      let whole = held.count - held.count % Ping.blockSize
      defer { held.removeFirst(whole) }
      return Array(held[..<whole])
    }
  }

  /// The side that asks: once.
  struct Initiator: Sendable {
    let block: [UInt8]
    private var held: [UInt8] = []

    init(block: [UInt8]) { self.block = block }

    /// True or false once the echo is complete: whether it is the same.
    mutating func receive(_ bytes: ArraySlice<UInt8>) -> Bool? {
      held.append(contentsOf: bytes.prefix(Ping.blockSize))
      guard held.starts(with: block.prefix(held.count)) else { return false }
      return held.count >= Ping.blockSize ? held.count == Ping.blockSize : nil
    }
  }
}
