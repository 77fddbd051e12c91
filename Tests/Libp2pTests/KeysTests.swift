import Crypto
import CryptoExtras
import GossipCore
import Testing

@testable import GossipLibp2p

@Suite struct `A key` {
  // LP-4
  @Test func `of each type has the id other implementations give it`() throws {
    let ids = [
      (Vectors.ed25519Public, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"),
      (Vectors.secp256k1Public, "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY"),
      (Vectors.ecdsaPublic, "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk"),
      (Vectors.rsaPublic, "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG"),
    ]
    for (protobuf, id) in ids {
      let key = try PublicKey(protobuf: protobuf)
      #expect(key.peer.description == id)
      #expect(key.protobuf == protobuf)
      #expect(try PeerID(parsing: id) == key.peer)
      #expect(try PeerID(parsing: key.peer.cid) == key.peer)
    }
  }

  // LP-7
  @Test func `of up to 42 bytes is inside its id, a longer one is hashed`() throws {
    let ed25519 = try PublicKey(protobuf: Vectors.ed25519Public)
    #expect(try PublicKey(embeddedIn: ed25519.peer) == ed25519)
    #expect(PublicKey.peer(of: [UInt8](repeating: 7, count: 42)).bytes.prefix(2) == [0x00, 42])
    #expect(PublicKey.peer(of: [UInt8](repeating: 7, count: 43)).bytes.prefix(2) == [0x12, 32])
    let rsa = try PublicKey(protobuf: Vectors.rsaPublic)
    #expect(throws: KeyError.self) { try PublicKey(embeddedIn: rsa.peer) }
  }

  // LP-8
  @Test func `verifies its signature, and no other`() throws {
    let message = Array("message".utf8)
    let identity = someone(1)
    let p256 = try P256.Signing.PrivateKey(derRepresentation: Vectors.ecdsaPrivate.dropFirst(4))
    let rsa = try _RSA.Signing.PrivateKey(derRepresentation: Vectors.rsaPrivate.dropFirst(5))
    let cases: [(PublicKey, [UInt8])] = [
      (identity.publicKey, identity.sign(message)),
      (
        try PublicKey(protobuf: Vectors.ecdsaPublic),
        Array(try p256.signature(for: message).derRepresentation)
      ),
      (
        try PublicKey(protobuf: Vectors.rsaPublic),
        Array(try rsa.signature(for: message, padding: .insecurePKCS1v1_5).rawRepresentation)
      ),
    ]
    for (key, signature) in cases {
      #expect(key.canVerify)
      #expect(key.isValidSignature(signature, over: message))
      #expect(!key.isValidSignature(signature, over: message + [0]))
      var flipped = signature
      flipped[signature.count - 1] ^= 1
      #expect(!key.isValidSignature(flipped, over: message))
      #expect(!key.isValidSignature([], over: message))
    }
  }

  @Test func `of secp256k1 has an id, but cannot be verified here`() throws {
    let key = try PublicKey(protobuf: Vectors.secp256k1Public)
    #expect(key.kind == .secp256k1 && !key.canVerify)
    #expect(try PublicKey(embeddedIn: key.peer) == key)
  }

  @Test func `is accepted in its canonical encoding only`() {
    let good = Vectors.ed25519Public
    let key = Array(good[4...])
    let refused: [[UInt8]] = [
      [], good + [0], Array(good.dropLast()),
      [0x12, 0x20] + key + [0x08, 0x01],  // other order
      [0x08, 0x81, 0x00, 0x12, 0x20] + key,  // a type that is not minimal
      [0x08, 0x01, 0x12, 0xa0, 0x00] + key,  // a length that is not minimal
      good + [0x18, 0x01],  // one more field
      [0x12, 0x20] + key,  // no type
      [0x08, 0x04] + good.dropFirst(2),  // no such type
      [0x08, 0x01, 0x12, 0x1f] + key.dropLast(),  // 31 bytes
      [0x08, 0x02, 0x12, 0x20] + key,  // secp256k1 of 32 bytes
    ]
    for bytes in refused { #expect(throws: KeyError.self) { try PublicKey(protobuf: bytes) } }
  }

  // LP-8
  @Test func `of RSA with fewer than 2048 bits is refused`() throws {
    let small = try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1024)).publicKey.derRepresentation
    var protobuf: [UInt8] = [0x08, 0x00]
    Protobuf.append(field: 2, bytes: small, to: &protobuf)
    #expect(throws: KeyError.self) { try PublicKey(protobuf: protobuf) }
  }
}

@Suite struct `An identity` {
  // LP-4
  @Test func `reads and writes the private key of the specification`() throws {
    let identity = try Identity(privateKeyProtobuf: Vectors.ed25519Private)
    #expect(identity.publicKey.protobuf == Vectors.ed25519Public)
    #expect(identity.privateKeyProtobuf == Vectors.ed25519Private)
  }

  // LP-6
  @Test func `reads the older form of 96 bytes if its copies are equal`() throws {
    let seedAndPublic = Vectors.ed25519Private.dropFirst(4)
    let header: [UInt8] = [0x08, 0x01, 0x12, 0x60]
    let twice = header + seedAndPublic + seedAndPublic.suffix(32)
    #expect(try Identity(privateKeyProtobuf: twice).publicKey.protobuf == Vectors.ed25519Public)
    var unequal = twice
    unequal[unequal.count - 1] ^= 1
    #expect(throws: KeyError.self) { try Identity(privateKeyProtobuf: unequal) }
  }

  @Test func `is refused if its public part is another's, its type foreign, its size wrong`() {
    var foreign = Vectors.ed25519Private
    foreign[40] ^= 1
    for bytes in [foreign, Vectors.secp256k1Private, Vectors.ecdsaPrivate, Vectors.rsaPrivate, [0x08]] {
      #expect(throws: KeyError.self) { try Identity(privateKeyProtobuf: bytes) }
    }
    #expect(throws: KeyError.self) { try Identity(seed: [1, 2, 3]) }
  }

  @Test func `shows its peer id when printed, never its key`() {
    let identity = someone(1)
    #expect("\(identity)" == "Identity(\(identity.peer))")
    var dumped = ""
    dump(identity, to: &dumped)
    #expect(!dumped.lowercased().contains("key"))
  }

  // GS-1, GS-18
  @Test func `signs the pubsub message of the known answers`() throws {
    let identity = try Identity(seed: Array(0..<32))
    #expect(identity.peer.description == "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB")
    let message =
      hex("0a26") + identity.peer.bytes + hex("120568656c6c6f1a080000000000000001220474657374")
    #expect(
      identity.sign(Array("libp2p-pubsub:".utf8) + message)
        == hex(
          """
          25798bac7502ea4535890726aea496f45b4511b37f6ad61a6c6497c96c6bc5ea
          d341e436f1cb60662afddeaf96ca4df08f1f90a5277962c9b900f5f345970b09
          """))
  }
}

@Suite struct `A peer id` {
  // LP-4
  @Test func `is read from base58 and from a CID in several bases`() throws {
    let hashed = hex("12209dff3b17d74cf4d38a50d8b6383e92d181a10395a5e73a726dcccbd21bf6f0b9")
    let id = try PeerID(parsing: "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")
    #expect(id.bytes == hashed)
    #expect(id.cid == "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe")
    #expect(try PeerID(parsing: id.cid) == id)
    #expect(try PeerID(parsing: "z" + Base58.encode([0x01, 0x72] + hashed)) == id)
    #expect(
      try PeerID(parsing: "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA").bytes
        == hex("0024080112202ffa35a99d3a3cfbb17bb7c1dc5561b18a8dcca4df38dc613ea859c37eb1336b"))
    // As kubo prints it for the same key.
    let base36 = "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8"
    #expect((try? PeerID(parsing: base36))?.isWellFormed == true)
  }

  // LP-5
  @Test func `with another codec, hash, length or alphabet is refused`() {
    let hash = [UInt8](repeating: 7, count: 32)
    let texts = [
      "", "1", "Qm", "0OIl", "x123", "bafz1",
      "z" + Base58.encode([0x01, 0x70, 0x12, 0x20] + hash),
      "z" + Base58.encode([0x00, 0x72, 0x12, 0x20] + hash),
      Base58.encode([0x12, 0x1f] + hash), Base58.encode([0x13, 0x20] + hash),
      String(repeating: "1", count: 1_000), "b" + String(repeating: "a", count: 1_000),
    ]
    for text in texts { #expect(throws: KeyError.self) { try PeerID(parsing: text) } }
    #expect(throws: KeyError.self) { try PeerID(multihash: [0x00, 0x02, 0x08, 0x01]) }
    #expect(PeerID([1, 2, 3])?.isWellFormed == false)
  }

  // LP-5
  @Test func `keeps leading zero bytes as leading ones in base58`() {
    #expect(Base58.encode([0, 0, 1]) == "112")
    #expect(Base58.decode("112", sizeMax: 8) == [0, 0, 1])
  }
}
