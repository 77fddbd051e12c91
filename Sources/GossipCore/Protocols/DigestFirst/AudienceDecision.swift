/// How a message for some of the nodes best gets to them: straight, through an overlay of these nodes, or through
/// everybody's overlay.
///
/// Of m recipients, s bytes, o bytes around each message, d per digest, k partners per node, upload rate B, round
/// trip τ, N nodes able to route, and h(x) = ⌈ln x / ln k⌉ + 1 hops to reach x nodes:
///
///                    time T                        bytes in all C                  upload U of the sender
///     direct         τ/2 + m (s + o) / B           m (s + o)                       m (s + o)
///     sub-overlay    h(m) (1.5 τ + 3 (s + o) / B)  m (s + o) + m k d               min(k, m) (s + o)
///     full overlay   h(N) (1.5 τ + 3 (s + o) / B)  (N − 1) (s + o) + N k d         k (s + o)
///
/// A hop is digest, request and message. Each node gets one copy, so one that has it uploads about one; 3 per hop is
/// the allowance in T, and U is the worst case. Fewer than ten recipients are served directly, half of the nodes or
/// more by the full overlay; in between the least ½ T / T(direct) + ½ C / C(direct) decides.
///
/// Source: Bamboo gossip v2 asks for "a deterministic function" that decides how a message for some is spread;
/// formulas and figures are ours.
public struct AudienceDecision: Hashable, Sendable {
  /// A way of reaching the recipients.
  public enum Choice: String, CaseIterable, Hashable, Sendable {
    case direct = "direct"
    case subOverlay = "sub-overlay"
    case fullOverlay = "full overlay"
  }

  /// What the network is like.
  public struct Network: Hashable, Sendable {
    /// Nodes able to route the message, N.
    public var nodes: Int
    /// What a node uploads, bytes per second, B.
    public var bandwidth: Double
    /// Round trip between two nodes, τ.
    public var roundTrip: Duration
    /// Partners a node picks, k; at least 2 are counted with.
    public var fanout: Int
    /// Bytes around each message, o.
    public var overhead = 150
    /// Bytes of a digest, d.
    public var digestSize = 64
    /// Fewer recipients are always served directly.
    public var directBelow = 10
    /// What time counts beside bytes, 0 to 1.
    public var timeWeight = 0.5

    /// A network of so many nodes, with 100 Mbit/s, 100 ms, and the fanout of its size unless said.
    public init(
      nodes: Int, bandwidth: Double = 12_500_000, roundTrip: Duration = .milliseconds(100),
      fanout: Int? = nil
    ) {
      (self.nodes, self.bandwidth, self.roundTrip) = (nodes, bandwidth, roundTrip)
      self.fanout = fanout ?? FanoutSize.picks(nodes: nodes, failure: FanoutSets.failure)
    }
  }

  /// What one way costs.
  public struct Cost: Hashable, Sendable {
    /// Seconds until everybody has it, T.
    public let time: Double
    /// Bytes over all links, C.
    public let bytes: Double
    /// Bytes the sender uploads at most, U.
    public let upload: Double
  }

  /// How many are to get it, m.
  public let recipients: Int
  /// Bytes of the message, s.
  public let size: Int
  /// What was counted with.
  public let network: Network
  /// The best way.
  public let choice: Choice
  /// Why, in words for people.
  public let reason: String
  private let costs: [Cost]

  /// Decides. A pure function: every node decides alike.
  /// - Parameters:
  ///   - size: bytes of the message.
  ///   - possible: the ways there are; the full overlay always is one.
  public static func decide(
    recipients: Int, size: Int, in network: Network, among possible: [Choice] = Choice.allCases
  ) -> AudienceDecision {
    let (m, n) = (max(1, recipients), max(1, network.nodes))
    let costs = Choice.allCases.map { cost($0, m, Double(max(0, size)), n, network) }
    let scores = costs.map { score($0, direct: costs[0], network) }
    let (choice, reason): (Choice, String) =
      if m < network.directBelow, possible.contains(.direct) {
        (.direct, "fewer than \(network.directBelow) recipients")
      } else if !possible.contains(.direct) {
        (.fullOverlay, "not every recipient is within reach")
      } else if m >= n - m {
        (.fullOverlay, "the recipients are half of the nodes or more")
      } else {
        (
          (possible.contains(.fullOverlay) ? possible : possible + [.fullOverlay])
            .min { scores[$0.place] < scores[$1.place] } ?? .fullOverlay,
          "the least cost of time and bytes together"
        )
      }
    return AudienceDecision(
      recipients: m, size: max(0, size), network: network, choice: choice, reason: reason, costs: costs)
  }

  /// What a way costs.
  public func cost(of choice: Choice) -> Cost { costs[choice.place] }

  /// Time and bytes of a way together, each as a multiple of the direct one's.
  public func score(of choice: Choice) -> Double {
    AudienceDecision.score(costs[choice.place], direct: costs[0], network)
  }

  /// The least h with k^(h − 1) ≥ nodes: hops until so many have been reached, and one more.
  static func hops(to nodes: Int, fanout: Int) -> Int {
    var (hops, reached) = (1, 1.0)
    while reached < Double(nodes) {
      reached *= Double(max(2, fanout))
      hops += 1
    }
    return hops
  }

  private static func cost(_ choice: Choice, _ recipients: Int, _ s: Double, _ nodes: Int, _ network: Network)
    -> Cost
  {
    let whole = s + Double(network.overhead)
    let rate = network.bandwidth > 1 ? network.bandwidth : 1
    let trip = network.roundTrip.inSeconds
    let (m, n) = (Double(recipients), Double(nodes))
    let (k, digest) = (Double(max(2, network.fanout)), Double(network.digestSize))
    let hop = 1.5 * trip + 3 * whole / rate
    func hops(_ nodes: Int) -> Double { Double(AudienceDecision.hops(to: nodes, fanout: network.fanout)) }
    return switch choice {
    case .direct: Cost(time: trip / 2 + m * whole / rate, bytes: m * whole, upload: m * whole)
    case .subOverlay:
      Cost(time: hops(recipients) * hop, bytes: m * whole + m * k * digest, upload: min(k, m) * whole)
    case .fullOverlay:
      Cost(time: hops(nodes) * hop, bytes: (n - 1) * whole + n * k * digest, upload: k * whole)
    }
  }

  private static func score(_ cost: Cost, direct: Cost, _ network: Network) -> Double {
    let weight = (0...1).contains(network.timeWeight) ? network.timeWeight : 0.5
    // Whatever the direct way costs, it is more than nothing: somebody gets at least the overhead.
    return weight * cost.time / max(direct.time, 1e-9)
      + (1 - weight) * cost.bytes / max(direct.bytes, 1)
  }
}

extension AudienceDecision.Choice {
  fileprivate var place: Int {
    switch self {
    case .direct: 0
    case .subOverlay: 1
    case .fullOverlay: 2
    }
  }
}

extension AudienceDecision: CustomStringConvertible {
  /// The table of all ways, and which one is taken why.
  public var description: String {
    let titles = ["", "time", "bytes in all", "upload", "score"]
    let rows = [titles] + Choice.allCases.map(row)
    let widths = titles.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - text.count)
        return column == 0 ? text + space : space + text
      }.joined(separator: "  ")
    }
    return (lines + ["", "\(choice.rawValue): \(reason)"]).joined(separator: "\n")
  }

  /// One way's figures, for a table.
  public func row(_ choice: Choice) -> [String] {
    let cost = cost(of: choice)
    let score = Int(min(score(of: choice) * 100, 1e12).rounded())
    return [
      choice.rawValue, AudienceDecision.seconds(cost.time), AudienceDecision.bytes(cost.bytes),
      AudienceDecision.bytes(cost.upload), AudienceDecision.hundredths(score),
    ]
  }

  private static func hundredths(_ number: Int) -> String {
    "\(number / 100).\(number % 100 < 10 ? "0" : "")\(number % 100)"
  }

  private static func seconds(_ time: Double) -> String {
    hundredths(Int(min(time * 100, 1e12).rounded())) + " s"
  }

  private static func bytes(_ bytes: Double) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)]
    guard let (name, unit) = units.first(where: { bytes >= $0.1 }) else { return "\(Int(bytes)) B" }
    return hundredths(Int(min(bytes / unit * 100, 1e15).rounded())) + " " + name
  }
}
