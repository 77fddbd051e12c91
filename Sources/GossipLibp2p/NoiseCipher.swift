/// Sealing and opening with ChaCha20-Poly1305, as Noise counts it: one key and one counter per direction.
///
/// Source: Noise Protocol Framework revision 34, sections 5.1 and 12.2; libp2p `noise/README.md`. A message is
/// preceded by its length in two bytes, 1…65535; a sealed one is at least its 16-byte tag. We seal at most
/// 16 KiB at a time, which the AEAD handles fastest, and open whatever size comes.

package import GossipCore

/// What went wrong on the secure channel. Always the peer's fault, or that of somebody in between.
package enum NoiseError: Error, Hashable, Sendable {
  /// A message too short for what it must contain.
  case short(message: String, bytes: Int)
  /// A message was altered, replayed, reordered or sealed with another key.
  case badTag(message: String)
  /// A public key that makes every secret zero.
  case zeroKey
  /// The handshake payload does not parse.
  case badPayload(String)
  /// The peer's identity key is of a kind we cannot check, or malformed.
  case badKey(KeyError)
  /// The identity key did not sign this channel's static key.
  case badSignature(PeerID)
  /// Somebody else answered.
  case wrongPeer(expected: PeerID, found: PeerID)
  /// The peer is ourselves.
  case ourselves
  /// 2^64 - 1 messages were sealed.
  case exhausted
}

extension NoiseError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .short(let message, let bytes): "\(message) has only \(bytes) bytes"
    case .badTag(let message): "\(message) does not authenticate"
    case .zeroKey: "the peer's public key is degenerate"
    case .badPayload(let what): "handshake payload: \(what)"
    case .badKey(let error): "identity: \(error)"
    case .badSignature(let peer): "the key of \(peer) did not sign this channel"
    case .wrongPeer(let expected, let found): "expected the peer \(expected), found \(found)"
    case .ourselves: "the other end has our own identity"
    case .exhausted: "the message counter is used up"
    }
  }
}

enum Noise {
  static let tagSize = 16
  /// Bytes of plaintext we put into one message.
  static let sealedAtOnce = 16_384
}

/// One key and its counter.
package struct CipherState: Sendable {
  private let key: Aead
  private var counter: UInt64 = 0
  /// Four zero bytes and the counter, little endian.
  private var nonce = [UInt8](repeating: 0, count: Aead.nonceSize)

  init(key: [UInt8]) { self.key = Aead(key) }

  private mutating func advance() throws(NoiseError) {
    guard counter < UInt64.max else { throw .exhausted }
    for index in 0..<8 { nonce[4 + index] = UInt8(truncatingIfNeeded: counter >> UInt64(8 * index)) }
    counter += 1
  }

  /// Appends ciphertext and tag of `plaintext` to `out`.
  mutating func seal(_ plaintext: RawSpan, authenticating data: [UInt8] = [], into out: inout [UInt8])
    throws(NoiseError)
  {
    let start = out.count
    out.append(contentsOf: repeatElement(0, count: plaintext.byteCount + Noise.tagSize))
    var span = out.mutableSpan
    try unsafe span.withUnsafeMutableBytes { (bytes) throws(NoiseError) in
      try unsafe seal(plaintext, authenticating: data, into: .init(rebasing: bytes[start...]))
    }
  }

  /// Writes ciphertext and tag of `plaintext` to `out`, which has exactly that size.
  private mutating func seal(
    _ plaintext: RawSpan, authenticating data: [UInt8] = [], into out: UnsafeMutableRawBufferPointer
  ) throws(NoiseError) {
    try advance()
    unsafe plaintext.withUnsafeBytes { unsafe key.seal($0, nonce, data, into: out) }
  }

  /// Opens ciphertext and tag.
  mutating func open(_ sealed: RawSpan, authenticating data: [UInt8] = [], _ message: StaticString)
    throws(NoiseError) -> [UInt8]
  {
    guard sealed.byteCount >= Noise.tagSize else {
      throw .short(message: "\(message)", bytes: sealed.byteCount)
    }
    try advance()
    let size = sealed.byteCount - Noise.tagSize
    var isGenuine = false
    let plaintext = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      isGenuine = unsafe sealed.withUnsafeBytes { bytes in
        unsafe key.open(bytes, nonce, data, into: UnsafeMutableRawBufferPointer(buffer))
      }
      count = isGenuine ? size : 0
    }
    guard isGenuine else { throw .badTag(message: "\(message)") }
    return plaintext
  }

  /// Bytes of `sealMessages` for so many bytes of plaintext.
  package static func sealedSize(of count: Int) -> Int {
    let messages = (count + Noise.sealedAtOnce - 1) / Noise.sealedAtOnce
    return count + messages * (2 + Noise.tagSize)
  }

  /// Appends `plaintext` as messages with their lengths: as few as possible, each of at most 16 KiB.
  package mutating func sealMessages(_ plaintext: RawSpan, into out: inout [UInt8]) throws(NoiseError) {
    let (start, size) = (out.count, CipherState.sealedSize(of: plaintext.byteCount))
    out.append(contentsOf: repeatElement(0, count: size))
    var span = out.mutableSpan
    try unsafe span.withUnsafeMutableBytes { (bytes) throws(NoiseError) in
      try unsafe sealMessages(plaintext, into: .init(rebasing: bytes[start...]))
    }
  }

  /// The same, to a place of exactly `sealedSize(of:)` bytes.
  package mutating func sealMessages(_ plaintext: RawSpan, into out: UnsafeMutableRawBufferPointer)
    throws(NoiseError)
  {
    var (offset, place) = (0, 0)
    while offset < plaintext.byteCount {
      let end = min(offset + Noise.sealedAtOnce, plaintext.byteCount)
      let length = end - offset + Noise.tagSize
      unsafe out[place] = UInt8(length >> 8)
      unsafe out[place + 1] = UInt8(truncatingIfNeeded: length)
      place += 2
      try unsafe seal(
        plaintext.extracting(offset..<end), into: .init(rebasing: out[place..<place + length]))
      place += length
      offset = end
    }
  }
}
