/// The frame header of yamux, its codes and limits, and what can be wrong with a peer's frames.
///
/// Source: hashicorp/libp2p `yamux/README.md`. Twelve bytes, big-endian: version, type, flags, stream, length.

/// What one multiplexed connection may cost.
package struct YamuxLimits: Hashable, Sendable {
  /// Bytes a peer may send on one stream before we grant more; fixed by the specification at the start.
  package var window = 262_144
  /// Streams the peer may have open.
  package var inboundStreamsMax = 256
  /// Our streams the peer did not acknowledge yet.
  package var unacknowledgedMax = 256
  /// A ping of ours each so often measures the round trip and finds dead peers. Go: 30 s.
  package var pingInterval: Duration = .seconds(30)
  /// A ping unanswered for so long ends the connection. Go: 10 s.
  package var pongPatience: Duration = .seconds(10)
  /// Pings answered per second; more are dropped, and ten times as many end the connection.
  package var pingsPerSecond = 10
  /// Frames for streams that do not exist, between two of our pings: some are normal after a reset.
  package var strayFramesMax = 16_384

  package init() {}
}

/// How a peer broke yamux, or died.
package enum YamuxError: Error, Hashable, Sendable, CustomStringConvertible {
  case version(UInt8)
  case type(UInt8)
  /// A stream opened under an id that is not the peer's to use, or was used before.
  case streamID(UInt32)
  /// More bytes than the window has left.
  case overrun(stream: UInt32, bytes: UInt32, window: Int)
  /// Credit beyond 2^31 bytes.
  case creditOverflow(stream: UInt32)
  case pingFlood(perSecond: Int)
  case strayFlood(frames: Int)
  case pingUnanswered(Duration)

  package var description: String {
    switch self {
    case .version(let version): "expected version 0, found \(version)"
    case .type(let type): "expected a frame type of 0 to 3, found \(type)"
    case .streamID(let id): "the peer may not open a stream \(id)"
    case .overrun(let stream, let bytes, let window):
      "\(bytes) bytes on stream \(stream), its window has \(window)"
    case .creditOverflow(let stream): "more than 2^31 bytes of credit on stream \(stream)"
    case .pingFlood(let count): "\(count) pings within a second"
    case .strayFlood(let frames): "\(frames) frames for streams that do not exist"
    case .pingUnanswered(let patience): "no answer to a ping within \(patience)"
    }
  }
}

/// One header.
package struct YamuxHeader: Hashable, Sendable {
  package enum Kind: UInt8, Sendable {
    case data = 0
    case windowUpdate = 1
    case ping = 2
    case goAway = 3
  }

  package struct Flags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package static let syn = Flags(rawValue: 1)
    package static let ack = Flags(rawValue: 2)
    package static let fin = Flags(rawValue: 4)
    package static let rst = Flags(rawValue: 8)
  }

  package static let size = 12

  package let kind: Kind
  package let flags: Flags
  package let stream: UInt32
  /// Bytes that follow, credit, an opaque number or a code, by kind.
  package let length: UInt32

  package init(_ kind: Kind, _ flags: Flags, stream: UInt32, length: UInt32) {
    self.kind = kind
    self.flags = flags
    self.stream = stream
    self.length = length
  }

  /// Reads the header at `offset`, where twelve bytes are.
  package init(_ bytes: RawSpan, at offset: Int) throws(YamuxError) {
    let version = bytes.octet(at: offset)
    guard version == 0 else { throw .version(version) }
    let type = bytes.octet(at: offset + 1)
    guard let kind = Kind(rawValue: type) else { throw .type(type) }
    self.kind = kind
    flags = Flags(rawValue: bytes.word16(at: offset + 2))
    stream = bytes.word32(at: offset + 4)
    length = bytes.word32(at: offset + 8)
  }

  package func append(to out: inout [UInt8]) {
    out.append(word32: UInt32(kind.rawValue) << 16 | UInt32(flags.rawValue))
    out.append(word32: stream)
    out.append(word32: length)
  }
}
