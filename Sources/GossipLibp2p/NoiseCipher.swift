/// Sealing and opening with ChaCha20-Poly1305, as Noise counts it: one key and one counter per direction.
///
/// Source: Noise Protocol Framework revision 34, sections 5.1 and 12.2; libp2p `noise/README.md`. A message is
/// preceded by its length in two bytes, 1…65535; a sealed one is at least its 16-byte tag. We seal at most
/// 16 KiB at a time, which the AEAD handles fastest, and open whatever size comes.

import Crypto
package import GossipCore

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

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
  static let messageSizeMax = 65_535
  /// Bytes of plaintext we put into one message.
  static let sealedAtOnce = 16_384
}

/// One key and its counter. The only place that knows which cipher it is.
package struct CipherState: Sendable {
  private let key: SymmetricKey
  private var counter: UInt64 = 0

  init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

  private mutating func nonce() throws(NoiseError) -> [UInt8] {
    guard counter < UInt64.max else { throw .exhausted }
    defer { counter += 1 }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(12)
    bytes.append(contentsOf: [0, 0, 0, 0])
    unsafe withUnsafeBytes(of: counter.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    return bytes
  }

  /// Appends ciphertext and tag of `plaintext` to `out`.
  mutating func seal(_ plaintext: RawSpan, authenticating data: [UInt8] = [], into out: inout [UInt8])
    throws(NoiseError)
  {
    let nonce = try nonce()
    do {
      let nonce = try ChaChaPoly.Nonce(data: nonce)
      let box = try unsafe plaintext.withUnsafeBytes { bytes in
        unsafe data.isEmpty
          ? try ChaChaPoly.seal(bytes, using: key, nonce: nonce)
          : try ChaChaPoly.seal(bytes, using: key, nonce: nonce, authenticating: data)
      }
      // The combined form starts with the nonce, which Noise does not send.
      unsafe box.combined.withUnsafeBytes { bytes in
        unsafe out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[12...]))
      }
    } catch {
      preconditionFailure("sealing \(plaintext.byteCount) bytes: \(error)")
    }
  }

  /// Opens ciphertext and tag.
  mutating func open(_ sealed: RawSpan, authenticating data: [UInt8] = [], _ message: StaticString)
    throws(NoiseError) -> [UInt8]
  {
    guard sealed.byteCount >= Noise.tagSize else {
      throw .short(message: "\(message)", bytes: sealed.byteCount)
    }
    var combined = try nonce()
    combined.reserveCapacity(12 + sealed.byteCount)
    combined.append(sealed)
    do {
      let box = try ChaChaPoly.SealedBox(combined: combined)
      let plaintext =
        data.isEmpty
        ? try ChaChaPoly.open(box, using: key)
        : try ChaChaPoly.open(box, using: key, authenticating: data)
      return [UInt8](plaintext)
    } catch {
      throw .badTag(message: "\(message)")
    }
  }

  /// Appends `plaintext` as messages with their lengths: as few as possible, each of at most 16 KiB.
  package mutating func sealMessages(_ plaintext: RawSpan, into out: inout [UInt8]) throws(NoiseError) {
    var offset = 0
    while offset < plaintext.byteCount {
      let end = min(offset + Noise.sealedAtOnce, plaintext.byteCount)
      let length = end - offset + Noise.tagSize
      out.append(UInt8(length >> 8))
      out.append(UInt8(truncatingIfNeeded: length))
      try seal(plaintext.extracting(offset..<end), into: &out)
      offset = end
    }
  }
}
