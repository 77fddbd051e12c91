import DequeModule
import OrderedCollections

/// What each partner has told us of messages that we lack, before it gives them.
///
/// A digest is outstanding until its message is believed or refused, its giver goes, or newer ones of the same giver
/// push it out.
///
/// Bound: `perPeerMax` outstanding digests per peer, the oldest dropped first.
struct Digests: Sendable {
  /// What one peer told of one message.
  struct Digest: Sendable {
    let topic: Topic
    let hash: [UInt8]
    let size: UInt64
    /// Tells this digest from an earlier one of the same peer and message.
    fileprivate let number: UInt64
  }

  private struct Given: Sendable {
    var digests: [MessageID: Digest] = [:]
    /// The oldest first; entries whose number is not the digest's are settled.
    var ages = Deque<(id: MessageID, number: UInt64)>()
  }

  private var given: OrderedDictionary<PeerID, Given> = [:]
  private var givers: [MessageID: [PeerID]] = [:]
  private var nextNumber: UInt64 = 0
  private let perPeerMax: Int

  init(perPeerMax: Int) { self.perPeerMax = perPeerMax }

  /// Outstanding digests of all peers.
  var count: Int { given.values.reduce(0) { $0 + $1.digests.count } }

  /// What this peer told of the message.
  func digest(of id: MessageID, by peer: PeerID) -> Digest? { given[peer]?.digests[id] }

  /// Who told of the message, the first one first.
  func givers(of id: MessageID) -> [PeerID] { givers[id] ?? [] }

  /// Takes note of a digest; the newest one of a peer counts.
  /// - Returns: the message whose digest by the same peer had to give way.
  mutating func note(_ advert: Advert, on topic: Topic, by peer: PeerID) -> MessageID? {
    nextNumber += 1
    let digest = Digest(topic: topic, hash: advert.hash, size: advert.size, number: nextNumber)
    if given[peer, default: Given()].digests.updateValue(digest, forKey: advert.id) == nil {
      givers[advert.id, default: []].append(peer)
    }
    given[peer]!.ages.append((advert.id, nextNumber))
    let oldest = given[peer]!.digests.count > perPeerMax ? dropOldest(of: peer) : nil
    if given[peer]!.ages.count > 2 * perPeerMax + 16 { compact(peer) }
    return oldest
  }

  private mutating func dropOldest(of peer: PeerID) -> MessageID? {
    while let oldest = given[peer]!.ages.popFirst() {
      guard given[peer]!.digests[oldest.id]?.number == oldest.number else { continue }
      remove(oldest.id, by: peer)
      return oldest.id
    }
    return nil
  }

  private mutating func compact(_ peer: PeerID) {
    let digests = given[peer]!.digests
    given[peer]!.ages.removeAll { digests[$0.id]?.number != $0.number }
  }

  /// The peer's digest of this message means nothing any more.
  mutating func remove(_ id: MessageID, by peer: PeerID) {
    guard given[peer]?.digests.removeValue(forKey: id) != nil else { return }
    givers[id]?.removeAll { $0 == peer }
    if givers[id]?.isEmpty == true { givers[id] = nil }
    if given[peer]?.digests.isEmpty == true { given[peer] = nil }
  }

  /// Nobody's digest of this message means anything any more.
  /// - Returns: who had told of it.
  @discardableResult
  mutating func settle(_ id: MessageID) -> [PeerID] {
    let peers = givers(of: id)
    for peer in peers { remove(id, by: peer) }
    return peers
  }

  /// The peer is gone.
  mutating func forget(_ peer: PeerID) {
    guard let ages = given[peer]?.ages else { return }
    for (id, _) in ages { remove(id, by: peer) }
  }

  /// We left the topic.
  mutating func forget(_ topic: Topic) {
    for (peer, given) in given {
      for (id, _) in given.ages where given.digests[id]?.topic == topic { remove(id, by: peer) }
    }
  }
}
