/// A peer's signed statement of where it can be reached, and the envelope it travels in.
///
/// Source: libp2p RFC 0002 (envelope) and RFC 0003 (record), with the domain and type of the deployed
/// implementations, `libp2p-peer-record` and 03 01; the texts name others. A record is believed if its
/// envelope's key signed it and owns the peer id in it. The original bytes are kept: they can be passed on.

package import GossipCore

/// `Envelope { 1 public_key; 2 payload_type; 3 payload; 5 signature }`.
struct SignedEnvelope: Sendable {
  static let sizeMax = 8_192

  let key: PublicKey
  let payload: [UInt8]

  /// Opens an envelope of this domain and type.
  init(opening bytes: [UInt8], domain: String, type: [UInt8]) throws(WireError) {
    guard bytes.count <= SignedEnvelope.sizeMax else {
      throw .tooLong("envelope", size: bytes.count, limit: SignedEnvelope.sizeMax)
    }
    let span = unsafe bytes.span.bytes
    var reader = ProtobufReader(0..<bytes.count)
    var (encodedKey, foundType, payload, signature): ([UInt8], [UInt8], [UInt8], [UInt8]) = ([], [], [], [])
    while let (field, value) = try reader.next(span, in: "envelope") {
      guard case .bytes(let range) = value else { continue }
      switch field {
      case 1: encodedKey = span.copy(range)
      case 2: foundType = span.copy(range)
      case 3: payload = span.copy(range)
      case 5: signature = span.copy(range)
      default: continue
      }
    }
    guard foundType == type else { throw .malformed("envelope: expected type \(type), found \(foundType)") }
    guard let key = try? PublicKey(protobuf: encodedKey) else { throw .malformed("envelope: key") }
    let signed = SignedEnvelope.signedBytes(domain, type, payload)
    guard key.isValidSignature(signature, over: signed) else { throw .malformed("envelope: signature") }
    self.key = key
    self.payload = payload
  }

  /// Encodes an envelope signed by `identity`.
  static func seal(_ payload: [UInt8], domain: String, type: [UInt8], by identity: Identity) -> [UInt8] {
    var bytes: [UInt8] = []
    Protobuf.append(field: 1, bytes: identity.publicKey.protobuf, to: &bytes)
    Protobuf.append(field: 2, bytes: type, to: &bytes)
    Protobuf.append(field: 3, bytes: payload, to: &bytes)
    Protobuf.append(field: 5, bytes: identity.sign(signedBytes(domain, type, payload)), to: &bytes)
    return bytes
  }

  static func signedBytes(_ domain: String, _ type: [UInt8], _ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in [Array(domain.utf8), type, payload] {
      Varint.append(UInt64(part.count), to: &bytes)
      bytes += part
    }
    return bytes
  }
}

/// `PeerRecord { 1 peer_id; 2 seq; 3 rep { 1 multiaddr } }`.
package struct PeerRecord: Hashable, Sendable {
  private static let domain = "libp2p-peer-record"
  private static let type: [UInt8] = [0x03, 0x01]
  /// Addresses we read; the rest of a longer list is left out.
  static let addressesMax = 64

  package let peer: PeerID
  /// Grows with every record of this peer. Often its clock in nanoseconds, but not one to trust.
  package let sequence: UInt64
  /// Where the peer says it is, without `/p2p`.
  package let addresses: [Multiaddr]

  package init(peer: PeerID, sequence: UInt64, addresses: [Multiaddr]) {
    self.peer = peer
    self.sequence = sequence
    self.addresses = addresses
  }

  /// Opens and checks an encoded envelope.
  /// - Throws: `WireError` if it does not parse, is not a peer record, or is not signed by that peer.
  package init(opening envelope: [UInt8]) throws(WireError) {
    let opened = try SignedEnvelope(opening: envelope, domain: PeerRecord.domain, type: PeerRecord.type)
    let span = unsafe opened.payload.span.bytes
    var reader = ProtobufReader(0..<opened.payload.count)
    var (peer, sequence): (PeerID?, UInt64) = (nil, 0)
    var found: [[UInt8]] = []
    while let (field, value) = try reader.next(span, in: "peer record") {
      switch (field, value) {
      case (1, .bytes(let range)): peer = PeerID(span.copy(range))
      case (2, .varint(let number)): sequence = number
      case (3, .bytes(let range)):
        var inner = ProtobufReader(range)
        while let (field, value) = try inner.next(span, in: "peer record address") {
          guard field == 1, case .bytes(let range) = value, found.count < PeerRecord.addressesMax else {
            continue
          }
          found.append(span.copy(range))
        }
      default: continue
      }
    }
    guard let peer, peer == opened.key.peer else { throw .malformed("peer record: signed by another peer") }
    self.peer = peer
    self.sequence = sequence
    addresses = found.compactMap { Multiaddr(listed: $0, of: peer) }
  }

  /// The encoded envelope, signed by `identity`, whose record it must be.
  package func sealed(by identity: Identity) -> [UInt8] {
    precondition(peer == identity.peer, "a record of \(peer) cannot be signed by \(identity.peer)")
    return SignedEnvelope.seal(payload, domain: PeerRecord.domain, type: PeerRecord.type, by: identity)
  }

  /// What is signed inside the envelope.
  var payload: [UInt8] {
    var bytes: [UInt8] = []
    Protobuf.append(field: 1, bytes: peer.bytes, to: &bytes)
    Protobuf.append(field: 2, varint: sequence, to: &bytes)
    for address in addresses {
      var inner: [UInt8] = []
      Protobuf.append(field: 1, bytes: address.bytes, to: &inner)
      Protobuf.append(field: 3, bytes: inner, to: &bytes)
    }
    return bytes
  }
}

extension Multiaddr {
  /// An address a peer lists for itself: its own `/p2p` suffix is taken off; nil if the bytes are no address
  /// we know, or lead to somebody else.
  init?(listed bytes: [UInt8], of peer: PeerID) {
    guard let address = try? Multiaddr(bytes: bytes), let bare = address.withoutPeer else { return nil }
    guard bare == address || address.peer == peer else { return nil }
    self = bare
  }
}
