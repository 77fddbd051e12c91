/// The bytes an application sends and receives. Sharing storage, never copied on the way through the node.
public struct Payload: Hashable, Sendable {
  /// The bytes; a slice of the message's encoding when it came from the wire.
  public let bytes: ArraySlice<UInt8>

  /// These bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes[...] }
  /// These bytes, sharing their storage.
  public init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }
  /// The UTF-8 bytes of a text.
  public init(_ text: String) { self.init(Array(text.utf8)) }

  /// Number of bytes.
  public var count: Int { bytes.count }
  /// Whether there are no bytes.
  public var isEmpty: Bool { bytes.isEmpty }

  /// The payload read as UTF-8; broken sequences become U+FFFD.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Payload: ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
  /// The UTF-8 bytes of the literal.
  public init(stringLiteral text: String) { self.init(text) }
  /// The bytes of the literal.
  public init(arrayLiteral bytes: UInt8...) { self.init(bytes) }
}
