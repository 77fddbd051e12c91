/// What the workloads are made of: peers, payloads, messages and frames that are the same every time.

import GossipCore

enum Sample {
  static let topic: Topic = "gauge"
  static let payloadSize = 1_024

  /// A well-formed id of nobody.
  static func peer(_ index: Int) -> PeerID {
    var key = [UInt8](repeating: 3, count: 32)
    for byte in 0..<4 { key[4 + byte] = UInt8(truncatingIfNeeded: index >> (8 * byte)) }
    guard let peer = PeerID([0, 36, 8, 1, 18, 32] + key) else { preconditionFailure("peer \(index)") }
    return peer
  }

  static func payload(_ number: Int) -> Payload {
    var bytes = [UInt8](repeating: 0xa5, count: payloadSize)
    for byte in 0..<8 { bytes[byte] = UInt8(truncatingIfNeeded: number >> (8 * byte)) }
    return Payload(bytes)
  }

  /// A message with author, sequence number and something in the signature's place, or with none of them.
  static func message(_ number: Int, isSigned: Bool) -> WireMessage {
    guard isSigned else {
      return WireMessage(topic: topic, payload: payload(number), author: nil, sequence: nil)
    }
    let message = WireMessage(
      topic: topic, payload: payload(number), author: peer(1_000), sequence: UInt64(number))
    return message.signed([UInt8](repeating: 1, count: 64))
  }

  /// A frame with that message, as a node is given it.
  static func frame(_ number: Int, isSigned: Bool) -> Frame {
    var frame = Frame(.gossipSub)
    frame.messages = [message(number, isSigned: isSigned)]
    return frame
  }

  static func seed(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }
}
