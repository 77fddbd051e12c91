/// A reading of the node, for people and tests. Taking one changes nothing.
public struct Snapshot: Sendable {
  public struct Peer: Sendable {
    public let id: PeerID
    public let link: Link
    /// What our streams to it speak.
    public let speaks: [ProtocolName]
    /// Topics it is on, in the order it joined them.
    public let topics: [Topic]
    /// What counts against it: observations and how often.
    public let observations: [(Observation, Int)]
    /// Whether we have stopped reading from it.
    public let isPaused: Bool
  }

  public struct Joined: Sendable {
    public let topic: Topic
    public let spread: Manner
    /// Connected peers on the topic.
    public let members: [PeerID]
    /// Those it is pushed to first: the mesh, for GossipSub.
    public let partners: [PeerID]
  }

  public let me: PeerID
  /// Connected peers, in the order they came.
  public let peers: [Peer]
  /// Joined topics, in the order of joining.
  public let topics: [Joined]
  public let counters: Counters
  /// Sizes of what remote input can fill, by name.
  public let sizes: Sizes
}

/// How much a node holds at the moment.
public struct Sizes: Hashable, Sendable {
  public var seen = 0
  public var stored = 0
  public var storedBytes = 0
  public var wants = 0
  public var checks = 0
  public var alarms = 0
  public var peers = 0
  /// Entries of per-peer state kept by the disseminations: mesh, fanout, backoffs, requests.
  public var perPeer = 0
}

/// Running totals since birth.
public struct Counters: Hashable, Sendable {
  public var published: UInt64 = 0
  /// Messages of others that were accepted.
  public var delivered: UInt64 = 0
  /// Copies of messages we had already.
  public var duplicates: UInt64 = 0
  public var rejected: UInt64 = 0
  public var ignored: UInt64 = 0
  /// Messages refused because too many were being checked.
  public var throttled: UInt64 = 0
  /// Messages on topics we are not on.
  public var strays: UInt64 = 0
  public var framesReceived: UInt64 = 0
  public var framesSent: UInt64 = 0
  public var messagesSent: UInt64 = 0
  public var messagesReceived: UInt64 = 0
  public var garbled: UInt64 = 0
  /// Items dropped from full outbound queues.
  public var shed: UInt64 = 0
  public var wantsServed: UInt64 = 0
  public var wantsAsked: UInt64 = 0
  public var brokenPromises: UInt64 = 0
  /// IDONTWANT words said and heard.
  public var dontWantsSent: UInt64 = 0
  public var dontWantsReceived: UInt64 = 0
  /// Entries thrown out because a table was full.
  public var evicted: UInt64 = 0
  public var heartbeats: UInt64 = 0

  public init() {}
}
