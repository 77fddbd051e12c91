public import GossipCore

/// The same workload, network and seeds over several manners of spreading, with and without a healer.
public struct Comparison: Sendable {
  /// The workload and the network; its policy says everything but the manner and the healing.
  public var scenario: Scenario
  /// What is compared, in this order.
  public var manners: [Manner]
  /// The healer of every second row.
  public var heal = Heal.digests(every: .seconds(4))
  /// Each row is the mean of one run per seed.
  public var seeds: [UInt64]

  /// All manners that spread to everybody.
  public init(_ scenario: Scenario, seeds: [UInt64]) {
    self.scenario = scenario
    manners = Manner.spreading.filter { $0 != .direct }
    self.seeds = seeds
  }

  /// One manner's figures over all seeds.
  public struct Row: Sendable {
    /// Which manner.
    public let manner: Manner
    /// Whether the healer helped.
    public let isHealed: Bool
    /// One per seed.
    public let reports: [Report]

    private func mean(_ figure: (Report) -> Double) -> Double {
      reports.reduce(0) { $0 + figure($1) } / Double(max(1, reports.count))
    }

    /// Share of the owed deliveries.
    public var coverage: Double { mean(\.coverage) }
    /// Copies of messages each delivery took, the one that counted included.
    public var copies: Double { 1 + mean(\.duplicatesPerDelivery) }
    /// The latency that `share` of the deliveries are at or below, in milliseconds.
    public func latency(_ share: Double) -> Double { mean { $0.latency(share)?.inMilliseconds ?? 0 } }
    /// Bytes per node, mean over the nodes.
    public var sent: Double { mean { Double($0.sent.mean) } }
    /// Bytes of the node that received most.
    public var receivedMost: Double { mean { Double($0.received.high) } }
    /// Bytes of the node that sent most.
    public var sentMost: Double { mean { Double($0.sent.high) } }
    /// Share of the bytes that are not messages.
    public var controlShare: Double { mean(\.controlShare) }
    /// Links to the farthest node.
    public var lastHop: Double { mean { Double($0.lastHop.median) } }

    /// As one JSON object; keys in a fixed order.
    public var json: String {
      let fields: [(String, String)] = [
        ("spread", "\"\(manner)\""), ("healed", "\(isHealed)"), ("seeds", "\(reports.count)"),
        ("coverage", "\(coverage)"), ("lat_ms_p50", Report.rounded(latency(0.5))),
        ("lat_ms_p99", Report.rounded(latency(0.99))), ("lat_ms_max", Report.rounded(latency(1))),
        ("copies_per_delivery", Report.rounded(copies)), ("sent_per_node", "\(Int(sent))"),
        ("sent_high", "\(Int(sentMost))"), ("received_high", "\(Int(receivedMost))"),
        ("control_share", Report.rounded(controlShare)), ("last_hop", Report.rounded(lastHop)),
      ]
      return "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }
  }

  /// What the columns of `cells` are called.
  public static let columns = [
    "spread", "healer", "coverage", "p50 ms", "p99 ms", "max ms", "copies", "sent/node", "most sent",
    "most received",
    "control", "last hop",
  ]

  /// Runs everything.
  /// - Parameter progress: told after each run how much is done, 0…1.
  /// - Throws: `ConfigurationError` for the first setting that cannot work.
  public func run(_ progress: (Double) -> Void = { _ in }) throws(ConfigurationError) -> [Row] {
    var rows: [Row] = []
    let count = Double(manners.count * 2 * seeds.count)
    var done = 0.0
    for manner in manners {
      for isHealed in [false, true] {
        var reports: [Report] = []
        for seed in seeds {
          var scenario = scenario
          scenario.seed = seed
          scenario.policy.spread = manner
          scenario.policy.heal = isHealed ? heal : Heal()
          reports.append(try scenario.run())
          done += 1
          progress(done / count)
        }
        rows.append(Row(manner: manner, isHealed: isHealed, reports: reports))
      }
    }
    return rows
  }
}

extension Comparison.Row {
  /// The row as text, one cell per column.
  public var cells: [String] {
    func bytes(_ count: Double) -> String {
      count >= 1e6 ? "\(Report.rounded(count / 1e6)) MB" : "\(Report.rounded(count / 1e3)) kB"
    }
    func whole(_ number: Double) -> String { "\(Int(number.rounded()))" }
    return [
      "\(manner)", isHealed ? "yes" : "–", "\(Report.rounded(coverage * 100)) %", whole(latency(0.5)),
      whole(latency(0.99)), whole(latency(1)), Report.rounded(copies), bytes(sent), bytes(sentMost),
      bytes(receivedMost), "\(whole(controlShare * 100)) %", Report.rounded(lastHop),
    ]
  }
}
