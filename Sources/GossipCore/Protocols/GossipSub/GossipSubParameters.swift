/// GossipSub's parameters. Defaults are go-libp2p-pubsub's unless a line says otherwise.
public struct GossipSubParameters: Hashable, Sendable {
  /// D: mesh partners we aim at, per topic.
  public var degree = 6
  /// D_lo: fewer than this many, and we graft.
  public var degreeLow = 5
  /// D_hi: this many or more, and we prune.
  public var degreeHigh = 12
  /// D_score: of these, the best scored ones stay when a mesh shrinks; the others are drawn. More than `degree` is as
  /// much as that.
  public var degreeScore = 4
  /// D_out: mesh partners we want to have dialed ourselves.
  public var degreeOutbound = 2
  /// D_lazy: peers outside the mesh we offer to, at least.
  public var degreeLazy = 6
  /// Share of the peers outside the mesh we offer to, if that is more than `degreeLazy`.
  public var gossipFactor = 0.25
  /// Time between two heartbeats.
  public var heartbeatInterval: Duration = .seconds(1)
  /// The first heartbeat comes at a random instant up to this long after birth.
  public var heartbeatDelay: Duration = .milliseconds(100)
  /// Heartbeats a message is kept to be served.
  public var historyLength = 5
  /// Heartbeats a message is offered.
  public var historyGossip = 3
  /// Without a publication of ours for this long, a topic we are not on loses its fanout.
  public var fanoutFor: Duration = .seconds(60)
  /// Pause after a prune before the two sides graft again.
  public var pruneBackoff: Duration = .seconds(60)
  /// The same when we leave the topic.
  public var unsubscribeBackoff: Duration = .seconds(10)
  /// Every so many heartbeats a mesh whose median score is low takes in better peers; 0 for never.
  public var opportunisticGraftTicks = 60
  /// So many at a time.
  public var opportunisticGraftPeers = 2
  /// Longest pause a peer can impose on us (as in Rust).
  public var backoffMax: Duration = .seconds(3_600)
  /// Grafting again waits this many heartbeats longer than the backoff.
  public var backoffSlack = 2
  /// A graft this soon after the prune counts twice against the peer.
  public var graftFloodThreshold: Duration = .seconds(10)
  /// How often a peer gets the same message by asking for it.
  public var retransmissions = 3
  /// Ids per offer and target, and ids asked from one peer per heartbeat.
  public var offerLength = 5_000
  /// Frames with offers read from one peer per heartbeat.
  public var offersPerHeartbeat = 10
  /// How long a holder has to give what it offered.
  public var wantFollowup: Duration = .seconds(3)
  /// Payload size from which IDONTWANT is sent, bytes. Go: 1,024, where the word costs more than the copies it saves.
  public var dontWantSize = 4_096
  /// Ids read from one IDONTWANT frame, and such frames read per heartbeat.
  public var dontWantLength = 10
  /// IDONTWANT frames read from one peer per heartbeat.
  public var dontWantsPerHeartbeat = 1_000
  /// Heartbeats an IDONTWANT is remembered.
  public var dontWantHeartbeats = 3
  /// Our own messages of at most this many payload bytes go to every peer on the topic at once; 0 turns it off.
  /// Go: off; Rust and Nim: on. Ours: on where it costs little.
  public var floodPublishSize = 4_096

  /// Whether copies for partners that usually have a message already wait a moment, and are left out if those show
  /// that they have it. A third to a half fewer duplicates at the same latency (docs/performance.md). To be turned off
  /// where others score mesh deliveries (P3): a copy that was left out does not count there.
  public var staggers = true

  /// The defaults.
  public init() {}

  /// - Throws: `ConfigurationError` for the first parameter out of range.
  public func validate() throws(ConfigurationError) {
    func require(_ holds: Bool, _ name: String, _ expected: String, _ found: Any) throws(ConfigurationError) {
      guard holds else {
        throw ConfigurationError("gossipSub.\(name)", expected: expected, found: "\(found)")
      }
    }
    try require(degreeLow >= 0 && degreeLow <= degree, "degreeLow", "0...degree (\(degree))", degreeLow)
    try require(degreeHigh >= degree, "degreeHigh", "at least degree (\(degree))", degreeHigh)
    try require(
      degreeOutbound == 0 || (degreeOutbound < degreeLow && degreeOutbound < degree / 2), "degreeOutbound",
      "0, or below degreeLow (\(degreeLow)) and below degree / 2 (\(degree / 2))", degreeOutbound)
    try require(degreeOutbound >= 0, "degreeOutbound", "at least 0", degreeOutbound)
    try require(degreeLazy >= 0, "degreeLazy", "at least 0", degreeLazy)
    try require((0...1).contains(gossipFactor), "gossipFactor", "0...1", gossipFactor)
    try require(
      heartbeatInterval >= .milliseconds(50), "heartbeatInterval", "at least 50 ms", heartbeatInterval)
    try require(
      (0...max(0, historyLength)).contains(historyGossip), "historyGossip",
      "0...historyLength (\(historyLength))", historyGossip)
    try require(historyLength >= 1, "historyLength", "at least 1", historyLength)
    for (name, value) in [
      ("fanoutFor", fanoutFor), ("pruneBackoff", pruneBackoff), ("unsubscribeBackoff", unsubscribeBackoff),
      ("backoffMax", backoffMax), ("graftFloodThreshold", graftFloodThreshold),
      ("wantFollowup", wantFollowup),
      ("heartbeatDelay", heartbeatDelay), ("heartbeatInterval", heartbeatInterval),
    ] { try require(Duration.settings.contains(value), name, "more than 0, at most ten years", value) }
    for (name, value) in [
      ("backoffSlack", backoffSlack), ("retransmissions", retransmissions),
      ("opportunisticGraftTicks", opportunisticGraftTicks),
      ("opportunisticGraftPeers", opportunisticGraftPeers), ("offerLength", offerLength),
      ("offersPerHeartbeat", offersPerHeartbeat), ("dontWantLength", dontWantLength),
      ("dontWantsPerHeartbeat", dontWantsPerHeartbeat), ("floodPublishSize", floodPublishSize),
      ("dontWantSize", dontWantSize), ("degreeScore", degreeScore),
    ] { try require((0...1 << 30).contains(value), name, "0 to 2^30", value) }
    try require(
      (1...1 << 20).contains(dontWantHeartbeats), "dontWantHeartbeats", "1 to 2^20", dontWantHeartbeats)
    try require(backoffSlack <= 1 << 20, "backoffSlack", "at most 2^20", backoffSlack)
    try require(degreeHigh <= 1 << 20, "degreeHigh", "at most 2^20", degreeHigh)
    try require(degreeLazy <= 1 << 20, "degreeLazy", "at most 2^20", degreeLazy)
    try require(historyLength <= 1 << 20, "historyLength", "at most 2^20", historyLength)
  }
}
