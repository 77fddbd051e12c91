/// Known answers: frames and messages as other implementations write them, byte for byte and both ways.
///
/// The key is Ed25519 with the seed 00 01 … 1f; its signature is given, since this target has no keys.

import Crypto
import Testing

@testable import GossipCore

enum Vectors {
  static let author = PeerID("12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB")!
  static let authorBytes = hex(
    "0024 08011220 03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")
  static let unsigned = hex(
    """
    0a2600240801122003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8120568656c6c6f
    1a080000000000000001220474657374
    """)
  static let signature = hex(
    """
    25798bac7502ea4535890726aea496f45b4511b37f6ad61a6c6497c96c6bc5ea
    d341e436f1cb60662afddeaf96ca4df08f1f90a5277962c9b900f5f345970b09
    """)
  static let message = unsigned + hex("2a40") + signature
  static let frame = hex("8401 128101") + message
  static let id = MessageID([0xff, 0x00, 0x01])
}

func sha256(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

@Suite struct `The golden vectors` {
  let hello = WireMessage(topic: "test", payload: "hello", author: Vectors.author, sequence: 1)

  // GS-1
  @Test func `an unsigned message is written byte for byte`() {
    #expect(Vectors.author.bytes == Vectors.authorBytes)
    #expect(hello.bytes == Vectors.unsigned)
    #expect(hello.bytes.count == 63)
  }

  // GS-1
  @Test func `the bytes to sign are the prefix and the message`() {
    #expect(hello.signedBytes == Array("libp2p-pubsub:".utf8) + Vectors.unsigned)
    #expect(
      sha256(hello.signedBytes) == hex("4e1c32812a455fbc1c78667d90065069566611a5e6f5a908aed91a11699da53d"))
  }

  // GS-1
  @Test func `a signed message in its frame is written byte for byte`() {
    let signed = hello.signed(Vectors.signature)
    #expect(signed.bytes == Vectors.message)
    #expect(signed.signedBytes == hello.signedBytes)
    let delimited = Frame([], [signed]).delimited
    #expect(delimited == Vectors.frame)
    #expect(delimited.count == 134)
    #expect(
      sha256(delimited) == hex("97120b454f29669db94ae33a12ddbf89c22ae9dcd55d989e5ca937c47e348e32"))
  }

  // GS-1
  @Test func `a signed message in its frame is read field by field`() throws {
    let frame = try #require(try frames(of: Vectors.frame).first)
    #expect(frame.subscriptions.isEmpty && frame.controls.isEmpty)
    let message = try #require(frame.messages.first)
    #expect(frame.messages.count == 1)
    #expect(message.topic == "test")
    #expect(message.payload == "hello")
    #expect(message.claimedAuthor == Vectors.author)
    #expect(Array(message.sequence) == hex("0000000000000001"))
    #expect(message.signature.map(Array.init) == Vectors.signature)
    #expect(message.key == nil)
    #expect(message.bytes == Vectors.message)
    #expect(message.signedBytes == hello.signedBytes)
  }

  static let words: [(String, Frame)] = [
    ("0a0a080801120474657374", Frame([Subscription("test", joins: true)])),
    ("0a0a080800120474657374", Frame([Subscription("test", joins: false)])),
    ("0a1a081a060a0474657374", Frame([], [], [.graft("test")])),
    ("0c1a0a22080a0474657374183c", Frame([], [], [.prune("test", backoff: 60)])),
    ("0f1a0d0a0b0a04746573741203ff0001", Frame([], [], [.have("test", [Vectors.id])])),
    ("091a0712050a03ff0001", Frame([], [], [.want([Vectors.id])])),
    ("091a072a050a03ff0001", Frame([], [], [.dontWant([Vectors.id])])),
  ]

  // GS-1
  @Test(arguments: 0..<words.count) func `every word is written and read byte for byte`(index: Int) throws {
    let (text, frame) = Self.words[index]
    #expect(frame.delimited == hex(text))
    #expect(frame.encoded == Array(hex(text).dropFirst()))
    #expect(frame.encodedSize == hex(text).count - 1)
    let read = try frames(of: hex(text))
    #expect(read.map(Said.init) == [Said(frame)])
  }

  // GS-1, GS-8
  @Test(arguments: ["061a0432025001", "091a0732059091e21801", "059291e21800"])
  func `frames of later versions are skipped whole`(text: String) throws {
    let read = try frames(of: hex(text))
    #expect(read.map(\.isEmpty) == [true])
  }

  // GS-1
  @Test func `ids are author and number, as Go makes them`() {
    let made = MessageIdentification.author.id(of: hello)
    #expect(made.bytes == Vectors.authorBytes + hex("0000000000000001"))
    #expect(made == MessageIdentification.author.id(of: hello.signed(Vectors.signature)))
  }

  // GS-1, GS-28
  @Test func `ids of other networks are a function away`() throws {
    let rust = MessageIdentification.custom { message in
      let number = message.sequence.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return Array("\(message.claimedAuthor!)\(number)".utf8)
    }
    #expect(
      rust.id(of: hello).bytes == Array("12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB1".utf8))

    let ethereum = MessageIdentification.custom(ethereumID)
    func named(_ payload: String) -> MessageID {
      ethereum.id(
        of: WireMessage(
          topic: "/eth2/01020304/beacon_block/ssz_snappy", payload: Payload(hex(payload)), author: nil,
          sequence: nil))
    }
    #expect("\(named("051068656c6c6f"))" == "a9fe6ab574e2aac2f18a37d95a6250a6e0f5b583")
    #expect("\(named("010203"))" == "104f2c206a16cce5d7b7a267342bac7d0b08782d")
  }

  /// The consensus layer's id, for payloads that are one snappy literal or no snappy at all.
  private func ethereumID(_ message: WireMessage) -> [UInt8] {
    let payload = Array(message.payload.bytes)
    let isLiteral = payload.count >= 2 && payload[1] == (payload[0] - 1) << 2
    let domain: [UInt8] = [isLiteral ? 1 : 0, 0, 0, 0]
    let name = Array(message.topic.name.utf8)
    let size = (0..<8).map { UInt8(truncatingIfNeeded: name.count >> (8 * $0)) }
    return Array(
      sha256(domain + size + name + (isLiteral ? Array(payload.dropFirst(2)) : payload)).prefix(20))
  }
}
