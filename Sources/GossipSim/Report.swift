public import GossipCore

/// What a simulation showed.
public struct Report: Sendable {
  /// Nodes of the scenario.
  public let nodes: Int
  /// The scenario's seed.
  public let seed: UInt64
  /// Messages published.
  public let published: Int
  /// Deliveries to nodes that lived from beginning to end, and how many there should have been.
  public let delivered: Int
  /// How many there should have been.
  public let owed: Int
  /// From publication to delivery, sorted.
  public let latencies: [Duration]
  /// Copies of messages a node had already, over all nodes.
  public let duplicates: UInt64
  /// Bytes on all links during the stream.
  public let bytes: Int
  /// Bytes of messages among them.
  public let messageBytes: Int
  /// Bytes each node that lived to the end sent and received during the stream, mean and highest.
  public let sent: (mean: Int, high: Int)
  /// The same of what was received.
  public let received: (mean: Int, high: Int)
  /// Links a message went over to the farthest node: median over the messages, and highest.
  public let lastHop: (median: Int, high: Int)
  /// Frames on all links during the stream.
  public let frames: Int
  /// Signatures that honest nodes checked, per message delivered to one.
  public let checks: Double
  /// Messages that honest nodes passed on before they examined them, per message delivered to one.
  public let passedUnexamined: Double
  /// Mean time to a delivery divided by the mean number of links on its way.
  public let perHop: Duration
  /// Items dropped from full queues.
  public let shed: Int
  /// Mesh partners per living node, lowest, mean, highest.
  public let mesh: (low: Int, mean: Double, high: Int)
  /// Events that happened.
  public let events: Int
  /// Virtual time lived.
  public let simulated: Duration
  /// Hash over everything that happened, 32 hexadecimal digits.
  public let fingerprint: String
  /// What did not reach whom, in words; the first ten.
  public let missing: [String]
  /// What should never happen, in words; empty if all is well.
  public let violations: [String]
  /// What the checkers found, the costs of the end among it.
  public let findings: [Checkers.Finding]
  /// Deliveries that were not the first of a message at a node.
  public let repeated: Int
  /// Hostile participants among the nodes.
  public let hostile: Int
  /// Deliveries owed of what was published before the weather cleared, and how many of them took at most five seconds.
  public let early: (owed: Int, prompt: Int)
  /// Copies of messages that honest nodes got from honest nodes, per message delivered there.
  public let copies: Double
  /// The same of what they got from hostile ones.
  public let hostileCopies: Double
  /// The most that any honest node held of each; zero where nobody looked.
  public let peak: Sizes
  /// Whom honest nodes have something against.
  public let accused: Accused
  /// The worst standing that an honest peer had with an honest node, be it for a moment.
  public let worstStanding: Standing

  /// Whom honest nodes linked with them have something against.
  public struct Accused: Hashable, Sendable {
    /// Hostile participants of which some honest node observed something.
    public var hostile = 0
    /// The honest of which an honest node observed something.
    public var honest = 0
    /// What honest nodes observed of honest ones, in words, the same each time once.
    public var reasons: [String] = []
  }

  init(_ scenario: Scenario, _ world: World, _ tally: Tally, since before: World.Meter) {
    let trafficBefore = before.traffic
    let honest = (0..<world.count).filter { !world.isHostile($0) }
    let survivors = honest.filter { world.isAlive($0) && world.life(of: $0) == 0 }
    nodes = scenario.nodes
    seed = scenario.seed
    published = world.publications.count
    (delivered, owed) = (tally.delivered, tally.owed)
    early = (tally.owedEarly, tally.prompt)
    missing = tally.missing(in: world)
    latencies = tally.latencies.sorted()
    duplicates = survivors.reduce(0) { $0 + (world.node($1)?.counters.duplicates ?? 0) }
    copies = Report.copies(in: world)
    hostileCopies = Report.perDelivery(world.traffic.hostileCopies, in: world)
    bytes = world.traffic.bytes - trafficBefore.bytes
    messageBytes = world.traffic.messageBytes - trafficBefore.messageBytes
    func since(_ before: [Int], _ now: [Int]) -> [Int] {
      survivors.map { now[$0] - ($0 < before.count ? before[$0] : 0) }
    }
    sent = Report.spread(since(before.sent, world.sentBytes))
    received = Report.spread(since(before.received, world.receivedBytes))
    lastHop = Report.lastHop(world)
    frames = world.traffic.frames - trafficBefore.frames
    checks = Report.perDelivery(world.traffic.checks, in: world)
    passedUnexamined = Report.perDelivery(
      honest.reduce(0) { $0 + Int(clamping: world.node($1)?.counters.passedUnexamined ?? 0) }, in: world)
    perHop = Report.perHop(world)
    shed = world.traffic.shed
    let degrees = survivors.compactMap { world.node($0)?.snapshot.topics.first?.partners.count }
    mesh = (
      degrees.min() ?? 0, degrees.isEmpty ? 0 : Double(degrees.reduce(0, +)) / Double(degrees.count),
      degrees.max() ?? 0
    )
    events = world.events
    simulated = world.now - .zero
    fingerprint = world.fingerprint.description
    hostile = scenario.hostile
    findings = world.checkers?.findings ?? []
    repeated = world.checkers?.counts[.once] ?? 0
    violations = findings.filter { $0.checker.isSafety }.map(\.description)
    peak = world.checkers?.peak ?? Sizes()
    worstStanding = world.checkers?.worstStanding ?? .welcome
    accused = scenario.isHard ? Report.accused(in: world) : Accused()
  }

  /// Copies of messages that honest nodes got from one another, per message delivered there.
  static func copies(in world: World) -> Double { perDelivery(world.traffic.copies, in: world) }

  private static func perDelivery(_ count: Int, in world: World) -> Double {
    let delivered = world.deliveries.count { !world.isHostile($0.participant) }
    return delivered == 0 ? 0 : Double(count) / Double(delivered)
  }

  private static func perHop(_ world: World) -> Duration {
    var (time, hops) = (Duration.zero, 0)
    for delivery in world.deliveries where delivery.hops < 255 {
      guard let published = world.publications[world.messages[Int(delivery.number)]] else { continue }
      time += delivery.at - published.at
      hops += delivery.hops
    }
    return hops == 0 ? .zero : time / hops
  }

  private static func accused(in world: World) -> Accused {
    var isAccused = [Bool](repeating: false, count: world.count)
    var accused = Accused()
    for index in 0..<world.count {
      guard let node = world.node(index) else { continue }
      for peer in node.snapshot.peers where !peer.observations.isEmpty {
        guard let place = world.place(of: peer.id) else { continue }
        isAccused[place] = true
        for (observation, _) in peer.observations where !world.isHostile(place) {
          if !accused.reasons.contains(observation.rawValue) { accused.reasons.append(observation.rawValue) }
        }
      }
    }
    for index in isAccused.indices where isAccused[index] {
      if world.isHostile(index) { accused.hostile += 1 } else { accused.honest += 1 }
    }
    return accused
  }

  private static func spread(_ figures: [Int]) -> (mean: Int, high: Int) {
    (figures.isEmpty ? 0 : figures.reduce(0, +) / figures.count, figures.max() ?? 0)
  }

  private static func lastHop(_ world: World) -> (median: Int, high: Int) {
    var farthest = [Int](repeating: 0, count: world.messages.count)
    for delivery in world.deliveries {
      farthest[Int(delivery.number)] = max(farthest[Int(delivery.number)], delivery.hops)
    }
    farthest.sort()
    return farthest.isEmpty ? (0, 0) : (farthest[farthest.count / 2], farthest[farthest.count - 1])
  }

  /// Share of the owed deliveries that happened; 1 if none were owed.
  public var coverage: Double { owed == 0 ? 1 : Double(delivered) / Double(owed) }
  /// Share of the early deliveries owed that took at most five seconds; 1 if none were owed.
  public var promptness: Double { early.owed == 0 ? 1 : Double(early.prompt) / Double(early.owed) }
  /// Violations, and what did not reach those it was owed to.
  public var faults: [String] {
    guard delivered < owed else { return violations }
    return violations + ["everyone: \(owed - delivered) of \(owed) deliveries did not happen"] + missing
  }
  /// Copies received beyond the first, per delivery.
  public var duplicatesPerDelivery: Double { delivered == 0 ? 0 : Double(duplicates) / Double(delivered) }
  /// Bytes sent during the stream, per node.
  public var bytesPerNode: Int { bytes / max(1, nodes) }
  /// Share of the bytes that are not messages.
  public var controlShare: Double { bytes == 0 ? 0 : Double(max(0, bytes - messageBytes)) / Double(bytes) }

  /// The latency that `share` of the deliveries are at or below.
  public func latency(_ share: Double) -> Duration? {
    guard !latencies.isEmpty else { return nil }
    return latencies[min(latencies.count - 1, Int(Double(latencies.count) * share))]
  }

  /// The figures with their names, for people.
  public var rows: [(String, String)] {
    func milliseconds(_ share: Double) -> String {
      latency(share).map { "\(Int($0.inMilliseconds.rounded())) ms" } ?? "–"
    }
    return [
      ("nodes", "\(nodes)"), ("messages", "\(published)"),
      ("coverage", "\(Report.rounded(coverage * 100)) % (\(delivered) of \(owed))"),
      ("latency p50", milliseconds(0.5)), ("latency p99", milliseconds(0.99)),
      ("latency max", milliseconds(1)),
      ("duplicates per delivery", Report.rounded(duplicatesPerDelivery)),
      ("bytes sent per node", "\(sent.mean), at most \(sent.high)"),
      ("bytes received per node", "\(received.mean), at most \(received.high)"),
      ("last hop", "\(lastHop.median), at most \(lastHop.high)"),
      ("latency per hop", "\(Report.rounded(perHop.inMilliseconds)) ms"),
      (
        "signatures checked per delivery",
        "\(Report.rounded(checks)); \(Report.rounded(passedUnexamined * 100)) % after it went on"
      ),
      ("control share", "\(Report.rounded(controlShare * 100)) %"),
      ("mesh degree", "\(mesh.low)–\(mesh.high), mean \(Report.rounded(mesh.mean))"),
      ("shed", "\(shed)"), ("simulated", "\(Report.rounded(simulated.inSeconds)) s, \(events) events"),
    ] + hardRows + [("seed", "\(seed)"), ("fingerprint", fingerprint)]
  }

  /// What matters only when something was wrong.
  private var hardRows: [(String, String)] {
    guard peak.peers > 0 else { return [] }
    return [
      ("hostile", "\(hostile), \(accused.hostile) of them accused by an honest node"),
      ("honest, accused by an honest node", (["\(accused.honest)"] + accused.reasons).joined(separator: " ")),
      ("worst standing among the honest", worstStanding.rawValue),
      ("within 5 s, before the weather cleared", "\(Report.rounded(promptness * 100)) %"),
      (
        "copies per delivery",
        "\(Report.rounded(copies)), and \(Report.rounded(hostileCopies)) from the hostile"
      ),
      ("most held", "\(peak.seen) ids, \(peak.storedBytes / 1_000) kB, \(peak.wants) wants"),
    ]
  }

  /// The same as one JSON object; keys in a fixed order.
  public var json: String {
    func number(_ duration: Duration?) -> String {
      duration.map { Report.rounded($0.inMilliseconds) } ?? "null"
    }
    let fields: [(String, String)] = [
      ("nodes", "\(nodes)"), ("messages", "\(published)"), ("delivered", "\(delivered)"), ("owed", "\(owed)"),
      ("coverage", "\(coverage)"), ("lat_ms_p50", number(latency(0.5))),
      ("lat_ms_p99", number(latency(0.99))),
      ("lat_ms_max", number(latency(1))), ("dup_per_delivery", Report.rounded(duplicatesPerDelivery)),
      ("bytes", "\(bytes)"), ("bytes_per_node", "\(bytesPerNode)"),
      ("sent_mean", "\(sent.mean)"), ("sent_high", "\(sent.high)"), ("received_mean", "\(received.mean)"),
      ("received_high", "\(received.high)"), ("last_hop", "\(lastHop.median)"),
      ("last_hop_high", "\(lastHop.high)"), ("ms_per_hop", Report.rounded(perHop.inMilliseconds)),
      ("checks_per_delivery", Report.rounded(checks)),
      ("gone_on_unexamined", Report.rounded(passedUnexamined)),
      ("control_share", Report.rounded(controlShare)), ("frames", "\(frames)"), ("shed", "\(shed)"),
      ("mesh_mean", Report.rounded(mesh.mean)), ("events", "\(events)"),
      ("simulated_s", Report.rounded(simulated.inSeconds)), ("seed", "\(seed)"),
      ("hostile", "\(hostile)"), ("prompt", "\(promptness)"), ("copies", Report.rounded(copies)),
      ("hostile_copies", Report.rounded(hostileCopies)),
      ("accused_hostile", "\(accused.hostile)"), ("accused_honest", "\(accused.honest)"),
      ("peak_seen", "\(peak.seen)"), ("peak_stored_bytes", "\(peak.storedBytes)"),
      ("peak_wants", "\(peak.wants)"),
      ("peak_per_peer", "\(peak.perPeer)"), ("worst_standing", "\"\(worstStanding.rawValue)\""),
      ("violations", "\(violations.count)"), ("fingerprint", "\"\(fingerprint)\""),
    ]
    return "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }

  static func rounded(_ number: Double) -> String {
    let hundredths = Int((number * 100).rounded())
    let rest = abs(hundredths % 100)
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
  }
}

extension Checkers.Checker {
  /// Whether it must hold at each step, whatever happens.
  public var isSafety: Bool {
    switch self {
    case .once, .believed, .segregated, .attributed, .bounded, .just: true
    case .everyone, .isolated, .frugal: false
    }
  }
}
