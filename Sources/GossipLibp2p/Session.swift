/// One libp2p connection from its first byte to its last, as a machine: greeting, secure, muxed, framed.
///
/// Bytes of the transport go in by `receive`, in any split; events come out of `nextEvent`, bytes for the
/// transport out of `takeOutput` after `flush`. It owns no socket, clock or dice: instants and secrets are
/// handed in. Whatever the peer does, or fails to do, ends in `.ended` with a reason, by a deadline, with
/// memory within `SessionLimits`. After `.ended` the session is deaf.
///
/// Source: libp2p `connections/README.md`, `noise/README.md`, `yamux/README.md`; see the files of each layer.

import DequeModule
package import GossipCore

package struct Session: Sendable {
  static let muxerName: ProtocolName = "/yamux/1.0.0"

  /// A negotiation of the connection itself, from either end.
  private enum Negotiation: Sendable {
    case asking(Multistream.Initiator)
    case asked(Multistream.Responder)

    init(_ role: Role, _ name: ProtocolName) {
      self = role == .dialer ? .asking(Multistream.Initiator([name])) : .asked(Multistream.Responder())
    }

    func start(into out: inout [UInt8]) {
      switch self {
      case .asking(let initiator): initiator.start(into: &out)
      case .asked(let responder): responder.start(into: &out)
      }
    }

    /// True once `name` is agreed on.
    mutating func receive(
      _ bytes: RawSpan, _ offset: inout Int, _ name: ProtocolName, _ stage: Stage,
      _ limits: NegotiationLimits,
      into out: inout [UInt8]
    ) throws(SessionEnd) -> Bool {
      do throws(NegotiationError) {
        switch self {
        case .asked(var responder):
          let agreed = try responder.receive(bytes, &offset, accepting: [name], limits, into: &out)
          self = .asked(responder)
          return agreed != nil
        case .asking(var initiator):
          let outcome = try initiator.receive(bytes, &offset, limits, into: &out)
          self = .asking(initiator)
          if outcome != .refused { return outcome == .agreed(name) }
        }
      } catch {
        throw .negotiation(stage, error)
      }
      throw .nothingInCommon(stage, offered: [name])
    }
  }

  private enum State: Sendable {
    case greeting(Negotiation)
    case securing(NoiseHandshake)
    case muxing(Negotiation)
    case running
    case ended
  }

  package let role: Role
  var settings: SessionSettings
  /// The address the peer is seen at, which identify tells it.
  let observed: Multiaddr?
  private var state: State
  private let expected: PeerID?
  /// Secrets of this connection, until the handshake takes them.
  private var seeds: (fixed: [UInt8], ephemeral: [UInt8])
  private var channel: NoiseChannel?
  private var upgradeDue: Instant?
  /// After the peer's go away: its code, and when we stop waiting for its streams.
  private var farewell: (code: UInt32, due: Instant)?

  /// A message of the transport that is not complete yet: at most 64 KiB.
  private var held: [UInt8] = []
  /// Plaintext that `flush` seals.
  private var unsealed: [UInt8] = []
  private var output: [UInt8] = []
  var events: Deque<Event> = []

  // Streams; see SessionStreams.swift and SessionGossip.swift.
  var yamux: Yamux
  var streams: [UInt32: StreamRole] = [:]
  var timeouts: Deque<(due: Instant, stream: UInt32)> = []
  let accepted: [ProtocolName]
  var outbound: [GossipOut]
  var inbound: [GossipIn?]
  var info = IdentifyInfo()
  var push = PushState()
  /// Inbound ping streams, perhaps gone by now.
  var pingStreams: [UInt32] = []
  var dice: Random

  /// - Parameters:
  ///   - expecting: whom a dialer means to reach; nil takes anybody.
  ///   - observed: the remote address of the transport.
  ///   - staticSeed, ephemeralSeed: 32 bytes each from a secure source, used for this connection only.
  package init(
    _ role: Role, _ settings: SessionSettings, expecting: PeerID?, observed: Multiaddr?,
    staticSeed: [UInt8], ephemeralSeed: [UInt8], at now: Instant
  ) {
    self.role = role
    self.settings = settings
    self.observed = observed
    precondition(staticSeed.count == 32 && ephemeralSeed.count == 32, "seeds of a session have 32 bytes")
    expected = expecting
    seeds = (staticSeed, ephemeralSeed)
    state = .greeting(Negotiation(role, NoiseHandshake.name))
    yamux = Yamux(isClient: role == .dialer, settings.limits.yamux)
    accepted = [Identify.name, Identify.pushName, Ping.name] + settings.gossip.flatMap { $0 }
    outbound = settings.gossip.map { _ in GossipOut() }
    inbound = settings.gossip.map { _ in nil }
    // Jitter only; a digest of the seed tells nothing about it.
    dice = Random(seed: Array("gossip-session".utf8) + ephemeralSeed)
    upgradeDue = now + settings.limits.upgradePatience
  }

  /// Who is at the other end, once it proved it.
  package var peer: PeerID? { channel?.peer.peer }

  /// How far the connection has come; nil after its end.
  package var stage: Stage? {
    switch state {
    case .greeting: .greeting
    case .securing: .securing
    case .muxing: .muxing
    case .running: .running
    case .ended: nil
    }
  }

  package var isEnded: Bool { stage == nil }

  var isRunning: Bool { if case .running = state { true } else { false } }

  /// Says the first words, without waiting for the other side's; the upgrade's patience counts from here.
  package mutating func start(at now: Instant) {
    guard case .greeting(let negotiation) = state else { return }
    upgradeDue = now + settings.limits.upgradePatience
    negotiation.start(into: &output)
  }

  // MARK: Reading

  /// Takes bytes of the transport, in any split.
  /// - Complexity: O(bytes); each is decrypted once and copied at most once more.
  package mutating func receive(_ bytes: RawSpan, at now: Instant) {
    do throws(SessionEnd) {
      try read(bytes, at: now)
      let (unread, limit) = (queuedBytes, 2 * settings.limits.queuedBytesMax)
      if unread > limit { throw SessionEnd.unread(bytes: unread, limit: limit) }
    } catch {
      end(error)
    }
  }

  /// The transport ended.
  package mutating func receiveEnd(at now: Instant) {
    guard let stage else { return }
    let isClean = stage == .running && held.isEmpty
    end(isClean ? farewell.map { .wentAway(code: $0.code) } ?? .remoteClosed : .truncated(stage))
  }

  private mutating func read(_ bytes: RawSpan, at now: Instant) throws(SessionEnd) {
    let limits = settings.limits.negotiation
    var offset = 0
    while offset < bytes.byteCount {
      switch state {
      case .greeting(var negotiation):
        let name = NoiseHandshake.name
        guard try negotiation.receive(bytes, &offset, name, .greeting, limits, into: &output) else {
          state = .greeting(negotiation)
          return
        }
        var handshake = NoiseHandshake(
          initiates: role == .dialer, settings.identity, muxers: [Session.muxerName], expecting: expected,
          staticSeed: take(&seeds.fixed), ephemeralSeed: take(&seeds.ephemeral))
        handshake.start(into: &output)
        state = .securing(handshake)
      case .securing(var handshake):
        guard fill(bytes, &offset) else { return }
        let message = take(&held)
        let channel: NoiseChannel?
        do {
          channel = try unsafe handshake.receive(
            message.span.bytes.extracting(2..<message.count), into: &output)
        } catch {
          throw .noise(error)
        }
        state = .securing(handshake)
        if let channel { secured(channel, at: now) }
      case .muxing, .running:
        try readSealed(bytes, &offset, at: now)
      case .ended: return
      }
    }
  }

  /// Gathers one message with its length in `held`. True when it is complete.
  private mutating func fill(_ bytes: RawSpan, _ offset: inout Int) -> Bool {
    while held.count < 2, offset < bytes.byteCount {
      held.append(bytes.octet(at: offset))
      offset += 1
    }
    guard held.count >= 2 else { return false }
    let size = unsafe 2 + Int(held.span.bytes.word16(at: 0))
    let taken = min(size - held.count, bytes.byteCount - offset)
    held.append(bytes.extracting(offset..<offset + taken))
    offset += taken
    return held.count == size
  }

  /// Opens the next message, straight from the input where it is whole.
  private mutating func readSealed(_ bytes: RawSpan, _ offset: inout Int, at now: Instant) throws(SessionEnd)
  {
    let left = bytes.byteCount - offset
    if held.isEmpty, left >= 2, left - 2 >= Int(bytes.word16(at: offset)) {
      let start = offset + 2
      offset = start + Int(bytes.word16(at: offset))
      try readPlain(try open(bytes.extracting(start..<offset)), at: now)
    } else if fill(bytes, &offset) {
      let message = take(&held)
      try readPlain(try unsafe open(message.span.bytes.extracting(2..<message.count)), at: now)
    }
  }

  private mutating func open(_ sealed: RawSpan) throws(SessionEnd) -> [UInt8] {
    guard channel != nil else { preconditionFailure("sealed bytes without a channel") }
    do { return try channel?.receiving.open(sealed, "message") ?? [] } catch { throw .noise(error) }
  }

  private mutating func readPlain(_ plaintext: [UInt8], at now: Instant) throws(SessionEnd) {
    var offset = 0
    if case .muxing(var negotiation) = state {
      let agreed = try unsafe negotiation.receive(
        plaintext.span.bytes, &offset, Session.muxerName, .muxing, settings.limits.negotiation,
        into: &unsealed)
      state = .muxing(negotiation)
      if agreed { run(at: now) }
    }
    while isRunning {
      let signal: Yamux.Signal?
      do { signal = try unsafe yamux.read(plaintext.span.bytes, &offset, at: now) } catch {
        throw .yamux(error)
      }
      guard let signal else { break }
      if case .wentAway(let code) = signal {
        farewell = (code, now + settings.limits.farewellPatience)
      } else {
        handle(signal, in: plaintext, at: now)
      }
      try leaveIfIdle()
    }
  }

  /// After the peer's go away the last stream ends the connection.
  private func leaveIfIdle() throws(SessionEnd) {
    if let farewell, yamux.streamCount == 0 { throw .wentAway(code: farewell.code) }
  }

  // MARK: Upgrading

  private mutating func secured(_ channel: NoiseChannel, at now: Instant) {
    self.channel = channel
    if let muxers = channel.muxers, muxers.contains(Session.muxerName) { return run(at: now) }
    // No list, or nothing in common: as go-libp2p does, ask inside the channel.
    let negotiation = Negotiation(role, Session.muxerName)
    negotiation.start(into: &unsealed)
    state = .muxing(negotiation)
  }

  private mutating func run(at now: Instant) {
    guard let channel else { preconditionFailure("running without a channel") }
    state = .running
    upgradeDue = nil
    events.append(.established(channel.peer.peer, security: NoiseHandshake.name, muxer: Session.muxerName))
    yamux.start(at: now)
    openFirstStreams(at: now)
  }

  // MARK: Time

  /// When `wake` wants to be called; nil after the end.
  package var deadline: Instant? {
    guard !isEnded else { return nil }
    var due = upgradeDue ?? .distantFuture
    if isRunning { due = min(due, yamux.deadline ?? due) }
    if let farewell { due = min(due, farewell.due) }
    return min(due, streamsDeadline)
  }

  /// Does what is due. Calling early or twice does no harm.
  package mutating func wake(at now: Instant) {
    do throws(SessionEnd) {
      if let upgradeDue, now >= upgradeDue, let stage { throw SessionEnd.timedOut(stage) }
      guard isRunning else { return }
      do { try yamux.wake(at: now) } catch { throw SessionEnd.yamux(error) }
      if let farewell, now >= farewell.due { throw SessionEnd.wentAway(code: farewell.code) }
      wakeStreams(at: now)
      try leaveIfIdle()
    } catch {
      end(error)
    }
  }

  /// Says that nothing will be read for a while, so that silence is not held against the peer.
  package mutating func pauseReading() { yamux.pause() }

  package mutating func resumeReading(at now: Instant) { yamux.resume(at: now) }

  // MARK: Writing

  /// Bytes we hold for the transport in every form.
  package var queuedBytes: Int { yamux.queuedBytes + unsealed.count + output.count }

  /// What its owner looks at after every turn, in one question. Mutating, like `room`, so that asking the property
  /// of an object does not copy the session first.
  package mutating func vitals() -> (queuedBytes: Int, deadline: Instant?) { (queuedBytes, deadline) }

  /// `writable(on:)`, without a copy of the session.
  package mutating func room(on family: Int) -> Int { writable(on: family) }

  /// Gathers everything that may be sent now.
  /// - Returns: how many bytes `writeOutput` will write.
  package mutating func gatherOutput() -> Int {
    if isRunning { yamux.drain(into: &unsealed) }
    return output.count + (unsealed.isEmpty ? 0 : CipherState.sealedSize(of: unsealed.count))
  }

  /// Writes what was gathered, sealed in few, large messages, to a place of exactly the size gathered. Once only.
  package mutating func writeOutput(to place: UnsafeMutableRawBufferPointer) {
    unsafe place.copyBytes(from: output)
    let start = output.count
    output = []
    guard !unsealed.isEmpty else { return }
    var plaintext = take(&unsealed)
    do {
      try unsafe channel?.sending.sealMessages(plaintext.span.bytes, into: .init(rebasing: place[start...]))
    } catch {
      // 2^64 messages were sealed: nobody lives that long.
      preconditionFailure("\(error)")
    }
    // What one turn gathers is usually small; a burst's buffer is not kept.
    plaintext.removeAll(keepingCapacity: plaintext.capacity <= Session.plaintextKept)
    unsealed = plaintext
  }

  private static let plaintextKept = 4_096

  /// Seals everything that may be sent now.
  package mutating func flush() {
    let size = gatherOutput()
    guard size > output.count else { return }
    var sealed = [UInt8](repeating: 0, count: size)
    unsafe sealed.withUnsafeMutableBytes { unsafe writeOutput(to: $0) }
    output = sealed
  }

  /// Hands over the bytes for the transport.
  package mutating func takeOutput() -> [UInt8] {
    take(&output)
  }

  package mutating func nextEvent() -> Event? { events.popFirst() }

  // MARK: The end

  /// Ends the connection in order: what is queued, as far as the peer has room for it, then go away.
  package mutating func close(_ reason: SessionEnd) { end(reason) }

  private mutating func end(_ reason: SessionEnd) {
    guard !isEnded else { return }
    switch reason {
    case .local where isRunning:
      yamux.drain(into: &unsealed)
      yamux.goAway(code: 0, into: &unsealed)
    case .yamux where isRunning:
      yamux.goAway(code: 1, into: &unsealed)
    case .unread:
      // It reads nothing; saying more would only cost memory.
      unsealed = []
      output = []
    default: unsealed = []
    }
    state = .ended
    held = []
    streams = [:]
    timeouts = []
    inbound = inbound.map { _ in nil }
    yamux = Yamux(isClient: role == .dialer, settings.limits.yamux)
    events.append(.ended(reason))
  }
}
