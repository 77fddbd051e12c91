/// The one address: messages are sent to a topic, and nodes join topics.
///
/// Two topics are equal when their UTF-8 bytes are (libp2p compares bytes; Unicode's canonical equivalence
/// would merge topics that other nodes keep apart).
public struct Topic: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// What it is called, at most 512 bytes on the wire.
  public let name: String

  /// The topic of this name.
  public init(_ name: String) { self.name = name }
  /// The topic of this name.
  public init(stringLiteral name: String) { self.name = name }

  /// The name.
  public var description: String { name }
}

extension Topic: Hashable {
  /// Whether the UTF-8 bytes are equal.
  public static func == (a: Topic, b: Topic) -> Bool {
    var (x, y) = (a.name, b.name)
    return x.withUTF8 { x in y.withUTF8 { y in unsafe x.span.bytes.isEqual(to: y.span.bytes) } }
  }

  /// Hashes the UTF-8 bytes, which end where the next value begins.
  public func hash(into hasher: inout Hasher) {
    var name = name
    name.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xff as UInt8)
  }
}

extension Topic: Comparable {
  /// Lexicographic order of the UTF-8 bytes.
  public static func < (a: Topic, b: Topic) -> Bool { a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
}
