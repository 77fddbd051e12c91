import GossipCore
import GossipLibp2p
import NIOCore
import Synchronization

/// One connection: its session, its outbound queues and its wire, all on one event loop.
///
/// Bytes come in, are decrypted, cut and decoded here, and what they mean is reported to the host once per read
/// burst. Frames to send come in once per turn and leave in one write. Nothing here waits for the peer: what it
/// does not take stays in bounded queues, and a peer that takes nothing for too long is closed.
final class Connection: @unchecked Sendable {
  // Confined to `loop`, but for the constants and the atomics.
  let id: UInt64
  let loop: any EventLoop
  let role: Session.Role
  let address: Multiaddr
  let received = Atomic<UInt64>(0)
  let sent = Atomic<UInt64>(0)

  private var session: Session
  private var queues: [SendQueue]
  private var wire: (any Wire)?
  private let host: HostInbox
  private let wireLimits: WireLimits
  private let stallPatience: Duration
  private var reports: [Report] = []
  private var isReading = false
  private var hasEnded = false
  private var isCongested = false
  private var timer: (due: Instant, task: Scheduled<Void>)?
  /// Since when something waits and nothing moves.
  private var stalledSince: Instant?

  /// What the host needs to know.
  enum Report: Sendable {
    case established(PeerID)
    case identified(IdentifyInfo)
    case opened(Manner, ProtocolName)
    case closed(Manner)
    case frame(Frame)
    case garbled(WireError)
    case shed(Lane, Int)
    case roundTrip(Duration)
    /// A queue became half full, or no queue is any more.
    case congested(Bool)
    case ended(String)
  }

  init(
    id: UInt64, on loop: any EventLoop, _ role: Session.Role, _ settings: SessionSettings, expecting: PeerID?,
    address: Multiaddr, _ configuration: HostConfiguration, host: HostInbox
  ) {
    self.id = id
    self.loop = loop
    self.role = role
    self.address = address
    self.host = host
    wireLimits = configuration.node.wire
    stallPatience = configuration.limits.stallPatience
    session = Session(
      role, settings, expecting: expecting, observed: address, staticSeed: Dice.bytes(32),
      ephemeralSeed: Dice.bytes(32), at: .present)
    queues = Manner.allCases.map { SendQueue($0, configuration.limits.queue, configuration.node.wire) }
  }

  // MARK: From the wire

  func start(on wire: any Wire) {
    guard !hasEnded else { return wire.close() }  // it was given up before it was up
    guard self.wire == nil else { return }
    self.wire = wire
    session.start(at: .present)
    settle()
  }

  func receive(_ bytes: RawSpan) {
    received.add(UInt64(bytes.byteCount), ordering: .relaxed)
    isReading = true
    session.receive(bytes, at: .present)
    readEvents()
  }

  /// The burst is over: answers leave, reports go to the host.
  func readComplete() {
    isReading = false
    settle()
  }

  func writabilityChanged() { settle() }

  func transportEnded() {
    isReading = false  // a burst that ends in an error is never told to be complete
    session.receiveEnd(at: .present)
    wire = nil
    settle()
  }

  func transportFailed(_ error: any Error) {
    session.close(.local("the transport failed: \(error)"))
  }

  // MARK: From the host, on the loop

  func send(_ frames: [Frame]) {
    for frame in frames {
      let shed = queues[Int(frame.manner.rawValue)].push(frame)
      guard !shed.isEmpty else { continue }
      if shed.messages > 0 { reports.append(.shed(.message, shed.messages)) }
      if shed.offers > 0 { reports.append(.shed(.offer, shed.offers)) }
      if shed.overflowed { return close("it does not read: not even control words fit into its queue") }
    }
    settle()
  }

  /// Writes bytes to our stream of this manner, past its queue.
  func write(_ bytes: [UInt8], on manner: Manner) {
    _ = session.send(bytes, on: Int(manner.rawValue))
    settle()
  }

  /// Opens our stream of this manner, now or when the connection is up.
  func speak(_ manner: Manner) {
    session.speak(Int(manner.rawValue), at: .present)
    settle()
  }

  func setReading(_ isOn: Bool) {
    if isOn { session.resumeReading(at: .present) } else { session.pauseReading() }
    wire?.setReading(isOn)
    settle()
  }

  func close(_ reason: String) {
    session.close(.local(reason))
    settle()
  }

  /// Bytes that wait for the peer.
  private var queuedBytes: Int { queues.reduce(session.vitals().queuedBytes) { $0 + $1.queuedBytes } }

  // MARK: Settling: what follows from what happened

  private func settle() {
    guard !isReading else { return }
    readEvents()
    write()
    let isHalfFull = !hasEnded && queues.contains { $0.isHalfFull }
    if isHalfFull != isCongested {
      isCongested = isHalfFull
      // Before the end, if that is why.
      reports.insert(.congested(isHalfFull), at: hasEnded ? 0 : reports.count)
    }
    report()
    watch()
  }

  private func readEvents() {
    while let event = session.nextEvent() {
      switch event {
      case .established(let peer, _, _): reports.append(.established(peer))
      case .identified(let info): reports.append(.identified(info))
      case .opened(let family, let name): reports.append(.opened(manner(family), name))
      case .closed(let family):
        queues[family].removeAll()
        reports.append(.closed(manner(family)))
      case .frame(let body, _, let family): decode(body, family)
      case .garbled(let error, _): reports.append(.garbled(error))
      case .roundTrip(let time): reports.append(.roundTrip(time))
      case .ended(let reason):
        hasEnded = true
        reports.append(.ended("\(reason)"))
      case .refused, .inboundOpened, .inboundClosed, .echoed: break
      }
    }
  }

  private func manner(_ family: Int) -> Manner { Manner.allCases[family] }

  private func decode(_ body: ArraySlice<UInt8>, _ family: Int) {
    do {
      unsafe reports.append(.frame(try Frame(decoding: body.span.bytes, on: manner(family), wireLimits)))
    } catch {
      session.resetInbound(family: family)
      reports.append(.garbled(error))
    }
  }

  /// Moves what waits into the session as far as the peer has room, and everything sealed to the wire at once.
  private func write() {
    guard let wire else { return }
    var hasMoved = false
    if wire.isWritable {
      for family in queues.indices {
        while !queues[family].isEmpty, case let room = session.room(on: family), room > 0 {
          var bytes: [UInt8] = []
          queues[family].pop(min(room, 1 << 18), into: &bytes)
          guard session.send(bytes, on: family) else { break }
          hasMoved = true
        }
      }
      let size = session.gatherOutput()
      if size > 0 {
        hasMoved = true
        sent.add(UInt64(size), ordering: .relaxed)
        unsafe wire.write(size) { unsafe session.writeOutput(to: $0) }
      }
      // What flushing said of the end, and of streams that closed.
      readEvents()
    }
    if hasEnded {
      wire.close()
      self.wire = nil
    }
    let waits = queuedBytes > 0
    if !waits { stalledSince = nil } else if hasMoved || stalledSince == nil { stalledSince = .present }
  }

  private func report() {
    guard !reports.isEmpty else { return }
    let batch = reports
    reports.removeAll(keepingCapacity: true)
    host.post(batch, from: self)
  }

  // MARK: Time

  private func watch() {
    var due = hasEnded ? nil : session.vitals().deadline
    if let stalledSince, !hasEnded { due = min(due ?? .distantFuture, stalledSince + stallPatience) }
    guard let due else {
      timer?.task.cancel()
      timer = nil
      return
    }
    if let timer, timer.due <= due { return }  // it rings early, and is set again
    timer?.task.cancel()
    timer = (due, loop.scheduleTask(deadline: NIODeadline(due)) { [weak self] in self?.rang() })
  }

  private func rang() {
    timer = nil
    guard !hasEnded else { return }
    let now = Instant.present
    if let stalledSince, now >= stalledSince + stallPatience {
      return close("stalled: \(queuedBytes) bytes wait, and nothing was taken for \(stallPatience)")
    }
    session.wake(at: now)
    settle()
  }
}

/// Where connections report to: the host, reached from any loop.
final class HostInbox: Sendable {
  private let host = Mutex<Weak>(Weak())

  private struct Weak {
    weak var host: Host?
  }

  func open(_ host: Host) { self.host.withLock { $0.host = host } }

  /// One hop per burst; none if the connection lives on the host's own loop.
  func post(_ reports: [Connection.Report], from connection: Connection) {
    guard let host = host.withLock({ $0.host }) else { return }
    if host.loop === connection.loop {
      host.assumeIsolated { $0.take(reports, from: connection) }
    } else {
      host.loop.execute { host.assumeIsolated { $0.take(reports, from: connection) } }
    }
  }
}
