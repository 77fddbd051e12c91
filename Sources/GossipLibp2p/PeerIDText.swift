/// Peer ids checked against what a peer id may be, and their two text forms.
///
/// Source: libp2p `peer-ids/peer-ids.md`. A peer id is an identity multihash of a public key of at most 42
/// bytes, or a SHA-256 multihash. As text it is base58 of the multihash (`12D3KooW…`, `Qm…`), or a CIDv1 with
/// codec `libp2p-key` in base32 (`bafz…`), base36 (`k51…`) or base58 (`z…`).

public import GossipCore

extension PeerID {
  /// Reads a multihash a remote or a file names.
  /// - Throws: `KeyError.malformed` unless it is a hash, or a key, that a peer could have.
  public init(multihash bytes: [UInt8]) throws(KeyError) {
    try PeerID.check(multihash: bytes)
    guard let peer = PeerID(bytes) else { throw .malformed("peer id: \(bytes.count) bytes") }
    self = peer
  }

  /// True if some key could have this id.
  public var isWellFormed: Bool {
    (try? PeerID.check(multihash: bytes)) != nil
  }

  /// Reads either text form.
  public init(parsing text: String) throws(KeyError) {
    if text.hasPrefix("1") || text.hasPrefix("Qm") {
      guard let bytes = Base58.decode(text, sizeMax: PeerID.sizeMax) else {
        throw .malformed("peer id: not base58, or too long")
      }
      try self.init(multihash: bytes)
      return
    }
    let digits = text.dropFirst()
    let bytes: [UInt8]? =
      switch text.first {
      case "b": PeerID.base32(digits)
      case "k": PeerID.base36(digits)
      case "z": Base58.decode(String(digits), sizeMax: PeerID.sizeMax + 2)
      default: nil
      }
    guard let bytes else { throw .malformed("peer id: neither base58 nor a CID in base32, base36 or base58") }
    guard bytes.count > 2, bytes[0] == 1, bytes[1] == 0x72 else {
      throw .malformed("peer id: expected a CIDv1 with codec libp2p-key (0x72)")
    }
    try self.init(multihash: Array(bytes[2...]))
  }

  /// The CIDv1 form in base32: what newer libp2p texts show.
  public var cid: String {
    var text = "b"
    var bits: UInt32 = 0
    var count = 0
    for byte in [0x01, 0x72] + bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 5 {
        count -= 5
        text.append(PeerID.base32Digit(bits >> UInt32(count) & 31))
      }
    }
    if count > 0 { text.append(PeerID.base32Digit(bits << UInt32(5 - count) & 31)) }
    return text
  }

  static func check(multihash bytes: [UInt8]) throws(KeyError) {
    guard bytes.count > 2, bytes.count - 2 == Int(bytes[1]) else {
      throw .malformed("peer id: \(bytes.count) bytes are not a multihash of their length")
    }
    switch bytes[0] {
    case 0x00:
      guard bytes[1] <= 42 else {
        throw .malformed("peer id: an inlined key has at most 42 bytes, not \(bytes[1])")
      }
      _ = try PublicKey(protobuf: Array(bytes[2...]))
    case 0x12:
      guard bytes[1] == 32 else { throw .malformed("peer id: SHA-256 has 32 bytes, not \(bytes[1])") }
    default:
      throw .malformed("peer id: multihash 0x\(String(bytes[0], radix: 16)) is neither identity nor SHA-256")
    }
  }

  private static func base32Digit(_ value: UInt32) -> Character {
    Character(Unicode.Scalar(UInt8(value < 26 ? 0x61 + value : 0x32 + value - 26)))
  }

  /// RFC 4648 in lower case without padding; the bits left over must be zero.
  private static func base32(_ text: Substring) -> [UInt8]? {
    guard text.utf8.count <= 2 * sizeMax else { return nil }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for digit in text.utf8 {
      let value: UInt8
      switch digit {
      case 0x61...0x7a: value = digit - 0x61
      case 0x32...0x37: value = digit - 0x32 + 26
      default: return nil
      }
      bits = (bits << 5 | UInt32(value)) & 0xfff
      count += 5
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    guard count < 5, bits & ((1 << UInt32(count)) - 1) == 0 else { return nil }
    return bytes
  }

  /// A number in base 36, digits and lower-case letters; leading zero bytes as leading `0`s.
  private static func base36(_ text: Substring) -> [UInt8]? {
    guard text.utf8.count <= 2 * sizeMax else { return nil }
    var bytes: [UInt8] = []  // base 256, least significant first
    for digit in text.utf8 {
      var carry: Int
      switch digit {
      case 0x30...0x39: carry = Int(digit - 0x30)
      case 0x61...0x7a: carry = Int(digit - 0x61) + 10
      default: return nil
      }
      for index in bytes.indices {
        carry += Int(bytes[index]) * 36
        bytes[index] = UInt8(carry & 0xff)
        carry >>= 8
      }
      if carry > 0 { bytes.append(UInt8(carry)) }
    }
    return [UInt8](repeating: 0, count: text.utf8.prefix { $0 == 0x30 }.count) + bytes.reversed()
  }
}
