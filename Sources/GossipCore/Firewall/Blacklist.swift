import OrderedCollections

/// Whom we have nothing to do with any more, why, on what evidence, and until when.
///
/// The first time a peer is barred for a day, and each further time twice as long, because what it did is remembered
/// for a while after its bar has ended. Who is barred already is not barred again by more of the same. An operator may
/// lift a bar, and then nothing is remembered. Records outlive a restart: they are handed out with the time of the
/// wall clock, and taken in again.
///
/// Bound: `countMax` entries; when it is full the one that ends soonest gives way, and is counted.
/// Sources: Bamboo gossip v2, "Circulating": the partner is blacklisted by the firewall (it gives no end);
/// go-libp2p-pubsub, `TimeCachedBlacklist`.
struct Blacklist: Sendable {
  /// Why somebody is barred.
  struct Entry: Hashable, Sendable {
    let peer: PeerID
    var reason: BlacklistReason
    /// SHA-256 of what proves it; empty if nothing does.
    var evidence: [UInt8]
    var since: Instant
    /// `.distantFuture` if it never ends.
    var until: Instant
    /// How often the peer was barred, this time included.
    var times: Int
    /// Whether somebody was told that it ended.
    fileprivate var isOver = false
  }

  private var entries: OrderedDictionary<PeerID, Entry> = [:]
  private let parameters: BlacklistParameters
  /// Entries that gave way to others.
  private(set) var evicted: UInt64 = 0

  /// Whether what was kept over a restart binds nobody, but for an operator's word.
  private let isWatching: Bool

  init(_ parameters: BlacklistParameters, isWatching: Bool = false) {
    (self.parameters, self.isWatching) = (parameters, isWatching)
  }

  /// Entries, also those that ended and are remembered.
  var count: Int { entries.count }

  /// Whether we have nothing to do with this peer, nor with what it wrote.
  /// - Complexity: O(1).
  func bars(_ peer: PeerID, at now: Instant) -> Bool {
    guard !entries.isEmpty, let until = entries[peer]?.until, until > now else { return false }
    return !isWatching || entries[peer]?.reason == .byHand
  }

  /// Why the peer is barred.
  func entry(of peer: PeerID, at now: Instant) -> Entry? {
    entries[peer].flatMap { $0.until > now ? $0 : nil }
  }

  /// Who is barred, in the order it came to it.
  func barred(at now: Instant) -> [Entry] { entries.values.filter { $0.until > now } }

  /// The peer did what is not forgiven.
  /// - Parameter duration: how long, if it is not for the number of times to say.
  /// - Returns: whether this is new; false if it is barred already.
  @discardableResult
  mutating func add(
    _ peer: PeerID, _ reason: BlacklistReason, evidence: [UInt8] = [], for duration: Duration? = nil,
    at now: Instant
  ) -> Bool {
    let former = entries[peer]
    if let former, former.until > now {
      guard let duration, now + duration > former.until else { return false }
    }
    let isAgain = former.map { $0.until + parameters.rememberedFor > now } ?? false
    let times = isAgain ? min(former!.times, 1 << 20) + 1 : 1
    let length = duration ?? parameters.duration(times: times)
    if former == nil { makeRoom(at: now) }
    entries[peer] = Entry(
      peer: peer, reason: reason, evidence: Array(evidence.prefix(BlacklistParameters.evidenceSizeMax)),
      since: now, until: length.map { now + $0 } ?? .distantFuture, times: times)
    return true
  }

  /// An operator forgives everything.
  /// - Returns: whether there was something to forgive.
  @discardableResult
  mutating func remove(_ peer: PeerID) -> Bool { entries.removeValue(forKey: peer) != nil }

  /// When the next bar ends.
  /// - Complexity: O(n).
  var deadline: Instant? {
    entries.values.lazy.filter { !$0.isOver && $0.until != .distantFuture }.map(\.until).min()
  }

  /// Forgets what need not be remembered any more.
  /// - Returns: whose bar ended since this was asked last.
  mutating func sweep(_ now: Instant) -> [PeerID] {
    var freed: [PeerID] = []
    for place in entries.values.indices
    where entries.values[place].until <= now && !entries.values[place].isOver {
      entries.values[place].isOver = true
      freed.append(entries.values[place].peer)
    }
    if entries.values.contains(where: { isForgotten($0, now) }) {
      let kept = entries.values.filter { !isForgotten($0, now) }
      entries = OrderedDictionary(uniqueKeysWithValues: kept.map { ($0.peer, $0) })
    }
    return freed
  }

  private func isForgotten(_ entry: Entry, _ now: Instant) -> Bool {
    entry.isOver && entry.until + parameters.rememberedFor <= now
  }

  private mutating func makeRoom(at now: Instant) {
    while entries.count >= parameters.countMax, let first = entries.values.min(by: { $0.until < $1.until }) {
      entries.removeValue(forKey: first.peer)
      if first.until > now { evicted += 1 }
    }
  }

  // MARK: Records

  /// All entries as plain values, to be kept over a restart.
  /// - Parameter wallClock: what the wall clock shows at `now`, seconds since 1970.
  func records(at now: Instant, wallClock: Int64) -> [BlacklistRecord] {
    entries.values.map { entry in
      BlacklistRecord(
        peer: entry.peer, reason: entry.reason, evidence: entry.evidence,
        since: seconds(entry.since - now, after: wallClock),
        until: entry.until == .distantFuture ? nil : seconds(entry.until - now, after: wallClock),
        times: entry.times)
    }
  }

  /// Takes in what was kept over a restart; what is here already stays as it is, and what is over is remembered for as
  /// long as it would have been.
  mutating func restore(_ records: [BlacklistRecord], at now: Instant, wallClock: Int64) {
    for record in records where entries[record.peer] == nil {
      let until = record.until.map { instant($0, now, wallClock) } ?? .distantFuture
      guard until + parameters.rememberedFor > now, record.times > 0 else { continue }
      makeRoom(at: now)
      entries[record.peer] = Entry(
        peer: record.peer, reason: record.reason,
        evidence: Array(record.evidence.prefix(BlacklistParameters.evidenceSizeMax)),
        since: instant(record.since, now, wallClock), until: until, times: record.times,
        isOver: until <= now)
    }
  }

  private func seconds(_ duration: Duration, after wallClock: Int64) -> Int64 {
    let (sum, overflow) = wallClock.addingReportingOverflow(duration.components.seconds)
    return overflow ? (duration < .zero ? .min : .max) : sum
  }

  private func instant(_ second: Int64, _ now: Instant, _ wallClock: Int64) -> Instant {
    let (difference, overflow) = second.subtractingReportingOverflow(wallClock)
    return now + .seconds(overflow ? (second > wallClock ? Int64.max : .min) : difference)
  }
}

/// Why a peer is on the blacklist.
public enum BlacklistReason: String, CaseIterable, Hashable, Sendable {
  /// It gave us the same message again, unasked.
  case circulation
  /// It said it had examined a message that was bad, or wrote the bad message itself.
  case examinedBad
  /// It sent what nobody can read.
  case undecodable
  /// It signed what cannot be right.
  case corruptContent
  /// It passed on too many bad messages and took none of them back.
  case unretracted
  /// The application reported it too often.
  case reports
  /// The operator wants it so.
  case byHand
}

/// An entry of the blacklist, to be kept over a restart: plain values, times by the wall clock.
public struct BlacklistRecord: Hashable, Sendable {
  /// Who.
  public let peer: PeerID
  /// Why.
  public let reason: BlacklistReason
  /// SHA-256 of what proves it; empty if nothing does.
  public let evidence: [UInt8]
  /// Since when, seconds since 1970.
  public let since: Int64
  /// Until when, seconds since 1970; nil for ever.
  public let until: Int64?
  /// How often, this time included.
  public let times: Int

  /// Made of its parts.
  public init(
    peer: PeerID, reason: BlacklistReason, evidence: [UInt8], since: Int64, until: Int64?, times: Int
  ) {
    (self.peer, self.reason, self.evidence) = (peer, reason, evidence)
    (self.since, self.until, self.times) = (since, until, times)
  }
}

/// Parameters of the blacklist.
public struct BlacklistParameters: Hashable, Sendable {
  /// How long a peer is barred the first time; each further time twice as long.
  public var first: Duration = .seconds(86_400)
  /// How long at most.
  public var most: Duration = .seconds(365 * 86_400)
  /// Whether everything but what is barred by hand for a time lasts for ever.
  public var isPermanent = false
  /// How long a bar is remembered after its end, so that the next one is longer.
  public var rememberedFor: Duration = .seconds(30 * 86_400)
  /// Entries at most.
  public var countMax = 4_096

  static let evidenceSizeMax = 64

  /// The defaults.
  public init() {}

  /// How long the `times`-th bar lasts; nil for ever.
  func duration(times: Int) -> Duration? {
    guard !isPermanent else { return nil }
    var length = first
    for _ in 1..<min(max(times, 1), 64) where length < most { length += length }
    return min(length, most)
  }

  func validate() throws(ConfigurationError) {
    for (name, value) in [("first", first), ("most", most), ("rememberedFor", rememberedFor)] {
      try Rule.duration(value, "blacklist.\(name)")
    }
    guard first <= most else {
      throw ConfigurationError("blacklist.most", expected: "at least first (\(first))", found: "\(most)")
    }
    try Rule.count(countMax, atMost: 1 << 20, "blacklist.countMax")
  }
}
