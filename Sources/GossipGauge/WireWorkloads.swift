/// Frames read and written: the codec alone.

import GossipCore

extension Workload {
  /// A frame with one signed message of 1 KiB is decoded.
  static let decodeMessage = Workload("decode-message", rounds: 10_000) { rounds in
    let bytes = Sample.frame(1, isSigned: true).encoded
    for _ in 0..<rounds { precondition(decoded(bytes).messages.count == 1) }
    return rounds
  }

  /// An IHAVE of 1,000 ids as authors make them, 46 bytes each, is decoded.
  static let decodeOffer = Workload("decode-offer", rounds: 200) { rounds in
    let author = Sample.peer(1).bytes
    var frame = Frame(.gossipSub)
    let ids = (0..<1_000).map { MessageID(author + [0, 0, 0, 0, 0, 0, UInt8($0 >> 8), UInt8($0 & 255)]) }
    frame.controls = [.have(Sample.topic, ids)]
    let bytes = frame.encoded
    for _ in 0..<rounds {
      guard case .have(_, let ids)? = decoded(bytes).controls.first else { preconditionFailure("no offer") }
      precondition(ids.count == 1_000)
    }
    return rounds
  }

  /// A frame with one message of 1 KiB passes through a peer's queue, and comes out encoded.
  static let encodeMessage = Workload("encode-message", rounds: 10_000) { rounds in
    let frame = Sample.frame(1, isSigned: true)
    let size = frame.delimited.count
    var queue = SendQueue(.gossipSub, SendQueue.Bounds(), WireLimits())
    for _ in 0..<rounds {
      var out: [UInt8] = []
      precondition(queue.push(frame).isEmpty)
      queue.pop(1 << 18, into: &out)
      precondition(out.count == size)
    }
    return rounds
  }

  private static func decoded(_ bytes: [UInt8]) -> Frame {
    do { return try Frame(decoding: bytes.span.bytes, on: .gossipSub, WireLimits()) } catch {
      preconditionFailure("a frame of our own does not decode: \(error)")
    }
  }
}
