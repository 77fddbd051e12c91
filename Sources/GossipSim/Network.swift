public import GossipCore

/// How links behave, and who is linked with whom.
///
/// A link stands for the streams of one connection: it loses nothing and keeps its order. What can go wrong is that
/// it is slow, stalls, or is cut.
public struct NetworkModel: Hashable, Sendable {
  /// One way, drawn once per link from this range.
  public var latency = Duration.milliseconds(20)...Duration.milliseconds(80)
  /// Bytes per second and direction of each link.
  public var bandwidth = 12_500_000
  /// Bytes in flight per link and direction, beyond which the sender's queue fills.
  public var windowBytes = 1 << 20
  /// What may wait in front of a link, per lane.
  public var queue = SendQueue.Bounds()
  /// A link that has moved nothing for so long although something waits is cut, as hosts do.
  public var stallPatience: Duration = .seconds(10)
  /// How long a signature takes to make.
  public var signingTime: Duration = .microseconds(20)
  /// How long a signature takes to check.
  public var checkingTime: Duration = .microseconds(70)

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    guard bandwidth > 0 else {
      throw ConfigurationError("bandwidth", expected: "more than 0 bytes per second", found: "\(bandwidth)")
    }
    guard windowBytes > 0 else {
      throw ConfigurationError("windowBytes", expected: "more than 0 bytes", found: "\(windowBytes)")
    }
    for (name, value) in [
      ("latency", latency.lowerBound), ("signingTime", signingTime), ("checkingTime", checkingTime),
      ("stallPatience", stallPatience),
    ] where value < .zero {
      throw ConfigurationError(name, expected: "0 or more", found: "\(value)")
    }
  }
}

/// Who dials whom.
public enum Topology: Hashable, Sendable {
  /// Everybody is linked with everybody.
  case full
  /// Each participant with the next one.
  case line
  /// A line whose ends are linked.
  case ring
  /// Each participant with two children.
  case tree
  /// Each participant dials so many others at random; nobody stays alone.
  case random(dials: Int)

  /// Pairs (dialer, dialed), each at most once.
  public func links(among count: Int, _ dice: inout WorldDice) -> [(Int, Int)] {
    guard count > 1 else { return [] }
    switch self {
    case .full: return (0..<count).flatMap { a in (a + 1..<count).map { (a, $0) } }
    case .line: return (1..<count).map { ($0 - 1, $0) }
    case .ring: return count == 2 ? [(0, 1)] : (0..<count).map { ($0, ($0 + 1) % count) }
    case .tree: return (1..<count).map { (($0 - 1) / 2, $0) }
    case .random(let dials): return randomLinks(count, dials, &dice)
    }
  }

  /// A random ring first, so that the network is whole; then everybody dials on.
  private func randomLinks(_ count: Int, _ dials: Int, _ dice: inout WorldDice) -> [(Int, Int)] {
    var links: [(Int, Int)] = []
    var known: Set<Int> = []  // looked up only
    func add(_ a: Int, _ b: Int) {
      if known.insert(min(a, b) * count + max(a, b)).inserted { links.append((a, b)) }
    }
    let order = Array(0..<count).shuffled(using: &dice)
    for (place, a) in order.enumerated() where dials >= 1 { add(a, order[(place + 1) % count]) }
    for a in 0..<count {
      var others = Array(0..<count).filter { $0 != a }
      for pick in 0..<min(max(0, dials - 1), others.count) {
        others.swapAt(pick, Int.random(in: pick..<others.count, using: &dice))
        add(a, others[pick])
      }
    }
    return links
  }
}
