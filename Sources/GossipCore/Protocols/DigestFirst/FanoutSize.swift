/// How many partners each node has to pick so that droppers cannot cut anybody off.
///
/// Of N nodes up to f = ⌊(N − 1) / 3⌋ drop everything. Each node picks k others; two nodes are partners if one of
/// them picked the other. Honest nodes all hear of a message if the graph of honest nodes hangs together, and at
/// these degrees a graph that does not is nearly always one node alone. Expected number of such nodes among
/// H = N − f honest ones:
///
///     E = H · C(f, k) / C(N − 1, k) · (1 − k / (N − 1))^(H − 1)
///
/// its own picks all drop, and nobody honest picked it. The least k with E ≤ ε:
///
///          N   ε = 1e-3   1e-6   1e-9   1e-12
///         20          5      7      7       7
///         50          6      9     12      14
///        100          7     10     13      16
///        200          7     11     14      18
///        500          8     11     15      19
///      1,000          8     12     16      20
///      5,000          9     13     17      21
///     10,000          9     13     17      21
///
/// Source: Bamboo gossip v2, "Dropping": each node has at least one honest partner "with high probability"; the
/// formula is ours.
public enum FanoutSize {
  /// Networks of fewer nodes are spread along a full mesh: it costs hardly more than the sets would.
  public static let fullMeshBelow = 13

  /// The most nodes that may be faulty: fewer than a third.
  public static func byzantineMax(of nodes: Int) -> Int { max(0, (nodes - 1) / 3) }

  /// Expected number of honest nodes without an honest partner; an upper bound on the probability of one.
  /// - Parameter byzantine: how many drop everything; as many as may be, unless said.
  /// - Complexity: O(picks).
  public static func isolation(nodes: Int, picks: Int, byzantine: Int? = nil) -> Double {
    let faulty = min(max(0, byzantine ?? byzantineMax(of: nodes)), max(0, nodes - 1))
    // Whoever picks more than can be faulty picks somebody honest.
    guard nodes > 1, picks <= faulty else { return 0 }
    let honest = nodes - faulty
    var expected = Double(honest)
    for pick in 0..<max(0, picks) { expected *= Double(faulty - pick) / Double(nodes - 1 - pick) }
    return expected * power(1 - Double(picks) / Double(nodes - 1), honest - 1)
  }

  /// The least number of picks with `isolation` at most `failure`; what the table shows.
  /// - Parameter failure: ε, the accepted probability, above 0.
  public static func leastPicks(nodes: Int, failure: Double) -> Int {
    guard nodes > 1 else { return 0 }
    return (1..<nodes).first { isolation(nodes: nodes, picks: $0) <= failure } ?? nodes - 1
  }

  /// How many others each node picks: all of them below `fullMeshBelow` nodes.
  public static func picks(nodes: Int, failure: Double) -> Int {
    nodes < fullMeshBelow ? max(0, nodes - 1) : leastPicks(nodes: nodes, failure: failure)
  }

  /// Partners per node on average: 2k − k² / (N − 1), for some pairs pick each other.
  public static func meanDegree(nodes: Int, picks: Int) -> Double {
    guard nodes > 1 else { return 0 }
    let k = Double(picks)
    return 2 * k - k * k / Double(nodes - 1)
  }

  /// What 99.9 % of the nodes have at most: 2k + 3√k partners.
  public static func degreeBound(picks: Int) -> Double {
    let k = Double(max(0, picks))
    return 2 * k + 3 * k.squareRoot()
  }
}
