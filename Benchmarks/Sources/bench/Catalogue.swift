import GossipCore

/// The standard set: what is measured from version to version, and what others reach.
///
/// The figures of others are go-libp2p-pubsub 0.16 on go-libp2p 0.47 (Go 1.27, its defaults but for queues of 4,096),
/// measured on a two-core x86-64 server over loopback with the same workloads.
struct Case: Sendable {
  /// What a figure is compared with.
  enum Rival: Sendable {
    case other(name: String, Double)
    /// The same figure of another case of the set.
    case own(key: String, name: String)
  }

  enum Shape: Sendable {
    /// Messages over a network: a row of the large table.
    case traffic
    /// A figure of its own, with the key and unit of the figure that matters, and further keys.
    case figure(key: String, unit: String, more: [(key: String, unit: String)])
  }

  /// Names the case in files.
  let key: String
  /// Names it for people.
  let title: String
  /// How one run is started.
  let arguments: [String]
  var shape = Shape.traffic
  /// The figure that costs, for `traffic`.
  var costKey = "cpu_us_per_delivery"
  /// Which figures have something to be compared with; the first stands in the table.
  var rivals: [(figure: String, Rival)] = []
  /// Runs whose median is taken; nil for as many as asked for.
  var runs: Int?
  /// Takes minutes and gigabytes: only when asked for.
  var isLarge = false
  /// Runs with the counter of allocations.
  var countsAllocations = false

  private static func go(_ figure: String, _ value: Double) -> (figure: String, Rival) {
    (figure, .other(name: "go", value))
  }

  /// The same without what guards against peers: it may cost a tenth.
  private static func undefended(_ key: String) -> (figure: String, Rival) {
    ("cpu_us_per_delivery", .own(key: key, name: "undefended"))
  }

  static let all: [Case] = network + spreads + links + loss + floods + others

  private static let network: [Case] = [
    Case(
      key: "w1-1k-strict", title: "W1 1 KiB signed", arguments: ["w1", "window=64", "m=2000"],
      rivals: [
        go("cpu_us_per_delivery", 256), go("lo_bytes_per_delivery", 9_673), go("rss_mib", 110),
        go("lat_ms_p50", 107), go("lat_ms_p99", 310), undefended("w1-1k-strict-undefended"),
      ]),
    Case(
      key: "w1-1k-strict-all", title: "W1 1 KiB signed, gater and second filter",
      arguments: ["w1", "window=64", "m=2000", "defence=all"],
      rivals: [undefended("w1-1k-strict-undefended")]),
    Case(
      key: "w1-1k-strict-undefended", title: "W1 1 KiB signed, no scores, no firewall",
      arguments: ["w1", "window=64", "m=2000", "defence=off"]),
    Case(
      key: "w1-1k-strict-w4", title: "W1 1 KiB signed, window 4", arguments: ["w1", "window=4", "m=1000"],
      rivals: [
        go("cpu_us_per_delivery", 325), go("lo_bytes_per_delivery", 9_933), go("lat_ms_p50", 11),
        go("lat_ms_p99", 41),
      ]),
    Case(
      key: "w1-1k-none", title: "W1 1 KiB unsigned", arguments: ["w1", "window=64", "sign=none", "m=4000"],
      rivals: [
        go("cpu_us_per_delivery", 143), go("lo_bytes_per_delivery", 7_546),
        undefended("w1-1k-none-undefended"),
      ]),
    Case(
      key: "w1-1k-none-undefended", title: "W1 1 KiB unsigned, no scores, no firewall",
      arguments: ["w1", "window=64", "sign=none", "m=4000", "defence=off"]),
    Case(
      key: "w1-64k-strict", title: "W1 64 KiB signed, window 2",
      arguments: ["w1", "size=65536", "window=2", "m=200"],
      rivals: [
        go("cpu_us_per_delivery", 1_452), go("lo_bytes_per_delivery", 392_705), go("rss_mib", 328),
        go("lat_ms_p50", 23), go("lat_ms_p99", 82),
      ]),
    Case(
      key: "w1-1k-paced", title: "W1 1 KiB signed, 20 a second", arguments: ["w1", "rate=20", "m=150"],
      rivals: [
        go("lat_ms_p99", 11), go("lat_ms_p50", 2.6), go("cpu_us_per_delivery", 503),
        go("lo_bytes_per_delivery", 10_478),
      ]),
    Case(
      key: "w1-1k-deaf", title: "W1 1 KiB signed, one peer never reads",
      arguments: ["w1", "window=64", "m=2000", "deaf=1", "queue=524288"],
      rivals: [("lat_ms_p99", .own(key: "w1-1k-strict", name: "without"))]),
    Case(
      key: "w1-allocations", title: "W1 1 KiB signed, counting allocations",
      arguments: ["w1", "window=64", "m=300"],
      shape: .figure(key: "allocs_per_delivery", unit: "a delivery", more: []),
      rivals: [go("allocs_per_delivery", 376)], runs: 1, countsAllocations: true),
  ]

  /// The other manners of spreading, in the same network. Push needs its healer, as in Fabric.
  private static let spreads: [Case] = Manner.spreading.filter { $0 != .gossipSub && $0 != .direct }.flatMap {
    manner -> [Case] in
    let more = manner == .push ? ["heal=4000"] : []
    return [
      Case(
        key: "w1-1k-\(manner)", title: "W1 1 KiB signed, \(manner)",
        arguments: ["w1", "window=64", "m=500", "spread=\(manner)"] + more,
        rivals: [("cpu_us_per_delivery", .own(key: "w1-1k-strict", name: "gossipSub"))], runs: 2),
      Case(
        key: "w1-64k-\(manner)", title: "W1 64 KiB signed, \(manner)",
        arguments: ["w1", "size=65536", "window=2", "m=60", "spread=\(manner)"] + more,
        rivals: [("cpu_us_per_delivery", .own(key: "w1-64k-strict", name: "gossipSub"))], runs: 2),
    ]
  }

  private static let links: [Case] = [
    Case(
      key: "w2-1k-strict", title: "W2 1 KiB signed, both ends", arguments: ["w2", "m=20000"],
      costKey: "both_cpu_us_per_msg",
      rivals: [go("both_cpu_us_per_msg", 214), go("lo_bytes_per_delivery", 1_337)]),
    Case(
      key: "w2-1k-none", title: "W2 1 KiB unsigned, both ends", arguments: ["w2", "sign=none", "m=50000"],
      costKey: "both_cpu_us_per_msg",
      rivals: [go("both_cpu_us_per_msg", 33), go("lo_bytes_per_delivery", 1_163)]),
    Case(
      key: "w2-64k-strict", title: "W2 64 KiB signed, both ends", arguments: ["w2", "size=65536", "m=2000"],
      costKey: "both_cpu_us_per_msg",
      rivals: [go("both_cpu_us_per_msg", 1_046), go("lo_bytes_per_delivery", 66_117)]),
    Case(
      key: "w3-none", title: "W3 router alone, unsigned", arguments: ["router", "sign=none"],
      costKey: "cpu_us_per_msg", rivals: [go("cpu_us_per_msg", 22)]),
    Case(
      key: "w3-strict", title: "W3 router alone, signed", arguments: ["router", "sign=strict"],
      costKey: "cpu_us_per_msg"),
  ]

  /// Whether messages are lost, at windows of 1 to 1,024 and sizes up to 1 MiB (less the envelope).
  static let loss: [Case] = [
    (16, 1, 300), (1_024, 1, 300), (1_047_552, 1, 20), (1_047_552, 8, 24), (65_536, 64, 200),
    (16, 1_024, 4_000), (1_024, 1_024, 4_000), (16_384, 1_024, 1_500),
  ].map { (size, window, messages) in
    Case(
      key: "loss-\(size)-w\(window)", title: "W1 \(Figures.bytes(size)) signed, window \(window)",
      arguments: ["w1", "size=\(size)", "window=\(window)", "m=\(messages)"], runs: 1)
  }

  private static let floods: [Case] = [
    flood("garbage", "Flood of garbage, honest p99", ["kind=garbage"]),
    flood("signed", "Flood of signed messages, 200 a second of an author", ["kind=signed", "author=200"]),
    flood("unbounded", "Flood of signed messages, no budget", ["kind=signed"]),
  ]

  private static func flood(_ key: String, _ title: String, _ arguments: [String]) -> Case {
    Case(
      key: "flood-\(key)", title: title, arguments: ["flood", "seconds=5"] + arguments,
      shape: .figure(
        key: "p99_ratio", unit: "times calm",
        more: [
          ("calm_ms_p50", "ms p50 calm"), ("calm_ms_p99", "ms p99 calm"), ("flood_ms_p50", "ms p50 flooded"),
          ("flood_ms_p99", "ms p99 flooded"), ("rss_rise_mib", "MiB more"), ("rss_bound_mib", "MiB at most"),
        ]))
  }

  private static let others: [Case] = [
    Case(
      key: "idle", title: "Idle connection, both ends", arguments: ["idle"],
      shape: .figure(key: "kib_per_connection", unit: "KiB", more: [("idle_cpu_percent", "% CPU in all")])),
    Case(
      key: "start", title: "gossip run, from start to listening", arguments: ["start"],
      shape: .figure(key: "start_ms", unit: "ms", more: []), runs: 1),
    simulation("simulate-1000", "Simulator, 1,000 nodes, 100 messages", ["nodes=1000", "messages=100"]),
    simulation(
      "simulate-10000", "Simulator, 10,000 nodes, 10 messages a second for 60 s",
      ["nodes=10000", "messages=600", "publishers=600"], isLarge: true),
  ]

  private static func simulation(_ key: String, _ title: String, _ arguments: [String], isLarge: Bool = false)
    -> Case
  {
    Case(
      key: key, title: title, arguments: ["simulate"] + arguments,
      shape: .figure(
        key: "wall_s", unit: "s",
        more: [
          ("rss_mib", "MiB"), ("simulated_per_real", "times real time"), ("incomplete_deliveries", "lost"),
        ]),
      runs: isLarge ? 1 : 2, isLarge: isLarge)
  }
}
