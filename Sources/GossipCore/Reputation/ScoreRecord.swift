import OrderedCollections

/// What is known of a peer's conduct, to be kept over a restart: plain values, times by the wall clock.
///
/// Bamboo's factors, what of GossipSub's score outlives a parting, exchanges broken off lately, and what the application
/// reported. What a peer earned in GossipSub's score is not kept, as when it leaves.
public struct ScoreRecord: Hashable, Sendable {
  /// What stands against it on one topic.
  public struct OnTopic: Hashable, Sendable {
    /// Which.
    public let topic: Topic
    /// P3b: squared deficits of deliveries.
    public let failures: Double
    /// P4: invalid messages.
    public let invalid: Double

    /// Made of its parts.
    public init(_ topic: Topic, failures: Double, invalid: Double) {
      (self.topic, self.failures, self.invalid) = (topic, failures, invalid)
    }
  }

  /// Who.
  public let peer: PeerID
  /// When this was told, seconds since 1970.
  public let seen: Int64
  /// When the peer left, seconds since 1970; nil if it was connected. Its scores are as of then.
  public var left: Int64?
  /// Bamboo's interest, 0 to 1.
  public var interest = 0.5
  /// Bamboo's speed, 0 to 1.
  public var speed = 0.5
  /// Exchanges completed: for reliability.
  public var completed = 0.0
  /// Exchanges broken off, times their weight: against reliability.
  public var failed = 0.0
  /// Messages that proved good: for integrity.
  public var good = 0.0
  /// Bad ones, times their weight: against integrity.
  public var bad = 0.0
  /// P5, the application's own opinion.
  public var application = 0.0
  /// P7, its behaviour.
  public var behaviour = 0.0
  /// P3b and P4.
  public var topics: [OnTopic] = []
  /// When it broke off lately, seconds since 1970.
  public var disruptions: [Int64] = []
  /// Points of the application's reports, at most 0, when this was told.
  public var reports = 0.0
  /// How often these cut it off.
  public var cutOffs = 0

  /// Of a peer nothing is known of.
  public init(_ peer: PeerID, seen: Int64) { (self.peer, self.seen) = (peer, seen) }
}

extension Reputation {
  /// Topics that are remembered per peer while we are not on them.
  private static let topicsKept = 64

  /// What is known, of those of whom anything is: who is connected, then who left, the last one first.
  /// - Parameter wallClock: what the wall clock shows at `now`, seconds since 1970.
  func kept(at now: Instant, wallClock: Int64) -> [ScoreRecord] {
    var reports = reports.kept(at: now)
    let connected = records.keys.elements.filter { records[$0]?.leftAt == nil }
    var kept: [ScoreRecord] = []
    for peer in connected + departed.keys.reversed() {
      guard var record = records[peer], case let reported = reports.removeValue(forKey: peer),
        !record.isBlank || reported != nil
      else { continue }
      record.partner.advance(to: number(of: record.leftAt ?? now), scale)
      if record.leftAt == nil { part(&record) }
      var told = ScoreRecord(record, of: peer, at: now, wallClock) { [scored] in scored[$0]?.topic }
      told.left = record.leftAt.map { seconds($0 - now, after: wallClock) }
      if let reported { (told.reports, told.cutOffs) = reported }
      kept.append(told)
    }
    for (peer, reported) in reports {
      var record = ScoreRecord(peer, seen: wallClock)
      (record.reports, record.cutOffs) = reported
      kept.append(record)
    }
    return kept
  }

  /// Takes in what was kept over a restart, as if those peers had left when it was seen; what is known here already
  /// stays as it is.
  mutating func restore(_ kept: [ScoreRecord], at now: Instant, wallClock: Int64) {
    guard parameters.mode != .off else { return }
    for record in kept {
      reports.restore(
        record.peer, points: record.reports, cutOffs: record.cutOffs, age: age(record.seen, wallClock),
        at: now)
      let age = age(record.left ?? record.seen, wallClock)
      guard records[record.peer] == nil, age < parameters.peerScore.retainFor else { continue }
      remember(record, at: now, age: age, wallClock)
    }
    departed.sort { $0.value < $1.value }
    sweep(at: now)
  }

  private mutating func remember(_ record: ScoreRecord, at now: Instant, age: Duration, _ wallClock: Int64) {
    let ticks = age.nanoseconds / parameters.peerScore.decayInterval.nanoseconds
    var entry = Record(partner: PartnerScore(record, at: number(of: now) - ticks))
    entry.leftAt = now - age
    entry.score.application = record.application.kept(-1e12...1e12)
    entry.score.behaviour = record.behaviour.kept(0...1e12)
    for topic in record.topics.prefix(Reputation.topicsKept) {
      let topic = ScoreRecord.OnTopic(
        topic.topic, failures: topic.failures.kept(0...1e12), invalid: topic.invalid.kept(0...1e12))
      if let place = place(of: topic.topic) {
        entry.score.update(place) { ($0.failures, $0.invalid) = (topic.failures, topic.invalid) }
      } else {
        entry.elsewhere.append(topic)
      }
    }
    for second in record.disruptions.suffix(parameters.partner.disruptionsMax) {
      entry.disruptions.append(now - self.age(second, wallClock))
    }
    guard !entry.isBlank else { return }
    records[record.peer] = entry
    departed[record.peer] = now - age
  }

  /// How long ago that was: nothing of it is in the future, nor longer ago than counts.
  private func age(_ second: Int64, _ wallClock: Int64) -> Duration {
    let (difference, overflow) = wallClock.subtractingReportingOverflow(second)
    return .seconds(overflow ? (wallClock > second ? 1 << 32 : 0) : min(max(0, difference), 1 << 32))
  }

  private func seconds(_ duration: Duration, after wallClock: Int64) -> Int64 {
    let (sum, overflow) = wallClock.addingReportingOverflow(duration.components.seconds)
    return overflow ? (duration < .zero ? .min : .max) : sum
  }
}

extension ScoreRecord {
  fileprivate init(
    _ record: Reputation.Record, of peer: PeerID, at now: Instant, _ wallClock: Int64,
    _ topic: (Int) -> Topic?
  ) {
    self.init(peer, seen: wallClock)
    let partner = record.partner
    (interest, speed, completed, failed) = (
      partner.interest, partner.speed, partner.completed, partner.failed
    )
    (good, bad) = (partner.good, partner.bad)
    (application, behaviour) = (record.score.application, record.score.behaviour)
    topics = record.elsewhere
    for counters in record.score.topics where counters.failures > 0 || counters.invalid > 0 {
      guard let topic = topic(counters.place) else { continue }
      topics.append(OnTopic(topic, failures: counters.failures, invalid: counters.invalid))
    }
    disruptions = record.disruptions.map { wallClock &- (now - $0).components.seconds }
  }
}

extension PartnerScore {
  /// As it was when kept.
  init(_ record: ScoreRecord, at tick: Int64) {
    self.init(
      interest: record.interest.kept(0...1, or: 0.5), speed: record.speed.kept(0...1, or: 0.5),
      completed: record.completed.kept(0...1e12), failed: record.failed.kept(0...1e12),
      good: record.good.kept(0...1e12), bad: record.bad.kept(0...1e12), at: tick)
  }
}

extension Double {
  /// What is not a finite number means nothing; what is too large or small, the nearest that is not.
  fileprivate func kept(_ range: ClosedRange<Double>, or neutral: Double = 0) -> Double {
    isFinite ? Swift.min(Swift.max(self, range.lowerBound), range.upperBound) : neutral
  }
}
