import GossipCore
import GossipHost
import GossipLibp2p
import GossipSim
import Synchronization

/// `gossip dev --attack`: the simulator's adversaries on real connections, beside honest nodes.
///
/// The same masks over the same node; but here they sign with a key of their own, and what they write is encrypted and
/// carried by sockets.

/// Who attacks, node by node.
struct DevTroops {
  /// What each node is, honest ones first; nil is honest.
  let roles: [Adversary?]

  /// - Returns: nil if fewer than two nodes would be left honest.
  init?(_ attacks: [TroopArgument], nodes: Int) {
    let hostile = attacks.flatMap { attack in
      [Adversary?](repeating: attack.adversary, count: attack.count ?? max(1, nodes / 3))
    }
    guard hostile.isEmpty || nodes - hostile.count >= 2 else { return nil }
    roles = [Adversary?](repeating: nil, count: nodes - hostile.count) + hostile
  }

  var honest: Int { roles.count { $0 == nil } }
  var hostile: Int { roles.count - honest }
  /// What the topic's judge has to tell apart, if an attack needs one.
  var judge: Judge? {
    guard roles.contains(where: { $0?.needsJudge == true }) else { return nil }
    return { message, _ in Judging.verdict(message, at: 0) }
  }

  /// When it begins: once the meshes stand.
  static func beginning(of adversary: Adversary) -> Duration {
    adversary == .covertFlash ? .seconds(10) : .seconds(3)
  }
}

/// Where the nodes of the network are.
final class DevAddresses: Sendable {
  private let addresses = Mutex<[PeerID: Multiaddr]>([:])

  subscript(peer: PeerID) -> Multiaddr? { addresses.withLock { $0[peer] } }
  func note(_ peer: PeerID, at address: Multiaddr) { addresses.withLock { $0[peer] = address } }
}

/// A mask between a host and its node.
struct DevMask: Interposer {
  private var mask: Mask
  private let addresses: DevAddresses
  private var deeds: [InterposerDeed] = []
  /// Peers it wants links to, and those it lost one to, with the instant of the next attempt.
  private var wanted: Set<PeerID> = []  // looked up only
  private var lost: [(peer: PeerID, at: Instant)] = []
  private static let pause = Duration.seconds(1)

  init(
    _ adversary: Adversary, _ plot: Plot, _ identity: Identity, _ configuration: Configuration,
    _ addresses: DevAddresses, seed: UInt64
  ) {
    self.addresses = addresses
    let bytes = (0..<32).map { UInt8(truncatingIfNeeded: seed >> UInt64($0 % 8 * 8)) }
    mask = adversary.mask(
      plot, of: identity.peer, configuration, seed: bytes, at: .present, signing: { identity.sign($0) })
  }

  var deadline: Instant? { [mask.deadline, lost.first?.at].compactMap(\.self).min() }

  mutating func handle(
    _ input: Node.Input, at now: Instant, into effects: inout [Node.Effect], _ node: inout Node
  ) {
    if case .disconnected(let peer, _) = input, wanted.contains(peer) {
      lost.append((peer, now + DevMask.pause))
    }
    mask.handle(input, at: now, into: &effects, over: &node)
    for deed in mask.takeDeeds() {
      switch deed {
      case .write(let bytes, let manner, let peer): deeds.append(.write(bytes, manner, to: peer))
      case .dial(let peer):
        wanted.insert(peer)
        dial(peer)
      }
    }
    while let first = lost.first, first.at <= now {
      lost.removeFirst()
      dial(first.peer)
    }
  }

  private mutating func dial(_ peer: PeerID) {
    if let address = addresses[peer] { deeds.append(.connect(address)) }
  }

  mutating func takeDeeds() -> [InterposerDeed] {
    defer { deeds.removeAll() }
    return deeds
  }
}

/// What the honest think of the others at the moment.
struct DevOpinion {
  /// The lowest score of a connected peer.
  var worst: Double?
  /// Connected peers that are not heard.
  var blocked = 0
  /// Peers that are barred, the honest among them, too.
  var barred: Set<PeerID> = []

  init() {}

  init(_ snapshot: Snapshot, _ blacklist: [BlacklistRecord]) {
    worst = snapshot.peers.map(\.score).min()
    blocked = snapshot.peers.count { $0.standing == .blocked }
    barred = Set(blacklist.map(\.peer))
  }

  mutating func merge(_ other: DevOpinion) {
    worst = [worst, other.worst].compactMap(\.self).min()
    blocked += other.blocked
    barred.formUnion(other.barred)
  }

  static let header = ["worst score", "blocked", "barred"]
  var cells: [String] { [worst.map(Figures.score) ?? "–", "\(blocked)", "\(barred.count)"] }
}

extension DevNetwork {
  /// The hostile peers, each with the explanation of whoever thinks worst of it; without any, the peer with the lowest
  /// score.
  func explanations() async -> [(by: PeerID, Explanation)] {
    var all: [(by: PeerID, Explanation)] = []
    for host in hosts.prefix(troops.honest) {
      for other in hosts where other.identity.peer != host.identity.peer {
        if let explanation = await host.explain(other.identity.peer) {
          all.append((host.identity.peer, explanation))
        }
      }
    }
    all.sort { $0.1.score < $1.1.score }
    guard troops.hostile > 0 else { return Array(all.prefix(1)) }
    return hosts.dropFirst(troops.honest).compactMap { hostile in
      all.first { $0.1.peer == hostile.identity.peer }
    }
  }
}
