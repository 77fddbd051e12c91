import OrderedCollections

/// Whether a peer gives us again what it gave us already, so as to keep us busy.
///
/// The same message from two peers is what gossip is; from one peer twice it is circulation, unless we asked for it
/// again. Only an exact record accuses: each id's givers stand beside it in the `SeenFilter`, as bits of peers that
/// are numbered here, so that a copy costs one look. Numbers belong to identities and outlive a connection, or the
/// guilty would reconnect.
///
///     copies a peer may give = 1 + times we asked it for the message
///
/// One more than asked, since what a peer pushes may cross our request on its way. Where requests had to be forgotten
/// because there were too many, nobody is accused for a while.
///
/// Bounds: `SeenFilter.giversMax` numbered peers, beyond which a peer that went longest ago gives its number up, at most
/// one per `renumberEvery`, for the record has to be walked; two generations of `requestsMax` requests.
/// Source: Bamboo gossip v2, "Circulating"; the credit for requests is ours.
struct Circulation: Sendable {
  private struct Holder: Sendable {
    let number: Int
    /// When its last connection ended; nil while there is one.
    var departed: Instant?
  }

  private var holders: OrderedDictionary<PeerID, Holder> = [:]
  private var lastRenumbered: Instant?
  /// Requests by a keyed hash of id and number: one of 2⁶⁴ is forgiven what another was asked for.
  private var requests: [UInt64: UInt8] = [:]
  private var formerRequests: [UInt64: UInt8] = [:]
  private var requestsSince = Instant(nanoseconds: .min)
  private var uncertainUntil = Instant(nanoseconds: .min)
  private let parameters: CirculationParameters
  /// Peers that were told from others too late, since all numbers were taken.
  private(set) var unnumbered: UInt64 = 0
  /// Copies that were asked for again.
  private(set) var forgiven: UInt64 = 0
  /// Copies that may have been asked for: the requests are forgotten.
  private(set) var uncertain: UInt64 = 0
  /// Copies that nobody asked for.
  private(set) var circulated: UInt64 = 0

  init(_ parameters: CirculationParameters) { self.parameters = parameters }

  // MARK: Numbers

  /// The number of a peer that has one.
  func number(of peer: PeerID) -> Int? { holders[peer]?.number }

  /// A peer came, or came back.
  /// - Returns: its number; nil if all are taken, and then nothing is recorded of it.
  mutating func connected(_ peer: PeerID, at now: Instant, _ seen: inout SeenFilter) -> Int? {
    if let number = holders[peer]?.number {
      holders[peer]!.departed = nil
      return number
    }
    guard let number = freeNumber(at: now, &seen) else {
      unnumbered += 1
      return nil
    }
    holders[peer] = Holder(number: number)
    return number
  }

  /// Its last connection ended; what it gave is remembered.
  mutating func disconnected(_ peer: PeerID, at now: Instant) { holders[peer]?.departed = now }

  private mutating func freeNumber(at now: Instant, _ seen: inout SeenFilter) -> Int? {
    // Holders are replaced, never only removed.
    if holders.count < SeenFilter.giversMax { return holders.count }
    if let last = lastRenumbered, now < last + parameters.renumberEvery { return nil }
    let gone = holders.elements.filter { $0.value.departed != nil }
    guard let first = gone.min(by: { $0.value.departed! < $1.value.departed! }) else { return nil }
    lastRenumbered = now
    seen.forget(giver: first.value.number)
    // What was asked of the former holder counts for nobody: forgiving is the safe side.
    holders.removeValue(forKey: first.key)
    return first.value.number
  }

  // MARK: Copies

  /// We ask the peer for this message: it may give it once more.
  mutating func requested(_ id: MessageID, of number: Int, at now: Instant) {
    turn(now)
    let key = Circulation.key(id, number)
    let times = requests[key] ?? formerRequests[key] ?? 0
    requests[key] = times == .max ? .max : times + 1
  }

  /// The peer gave what it had given before, as `SeenFilter.meet` says.
  /// - Returns: whether that is circulation, and not our own doing.
  mutating func accuses(_ id: MessageID, of number: Int, at now: Instant) -> Bool {
    let key = Circulation.key(id, number)
    if let times = requests[key] ?? formerRequests[key], times > 0 {
      requests[key] = times - 1
      forgiven += 1
      return false
    }
    guard uncertainUntil <= now else {
      uncertain += 1
      return false
    }
    circulated += 1
    return true
  }

  private mutating func turn(_ now: Instant) {
    let isFull = requests.count >= parameters.requestsMax
    guard isFull || requestsSince + parameters.retention <= now else { return }
    // Of those forgotten now the youngest are as old as the generation that follows them.
    if !formerRequests.isEmpty { uncertainUntil = requestsSince + parameters.patienceMax }
    formerRequests = requests
    requests = [:]
    requestsSince = now
  }

  private static func key(_ id: MessageID, _ number: Int) -> UInt64 {
    (UInt64(bitPattern: Int64(id.tableHash)) ^ UInt64(number) &* 0x9e37_79b9_7f4a_7c15)
      &* 0xd6e8_feb8_6659_fd93
  }
}

/// Parameters of the record of who gave what.
public struct CirculationParameters: Hashable, Sendable {
  /// How long it is remembered who gave a message.
  public var retention: Duration = .seconds(600)
  /// Of how many messages beyond the window in which they count as seen.
  public var idsMax = 1 << 16
  /// Requests remembered, per generation of two.
  public var requestsMax = 1 << 16
  /// How long an answer to a request may be on its way.
  public var patienceMax: Duration = .seconds(30)
  /// How often at most a number may pass from one peer to another.
  public var renumberEvery: Duration = .seconds(10)

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("retention", retention), ("patienceMax", patienceMax), ("renumberEvery", renumberEvery),
    ] { try Rule.duration(value, "circulation.\(name)") }
    for (name, value) in [("idsMax", idsMax), ("requestsMax", requestsMax)] {
      try Rule.count(value, atMost: 1 << 24, "circulation.\(name)")
    }
  }
}
