/// Helpers of these tests: hex, identities, two joined sessions, and a peer that says exactly what it is told.

import GossipCore
import Testing

@testable import GossipLibp2p

/// What a web browser says first.
let httpRequest = Array(
  "GET /index.html HTTP/1.1\r\nHost: example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n".utf8)

/// The bytes of a hex text; white space is skipped.
func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func seed(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

func someone(_ byte: UInt8) -> Identity { try! Identity(seed: seed(byte)) }

extension Instant {
  static func seconds(_ seconds: Double) -> Instant { .zero + .seconds(seconds) }
}

extension SessionSettings {
  static func example(_ byte: UInt8) -> SessionSettings {
    var settings = SessionSettings(
      identity: someone(byte), gossip: [["/meshsub/1.2.0", "/meshsub/1.1.0"], ["/gossip/direct/1.0.0"]])
    settings.listenAddresses = [try! Multiaddr("/ip4/127.0.0.1/tcp/400\(byte)")]
    return settings
  }
}

extension Session {
  static func example(
    _ role: Role, _ byte: UInt8, _ settings: SessionSettings? = nil, expecting: PeerID? = nil
  ) -> Session {
    Session(
      role, settings ?? .example(byte), expecting: expecting,
      observed: try! Multiaddr("/ip4/127.0.0.1/tcp/5000"), staticSeed: seed(byte &+ 0x40),
      ephemeralSeed: seed(byte &+ 0x80), at: .zero)
  }

  /// Takes bytes in pieces of at most `size`.
  mutating func receive(_ bytes: [UInt8], inPiecesOf size: Int = .max, at now: Instant) {
    var offset = 0
    while offset < bytes.count {
      let end = min(bytes.count, size == .max ? .max : offset + size)
      unsafe receive(bytes.span.bytes.extracting(offset..<end), at: now)
      offset = end
    }
  }

  mutating func takeEvents() -> [Event] {
    var taken: [Event] = []
    while let event = nextEvent() { taken.append(event) }
    return taken
  }
}

extension Session.Event {
  /// A short text to compare.
  var text: String {
    switch self {
    case .established: "established"
    case .identified(let info): "identified \(info.protocols.count) \(info.listenAddresses)"
    case .opened(let family, let name): "opened \(family) \(name)"
    case .refused(let family): "refused \(family)"
    case .closed(let family): "closed \(family)"
    case .inboundOpened(let family, let name): "inboundOpened \(family) \(name)"
    case .inboundClosed(let family): "inboundClosed \(family)"
    case .frame(let body, _, let family):
      body.count > 32 ? "frame \(family) of \(body.count)" : "frame \(family) \(Array(body))"
    case .garbled(_, let family): "garbled \(family)"
    case .roundTrip: "roundTrip"
    case .echoed(let duration): duration == nil ? "echo failed" : "echoed"
    case .ended(let reason): "ended: \(reason)"
    }
  }
}

extension [Session.Event] {
  var texts: [String] { map(\.text) }

  var end: SessionEnd? {
    for case .ended(let reason) in self { return reason }
    return nil
  }

  var frames: [[UInt8]] {
    compactMap { event in if case .frame(let body, _, _) = event { [UInt8](body) } else { nil } }
  }

  var infos: [IdentifyInfo] {
    compactMap { event in if case .identified(let info) = event { info } else { nil } }
  }
}

/// Two sessions whose outputs are each other's inputs, on one virtual clock.
struct Pair {
  var dialer: Session
  var listener: Session
  var now: Instant = .zero
  var dialed: [Session.Event] = []
  var listened: [Session.Event] = []
  var pieceSize = Int.max
  /// Everything each side wrote.
  var dialerBytes = 0
  var listenerBytes = 0

  init(_ a: SessionSettings = .example(1), _ b: SessionSettings = .example(2), expecting: PeerID? = nil) {
    dialer = .example(.dialer, 1, a, expecting: expecting)
    listener = .example(.listener, 2, b)
  }

  mutating func start() {
    dialer.start(at: now)
    listener.start(at: now)
    settle()
  }

  /// Delivers until both are silent.
  mutating func settle() {
    while true {
      dialer.flush()
      listener.flush()
      let (there, back) = (dialer.takeOutput(), listener.takeOutput())
      dialerBytes += there.count
      listenerBytes += back.count
      listener.receive(there, inPiecesOf: pieceSize, at: now)
      dialer.receive(back, inPiecesOf: pieceSize, at: now)
      dialed += dialer.takeEvents()
      listened += listener.takeEvents()
      if there.isEmpty, back.isEmpty { return }
    }
  }

  /// Lets time pass, waking each session when it asks.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    while true {
      let due = min(dialer.deadline ?? .distantFuture, listener.deadline ?? .distantFuture)
      guard due <= end else { break }
      now = max(due, now)
      dialer.wake(at: now)
      listener.wake(at: now)
      settle()
    }
    now = end
  }
}

/// One yamux frame as a scripted peer sees it.
struct SeenFrame: Hashable, CustomStringConvertible {
  let header: YamuxHeader
  let payload: [UInt8]

  var description: String {
    "\(header.kind) \(header.flags.rawValue) \(header.stream) \(header.length) \(payload.count)"
  }
}

/// A peer that upgrades like any other, and then says exactly what the test tells it.
struct Puppet {
  var session: Session
  var now: Instant = .zero
  var events: [Session.Event] = []
  /// What the session said, in frames.
  var seen: [SeenFrame] = []
  let isDialer: Bool
  private let agreesOnMuxer: Bool
  private(set) var channel: NoiseChannel?
  private var plain: [UInt8] = []

  /// - Parameter isDialer: the puppet opens the connection; the session under test listens.
  init(
    isDialer: Bool = true, _ settings: SessionSettings = .example(2),
    muxers: [ProtocolName] = ["/yamux/1.0.0"]
  ) {
    self.isDialer = isDialer
    agreesOnMuxer = muxers.count <= 100 && muxers.contains("/yamux/1.0.0")
    session = .example(isDialer ? .listener : .dialer, 2, settings)
    session.start(at: now)
    var handshake = NoiseHandshake(
      initiates: isDialer, someone(9), muxers: muxers, expecting: nil, staticSeed: seed(0x33),
      ephemeralSeed: seed(0x44))
    var words: [UInt8] = []
    Multistream.append(Multistream.header, to: &words)
    Multistream.append("/noise", to: &words)
    session.receive(words, at: now)
    // The session's header and proposal or echo have the same length either way.
    var wire = Array(session.takeOutput().dropFirst(words.count))
    var out: [UInt8] = []
    handshake.start(into: &out)
    session.receive(out, at: now)
    wire += session.takeOutput()
    while channel == nil {
      let length = Int(wire[0]) << 8 | Int(wire[1])
      out = []
      channel = try! unsafe handshake.receive(wire.span.bytes.extracting(2..<2 + length), into: &out)
      wire.removeFirst(2 + length)
      session.receive(out, at: now)
      session.flush()
      wire += session.takeOutput()
    }
    read(wire)
    collect()
  }

  /// Sends plaintext in one sealed message (or several, if it is long).
  mutating func say(plain: [UInt8]) {
    var out: [UInt8] = []
    try! unsafe channel!.sending.sealMessages(plain.span.bytes, into: &out)
    session.receive(out, at: now)
    collect()
  }

  /// Sends one frame; the length is that of the payload unless given.
  mutating func say(
    _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags = [], _ stream: UInt32, length: UInt32? = nil,
    _ payload: [UInt8] = []
  ) {
    say(plain: frame(kind, flags, stream, length: length, payload))
  }

  func frame(
    _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags = [], _ stream: UInt32, length: UInt32? = nil,
    _ payload: [UInt8] = []
  ) -> [UInt8] {
    var out: [UInt8] = []
    YamuxHeader(kind, flags, stream: stream, length: length ?? UInt32(payload.count)).append(to: &out)
    return out + payload
  }

  /// Opens a stream and proposes.
  mutating func open(_ stream: UInt32, _ names: ProtocolName..., then rest: [UInt8] = []) {
    say(.windowUpdate, .syn, stream)
    say(.data, [], stream, Puppet.words([Multistream.header] + names) + rest)
  }

  static func words(_ names: [ProtocolName]) -> [UInt8] {
    var words: [UInt8] = []
    for name in names { Multistream.append(name, to: &words) }
    return words
  }

  mutating func pass(_ duration: Duration) {
    let end = now + duration
    while let due = session.deadline, due <= end {
      now = max(due, now)
      session.wake(at: now)
      collect()
    }
    now = end
  }

  mutating func collect() {
    session.flush()
    read(session.takeOutput())
    events += session.takeEvents()
  }

  private mutating func read(_ wire: [UInt8]) {
    var offset = 0
    while offset < wire.count {
      let length = Int(wire[offset]) << 8 | Int(wire[offset + 1])
      plain += try! unsafe channel!.receiving.open(
        wire.span.bytes.extracting(offset + 2..<offset + 2 + length), "message")
      offset += 2 + length
    }
    // Without a muxer from the handshake the session negotiates inside the channel first.
    guard agreesOnMuxer else { return }
    var index = 0
    while plain.count - index >= 12 {
      let header = try! unsafe YamuxHeader(plain.span.bytes, at: index)
      let size = header.kind == .data ? Int(header.length) : 0
      guard plain.count - index >= 12 + size else { break }
      seen.append(SeenFrame(header: header, payload: Array(plain[index + 12..<index + 12 + size])))
      index += 12 + size
    }
    plain.removeFirst(index)
  }

  /// Plaintext of a negotiation inside the channel.
  mutating func takePlain() -> [UInt8] { take(&plain) }

  /// Everything the session said on a stream.
  func heard(on stream: UInt32) -> [UInt8] {
    seen.filter { $0.header.stream == stream && $0.header.kind == .data }.flatMap(\.payload)
  }

  func flags(on stream: UInt32) -> YamuxHeader.Flags {
    seen.filter { $0.header.stream == stream }.reduce(into: []) { $0.formUnion($1.header.flags) }
  }

  func isReset(_ stream: UInt32) -> Bool { flags(on: stream).contains(.rst) }
}
