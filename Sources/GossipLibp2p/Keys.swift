/// Keys of peers: our own Ed25519 identity, and public keys of every kind a peer may have.
///
/// Source: libp2p `peer-ids/peer-ids.md`. A public key travels as a two-field protobuf message; the peer id is
/// a hash of exactly those bytes, so only the canonical encoding is accepted: both fields, in order, minimal
/// varints, nothing else. RSA's type 0 is written out, as proto2 demands.

import Crypto
import CryptoExtras
public import GossipCore

/// Why a key, a signature's key or a peer id was refused.
public enum KeyError: Error, Hashable, Sendable {
  /// The bytes or the text are not what a `what` looks like.
  case malformed(String)
  /// Understood, but we cannot work with it: what it is, and what we can.
  case unsupported(String)
}

extension KeyError: CustomStringConvertible {
  /// In words for people.
  public var description: String {
    switch self {
    case .malformed(let what): "\(what)"
    case .unsupported(let what): "unsupported: \(what)"
    }
  }
}

/// A peer's public key.
public struct PublicKey: Sendable {
  /// The key types of libp2p, by their number on the wire.
  public enum Kind: UInt8, Sendable, Hashable {
    case rsa = 0
    case ed25519 = 1
    case secp256k1 = 2
    case ecdsa = 3
  }

  private enum Verifier: Sendable {
    case rsa(_RSA.Signing.PublicKey)
    case ed25519(Curve25519.Signing.PublicKey)
    case p256(P256.Signing.PublicKey)
    /// Parsed and named, but its signatures cannot be checked here.
    case none
  }

  /// Which kind of key.
  public let kind: Kind
  /// The canonical encoding, which the peer id is made of.
  public let protobuf: [UInt8]
  /// The id of the peer that owns this key.
  public let peer: PeerID
  private let verifier: Verifier

  /// Bytes of an encoded key we look at: RSA with 8192 bits takes 1,062.
  static let sizeMax = 2_048

  /// Reads the canonical encoding.
  /// - Throws: `KeyError` for any other encoding, for wrong sizes, and for curves and sizes we do not know.
  public init(protobuf bytes: [UInt8]) throws(KeyError) {
    let (type, data) = try PublicKey.fields(of: bytes, "public key")
    guard let kind = Kind(rawValue: type) else { throw .unsupported("public key of type \(type)") }
    self.kind = kind
    verifier = try PublicKey.verifier(kind, Array(bytes[data]))
    protobuf = bytes
    peer = PublicKey.peer(of: bytes)
  }

  /// The key of a peer whose id contains it, as Ed25519 and secp256k1 ids do.
  /// - Throws: `KeyError.unsupported` if the id is only a hash of the key.
  public init(embeddedIn peer: PeerID) throws(KeyError) {
    let bytes = peer.bytes
    guard bytes.count > 2, bytes[0] == 0 else { throw .unsupported("peer id: a hash, its key is not inside") }
    try PeerID.check(multihash: bytes)
    try self.init(protobuf: Array(bytes[2...]))
  }

  init(_ key: Curve25519.Signing.PublicKey) {
    kind = .ed25519
    protobuf = [0x08, 1, 0x12, 32] + Array(key.rawRepresentation)
    peer = PublicKey.peer(of: protobuf)
    verifier = .ed25519(key)
  }

  /// False for secp256k1: such a peer has an id, but we have no means to check its signatures.
  public var canVerify: Bool {
    if case .none = verifier { false } else { true }
  }

  /// True if `signature` was made over `bytes` by the owner of this key. False as well if `canVerify` is.
  ///
  /// Ed25519 over the bytes; ECDSA (DER) and RSA (PKCS#1 v1.5) over their SHA-256.
  public func isValidSignature(_ signature: [UInt8], over bytes: [UInt8]) -> Bool {
    switch verifier {
    case .ed25519(let key): return key.isValidSignature(signature, for: bytes)
    case .p256(let key):
      guard let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature) else {
        return false
      }
      return key.isValidSignature(signature, for: bytes)
    case .rsa(let key):
      let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
      return key.isValidSignature(signature, for: bytes, padding: .insecurePKCS1v1_5)
    case .none: return false
    }
  }

  /// Type number and range of the data of a key message in canonical form.
  static func fields(of bytes: [UInt8], _ what: String) throws(KeyError) -> (type: UInt8, data: Range<Int>) {
    guard bytes.count <= sizeMax * 4, bytes.count > 4, bytes[0] == 0x08, bytes[1] < 0x80, bytes[2] == 0x12,
      let reading = unsafe try? Varint.read(bytes.span.bytes, at: 3),
      case .complete(let length, let size) = reading,
      length == UInt64(bytes.count - 3 - size)
    else { throw .malformed("\(what): not the canonical encoding") }
    return (bytes[1], 3 + size..<bytes.count)
  }

  private static func verifier(_ kind: Kind, _ data: [UInt8]) throws(KeyError) -> Verifier {
    guard data.count <= sizeMax else {
      throw .malformed("public key: \(data.count) bytes, the limit is \(sizeMax)")
    }
    switch kind {
    case .ed25519:
      guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: data) else {
        throw .malformed("Ed25519 public key: expected 32 bytes, found \(data.count)")
      }
      return .ed25519(key)
    case .secp256k1:
      guard data.count == 33, data[0] == 2 || data[0] == 3 else {
        throw .malformed("secp256k1 public key: expected 33 compressed bytes, found \(data.count)")
      }
      return .none
    case .ecdsa:
      guard let key = try? P256.Signing.PublicKey(derRepresentation: data),
        key.derRepresentation.elementsEqual(data)
      else { throw .unsupported("ECDSA public key: expected a P-256 key in DER form") }
      return .p256(key)
    case .rsa:
      guard let key = try? _RSA.Signing.PublicKey(derRepresentation: data),
        (2_048...8_192).contains(key.keySizeInBits), key.derRepresentation.elementsEqual(data)
      else { throw .unsupported("RSA public key: expected 2048 to 8192 bits in DER form") }
      return .rsa(key)
    }
  }

  /// Multihash of an encoded key: the key itself up to 42 bytes, else its SHA-256.
  static func peer(of protobuf: [UInt8]) -> PeerID {
    let multihash =
      protobuf.count <= 42
      ? [0x00, UInt8(protobuf.count)] + protobuf
      : [0x12, 0x20] + Array(SHA256.hash(data: protobuf))
    guard let peer = PeerID(multihash) else { preconditionFailure("\(multihash.count) bytes of peer id") }
    return peer
  }
}

extension PublicKey: Hashable {
  /// Whether the encodings are equal.
  public static func == (a: PublicKey, b: PublicKey) -> Bool { a.protobuf == b.protobuf }
  /// Hashes the encoding.
  public func hash(into hasher: inout Hasher) { hasher.combine(protobuf) }
}

/// Our own key: Ed25519, the type every libp2p implementation must know.
///
/// Shows only its peer id when printed.
public struct Identity: Sendable {
  private let key: Curve25519.Signing.PrivateKey
  /// What others check our signatures with.
  public let publicKey: PublicKey
  /// The id others know us by.
  public var peer: PeerID { publicKey.peer }

  /// - Parameter seed: the 32 secret bytes of RFC 8032, from a secure source.
  public init(seed: [UInt8]) throws(KeyError) {
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
      throw .malformed("Ed25519 seed: expected 32 bytes, found \(seed.count)")
    }
    self.key = key
    publicKey = PublicKey(key.publicKey)
  }

  /// Reads libp2p's `PrivateKey` message: 64 bytes (seed, public) or the older 96 (seed, public, public).
  /// - Throws: `KeyError.unsupported` for other key types, `.malformed` if a public part does not fit the seed.
  public init(privateKeyProtobuf bytes: [UInt8]) throws(KeyError) {
    let (type, range) = try PublicKey.fields(of: bytes, "private key")
    guard type == PublicKey.Kind.ed25519.rawValue else {
      throw .unsupported("private key of type \(type): only Ed25519 (1) can be an identity here")
    }
    let data = Array(bytes[range])
    guard data.count == 64 || data.count == 96 else {
      throw .malformed("Ed25519 private key: expected 64 or 96 bytes, found \(data.count)")
    }
    try self.init(seed: Array(data[..<32]))
    let publicPart = publicKey.protobuf.suffix(32)
    guard data[32..<64] == publicPart, data.count == 64 || data[64...] == publicPart else {
      throw .malformed("Ed25519 private key: its public part does not belong to its seed")
    }
  }

  /// The `PrivateKey` message, in the 64-byte form. Secret.
  public var privateKeyProtobuf: [UInt8] {
    [0x08, 1, 0x12, 64] + Array(key.rawRepresentation) + publicKey.protobuf.suffix(32)
  }

  /// The Ed25519 signature over `bytes`, 64 bytes.
  public func sign(_ bytes: [UInt8]) -> [UInt8] {
    do { return Array(try key.signature(for: bytes)) } catch {
      preconditionFailure("Ed25519 signing of \(bytes.count) bytes: \(error)")
    }
  }
}

extension Identity: CustomStringConvertible, CustomReflectable {
  /// In words for people.
  public var description: String { "Identity(\(peer))" }
  /// Shows the peer id only, never the key.
  public var customMirror: Mirror { Mirror(self, children: ["peer": peer]) }
}
