import Crypto

/// The name of a message. All nodes of a network must derive it alike, because offers carry it.
///
/// Ids in use have up to 47 bytes (author and number: 46; SHA-256: 32) and are held inline: without a reference they
/// are copied, compared and hashed many times per message. Longer ones have their bytes on the heap as well.
public struct MessageID: Sendable {
  // The first 47 bytes, zero padded; in the last byte their number, or 255 if there are more.
  private var a, b, c, d, e, f: UInt64
  /// All bytes of an id that is too long for the words.
  private let long: [UInt8]?

  private static let inlineMax = 47

  /// The id made of these bytes; not text, whatever a sender's language thinks.
  public init(_ bytes: [UInt8]) {
    unsafe self.init(bytes.span.bytes, 0..<bytes.count)
  }

  /// The id made of the bytes in `range`.
  init(_ span: RawSpan, _ range: Range<Int>) {
    var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    let size = min(range.count, MessageID.inlineMax)
    unsafe withUnsafeMutableBytes(of: &words) { raw in
      unsafe span.extracting(range.prefix(size)).withUnsafeBytes { unsafe raw.copyMemory(from: $0) }
      unsafe raw[MessageID.inlineMax] = range.count <= MessageID.inlineMax ? UInt8(size) : 255
    }
    (a, b, c, d, e, f) = words
    long = range.count <= MessageID.inlineMax ? nil : span.copy(range)
  }

  /// Number of bytes.
  public var count: Int { long?.count ?? Int(UInt64(littleEndian: f) >> 56) }

  /// Raw bytes.
  public var bytes: [UInt8] {
    if let long { return long }
    return unsafe withBytes { unsafe Array($0) }
  }

  /// Appends the raw bytes.
  func append(to out: inout [UInt8]) {
    if let long {
      out.append(contentsOf: long)
    } else {
      unsafe withBytes { unsafe out.append(contentsOf: $0) }
    }
  }

  private func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    let words = (a, b, c, d, e, f)
    return unsafe withUnsafeBytes(of: words) { unsafe body(.init(rebasing: $0[..<count])) }
  }
}

extension MessageID: Hashable {
  /// Whether all bytes are equal.
  public static func == (x: MessageID, y: MessageID) -> Bool {
    // What differs most often first: in authors' ids the number comes last.
    x.e == y.e && x.f == y.f && x.d == y.d && x.a == y.a && x.b == y.b && x.c == y.c && x.long == y.long
  }

  /// Hashes all bytes.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(a)
    hasher.combine(b)
    hasher.combine(c)
    hasher.combine(d)
    hasher.combine(e)
    hasher.combine(f)
    if let long { hasher.combine(long) }
  }

  /// For tables of our own.
  var tableHash: Int { _rawHashValue(seed: 0) }

  /// A hash that is the same in every process and that only the holder of the key can foresee.
  func keyedHash(_ key: SipHash.Key) -> UInt64 {
    if let long { return SipHash.hash(long, key) }
    var hash = SipHash(key)
    hash.add(UInt64(littleEndian: a))
    hash.add(UInt64(littleEndian: b))
    hash.add(UInt64(littleEndian: c))
    hash.add(UInt64(littleEndian: d))
    hash.add(UInt64(littleEndian: e))
    return hash.finish(UInt64(littleEndian: f))
  }

  /// What tables ask for.
  public func _rawHashValue(seed: Int) -> Int {
    guard let long else { return WordHash.hash(a, b, c, d, e, f, seed: seed) }
    var hasher = Hasher()
    hasher.combine(seed)
    hasher.combine(long)
    return hasher.finalize()
  }
}

extension MessageID: CustomStringConvertible {
  private static let digits = Array("0123456789abcdef".utf8)

  /// Lower-case hexadecimal.
  public var description: String {
    var text: [UInt8] = []
    text.reserveCapacity(count * 2)
    for byte in bytes {
      text.append(MessageID.digits[Int(byte >> 4)])
      text.append(MessageID.digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension MessageID: Comparable {
  /// Lexicographic order of the bytes.
  public static func < (a: MessageID, b: MessageID) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

/// How a topic's messages get their ids.
///
/// - Source: libp2p `pubsub/README.md` "Message Identification". go-libp2p-pubsub concatenates author and sequence
///   number, and so do we by default; other implementations have other defaults, so a network must state its choice.
public enum MessageIdentification: Sendable {
  /// Author's peer id followed by the sequence number, raw bytes (the default of go-libp2p-pubsub).
  case author
  /// SHA-256 of topic and payload: no author needed, publishing the same bytes twice on a topic is one message.
  /// The topic stands in front, after its length in eight bytes, little endian: the same bytes on another topic are
  /// another message.
  case contentHash
  /// The application's own function of the message; it must be pure and give at most 128 bytes.
  case custom(@Sendable (WireMessage) -> [UInt8])

  /// The id of `message`. Called once for each copy that arrives.
  public func id(of message: WireMessage) -> MessageID {
    switch self {
    case .author:
      var bytes: [UInt8] = []
      bytes.reserveCapacity(message.authorBytes.count + message.sequence.count)
      bytes.append(contentsOf: message.authorBytes)
      bytes.append(contentsOf: message.sequence)
      return MessageID(bytes)
    case .contentHash:
      var hash = SHA256()
      let topic = Array(message.topic.name.utf8)
      unsafe withUnsafeBytes(of: UInt64(topic.count).littleEndian) { unsafe hash.update(bufferPointer: $0) }
      unsafe topic.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
      unsafe message.payload.bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
      if message.kind != .plain {
        // The same bytes as a manifest are another message.
        unsafe withUnsafeBytes(of: message.kind.rawValue) { unsafe hash.update(bufferPointer: $0) }
      }
      return unsafe hash.finalize().withUnsafeBytes { unsafe MessageID($0.bytes, 0..<$0.count) }
    case .custom(let identify):
      return MessageID(identify(message))
    }
  }

  /// Whether ids can be told apart without knowing who wrote a message.
  var needsAuthor: Bool {
    if case .author = self { true } else { false }
  }
}
