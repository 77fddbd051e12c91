import GossipCore

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
  /// What should never happen, in words; empty if all is well.
  public let violations: [String]

  init(_ scenario: Scenario, _ world: World, _ survivors: [Int], since before: World.Meter) {
    let trafficBefore = before.traffic
    nodes = scenario.nodes
    seed = scenario.seed
    self.published = world.publications.count
    delivered = Report.reached(world, survivors)
    owed = world.publications.count * max(0, survivors.count - 1)
    let published = world.messages.map { world.publications[$0]?.at }
    latencies = world.deliveries.compactMap { delivery in
      published[Int(delivery.number)].map { delivery.at - $0 }
    }.sorted()
    duplicates = survivors.reduce(0) { $0 + (world.node($1)?.counters.duplicates ?? 0) }
    bytes = world.traffic.bytes - trafficBefore.bytes
    messageBytes = world.traffic.messageBytes - trafficBefore.messageBytes
    sent = Report.spread(survivors.map { world.sentBytes[$0] - before.sent[$0] })
    received = Report.spread(survivors.map { world.receivedBytes[$0] - before.received[$0] })
    lastHop = Report.lastHop(world)
    frames = world.traffic.frames - trafficBefore.frames
    shed = world.traffic.shed
    let degrees = survivors.compactMap { world.node($0)?.snapshot.topics.first?.partners.count }
    mesh = (
      degrees.min() ?? 0, degrees.isEmpty ? 0 : Double(degrees.reduce(0, +)) / Double(degrees.count),
      degrees.max() ?? 0
    )
    events = world.events
    simulated = world.now - .zero
    fingerprint = world.fingerprint.description
    violations = Report.violations(in: world)
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

  /// Deliveries of published messages to these nodes.
  static func reached(_ world: World, _ survivors: [Int]) -> Int {
    var isOwed = [Bool](repeating: false, count: world.count)
    for index in survivors { isOwed[index] = true }
    return world.deliveries.count { isOwed[$0.participant] }
  }

  /// *Once* and *believed*: no message twice at a node, none that nobody published.
  static func violations(in world: World) -> [String] {
    var found: [String] = []
    let isPublished = world.messages.map { world.publications[$0] != nil }
    var met = [Bool](repeating: false, count: world.count * world.messages.count)
    for delivery in world.deliveries {
      let (participant, number) = (delivery.participant, Int(delivery.number))
      let place = participant * world.messages.count + number
      if met[place], world.life(of: participant) == 0 {
        found.append("node \(participant) delivered \(world.messages[number]) twice")
      }
      met[place] = true
      if !isPublished[number] {
        found.append("node \(participant) delivered \(world.messages[number]), which nobody published")
      }
    }
    return found
  }

  /// Share of the owed deliveries that happened; 1 if none were owed.
  public var coverage: Double { owed == 0 ? 1 : Double(delivered) / Double(owed) }
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
      ("control share", "\(Report.rounded(controlShare * 100)) %"),
      ("mesh degree", "\(mesh.low)–\(mesh.high), mean \(Report.rounded(mesh.mean))"),
      ("shed", "\(shed)"), ("simulated", "\(Report.rounded(simulated.inSeconds)) s, \(events) events"),
      ("seed", "\(seed)"), ("fingerprint", fingerprint),
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
      ("last_hop_high", "\(lastHop.high)"),
      ("control_share", Report.rounded(controlShare)), ("frames", "\(frames)"), ("shed", "\(shed)"),
      ("mesh_mean", Report.rounded(mesh.mean)), ("events", "\(events)"),
      ("simulated_s", Report.rounded(simulated.inSeconds)), ("seed", "\(seed)"),
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
