/// One door per decoder for the fuzzer, and for the tests that replay the committed corpora.
///
/// A target takes arbitrary bytes and must return: a trap, a hang or a broken promise (`precondition` here) is a
/// find. Where bytes arrive in pieces, the first byte seeds how they are cut, and both cuts must lead to the same
/// result.

import GossipCore
import GossipLibp2p

/// A decoder, or the node itself.
public enum FuzzTarget: String, CaseIterable, Sendable {
  case frame, multistream, noise, yamux, identify, multiaddr, key, envelope, session, node

  /// Feeds `bytes` to the decoder.
  public func run(_ bytes: [UInt8]) {
    switch self {
    case .frame: FuzzTarget.frame(bytes)
    case .multistream: FuzzTarget.multistream(bytes)
    case .noise: FuzzTarget.noise(bytes)
    case .yamux: FuzzTarget.yamux(bytes)
    case .identify: FuzzTarget.identify(bytes)
    case .multiaddr: FuzzTarget.multiaddr(bytes)
    case .key: FuzzTarget.key(bytes)
    case .envelope: FuzzTarget.envelope(bytes)
    case .session: SessionFuzz.run(bytes)
    case .node: NodeFuzz.run(bytes)
    }
  }

  // MARK: Decoders of whole messages

  /// What decodes must encode again, and decode to the same.
  private static func frame(_ bytes: [UInt8]) {
    let limits = WireLimits()
    for manner in Manner.allCases {
      guard let frame = try? Frame(decoding: bytes.span.bytes, on: manner, limits) else { continue }
      let encoded = frame.encoded
      precondition(
        encoded.count == frame.encodedSize, "\(encoded.count) bytes, announced \(frame.encodedSize)")
      guard let again = try? Frame(decoding: encoded.span.bytes, on: manner, limits) else {
        preconditionFailure("a decoded frame does not decode after encoding")
      }
      precondition(again.subscriptions == frame.subscriptions && again.controls == frame.controls)
      precondition(again.messages.map(\.bytes) == frame.messages.map(\.bytes))
      for message in frame.messages {
        _ = message.signedBytes
        _ = (message.claimedAuthor, message.payload, message.sequence, message.key)
      }
    }
  }

  private static func multiaddr(_ bytes: [UInt8]) {
    if let address = try? Multiaddr(bytes: bytes) {
      precondition(address.bytes == bytes)
      precondition((try? Multiaddr(address.description)) == address, "\(address) does not parse back")
      _ = (address.peer, address.tcpEndpoint, address.withoutPeer)
    }
    if let address = try? Multiaddr(String(decoding: bytes, as: UTF8.self)) {
      precondition((try? Multiaddr(bytes: address.bytes)) == address, "\(address) does not decode back")
    }
  }

  private static func key(_ bytes: [UInt8]) {
    if let key = try? PublicKey(protobuf: bytes) {
      precondition(key.protobuf == bytes, "a key that is not canonical was taken")
      _ = key.isValidSignature(Array(bytes.suffix(64)), over: bytes)
    }
    _ = try? Identity(privateKeyProtobuf: bytes)
    if let peer = try? PeerID(multihash: bytes) {
      precondition(peer.bytes == bytes)
      precondition((try? PeerID(parsing: peer.description)) == peer)
      precondition((try? PeerID(parsing: peer.cid)) == peer)
      _ = try? PublicKey(embeddedIn: peer)
    }
    _ = try? PeerID(parsing: String(decoding: bytes, as: UTF8.self))
  }

  private static func envelope(_ bytes: [UInt8]) { _ = try? PeerRecord(opening: bytes) }

  // MARK: Readers of streams

  private static func identify(_ bytes: [UInt8]) {
    func read(_ pieces: [ArraySlice<UInt8>]) -> IdentifyMessage? {
      var reader = IdentifyReader()
      for piece in pieces { guard (try? reader.receive(piece, IdentifyLimits())) != nil else { return nil } }
      return try? reader.finish()
    }
    precondition(read([bytes[...]]) == read(pieces(of: bytes)), "cutting changed what identify says")
  }

  private static func multistream(_ bytes: [UInt8]) {
    func read(_ pieces: [ArraySlice<UInt8>]) -> (ProtocolName?, [UInt8], failed: Bool) {
      var responder = Multistream.Responder()
      var out: [UInt8] = []
      responder.start(into: &out)
      for piece in pieces {
        let piece = Array(piece)
        var offset = 0
        do {
          let agreed = try responder.receive(
            piece.span.bytes, &offset, accepting: ["/noise", "/yamux/1.0.0"], NegotiationLimits(), into: &out)
          if let agreed { return (agreed, out, false) }
        } catch { return (nil, out, true) }
      }
      return (nil, out, false)
    }
    precondition(read([bytes[...]]) == read(pieces(of: bytes)), "cutting changed the negotiation")
  }

  /// Bytes as the first message to a listener, and as the answer to a dialer.
  private static func noise(_ bytes: [UInt8]) {
    for initiates in [false, true] {
      var handshake = NoiseHandshake(
        initiates: initiates, Fixtures.identity, muxers: ["/yamux/1.0.0"], expecting: nil,
        staticSeed: Fixtures.seed(1), ephemeralSeed: Fixtures.seed(2))
      var out: [UInt8] = []
      handshake.start(into: &out)
      var rest = bytes[...]
      while rest.count > 2 {
        let length = min(Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1]), rest.count - 2)
        let message = Array(rest.dropFirst(2).prefix(length))
        rest = rest.dropFirst(2 + length)
        do {
          if try handshake.receive(message.span.bytes, into: &out) != nil { break }
        } catch { break }
      }
    }
  }

  private static func yamux(_ bytes: [UInt8]) {
    func read(_ pieces: [ArraySlice<UInt8>]) -> (payload: [UInt8], failed: Bool) {
      var yamux = Yamux(isClient: false, YamuxLimits())
      var payload: [UInt8] = []
      for piece in pieces {
        let piece = Array(piece)
        var offset = 0
        do {
          while let signal = try yamux.read(piece.span.bytes, &offset, at: .zero) {
            if case .data(_, let range) = signal { payload += piece[range] }
            if case .ended(let id) = signal { yamux.finish(id) }
          }
        } catch { return (payload, true) }
        precondition(yamux.streamCount <= YamuxLimits().inboundStreamsMax)
      }
      // Only now: what we say in between changes what the peer's next frame means.
      var out: [UInt8] = []
      yamux.drain(into: &out)
      return (payload, false)
    }
    let (whole, cut) = (read([bytes[...]]), read(pieces(of: bytes)))
    precondition(whole.failed == cut.failed, "cutting changed whether the muxer fails")
    precondition(whole.failed || whole.payload == cut.payload, "cutting changed the payload")
  }

  /// The bytes cut at places their own first byte leads to.
  static func pieces(of bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    guard let first = bytes.first else { return [] }
    var pieces: [ArraySlice<UInt8>] = []
    var (start, step) = (0, Int(first))
    while start < bytes.count {
      step = (step * 29 + 17) % 61
      let end = min(bytes.count, start + step % 13 + 1)
      pieces.append(bytes[start..<end])
      start = end
    }
    return pieces
  }
}

/// What all targets start from.
enum Fixtures {
  static func seed(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

  static let identity: Identity = {
    do { return try Identity(seed: seed(9)) } catch { preconditionFailure("fixture: \(error)") }
  }()

  static let other: Identity = {
    do { return try Identity(seed: seed(8)) } catch { preconditionFailure("fixture: \(error)") }
  }()
}
