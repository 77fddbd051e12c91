/// Reading and writing the few protobuf messages of the wire, with limits in the reader.
///
/// The reader walks a `RawSpan` and hands out ranges into it: nothing is allocated before a length was
/// compared with what is there. Unknown fields are skipped, as protobuf asks; groups are refused.
/// Two kinds of varint exist on this wire: protobuf's own (up to ten bytes, any form) and libp2p's
/// (`Varint`: at most nine bytes, minimal form), used for lengths in front of frames.

/// Why bytes from a peer were not understood. Always the peer's fault.
public enum WireError: Error, Hashable, Sendable {
  /// The bytes end inside `what`.
  case truncated(String)
  /// `what` is longer or more than our limit.
  case tooLong(String, size: Int, limit: Int)
  /// `what` has bytes no sender that follows the specification would write.
  case malformed(String)
}

extension WireError: CustomStringConvertible {
  /// In words for people.
  public var description: String {
    switch self {
    case .truncated(let what): "\(what): the bytes end in the middle"
    case .tooLong(let what, let size, let limit): "\(what): \(size), more than the limit of \(limit)"
    case .malformed(let what): "\(what): malformed"
    }
  }
}

/// A cursor over the bytes of one protobuf message.
public struct ProtobufReader {
  /// Position of the next unread byte, in the coordinates of the span.
  public private(set) var position: Int
  /// Where this message ends.
  public let end: Int

  /// Reads the message that fills `range`.
  public init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// One field as it stands on the wire.
  public enum Value: Equatable {
    case varint(UInt64)
    case bytes(Range<Int>)
    /// Fixed 32- or 64-bit value; none of our messages has one, so its content is not kept.
    case fixed
  }

  /// The next field's number and value, or nil at the end of the message.
  ///
  /// - Throws: `WireError.truncated` or `.malformed`. A length that passes the end of this message is
  ///   `.truncated`, whatever it claims.
  public mutating func next(_ bytes: RawSpan, in what: StaticString) throws(WireError) -> (
    field: Int, value: Value
  )? {
    guard position < end else { return nil }
    let key = try varint(bytes, what)
    guard key >> 3 != 0, key >> 3 <= 0x1fff_ffff else { throw .malformed("\(what): field number") }
    let field = Int(key >> 3)
    switch key & 7 {
    case 0: return (field, .varint(try varint(bytes, what)))
    case 2:
      let length = try varint(bytes, what)
      guard length <= UInt64(end - position) else { throw .truncated("\(what)") }
      let start = position
      position += Int(length)
      return (field, .bytes(start..<position))
    case 1, 5:
      let size = key & 7 == 1 ? 8 : 4
      guard size <= end - position else { throw .truncated("\(what)") }
      position += size
      return (field, .fixed)
    default: throw .malformed("\(what): wire type")
    }
  }

  @inline(__always)
  private mutating func varint(_ bytes: RawSpan, _ what: StaticString) throws(WireError) -> UInt64 {
    // Most fit one byte.
    if position < end, case let byte = bytes.byte(at: position), byte < 0x80 {
      position += 1
      return UInt64(byte)
    }
    return try longVarint(bytes, what)
  }

  private mutating func longVarint(_ bytes: RawSpan, _ what: StaticString) throws(WireError) -> UInt64 {
    var result: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = bytes.byte(at: position)
      position += 1
      result |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return result }
      shift += 7
      guard shift < 70 else { throw .malformed("\(what): varint") }
    }
    throw .truncated("\(what)")
  }
}

extension RawSpan {
  /// Whether these are the same bytes; eight at a time, since most comparisons are of equal ones.
  func isEqual(to other: RawSpan) -> Bool {
    guard byteCount == other.byteCount else { return false }
    var offset = 0
    while offset + 8 <= byteCount {
      guard
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
          == other.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
      else { return false }
      offset += 8
    }
    while offset < byteCount {
      guard byte(at: offset) == other.byte(at: offset) else { return false }
      offset += 1
    }
    return true
  }

  /// The byte at `offset`, bounds checked.
  @inline(__always)
  func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// A copy of the bytes of `range`.
  public func copy(_ range: Range<Int>) -> [UInt8] {
    let part = extracting(range)
    return unsafe part.withUnsafeBytes { unsafe Array($0) }
  }
}

/// Writes protobuf fields onto the end of a byte array.
public enum Protobuf {
  /// Bytes a protobuf or libp2p varint of this value takes, 1…10.
  @inline(__always)
  public static func size(of value: UInt64) -> Int {
    (70 - (value | 1).leadingZeroBitCount) / 7
  }

  /// Bytes a length-delimited field with `count` bytes of content takes, key and length included.
  @inline(__always)
  public static func size(field: Int, count: Int) -> Int {
    size(of: UInt64(field) << 3) + size(of: UInt64(count)) + count
  }

  /// Appends a protobuf varint.
  public static func append(varint value: UInt64, to out: inout [UInt8]) {
    var rest = value
    while rest > 0x7f {
      out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    out.append(UInt8(truncatingIfNeeded: rest))
  }

  /// Key and length of a length-delimited field whose content follows.
  public static func append(field: Int, count: Int, to out: inout [UInt8]) {
    append(varint: UInt64(field) << 3 | 2, to: &out)
    append(varint: UInt64(count), to: &out)
  }

  /// Appends a length-delimited field.
  public static func append(field: Int, bytes: some Collection<UInt8>, to out: inout [UInt8]) {
    append(field: field, count: bytes.count, to: &out)
    out.append(contentsOf: bytes)
  }

  /// Appends a varint field.
  public static func append(field: Int, varint value: UInt64, to out: inout [UInt8]) {
    append(varint: UInt64(field) << 3, to: &out)
    append(varint: value, to: &out)
  }
}

/// libp2p's unsigned varint: at most nine bytes, minimal form only.
public enum Varint {
  /// What the bytes so far amount to.
  public enum Reading: Equatable, Sendable {
    /// The value, and how many bytes it took.
    case complete(UInt64, size: Int)
    /// More bytes are needed.
    case incomplete
  }

  /// Reads a varint at `offset`.
  /// - Throws: `WireError.malformed` for over-long and non-minimal forms.
  public static func read(_ bytes: RawSpan, at offset: Int = 0) throws(WireError) -> Reading {
    var result: UInt64 = 0
    var index = 0
    while offset + index < bytes.byteCount {
      let byte = bytes.byte(at: offset + index)
      result |= UInt64(byte & 0x7f) << UInt64(7 * index)
      index += 1
      if byte < 0x80 {
        guard byte != 0 || index == 1 else { throw .malformed("varint: not minimal") }
        return .complete(result, size: index)
      }
      guard index < 9 else { throw .malformed("varint: more than nine bytes") }
    }
    return .incomplete
  }

  /// Appends the varint of `value`, which must be below 2^63.
  public static func append(_ value: UInt64, to out: inout [UInt8]) {
    precondition(value < 1 << 63, "varint of \(value)")
    Protobuf.append(varint: value, to: &out)
  }
}
