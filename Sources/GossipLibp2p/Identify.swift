/// What peers tell each other about themselves: `/ipfs/id/1.0.0` and `/ipfs/id/push/1.0.0`.
///
/// Source: libp2p `identify/README.md`. Whoever opens `id` receives: messages with their length, until the end
/// of the stream, merged in order. `push` carries the same the other way, whenever something changed. Fields
/// that are missing leave what is known alone. Everything is bounded; an address or a name that is not
/// understood is left out, the rest is kept.

public import GossipCore

/// What a peer told about itself, checked as far as it can be.
public struct IdentifyInfo: Hashable, Sendable {
  /// Software and version, for people. Nothing may depend on it.
  public internal(set) var agent = ""
  /// What it calls its network.
  public internal(set) var protocolVersion = ""
  /// Protocols it accepts.
  public internal(set) var protocols: [ProtocolName] = []
  /// Where it says it listens, without `/p2p`.
  public internal(set) var listenAddresses: [Multiaddr] = []
  /// The address it sees us at.
  public internal(set) var observed: Multiaddr?
  /// Its signed peer record, whose signature and peer were checked, as it came.
  public internal(set) var record: [UInt8]?
  /// The number in that record.
  public internal(set) var recordSequence: UInt64?

  package init() {}
}

/// What we read of identify messages.
package struct IdentifyLimits: Hashable, Sendable {
  /// Bytes of one message. Go: 8 KiB; ours stay within the 4 KiB Rust accepts.
  package var messageSizeMax = 8_192
  /// Messages on one stream. Go: 10.
  package var messagesMax = 10
  /// Protocols kept.
  package var protocolsMax = 256
  /// Addresses kept.
  package var addressesMax = 64
  /// Bytes of a protocol, agent or version; longer ones are left out.
  package var textSizeMax = 256

  package init() {}
}

/// One or several merged messages:
/// `Identify { 1 publicKey; 2 listenAddrs; 3 protocols; 4 observedAddr; 5 protocolVersion; 6 agentVersion;
/// 8 signedPeerRecord }`.
package struct IdentifyMessage: Hashable, Sendable {
  var key: [UInt8]?
  var listenAddresses: [[UInt8]] = []
  var protocols: [ProtocolName] = []
  var observed: [UInt8]?
  var protocolVersion: String?
  var agent: String?
  var record: [UInt8]?

  /// Bytes of our own message. Rust reads no more than 4 KiB.
  static let sentSizeMax = 4_096

  package init() {}

  /// Reads one message on top of those before it.
  mutating func merge(_ bytes: RawSpan, _ limits: IdentifyLimits) throws(WireError) {
    var reader = ProtobufReader(0..<bytes.byteCount)
    while let (field, value) = try reader.next(bytes, in: "identify") {
      guard case .bytes(let range) = value else { continue }
      switch field {
      case 1: key = bytes.copy(range)
      case 2:
        guard listenAddresses.count < limits.addressesMax, range.count <= Multiaddr.sizeMax else { continue }
        listenAddresses.append(bytes.copy(range))
      case 3:
        guard protocols.count < limits.protocolsMax, let name = text(bytes, range, limits) else { continue }
        protocols.append(ProtocolName(name))
      case 4: observed = range.count <= Multiaddr.sizeMax ? bytes.copy(range) : nil
      case 5: protocolVersion = text(bytes, range, limits) ?? protocolVersion
      case 6: agent = text(bytes, range, limits) ?? agent
      case 8: record = bytes.copy(range)
      default: continue
      }
    }
  }

  private func text(_ bytes: RawSpan, _ range: Range<Int>, _ limits: IdentifyLimits) -> String? {
    guard range.count <= limits.textSizeMax else { return nil }
    return String(validating: bytes.copy(range), as: UTF8.self)
  }

  /// Changes what is known of `peer` by what this message says.
  func apply(to info: inout IdentifyInfo, of peer: PeerID) {
    if !listenAddresses.isEmpty {
      info.listenAddresses = listenAddresses.compactMap { Multiaddr(listed: $0, of: peer) }
    }
    if !protocols.isEmpty { info.protocols = protocols }
    if let observed, let address = try? Multiaddr(bytes: observed) { info.observed = address }
    if let protocolVersion { info.protocolVersion = protocolVersion }
    if let agent { info.agent = agent }
    if let record, let opened = try? PeerRecord(opening: record), opened.peer == peer,
      opened.sequence > info.recordSequence ?? 0 || info.recordSequence == nil
    {
      info.record = record
      info.recordSequence = opened.sequence
    }
  }

  /// Our message with its length. Addresses that would make it too long for some readers are left out.
  static func encoded(
    _ settings: SessionSettings, protocols: [ProtocolName], observed: Multiaddr?
  ) -> [UInt8] {
    var body: [UInt8] = []
    Protobuf.append(field: 1, bytes: settings.identity.publicKey.protobuf, to: &body)
    for name in protocols { Protobuf.append(field: 3, bytes: name.name.utf8, to: &body) }
    if let observed { Protobuf.append(field: 4, bytes: observed.bytes, to: &body) }
    Protobuf.append(field: 5, bytes: settings.protocolVersion.utf8, to: &body)
    Protobuf.append(field: 6, bytes: settings.agent.utf8, to: &body)
    if let record = settings.record, body.count + record.count + 4 <= sentSizeMax {
      Protobuf.append(field: 8, bytes: record, to: &body)
    }
    for address in settings.listenAddresses {
      guard body.count + address.bytes.count + 4 <= sentSizeMax else { break }
      Protobuf.append(field: 2, bytes: address.bytes, to: &body)
    }
    var message: [UInt8] = []
    Varint.append(UInt64(body.count), to: &message)
    return message + body
  }
}

/// Reads the messages of one identify or push stream.
package struct IdentifyReader: Sendable {
  private(set) var message = IdentifyMessage()
  /// Messages read completely.
  private(set) var count = 0
  private var held: [UInt8] = []

  package init() {}

  /// - Throws: `WireError` for anything over the limits, and for what does not parse.
  package mutating func receive(_ bytes: ArraySlice<UInt8>, _ limits: IdentifyLimits) throws(WireError) {
    held.append(contentsOf: bytes)
    var offset = 0
    while case .complete(let length, let size) = try unsafe Varint.read(held.span.bytes, at: offset) {
      guard length <= UInt64(limits.messageSizeMax) else {
        throw .tooLong("identify", size: Int(length), limit: limits.messageSizeMax)
      }
      let start = offset + size
      guard held.count - start >= Int(length) else { break }
      guard count < limits.messagesMax else {
        throw .tooLong("identify messages", size: count + 1, limit: limits.messagesMax)
      }
      var merged = message
      try unsafe merged.merge(held.span.bytes.extracting(start..<start + Int(length)), limits)
      message = merged
      count += 1
      offset = start + Int(length)
    }
    held.removeFirst(offset)
  }

  /// What the stream carried, at its end.
  /// - Throws: `WireError.truncated` if it ends inside a message, or before one.
  package func finish() throws(WireError) -> IdentifyMessage {
    guard held.isEmpty, count > 0 else { throw .truncated("identify") }
    return message
  }
}
