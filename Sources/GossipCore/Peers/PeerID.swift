/// The name of a peer: the multihash of its public key (libp2p `peer-ids/peer-ids.md`).
///
/// Held inline, without a reference: a peer id is copied and compared far more often than it is printed.
/// This type accepts any well-formed bytes up to its size; whether they are a *valid* multihash of a *real*
/// key is decided where keys are known (`GossipLibp2p`).
public struct PeerID: Hashable, Sendable {
  /// The longest id in use: an identity multihash of a 42-byte public key (2 + 42), and some room.
  public static let sizeMax = 47

  // 47 bytes of id, zero padded, and its length in the last byte.
  private var a, b, c, d, e, f: UInt64

  /// The id made of `bytes`, or nil if there are none or more than `sizeMax`.
  public init?(_ bytes: some Collection<UInt8>) {
    let count = bytes.count
    guard count > 0, count <= PeerID.sizeMax else { return nil }
    var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    unsafe withUnsafeMutableBytes(of: &words) { raw in
      _ =
        unsafe bytes.withContiguousStorageIfAvailable { unsafe raw.copyBytes(from: $0) }
        ?? raw.copyBytes(from: bytes)
      unsafe raw[47] = UInt8(count)
    }
    (a, b, c, d, e, f) = words
  }

  /// Number of bytes of the id, 1…47.
  public var count: Int {
    // Little endian: the last byte of the sixth word is its most significant one.
    Int(UInt64(littleEndian: f) >> 56)
  }

  /// The bytes of the multihash.
  public var bytes: [UInt8] {
    var copy = self
    let count = self.count
    return unsafe withUnsafeBytes(of: &copy) { unsafe Array($0.prefix(count)) }
  }

  /// Hashes the words that differ between ids.
  public func hash(into hasher: inout Hasher) {
    // The words that differ between ids; the rest follows from these.
    hasher.combine(a)
    hasher.combine(b)
    hasher.combine(c)
    hasher.combine(d)
  }

  /// What tables ask for.
  public func _rawHashValue(seed: Int) -> Int { WordHash.hash(a, b, c, d, e, f, seed: seed) }

  /// Whether all bytes are equal.
  public static func == (x: PeerID, y: PeerID) -> Bool {
    x.c == y.c && x.b == y.b && x.d == y.d && x.e == y.e && x.f == y.f && x.a == y.a
  }
}

extension PeerID: Comparable {
  /// Lexicographic order of the bytes; the same on every machine.
  public static func < (x: PeerID, y: PeerID) -> Bool {
    let left = (x.a.bigEndian, x.b.bigEndian, x.c.bigEndian, x.d.bigEndian, x.e.bigEndian, x.f.bigEndian)
    let right = (y.a.bigEndian, y.b.bigEndian, y.c.bigEndian, y.d.bigEndian, y.e.bigEndian, y.f.bigEndian)
    return left < right
  }
}

extension PeerID: CustomStringConvertible, LosslessStringConvertible {
  /// Base58 (Bitcoin alphabet), the display form: `12D3KooW…` for Ed25519 keys.
  public var description: String { Base58.encode(bytes) }

  /// The last six characters of the display form: enough to tell peers apart in a table.
  public var short: String { String(description.suffix(6)) }

  /// Parses the base58 form. CID forms are read by `GossipLibp2p`.
  public init?(_ description: String) {
    guard let bytes = Base58.decode(description, sizeMax: PeerID.sizeMax) else { return nil }
    self.init(bytes)
  }
}

/// Base58 with the Bitcoin alphabet: a number in base 58, leading zero bytes as leading `1`s.
public enum Base58 {
  private static let alphabet = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

  /// - Complexity: O(n²) in the number of bytes; meant for ids.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    var digits: [UInt8] = []  // base 58, least significant first
    for byte in bytes {
      var carry = Int(byte)
      for index in digits.indices {
        carry += Int(digits[index]) << 8
        digits[index] = UInt8(carry % 58)
        carry /= 58
      }
      while carry > 0 {
        digits.append(UInt8(carry % 58))
        carry /= 58
      }
    }
    let zeros = bytes.prefix { $0 == 0 }.count
    let text = [UInt8](repeating: alphabet[0], count: zeros) + digits.reversed().map { alphabet[Int($0)] }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes behind `text`, or nil if it is empty, has a foreign character, or decodes to more than `sizeMax`.
  public static func decode(_ text: String, sizeMax: Int) -> [UInt8]? {
    guard !text.isEmpty, text.utf8.count <= sizeMax * 2 else { return nil }
    var bytes: [UInt8] = []  // base 256, least significant first
    for character in text.utf8 {
      guard let digit = alphabet.firstIndex(of: character) else { return nil }
      var carry = digit
      for index in bytes.indices {
        carry += Int(bytes[index]) * 58
        bytes[index] = UInt8(carry & 0xff)
        carry >>= 8
      }
      while carry > 0 {
        bytes.append(UInt8(carry & 0xff))
        carry >>= 8
      }
    }
    let zeros = text.utf8.prefix { $0 == alphabet[0] }.count
    guard zeros + bytes.count <= sizeMax else { return nil }
    return [UInt8](repeating: 0, count: zeros) + bytes.reversed()
  }
}
