import DequeModule
public import GossipCore
import NIOCore
import OrderedCollections
import Synchronization

/// What a subscriber gets.
public enum Received: Sendable {
  /// A message, and the peer it came from.
  case message(Message, from: PeerID)
  /// So many messages were dropped, the oldest first, because they came faster than they were read.
  case missed(Int)
}

/// The messages of a subscription, as they come. Ends with the subscription or the host.
///
/// Buffers `HostConfiguration.subscriptionBuffer` messages; a reader that lags is told how many it missed. Read it
/// from one task.
public struct Incoming: AsyncSequence, Sendable {
  let buffer: MessageBuffer
  let topic: Topic
  let host: Host

  /// Reads one after the other.
  public struct Iterator: AsyncIteratorProtocol {
    let buffer: MessageBuffer

    /// What comes next; nil when the subscription, the host or the task ends.
    public mutating func next() async -> Received? { await buffer.next() }
    /// What comes next; nil when the subscription, the host or the task ends.
    public mutating func next(isolation actor: isolated (any Actor)?) async -> Received? {
      await buffer.next()
    }
  }

  /// Starts reading.
  public func makeAsyncIterator() -> Iterator { Iterator(buffer: buffer) }

  /// Waits until so many peers on the topic can be spoken to; see `Host.waitForPeers`.
  @discardableResult
  public func waitForPeers(_ count: Int, within patience: Duration) async throws -> Int {
    try await host.waitForPeers(count, on: topic, within: patience)
  }
}

/// A bounded queue between the host and one reader.
final class MessageBuffer: Sendable {
  private struct State {
    var queue = Deque<(message: Message, peer: PeerID)>()
    var missed = 0
    var hasEnded = false
    var reader: CheckedContinuation<Received?, Never>?

    mutating func next() -> Received? {
      if missed > 0 {
        defer { missed = 0 }
        return .missed(missed)
      }
      return queue.popFirst().map { .message($0.message, from: $0.peer) }
    }
  }

  private let state = Mutex(State())
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  /// Keeps a message for the reader, who is not woken yet.
  /// - Returns: whether an older message had to go.
  func put(_ message: Message, from peer: PeerID) -> Bool {
    state.withLock { state in
      state.queue.append((message, peer))
      guard state.queue.count > capacity else { return false }
      state.queue.removeFirst()
      state.missed += 1
      return true
    }
  }

  /// Wakes the reader if it waits and there is something to read; it finds the rest without sleeping again.
  func wakeReader() {
    let (reader, received) = state.withLock { state -> (CheckedContinuation<Received?, Never>?, Received?) in
      guard let reader = state.reader, let received = state.next() else { return (nil, nil) }
      state.reader = nil
      return (reader, received)
    }
    reader?.resume(returning: received)
  }

  func end() {
    let reader = state.withLock { state in
      state.hasEnded = true
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: nil)
  }

  func next() async -> Received? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let received = state.withLock { state -> Received?? in
          if let received = state.next() { return received }
          if state.hasEnded || Task.isCancelled { return .some(nil) }
          precondition(state.reader == nil, "a subscription is read by two tasks")
          state.reader = continuation
          return nil
        }
        if let received { continuation.resume(returning: received) }
      }
    } onCancel: {
      let reader = state.withLock { state in
        defer { state.reader = nil }
        return state.reader
      }
      reader?.resume(returning: nil)
    }
  }
}

/// A subscription that contradicts another one of the same host.
public struct SubscriptionError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Which topic.
  public let topic: Topic
  /// What it contradicts.
  public let reason: String
  /// In words for people.
  public var description: String { "cannot subscribe to \"\(topic)\": \(reason)" }
}

/// Who reads which topic, and who judges and answers there.
struct Subscriptions {
  struct Joined {
    var policy: TopicPolicy
    var buffers: [(number: UInt64, buffer: MessageBuffer)] = []
    var judge: (number: UInt64, judge: Judge)?
    var answerer: (number: UInt64, answer: Answerer)?
  }

  private(set) var topics = OrderedDictionary<Topic, Joined>()
  private var next: UInt64 = 1
  private(set) var lagged: UInt64 = 0
  /// Buffers with something new, once per message.
  private var toWake: [MessageBuffer] = []

  mutating func add(
    _ topic: Topic, _ policy: TopicPolicy, _ judge: Judge?, _ answer: Answerer?, _ buffer: MessageBuffer
  ) throws(SubscriptionError) -> UInt64 {
    let number = next
    if judge != nil, topics[topic]?.judge != nil {
      throw SubscriptionError(topic: topic, reason: "it has a judge already; a topic has one")
    }
    if answer != nil, topics[topic]?.answerer != nil {
      throw SubscriptionError(topic: topic, reason: "it has an answerer already; a topic has one")
    }
    next += 1
    topics[topic, default: Joined(policy: policy)].buffers.append((number, buffer))
    topics[topic]!.policy = policy
    if let judge { topics[topic]!.judge = (number, judge) }
    if let answer { topics[topic]!.answerer = (number, answer) }
    return number
  }

  /// - Returns: whether nobody is left on the topic.
  mutating func remove(_ number: UInt64, from topic: Topic) -> Bool {
    guard topics[topic] != nil else { return false }
    topics[topic]!.buffers.removeAll { $0.number == number }
    if topics[topic]!.judge?.number == number { topics[topic]!.judge = nil }
    if topics[topic]!.answerer?.number == number { topics[topic]!.answerer = nil }
    guard topics[topic]!.buffers.isEmpty else { return false }
    topics[topic] = nil
    return true
  }

  mutating func deliver(_ message: Message, from peer: PeerID) {
    for entry in topics[message.topic]?.buffers ?? [] {
      if entry.buffer.put(message, from: peer) { lagged += 1 }
      toWake.append(entry.buffer)
    }
  }

  /// Readers learn of what was delivered.
  mutating func wakeReaders() {
    for buffer in toWake { buffer.wakeReader() }
    toWake.removeAll(keepingCapacity: true)
  }

  func endAll() {
    for joined in topics.values { for entry in joined.buffers { entry.buffer.end() } }
  }
}

extension Host {
  /// Joins a topic for as long as `body` runs.
  ///
  /// Several subscriptions of one topic share the join; the newest one's policy holds.
  /// - Parameters:
  ///   - policy: how the topic is spread and proved; all nodes of a topic must agree.
  ///   - judge: decides about each message before it is delivered or passed on; runs in tasks of its own.
  ///   - answer: answers peers' requests on this topic (`ask`).
  ///   - body: gets the messages.
  /// - Returns: what `body` returns.
  /// - Throws: `HostError.leaving`, `ConfigurationError` for a policy that cannot work, `SubscriptionError` for a
  ///   second judge or answerer, a topic's name that does not fit a frame or a topic too many, and what `body` throws.
  @discardableResult
  public func withSubscription<R: Sendable>(
    to topic: Topic, _ policy: TopicPolicy = TopicPolicy(), judge: Judge? = nil, answer: Answerer? = nil,
    _ body: @Sendable (Incoming) async throws -> R
  ) async throws -> R {
    if isLeaving { throw HostError.leaving }
    try policy.validate()
    try checkRoom(for: topic)
    var policy = policy
    policy.isJudged = judge != nil || configuration.judge != nil || subscriptions.topics[topic]?.judge != nil
    let buffer = MessageBuffer(capacity: configuration.subscriptionBuffer)
    let number = try subscriptions.add(topic, policy, judge, answer, buffer)
    handle(.subscribe(topic, policy))
    defer { leave(topic, number) }
    return try await body(Incoming(buffer: buffer, topic: topic, host: self))
  }

  private func checkRoom(for topic: Topic) throws(SubscriptionError) {
    let (size, sizeMax) = (topic.name.utf8.count, configuration.node.wire.topicSizeMax)
    guard (1...sizeMax).contains(size) else {
      throw SubscriptionError(topic: topic, reason: "its name has \(size) bytes, expected 1 to \(sizeMax)")
    }
    let countMax = configuration.node.limits.topicsJoined
    guard subscriptions.topics[topic] != nil || subscriptions.topics.count < countMax else {
      throw SubscriptionError(topic: topic, reason: "\(countMax) topics are joined, the most allowed")
    }
  }

  private func leave(_ topic: Topic, _ number: UInt64) {
    if subscriptions.remove(number, from: topic), !isLeaving { handle(.unsubscribe(topic)) }
  }

  // MARK: Judging and answering

  /// Asks the topic's judge and the host's own at the same time: reject beats ignore beats accept.
  func judge(_ ticket: Ticket, _ message: Message, from peer: PeerID) {
    let judges = [configuration.judge, subscriptions.topics[message.topic]?.judge?.judge].compactMap { $0 }
    let judging = Task {
      let verdict = await Host.verdict(of: judges, message, peer)
      handle(.judged(ticket, verdict))
    }
    guard let patience = configuration.judgePatience else { return }
    // The node takes the first verdict of a ticket; a judge that does not heed cancellation comes too late.
    loop.scheduleTask(deadline: NIODeadline(.present + patience)) { [weak self] in
      judging.cancel()
      self?.assumeIsolated { $0.handle(.judged(ticket, .ignore)) }
    }
  }

  private static func verdict(of judges: [Judge], _ message: Message, _ peer: PeerID) async -> Verdict {
    await withTaskGroup(of: Verdict.self) { group in
      for judge in judges { group.addTask { await judge(message, peer) } }
      return await group.reduce(.accept) { verdict, next in
        switch (verdict, next) {
        case (.reject, _), (_, .reject): .reject
        case (.ignore, _), (_, .ignore): .ignore
        case (.await(let some), .await(let others)): .await(some + others.filter { !some.contains($0) })
        case (.await(let needs), .accept), (.accept, .await(let needs)): .await(needs)
        case (.accept, .accept): .accept
        }
      }
    }
  }

  func answer(_ ticket: Ticket, _ request: Request) {
    guard let answer = subscriptions.topics[request.topic]?.answerer?.answer else {
      return handle(.answer(ticket, .failure(.unknownTopic)))
    }
    requests.work(
      on: ticket,
      Task {
        do {
          let payload = try await answer(request)
          finish(ticket, .success(payload))
        } catch is CancellationError {
          finish(ticket, .failure(.cancelled))
        } catch {
          finish(ticket, .failure(.failed("\(error)")))
        }
      })
  }

  private func finish(_ ticket: Ticket, _ answer: Answer) {
    requests.finished(ticket)
    handle(.answer(ticket, answer))
  }
}
