import GossipCore
import GossipLibp2p

/// A listening session under arbitrary bytes, at each stage of a connection.
///
/// The first byte chooses how far an honest dialer comes before the arbitrary bytes begin: nowhere, after the
/// protocol negotiation, or after the whole upgrade, where they are the plaintext of the secure channel. Whatever
/// they say, the session must not trap, must hold a bounded number of bytes, and must end once its time is up.
enum SessionFuzz {
  static func run(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    var listener = Listener()
    switch first % 3 {
    case 0: listener.feed(rest)
    case 1:
      listener.feed(Listener.greeting)
      listener.feed(rest)
    default: listener.upgradeAndFeed(rest)
    }
    listener.finish()
  }

  private struct Listener {
    var session: Session
    var now = Instant.zero

    static let greeting: [UInt8] = {
      var bytes: [UInt8] = []
      Multistream.append(Multistream.header, to: &bytes)
      Multistream.append(NoiseHandshake.name, to: &bytes)
      return bytes
    }()

    init() {
      let settings = SessionSettings(identity: Fixtures.identity, gossip: Manner.allCases.map(\.protocols))
      session = Session(
        .listener, settings, expecting: nil, observed: nil, staticSeed: Fixtures.seed(3),
        ephemeralSeed: Fixtures.seed(4), at: .zero)
      session.start(at: .zero)
    }

    /// Feeds bytes cut in pieces, with time passing, and reads what comes of it.
    mutating func feed(_ bytes: [UInt8]) {
      for piece in FuzzTarget.pieces(of: bytes) {
        now = now + .milliseconds(1)
        session.receive(Array(piece).span.bytes, at: now)
        session.flush()
        while let event = session.nextEvent() { read(event) }
        precondition(session.queuedBytes <= 16 << 20, "\(session.queuedBytes) bytes queued")
        _ = session.takeOutput()
      }
    }

    private mutating func read(_ event: Session.Event) {
      guard case .frame(let body, _, let family) = event, let manner = Manner(rawValue: UInt8(family)) else {
        return
      }
      if (try? Frame(decoding: Array(body).span.bytes, on: manner, WireLimits())) == nil {
        session.resetInbound(family: family)
      }
    }

    /// Plays an honest dialer up to the secure channel, then says `plaintext` on it.
    mutating func upgradeAndFeed(_ plaintext: [UInt8]) {
      var handshake = NoiseHandshake(
        initiates: true, Fixtures.other, muxers: ["/yamux/1.0.0"], expecting: nil,
        staticSeed: Fixtures.seed(5),
        ephemeralSeed: Fixtures.seed(6))
      _ = session.takeOutput()
      var hello: [UInt8] = []
      handshake.start(into: &hello)
      session.receive(Listener.greeting.span.bytes, at: now)
      _ = session.takeOutput()
      session.receive(hello.span.bytes, at: now)
      let second = Array(session.takeOutput().dropFirst(2))
      var third: [UInt8] = []
      guard var channel = try? handshake.receive(second.span.bytes, into: &third) else {
        preconditionFailure("the honest handshake failed")
      }
      session.receive(third.span.bytes, at: now)
      var sealed: [UInt8] = []
      guard (try? channel.sending.sealMessages(plaintext.span.bytes, into: &sealed)) != nil else { return }
      feed(sealed)
    }

    /// Silence from here on: an upgrade that is not finished, or an unanswered ping, ends the session.
    mutating func finish() {
      for _ in 0..<200 {
        guard let deadline = session.deadline else { break }
        now = max(now, deadline)
        session.wake(at: now)
        session.flush()
        _ = session.takeOutput()
      }
      precondition(session.isEnded, "a silent session lives on")
      session.receiveEnd(at: now)
    }
  }
}
