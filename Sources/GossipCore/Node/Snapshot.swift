/// A reading of the node, for people and tests. Taking one changes nothing.
public struct Snapshot: Sendable {
  /// A connected peer.
  public struct Peer: Sendable {
    /// Its name.
    public let id: PeerID
    /// How it is connected.
    public let link: Link
    /// What our streams to it speak.
    public let speaks: [ProtocolName]
    /// Topics it is on, in the order it joined them.
    public let topics: [Topic]
    /// What counts against it: observations and how often.
    public let observations: [(Observation, Int)]
    /// Whether we have stopped reading from it.
    public let isPaused: Bool
    /// GossipSub's score of it; `Node.explain` has the terms.
    public let score: Double
    /// Bamboo's score of it, 0 to 1.
    public let partnerScore: Double
    /// What is done about its score.
    public let standing: Standing
  }

  /// A topic this node is on.
  public struct Joined: Sendable {
    /// The topic.
    public let topic: Topic
    /// Which dissemination spreads it.
    public let spread: Manner
    /// Connected peers on the topic.
    public let members: [PeerID]
    /// Those it is pushed to first: the mesh, for GossipSub.
    public let partners: [PeerID]
  }

  /// This node.
  public let me: PeerID
  /// Connected peers, in the order they came.
  public let peers: [Peer]
  /// Joined topics, in the order of joining.
  public let topics: [Joined]
  /// Running totals since birth.
  public let counters: Counters
  /// Sizes of what remote input can fill, by name.
  public let sizes: Sizes
}

/// How much a node holds at the moment.
public struct Sizes: Hashable, Sendable {
  /// Ids remembered as seen.
  public var seen = 0
  /// Messages held.
  public var stored = 0
  /// Bytes of the messages held.
  public var storedBytes = 0
  /// Ids wanted.
  public var wants = 0
  /// Messages under examination.
  public var checks = 0
  /// Messages that wait for others.
  public var awaiting = 0
  /// What they wait for.
  public var needs = 0
  /// Bytes of objects held or being fetched.
  public var objectBytes = 0
  /// Peers the firewall knows, connected or not.
  public var guarded = 0
  /// Peers that are barred, or were lately.
  public var barred = 0
  /// Messages that went on and are being examined.
  public var unexamined = 0
  /// Alarms set.
  public var alarms = 0
  /// Connected peers.
  public var peers = 0
  /// Peers that left and whose scores are remembered.
  public var remembered = 0
  /// Authors whose budgets are kept, over all topics that have them.
  public var authors = 0
  /// Messages under examination on topics with budgets of authors.
  public var budgeted = 0
  /// Entries of per-peer state kept by the disseminations: mesh, fanout, backoffs, requests.
  public var perPeer = 0

  /// All zero.
  public init() {}
}

/// Running totals since birth.
public struct Counters: Hashable, Sendable {
  /// Own messages.
  public var published: UInt64 = 0
  /// Messages of others that were accepted and are for this node.
  public var delivered: UInt64 = 0
  /// Messages of others that were accepted and are not for this node.
  public var carried: UInt64 = 0
  /// Copies of messages we had already.
  public var duplicates: UInt64 = 0
  /// Copies that were not believed.
  public var rejected: UInt64 = 0
  /// Messages the application ignored.
  public var ignored: UInt64 = 0
  /// Messages refused because too many were being checked.
  public var throttled: UInt64 = 0
  /// Messages their topic's dissemination did not admit from the peer that sent them.
  public var refused: UInt64 = 0
  /// Messages on topics we are not on.
  public var strays: UInt64 = 0
  /// Frames that arrived.
  public var framesReceived: UInt64 = 0
  /// Frames handed to queues.
  public var framesSent: UInt64 = 0
  /// Messages in sent frames.
  public var messagesSent: UInt64 = 0
  /// Messages in received frames.
  public var messagesReceived: UInt64 = 0
  /// Messages that lost their turn under overload, while their frames' words were heard.
  public var gated: UInt64 = 0
  /// Messages and offers passed over because they were probably met long ago.
  public var suspected: UInt64 = 0
  /// Messages ignored because their author's number did not rise.
  public var replayed: UInt64 = 0
  /// Messages passed over because their author's budget was used up.
  public var overBudget: UInt64 = 0
  /// Peers barred.
  public var barred: UInt64 = 0
  /// Connections of barred peers that were ended at once.
  public var turnedAway: UInt64 = 0
  /// Messages passed on before they were examined.
  public var passedUnexamined: UInt64 = 0
  /// Those that turned out bad, and were taken back.
  public var retracted: UInt64 = 0
  /// Frames of blocked peers, of which only subscriptions were heard.
  public var unheard: UInt64 = 0
  /// How often most peers looked bad at once, so that none was blamed.
  public var selfBlames: UInt64 = 0
  /// Frames that were none.
  public var garbled: UInt64 = 0
  /// Items dropped from full outbound queues.
  public var shed: UInt64 = 0
  /// Messages given to peers that wanted them.
  public var wantsServed: UInt64 = 0
  /// Messages asked of peers that offered them.
  public var wantsAsked: UInt64 = 0
  /// Offers that were not kept in time.
  public var brokenPromises: UInt64 = 0
  /// IDONTWANT words said and heard.
  public var dontWantsSent: UInt64 = 0
  /// IDONTWANT frames heard.
  public var dontWantsReceived: UInt64 = 0
  /// Offers to members chosen at random (infection).
  public var offersMade: UInt64 = 0
  /// Messages whose offering ended because no member was left to be offered them (infection).
  public var ranOutOfPeers: UInt64 = 0
  /// Adverts and slots passed over: of messages met already, not wanted, outdated or impossible.
  public var offersIgnored: UInt64 = 0
  /// Requests to tell again what we hold that came too soon after the last answer.
  public var resendsRefused: UInt64 = 0
  /// Entries thrown out because a table was full.
  public var evicted: UInt64 = 0
  /// Digests that gave way to newer ones of the same peer.
  public var digestsDropped: UInt64 = 0
  /// Messages that the healer brought.
  public var healed: UInt64 = 0
  /// Spans of positions asked of members.
  public var spansAsked: UInt64 = 0
  /// Those that did not come in time, or not as they should.
  public var spansFailed: UInt64 = 0
  /// Gaps between positions that were given up because there were too many.
  public var gapsForgotten: UInt64 = 0
  /// Heartbeats of GossipSub.
  public var heartbeats: UInt64 = 0

  /// All zero.
  public init() {}
}
