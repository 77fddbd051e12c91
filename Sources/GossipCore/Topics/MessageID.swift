import Crypto

/// The name of a message. All nodes of a network must derive it alike, because offers carry it.
public struct MessageID: Hashable, Sendable {
  /// Raw bytes; not text, whatever a sender's language thinks.
  public let bytes: [UInt8]

  /// The id made of these bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
}

extension MessageID: CustomStringConvertible {
  private static let digits = Array("0123456789abcdef".utf8)

  /// Lower-case hexadecimal.
  public var description: String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
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
      return unsafe MessageID(hash.finalize().withUnsafeBytes { unsafe Array($0) })
    case .custom(let identify):
      return MessageID(identify(message))
    }
  }

  /// Whether ids can be told apart without knowing who wrote a message.
  var needsAuthor: Bool {
    if case .author = self { true } else { false }
  }
}
