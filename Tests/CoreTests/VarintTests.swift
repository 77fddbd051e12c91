/// The two kinds of varint, and the reader of protobuf fields.

import Testing

@testable import GossipCore

@Suite struct `A libp2p varint` {
  func read(_ bytes: [UInt8], at offset: Int = 0) throws(WireError) -> Varint.Reading {
    let span = bytes.span
    return try Varint.read(span.bytes, at: offset)
  }

  static let known: [(UInt64, String)] = [
    (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16_384, "808001"),
    ((1 << 56) - 1, "ffffffffffffff7f"), (1 << 56, "808080808080808001"),
    ((1 << 63) - 1, "ffffffffffffffff7f"),
  ]

  @Test(arguments: 0..<known.count) func `gives the known answers`(index: Int) throws {
    let (value, text) = Self.known[index]
    var out: [UInt8] = [0xaa]
    Varint.append(value, to: &out)
    #expect(out == [0xaa] + hex(text))
    #expect(Protobuf.size(of: value) == hex(text).count)
    #expect(try read(out, at: 1) == .complete(value, size: hex(text).count))
    #expect(try read(out + [0x55], at: 1) == .complete(value, size: hex(text).count))
  }

  @Test(arguments: ["", "80", "ff", "ffffffffffffffff"]) func `waits for more`(text: String) throws {
    #expect(try read(hex(text)) == .incomplete)
  }

  @Test(arguments: ["8000", "ff00", "808000", "81808000"]) func `is minimal`(text: String) {
    #expect(throws: WireError.malformed("varint: not minimal")) { try read(hex(text)) }
  }

  @Test(arguments: ["ffffffffffffffffff", "80808080808080808001", "ffffffffffffffffff01"])
  func `has at most nine bytes`(text: String) {
    #expect(throws: WireError.malformed("varint: more than nine bytes")) {
      try read(hex(text))
    }
  }

  @Test func `reads back whatever it wrote`() throws {
    var dice = Dice(9)
    for _ in 0..<5_000 {
      let value = dice.word() >> 1
      var out: [UInt8] = []
      Varint.append(value, to: &out)
      #expect(try read(out) == .complete(value, size: out.count))
      #expect(try read(Array(out.dropLast())) == .incomplete)
    }
  }
}

@Suite struct `A protobuf reader` {
  func fields(_ text: String) throws -> [(Int, ProtobufReader.Value)] {
    let bytes = hex(text)
    var reader = ProtobufReader(0..<bytes.count)
    var found: [(Int, ProtobufReader.Value)] = []
    while let (field, value) = try reader.next(bytes.span.bytes, in: "test") { found.append((field, value)) }
    #expect(reader.position == bytes.count)
    return found
  }

  func first(_ text: String) throws -> ProtobufReader.Value? { try fields(text).first?.1 }

  @Test func `reads varints of any form, up to ten bytes`() throws {
    #expect(try first("0800") == .varint(0))
    #expect(try first("08ffffffffffffffffff01") == .varint(.max))
    #expect(try first("088000") == .varint(0), "longer than needed, which protobuf allows")
    #expect(try first("0881808080808080808000") == .varint(1))
    #expect(try first("08ffffffffffffffffff7f") == .varint(.max), "bits above 64 are dropped")
    #expect(throws: WireError.malformed("test: varint")) { try first("0880808080808080808080 01") }
    #expect(throws: WireError.truncated("test")) { try first("0880") }
    #expect(throws: WireError.truncated("test")) { try first("08") }
    #expect(throws: WireError.truncated("test")) { try first("80") }
  }

  @Test func `reads fixed values without keeping them`() throws {
    let found = try fields("09 0102030405060708 15 01020304 1801")
    #expect(found.map(\.0) == [1, 2, 3])
    #expect(found.map(\.1) == [.fixed, .fixed, .varint(1)])
    #expect(throws: WireError.truncated("test")) { try first("09 01020304050607") }
    #expect(throws: WireError.truncated("test")) { try first("15 010203") }
  }

  @Test func `never reads past its message`() throws {
    #expect(try first("0a03010203") == .bytes(2..<5))
    #expect(throws: WireError.truncated("test")) { try first("0a04010203") }
    #expect(throws: WireError.truncated("test")) { try first("0affffffffffffffffff01") }
    #expect(throws: WireError.truncated("test")) { try first("0affffffffffffffff7f") }

    // The surrounding bytes are there, but belong to somebody else.
    let bytes = hex("0a05010203 0405")
    var reader = ProtobufReader(0..<5)
    #expect(throws: WireError.truncated("test")) { try reader.next(bytes.span.bytes, in: "test") }
  }

  @Test(arguments: ["0b", "0c", "0e", "0f"]) func `refuses groups and kinds that do not exist`(text: String) {
    #expect(throws: WireError.malformed("test: wire type")) { try fields(text) }
  }

  @Test func `refuses field numbers that do not exist`() throws {
    #expect(throws: WireError.malformed("test: field number")) { try fields("0000") }
    #expect(throws: WireError.malformed("test: field number")) { try fields("0200") }
    #expect(throws: WireError.malformed("test: field number")) { try fields("808080801000") }
    #expect(try fields("f8ffffff0f00").map(\.0) == [0x1fff_ffff])
  }

  @Test func `measures what it writes`() {
    var dice = Dice(3)
    for _ in 0..<2_000 {
      let (number, value) = (dice.number(1...0x1fff_ffff), dice.word())
      let content = dice.bytes(0...300)
      var out: [UInt8] = []
      Protobuf.append(field: number, bytes: content, to: &out)
      #expect(out.count == Protobuf.size(field: number, count: content.count))
      out = []
      Protobuf.append(field: number, varint: value, to: &out)
      #expect(out.count == Protobuf.size(of: UInt64(number) << 3) + Protobuf.size(of: value))
    }
  }
}
