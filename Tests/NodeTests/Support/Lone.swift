import GossipCore
import Testing

/// One node in virtual time, alone with peers who exist only in what they say to it.
///
/// Whatever the node is told, the answer is returned as `Told`: everything it did, including what followed from
/// the answers to its own questions, which are given at once unless a test wants to give them itself. What peers
/// say travels encoded, so that the codec runs.
final class Lone {
  private(set) var node: Node
  private(set) var now: Instant
  let configuration: Configuration
  /// Whether drafts are signed, and signatures checked, in the instant they are asked for.
  var signsAtOnce = true
  var checksAtOnce = true
  /// What the application thinks of everything; nil if the test answers itself.
  var verdict: Verdict? = .accept
  private var nextToken: UInt64 = 1

  init(
    as me: PeerID = peer(0), seed: [UInt8] = [7], at birth: Instant = .zero,
    _ change: (inout Configuration) -> Void = { _ in }
  ) {
    var configuration = Configuration()
    change(&configuration)
    self.configuration = configuration
    now = birth
    do {
      node = try Node(configuration, as: me, seed: seed, at: birth)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  // MARK: Telling

  /// One turn, and the turns that follow from answers given at once.
  @discardableResult
  func tell(_ input: Node.Input) -> Told {
    var told = Told()
    node.handle(input, at: now, into: &told.effects)
    for effect in told.effects {
      if let answer = answer(to: effect) { told += tell(answer) }
    }
    return told
  }

  private func answer(to effect: Node.Effect) -> Node.Input? {
    switch effect {
    case .sign(let ticket, let bytes) where signsAtOnce:
      .signed(ticket, signature: Notional.signature(of: node.me, over: bytes), key: nil)
    case .check(let ticket, let message, _) where checksAtOnce:
      .checked(ticket, authentic: Notional.isAuthentic(message))
    case .judge(let ticket, _, _): verdict.map { .judged(ticket, $0) }
    default: nil
    }
  }

  /// Changes the node itself; for what only the inside may do.
  func change(_ body: (inout Node) -> Void) { body(&node) }

  // MARK: Time

  /// Lets time pass; alarms ring at their instants.
  @discardableResult
  func advance(_ duration: Duration) -> Told {
    let end = now + duration
    var told = Told()
    while let deadline = node.deadline, deadline <= end {
      now = max(now, deadline)
      told += tell(.wake)
    }
    now = end
    return told
  }

  /// Lets time jump, as if the process had been stopped meanwhile; then wakes the node once.
  @discardableResult
  func jump(_ duration: Duration) -> Told {
    now = now + duration
    return tell(.wake)
  }

  /// Lets time pass up to and including the next heartbeats.
  @discardableResult
  func beat(_ times: Int = 1) -> Told {
    let wanted = counters.heartbeats + UInt64(times)
    var told = Told()
    while counters.heartbeats < wanted, let deadline = node.deadline {
      now = max(now, deadline)
      told += tell(.wake)
    }
    return told
  }

  // MARK: Topics of its own

  @discardableResult
  func join(_ topics: Topic..., policy: TopicPolicy = TopicPolicy()) -> Told {
    topics.reduce(into: Told()) { $0 += tell(.subscribe($1, policy)) }
  }

  @discardableResult
  func leave(_ topic: Topic) -> Told { tell(.unsubscribe(topic)) }

  /// Publishes under the next token: 1, 2, 3 …
  @discardableResult
  func publish(
    _ payload: Payload = "mine", on topic: Topic = t, to audience: Audience = .everyone,
    policy: TopicPolicy = TopicPolicy()
  ) -> Told {
    defer { nextToken += 1 }
    return tell(
      .publish(
        Draft(token: nextToken, topic: topic, payload: payload, audience: audience, policy: policy)))
  }

  // MARK: Peers

  @discardableResult
  func connect(_ peer: PeerID, outbound: Bool = false) -> Told {
    tell(.connected(peer, Link(isOutbound: outbound, address: "/memory/\(number(of: peer))")))
  }

  @discardableResult
  func open(_ peer: PeerID, _ version: ProtocolName = "/meshsub/1.2.0") -> Told {
    let manner = Manner.allCases.first { $0.protocols.contains(version) } ?? .gossipSub
    return tell(.opened(peer, manner, version))
  }

  @discardableResult
  func disconnect(_ peer: PeerID) -> Told { tell(.disconnected(peer, Severance("it left"))) }

  /// A peer connects, our stream to it opens, and it announces its topics.
  @discardableResult
  func meet(
    _ peer: PeerID, on topics: Topic..., speaking version: ProtocolName = "/meshsub/1.2.0",
    outbound: Bool = false
  ) -> Told {
    var told = connect(peer, outbound: outbound)
    told += open(peer, version)
    let manner = Manner.allCases.first { $0.protocols.contains(version) } ?? .gossipSub
    told += hear(subscriptions: topics.map { Subscription($0, joins: true) }, on: manner, from: peer)
    return told
  }

  @discardableResult
  func meet(_ peers: [PeerID], on topic: Topic = t, speaking version: ProtocolName = "/meshsub/1.2.0")
    -> Told
  {
    peers.reduce(into: Told()) { $0 += meet($1, on: topic, speaking: version) }
  }

  // MARK: What peers say

  /// Words of one frame.
  @discardableResult
  func hear(_ words: Control..., on manner: Manner = .gossipSub, from peer: PeerID) -> Told {
    hear(words: words, on: manner, from: peer)
  }

  /// Messages of one frame.
  @discardableResult
  func hear(_ messages: WireMessage..., on manner: Manner = .gossipSub, from peer: PeerID) -> Told {
    hear(messages: messages, on: manner, from: peer)
  }

  /// One frame, encoded and decoded.
  @discardableResult
  func hear(
    subscriptions: [Subscription] = [], messages: [WireMessage] = [], words: [Control] = [],
    on manner: Manner = .gossipSub, from peer: PeerID
  ) -> Told {
    var frame = Frame(manner)
    (frame.subscriptions, frame.messages, frame.controls) = (subscriptions, messages, words)
    return hear(encoded: frame.encoded, on: manner, from: peer)
  }

  @discardableResult
  func hear(encoded: [UInt8], on manner: Manner = .gossipSub, from peer: PeerID) -> Told {
    do {
      return tell(
        .received(try unsafe Frame(decoding: encoded.span.bytes, on: manner, configuration.wire), from: peer))
    } catch {
      Issue.record("the frame does not parse: \(error)")
      return Told()
    }
  }

  // MARK: Readings

  var snapshot: Snapshot { node.snapshot }
  var counters: Counters { node.counters }
  var sizes: Sizes { node.snapshot.sizes }
  func mesh(_ topic: Topic = t) -> [PeerID] {
    node.snapshot.topics.first { $0.topic == topic }?.partners ?? []
  }
  func observations(of peer: PeerID) -> [Observation: Int] {
    let observations = node.snapshot.peers.first { $0.id == peer }?.observations ?? []
    return Dictionary(uniqueKeysWithValues: observations.map { ($0.0, $0.1) })
  }
}

extension Lone {
  /// A node on `t` in whose mesh are exactly the first peers, with further ones outside it.
  static func onMesh(
    of count: Int = 5, outside: Int = 0, policy: TopicPolicy = TopicPolicy(), at birth: Instant = .zero,
    _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(at: birth, change)
    lone.join(t, policy: policy)
    if count + outside > 0 { lone.meet(peers(1...count + outside)) }
    // Those who found the mesh below D_lo were grafted when they came; the others graft us.
    for number in 1..<(count + 1) where !lone.mesh().contains(peer(number)) {
      lone.hear(.graft(t), from: peer(number))
    }
    precondition(lone.mesh() == Array((1..<(count + 1)).map(peer)), "mesh \(lone.mesh().map(number(of:)))")
    return lone
  }

  /// A node on `t` that wants no mesh, with `count` peers on the topic.
  static func meshless(peers count: Int, _ change: (inout Configuration) -> Void = { _ in }) -> Lone {
    let lone = Lone {
      ($0.gossipSub.degree, $0.gossipSub.degreeLow, $0.gossipSub.degreeHigh) = (0, 0, 0)
      $0.gossipSub.degreeOutbound = 0
      change(&$0)
    }
    lone.join(t)
    lone.meet(peers(1...count))
    return lone
  }
}
