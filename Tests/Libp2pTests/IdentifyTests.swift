import GossipCore
import Testing

@testable import GossipLibp2p

private func part(_ fill: (inout [UInt8]) -> Void) -> [UInt8] {
  var body: [UInt8] = []
  fill(&body)
  var message: [UInt8] = []
  Varint.append(UInt64(body.count), to: &message)
  return message + body
}

private func read(_ bytes: [UInt8], pieces: Int = .max) throws(WireError) -> IdentifyMessage {
  var reader = IdentifyReader()
  var start = 0
  while start < bytes.count {
    let end = min(bytes.count, pieces == .max ? .max : start + pieces)
    try reader.receive(bytes[start..<end], IdentifyLimits())
    start = end
  }
  return try reader.finish()
}

@Suite struct `An identify message` {
  @Test func `of a Go peer is understood, its record verified`() throws {
    let message = try read(Vectors.identifyCapture)
    let peer = try PublicKey(protobuf: try #require(message.key)).peer
    var info = IdentifyInfo()
    message.apply(to: &info, of: peer)
    #expect(info.agent == "p2pd/0.1" && info.protocolVersion == "")
    #expect(info.protocols.count == 8 && info.protocols.contains("/meshsub/1.1.0"))
    #expect(info.listenAddresses.map(\.description) == ["/ip4/127.0.0.1/tcp/41065"])
    #expect(info.observed?.description == "/ip4/127.0.0.1/tcp/35490")
    #expect(info.record != nil && info.recordSequence != nil)
    // Nobody else can use that record.
    var other = IdentifyInfo()
    message.apply(to: &other, of: someone(1).peer)
    #expect(other.record == nil)
  }

  @Test func `reads the same from any split of the bytes`() throws {
    let whole = try read(Vectors.identifyCapture)
    for pieces in 1...64 { #expect(try read(Vectors.identifyCapture, pieces: pieces) == whole) }
  }

  // LP-58
  @Test func `in several parts is merged`() throws {
    let parts = (0..<10).map { number in
      part { Protobuf.append(field: 3, bytes: Array("/p/\(number)".utf8), to: &$0) }
    }
    #expect(try read(parts.flatMap { $0 }).protocols.count == 10)
    let eleven = (parts + [parts[0]]).flatMap { $0 }
    #expect(throws: WireError.self) { try read(eleven) }
  }

  // LP-3, LP-58
  @Test func `may have 8 KiB, and is refused on its length beyond`() throws {
    let padding = [UInt8](repeating: 1, count: 8_192 - 3)
    #expect(try read(part { Protobuf.append(field: 15, bytes: padding, to: &$0) }).protocols.isEmpty)
    #expect(throws: WireError.tooLong("identify", size: 8_193, limit: 8_192)) { try read(hex("8140")) }
  }

  // LP-58
  @Test func `that is garbled or ends early is refused`() {
    for bytes in [[], [5], [2, 0x0a, 5], [1, 0x0f], Array(Vectors.identifyCapture.dropLast())] {
      #expect(throws: WireError.self) { try read(bytes) }
    }
  }

  @Test func `keeps no more than its bounds`() throws {
    var bytes: [UInt8] = []
    for _ in 0..<4 {
      bytes += part { body in
        for number in 0..<100 { Protobuf.append(field: 3, bytes: Array("/p/\(number)".utf8), to: &body) }
        for _ in 0..<40 { Protobuf.append(field: 2, bytes: hex("047f000001060fa1"), to: &body) }
        Protobuf.append(field: 6, bytes: [UInt8](repeating: 0x61, count: 257), to: &body)
        Protobuf.append(field: 3, bytes: [0xff], to: &body)
      }
    }
    let message = try read(bytes)
    #expect(message.protocols.count == 256 && message.listenAddresses.count == 64 && message.agent == nil)
  }

  // LP-59, LP-60
  @Test func `changes only what it mentions, and never for the worse`() throws {
    let peer = someone(2).peer
    var info = IdentifyInfo()
    var first = IdentifyMessage()
    first.agent = "a/1"
    first.protocols = ["/a"]
    first.listenAddresses = [
      hex("047f000001060fa1"), [0xff], try Multiaddr("/ip4/1.2.3.4/tcp/1").with(peer).bytes,
    ]
    first.observed = hex("047f000001060fa1")
    first.apply(to: &info, of: peer)
    #expect(info.listenAddresses.map(\.description) == ["/ip4/127.0.0.1/tcp/4001", "/ip4/1.2.3.4/tcp/1"])
    var second = IdentifyMessage()
    second.protocols = ["/b"]
    second.observed = [0xff, 0xff]
    second.key = Vectors.rsaPublic
    second.apply(to: &info, of: peer)
    #expect(info.agent == "a/1" && info.protocols == ["/b"] && info.listenAddresses.count == 2)
    #expect(info.observed?.description == "/ip4/127.0.0.1/tcp/4001")
  }

  @Test func `of ours fits 4 KiB whatever we listen on, and can be read`() throws {
    var settings = SessionSettings.example(2)
    settings.listenAddresses = try (0..<500).map { try Multiaddr("/ip4/127.0.0.1/tcp/\($0)") }
    settings.record = PeerRecord(peer: someone(2).peer, sequence: 1, addresses: []).sealed(by: someone(2))
    let encoded = IdentifyMessage.encoded(settings, protocols: ["/a"], observed: nil)
    #expect(encoded.count <= 4_096 + 2)
    let message = try read(encoded)
    #expect(message.key == someone(2).publicKey.protobuf && message.record == settings.record)
    #expect(message.listenAddresses.count == 64)
  }
}

@Suite struct `A peer record` {
  let identity = try! Identity(privateKeyProtobuf: Vectors.ed25519Private)

  @Test func `gives the known envelope`() throws {
    let record = PeerRecord(
      peer: identity.peer, sequence: 1, addresses: [try Multiaddr("/ip4/127.0.0.1/tcp/4001")])
    #expect(record.sealed(by: identity) == Vectors.recordEnvelope)
    #expect(
      SignedEnvelope.signedBytes("libp2p-peer-record", [3, 1], record.payload) == Vectors.recordSignedBytes)
    #expect(try PeerRecord(opening: Vectors.recordEnvelope) == record)
    let other = try Identity(seed: Array(0..<32))
    let seventh = PeerRecord(
      peer: other.peer, sequence: 7, addresses: [try Multiaddr("/ip4/127.0.0.1/tcp/4001")]
    ).sealed(by: other)
    #expect(seventh.count == 164)
    #expect(
      seventh.suffix(64)
        == hex(
          """
          1537943fa18aab28de6cf68033adb91e818477b51d8c9b7abf39d20cfcc56a35
          6c32e862195affd78b2c2cf37d1985fd4866cfaa83b45f629b2cb5c6a58ce90c
          """)[...])
  }

  // LP-61
  @Test func `of another domain, type, signer or peer is refused`() {
    let payload = PeerRecord(peer: identity.peer, sequence: 1, addresses: []).payload
    let stranger = try! Identity(seed: seed(3))
    let refused = [
      SignedEnvelope.seal(payload, domain: "libp2p-routing-state", type: [3, 1], by: identity),
      SignedEnvelope.seal(payload, domain: "libp2p-peer-record", type: [3, 2], by: identity),
      SignedEnvelope.seal(payload, domain: "libp2p-peer-record", type: [3, 1], by: stranger),
      SignedEnvelope.seal([0xff], domain: "libp2p-peer-record", type: [3, 1], by: identity),
      Array(Vectors.recordEnvelope.dropLast()), [], [UInt8](repeating: 0, count: 9_000),
    ]
    for envelope in refused { #expect(throws: WireError.self) { try PeerRecord(opening: envelope) } }
    var flipped = Vectors.recordEnvelope
    flipped[60] ^= 1
    #expect(throws: WireError.self) { try PeerRecord(opening: flipped) }
  }

  // LP-61
  @Test func `takes its own id off its addresses, and drops those of others`() throws {
    let bare = try Multiaddr("/ip4/127.0.0.1/tcp/1")
    let foreign = try Identity(seed: seed(3)).peer
    let record = PeerRecord(
      peer: identity.peer, sequence: 1, addresses: [bare.with(identity.peer), bare.with(foreign)])
    #expect(try PeerRecord(opening: record.sealed(by: identity)).addresses == [bare])
  }

  // LP-61
  @Test func `with an older number does not replace a newer one`() {
    var info = IdentifyInfo()
    for (sequence, kept) in [(5, 5), (4, 5), (5, 5), (6, 6)] as [(UInt64, UInt64)] {
      var message = IdentifyMessage()
      message.record = PeerRecord(peer: identity.peer, sequence: sequence, addresses: []).sealed(by: identity)
      message.apply(to: &info, of: identity.peer)
      #expect(info.recordSequence == kept)
    }
  }
}

@Suite struct `A ping` {
  // LP-63
  @Test func `is echoed in blocks of 32, however it is split`() {
    let blocks = (0..<96).map { UInt8($0) }
    for pieces in 1...96 {
      var responder = Ping.Responder()
      var echoed: [UInt8] = []
      for start in stride(from: 0, to: 96, by: pieces) {
        let echo = responder.receive(blocks[start..<min(96, start + pieces)])
        #expect(echo.count % 32 == 0)
        echoed += echo
      }
      #expect(echoed == blocks)
    }
  }

  // LP-63
  @Test func `of ours wants the same bytes back`() {
    var right = Ping.Initiator(block: seed(1))
    #expect(right.receive(seed(1)[..<10]) == nil)
    #expect(right.receive(seed(1)[10...]) == true)
    var wrong = Ping.Initiator(block: seed(1))
    #expect(wrong.receive([1, 1, 2]) == false)
  }
}
