import GossipCore

extension SendQueue {
  /// Everything that waits, as its receiver would decode it.
  mutating func popFrames() throws -> [Frame] {
    var bytes: [UInt8] = []
    pop(.max, into: &bytes)
    var frames: [Frame] = []
    var position = 0
    while position < bytes.count {
      var (length, shift) = (0, 0)
      repeat {
        length |= Int(bytes[position] & 0x7f) << shift
        shift += 7
        position += 1
      } while bytes[position - 1] & 0x80 != 0
      let body = Array(bytes[position..<position + length])
      frames.append(try unsafe Frame(decoding: body.span.bytes, on: .gossipSub, WireLimits()))
      position += length
    }
    return frames
  }
}
