import Crypto

/// Who is whose partner in an epoch: nobody can choose, everybody can check.
///
///     rank(i, j) = SHA-256("swift-gossip/fanout/v1" ‖ beacon ‖ class ‖ id of i ‖ id of j)
///
/// Each node picks the k others with the lowest ranks, among those able to verify the class. Two nodes are partners
/// if one picked the other. The class stands after its length in one byte; ids have theirs within. Ranks are
/// compared by their first eight bytes, equal ones by id. k is `FanoutSize.picks`.
///
/// Picks are computed when they are first asked for and kept, N − 1 hashes per node asked for. Whether two nodes
/// are partners takes the picks of both; a node's own partners take everybody's, N² hashes, unless it asks only
/// about the peers it meets, as `DigestFirst` does.
///
/// Source: Bamboo gossip v2, "Dropping"; the hash is ours.
public struct FanoutSets: Sendable {
  /// ε unless said: one in a thousand million per epoch, with an epoch of ten minutes 5 in 100,000 per year.
  public static let failure = 1e-9

  /// The accepted probability that somebody honest is cut off.
  public let failure: Double
  /// How many others each node picks.
  public let picksPerNode: Int
  /// How many hashes were computed so far.
  public private(set) var ranked = 0
  private let members: [PeerID]
  private let places: [PeerID: Int]
  private let prefix: [UInt8]
  private var picked: [[Int32]?]

  /// Nothing is computed yet. Without a beacon everybody is everybody's partner.
  public init(of epoch: Epoch, for kind: MessageClass = .any, failure: Double = FanoutSets.failure) {
    self.failure = failure
    let members = epoch.roster.filter { $0.isCapable(of: kind) }.map(\.peer)
    self.members = members
    places = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1, $0) })
    picked = Array(repeating: nil, count: members.count)
    let name = Array(kind.name.utf8)
    prefix = Array("swift-gossip/fanout/v1".utf8) + (epoch.beacon ?? []) + [UInt8(name.count)] + name
    picksPerNode =
      epoch.beacon == nil
      ? max(0, members.count - 1) : FanoutSize.picks(nodes: members.count, failure: failure)
  }

  /// How many nodes the class has.
  public var nodes: Int { members.count }
  /// Whether everybody picks everybody.
  public var isFullMesh: Bool { picksPerNode >= members.count - 1 }
  /// Whether the node is in the roster and able to verify the class.
  public func contains(_ peer: PeerID) -> Bool { places[peer] != nil }
  /// How many hashes it takes to learn this node's picks; 0 once they are known.
  public func cost(of peer: PeerID) -> Int {
    guard !isFullMesh, let place = places[peer], picked[place] == nil else { return 0 }
    return members.count - 1
  }

  /// Whom the node picks, the lowest rank first; nobody if it is not among the nodes.
  /// - Complexity: O(N) hashes the first time.
  public mutating func picks(of peer: PeerID) -> [PeerID] {
    guard let place = places[peer] else { return [] }
    return picks(of: place).map { members[Int($0)] }
  }

  /// Whether one of the two picked the other.
  /// - Complexity: O(N) hashes for each of the two, the first time.
  public mutating func arePartners(_ a: PeerID, _ b: PeerID) -> Bool {
    hasPicked(a, b) || hasPicked(b, a)
  }

  /// Whether the first picked the second.
  /// - Complexity: O(N) hashes the first time.
  public mutating func hasPicked(_ a: PeerID, _ b: PeerID) -> Bool {
    guard let first = places[a], let second = places[b], first != second else { return false }
    return isFullMesh || picks(of: first).contains(Int32(second))
  }

  /// Everybody's picks, and so all the node's partners in the order of their ids.
  /// - Complexity: O(N²) hashes the first time.
  public mutating func partners(of peer: PeerID) -> [PeerID] {
    members.filter { arePartners(peer, $0) }
  }

  /// Computes everything.
  public mutating func complete() {
    guard !isFullMesh else { return }
    for place in members.indices { _ = picks(of: place) }
  }

  private mutating func picks(of place: Int) -> [Int32] {
    if let known = picked[place] { return known }
    let chosen = isFullMesh ? members.indices.filter { $0 != place }.map { Int32($0) } : draw(for: place)
    picked[place] = chosen
    return chosen
  }

  private mutating func draw(for place: Int) -> [Int32] {
    ranked += members.count - 1
    var input = prefix + members[place].bytes
    let start = input.count
    // The k lowest so far, ascending; members come in the order of their ids, so that equal ranks stay in it.
    var lowest: [(rank: UInt64, place: Int32)] = []
    for (other, peer) in members.enumerated() where other != place {
      input.removeSubrange(start...)
      input.append(contentsOf: peer.bytes)
      let rank = FanoutSets.rank(input)
      if lowest.count == picksPerNode {
        guard let last = lowest.last, rank < last.rank else { continue }
        lowest.removeLast()
      }
      let at = lowest.lastIndex { $0.rank <= rank }.map { $0 + 1 } ?? 0
      lowest.insert((rank, Int32(other)), at: at)
    }
    return lowest.map(\.place)
  }

  /// The first eight bytes of the hash, big endian.
  private static func rank(_ bytes: [UInt8]) -> UInt64 {
    var hash = SHA256()
    unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    return unsafe hash.finalize().withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt64.self) }.bigEndian
  }
}
