import DequeModule
import OrderedCollections

/// Who is in our mesh, per topic, and who may not be for a while.
///
/// A mesh partner gets every message of its topic at once. Membership is a matter of one side: who is grafted is
/// used before any answer arrives, and says so by PRUNE if it disagrees.
///
/// Source: libp2p `gossipsub-v1.0.md` "Mesh maintenance", `gossipsub-v1.1.md` "Prune backoff".
/// Bounds: members per topic by what we graft and accept (below 2 · D_hi); backoffs only for joined or just left
/// topics, one per pruned peer and `backoffsMax` in all, the oldest forgotten first.
struct Mesh: Sendable {
  private(set) var topics: OrderedDictionary<Topic, OrderedSet<PeerID>> = [:]
  private var backoffs: [Topic: [PeerID: Instant]] = [:]
  /// In the order they were set; walked when they are cleared away.
  private var backoffOrder = Deque<(topic: Topic, peer: PeerID)>()
  /// Identities are free, so that pruned peers may come without end.
  static let backoffsMax = 16_384

  func isJoined(_ topic: Topic) -> Bool { topics[topic] != nil }
  func members(of topic: Topic) -> OrderedSet<PeerID> { topics[topic] ?? [] }
  func contains(_ peer: PeerID, on topic: Topic) -> Bool { topics[topic]?.contains(peer) ?? false }

  var entries: Int { topics.values.reduce(0) { $0 + $1.count } + backoffOrder.count }

  mutating func join(_ topic: Topic) { topics[topic] = [] }
  mutating func leave(_ topic: Topic) -> OrderedSet<PeerID> { topics.removeValue(forKey: topic) ?? [] }
  mutating func add(_ peer: PeerID, to topic: Topic) { topics[topic]?.append(peer) }
  @discardableResult
  mutating func remove(_ peer: PeerID, from topic: Topic) -> Bool { topics[topic]?.remove(peer) != nil }

  // MARK: Backoff

  /// Until when grafting is forbidden; kept until it is cleared away, which is what forbids.
  func backoff(of peer: PeerID, on topic: Topic) -> Instant? { backoffs[topic]?[peer] }

  /// Sets a backoff; a shorter one never shortens a longer one.
  mutating func back(off peer: PeerID, on topic: Topic, until: Instant) {
    if let current = backoffs[topic]?[peer] {
      backoffs[topic]![peer] = max(until, current)
      return
    }
    if backoffOrder.count >= Mesh.backoffsMax, let oldest = backoffOrder.popFirst() {
      forgetBackoff(of: oldest.peer, on: oldest.topic)
    }
    backoffOrder.append((topic, peer))
    backoffs[topic, default: [:]][peer] = until
  }

  /// Forgets backoffs that ended before `instant`.
  mutating func clearBackoffs(endedBefore instant: Instant) {
    let order = backoffOrder
    backoffOrder.removeAll(keepingCapacity: true)
    for (topic, peer) in order {
      if let until = backoffs[topic]?[peer], until < instant {
        forgetBackoff(of: peer, on: topic)
      } else {
        backoffOrder.append((topic, peer))
      }
    }
  }

  private mutating func forgetBackoff(of peer: PeerID, on topic: Topic) {
    backoffs[topic]?[peer] = nil
    if backoffs[topic]?.isEmpty == true { backoffs[topic] = nil }
  }
}
