import OrderedCollections

/// Who is connected, what they speak, and on which topics they are, in an order that does not depend on hashes.
///
/// A peer counts as a *member* of a topic while it has announced the topic on the stream of a manner and our own
/// stream of that manner to it is open, so that every member can be spoken to.
/// Bounds: peers by the host's connection limit, topics per peer by `Limits.topicsPerPeer`.
public struct PeerBook: Sendable {
  struct Entry: Sendable {
    let link: Link
    /// What our stream of each manner speaks; nil while it is not open.
    var speaks = [ProtocolName?](repeating: nil, count: Manner.allCases.count)
    /// What it announced on its stream of each manner.
    var announced = [OrderedSet<Topic>](repeating: [], count: Manner.allCases.count)
    var isPaused = false
    /// How fast it is.
    var pace: Pace?
    /// When we last began to read from it again.
    var resumedAt: Instant?
    var observations = OrderedDictionary<Observation, Int>()
  }

  private var entries: [PeerID: Entry] = [:]
  private var order: OrderedSet<PeerID> = []
  private var members = [[Topic: OrderedSet<PeerID>]](repeating: [:], count: Manner.allCases.count)

  /// Connected peers, in the order they came.
  public var connected: [PeerID] { order.elements }
  /// Connected peers.
  public var count: Int { order.count }

  /// Whether the peer is connected.
  public func isConnected(_ peer: PeerID) -> Bool { entries[peer] != nil }
  /// Whether we dialed it; false if it is not connected.
  public func isOutbound(_ peer: PeerID) -> Bool { entries[peer]?.link.isOutbound ?? false }
  /// What our open stream of this manner speaks with it.
  public func version(of manner: Manner, with peer: PeerID) -> ProtocolName? {
    entries[peer]?.speaks[manner.index]
  }

  /// The topic's members for this manner, in the order they joined.
  public func members(of topic: Topic, by manner: Manner) -> [PeerID] {
    members[manner.index][topic]?.elements ?? []
  }
  /// Whether the peer is a member of the topic, for this manner.
  public func isMember(_ peer: PeerID, of topic: Topic, by manner: Manner) -> Bool {
    members[manner.index][topic]?.contains(peer) ?? false
  }
  /// Peers with an open stream of this manner, in the order they came.
  public func speakers(of manner: Manner) -> [PeerID] {
    order.filter { entries[$0]?.speaks[manner.index] != nil }
  }

  func entry(_ peer: PeerID) -> Entry? { entries[peer] }

  mutating func update<R>(_ peer: PeerID, _ body: (inout Entry) -> R) -> R? {
    guard let place = entries.index(forKey: peer) else { return nil }
    return body(&entries.values[place])
  }

  // MARK: What happens to peers

  mutating func connect(_ peer: PeerID, _ link: Link) {
    entries[peer] = Entry(link: link)
    order.append(peer)
  }

  /// Forgets the peer; the topics it was a member of, per manner.
  mutating func disconnect(_ peer: PeerID) -> [(Manner, Topic)] {
    guard entries[peer] != nil else { return [] }
    let left = Manner.allCases.flatMap { manner in close(manner, with: peer).map { (manner, $0) } }
    entries[peer] = nil
    order.remove(peer)
    return left
  }

  /// Our stream opened; the topics the peer thereby becomes a member of.
  mutating func open(_ manner: Manner, _ version: ProtocolName, with peer: PeerID) -> [Topic] {
    guard entries[peer] != nil else { return [] }
    let wasOpen = entries[peer]!.speaks[manner.index] != nil
    entries[peer]!.speaks[manner.index] = version
    guard !wasOpen else { return [] }
    let topics = Array(entries[peer]!.announced[manner.index])
    for topic in topics { members[manner.index][topic, default: []].append(peer) }
    return topics
  }

  /// Our stream ended; the topics the peer thereby stops being a member of.
  mutating func close(_ manner: Manner, with peer: PeerID) -> [Topic] {
    guard let entry = entries[peer], entry.speaks[manner.index] != nil else { return [] }
    entries[peer]!.speaks[manner.index] = nil
    let topics = Array(entry.announced[manner.index])
    for topic in topics { removeMember(peer, topic, manner) }
    return topics
  }

  enum Announcement { case joined, left, unchanged, tooMany }

  /// Takes in what a peer announced, and tells whether its membership changed.
  mutating func announce(_ subscription: Subscription, by peer: PeerID, _ manner: Manner, topicsMax: Int)
    -> Announcement
  {
    guard let entry = entries[peer] else { return .unchanged }
    let topic = subscription.topic
    let isOpen = entry.speaks[manner.index] != nil
    if subscription.joins {
      guard !entry.announced[manner.index].contains(topic) else { return .unchanged }
      guard entry.announced[manner.index].count < topicsMax else { return .tooMany }
      entries[peer]!.announced[manner.index].append(topic)
      guard isOpen else { return .unchanged }
      members[manner.index][topic, default: []].append(peer)
      return .joined
    } else {
      guard entries[peer]!.announced[manner.index].remove(topic) != nil, isOpen else { return .unchanged }
      removeMember(peer, topic, manner)
      return .left
    }
  }

  private mutating func removeMember(_ peer: PeerID, _ topic: Topic, _ manner: Manner) {
    members[manner.index][topic]?.remove(peer)
    if members[manner.index][topic]?.isEmpty == true { members[manner.index][topic] = nil }
  }
}

extension Manner {
  /// Position in tables with one place per manner.
  var index: Int { Int(rawValue) }
}
