import DequeModule

/// Whether most connected peers look bad at once: then it is rather us, or our network.
///
/// Source: Bamboo gossip v2: when more than half of the partners time out within ten seconds, nobody is judged by it.
/// Bound: one entry per connected peer and decay interval of the window.
struct SelfBlame: Sendable {
  private let parameters: SelfBlameParameters
  private var sightings = Deque<(peer: PeerID, at: Instant)>()
  private var counts: [PeerID: Int] = [:]
  private(set) var isBlaming = false

  init(_ parameters: SelfBlameParameters) { self.parameters = parameters }

  /// Peers with an ambiguous observation within the window.
  var suspects: Int { counts.count }

  /// The peer looked bad; told at most once per decay interval.
  mutating func note(_ peer: PeerID, at now: Instant) {
    sightings.append((peer, now))
    counts[peer, default: 0] += 1
  }

  /// Judges anew.
  /// - Returns: everybody to whom injustice was done, if the node has just begun to blame itself.
  mutating func judge(connected: Int, at now: Instant) -> [PeerID] {
    while let first = sightings.first, first.at + parameters.window <= now {
      sightings.removeFirst()
      uncount(first.peer)
    }
    let wasBlaming = isBlaming
    isBlaming =
      suspects >= parameters.peersMin && Double(suspects) > parameters.share * Double(connected)
    return isBlaming && !wasBlaming ? sightings.map(\.peer) : []
  }

  private mutating func uncount(_ peer: PeerID) {
    guard let count = counts[peer] else { return }
    counts[peer] = count > 1 ? count - 1 : nil
  }

  /// The peer left.
  mutating func forget(_ peer: PeerID) {
    guard counts.removeValue(forKey: peer) != nil else { return }
    sightings.removeAll { $0.peer == peer }
  }
}
