import DequeModule

/// Whether a message was probably met before, longer ago than the exact record reaches, in three bytes and a half per
/// id.
///
/// Two Bloom filters, this generation's and the former one's: inserted is into the current, asked are both, and after
/// `turnAfter` or `capacity` ids they turn, so that an id is remembered for one to two such times. Each generation has
/// a key of its own, drawn from the node's secret: nobody can craft ids that collide, and an id lost at one node is
/// not lost at the next.
///
/// Being wrong must be harmless. So: the exact record (`SeenFilter`) is asked first, and only what it does not know
/// comes here; nobody is ever blamed on what is found here; and after `advertisersMax` different peers told of an id
/// that is found here, it is fetched all the same.
///
/// Bounds: the bits are allocated once; `suspectsMax` ids whose advertisers are counted, the oldest forgotten first.
/// Source: Bamboo gossip v2, "Probabilistic duplicate detection"; Bloom 1970; figures are ours.
struct DuplicateFilter: Sendable {
  private struct Generation: Sendable {
    let key: SipHash.Key
    var bits: [UInt64]
    var count = 0

    init(_ key: SipHash.Key, words: Int) {
      self.key = key
      bits = [UInt64](repeating: 0, count: words)
    }

    /// The places of an id: enhanced double hashing.
    private struct Probes {
      var place, step: UInt32
      var number: UInt32 = 0

      init(_ hash: UInt64) {
        place = UInt32(truncatingIfNeeded: hash)
        step = UInt32(truncatingIfNeeded: hash >> 32)
      }

      mutating func next(below count: UInt64) -> Int {
        defer {
          place &+= step
          number &+= 1
          step &+= number
        }
        return Int((UInt64(place) * count) >> 32)
      }
    }

    func contains(_ id: MessageID, probes: Int) -> Bool {
      guard count > 0 else { return false }
      var places = Probes(id.keyedHash(key))
      let size = UInt64(bits.count) * 64
      for _ in 0..<probes {
        let place = places.next(below: size)
        if bits[place >> 6] & (1 << UInt64(place & 63)) == 0 { return false }
      }
      return true
    }

    mutating func insert(_ id: MessageID, probes: Int) {
      var places = Probes(id.keyedHash(key))
      let size = UInt64(bits.count) * 64
      for _ in 0..<probes {
        let place = places.next(below: size)
        bits[place >> 6] |= 1 << UInt64(place & 63)
      }
      count += 1
    }
  }

  private struct Suspect: Sendable {
    let number: UInt64
    var advertisers: [PeerID]
  }

  private var current: Generation
  private var former: Generation
  private var turnAt: Instant
  private var generation: UInt64 = 0
  private let secret: SipHash.Key
  private let parameters: DuplicateFilterParameters
  private var suspects: [MessageID: Suspect] = [:]
  /// Oldest first; those asked for meanwhile are not in `suspects`.
  private var order = Deque<(id: MessageID, number: UInt64)>()
  private var nextNumber: UInt64 = 0
  /// Times the generations turned.
  private(set) var turns: UInt64 = 0
  /// Ids that were found here and fetched all the same.
  private(set) var askedAnyway: UInt64 = 0
  /// Ids whose advertisers were forgotten.
  private(set) var forgotten: UInt64 = 0

  /// - Parameter secret: the node's own, unpredictable in production.
  init(_ parameters: DuplicateFilterParameters, secret: [UInt8], at now: Instant) {
    self.parameters = parameters
    self.secret = SipHash.Key(
      low: SipHash.hash(secret, SipHash.Key(low: 1, high: 0)),
      high: SipHash.hash(secret, SipHash.Key(low: 2, high: 0)))
    turnAt = now + parameters.turnAfter
    current = Generation(DuplicateFilter.key(self.secret, 1), words: parameters.words)
    former = Generation(DuplicateFilter.key(self.secret, 0), words: parameters.words)
    generation = 1
  }

  /// Bytes of both generations.
  var size: Int { (current.bits.count + former.bits.count) * 8 }

  /// The message was met.
  mutating func insert(_ id: MessageID, at now: Instant) {
    turnIfDue(now)
    // Inserted once per generation, so that copies do not fill it.
    guard !current.contains(id, probes: parameters.probes) else { return }
    if current.count >= parameters.capacity { turn(now) }
    current.insert(id, probes: parameters.probes)
  }

  /// Whether the message was probably met before. To be asked only of what the exact record does not know.
  mutating func mayContain(_ id: MessageID, at now: Instant) -> Bool {
    turnIfDue(now)
    return current.contains(id, probes: parameters.probes) || former.contains(id, probes: parameters.probes)
  }

  /// A peer tells of a message that the exact record does not know.
  /// - Returns: whether to fetch it: it is new, or enough peers told of it to doubt that we had it.
  mutating func wants(_ id: MessageID, toldBy peer: PeerID, at now: Instant) -> Bool {
    guard mayContain(id, at: now) else { return true }
    if suspects[id] == nil {
      makeRoom()
      suspects[id] = Suspect(number: nextNumber, advertisers: [])
      order.append((id, nextNumber))
      nextNumber += 1
    }
    if !suspects[id]!.advertisers.contains(peer) { suspects[id]!.advertisers.append(peer) }
    guard suspects[id]!.advertisers.count >= parameters.advertisersMax else { return false }
    suspects[id] = nil
    askedAnyway += 1
    return true
  }

  private mutating func makeRoom() {
    while suspects.count >= parameters.suspectsMax || order.count > 2 * parameters.suspectsMax,
      let oldest = order.popFirst()
    {
      guard suspects[oldest.id]?.number == oldest.number else { continue }
      suspects[oldest.id] = nil
      forgotten += 1
    }
  }

  // MARK: Generations

  private mutating func turnIfDue(_ now: Instant) {
    if turnAt <= now { turn(now) }
  }

  private mutating func turn(_ now: Instant) {
    generation += 1
    turns += 1
    former = current
    current = Generation(DuplicateFilter.key(secret, generation), words: parameters.words)
    // After a long rest what is left is older than two generations.
    if turnAt + parameters.turnAfter <= now { former.count = 0 }
    turnAt = now + parameters.turnAfter
  }

  private static func key(_ secret: SipHash.Key, _ generation: UInt64) -> SipHash.Key {
    var (low, high) = (SipHash(secret), SipHash(secret))
    low.add(generation)
    high.add(generation)
    return SipHash.Key(low: low.finish(8 << 56), high: high.finish(8 << 56 | 1))
  }
}

/// Parameters of the probabilistic duplicate filter.
public struct DuplicateFilterParameters: Hashable, Sendable {
  /// Ids of one generation.
  public var capacity = 100_000
  /// Probability that a new id is taken for an old one, with both generations full.
  public var falsePositives = 1e-6
  /// How long a generation lasts at most.
  public var turnAfter: Duration = .seconds(600)
  /// So many different peers telling of an id are believed rather than the filter.
  public var advertisersMax = 3
  /// Ids found in the filter whose advertisers are counted.
  public var suspectsMax = 1_024

  /// The defaults.
  public init() {}

  /// Bits set per id: the least number with 2^−probes at most half the probability, for there are two generations.
  var probes: Int {
    var (probes, chance) = (1, 0.5)
    while chance > falsePositives / 2, probes < 64 { (probes, chance) = (probes + 1, chance / 2) }
    return probes
  }

  /// 64 bits each; a filter with as many zeros as ones when it is full errs least: capacity · probes / ln 2 bits.
  var words: Int { (Int(Double(capacity) * Double(probes) * 1.442_695_040_888_963_4) + 63) / 64 + 1 }

  func validate() throws(ConfigurationError) {
    for (name, value, most) in [
      ("capacity", capacity, 1 << 24), ("advertisersMax", advertisersMax, 64),
      ("suspectsMax", suspectsMax, 1 << 20),
    ] where !(1...most).contains(value) {
      throw ConfigurationError("duplicateFilter.\(name)", expected: "1 to \(most)", found: "\(value)")
    }
    guard falsePositives >= 1e-12, falsePositives <= 0.1 else {
      throw ConfigurationError(
        "duplicateFilter.falsePositives", expected: "1e-12 to 0.1", found: "\(falsePositives)")
    }
    try Rule.duration(turnAfter, "duplicateFilter.turnAfter")
  }
}
