public import GossipCore

/// How links behave, and who is linked with whom.
public struct NetworkModel: Hashable, Sendable {
  /// One way, drawn once per pair of participants from this range.
  public var latency = Duration.milliseconds(20)...Duration.milliseconds(80)
  /// What each write may take longer than that, at most; drawn anew each time. Order is kept.
  public var jitter = Duration.zero
  /// Bytes per second and direction of each link.
  public var bandwidth = 12_500_000
  /// Bytes in flight per link and direction, beyond which the sender's queue fills.
  public var windowBytes = 1 << 20
  /// Share of the copies of messages that are lost on their way, 0…1; offers and other words are not.
  public var loss = 0.0
  /// What may wait in front of a link, per lane.
  public var queue = SendQueue.Bounds()
  /// How long a signature takes to make and to check.
  public var signingTime: Duration = .microseconds(20)
  /// How long a signature takes to check.
  public var checkingTime: Duration = .microseconds(70)

  /// The defaults.
  public init() {}
}

/// Who dials whom.
public enum Topology: Hashable, Sendable {
  /// Everybody is linked with everybody.
  case full
  /// Each participant with the next one.
  case line
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

  private func randomLinks(_ count: Int, _ dials: Int, _ dice: inout WorldDice) -> [(Int, Int)] {
    var links: [(Int, Int)] = []
    var known: Set<Int> = []  // looked up only
    func add(_ a: Int, _ b: Int) {
      if known.insert(min(a, b) * count + max(a, b)).inserted { links.append((a, b)) }
    }
    // A random ring first, so that the network is whole.
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

/// One direction of a link: a queue at the sender, bytes under way, and perhaps bytes the receiver does not read.
struct Pipe: Sendable {
  let from: Int
  let to: Int
  let latency: Duration
  /// One per open stream.
  var queues: [(manner: Manner, queue: SendQueue)] = []
  /// When the last byte handed to the link has left.
  var busyUntil: Instant
  var inFlight = 0
  /// When the last byte handed to the link arrives.
  var lastArrival = Instant.zero
  /// The receiver does not read: what arrives waits, and keeps its place in the window.
  var isPaused = false
  /// It wants to read again; what waited is read next.
  var isResuming = false
  var unread: [(manner: Manner, bytes: [UInt8])] = []
  var isOpen = true
  /// Bytes per second.
  var bandwidth = Int.max
  /// Nothing leaves; what is said waits in the queues.
  var isStalled = false
}
