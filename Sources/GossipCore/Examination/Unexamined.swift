import OrderedCollections

/// Messages that went on before they were examined, whom they went to, and what peers take back.
///
/// Who passed a message on unexamined owes the others two things: to examine it within a block interval, and to say so
/// at once if it turns out bad (`Control.retract`). While one is overdue, nothing goes on unexamined.
///
/// Source: Bamboo gossip v2, "Deterministic ultimate verification", "Probabilistic instantaneous verification".
/// Bounds: `LotParameters.waitingMax` messages, besides those that wait for others; receivers of each, by the peers
/// that asked.
struct Unexamined: Sendable {
  private var ultimate: Ultimate
  private(set) var retractions: Retractions
  /// To whom each was passed on.
  private var receivers: [MessageID: OrderedSet<PeerID>] = [:]
  private let lot: LotParameters

  init(_ lot: LotParameters, _ retractions: RetractionParameters) {
    self.lot = lot
    ultimate = Ultimate(waitingMax: lot.waitingMax)
    self.retractions = Retractions(retractions)
  }

  /// Messages that went on and are being examined, or wait for others.
  var count: Int { receivers.count }
  /// What gave way because there was too much of it.
  var evicted: UInt64 { retractions.unblamed + retractions.forgotten }
  /// Messages examined later than promised.
  var missed: UInt64 { ultimate.missed }

  /// Whether a message goes on now and is examined later.
  /// - Parameters:
  ///   - trust: what the lot says of the peer that brought it.
  ///   - hops: how many in a row did not examine it.
  mutating func goesOn(
    _ id: MessageID, trust: Lot, hops: Int, at now: Instant, using dice: inout some RandomNumberGenerator
  ) -> Bool {
    let isBehind = ultimate.isBehind(at: now)
    guard !trust.examinesNow(hops: hops, isBehind: isBehind, lot, using: &dice) else { return false }
    guard ultimate.add(id, deadline: now + lot.within) else { return false }
    receivers[id] = []
    return true
  }

  /// Whether the message went on and is not settled.
  func contains(_ id: MessageID) -> Bool { !receivers.isEmpty && receivers[id] != nil }

  /// It was passed on to this peer.
  mutating func sent(_ id: MessageID, to peer: PeerID) { receivers[id]?.append(peer) }

  /// It is examined, whatever came of it.
  /// - Returns: whom it went to; nil if it did not go on before.
  mutating func settle(_ id: MessageID, at now: Instant) -> [PeerID]? {
    guard let peers = receivers.removeValue(forKey: id) else { return nil }
    ultimate.settle(id, at: now)
    return peers.elements
  }

  /// It waits for others before it can be examined, and holds nothing up meanwhile; it may still be taken back.
  mutating func excuse(_ id: MessageID, at now: Instant) {
    if contains(id) { ultimate.settle(id, at: now) }
  }

  // MARK: Taking back

  /// A message a peer passed on unexamined is bad.
  /// - Returns: what it costs, if that is known already.
  mutating func foundBad(_ id: MessageID, from peer: PeerID, at now: Instant) -> Retractions.Cost? {
    retractions.foundBad(id, from: peer, until: now + lot.within + lot.retractionWait, at: now)
  }

  /// A peer takes a message back.
  mutating func retracted(_ id: MessageID, by peer: PeerID, at now: Instant) -> Retractions.Cost? {
    retractions.retracted(id, by: peer, at: now)
  }

  /// Who did not take back in time, and what that costs.
  mutating func due(at now: Instant) -> [(peer: PeerID, id: MessageID, cost: Retractions.Cost)] {
    retractions.due(at: now)
  }

  /// When the next such time is over.
  var deadline: Instant? { retractions.count == 0 ? nil : retractions.deadline }
}
