import Crypto

/// What an object consists of: its pieces in order, each named by the SHA-256 of its bytes.
///
/// Encoded as the payload of a message: 1 size of the object, 2 size of a piece, 3 all hashes, 32 bytes each, 4 the
/// object's first bytes. Exactly as many as the sizes ask for, so that one object cut one way has one manifest.
struct Manifest: Hashable, Sendable {
  let size: Int
  let pieceSize: Int
  let pieces: [MessageID]
  /// The object's beginning, `headSize` bytes unless it is shorter: what an application needs to know of it before it
  /// is complete.
  let head: [UInt8]

  static let hashSize = 32
  static let headSize = 512

  /// Cuts an object.
  /// - Complexity: hashes all bytes, about 0.7 s per GiB.
  init(of payload: Payload, _ policy: ObjectPolicy) {
    size = payload.count
    pieceSize = policy.pieceSize
    let bytes = payload.bytes
    let step = policy.pieceSize
    head = Array(bytes.prefix(Manifest.headSize))
    pieces = stride(from: bytes.startIndex, to: bytes.endIndex, by: step).map { start in
      Manifest.name(of: bytes[start..<min(start + step, bytes.endIndex)])
    }
  }

  /// What a piece of these bytes is called.
  static func name(of bytes: ArraySlice<UInt8>) -> MessageID {
    var hash = SHA256()
    unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    return unsafe hash.finalize().withUnsafeBytes { unsafe MessageID($0.bytes, 0..<$0.count) }
  }

  /// Reads a manifest; nil if it is none, or of an object the topic does not take.
  init?(_ payload: Payload, _ policy: ObjectPolicy) {
    let bytes = Array(payload.bytes)
    let span = unsafe bytes.span.bytes
    var reader = ProtobufReader(0..<bytes.count)
    var (size, pieceSize) = (UInt64(0), UInt64(0))
    var (hashes, head) = (0..<0, 0..<0)
    do {
      while let (field, value) = try reader.next(span, in: "manifest") {
        switch (field, value) {
        case (1, .varint(let number)): size = number
        case (2, .varint(let number)): pieceSize = number
        case (3, .bytes(let part)): hashes = part
        case (4, .bytes(let part)): head = part
        default: continue
        }
      }
    } catch {
      return nil  // whoever sent it is observed for an invalid message
    }
    guard size > 0, size <= UInt64(policy.sizeMax), pieceSize >= 1_024, pieceSize <= (1 << 20) - 1_024 else {
      return nil
    }
    let count = (Int(size) + Int(pieceSize) - 1) / Int(pieceSize)
    guard count <= ObjectPolicy.piecesMax, hashes.count == count * Manifest.hashSize,
      head.count == min(Int(size), Manifest.headSize)
    else { return nil }
    self.head = span.copy(head)
    (self.size, self.pieceSize) = (Int(size), Int(pieceSize))
    pieces = (0..<count).map { index in
      let start = hashes.lowerBound + index * Manifest.hashSize
      return MessageID(span, start..<start + Manifest.hashSize)
    }
  }

  /// The payload of the message that announces the object.
  var encoded: Payload {
    var out: [UInt8] = []
    out.reserveCapacity(48 + head.count + pieces.count * Manifest.hashSize)
    Protobuf.append(field: 1, varint: UInt64(size), to: &out)
    Protobuf.append(field: 2, varint: UInt64(pieceSize), to: &out)
    Protobuf.append(field: 3, count: pieces.count * Manifest.hashSize, to: &out)
    for piece in pieces { piece.append(to: &out) }
    Protobuf.append(field: 4, bytes: head, to: &out)
    return Payload(out)
  }

  /// What the payload of a manifest says of the object's beginning; nothing if it is none.
  static func head(in payload: Payload) -> Payload {
    let bytes = Array(payload.bytes)
    let span = unsafe bytes.span.bytes
    var reader = ProtobufReader(0..<bytes.count)
    while let (field, value) = try? reader.next(span, in: "manifest") {
      if field == 4, case .bytes(let part) = value { return Payload(span.copy(part)) }
    }
    return Payload([])
  }

  /// Bytes of the piece at this place.
  func size(ofPiece index: Int) -> Int { min(pieceSize, size - index * pieceSize) }
}
