public import GossipCore
import NIOCore

/// What the application waits for: publications, replies, reach; and what it works on for peers.
struct Requests {
  private var nextToken: UInt64 = 1
  private var publications: [UInt64: CheckedContinuation<Publication, any Error>] = [:]
  /// Publications that wait until fewer queues are half full.
  private var room: [CheckedContinuation<Void, Never>] = []
  private var inquiries: [UInt64: CheckedContinuation<[Reply], any Error>] = [:]
  private var work: [Ticket: Task<Void, Never>] = [:]
  private var reach: [MessageID: [ReachWaiter]] = [:]
  private var known: [MessageID: Int] = [:]

  struct ReachWaiter {
    let token: UInt64
    let count: Int
    let continuation: CheckedContinuation<Int, Never>
  }

  mutating func takeToken() -> UInt64 {
    defer { nextToken += 1 }
    return nextToken
  }

  // MARK: Room

  mutating func wait(forRoom continuation: CheckedContinuation<Void, Never>) { room.append(continuation) }

  mutating func roomFound() {
    let waiting = room
    room = []
    for continuation in waiting { continuation.resume() }
  }

  // MARK: Publications

  mutating func wait(
    forPublication token: UInt64, _ continuation: CheckedContinuation<Publication, any Error>
  ) {
    publications[token] = continuation
  }

  mutating func published(_ token: UInt64, _ result: Result<Publication, PublishFailure>) {
    publications.removeValue(forKey: token)?.resume(with: result.mapError { $0 })
  }

  // MARK: Inquiries

  mutating func wait(forReplies token: UInt64, _ continuation: CheckedContinuation<[Reply], any Error>) {
    inquiries[token] = continuation
  }

  mutating func answered(_ token: UInt64, _ result: Result<[Reply], AskRefusal>) {
    inquiries.removeValue(forKey: token)?.resume(with: result.mapError { $0 })
  }

  /// - Returns: whether the inquiry was still open.
  mutating func cancel(inquiry token: UInt64) -> Bool {
    guard let continuation = inquiries.removeValue(forKey: token) else { return false }
    continuation.resume(throwing: CancellationError())
    return true
  }

  // MARK: Work for peers

  mutating func work(on ticket: Ticket, _ task: Task<Void, Never>) { work[ticket] = task }
  mutating func finished(_ ticket: Ticket) { work[ticket] = nil }
  mutating func forget(_ ticket: Ticket) { work.removeValue(forKey: ticket)?.cancel() }

  // MARK: Reach

  mutating func wait(forReachOf id: MessageID, _ waiter: ReachWaiter) {
    reach[id, default: []].append(waiter)
  }

  mutating func reached(_ id: MessageID, _ count: Int) {
    known[id] = count
    reach[id] = reach[id]?.filter { waiter in
      guard count >= waiter.count else { return true }
      waiter.continuation.resume(returning: count)
      return false
    }
  }

  /// Ends one wait with what is known.
  mutating func stopWaiting(forReachOf id: MessageID, _ token: UInt64) {
    let count = known[id] ?? 0
    reach[id] = reach[id]?.filter { waiter in
      guard waiter.token == token else { return true }
      waiter.continuation.resume(returning: count)
      return false
    }
  }

  /// - Returns: whether nobody waits for it any more; what was known of it is forgotten then.
  mutating func isDone(reachOf id: MessageID) -> Bool {
    guard reach[id]?.isEmpty ?? true else { return false }
    reach[id] = nil
    known[id] = nil
    return true
  }

  /// The host is leaving: nobody waits in vain.
  mutating func failAll() {
    roomFound()
    for continuation in publications.values { continuation.resume(throwing: HostError.leaving) }
    for continuation in inquiries.values { continuation.resume(throwing: HostError.leaving) }
    for task in work.values { task.cancel() }
    for (id, waiters) in reach {
      for waiter in waiters { waiter.continuation.resume(returning: known[id] ?? 0) }
    }
    (publications, inquiries, work, reach) = ([:], [:], [:], [:])
  }
}

/// What a host cannot do any more, or not in time.
public enum HostError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The host has been told to stop.
  case leaving
  /// There is no sequence number for a message until the store can be written.
  case noSequenceNumber(String)
  /// Fewer peers than asked for came in time.
  case tooFewPeers(topic: Topic, wanted: Int, found: Int, within: Duration)

  /// In words for people.
  public var description: String {
    switch self {
    case .leaving: "this node is leaving"
    case .noSequenceNumber(let reason): "no sequence number could be reserved: \(reason)"
    case .tooFewPeers(let topic, let wanted, let found, let patience):
      "expected \(wanted) \(wanted == 1 ? "peer" : "peers") on \"\(topic)\" within \(patience), found \(found); are "
        + "they connected, and on the same topic?"
    }
  }
}

/// A published message, with evidence of how far it has come.
public struct Published: Sendable {
  /// The message's name.
  public let id: MessageID
  /// Peers it was handed to at once.
  public let sentTo: Int
  /// Connected peers known to be on the topic.
  public let subscribers: Int
  /// Which way it took, if it was for some of the topic's nodes only.
  public let way: AudienceDecision.Choice?
  let host: Host

  /// Waits until the message is known to have come to so many peers: they were sent it, or showed that they have it.
  ///
  /// What peers of peers hold is not known here, so the most that can be reached are the connected peers.
  /// - Returns: the number known when it was reached, or when time was up.
  public func reached(_ count: Int, within patience: Duration) async -> Int {
    await host.reach(of: id, count, within: patience)
  }
}

extension Host {
  /// Publishes a message.
  ///
  /// - Parameters:
  ///   - audience: whom it is meant for. Only they deliver it; it takes the way that costs least (`decision`).
  ///   - policy: used if the topic is not joined here; a joined topic's own policy holds otherwise.
  /// While the queues of more than a third of the peers are half full it waits for room, `HostLimits.publishPatience`
  /// at most: who publishes faster than the network takes is slowed down, not answered with losses.
  /// - Returns: once the message was signed, judged and handed to the peers' queues.
  /// - Throws: `PublishFailure` with the reason, or `HostError`.
  public func publish(
    _ payload: Payload, to topic: Topic, for audience: Audience = .everyone,
    policy: TopicPolicy = TopicPolicy()
  ) async throws -> Published {
    if links.isCongested, !isLeaving { await waitForRoom() }
    try await takeNumber()
    if isLeaving { throw HostError.leaving }
    let token = requests.takeToken()
    let publication = try await withCheckedThrowingContinuation { continuation in
      requests.wait(forPublication: token, continuation)
      handle(
        .publish(Draft(token: token, topic: topic, payload: payload, audience: audience, policy: policy)))
    }
    return Published(
      id: publication.id, sentTo: publication.sentTo, subscribers: publication.subscribers,
      way: publication.way, host: self)
  }

  /// Tells the node of an epoch: its roster, and its beacon once it is known. Topics spread by `digestFirst` choose
  /// their partners by it. `Epoch.prepare`, called beforehand, keeps the hashing off the host's loop.
  public func begin(_ epoch: Epoch) { handle(.epoch(epoch)) }

  private func waitForRoom() async {
    let patience = configuration.limits.publishPatience
    guard patience > .zero else { return }
    let alarm = loop.scheduleTask(deadline: NIODeadline(.present + patience)) { [weak self] in
      self?.assumeIsolated { $0.requests.roomFound() }
    }
    await withCheckedContinuation { requests.wait(forRoom: $0) }
    alarm.cancel()
  }

  /// Asks peers and gathers their replies, in the order of the recipients.
  ///
  /// The deadline travels along; cancelling the task, like the deadline, tells those who have not answered to stop.
  /// - Returns: one reply per recipient, each a payload or the reason there is none.
  /// - Throws: `AskRefusal` if the audience cannot be asked, `CancellationError` if the task is cancelled.
  public func ask(_ audience: Audience, _ payload: Payload, on topic: Topic, within patience: Duration)
    async throws
    -> [Reply]
  {
    if isLeaving { throw HostError.leaving }
    try Task.checkCancellation()
    let token = requests.takeToken()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        requests.wait(forReplies: token, continuation)
        handle(
          .ask(Inquiry(token: token, topic: topic, payload: payload, audience: audience, patience: patience)))
      }
    } onCancel: {
      Task { await self.withdraw(token) }
    }
  }

  private func withdraw(_ token: UInt64) {
    if requests.cancel(inquiry: token) { handle(.withdraw(inquiry: token)) }
  }

  fileprivate func reach(of id: MessageID, _ count: Int, within patience: Duration) async -> Int {
    let token = requests.takeToken()
    let alarm = loop.scheduleTask(deadline: .init(.present + patience)) { [weak self] in
      self?.assumeIsolated { $0.requests.stopWaiting(forReachOf: id, token) }
    }
    let reached = await withCheckedContinuation { continuation in
      requests.wait(
        forReachOf: id, Requests.ReachWaiter(token: token, count: count, continuation: continuation))
      handle(.watchReach(id, true))
    }
    alarm.cancel()
    if requests.isDone(reachOf: id) { handle(.watchReach(id, false)) }
    return reached
  }

  /// Waits until so many peers on a topic can be spoken to, so that the first message finds them.
  ///
  /// - Returns: how many there are.
  /// - Throws: `HostError.tooFewPeers` when time is up, `CancellationError`.
  @discardableResult
  public func waitForPeers(_ count: Int, on topic: Topic, within patience: Duration) async throws -> Int {
    let token = requests.takeToken()
    let alarm = loop.scheduleTask(deadline: .init(.present + patience)) { [weak self] in
      self?.assumeIsolated { host in
        let found = host.members(of: topic).count
        host.waiters.fail(
          token, HostError.tooFewPeers(topic: topic, wanted: count, found: found, within: patience))
      }
    }
    defer { alarm.cancel() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let found = members(of: topic).count
        if found >= count { return continuation.resume(returning: found) }
        if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
        waiters.add(.init(token: token, topic: topic, count: count, continuation: continuation))
      }
    } onCancel: {
      Task { await self.stopWaiting(token) }
    }
  }

  private func stopWaiting(_ token: UInt64) { waiters.fail(token, CancellationError()) }
}

/// Who waits for peers on a topic.
struct PeerWaiters {
  struct Waiter {
    let token: UInt64
    let topic: Topic
    let count: Int
    let continuation: CheckedContinuation<Int, any Error>
  }

  private var waiters: [Waiter] = []

  mutating func add(_ waiter: Waiter) { waiters.append(waiter) }

  /// After each turn: lets those go who have what they wait for.
  mutating func look(at node: Node) {
    guard !waiters.isEmpty else { return }
    waiters = waiters.filter { waiter in
      let found = node.members(of: waiter.topic).count
      guard found >= waiter.count else { return true }
      waiter.continuation.resume(returning: found)
      return false
    }
  }

  mutating func fail(_ token: UInt64, _ error: any Error) {
    guard let place = waiters.firstIndex(where: { $0.token == token }) else { return }
    waiters.remove(at: place).continuation.resume(throwing: error)
  }

  mutating func failAll() {
    for waiter in waiters { waiter.continuation.resume(throwing: HostError.leaving) }
    waiters = []
  }
}
