/// Gossip on a session: per family one stream of ours, on which only we write, and one of the peer's.
///
/// Source: libp2p `pubsub/README.md`, go-libp2p-pubsub. RPCs are preceded by their length; empty ones are
/// skipped; one that is too long or does not parse costs the stream, not the connection. Our stream is
/// reopened when it dies, ever more slowly. The peer's healthy stream is never closed: it would take us for
/// dead. A second one replaces the first.

package import GossipCore

/// Our stream of a family.
struct GossipOut: Sendable {
  var stream: UInt32?
  /// The name agreed on, once it is open.
  var name: ProtocolName?
  var attempts = 0
  var lastAttempt: Instant = .zero
  var retryAt: Instant?
  /// The peer refused the whole family, or was tried too often.
  var isGivenUp = false
}

/// The peer's stream of a family.
struct GossipIn: Sendable {
  let stream: UInt32
  let name: ProtocolName
  var assembler = FrameAssembler()
}

/// Cuts a stream into frames by the length in front of each; copies only what comes in pieces.
struct FrameAssembler: Sendable {
  /// Part of a length, or of a body whose length is known.
  private var held: [UInt8] = []
  private var length: Int?

  /// The next complete body, taking from `bytes` what it needs; nil when they are used up.
  mutating func next(_ bytes: inout ArraySlice<UInt8>, _ sizeMax: Int) throws(WireError) -> ArraySlice<UInt8>?
  {
    while !bytes.isEmpty {
      if let length {
        let part = bytes.prefix(length - held.count)
        held.append(contentsOf: part)
        bytes = bytes.dropFirst(part.count)
        guard held.count == length else { return nil }
        self.length = nil
        defer { held = [] }
        return held[...]
      }
      if held.isEmpty, case .complete(let value, let size) = try unsafe Varint.read(bytes.span.bytes) {
        let count = try checked(value, sizeMax)
        bytes = bytes.dropFirst(size)
        if count == 0 { continue }
        if bytes.count >= count {
          defer { bytes = bytes.dropFirst(count) }
          return bytes.prefix(count)
        }
        length = count
        held.reserveCapacity(min(count, 1 << 16))
      } else {
        // A length in pieces: nine bytes at most.
        held.append(bytes.removeFirst())
        guard case .complete(let value, _) = try unsafe Varint.read(held.span.bytes) else { continue }
        let count = try checked(value, sizeMax)
        held.removeAll(keepingCapacity: true)
        if count > 0 { length = count }
      }
    }
    return nil
  }

  private func checked(_ length: UInt64, _ sizeMax: Int) throws(WireError) -> Int {
    guard length <= UInt64(sizeMax) else { throw .tooLong("frame", size: Int(length), limit: sizeMax) }
    return Int(length)
  }
}

extension Session {
  // MARK: Ours

  /// Queues one or several RPCs, each preceded by its length.
  /// - Returns: false if the family has no open stream; nothing is kept then.
  package mutating func send(_ frames: [UInt8], on family: Int) -> Bool {
    guard isRunning, outbound[family].name != nil, let id = outbound[family].stream else { return false }
    yamux.send(frames, on: id)
    return true
  }

  /// Bytes that can be sent now: the peer's credit, within our own bound. Zero or less: hold back.
  ///
  /// While it is positive a whole RPC is taken, whatever its size.
  package func writable(on family: Int) -> Int {
    guard isRunning, outbound[family].name != nil, let id = outbound[family].stream else { return 0 }
    return min(yamux.room(on: id), settings.limits.queuedBytesMax - queuedBytes)
  }

  /// Opens our stream of a family that was not among those to open at once.
  package mutating func speak(_ family: Int, at now: Instant) {
    guard !settings.opens.contains(family) else { return }
    settings.opens.append(family)
    if isRunning { openGossip(family, at: now) }
  }

  mutating func openGossip(_ family: Int, at now: Instant) {
    outbound[family].retryAt = nil
    outbound[family].lastAttempt = now
    outbound[family].stream = open(for: .gossip(family), at: now)
    // Too many streams wait for the peer's acknowledgement: not its refusal, so not an attempt.
    if outbound[family].stream == nil { outbound[family].retryAt = now + .seconds(1) }
  }

  mutating func gossipOpened(_ family: Int, _ name: ProtocolName) {
    outbound[family].name = name
    events.append(.opened(family: family, name))
  }

  mutating func gossipRefused(_ family: Int) {
    outbound[family].stream = nil
    outbound[family].isGivenUp = true
    events.append(.refused(family: family))
  }

  /// Our stream is gone: another at once, then after 100 ms, doubling to 10 s; not more often than allowed.
  mutating func gossipOutEnded(_ family: Int, at now: Instant) {
    if outbound[family].name != nil { events.append(.closed(family: family)) }
    outbound[family].stream = nil
    outbound[family].name = nil
    if now - outbound[family].lastAttempt > .seconds(600) { outbound[family].attempts = 0 }
    let attempts = outbound[family].attempts
    guard attempts < settings.limits.reopenAttemptsMax else { return gossipRefused(family) }
    outbound[family].attempts = attempts + 1
    guard attempts > 0 else { return openGossip(family, at: now) }
    let backoff = min(Duration.milliseconds(100) * (1 << min(attempts - 1, 7)), .seconds(10))
    let jitter = Duration.nanoseconds(Int64.random(in: 0..<100_000_000, using: &dice))
    outbound[family].retryAt = now + backoff + jitter
  }

  mutating func retryGossip(at now: Instant) {
    for family in outbound.indices {
      if let due = outbound[family].retryAt, due <= now { openGossip(family, at: now) }
    }
  }

  /// A family the peer did not speak is tried again when the peer lists it.
  mutating func reconsider(_ family: Int, at now: Instant) {
    guard outbound[family].isGivenUp, outbound[family].attempts < settings.limits.reopenAttemptsMax,
      settings.gossip[family].contains(where: { info.protocols.contains($0) })
    else { return }
    outbound[family].isGivenUp = false
    outbound[family].attempts += 1
    openGossip(family, at: now)
  }

  // MARK: The peer's

  mutating func acceptGossip(_ id: UInt32, _ name: ProtocolName, _ family: Int) {
    if let old = inbound[family]?.stream {
      streams[old] = nil
      yamux.reset(old)
    }
    inbound[family] = GossipIn(stream: id, name: name)
    streams[id] = .gossipIn(family)
    events.append(.inboundOpened(family: family, name))
  }

  mutating func receiveGossip(_ bytes: ArraySlice<UInt8>, _ family: Int) {
    var rest = bytes
    guard let name = inbound[family]?.name else { return }
    do throws(WireError) {
      while let body = try inbound[family]?.assembler.next(&rest, settings.limits.frameSizeMax) {
        events.append(.frame(body, name, family: family))
      }
    } catch {
      resetInbound(family: family)
      events.append(.garbled(error, family: family))
    }
  }

  /// Resets the peer's stream of a family, because what it carries is not understood.
  package mutating func resetInbound(family: Int) {
    guard let id = inbound[family]?.stream else { return }
    yamux.reset(id)
    streams[id] = nil
    inbound[family] = nil
    events.append(.inboundClosed(family: family))
  }

  mutating func gossipInEnded(_ family: Int) {
    inbound[family] = nil
    events.append(.inboundClosed(family: family))
  }
}
