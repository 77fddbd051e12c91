import DequeModule
import OrderedCollections

/// Whether it is rather we who are slow: when more than half of our partners time out within ten seconds, they are not
/// all at fault, and none of them is held to be slow for it.
///
/// Bound: `peersMax` peers, the one that timed out longest ago gives way.
/// Source: Bamboo gossip v2, "Delaying"; the self-check is ours, after flow-go had to switch its scores off for false
/// positives (onflow/flow-go issue 8056).
struct SelfCheck: Sendable {
  private static let peersMax = 1_024
  private var last: [PeerID: Instant] = [:]
  /// Oldest first; where `last` says otherwise the peer timed out again.
  private var order = Deque<(peer: PeerID, at: Instant)>()
  private let window: Duration
  /// Times it found that we are at fault.
  private(set) var selfBlames: UInt64 = 0

  init(window: Duration = .seconds(10)) { self.window = window }

  /// A partner timed out.
  /// - Parameter partners: how many there are now.
  /// - Returns: whether that is our own fault.
  mutating func timedOut(_ peer: PeerID, of partners: Int, at now: Instant) -> Bool {
    if last[peer] != now { order.append((peer, now)) }
    last[peer] = now
    forget(now)
    let isOurs = isAtFault(of: partners, at: now)
    if isOurs { selfBlames &+= 1 }
    return isOurs
  }

  /// Whether more than half of so many partners timed out within the window.
  mutating func isAtFault(of partners: Int, at now: Instant) -> Bool {
    forget(now)
    return last.count * 2 > max(0, partners) && partners > 1
  }

  /// The peer is no partner any more.
  mutating func forget(_ peer: PeerID) { last[peer] = nil }

  private mutating func forget(_ now: Instant) {
    // What the same peer's later time-outs replaced may stand behind others that count.
    if order.count > 2 * SelfCheck.peersMax { order.removeAll { last[$0.peer] != $0.at } }
    while let oldest = order.first,
      oldest.at + window <= now || last[oldest.peer] != oldest.at || last.count > SelfCheck.peersMax
    {
      order.removeFirst()
      if last[oldest.peer] == oldest.at { last[oldest.peer] = nil }
    }
  }
}
