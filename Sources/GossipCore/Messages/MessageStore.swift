import DequeModule

/// What we hold for those who want it: messages in windows of heartbeats, as in GossipSub's message cache.
///
/// A message enters the newest window; each heartbeat opens a window and drops the oldest. Only accepted messages
/// are here, so whatever is offered or served was believed. Bounded by count and bytes, oldest out first.
///
/// Source: libp2p `pubsub/gossipsub/gossipsub-v1.0.md`, "Message Cache".
public struct MessageStore: Sendable {
  private struct Window {
    /// In the order they came.
    var ids: Deque<MessageID> = []
    var perTopic: [Topic: Deque<MessageID>] = [:]
  }

  private var held: [MessageID: WireMessage] = [:]
  /// How often each peer was served what; few messages are ever asked for.
  private var served: [MessageID: [PeerID: Int]] = [:]
  /// Newest first.
  private var windows: Deque<Window> = [Window()]
  private let windowsKept: Int
  private let countMax: Int
  private let sizeMax: Int
  private(set) var bytes = 0
  private(set) var evicted: UInt64 = 0

  init(windowsKept: Int, countMax: Int, sizeMax: Int) {
    self.windowsKept = windowsKept
    self.countMax = countMax
    self.sizeMax = sizeMax
  }

  /// Messages held.
  public var count: Int { held.count }
  /// Whether this message is held.
  public func holds(_ id: MessageID) -> Bool { held[id] != nil }
  /// The message, if it is held.
  public func message(_ id: MessageID) -> Message? { held[id].map { Message(id: id, wire: $0) } }

  /// Whether a newer message about the same is held.
  func isStale(_ message: Message, _ policy: TopicPolicy) -> Bool { false }

  /// Keeps a message as its topic's policy says.
  /// - Returns: what is not held any more because of it.
  mutating func put(_ message: Message, _ policy: TopicPolicy, at now: Instant) -> [MessageID] {
    put(message)
    return []
  }

  mutating func put(_ message: Message) {
    guard held[message.id] == nil else { return }
    held[message.id] = message.wire
    bytes += message.wire.bytes.count
    windows[0].ids.append(message.id)
    windows[0].perTopic[message.topic, default: []].append(message.id)
    while held.count > countMax || bytes > sizeMax, evictOldest() {}
  }

  /// Ids of a topic in the newest `windows` windows, newest window first.
  public func recent(_ topic: Topic, windows count: Int) -> [MessageID] {
    windows.prefix(count).flatMap { window in
      (window.perTopic[topic] ?? []).filter { held[$0] != nil }
    }
  }

  /// Ids held on a topic, the newest window first.
  public func held(on topic: Topic) -> [MessageID] { recent(topic, windows: windowsKept) }

  /// Opens a new window; what falls out of the oldest is forgotten.
  public mutating func shift() {
    windows.prepend(Window())
    guard windows.count > windowsKept else { return }
    for id in windows.removeLast().ids { remove(id) }
  }

  private mutating func evictOldest() -> Bool {
    guard let oldest = windows.lastIndex(where: { !$0.ids.isEmpty }) else { return false }
    let id = windows[oldest].ids.removeFirst()
    // The oldest of its window is the oldest of its topic there, too.
    if let topic = held[id]?.topic { _ = windows[oldest].perTopic[topic]?.popFirst() }
    remove(id)
    evicted += 1
    return true
  }

  private mutating func remove(_ id: MessageID) {
    guard let gone = held.removeValue(forKey: id) else { return }
    bytes -= gone.bytes.count
    served[id] = nil
  }

  /// The message, if held and this peer was not served it more than `times` times before; counts this request.
  mutating func serve(_ id: MessageID, to peer: PeerID, times: Int) -> Message? {
    guard let wire = held[id] else { return nil }
    let before = served[id]?[peer] ?? 0
    served[id, default: [:]][peer] = before + 1
    return before < times ? Message(id: id, wire: wire) : nil
  }
}
