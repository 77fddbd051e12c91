import DequeModule

/// Which peers brought a message soon enough to count as deliveries of the mesh (P3); one count per peer and message.
///
/// Kept only for topics where P3 has a weight, and only for its window. Bound: `countMax` messages, the oldest forgotten
/// first.
struct Deliveries: Sendable {
  private struct Delivery {
    let until: Instant
    var peers: [PeerID]
  }

  private var deliveries: [MessageID: Delivery] = [:]
  private var ages = Deque<MessageID>()
  private(set) var evicted: UInt64 = 0
  static let countMax = 8_192

  var count: Int { deliveries.count }

  /// A message is believed; these peers have brought it and are credited already.
  mutating func begin(_ id: MessageID, by peers: [PeerID], until: Instant, at now: Instant) {
    while let oldest = ages.first, deliveries[oldest].map({ $0.until < now }) ?? true { forgetOldest() }
    if ages.count >= Deliveries.countMax {
      forgetOldest()
      evicted += 1
    }
    guard deliveries.updateValue(Delivery(until: until, peers: peers), forKey: id) == nil else { return }
    ages.append(id)
  }

  private mutating func forgetOldest() {
    if let oldest = ages.popFirst() { deliveries[oldest] = nil }
  }

  /// Whether a further copy is this peer's first, and soon enough.
  mutating func counts(_ id: MessageID, by peer: PeerID, at now: Instant) -> Bool {
    guard let delivery = deliveries[id], now <= delivery.until, !delivery.peers.contains(peer) else {
      return false
    }
    deliveries[id]!.peers.append(peer)
    return true
  }
}
