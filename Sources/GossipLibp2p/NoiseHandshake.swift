/// The libp2p Noise handshake, `Noise_XX_25519_ChaChaPoly_SHA256`, as a machine for either side.
///
/// Source: libp2p `noise/README.md`; Noise Protocol Framework revision 34, sections 5 and 7. Three messages:
///
///     → e
///     ← e, ee, s, es   payload of the listener
///     → s, se          payload of the dialer
///
/// A payload names the sender's identity key, its signature over the static key of this channel, and the muxers
/// it speaks. It is verified at once: a dialer that met the wrong peer stops before the third message, which
/// would reveal who asks. Nothing of a payload is used before that.

import Crypto
package import GossipCore

/// What a finished handshake leaves behind.
package struct NoiseChannel: Sendable {
  package let peer: PublicKey
  /// The peer's muxers in its order; nil if it named none, and a negotiation must follow.
  package let muxers: [ProtocolName]?
  package var sending: CipherState
  package var receiving: CipherState
  /// Names this channel; equal on both sides.
  package let hash: [UInt8]
}

package struct NoiseHandshake: Sendable {
  package static let name: ProtocolName = "/noise"
  private static let protocolName = Array("Noise_XX_25519_ChaChaPoly_SHA256".utf8)
  private static let signaturePrefix = Array("noise-libp2p-static-key:".utf8)
  /// Muxers we read from a peer's list; a longer list counts as none (go-libp2p).
  private static let muxersMax = 100

  private enum Step: Sendable {
    case readingFirst
    case readingSecond
    case readingThird
  }

  private let ownPeer: PeerID
  private let payload: [UInt8]
  private let expected: PeerID?
  private let ownStatic: Curve25519.KeyAgreement.PrivateKey
  private let ownEphemeral: Curve25519.KeyAgreement.PrivateKey
  private var remoteEphemeral: [UInt8] = []
  private var step: Step
  private let initiates: Bool

  // Noise's symmetric state.
  private var hash: [UInt8]
  private var chainingKey: [UInt8]
  private var cipher: CipherState?

  /// - Parameters:
  ///   - expecting: whom the dialer means to meet; nil takes anybody.
  ///   - staticSeed, ephemeralSeed: 32 fresh secret bytes each.
  package init(
    initiates: Bool, _ identity: Identity, muxers: [ProtocolName], expecting: PeerID?, staticSeed: [UInt8],
    ephemeralSeed: [UInt8]
  ) {
    let staticKey = Array(NoiseHandshake.key(staticSeed).publicKey.rawRepresentation)
    self.init(
      initiates: initiates, identity.peer,
      payload: NoiseHandshake.payload(identity, signing: staticKey, muxers: muxers), expecting: expecting,
      staticSeed: staticSeed, ephemeralSeed: ephemeralSeed)
  }

  /// A handshake with any payload, as a forger would make.
  init(
    initiates: Bool, _ ownPeer: PeerID, payload: [UInt8], expecting: PeerID?, staticSeed: [UInt8],
    ephemeralSeed: [UInt8]
  ) {
    self.initiates = initiates
    self.ownPeer = ownPeer
    self.payload = payload
    expected = expecting
    ownStatic = NoiseHandshake.key(staticSeed)
    ownEphemeral = NoiseHandshake.key(ephemeralSeed)
    step = initiates ? .readingSecond : .readingFirst
    // The name has exactly 32 bytes, so it is not hashed. The empty prologue is mixed in all the same.
    hash = NoiseHandshake.protocolName
    chainingKey = hash
    mixHash([])
  }

  private static func key(_ seed: [UInt8]) -> Curve25519.KeyAgreement.PrivateKey {
    do { return try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: seed) } catch {
      preconditionFailure("X25519 seed of \(seed.count) bytes, expected 32")
    }
  }

  /// The dialer's first message, with its length. The listener has nothing to say yet.
  package mutating func start(into out: inout [UInt8]) {
    guard initiates else { return }
    let ephemeral = Array(ownEphemeral.publicKey.rawRepresentation)
    mixHash(ephemeral)
    mixHash([])  // the empty payload
    NoiseHandshake.frame(ephemeral, into: &out)
  }

  /// Reads one message, without its length, and appends the answer to `out`.
  /// - Returns: the channel, once this side has everything it needs.
  package mutating func receive(_ message: RawSpan, into out: inout [UInt8]) throws(NoiseError)
    -> NoiseChannel?
  {
    switch step {
    case .readingFirst:
      try readFirst(message)
      try writeSecond(into: &out)
      step = .readingThird
      return nil
    case .readingSecond:
      let (peer, muxers) = try readSecond(message)
      try writeThird(into: &out)
      return channel(peer, muxers)
    case .readingThird:
      let (peer, muxers) = try readThird(message)
      return channel(peer, muxers)
    }
  }

  // MARK: The messages

  private mutating func readFirst(_ message: RawSpan) throws(NoiseError) {
    guard message.byteCount >= 32 else { throw .short(message: "message 1", bytes: message.byteCount) }
    remoteEphemeral = message.copy(0..<32)
    mixHash(remoteEphemeral)
    // A payload here is not authenticated: hashed as the protocol demands, and ignored.
    mixHash(message.copy(32..<message.byteCount))
  }

  private mutating func writeSecond(into out: inout [UInt8]) throws(NoiseError) {
    let ephemeral = Array(ownEphemeral.publicKey.rawRepresentation)
    var message = ephemeral
    mixHash(ephemeral)
    try mixKey(ownEphemeral, remoteEphemeral)
    try encryptAndHash(Array(ownStatic.publicKey.rawRepresentation), into: &message)
    try mixKey(ownStatic, remoteEphemeral)
    try encryptAndHash(payload, into: &message)
    NoiseHandshake.frame(message, into: &out)
  }

  private mutating func readSecond(_ message: RawSpan) throws(NoiseError) -> (PublicKey, [ProtocolName]?) {
    guard message.byteCount >= 96 else { throw .short(message: "message 2", bytes: message.byteCount) }
    remoteEphemeral = message.copy(0..<32)
    mixHash(remoteEphemeral)
    try mixKey(ownEphemeral, remoteEphemeral)
    let remoteStatic = try decryptAndHash(message.extracting(32..<80), "message 2")
    try mixKey(ownEphemeral, remoteStatic)
    let payload = try decryptAndHash(message.extracting(80..<message.byteCount), "message 2")
    return try verify(payload, remoteStatic)
  }

  private mutating func writeThird(into out: inout [UInt8]) throws(NoiseError) {
    var message: [UInt8] = []
    try encryptAndHash(Array(ownStatic.publicKey.rawRepresentation), into: &message)
    try mixKey(ownStatic, remoteEphemeral)
    try encryptAndHash(payload, into: &message)
    NoiseHandshake.frame(message, into: &out)
  }

  private mutating func readThird(_ message: RawSpan) throws(NoiseError) -> (PublicKey, [ProtocolName]?) {
    guard message.byteCount >= 64 else { throw .short(message: "message 3", bytes: message.byteCount) }
    let remoteStatic = try decryptAndHash(message.extracting(0..<48), "message 3")
    try mixKey(ownEphemeral, remoteStatic)
    let payload = try decryptAndHash(message.extracting(48..<message.byteCount), "message 3")
    return try verify(payload, remoteStatic)
  }

  private static func frame(_ message: [UInt8], into out: inout [UInt8]) {
    out.append(UInt8(message.count >> 8))
    out.append(UInt8(truncatingIfNeeded: message.count))
    out.append(contentsOf: message)
  }

  // MARK: Payloads

  /// `NoiseHandshakePayload { 1 identity_key; 2 identity_sig; 4 extensions { 2 stream_muxers } }`.
  private static func payload(_ identity: Identity, signing key: [UInt8], muxers: [ProtocolName]) -> [UInt8] {
    let signed = signaturePrefix + key
    var extensions: [UInt8] = []
    for muxer in muxers { Protobuf.append(field: 2, bytes: muxer.name.utf8, to: &extensions) }
    var payload: [UInt8] = []
    Protobuf.append(field: 1, bytes: identity.publicKey.protobuf, to: &payload)
    Protobuf.append(field: 2, bytes: identity.sign(signed), to: &payload)
    if !muxers.isEmpty { Protobuf.append(field: 4, bytes: extensions, to: &payload) }
    return payload
  }

  private func verify(_ payload: [UInt8], _ remoteStatic: [UInt8]) throws(NoiseError) -> (
    PublicKey, [ProtocolName]?
  ) {
    let parsed: Payload
    do { parsed = try unsafe Payload(payload.span.bytes) } catch { throw .badPayload("\(error)") }
    guard let encodedKey = parsed.key, let signature = parsed.signature else {
      throw .badPayload("no identity key or no signature")
    }
    let key: PublicKey
    do { key = try PublicKey(protobuf: encodedKey) } catch { throw .badKey(error) }
    guard key.canVerify else {
      throw .badKey(.unsupported("\(key.kind) key of \(key.peer): its signatures cannot be verified here"))
    }
    guard key.isValidSignature(signature, over: NoiseHandshake.signaturePrefix + remoteStatic) else {
      throw .badSignature(key.peer)
    }
    if let expected, expected != key.peer { throw .wrongPeer(expected: expected, found: key.peer) }
    guard key.peer != ownPeer else { throw .ourselves }
    return (key, parsed.muxers)
  }

  private struct Payload {
    var key: [UInt8]?
    var signature: [UInt8]?
    var muxers: [ProtocolName]?

    init(_ bytes: RawSpan) throws(WireError) {
      var reader = ProtobufReader(0..<bytes.byteCount)
      while let (field, value) = try reader.next(bytes, in: "payload") {
        guard case .bytes(let range) = value else { continue }
        switch field {
        case 1: key = bytes.copy(range)
        case 2: signature = bytes.copy(range)
        case 4: try readExtensions(bytes, range)
        default: continue  // field 3 carried data once; all else is newer than we are
        }
      }
    }

    private mutating func readExtensions(_ bytes: RawSpan, _ range: Range<Int>) throws(WireError) {
      var reader = ProtobufReader(range)
      var names: [ProtocolName] = []
      var count = 0
      while let (field, value) = try reader.next(bytes, in: "extensions") {
        guard field == 2, case .bytes(let range) = value else { continue }
        count += 1
        guard count <= NoiseHandshake.muxersMax, range.count <= 256 else { continue }
        names.append(ProtocolName(String(decoding: bytes.copy(range), as: UTF8.self)))
      }
      muxers = count > 0 && count <= NoiseHandshake.muxersMax ? names : nil
    }
  }

  // MARK: The symmetric state

  private mutating func mixHash(_ data: [UInt8]) {
    var digest = SHA256()
    digest.update(data: hash)
    digest.update(data: data)
    hash = Array(digest.finalize())
  }

  private mutating func mixKey(_ own: Curve25519.KeyAgreement.PrivateKey, _ remote: [UInt8])
    throws(NoiseError)
  {
    guard let remote = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: remote),
      let secret = try? own.sharedSecretFromKeyAgreement(with: remote)
    else { throw .zeroKey }
    let bytes = unsafe secret.withUnsafeBytes { unsafe Array($0) }
    guard bytes.contains(where: { $0 != 0 }) else { throw .zeroKey }
    let (first, second) = NoiseHandshake.derive(chainingKey, bytes)
    chainingKey = first
    cipher = CipherState(key: second)
  }

  /// Noise's HKDF with two outputs.
  private static func derive(_ key: [UInt8], _ material: [UInt8]) -> ([UInt8], [UInt8]) {
    func mac(_ data: [UInt8], _ key: [UInt8]) -> [UInt8] {
      Array(HMAC<SHA256>.authenticationCode(for: data, using: SymmetricKey(data: key)))
    }
    let extracted = mac(material, key)
    let first = mac([1], extracted)
    return (first, mac(first + [2], extracted))
  }

  private mutating func encryptAndHash(_ plaintext: [UInt8], into message: inout [UInt8]) throws(NoiseError) {
    let start = message.count
    guard cipher != nil else { preconditionFailure("no key at a step that has one") }
    try unsafe cipher?.seal(plaintext.span.bytes, authenticating: hash, into: &message)
    mixHash(Array(message[start...]))
  }

  private mutating func decryptAndHash(_ sealed: RawSpan, _ message: StaticString) throws(NoiseError)
    -> [UInt8]
  {
    guard var key = cipher else { preconditionFailure("no key at a step that has one") }
    let plaintext = try key.open(sealed, authenticating: hash, message)
    cipher = key
    mixHash(sealed.copy(0..<sealed.byteCount))
    return plaintext
  }

  private func channel(_ peer: PublicKey, _ muxers: [ProtocolName]?) -> NoiseChannel {
    let (first, second) = NoiseHandshake.derive(chainingKey, [])
    return NoiseChannel(
      peer: peer, muxers: muxers,
      sending: CipherState(key: initiates ? first : second),
      receiving: CipherState(key: initiates ? second : first), hash: hash)
  }
}
