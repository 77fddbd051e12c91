import OrderedCollections

/// What the application reports of peers: a count that cuts off, ends by itself, and ends later each time.
///
/// A report takes 864 points, times its amount. At each heartbeat whoever has less than -86,400 is cut off; then a decay
/// is added, never above 0, and at 0 the cut-off ends. The decay is 1,000 a heartbeat at first, and 100, 10 and 1 after
/// the second, third and fourth cut-off: a minute and a half, a quarter of an hour, two and a half hours, a day. So a
/// hundred and one reports within a heartbeat cut off, and the same reports over a day do not; no single one does.
/// Counts are looked at only after a report: in between they follow from the time.
///
/// Source: Flow's application layer spam prevention (`network/alsp`), as in bamboo's successor in production.
/// Bound: `peersMax` peers; when it is full the one with the least against it is forgotten, and counted.
struct Reports: Sendable {
  private struct Entry: Sendable {
    /// At most 0; as of the end of heartbeat `beat`.
    var points: Double
    var beat: Int64
    var cutOffs = 0
    var isCutOff = false
  }

  /// Somebody is cut off from now on, for so long.
  struct CutOff: Hashable, Sendable {
    let peer: PeerID
    let duration: Duration
  }

  private let parameters: ReportParameters
  private let birth: Instant
  private var entries: OrderedDictionary<PeerID, Entry> = [:]
  /// Who was reported since the last heartbeat.
  private var pending: OrderedSet<PeerID> = []
  private(set) var evicted: UInt64 = 0

  init(_ parameters: ReportParameters, at birth: Instant) {
    (self.parameters, self.birth) = (parameters, birth)
  }

  /// Peers with anything against them.
  var count: Int { entries.count }

  /// When reports are looked at next; nil without any.
  func deadline(at now: Instant) -> Instant? { pending.isEmpty ? nil : instant(of: number(of: now) + 1) }

  private func number(of instant: Instant) -> Int64 {
    max(0, (instant - birth).nanoseconds) / parameters.heartbeat.nanoseconds
  }

  private func instant(of beat: Int64) -> Instant {
    let (product, overflow) = beat.multipliedReportingOverflow(by: parameters.heartbeat.nanoseconds)
    return birth + .nanoseconds(overflow ? .max : product)
  }

  /// The application reports a peer.
  /// - Parameter amount: how bad it is, 1 to 100; anything else counts as the nearest of these.
  mutating func report(_ peer: PeerID, amount: Int, at now: Instant) {
    let beat = number(of: now)
    if entries[peer] == nil { makeRoom(at: beat) }
    var entry = entries[peer] ?? Entry(points: 0, beat: beat)
    advance(&entry, to: beat)
    entry.points -= parameters.penalty * Double(min(max(amount, 1), 100))
    entry.points = max(entry.points, -1e12)
    entries[peer] = entry
    pending.append(peer)
  }

  /// A heartbeat: who is cut off now, in the order of the reports.
  mutating func beat(at now: Instant) -> [CutOff] {
    let beat = number(of: now)
    var cutOffs: [CutOff] = []
    for peer in pending {
      guard var entry = entries[peer] else { continue }
      advance(&entry, to: beat - 1)
      if entry.isCutOff || entry.points < parameters.threshold {
        if !entry.isCutOff {
          entry.isCutOff = true
          entry.cutOffs = min(entry.cutOffs, 1 << 20) + 1
        }
        // This heartbeat's decay is the first.
        let beats = max(1, (-entry.points / decay(of: entry)).rounded(.up)) - 1
        let most = Double(Duration.settings.upperBound.components.seconds)
        cutOffs.append(
          CutOff(
            peer: peer,
            duration: .nanoseconds(
              Int64(min(beats * parameters.heartbeat.inSeconds, most)) * 1_000_000_000)))
      }
      advance(&entry, to: beat)
      entries[peer] = entry
    }
    pending = []
    return cutOffs.filter { $0.duration > .zero }
  }

  /// Points of the peer, at most 0.
  func points(of peer: PeerID, at now: Instant) -> Double {
    guard var entry = entries[peer] else { return 0 }
    advance(&entry, to: number(of: now))
    return entry.points
  }

  private func decay(of entry: Entry) -> Double {
    parameters.decays[min(max(entry.cutOffs, 1), parameters.decays.count) - 1]
  }

  private func advance(_ entry: inout Entry, to beat: Int64) {
    guard beat > entry.beat else { return }
    entry.points = min(0, entry.points + decay(of: entry) * Double(beat - entry.beat))
    entry.beat = beat
    if entry.points == 0 { entry.isCutOff = false }
  }

  private mutating func makeRoom(at beat: Int64) {
    guard entries.count >= parameters.peersMax else { return }
    func weight(_ entry: Entry) -> (Int, Int, Double) {
      var entry = entry
      advance(&entry, to: beat)
      return (entry.isCutOff ? 1 : 0, entry.cutOffs, -entry.points)
    }
    guard let least = entries.min(by: { weight($0.value) < weight($1.value) }) else { return }
    entries[least.key] = nil
    pending.remove(least.key)
    evicted += 1
  }

  // MARK: Over a restart

  /// What stands against each peer now.
  func kept(at now: Instant) -> OrderedDictionary<PeerID, (points: Double, cutOffs: Int)> {
    let beat = number(of: now)
    var kept = OrderedDictionary<PeerID, (points: Double, cutOffs: Int)>()
    for (peer, entry) in entries {
      var entry = entry
      advance(&entry, to: beat)
      if entry.points < 0 || entry.cutOffs > 0 { kept[peer] = (entry.points, entry.cutOffs) }
    }
    return kept
  }

  /// Takes in what stood against a peer so long ago; what is here already stays as it is.
  mutating func restore(_ peer: PeerID, points: Double, cutOffs: Int, age: Duration, at now: Instant) {
    guard entries[peer] == nil, points.isFinite, points < 0 || cutOffs > 0 else { return }
    let beat = number(of: now)
    makeRoom(at: beat)
    var entry = Entry(
      points: min(0, max(points, -1e12)), beat: beat - age.nanoseconds / parameters.heartbeat.nanoseconds,
      cutOffs: min(max(cutOffs, 0), 1 << 20))
    // Who is cut off is on the blacklist, too; it is prolonged like any other.
    entry.isCutOff = cutOffs > 0 && points < 0
    advance(&entry, to: beat)
    entries[peer] = entry
  }
}

/// What an application may have against a peer: what Flow's nodes report of one another.
public enum Misbehaviour: String, CaseIterable, Hashable, Sendable {
  /// It sends what is long out of date.
  case stale
  /// It asks for what is costly to answer.
  case demanding
  /// It sends what we have already.
  case redundant
  /// It sends what nobody asked for.
  case unsolicited
  /// It sends what is wrong.
  case invalid
  /// It sends what we have no name for.
  case unknown
  /// It does what it has no right to.
  case unauthorised
  /// Something else.
  case other
}

/// Parameters of what applications report. Defaults from Flow's production nodes.
public struct ReportParameters: Hashable, Sendable {
  /// Points a report of amount 1 takes.
  public var penalty = 864.0
  /// Whoever has less at a heartbeat is cut off.
  public var threshold = -86_400.0
  /// Points that come back at each heartbeat: before and after the first cut-off, after the second, and so on.
  public var decays = [1_000.0, 100, 10, 1]
  /// How often reports are looked at.
  public var heartbeat: Duration = .seconds(1)
  /// Peers with anything against them that are remembered.
  public var peersMax = 1_000

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    let at = "reputation.reports"
    try Rule.positive(penalty, "\(at).penalty")
    try Rule.penalty(threshold, "\(at).threshold")
    try Rule.require((1...64).contains(decays.count), "\(at).decays", "1 to 64 numbers", decays.count)
    for decay in decays { try Rule.positive(decay, "\(at).decays") }
    try Rule.require(
      heartbeat >= .milliseconds(100) && Duration.settings.contains(heartbeat), "\(at).heartbeat",
      "at least 100 ms, at most ten years", heartbeat)
    try Rule.count(peersMax, atMost: 1 << 20, "\(at).peersMax")
  }
}
