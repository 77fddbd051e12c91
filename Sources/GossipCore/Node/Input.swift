/// Everything that can happen to a node.
///
/// Inputs are plain values: they can be logged, compared, replayed, and edited by an adversary.
extension Node {
  /// Something that happened to a node.
  public enum Input: Sendable {
    /// A link to this peer is up: authenticated, and the first of its connections.
    case connected(PeerID, Link)
    /// The last connection to this peer is gone.
    case disconnected(PeerID, Severance)
    /// Our outbound stream of this manner is open and speaks this version.
    case opened(PeerID, Manner, ProtocolName)
    /// Our outbound stream of this manner ended while the link is still up.
    case closed(PeerID, Manner)
    /// A frame arrived.
    case received(Frame, from: PeerID)
    /// Bytes arrived that are not a frame; their stream was reset.
    case garbled(WireError, from: PeerID)
    /// Its outbound queue was full: so many items of this lane were dropped.
    case shed(PeerID, Lane, count: Int)
    /// The application publishes.
    indirect case publish(Draft)
    /// The application joins a topic, or changes its policy.
    indirect case subscribe(Topic, TopicPolicy)
    case unsubscribe(Topic)
    /// The application asks peers for replies.
    indirect case ask(Inquiry)
    /// The application no longer waits for this inquiry.
    case withdraw(inquiry: UInt64)
    /// The application's answer to a peer's request: ← `Effect.ask`.
    case answer(Ticket, Answer)
    /// The application's chain has settled a roster, or drawn a beacon: who is whose partner from now on.
    indirect case epoch(Epoch)
    /// An operator bars a peer, for so long; nil as long as its deeds say.
    case bar(PeerID, for: Duration?)
    /// An operator forgives a peer.
    case unbar(PeerID)
    /// Who was barred before a restart; `wallClock` is now, in seconds since 1970.
    case restore([BlacklistRecord], wallClock: Int64)
    /// The application's own opinion of a peer that is connected or remembered: P5 of its score.
    case score(PeerID, Double)
    /// What was known of peers before a restart; `wallClock` is now, in seconds since 1970.
    case recall([ScoreRecord], wallClock: Int64)
    /// The application reports a peer; the amount is 1 to 100.
    case report(PeerID, Misbehaviour, amount: Int)
    /// ← `Effect.check`
    case checked(Ticket, authentic: Bool)
    /// ← `Effect.judge`
    case judged(Ticket, Verdict)
    /// ← `Effect.sign`; `key` is the public key if the author's id does not embed it.
    case signed(Ticket, signature: [UInt8], key: [UInt8]?)
    /// From now on (or no longer) tell how far this message of ours is known to have come.
    case watchReach(MessageID, Bool)
    /// The instant of `deadline` has come.
    case wake
  }
}

/// An open question to the outside; its answer comes back as an input.
public struct Ticket: Hashable, Sendable {
  /// Unique among the open questions of one node.
  public let number: UInt64
  /// Made of its parts.
  public init(number: UInt64) { self.number = number }
}

/// One authenticated connection, as far as the node needs to know it.
public struct Link: Hashable, Sendable {
  /// Whether we dialed it.
  public let isOutbound: Bool
  /// Where the peer is, for people.
  public let address: String
  /// The peer's IP address, 4 or 16 bytes; empty if it has none.
  public let ip: [UInt8]

  /// Made of its parts.
  public init(isOutbound: Bool, address: String, ip: [UInt8] = []) {
    (self.isOutbound, self.address, self.ip) = (isOutbound, address, ip)
  }
}

/// Why a link ended, in words for people.
public struct Severance: Hashable, Sendable, CustomStringConvertible {
  /// In words for people.
  public let reason: String
  /// Made of its parts.
  public init(_ reason: String) { self.reason = reason }
  /// In words for people.
  public var description: String { reason }
}

/// What the application thinks of a message.
public enum Verdict: Hashable, Sendable {
  /// Valid: deliver it and pass it on.
  case accept
  /// Invalid: drop it, and hold it against everybody who sent it.
  case reject
  /// Neither: drop it, blame nobody.
  case ignore
  /// Not before these messages are there; they are asked of whoever sent it, and then it is judged again.
  case await([MessageID])
}

/// A message to be published.
public struct Draft: Sendable {
  /// Chosen by the caller; comes back in `Effect.published`.
  public var token: UInt64
  /// Where it goes.
  public var topic: Topic
  /// What it says.
  public var payload: Payload
  /// For whom it is meant.
  public var audience: Audience
  /// Used when the topic is not joined here; a joined topic's own policy comes first.
  public var policy: TopicPolicy

  /// Made of its parts.
  public init(
    token: UInt64, topic: Topic, payload: Payload, audience: Audience = .everyone,
    policy: TopicPolicy = TopicPolicy()
  ) {
    (self.token, self.topic, self.payload, self.audience, self.policy) = (
      token, topic, payload, audience, policy
    )
  }
}

/// For whom a message is meant.
public enum Audience: Hashable, Sendable {
  case everyone
  case one(PeerID)
  /// Two or more different peers.
  case many([PeerID])
}

/// A request to several peers, whose replies are gathered.
public struct Inquiry: Sendable {
  /// Chosen by the caller; comes back in `Effect.answered`.
  public var token: UInt64
  /// Where it goes.
  public var topic: Topic
  /// What it says.
  public var payload: Payload
  /// For whom it is meant.
  public var audience: Audience
  /// How long to wait for replies.
  public var patience: Duration

  /// Made of its parts.
  public init(token: UInt64, topic: Topic, payload: Payload, audience: Audience, patience: Duration) {
    (self.token, self.topic, self.payload, self.audience, self.patience) =
      (token, topic, payload, audience, patience)
  }
}
