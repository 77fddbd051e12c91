/// Names: peers, topics, protocols, payloads. What counts is bytes.

import Testing

@testable import GossipCore

@Suite struct `Base58 text` {
  static let known: [(text: String, bytes: [UInt8])] = [
    ("", []), ("1", [0]), ("11", [0, 0]), ("112", [0, 0, 1]), ("2g", [0x61]), ("5Q", [0xff]),
    ("2NEpo7TZRRrLZSi2U", Array("Hello World!".utf8)),
    (
      "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
      Array("The quick brown fox jumps over the lazy dog.".utf8)
    ),
    ("11233QC4", hex("0000287fb4cd")),
    ("12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB", Vectors.authorBytes),
  ]

  @Test(arguments: 0..<known.count) func `gives the known answers`(index: Int) {
    let (text, bytes) = Self.known[index]
    #expect(Base58.encode(bytes) == text)
    #expect(Base58.decode(text, sizeMax: 64) == (text.isEmpty ? nil : bytes))
  }

  @Test(arguments: ["0", "O", "I", "l", "2NEpo7TZRRrLZSi2 U", "é", "", "12D3KooW+"])
  func `has no foreign characters`(text: String) {
    #expect(Base58.decode(text, sizeMax: 64) == nil)
  }

  @Test func `keeps to its size`() {
    let bytes = [UInt8](repeating: 0xff, count: 47)
    let text = Base58.encode(bytes)
    #expect(Base58.decode(text, sizeMax: 47) == bytes)
    #expect(Base58.decode(text, sizeMax: 46) == nil)
    #expect(Base58.decode(String(repeating: "1", count: 47), sizeMax: 47)?.count == 47)
    #expect(Base58.decode(String(repeating: "1", count: 48), sizeMax: 47) == nil)
    #expect(Base58.decode(String(repeating: "z", count: 1_000_000), sizeMax: 47) == nil)
  }

  @Test func `reads back whatever it wrote`() {
    var dice = Dice(58)
    for _ in 0..<2_000 {
      let bytes = [UInt8](repeating: 0, count: dice.number(0...3)) + dice.bytes(1...44)
      #expect(Base58.decode(Base58.encode(bytes), sizeMax: 47) == bytes)
    }
  }
}

@Suite struct `A peer id` {
  @Test func `has 1 to 47 bytes and keeps them`() {
    #expect(PeerID([UInt8]()) == nil)
    #expect(PeerID([UInt8](repeating: 1, count: 48)) == nil)
    for count in 1...47 {
      for byte in [0, 1, 0xff] as [UInt8] {
        let bytes = [UInt8](repeating: byte, count: count)
        #expect(PeerID(bytes)?.bytes == bytes)
        #expect(PeerID(bytes[...])?.count == count)
      }
    }
  }

  @Test func `reads back from its text`() throws {
    #expect("\(Vectors.author)" == "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB")
    #expect(PeerID("\(Vectors.author)") == Vectors.author)
    #expect(Vectors.author.short == "dBfeSB")
    #expect(PeerID("not base58!") == nil)
    #expect(PeerID("") == nil)
  }

  @Test func `equals, hashes and orders as its bytes do`() {
    var dice = Dice(47)
    var samples: [[UInt8]] = [[0], [0, 0], [1], [1, 0], [0xff], [0xff, 0], [0x80], [0x7f]]
    for _ in 0..<120 {
      let bytes = dice.bytes(1...47)
      samples.append(bytes)
      var twin = bytes  // differs in one place only
      twin[dice.number(0...bytes.count - 1)] ^= UInt8(1 << dice.number(0...7))
      samples.append(twin)
      if bytes.count < 47 { samples.append(bytes + [0]) }
    }
    let ids = samples.map { PeerID($0)! }
    for (bytes, id) in zip(samples, ids) {
      for (otherBytes, other) in zip(samples, ids) {
        guard (id == other) == (bytes == otherBytes),
          (id < other) == bytes.lexicographicallyPrecedes(otherBytes),
          id != other || id.hashValue == other.hashValue
        else {
          Issue.record("\(bytes) and \(otherBytes)")
          return
        }
      }
    }
    #expect(ids.sorted().map(\.bytes) == samples.sorted { $0.lexicographicallyPrecedes($1) })
  }
}

@Suite struct `A message id` {
  @Test func `of any length equals, hashes, orders and is written as its bytes`() {
    var dice = Dice(48)
    var samples: [[UInt8]] = [[], [0], [0, 0], [1], [0xff], [UInt8](repeating: 0, count: 47)]
    samples += [[UInt8](repeating: 0, count: 48), [UInt8](repeating: 0, count: 49)]
    for size in [1, 20, 32, 46, 47, 48, 49, 64, 128] {
      for _ in 0..<6 {
        let bytes = dice.bytes(size...size)
        var twin = bytes
        twin[dice.number(0...size - 1)] ^= UInt8(1 << dice.number(0...7))
        samples += [bytes, twin, bytes + [0]]
      }
    }
    let ids = samples.map { MessageID($0) }
    #expect(ids.map(\.bytes) == samples && ids.map(\.count) == samples.map(\.count))
    #expect(
      ids.map(\.description)
        == samples.map { $0.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() })
    for (bytes, id) in zip(samples, ids) {
      for (otherBytes, other) in zip(samples, ids) {
        guard (id == other) == (bytes == otherBytes),
          (id < other) == bytes.lexicographicallyPrecedes(otherBytes),
          id != other || id.hashValue == other.hashValue
        else {
          Issue.record("\(bytes) and \(otherBytes)")
          return
        }
      }
    }
  }
}

@Suite struct `A topic` {
  @Test func `is its bytes, not its characters`() {
    let (composed, decomposed) = (Topic("caf\u{e9}"), Topic("cafe\u{301}"))
    #expect(composed.name == decomposed.name, "Swift's strings call these equal")
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(decomposed < composed)
    #expect(!(composed < decomposed))
  }

  @Test func `differs if one byte does, wherever it is`() {
    for size in 1...33 {
      let name = String(repeating: "a", count: size)
      #expect(Topic(name) == Topic(String(Array(name))))
      for place in 0..<size {
        var other = Array(name.utf8)
        other[place] = 0x62
        #expect(Topic(name) != Topic(String(decoding: other, as: UTF8.self)))
      }
      #expect(Topic(name) != Topic(name + "a"))
    }
  }

  @Test func `is ordered by its bytes`() {
    let ordered: [Topic] = ["", "A", "B", "a", "a\u{0}", "ab", "b", "e\u{301}", "\u{e9}", "\u{1f701}"]
    #expect(ordered.shuffled().sorted() == ordered)
  }

  @Test func `keeps its case and prints as itself`() {
    #expect(Topic("Test") != "test")
    #expect("\(Topic("test"))" == "test")
  }
}

@Suite struct `A protocol name` {
  @Test func `is compared byte for byte`() {
    #expect(ProtocolName("/meshsub/1.2.0") != "/Meshsub/1.2.0")
    #expect(ProtocolName("/caf\u{e9}") != ProtocolName("/cafe\u{301}"))
    #expect("\(ProtocolName("/meshsub/1.2.0"))" == "/meshsub/1.2.0")
  }

  @Test func `is offered newest first`() {
    #expect(Manner.gossipSub.protocols == ["/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0"])
    #expect(Manner.direct.protocols == ["/gossip/direct/1.0.0"])
  }
}

@Suite struct `A payload` {
  @Test func `is its bytes, wherever they lie`() {
    let slice = [9, 1, 2, 3, 9][1..<4] as ArraySlice<UInt8>
    let payload = Payload(slice)
    #expect(payload == [1, 2, 3])
    #expect(payload.hashValue == Payload([1, 2, 3]).hashValue)
    #expect(payload.count == 3 && !payload.isEmpty)
    #expect(Payload([UInt8]()).isEmpty)
  }

  @Test func `reads as text and mends what is no text`() {
    #expect(Payload("grüezi").text == "grüezi")
    #expect(Payload([0x61, 0xff]).text == "a\u{fffd}")
    #expect(("hello" as Payload).bytes.elementsEqual("hello".utf8))
  }
}
