import OrderedCollections

/// Messages for some of a topic's nodes: whom they may name, and which way they take.
///
/// A message that goes straight to its recipients is none of the dissemination's business: it is neither kept for
/// others nor passed on. One that takes an overlay is spread like any other, and delivered by its recipients only;
/// along the sub-overlay only they get it at all.
///
/// Source: Bamboo gossip v2, one-to-many.
extension Node {
  /// Which way a message for some of a topic's nodes would take from here, and why.
  ///
  /// The nodes counted with are the members of the topic this node is connected to, and itself. Copies can go straight,
  /// or along an overlay of the recipients, only if this node is connected with all of them: then they will be with
  /// one another.
  /// - Parameters:
  ///   - recipients: whom it is for.
  ///   - size: bytes of the payload.
  ///   - manner: what spreads the topic, if this node is not on it.
  public func decision(
    for recipients: [PeerID], size: Int, on topic: Topic, spreadBy manner: Manner = .gossipSub
  ) -> AudienceDecision {
    let manner = commons.joined[topic]?.spread ?? manner
    let parameters = configuration.audience
    let members = commons.peers.members(of: topic, by: manner)
    var possible: [AudienceDecision.Choice] = [.fullOverlay]
    if recipients.allSatisfy({ commons.peers.isMember($0, of: topic, by: manner) }) {
      possible.append(.direct)
      if manner == .digestFirst, recipients.count <= DigestFirst.subOverlayMax {
        possible.append(.subOverlay)
      }
    }
    return AudienceDecision.decide(
      recipients: recipients.count, size: size, in: parameters.network(nodes: members.count + 1),
      among: possible)
  }

  /// Whom a draft names; nil if it is for everyone, or spread by `direct`, which needs no names.
  func recipients(of draft: Draft, under policy: TopicPolicy) -> Recipients? {
    guard policy.spread != .direct else { return nil }
    let peers: [PeerID]
    switch draft.audience {
    case .everyone: return nil
    case .one(let peer): peers = [peer]
    case .many(let many): peers = many
    }
    let decision = decision(
      for: peers, size: draft.payload.count, on: draft.topic, spreadBy: policy.spread)
    return Recipients(peers, by: decision.choice)
  }

  /// What is wrong with whom a draft names.
  func fault(of audience: Audience, on topic: Topic, under policy: TopicPolicy) -> PublishFailure? {
    guard policy.spread == .direct || audience != .everyone else { return nil }
    let most =
      policy.spread == .direct ? configuration.direct.recipientsMax : configuration.wire.recipientsMax
    switch Direct.recipients(of: audience, on: topic, most: most, commons) {
    case .failure(let refusal): return .audience(refusal.reason)
    case .success: return nil
    }
  }

  /// Copies for each recipient, and for nobody else.
  mutating func sendStraight(_ message: Message, under policy: TopicPolicy) {
    commons.manner = policy.spread
    for peer in message.wire.recipients?.peers ?? [] { commons.forward(message, to: peer) }
  }

  /// Whether a message that came straight is ours, and comes from its author.
  func isStraightForUs(_ wire: WireMessage, from peer: PeerID) -> Bool {
    wire.isFor(me) && (!wire.hasAuthor || wire.claimedAuthor == peer)
  }

  /// Lets the topic's disseminations react to what happens to a message, unless it is none of their business.
  mutating func tell(_ policy: TopicPolicy, of wire: WireMessage, _ event: DisseminationEvent) {
    if wire.way != .direct { tell(policy, event) }
  }
}

/// What the decision about ways counts with. Source: Bamboo's formulas, our figures.
public struct AudienceParameters: Hashable, Sendable {
  /// What a node uploads, bytes per second.
  public var bandwidth = 12_500_000.0
  /// Round trip between two nodes.
  public var roundTrip: Duration = .milliseconds(100)
  /// Fewer recipients are served directly.
  public var directBelow = 10
  /// What time counts beside bytes, 0 to 1.
  public var timeWeight = 0.5

  /// The defaults.
  public init() {}

  func network(nodes: Int) -> AudienceDecision.Network {
    var network = AudienceDecision.Network(nodes: nodes, bandwidth: bandwidth, roundTrip: roundTrip)
    (network.directBelow, network.timeWeight) = (directBelow, timeWeight)
    return network
  }

  func validate() throws(ConfigurationError) {
    guard bandwidth.isFinite, bandwidth > 0 else {
      throw ConfigurationError(
        "audience.bandwidth", expected: "more than 0 bytes per second", found: "\(bandwidth)")
    }
    try Rule.duration(roundTrip, "audience.roundTrip")
    guard (0...1 << 30).contains(directBelow) else {
      throw ConfigurationError("audience.directBelow", expected: "0 to 2^30", found: "\(directBelow)")
    }
    guard (0...1).contains(timeWeight) else {
      throw ConfigurationError("audience.timeWeight", expected: "0 to 1", found: "\(timeWeight)")
    }
  }
}
