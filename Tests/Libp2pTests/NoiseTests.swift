import Crypto
import GossipCore
import Testing

@testable import GossipLibp2p

private let yamux: [ProtocolName] = ["/yamux/1.0.0"]

private func dialer(expecting: PeerID? = nil, muxers: [ProtocolName] = yamux) -> NoiseHandshake {
  NoiseHandshake(
    initiates: true, try! Identity(privateKeyProtobuf: Vectors.ed25519Private), muxers: muxers,
    expecting: expecting, staticSeed: seed(0x11), ephemeralSeed: seed(0x12))
}

private func listener(
  _ byte: UInt8 = 2, muxers: [ProtocolName] = yamux, ephemeral: UInt8 = 0x22
) -> NoiseHandshake {
  NoiseHandshake(
    initiates: false, someone(byte), muxers: muxers, expecting: nil, staticSeed: seed(0x21),
    ephemeralSeed: seed(ephemeral))
}

extension NoiseHandshake {
  /// Gives one message, without length; what is answered, without length, and the channel if it is complete.
  fileprivate mutating func take(_ message: [UInt8]) throws(NoiseError) -> (
    said: [UInt8], channel: NoiseChannel?
  ) {
    var out: [UInt8] = []
    let channel = try unsafe receive(message.span.bytes, into: &out)
    return (Array(out.dropFirst(2)), channel)
  }

  fileprivate mutating func begin() -> [UInt8] {
    var out: [UInt8] = []
    start(into: &out)
    return Array(out.dropFirst(2))
  }
}

extension CipherState {
  fileprivate mutating func seal(_ text: String) -> [UInt8] {
    var out: [UInt8] = []
    let bytes = Array(text.utf8)
    try! unsafe seal(bytes.span.bytes, into: &out)
    return out
  }

  fileprivate mutating func open(_ bytes: [UInt8]) throws(NoiseError) -> [UInt8] {
    try unsafe open(bytes.span.bytes, "message")
  }
}

private func channels(ephemeral: UInt8 = 0x22) throws -> (dialer: NoiseChannel, listener: NoiseChannel) {
  var (a, b) = (dialer(), listener(ephemeral: ephemeral))
  let second = try b.take(a.begin()).said
  let (third, channel) = try a.take(second)
  return (try #require(channel), try #require(b.take(third).channel))
}

@Suite struct `A Noise handshake` {
  // LP-19
  @Test func `gives the known bytes on both sides`() throws {
    var (a, b) = (dialer(), listener())
    let first = a.begin()
    #expect(first == Vectors.noiseMessage1)
    let second = try b.take(first).said
    #expect(second == Vectors.noiseMessage2)
    let (third, dialed) = try a.take(second)
    #expect(third == Vectors.noiseMessage3)
    let listened = try b.take(third).channel
    for channel in [dialed, listened] {
      #expect(channel?.hash == Vectors.noiseHash)
      #expect(channel?.muxers == yamux)
    }
    #expect(dialed?.peer.peer == someone(2).peer)
    #expect(listened?.peer.protobuf == Vectors.ed25519Public)
  }

  // LP-19, LP-29
  @Test func `leaves keys that give the known transport messages`() throws {
    var (a, b) = try channels()
    let pings = [a.sending.seal("ping0"), a.sending.seal("ping1")]
    #expect(pings == [Vectors.noisePing0, Vectors.noisePing1])
    #expect(b.sending.seal("pong0") == Vectors.noisePong0)
    #expect(try b.receiving.open(pings[0]) == Array("ping0".utf8))
    #expect(try b.receiving.open(pings[1]) == Array("ping1".utf8))
    #expect(try a.receiving.open(Vectors.noisePong0) == Array("pong0".utf8))
  }

  // LP-21
  @Test func `with another peer than dialed ends before the third message`() throws {
    var (a, b) = (dialer(expecting: someone(3).peer), listener())
    let second = try b.take(a.begin()).said
    var out: [UInt8] = []
    #expect(throws: NoiseError.wrongPeer(expected: someone(3).peer, found: someone(2).peer)) {
      try unsafe a.receive(second.span.bytes, into: &out)
    }
    #expect(out.isEmpty)
  }

  // LP-66
  @Test func `with ourselves is refused`() throws {
    var a = NoiseHandshake(
      initiates: true, someone(2), muxers: yamux, expecting: nil, staticSeed: seed(0x11),
      ephemeralSeed: seed(0x12))
    var b = listener()
    let second = try b.take(a.begin()).said
    #expect(throws: NoiseError.ourselves) { try a.take(second) }
  }

  // LP-22
  @Test func `ignores a payload in the first message`() throws {
    var (a, b) = (dialer(), listener())
    let first = a.begin() + Array("early".utf8)
    // The hashes differ now, as the dialer did not send it; but the listener answers.
    #expect(try b.take(first).said.count == 216)
  }

  // LP-22
  @Test func `refuses short messages and degenerate keys`() throws {
    var b = listener()
    #expect(throws: NoiseError.self) { try b.take([1, 2, 3]) }
    #expect(throws: NoiseError.zeroKey) { try b.take([UInt8](repeating: 0, count: 32)) }
    var a = dialer()
    _ = a.begin()
    #expect(throws: NoiseError.self) { try a.take([UInt8](repeating: 9, count: 95)) }
    #expect(throws: NoiseError.self) { try a.take([UInt8](repeating: 9, count: 216)) }
  }

  @Test func `breaks at any flipped bit of the second message`() throws {
    var (a, b) = (dialer(), listener())
    let second = try b.take(a.begin()).said
    for index in stride(from: 0, to: second.count, by: 7) {
      var flipped = second
      flipped[index] ^= 1
      var fresh = a
      #expect(throws: NoiseError.self) { try fresh.take(flipped) }
    }
  }

  // LP-23
  @Test func `takes muxers in extensions, and none from a list of more than a hundred`() throws {
    func seen(_ muxers: [ProtocolName]) throws -> [ProtocolName]? {
      var (a, b) = (dialer(), listener(2, muxers: muxers))
      return try a.take(b.take(a.begin()).said).channel?.muxers
    }
    #expect(try seen(["/mplex/6.7.0", "/yamux/1.0.0"]) == ["/mplex/6.7.0", "/yamux/1.0.0"])
    #expect(try seen([]) == nil)
    #expect(try seen([ProtocolName](repeating: "/yamux/1.0.0", count: 100))?.count == 100)
    #expect(try seen([ProtocolName](repeating: "/yamux/1.0.0", count: 101)) == nil)
  }
}

/// A listener's second message made by hand, with any payload: what a dialer thinks of it.
private func verdict(onPayload payload: [UInt8]) -> NoiseError? {
  var a = dialer()
  var forger = NoiseHandshake(
    initiates: false, someone(2).peer, payload: payload, expecting: nil, staticSeed: seed(0x21),
    ephemeralSeed: seed(0x22))
  do throws(NoiseError) {
    _ = try a.take(try forger.take(a.begin()).said)
    return nil
  } catch { return error }
}

@Suite struct `A handshake payload` {
  private func payload(key: [UInt8], signature: [UInt8], more: [UInt8] = []) -> [UInt8] {
    var bytes: [UInt8] = []
    Protobuf.append(field: 1, bytes: key, to: &bytes)
    Protobuf.append(field: 2, bytes: signature, to: &bytes)
    return bytes + more
  }

  private func signed(_ signer: Identity, over key: [UInt8]? = nil) -> [UInt8] {
    let own = try! Curve25519.KeyAgreement.PrivateKey(rawRepresentation: seed(0x21)).publicKey
      .rawRepresentation
    return signer.sign(Array("noise-libp2p-static-key:".utf8) + (key ?? Array(own)))
  }

  @Test func `is believed if its key signed the static key`() {
    let good = payload(key: someone(2).publicKey.protobuf, signature: signed(someone(2)))
    #expect(verdict(onPayload: good) == nil)
    // Old and unknown fields and extensions change nothing.
    #expect(verdict(onPayload: good + hex("1a03616263 22 05 0a03616263 30 05")) == nil)
  }

  // LP-20
  @Test func `is refused with a foreign signature, of another key, garbled or absent`() {
    let key = someone(2).publicKey.protobuf
    #expect(
      verdict(onPayload: payload(key: key, signature: signed(someone(3)))) == .badSignature(someone(2).peer)
    )
    #expect(
      verdict(onPayload: payload(key: key, signature: signed(someone(2), over: seed(5))))
        == .badSignature(someone(2).peer))
    #expect(verdict(onPayload: payload(key: key, signature: [])) == .badSignature(someone(2).peer))
    for bytes in [[], [0x0a], [0xff, 0xff], payload(key: key, signature: []).dropLast(2) as [UInt8]] {
      guard case .badPayload = verdict(onPayload: bytes) else {
        Issue.record("\(bytes) was not refused as a payload")
        continue
      }
    }
  }

  // LP-20
  @Test func `with a key we cannot verify is refused by name`() {
    let secp256k1 = payload(key: Vectors.secp256k1Public, signature: [1, 2, 3])
    guard case .badKey(.unsupported(let reason)) = verdict(onPayload: secp256k1) else {
      Issue.record("not refused as unsupported")
      return
    }
    #expect(reason.contains("secp256k1"))
    guard case .badKey = verdict(onPayload: payload(key: [1, 2], signature: [])) else {
      Issue.record("not refused as a key")
      return
    }
  }
}

@Suite struct `A Noise channel` {
  // LP-24, LP-25
  @Test(arguments: [0, 1, 16_384, 16_385, 65_519, 65_520, 1 << 20])
  func `carries plaintext of any size, in messages of at most 16 KiB`(size: Int) throws {
    var (a, b) = try channels()
    let plaintext = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var wire: [UInt8] = []
    try unsafe a.sending.sealMessages(plaintext.span.bytes, into: &wire)
    var opened: [UInt8] = []
    var offset = 0
    while offset < wire.count {
      let length = Int(wire[offset]) << 8 | Int(wire[offset + 1])
      #expect(length <= 16_384 + 16)
      opened += try b.receiving.open(Array(wire[offset + 2..<offset + 2 + length]))
      offset += 2 + length
    }
    #expect(opened == plaintext)
  }

  // LP-24
  @Test func `opens the largest message there is, and an empty one`() throws {
    var (a, b) = try channels()
    let text = String(repeating: "x", count: 65_519)
    #expect(try b.receiving.open(a.sending.seal(text)).count == 65_519)
    #expect(try b.receiving.open(a.sending.seal("")) == [])
  }

  // LP-26, BT-50, BT-69, BT-71, BB-15
  @Test func `notices what was altered, replayed, swapped or dropped`() throws {
    let (a, b) = try channels()
    var sending = a.sending
    let messages = ["one", "two", "three"].map { sending.seal($0) }
    var tampered = messages[0]
    tampered[0] ^= 1
    var tagged = messages[0]
    tagged[tagged.count - 1] ^= 1
    for wrong in [
      tampered, tagged, messages[1], Array(messages[0].dropLast()), [UInt8](repeating: 0, count: 15),
    ] {
      var receiving = b.receiving
      #expect(throws: NoiseError.self) { try receiving.open(wrong) }
    }
    var receiving = b.receiving
    _ = try receiving.open(messages[0])
    var replayed = receiving
    #expect(throws: NoiseError.self) { try replayed.open(messages[0]) }
    #expect(throws: NoiseError.self) { try receiving.open(messages[2]) }
  }

  // BT-70, BB-15
  @Test func `takes nothing from another session of the same two peers`() throws {
    let (a, _) = try channels()
    let (_, other) = try channels(ephemeral: 0x23)
    var (sending, receiving) = (a.sending, other.receiving)
    let message = sending.seal("of the first session")
    #expect(throws: NoiseError.self) { try receiving.open(message) }
  }
}
