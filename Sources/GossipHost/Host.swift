public import GossipCore
public import GossipLibp2p
import Logging
import NIOCore
public import ServiceLifecycle

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A gossip node on a real network: the public face of the library.
///
/// One `Node` decides; the host performs. It is an actor whose executor is one event loop, its home: a turn of the
/// node never suspends, frames of one read burst come in by one hop, and what a turn sends leaves by one hop per
/// loop. Signatures are checked elsewhere, in batches. Nothing here waits for a peer.
///
///     let host = try Host()
///     async let running: Void = host.run()
///     try await host.withSubscription(to: "blocks") { blocks in
///       for await case .message(let message, _) in blocks { print(message.payload.text) }
///     }
public actor Host: Service {
  nonisolated let loop: any EventLoop
  /// The home loop.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe loop.executor.asUnownedSerialExecutor()
  }

  /// For tasks that call the host or read from it all the time: those that prefer this executor run on the home
  /// loop, and change no thread for it. What computes for long belongs elsewhere.
  ///
  ///     await withTaskExecutorPreference(host.executor) { … }
  public nonisolated let executor: any TaskExecutor

  /// Who this node is.
  public nonisolated let identity: Identity
  nonisolated let configuration: HostConfiguration
  nonisolated let noticeBoard = NoticeBoard()
  let inbox = HostInbox()
  let signatures: Signatures
  let telemetry: Telemetry
  /// What sequence numbers begin after, if nothing was kept.
  let sequenceStart: UInt64

  private var node: Node
  private var interposer: (any Interposer)?
  private var effects: [Node.Effect] = []
  private var pending: [Node.Input] = []
  private var isTurning = false
  private var outgoing = Outgoing()
  private var isFlushing = false
  private var timer: (due: Instant, task: Scheduled<Void>)?

  // What each part of the host keeps; see their files.
  var links = Links()
  var listeners = Listeners()
  var subscriptions = Subscriptions()
  var requests = Requests()
  var waiters = PeerWaiters()
  var keeping = Keeping()
  var isLeaving = false

  /// - Throws: `ConfigurationError` naming the first setting that cannot work.
  public init(_ configuration: HostConfiguration = HostConfiguration()) throws(ConfigurationError) {
    try self.init(configuration, interposing: nil)
  }

  /// A host whose node something stands in front of.
  package init(_ configuration: HostConfiguration, interposing interposer: (any Interposer)?)
    throws(ConfigurationError)
  {
    try configuration.validate()
    self.configuration = configuration
    identity = configuration.identity
    loop = configuration.eventLoopGroup.next()
    executor = LoopExecutor(loop)
    signatures = Signatures(configuration.identity)
    telemetry = Telemetry(configuration.logger, configuration.identity.peer)
    self.interposer = interposer
    var settings = configuration.node
    if settings.sequenceStart == 0 { settings.sequenceStart = Host.wallClockNanoseconds }
    sequenceStart = settings.sequenceStart
    node = try Node(settings, as: configuration.identity.peer, seed: Dice.bytes(32), at: .present)
    for manner in settings.manners where !links.spoken.contains(manner) { links.spoken.append(manner) }
    inbox.open(self)
  }

  // MARK: Life

  /// Listens, keeps the bootstrap connections, and returns when it was told to stop: by graceful shutdown or by
  /// cancellation. Leaving takes at most `farewellPatience`.
  /// - Throws: `ListenError` if an address cannot be listened on, and what a store throws that cannot be read.
  public func run() async throws {
    do {
      try await recall()
      try await startListening()
    } catch {
      listeners.fail(error)
      keeping.failAll()
      throw error
    }
    schedule()
    let ticking = telemetryTicks()
    let scoreTicking = scoreTicks()
    await withTaskGroup(of: Void.self) { group in
      for address in configuration.bootstrap { group.addTask { await self.stayConnected(to: address) } }
      group.addTask { try? await gracefulShutdown() }
      // Bootstrap tasks end by cancellation only, so the first task to end is the signal to leave.
      await group.next()
      group.cancelAll()
      linkChanged()
    }
    ticking.cancel()
    scoreTicking?.cancel()
    await leave()
  }

  /// Says goodbye: topics first, then what waits, then the connections.
  private func leave() async {
    isLeaving = true
    saveLastScores()
    for topic in node.snapshot.topics.map(\.topic) { handle(.unsubscribe(topic)) }
    await stopListening()
    let deadline = Instant.present + configuration.limits.farewellPatience
    let connections = links.all
    for connection in connections { connection.loop.execute { connection.close("this node is leaving") } }
    while !links.isEmpty, Instant.present < deadline { try? await waitForLinkChange(until: deadline) }
    subscriptions.endAll()
    requests.failAll()
    keeping.failAll()
    waiters.failAll()
    await finishSaving(by: deadline)
    timer?.task.cancel()
    timer = nil
    noticeBoard.close()
  }

  // MARK: Turns

  /// Feeds the node; inputs that come up during a turn follow it.
  func handle(_ input: Node.Input) {
    pending.append(input)
    drain()
  }

  func handle(_ inputs: [Node.Input]) {
    pending.append(contentsOf: inputs)
    drain()
  }

  private func drain() {
    guard !isTurning else { return }
    isTurning = true
    var index = 0
    while index < pending.count {
      let input = pending[index]
      index += 1
      if index == pending.count {
        pending.removeAll(keepingCapacity: true)
        index = 0
      }
      if interposer == nil {
        node.handle(input, at: .present, into: &effects)
        perform()
      } else {
        interposer!.handle(input, at: .present, into: &effects, &node)
        perform()
        for deed in interposer!.takeDeeds() { perform(deed) }
      }
    }
    isTurning = false
    guard !isFlushing else { return }
    isFlushing = true
    loop.execute { self.assumeIsolated { $0.flush() } }
  }

  /// What the turns of one tick of the loop led to leaves together: one write per connection, one batch of checks,
  /// one wake per reader, however many connections had something to say.
  private func flush() {
    isFlushing = false
    signatures.flush(reportingTo: self)  // checks done here at once have their say in this flush
    // A full queue is told at once; what follows from it leaves with the next flush.
    let leaving = outgoing
    outgoing = Outgoing()
    leaving.leave(from: loop)
    subscriptions.wakeReaders()
    waiters.look(at: node)
    schedule()
  }

  private func perform() {
    let performed = effects
    effects.removeAll(keepingCapacity: true)
    for effect in performed {
      switch effect {
      case .send(let frame, let peer): outgoing.add(frame, to: links.carrier(of: frame.manner, to: peer))
      case .speak(let manner): speak(manner)
      case .disconnect(let peer, let severance): disconnect(peer, because: severance.reason)
      case .pause(let peer): setReading(false, peer)
      case .resume(let peer): setReading(true, peer)
      case .check(let ticket, let message, let peer): signatures.check(ticket, message, from: peer)
      case .sign(let ticket, let bytes): signatures.sign(ticket, bytes)
      case .judge(let ticket, let message, let peer): judge(ticket, message, from: peer)
      case .deliver(let message, let peer): subscriptions.deliver(message, from: peer)
      case .published(let token, let result): requests.published(token, result)
      case .reached(let id, let count): requests.reached(id, count)
      case .ask(let ticket, let topic, let payload, let peer, let patience):
        answer(ticket, Request(topic: topic, payload: payload, peer: peer, patience: patience))
      case .forgetAsk(let ticket): requests.forget(ticket)
      case .answered(let token, let result): requests.answered(token, result)
      case .notice(let notice): noticed(notice)
      }
    }
  }

  /// One timer for the node's next deadline; an earlier one replaces a later one.
  private func schedule() {
    guard let due = [node.deadline, interposer?.deadline].compactMap(\.self).min(), !isLeaving else { return }
    if let timer, timer.due <= due { return }
    timer?.task.cancel()
    timer = (
      due,
      loop.scheduleTask(deadline: NIODeadline(due)) { [weak self] in
        self?.assumeIsolated { $0.rang() }
      }
    )
  }

  private func rang() {
    timer = nil
    handle(.wake)
  }

  func noticed(_ notice: Notice) {
    telemetry.log(notice)
    noticeBoard.post(notice)
    switch notice {
    case .barred, .unbarred: blacklistChanged()
    case .observed(.garbled, let peer, _), .observed(.flooded, let peer, _):
      links.fault(of: peer, at: .present)
      if links.faults(of: peer) > configuration.limits.faultsPerMinute {
        disconnect(peer, because: "more than \(configuration.limits.faultsPerMinute) faults within a minute")
      }
    default: break
    }
  }

  private func telemetryTicks() -> RepeatedTask {
    loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] _ in
      self?.assumeIsolated {
        $0.telemetry.record(
          $0.node.counters, peers: $0.links.peerCount, $0.traffic, missed: $0.subscriptions.lagged)
      }
    }
  }

  // MARK: Readings

  /// A reading of the node: peers, topics with their meshes, counters, sizes.
  public var snapshot: Snapshot { node.snapshot }

  /// Why a peer stands as it does: every term of its scores, and what was seen of it last. Nil if nothing is known of
  /// it.
  public func explain(_ peer: PeerID) -> Explanation? { node.knows(peer) ? node.explain(peer) : nil }

  /// The application's own opinion of a peer that is connected or remembered, which enters its score (P5): below 0 it
  /// leaves the mesh, below the graylist threshold it is no longer heard. Anything but a finite number counts as 0.
  public func setApplicationScore(_ score: Double, of peer: PeerID) { handle(.score(peer, score)) }

  /// Reports that a peer misbehaved, which need not be connected. Reports add up and are forgotten with time; with too
  /// many at once the peer is cut off: for a minute and a half the first time, for about a day the fourth.
  /// - Parameter amount: how bad it was, 1 to 100 times an ordinary report.
  public func report(_ peer: PeerID, _ misbehaviour: Misbehaviour, amount: Int = 1) {
    handle(.report(peer, misbehaviour, amount: amount))
  }

  /// Whether we have nothing to do with this peer.
  func isBarred(_ peer: PeerID) -> Bool { node.isBarred(peer) }

  func blacklist(wallClock: Int64) -> [BlacklistRecord] { node.blacklist(wallClock: wallClock) }

  func scores(wallClock: Int64) -> [ScoreRecord] { node.scores(wallClock: wallClock) }

  func skipSequences(to number: UInt64) { node.skipSequences(to: number) }

  /// Members of a topic that can be spoken to now.
  func members(of topic: Topic) -> [PeerID] { node.members(of: topic) }

  /// Which way a message for some of a topic's nodes would take from here, and why; `description` is a table.
  /// - Parameter size: bytes of the payload.
  public func decision(for recipients: [PeerID], size: Int, on topic: Topic) -> AudienceDecision {
    node.decision(for: recipients, size: size, on: topic)
  }

  /// What happens, as it happens. Each call listens anew; a listener that lags loses the oldest.
  public nonisolated var notices: Notices { noticeBoard.listen() }

  static var wallClockSeconds: Int64 { Int64(clamping: wallClockNanoseconds / 1_000_000_000) }

  private static var wallClockNanoseconds: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// Runs tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// What a turn sends, gathered by connection, then by loop.
struct Outgoing {
  private var frames: [(connection: Connection, frames: [Frame])] = []
  private var places: [UInt64: Int] = [:]

  /// One hop per loop; none for connections on the host's own.
  func leave(from home: any EventLoop) {
    guard !frames.isEmpty else { return }
    var rest = frames[...]
    while let loop = rest.first?.connection.loop {
      let batch = rest.filter { $0.connection.loop === loop }
      rest = rest.filter { $0.connection.loop !== loop }[...]
      if loop === home {
        for (connection, frames) in batch { connection.send(frames) }
      } else {
        loop.execute { for (connection, frames) in batch { connection.send(frames) } }
      }
    }
  }

  mutating func add(_ frame: Frame, to connection: Connection?) {
    guard let connection else { return }  // it has just gone; the node hears of it next
    if let place = places[connection.id] {
      frames[place].frames.append(frame)
    } else {
      places[connection.id] = frames.count
      frames.append((connection, [frame]))
    }
  }
}
