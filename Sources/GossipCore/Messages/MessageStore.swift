import DequeModule
import OrderedCollections

/// What we hold for those who want it: messages in windows of heartbeats, as in GossipSub's message cache, and some
/// of them for longer.
///
/// A message enters the newest window; each heartbeat opens a window and drops the oldest. Only accepted messages
/// are here, so whatever is offered or served was believed. Bounded by count and bytes, oldest out first.
///
/// A topic that keeps its messages longer, whose messages replace one another, or whose manner must know what is
/// gone, has a `Shelf` besides. Plain GossipSub topics have none, and pay nothing for it.
///
/// Source: libp2p `pubsub/gossipsub/gossipsub-v1.0.md`, "Message Cache".
public struct MessageStore: Sendable {
  private struct Window {
    /// In the order they came.
    var ids: Deque<MessageID> = []
    var perTopic: [Topic: Deque<MessageID>] = [:]
  }

  private var held: [MessageID: WireMessage] = [:]
  /// How many of them are not for everybody to have.
  private var restricted = 0
  /// How often each peer was served what; few messages are ever asked for.
  private var served: [MessageID: [PeerID: Int]] = [:]
  /// Newest first.
  private var windows: Deque<Window> = [Window()]
  private var shelves: OrderedDictionary<Topic, Shelf> = [:]
  /// Held although they have fallen out of the windows, in the order they came; some have left since.
  private var aged = Deque<MessageID>()
  /// What left, for those who want to know; until it is taken.
  private(set) var withdrawn: [(id: MessageID, manners: [Manner])] = []
  /// When some message of some shelf has had its time; perhaps earlier.
  private(set) var nextExpiry = Instant.distantFuture
  /// Whether any topic ever kept its messages for other than its windows' time.
  private var hadShelves = false
  private var now = Instant.zero
  private static let askersMax = 1_024
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

  // MARK: In

  /// Keeps a message as its topic's policy says, unless it is stale; `withdrawn` tells what left because of it.
  mutating func put(_ message: Message, _ policy: TopicPolicy, at now: Instant) {
    guard policy.needsShelf || (!shelves.isEmpty && shelves[message.topic] != nil) else {
      return put(message)
    }
    guard held[message.id] == nil, shelve(message, policy, at: now) else { return }
    put(message)
    compact()
  }

  /// - Returns: false if it is stale.
  private mutating func shelve(_ message: Message, _ policy: TopicPolicy, at now: Instant) -> Bool {
    let topic = message.topic
    hadShelves = true
    expire(at: now)
    follow(policy, on: topic, at: now)
    guard !isStale(message, policy) else { return false }
    let facts = Shelf.Facts(message, policy)
    let leaving = shelves[topic, default: Shelf(policy, ghostsMax: countMax)].add(message.id, facts, at: now)
    nextExpiry = min(nextExpiry, shelves[topic]?.nextExpiry ?? .distantFuture)
    for id in leaving { remove(id) }
    return true
  }

  mutating func put(_ message: Message) {
    guard held[message.id] == nil else { return }
    held[message.id] = message.wire
    if message.wire.way == .subOverlay { restricted += 1 }
    bytes += message.wire.bytes.count
    windows[0].ids.append(message.id)
    windows[0].perTopic[message.topic, default: []].append(message.id)
    while held.count > countMax || bytes > sizeMax, evictOldest() {}
  }

  /// Whether this was here already and had its time, or something newer about the same is, or all that is held of
  /// its topic lies far above its position.
  func isStale(_ message: Message, _ policy: TopicPolicy) -> Bool {
    guard !shelves.isEmpty, let index = shelves.index(forKey: message.topic) else { return false }
    return shelves.values[index].refuses(message.id, Shelf.Facts(message, policy))
  }

  /// Keeps a topic's messages from now on as another policy says; none: only as long as their windows are open.
  mutating func follow(_ policy: TopicPolicy?, on topic: Topic, at now: Instant) {
    guard let index = shelves.index(forKey: topic) else { return }
    self.now = now
    let leaving = shelves.values[index].follow(policy)
    nextExpiry = min(nextExpiry, shelves.values[index].nextExpiry)
    for id in leaving { remove(id) }
  }

  // MARK: Reading

  /// Ids of a topic in the newest `windows` windows, newest window first.
  public func recent(_ topic: Topic, windows count: Int) -> [MessageID] {
    // Windows only name what is held, unless something left them early.
    guard hadShelves else {
      return windows.prefix(count).flatMap { $0.perTopic[topic] ?? [] }
    }
    return windows.prefix(count).flatMap { window in
      (window.perTopic[topic] ?? []).filter { held[$0] != nil }
    }
  }

  /// Ids of a topic that are held, in the order they came.
  /// - Complexity: amortized O(result).
  public func held(on topic: Topic) -> [MessageID] {
    if let shelf = shelves[topic] { return shelf.held }
    return windows.reversed().flatMap { window in
      (window.perTopic[topic] ?? []).filter { held[$0] != nil }
    }
  }

  /// Those of them that this peer may be given.
  /// - Complexity: amortized O(result).
  func held(on topic: Topic, for peer: PeerID) -> [MessageID] {
    let all = held(on: topic)
    return restricted == 0 ? all : all.filter { held[$0]?.mayBeGiven(to: peer) == true }
  }

  /// What stands at this position of a topic, if its policy knows positions and is more than plain GossipSub.
  public func id(at position: UInt64, on topic: Topic) -> MessageID? {
    shelves[topic]?.ladder.id(at: position)
  }

  /// The highest positions held on a topic, down to the first gap.
  public func run(on topic: Topic) -> Range<UInt64>? { shelves[topic]?.ladder.run }

  /// The message, if held and this peer was not served it more than `times` times before; counts this request.
  mutating func serve(_ id: MessageID, to peer: PeerID, times: Int) -> Message? {
    guard let wire = held[id] else { return nil }
    let before = served[id]?[peer] ?? 0
    // Identities are free: so many askers of one message are counted anew.
    if before == 0, served[id]?.count == MessageStore.askersMax { served[id] = nil }
    served[id, default: [:]][peer] = before + 1
    return before < times ? Message(id: id, wire: wire) : nil
  }

  // MARK: Before examination

  /// Keeps a message that goes on before it is examined, as long as its window is open. It replaces nothing, and
  /// leaves no ghost: whatever it says about itself may be false.
  mutating func putUnexamined(_ message: Message) {
    hadShelves = true
    put(message)
    compact()
  }

  /// Such a message proved right: from now on it counts like the others of its topic.
  /// - Returns: false if it is not held any more.
  mutating func examined(_ message: Message, _ policy: TopicPolicy, at now: Instant) -> Bool {
    guard held[message.id] != nil else { return false }
    held[message.id]!.unexaminedHops = 0
    if !shelve(message, policy, at: now) { remove(message.id) }
    return true
  }

  // MARK: Out

  /// Lets go what did not prove right after it had gone on; these manners are told.
  mutating func withdraw(_ id: MessageID, from manners: [Manner]) {
    remove(id)
    // It may have left with its window, of which these were not told.
    if withdrawn.last?.id != id { withdrawn.append((id, manners)) }
  }

  /// Opens a new window; what falls out of the oldest is forgotten, unless it stays for longer.
  public mutating func shift() {
    windows.prepend(Window())
    guard windows.count > windowsKept else { return }
    let oldest = windows.removeLast().ids
    guard !shelves.isEmpty else { return oldest.forEach { remove($0) } }
    for id in oldest {
      guard let topic = held[id]?.topic else { continue }
      if shelves[topic]?.outlastsWindows(id) == true { aged.append(id) } else { remove(id) }
    }
  }

  /// Lets go what has had its time.
  mutating func expire(at now: Instant) {
    self.now = now
    guard nextExpiry <= now else { return }
    nextExpiry = .distantFuture
    for index in shelves.values.indices.reversed() {
      for id in shelves.values[index].expire(at: now) { remove(id) }
    }
    shelves.removeAll { $0.value.isEmpty }
    for shelf in shelves.values { nextExpiry = min(nextExpiry, shelf.nextExpiry) }
  }

  /// What left since this was asked last, and whom it concerns.
  mutating func takeWithdrawn() -> [(id: MessageID, manners: [Manner])] {
    defer { withdrawn.removeAll(keepingCapacity: true) }
    return withdrawn
  }

  private mutating func evictOldest() -> Bool {
    while let id = aged.popFirst() {
      guard let topic = held[id]?.topic, shelves[topic]?.isAged(id) == true else { continue }
      remove(id)
      evicted += 1
      return true
    }
    guard let oldest = windows.lastIndex(where: { !$0.ids.isEmpty }) else { return false }
    let id = windows[oldest].ids.removeFirst()
    guard let topic = held[id]?.topic else { return true }  // it was withdrawn before
    // The oldest of its window is the oldest of its topic there, too.
    _ = windows[oldest].perTopic[topic]?.popFirst()
    remove(id)
    evicted += 1
    return true
  }

  private mutating func remove(_ id: MessageID) {
    guard let gone = held.removeValue(forKey: id) else { return }
    bytes -= gone.bytes.count
    if gone.way == .subOverlay { restricted -= 1 }
    served[id] = nil
    if !shelves.isEmpty { unshelve(id, gone.topic) }
  }

  private mutating func unshelve(_ id: MessageID, _ topic: Topic) {
    guard let index = shelves.index(forKey: topic) else { return }
    shelves.values[index].remove(id, at: now)
    nextExpiry = min(nextExpiry, shelves.values[index].nextExpiry)
    let manners = shelves.values[index].manners
    if !manners.isEmpty { withdrawn.append((id, manners)) }
    if shelves.values[index].isEmpty { shelves.remove(at: index) }
  }

  /// Those that left early stand in windows and among the aged until these are looked through.
  private mutating func compact() {
    let many = 2 * held.count + 64
    if aged.count > many { aged.removeAll { held[$0] == nil } }
    if windows[0].ids.count > many {
      windows[0].ids.removeAll { held[$0] == nil }
      for topic in shelves.keys { windows[0].perTopic[topic]?.removeAll { held[$0] == nil } }
    }
  }
}
