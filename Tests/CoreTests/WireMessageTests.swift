/// Messages: presence, what is signed, and what the decoder refuses.

import Testing

@testable import GossipCore

@Suite struct `A message on the wire` {
  /// One field; numbers above 15 take a longer key.
  func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    Protobuf.append(field: number, bytes: content, to: &out)
    return out
  }

  func read(_ bytes: [UInt8], _ limits: WireLimits = WireLimits()) throws(WireError) -> WireMessage {
    try decode(field(2, bytes), limits).messages[0]
  }

  @Test func `what is signed leaves out signature and key wherever they stand`() throws {
    let parts = [
      field(1, [1, 2]), field(2, [3]), field(3, [0, 1]), field(4, Array("t".utf8)), field(77, [9, 9]),
    ]
    let (signature, key) = (field(5, [5, 5, 5]), field(6, [6]))
    let expected = WireMessage.signaturePrefix + parts.flatMap { $0 }
    for first in 0...parts.count {
      for second in 0...parts.count {
        for isKeyFirst in [false, true] {
          var bytes: [UInt8] = []
          for place in 0...parts.count {
            let here = [(first, signature), (second, key)].filter { $0.0 == place }.map(\.1)
            for part in isKeyFirst ? here.reversed() : here { bytes += part }
            if place < parts.count { bytes += parts[place] }
          }
          let message = try read(bytes)
          #expect(message.signedBytes == expected, "signature at \(first), key at \(second)")
          #expect(message.bytes == bytes)
          #expect(message.signature.map(Array.init) == [5, 5, 5])
          #expect(message.key.map(Array.init) == [6])
        }
      }
    }
  }

  @Test func `signing again reads back what was signed`() throws {
    let unsigned = WireMessage(topic: "t", payload: "x", author: peer(1), sequence: 1 << 40)
    let signed = unsigned.signed([1, 2, 3], key: [4, 5])
    let back = try read(signed.bytes)
    #expect(back.signedBytes == unsigned.signedBytes)
    #expect(signed.signedBytes == unsigned.signedBytes)
    #expect(back.signature.map(Array.init) == [1, 2, 3])
    #expect(back.key.map(Array.init) == [4, 5])
    #expect(signed.signature.map(Array.init) == [1, 2, 3])
    #expect(signed.key.map(Array.init) == [4, 5])
  }

  // GS-8
  @Test func `unknown fields are kept and covered by the signature`() throws {
    var bytes = field(4, Array("t".utf8)) + field(99, [1, 2, 3])
    Protobuf.append(field: 7, varint: 300, to: &bytes)
    bytes += hex("41 0102030405060708 45 01020304")  // fixed 64 and 32 bits, field 8
    let message = try read(bytes)
    #expect(message.bytes == bytes)
    #expect(message.signedBytes == WireMessage.signaturePrefix + bytes)
    #expect(Frame([], [message]).encoded == field(2, bytes))
  }

  @Test func `a field of the wrong kind is an unknown field`() throws {
    var bytes = field(4, Array("t".utf8))
    for number in 1...6 { Protobuf.append(field: number, varint: 5, to: &bytes) }
    let message = try read(bytes)
    #expect(message.topic == "t")
    #expect(!message.hasAuthor && !message.hasSequence && message.signature == nil && message.key == nil)
    #expect(message.signedBytes == WireMessage.signaturePrefix + bytes)
  }

  @Test func `present and empty is not missing`() throws {
    let bytes = [1, 2, 3, 5, 6].flatMap { field($0, []) } + field(4, Array("t".utf8))
    let full = try read(bytes)
    #expect(full.hasAuthor && full.hasSequence)
    #expect(full.signature?.isEmpty == true && full.key?.isEmpty == true)
    #expect(full.claimedAuthor == nil && full.payload.isEmpty)
    #expect(full.bytes == bytes)

    let bare = try read(field(4, Array("t".utf8)))
    #expect(!bare.hasAuthor && !bare.hasSequence && bare.signature == nil && bare.key == nil)
    #expect(bare.authorBytes.isEmpty && bare.sequence.isEmpty && bare.payload.isEmpty)
    #expect(bare.signedBytes == WireMessage.signaturePrefix + hex("220174"))
  }

  @Test func `our own messages leave out what they do not have`() {
    let anonymous = WireMessage(topic: "t", payload: [], author: nil, sequence: nil)
    #expect(anonymous.bytes == hex("1200 220174"))  // an empty payload is there
    let numbered = WireMessage(topic: "t", payload: [1], author: nil, sequence: .max)
    #expect(numbered.bytes == hex("120101 1a08ffffffffffffffff 220174"))
    let authored = WireMessage(topic: "t", payload: [1], author: peer(1), sequence: nil)
    #expect(authored.bytes == hex("0a06000400000001 120101 220174"))
    #expect(authored.claimedAuthor == peer(1))
  }

  @Test func `a second signature or key is refused`() {
    let topic = field(4, Array("t".utf8))
    #expect(throws: WireError.malformed("message: second signature")) {
      try read(topic + field(5, [1]) + field(5, [1]))
    }
    #expect(throws: WireError.malformed("message: second key")) {
      try read(topic + field(6, []) + field(6, []))
    }
  }

  @Test func `of repeated plain fields the last one counts`() throws {
    let bytes =
      field(1, peer(1).bytes) + field(1, peer(2).bytes) + field(2, [1]) + field(2, [2]) + field(3, [1])
      + field(3, [2]) + field(4, Array("a".utf8)) + field(4, Array("b".utf8))
    let message = try read(bytes)
    #expect(message.claimedAuthor == peer(2))
    #expect(message.payload == [2] && Array(message.sequence) == [2] && message.topic == "b")
    #expect(message.signedBytes == WireMessage.signaturePrefix + bytes)
  }

  @Test func `a message without a topic is refused`() {
    #expect(throws: WireError.malformed("message: no topic")) { try read(field(2, [1])) }
    #expect(throws: WireError.malformed("message: no topic")) { try read([]) }
  }

  @Test func `a topic is UTF-8 of limited length`() throws {
    var limits = WireLimits()
    limits.topicSizeMax = 4
    #expect(try read(field(4, Array("abcd".utf8)), limits).topic == "abcd")
    #expect(throws: WireError.tooLong("topic", size: 5, limit: 4)) {
      try read(field(4, Array("abcde".utf8)), limits)
    }
    for broken in ["ff", "c3", "c080", "eda080", "f4908080"] {
      #expect(throws: WireError.malformed("topic: not UTF-8"), "\(broken)") {
        try read(field(4, hex(broken)))
      }
    }
  }

  @Test func `an author that is no peer id is a claim of nobody`() throws {
    let long = try read(field(1, [UInt8](repeating: 1, count: 48)) + field(4, Array("t".utf8)))
    #expect(long.hasAuthor && long.claimedAuthor == nil && long.authorBytes.count == 48)
  }
}

@Suite struct `Message ids` {
  @Test func `of the author's kind are the bytes of author and number`() throws {
    let message = WireMessage(topic: "t", payload: "x", author: peer(7), sequence: 0x0102)
    let id = MessageIdentification.author.id(of: message)
    #expect(id.bytes == peer(7).bytes + hex("0000000000000102"))
    #expect("\(id)" == "0004000000070000000000000102")
  }

  @Test func `of anonymous messages by author would all be one`() {
    let ids = ["a", "b"].map {
      MessageIdentification.author.id(
        of: WireMessage(topic: "t", payload: Payload($0), author: nil, sequence: nil))
    }
    #expect(ids[0] == ids[1] && ids[0].bytes.isEmpty)
    #expect(MessageIdentification.author.needsAuthor)
    #expect(!MessageIdentification.contentHash.needsAuthor)
    #expect(!MessageIdentification.custom { _ in [] }.needsAuthor)
  }

  @Test func `of the content are the hash of topic and payload, whoever wrote them`() {
    let one = WireMessage(topic: "t", payload: "hello", author: peer(1), sequence: 1).signed([1])
    let same = WireMessage(topic: "t", payload: "hello", author: nil, sequence: nil)
    let other = WireMessage(topic: "u", payload: "hello", author: nil, sequence: nil)
    let hash = sha256([1, 0, 0, 0, 0, 0, 0, 0] + Array("thello".utf8))
    #expect(MessageIdentification.contentHash.id(of: one).bytes == hash)
    #expect(MessageIdentification.contentHash.id(of: same).bytes == hash)
    #expect(MessageIdentification.contentHash.id(of: other).bytes != hash)
    let empty = WireMessage(topic: "t", payload: [], author: nil, sequence: nil)
    #expect(MessageIdentification.contentHash.id(of: empty).bytes == sha256([1, 0, 0, 0, 0, 0, 0, 0, 0x74]))
  }

  @Test func `are ordered by their bytes`() {
    let ordered = [[], [0], [0, 0], [0, 1], [1], [0x7f], [0x80], [0xff]].map { MessageID($0) }
    #expect(ordered.shuffled().sorted() == ordered)
    #expect(Set(ordered).count == ordered.count)
  }
}
