/// A connection's layers: the cipher, the multiplexer, and a whole pair of sessions.

import GossipCore
import GossipLibp2p

extension Workload {
  /// 1 KiB is sealed by the cipher of a channel, and opened by a session.
  ///
  /// The plaintext is a frame for a stream that does not exist, which the session's multiplexer throws away: opening
  /// is all that is left of its work.
  static let noise = Workload("noise-frame", rounds: 2_000) { rounds in
    let settings = ConnectionSample.settings(ConnectionSample.listener)
    var session = ConnectionSample.session(.listener, settings, 3)
    var channel = ConnectionSample.upgrade(&session)
    var plaintext: [UInt8] = []
    let body = [UInt8](repeating: 0xa5, count: Sample.payloadSize - YamuxHeader.size)
    YamuxHeader(.data, [], stream: 77, length: UInt32(body.count)).append(to: &plaintext)
    plaintext += body
    for _ in 0..<rounds {
      var sealed: [UInt8] = []
      do { try channel.sending.sealMessages(plaintext.span.bytes, into: &sealed) } catch {
        preconditionFailure("sealing: \(error)")
      }
      session.receive(sealed.span.bytes, at: .zero)
    }
    precondition(session.stage == .running, "the session ended")
    return rounds
  }

  /// 1 KiB on a stream is written as a data frame by one multiplexer and read by another; credit comes back.
  static let yamux = Workload("yamux-frame", rounds: 10_000) { rounds in
    var (client, server) = (Yamux(isClient: true, YamuxLimits()), Yamux(isClient: false, YamuxLimits()))
    guard let stream = client.open() else { preconditionFailure("no stream") }
    let bytes = [UInt8](repeating: 0xa5, count: Sample.payloadSize)
    var arrived = 0
    for _ in 0..<rounds {
      client.send(bytes, on: stream)
      arrived += ConnectionSample.carry(&client, &server)
      _ = ConnectionSample.carry(&server, &client)
    }
    precondition(arrived == rounds * bytes.count, "\(arrived) bytes of \(rounds * bytes.count)")
    return rounds
  }

  /// A gossip frame with a message of 1 KiB goes from session to session: muxed, sealed, opened, cut.
  static let session = Workload("session", rounds: 2_000) { rounds in
    var pair = ConnectionSample.Pair()
    let frame = Sample.frame(1, isSigned: true).delimited
    for _ in 0..<rounds {
      precondition(pair.dialer.send(frame, on: 0), "no gossip stream")
      pair.settle()
    }
    precondition(pair.framesHeard == rounds, "\(pair.framesHeard) frames of \(rounds)")
    return rounds
  }
}

/// Sessions and multiplexers that speak with each other.
private enum ConnectionSample {
  static let dialer = identity(1)
  static let listener = identity(2)

  private static func identity(_ byte: UInt8) -> Identity {
    do { return try Identity(seed: Sample.seed(byte)) } catch { preconditionFailure("identity: \(error)") }
  }

  static func settings(_ identity: Identity) -> SessionSettings {
    SessionSettings(identity: identity, gossip: Manner.allCases.map(\.protocols))
  }

  static func session(_ role: Session.Role, _ settings: SessionSettings, _ byte: UInt8) -> Session {
    var session = Session(
      role, settings, expecting: nil, observed: nil, staticSeed: Sample.seed(byte),
      ephemeralSeed: Sample.seed(byte + 1), at: .zero)
    session.start(at: .zero)
    return session
  }

  /// Plays a dialer as far as the secure channel.
  static func upgrade(_ session: inout Session) -> NoiseChannel {
    var handshake = NoiseHandshake(
      initiates: true, dialer, muxers: ["/yamux/1.0.0"], expecting: nil, staticSeed: Sample.seed(5),
      ephemeralSeed: Sample.seed(6))
    var (greeting, hello, third): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
    Multistream.append(Multistream.header, to: &greeting)
    Multistream.append(NoiseHandshake.name, to: &greeting)
    session.receive(greeting.span.bytes, at: .zero)
    _ = session.takeOutput()
    handshake.start(into: &hello)
    session.receive(hello.span.bytes, at: .zero)
    let second = Array(session.takeOutput().dropFirst(2))
    guard let channel = try? handshake.receive(second.span.bytes, into: &third) else {
      preconditionFailure("the handshake failed")
    }
    session.receive(third.span.bytes, at: .zero)
    return channel
  }

  /// Carries what one multiplexer has to say to the other.
  /// - Returns: bytes of payload that arrived.
  static func carry(_ from: inout Yamux, _ to: inout Yamux) -> Int {
    var bytes: [UInt8] = []
    from.drain(into: &bytes)
    var (offset, arrived) = (0, 0)
    do {
      while let signal = try to.read(bytes.span.bytes, &offset, at: .zero) {
        if case .data(_, let range) = signal { arrived += range.count }
      }
    } catch { preconditionFailure("yamux: \(error)") }
    return arrived
  }

  /// Two sessions whose outputs are each other's inputs.
  struct Pair {
    var dialer = ConnectionSample.session(.dialer, settings(ConnectionSample.dialer), 3)
    var listener = ConnectionSample.session(.listener, settings(ConnectionSample.listener), 5)
    /// Gossip frames the listener heard.
    private(set) var framesHeard = 0

    init() { settle() }

    /// Delivers until both are silent.
    mutating func settle() {
      while true {
        dialer.flush()
        listener.flush()
        let (there, back) = (dialer.takeOutput(), listener.takeOutput())
        if there.isEmpty, back.isEmpty { return }
        listener.receive(there.span.bytes, at: .zero)
        dialer.receive(back.span.bytes, at: .zero)
        while dialer.nextEvent() != nil {}
        while let event = listener.nextEvent() { if case .frame = event { framesHeard += 1 } }
      }
    }
  }
}
