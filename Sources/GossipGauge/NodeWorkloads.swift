/// Turns of a node: no socket, no cipher, no codec.
///
/// The node has twelve subscribed peers, eight of them its mesh. Copies are not held back for partners that have
/// echoed before (`staggers`), so that every turn that forwards says the same. The virtual clock moves by ten
/// microseconds a turn: no heartbeat falls into a run.

import GossipCore

extension Workload {
  /// A turn with a signed message that the node has already, from one partner after another.
  static let nodeDuplicate = Workload("node-duplicate", rounds: 10_000) { rounds in
    var bench = NodeBench(isSigned: true)
    // Each of the mesh gives each message once: again would be circulation.
    let frames = (0..<2_500).map { Sample.frame($0, isSigned: true) }
    for frame in frames { bench.take(frame, from: bench.outsider) }
    for round in 0..<rounds { bench.take(frames[round >> 3], from: bench.mesh[round & 7]) }
    precondition(bench.node.counters.duplicates == UInt64(rounds), "\(bench.node.counters)")
    return rounds
  }

  /// A turn with a new unsigned message of 1 KiB, named by the hash of its content, that goes on to a mesh of eight.
  static let nodeForward = forwarding("node-forward", isSigned: false)

  /// Two turns: a new signed message of 1 KiB, then the answer that its signature is genuine, which sends it on to a
  /// mesh of eight.
  static let nodeForwardSigned = forwarding("node-forward-signed", isSigned: true)

  private static func forwarding(_ name: String, isSigned: Bool) -> Workload {
    let capacity = 2_000
    return Workload(name, rounds: capacity / 2) { rounds in
      var bench = NodeBench(isSigned: isSigned)
      let frames = (0..<capacity).map { Sample.frame($0, isSigned: isSigned) }
      for frame in frames.prefix(rounds) { bench.take(frame, from: bench.outsider) }
      let counters = bench.node.counters
      precondition(
        counters.delivered == UInt64(rounds) && counters.messagesSent == 8 * UInt64(rounds), "\(counters)")
      return rounds
    }
  }
}

/// A node among its peers.
private struct NodeBench {
  private(set) var node: Node
  let mesh: [PeerID]
  /// On the topic, but not in the mesh.
  let outsider: PeerID
  private var now = Instant.zero
  private var effects: [Node.Effect] = []

  init(isSigned: Bool) {
    var configuration = Configuration()
    configuration.gossipSub.degree = 8
    configuration.gossipSub.degreeLow = 8
    configuration.gossipSub.staggers = false
    do { node = try Node(configuration, as: Sample.peer(0), seed: [7], at: .zero) } catch {
      preconditionFailure("the configuration is not valid: \(error)")
    }
    let policy = TopicPolicy(
      signing: isSigned ? .strictSign : .strictNoSign, identification: isSigned ? .author : .contentHash)
    node.handle(.subscribe(Sample.topic, policy), at: now, into: &effects)
    let peers = (1...12).map(Sample.peer)
    for (index, peer) in peers.enumerated() {
      let link = Link(isOutbound: index % 2 == 0, address: "")
      node.handle(.connected(peer, link), at: now, into: &effects)
      node.handle(.opened(peer, .gossipSub, "/meshsub/1.2.0"), at: now, into: &effects)
      var hello = Frame(.gossipSub)
      hello.subscriptions = [Subscription(Sample.topic, joins: true)]
      node.handle(.received(hello, from: peer), at: now, into: &effects)
    }
    // Past the first heartbeat, whose instant is drawn.
    now = now + .milliseconds(200)
    node.handle(.wake, at: now, into: &effects)
    effects.removeAll()
    let mesh = node.snapshot.topics[0].partners
    guard mesh.count == 8, let outsider = peers.first(where: { !mesh.contains($0) }) else {
      preconditionFailure("a mesh of \(mesh.count), expected 8")
    }
    (self.mesh, self.outsider) = (mesh, outsider)
  }

  /// One frame; if the node asks whether a signature is genuine, it is.
  mutating func take(_ frame: Frame, from peer: PeerID) {
    now = now + .microseconds(10)
    effects.removeAll(keepingCapacity: true)
    node.handle(.received(frame, from: peer), at: now, into: &effects)
    guard case .check(let ticket, _, _)? = effects.first else { return }
    effects.removeAll(keepingCapacity: true)
    node.handle(.checked(ticket, authentic: true), at: now, into: &effects)
  }
}
