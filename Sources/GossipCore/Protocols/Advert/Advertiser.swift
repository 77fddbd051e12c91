import DequeModule

/// What one peer advertised, in the order in which we want it.
///
/// Four queues, the most urgent first; inside a queue first come, first served. A claim that was asked for leaves its
/// queue and comes back at the tail when a new round of attempts begins.
///
/// Source: the Internet Computer's download prioritizer. Bound: claims, by whoever adds them (`dropLeastUrgent`).
struct Advertiser: Sendable {
  /// One advert of this peer.
  struct Claim: Sendable {
    let topic: Topic
    let hash: ContentHash
    /// Bytes, as the peer says.
    let size: Int
    let attribute: [UInt8]
    var rank: Priority
    /// Rises with each claim: the order of arrival.
    fileprivate(set) var number: UInt64 = 0
    /// Its place in the queue of its rank; nil while it is in none.
    fileprivate var place: UInt64?

    init(topic: Topic, hash: ContentHash, size: Int, attribute: [UInt8], rank: Priority) {
      (self.topic, self.hash, self.size) = (topic, hash, size)
      (self.attribute, self.rank) = (attribute, rank)
    }

    /// Whether it may be asked for in this round.
    var isUntried: Bool { place != nil }
    /// Whether it is to be asked for at all.
    var isWanted: Bool { rank > .stash }
  }

  private struct Place: Sendable {
    let id: MessageID
    let number: UInt64
  }

  private(set) var claims: [MessageID: Claim] = [:]
  /// By rank; what is dropped has none. Claims that left leave void places behind.
  private var queues = [Deque<Place>](repeating: [], count: Priority.allCases.count)
  private var counter: UInt64 = 0
  /// Requests that it has not answered.
  var inFlight = 0
  /// Bytes of the downloads that began with it.
  var charged = 0
  /// What came of it.
  var received: RecentHashes
  /// When it was last told again what we hold.
  var answered: [Topic: Instant] = [:]

  /// How many places one walk looks at: behind so many claims that cannot be asked for just now, others wait.
  private static let walkMax = 1_024

  init(receivedMax: Int) { received = RecentHashes(countMax: receivedMax) }

  /// Entries kept for this peer.
  var count: Int { claims.count + received.count + answered.count }

  /// Its claims in the order of arrival.
  func ids(where isMeant: (Claim) -> Bool = { _ in true }) -> [MessageID] {
    claims.filter { isMeant($0.value) }.sorted { $0.value.number < $1.value.number }.map(\.key)
  }

  mutating func add(_ id: MessageID, _ claim: Claim) {
    counter += 1
    claims[id] = claim
    claims[id]!.number = counter
    enqueue(id)
  }

  mutating func remove(_ id: MessageID) -> Claim? { claims.removeValue(forKey: id) }

  /// Puts a claim at the tail of its queue, unless it stands in it.
  mutating func enqueue(_ id: MessageID) {
    guard let claim = claims[id], !claim.isUntried else { return }
    counter += 1
    claims[id]!.place = counter
    let rank = Int(claim.rank.rawValue)
    queues[rank].append(Place(id: id, number: counter))
    if queues[rank].count > 2 * claims.count + 16 {
      queues[rank].removeAll { claims[$0.id]?.place != $0.number }
    }
  }

  /// Takes a claim out of its queue, wherever it stands.
  mutating func dequeue(_ id: MessageID) { claims[id]?.place = nil }

  /// Takes the first claim that may be asked for out of the most urgent queue that has one.
  mutating func take(where mayAsk: (MessageID, Claim) -> Bool) -> MessageID? {
    for rank in [Priority.fetchNow, .fetch, .later].map({ Int($0.rawValue) }) {
      var passed: [Place] = []
      defer { queues[rank].prepend(contentsOf: passed) }
      while passed.count < Advertiser.walkMax, let place = queues[rank].popFirst() {
        guard let claim = claims[place.id], claim.place == place.number else { continue }
        if mayAsk(place.id, claim) {
          claims[place.id]!.place = nil
          return place.id
        }
        passed.append(place)
      }
    }
    return nil
  }

  /// The claim that gives way to a new one of this rank: the oldest of the least urgent, if none is more urgent.
  func leastUrgent(upTo rank: Priority) -> MessageID? {
    for queue in queues[...Int(rank.rawValue)] {
      if let place = queue.first(where: { claims[$0.id]?.place == $0.number }) { return place.id }
    }
    return nil
  }

  /// Ranks the claims of a topic anew; places are kept, so that whoever came first is first in its new queue.
  /// - Returns: what is to be dropped.
  mutating func rank(_ topic: Topic, by rank: (MessageID, [UInt8]) -> Priority) -> [MessageID] {
    let meant = ids { $0.topic == topic }
    for id in meant { claims[id]!.rank = rank(id, claims[id]!.attribute) }
    var places: [(rank: Priority, place: Place)] = []
    for (id, claim) in claims {
      if let number = claim.place { places.append((claim.rank, Place(id: id, number: number))) }
    }
    places.sort { $0.place.number < $1.place.number }
    for index in queues.indices { queues[index].removeAll() }
    for (rank, place) in places { queues[Int(rank.rawValue)].append(place) }
    return meant.filter { claims[$0]!.rank == .drop }
  }
}
