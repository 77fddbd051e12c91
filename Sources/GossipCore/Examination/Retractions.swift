import DequeModule
import OrderedCollections

/// Bad messages that peers passed on unexamined, and which of them they took back.
///
/// An honest peer that finds out it passed on something bad says so within the block interval. What was taken back in
/// time costs an eighth of a fault and nothing more; what was not costs a whole one, and sixteen of those within ten
/// minutes blacklist. A peer may take a message back before we found it bad.
///
/// Bounds: `openMax` open ones in all, of which the oldest goes unblamed; `earlyMax` early retractions per peer and
/// `peersMax` peers, the oldest forgotten first. All counted.
/// Source: Bamboo gossip v2; retraction and figures are ours.
struct Retractions: Sendable {
  /// What a bad message costs its sender.
  enum Cost: Hashable, Sendable {
    /// An eighth of a fault.
    case eighth
    /// A whole fault.
    case full
    /// A whole fault, and the last of too many.
    case bar
  }

  private struct Key: Hashable, Sendable {
    let id: MessageID
    let peer: PeerID
  }

  private struct History: Sendable {
    /// Messages taken back that we have not found bad.
    var early: OrderedSet<MessageID> = []
    /// When it was found guilty, within the window.
    var guilty = Deque<Instant>()
    /// When it last did anything.
    var at: Instant
  }

  /// Found bad and not taken back, with the end of their time, oldest first.
  private var open: [Key: Instant] = [:]
  private var order = Deque<(key: Key, until: Instant)>()
  private var peers: OrderedDictionary<PeerID, History> = [:]
  private let parameters: RetractionParameters
  /// Bad messages nobody was blamed for, since there were too many.
  private(set) var unblamed: UInt64 = 0
  /// Retractions forgotten, since there were too many.
  private(set) var forgotten: UInt64 = 0

  init(_ parameters: RetractionParameters) { self.parameters = parameters }

  /// Bad messages that may still be taken back.
  var count: Int { open.count }
  /// The same, with those that were taken back and not forgotten yet.
  var entries: Int { order.count }

  /// A message that this peer passed on unexamined is bad.
  /// - Parameter until: how long it may be taken back: the deadline of its verification and a round trip.
  /// - Returns: what it costs, if that is known already.
  mutating func foundBad(_ id: MessageID, from peer: PeerID, until: Instant, at now: Instant) -> Cost? {
    if peers[peer]?.early.remove(id) != nil { return .eighth }
    let key = Key(id: id, peer: peer)
    guard open[key] == nil else { return nil }
    while open.count >= parameters.openMax, let oldest = order.popFirst() {
      guard open[oldest.key] == oldest.until else { continue }
      open[oldest.key] = nil
      unblamed += 1
    }
    open[key] = until
    order.append((key, until))
    // Those taken back in time are never due.
    if order.count > 2 * open.count + 64 { order.removeAll { open[$0.key] != $0.until } }
    return nil
  }

  /// The peer takes a message back.
  /// - Returns: what that costs it, if we found the message bad already.
  mutating func retracted(_ id: MessageID, by peer: PeerID, at now: Instant) -> Cost? {
    if let until = open.removeValue(forKey: Key(id: id, peer: peer)) {
      return until > now ? .eighth : guilty(peer, now)
    }
    note(peer, now)
    peers[peer]!.early.append(id)
    if peers[peer]!.early.count > parameters.earlyMax {
      peers[peer]!.early.removeFirst()
      forgotten += 1
    }
    return nil
  }

  /// Whose time to take a message back is over, and what that costs.
  mutating func due(at now: Instant) -> [(peer: PeerID, id: MessageID, cost: Cost)] {
    var due: [(peer: PeerID, id: MessageID, cost: Cost)] = []
    // Times to take back differ by peer, so that a later one may be over before the first.
    var waiting = Deque<(key: Key, until: Instant)>()
    guard let next = deadline, next <= now else { return [] }
    while let entry = order.popFirst() {
      guard open[entry.key] == entry.until else { continue }
      guard entry.until <= now else {
        waiting.append(entry)
        continue
      }
      open[entry.key] = nil
      due.append((entry.key.peer, entry.key.id, guilty(entry.key.peer, now)))
    }
    order = waiting
    return due
  }

  /// When the next such time is over.
  /// - Complexity: O(open).
  var deadline: Instant? {
    order.lazy.filter { open[$0.key] == $0.until }.map(\.until).min()
  }

  private mutating func guilty(_ peer: PeerID, _ now: Instant) -> Cost {
    note(peer, now)
    while let oldest = peers[peer]!.guilty.first, oldest + parameters.window <= now {
      peers[peer]!.guilty.removeFirst()
    }
    peers[peer]!.guilty.append(now)
    guard peers[peer]!.guilty.count >= parameters.guiltyMax else { return .full }
    peers[peer]!.guilty.removeAll()
    return .bar
  }

  private mutating func note(_ peer: PeerID, _ now: Instant) {
    guard peers[peer] == nil else {
      peers[peer]!.at = now
      return
    }
    if peers.count >= parameters.peersMax, let oldest = peers.elements.min(by: { $0.value.at < $1.value.at })
    {
      forgotten += UInt64(oldest.value.early.count)
      peers.removeValue(forKey: oldest.key)
    }
    peers[peer] = History(at: now)
  }
}

/// Parameters of retraction.
public struct RetractionParameters: Hashable, Sendable {
  /// Bad messages not taken back that blacklist a peer.
  public var guiltyMax = 16
  /// Within what time.
  public var window: Duration = .seconds(600)
  /// Bad messages that may still be taken back, in all.
  public var openMax = 4_096
  /// Retractions of messages not found bad yet, per peer.
  public var earlyMax = 256
  /// Peers remembered.
  public var peersMax = 1_024

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("guiltyMax", guiltyMax), ("openMax", openMax), ("earlyMax", earlyMax), ("peersMax", peersMax),
    ] { try Rule.count(value, atMost: 1 << 20, "retractions.\(name)") }
    try Rule.duration(window, "retractions.window")
  }
}
