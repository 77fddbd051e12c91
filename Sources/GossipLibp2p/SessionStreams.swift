/// The streams of a session: who speaks what on each, and how long it may take.
///
/// Identify is opened by both sides at once and answered at once: go-libp2p waits for it before anything else.
/// A stream is negotiated within its patience or reset; trouble on a stream ends that stream only.
///
/// Source: libp2p `connections/README.md` section on streams, `identify/README.md`, `ping/ping.md`.

package import GossipCore

enum Identify {
  static let name: ProtocolName = "/ipfs/id/1.0.0"
  static let pushName: ProtocolName = "/ipfs/id/push/1.0.0"
}

/// What a stream is there for.
enum StreamRole: Sendable {
  /// The peer proposes.
  case answering(Multistream.Responder)
  /// We propose, for a purpose.
  case asking(Multistream.Initiator, StreamPurpose)
  /// The peer tells about itself: on a stream of ours, or by a push of its own.
  case reading(IdentifyReader)
  /// We said everything; only the peer's end is awaited.
  case told
  case echoing(Ping.Responder)
  case pinging(Ping.Initiator, sent: Instant)
  case gossipIn(Int)
  case gossipOut(Int)

  /// True if it has to be done within the stream patience.
  var isTimed: Bool {
    switch self {
    case .answering, .asking, .reading, .told, .pinging: true
    case .echoing, .gossipIn, .gossipOut: false
    }
  }
}

enum StreamPurpose: Sendable {
  case identify
  case push
  case ping([UInt8])
  case gossip(Int)
}

/// Pushes of identify in both directions.
struct PushState: Sendable {
  /// Something changed that the peer was not told.
  var isWanted = false
  var nextAllowed: Instant = .zero
  /// Pushes we still read, refilled one per second.
  var allowance: Int?
  var refilled: Instant = .zero
}

extension Session {
  mutating func openFirstStreams(at now: Instant) {
    open(for: .identify, at: now)
    for family in settings.opens { openGossip(family, at: now) }
  }

  /// Opens a stream and proposes on it; nil if none can be opened now.
  @discardableResult
  mutating func open(for purpose: StreamPurpose, at now: Instant) -> UInt32? {
    guard let id = yamux.open() else { return nil }
    let proposals: [ProtocolName] =
      switch purpose {
      case .identify: [Identify.name]
      case .push: [Identify.pushName]
      case .ping: [Ping.name]
      case .gossip(let family): settings.gossip[family]
      }
    let initiator = Multistream.Initiator(proposals)
    var words: [UInt8] = []
    initiator.start(into: &words)
    yamux.send(words, on: id)
    streams[id] = .asking(initiator, purpose)
    watch(id, at: now)
    return id
  }

  // MARK: Signals

  mutating func handle(_ signal: Yamux.Signal, in bytes: [UInt8], at now: Instant) {
    switch signal {
    case .data(let id, let range):
      if let family = inbound.firstIndex(where: { $0?.stream == id }) {
        receiveGossip(bytes[range], family)
      } else {
        receive(bytes[range], on: id, at: now)
      }
    case .opened(let id):
      let responder = Multistream.Responder()
      var words: [UInt8] = []
      responder.start(into: &words)
      yamux.send(words, on: id)
      streams[id] = .answering(responder)
      watch(id, at: now)
    case .ended(let id): ended(id, at: now)
    case .reset(let id): gone(id, at: now)
    case .roundTrip(let duration): events.append(.roundTrip(duration))
    case .wentAway: break  // the session's own matter
    }
  }

  private mutating func receive(_ bytes: ArraySlice<UInt8>, on id: UInt32, at now: Instant) {
    var rest = bytes
    while !rest.isEmpty, let role = streams[id] {
      switch role {
      case .answering(let responder): answer(responder, id, &rest, at: now)
      case .asking(let initiator, let purpose): ask(initiator, purpose, id, &rest, at: now)
      case .reading(var reader):
        do { try reader.receive(rest, settings.limits.identify) } catch { return drop(id, at: now) }
        streams[id] = .reading(reader)
        return
      case .told: return
      case .echoing(var responder):
        yamux.send(responder.receive(rest), on: id)
        streams[id] = .echoing(responder)
        return
      case .pinging(var initiator, let sent):
        guard let isSame = initiator.receive(rest) else {
          streams[id] = .pinging(initiator, sent: sent)
          return
        }
        guard isSame else { return drop(id, at: now) }
        events.append(.echoed(now - sent))
        streams[id] = .told
        yamux.finish(id)
        return
      case .gossipIn(let family):
        receiveGossip(rest, family)
        return
      case .gossipOut:
        // Nothing is ever said on this side; go-libp2p-pubsub takes it for the end, and so do we.
        return drop(id, at: now)
      }
    }
  }

  // MARK: Negotiating

  private mutating func answer(
    _ responder: Multistream.Responder, _ id: UInt32, _ rest: inout ArraySlice<UInt8>, at now: Instant
  ) {
    var responder = responder
    var offset = 0
    var words: [UInt8] = []
    let limits = settings.limits.negotiation
    let name: ProtocolName?
    do {
      name = try unsafe responder.receive(rest.span.bytes, &offset, accepting: accepted, limits, into: &words)
    } catch {
      return drop(id, at: now)
    }
    rest = rest.dropFirst(offset)
    yamux.send(words, on: id)
    guard let name else {
      streams[id] = .answering(responder)
      return
    }
    accept(id, name, at: now)
  }

  private mutating func accept(_ id: UInt32, _ name: ProtocolName, at now: Instant) {
    switch name {
    case Identify.name:
      yamux.send(IdentifyMessage.encoded(settings, protocols: accepted, observed: observed), on: id)
      yamux.finish(id)
      streams[id] = .told
    case Identify.pushName:
      guard allowsPush(at: now) else { return drop(id, at: now) }
      streams[id] = .reading(IdentifyReader())
    case Ping.name:
      let pings = pingStreams.filter { if case .echoing = streams[$0] { true } else { false } }
      guard pings.count < settings.limits.pingStreamsMax else { return drop(id, at: now) }
      pingStreams = pings + [id]
      streams[id] = .echoing(Ping.Responder())
    default:
      guard let family = settings.gossip.firstIndex(where: { $0.contains(name) }) else {
        preconditionFailure("accepted \(name) without a handler")
      }
      acceptGossip(id, name, family)
    }
  }

  private mutating func ask(
    _ initiator: Multistream.Initiator, _ purpose: StreamPurpose, _ id: UInt32,
    _ rest: inout ArraySlice<UInt8>, at now: Instant
  ) {
    var initiator = initiator
    var offset = 0
    var words: [UInt8] = []
    let outcome: Multistream.Initiator.Outcome
    do {
      outcome = try unsafe initiator.receive(
        rest.span.bytes, &offset, settings.limits.negotiation, into: &words)
    } catch {
      return drop(id, at: now)
    }
    rest = rest.dropFirst(offset)
    switch outcome {
    case .waiting:
      yamux.send(words, on: id)
      streams[id] = .asking(initiator, purpose)
    case .refused:
      streams[id] = nil
      yamux.reset(id)
      switch purpose {
      case .gossip(let family): gossipRefused(family)
      case .ping: events.append(.echoed(nil))
      case .identify, .push: break
      }
    case .agreed(let name): agreed(name, purpose, id, at: now)
    }
  }

  private mutating func agreed(_ name: ProtocolName, _ purpose: StreamPurpose, _ id: UInt32, at now: Instant)
  {
    switch purpose {
    case .identify:
      streams[id] = .reading(IdentifyReader())
    case .push:
      yamux.send(IdentifyMessage.encoded(settings, protocols: accepted, observed: observed), on: id)
      yamux.finish(id)
      streams[id] = .told
    case .ping(let block):
      yamux.send(block, on: id)
      streams[id] = .pinging(Ping.Initiator(block: block), sent: now)
      watch(id, at: now)
    case .gossip(let family):
      streams[id] = .gossipOut(family)
      gossipOpened(family, name)
    }
  }

  // MARK: Ends

  /// The peer will say no more on this stream.
  private mutating func ended(_ id: UInt32, at now: Instant) {
    switch streams[id] {
    case .told, .echoing:
      streams[id] = nil
      yamux.finish(id)
    case .reading(let reader):
      guard let message = try? reader.finish() else { return drop(id, at: now) }
      streams[id] = nil
      yamux.finish(id)
      learn(message, at: now)
    case .gossipIn(let family):
      streams[id] = nil
      yamux.finish(id)
      gossipInEnded(family)
    case .answering, .asking, .pinging, .gossipOut: drop(id, at: now)
    case nil: break
    }
  }

  /// Resets a stream, and deals with what it was for.
  mutating func drop(_ id: UInt32, at now: Instant) {
    yamux.reset(id)
    gone(id, at: now)
  }

  /// The stream does not exist any more.
  private mutating func gone(_ id: UInt32, at now: Instant) {
    switch streams.removeValue(forKey: id) {
    case .asking(_, .gossip(let family)), .gossipOut(let family): gossipOutEnded(family, at: now)
    case .asking(_, .ping), .pinging: events.append(.echoed(nil))
    case .gossipIn(let family): gossipInEnded(family)
    case .asking, .answering, .reading, .told, .echoing, nil: break
    }
  }

  // MARK: Identify

  private mutating func learn(_ message: IdentifyMessage, at now: Instant) {
    guard let peer else { return }
    message.apply(to: &info, of: peer)
    events.append(.identified(info))
    for family in outbound.indices { reconsider(family, at: now) }
    pushIfDue(at: now)
  }

  /// Tells the peer by push where we are reachable from now on, if it lists push; at most once per second.
  package mutating func updateAddresses(_ addresses: [Multiaddr], record: [UInt8]?, at now: Instant) {
    settings.listenAddresses = addresses
    settings.record = record
    push.isWanted = true
    pushIfDue(at: now)
  }

  private var peerTakesPushes: Bool { info.protocols.contains(Identify.pushName) }

  private mutating func pushIfDue(at now: Instant) {
    guard isRunning, push.isWanted, peerTakesPushes, now >= push.nextAllowed else { return }
    push.isWanted = false
    push.nextAllowed = now + .seconds(1)
    open(for: .push, at: now)
  }

  private mutating func allowsPush(at now: Instant) -> Bool {
    let seconds = (now - push.refilled).components.seconds
    let left = push.allowance ?? settings.limits.pushBurst
    if push.allowance == nil || seconds > 0 { push.refilled = now }
    let allowance = Int(min(Int64(settings.limits.pushBurst), Int64(left) + max(seconds, 0)))
    push.allowance = max(allowance - 1, 0)
    return allowance > 0
  }

  /// Asks for an echo of these 32 bytes; `.echoed` tells how long it took.
  package mutating func ping(_ block: [UInt8], at now: Instant) {
    precondition(block.count == Ping.blockSize, "a ping of \(block.count) bytes, expected \(Ping.blockSize)")
    guard isRunning, open(for: .ping(block), at: now) != nil else { return events.append(.echoed(nil)) }
  }

  // MARK: Time

  /// Every timed stream has the same patience, so the first watched is the first due.
  private mutating func watch(_ id: UInt32, at now: Instant) {
    timeouts.append((now + settings.limits.streamPatience, id))
    // Streams that are done leave their entry behind; a peer that opens many must not pile them up.
    if timeouts.count > 1_024, timeouts.count > 2 * streams.count {
      timeouts = .init(timeouts.filter { streams[$0.stream]?.isTimed == true })
    }
  }

  var streamsDeadline: Instant {
    var due = timeouts.first?.due ?? .distantFuture
    for family in outbound { due = min(due, family.retryAt ?? due) }
    if push.isWanted, peerTakesPushes { due = min(due, push.nextAllowed) }
    return due
  }

  mutating func wakeStreams(at now: Instant) {
    while let first = timeouts.first, first.due <= now {
      timeouts.removeFirst()
      guard let role = streams[first.stream], role.isTimed else { continue }
      // A peer that told everything but never ends the stream is taken at its word.
      if case .reading(let reader) = role, let message = try? reader.finish() { learn(message, at: now) }
      drop(first.stream, at: now)
    }
    pushIfDue(at: now)
    retryGossip(at: now)
  }
}
