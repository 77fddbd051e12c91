/// All settings of a node, with their defaults and where these come from; checked once, at `Node.init`.
public struct Configuration: Sendable {
  /// Parameters of GossipSub.
  public var gossipSub = GossipSubParameters()
  /// Parameters of direct messages.
  public var direct = DirectParameters()
  /// Parameters of push.
  public var push = PushParameters()
  /// Parameters of infection.
  public var infection = InfectionParameters()
  /// Parameters of adverts.
  public var advert = AdvertParameters()
  /// Parameters of slot tables.
  public var slots = SlotParameters()
  /// Parameters of digest first.
  public var digestFirst = DigestFirstParameters()
  /// Parameters of the healer.
  public var antiEntropy = AntiEntropyParameters()
  /// What decides which way messages for some of a topic's nodes take.
  public var audience = AudienceParameters()
  /// Whom the node listens to, and to how much.
  public var firewall = FirewallParameters()
  /// What recognises messages after they have left the exact window (`Limits.seenFor`), for ten to twenty minutes more;
  /// nil takes them for new ones. It errs once in a million, and then asks anyway when three peers offer the message.
  public var duplicates: DuplicateFilterParameters?
  /// How fast peers are, and how long to wait for them.
  public var pace = PaceParameters()
  /// How peers are judged.
  public var reputation = ReputationParameters()
  /// Manners whose streams are opened from the start, besides GossipSub's and direct ones: for nodes that publish on
  /// topics they are not on. A topic that is joined brings its own.
  public var manners: [Manner] = []
  /// What is kept and allowed at most.
  public var limits = Limits()
  /// What the wire may carry.
  public var wire = WireLimits()
  /// Sequence number before our first message. A host takes wall-clock nanoseconds at start, so that numbers
  /// rise across restarts (as Go does).
  public var sequenceStart: UInt64 = 0

  /// The defaults.
  public init() {}

  /// - Throws: `ConfigurationError` naming the first setting that cannot work.
  public func validate() throws(ConfigurationError) {
    try gossipSub.validate()
    try direct.validate()
    try push.validate()
    try infection.validate()
    try advert.validate()
    try slots.validate()
    try digestFirst.validate()
    try antiEntropy.validate()
    try audience.validate()
    try duplicates?.validate()
    try pace.validate()
    try firewall.validate()
    try reputation.validate()
    try limits.validate()
    try wire.validate()
  }
}

/// What a node keeps and allows at most; one page, so that its memory can be added up.
public struct Limits: Hashable, Sendable {
  /// Topics one peer may be on, per manner. Nim allows 1,024, Rust 100.
  public var topicsPerPeer = 1_024
  /// Topics we may join.
  public var topicsJoined = 4_096
  /// Messages whose proof is being checked; beyond, new ones are refused and may come again.
  public var checksOpen = 8_192
  /// Messages with the application, over all topics. Go: 8,192.
  public var judgementsOpen = 8_192
  /// Messages with the application, per topic. Go: 1,024.
  public var judgementsOpenPerTopic = 1_024
  /// Other versions of a message kept while one of the same id is checked, so that a forged copy cannot
  /// shadow the true one.
  public var versionsPerCheck = 4
  /// Publications that wait for signature or judgement.
  public var publicationsOpen = 8_192
  /// Message ids remembered as seen.
  public var seenMax = 1 << 19
  /// For how long. Go and Nim: 120 s; Rust: 60 s.
  public var seenFor: Duration = .seconds(120)
  /// Whether a duplicate prolongs the memory of its id.
  public var seenSlides = false
  /// Messages kept to serve those who want them, and their bytes.
  public var storeCountMax = 1 << 16
  /// Bytes of the messages kept.
  public var storeSizeMax = 256 << 20
  /// Ids we lack and know a holder of.
  public var wantsMax = 1 << 16
  /// Holders remembered per id.
  public var holdersPerWant = 8
  /// Messages that wait for others.
  public var awaitingMax = 1_024
  /// What they wait for, in all.
  public var needsMax = 1 << 16
  /// What one peer is asked for at a time by messages that wait.
  public var needsPerHolder = 8
  /// How long a message waits for what it depends on.
  public var awaitingFor: Duration = .seconds(60)
  /// How long a peer has to give one of those.
  public var needPatience: Duration = .seconds(10)
  /// Bytes of all objects held or being fetched; each node of a topic needs room for its largest.
  public var objectsSizeMax = 256 << 20
  /// How long a complete object is kept for others to fetch.
  public var objectsKeptFor: Duration = .seconds(120)
  /// How often a message is given to the same peer in manners of our own, where whoever was not served asks again
  /// after its patience; GossipSub has a setting of its own (`retransmissions`).
  public var servesPerPeer = 8
  /// Authors whose sequence numbers are remembered, on topics that ask for rising ones; and as many whose budgets are,
  /// on topics that have them.
  public var authorsMax = 16_384
  /// Own messages whose reach is watched.
  public var reachWatchedMax = 4_096

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("topicsPerPeer", topicsPerPeer), ("topicsJoined", topicsJoined), ("checksOpen", checksOpen),
      ("judgementsOpen", judgementsOpen), ("judgementsOpenPerTopic", judgementsOpenPerTopic),
      ("versionsPerCheck", versionsPerCheck), ("publicationsOpen", publicationsOpen), ("seenMax", seenMax),
      ("storeCountMax", storeCountMax), ("storeSizeMax", storeSizeMax), ("wantsMax", wantsMax),
      ("holdersPerWant", holdersPerWant), ("servesPerPeer", servesPerPeer),
      ("reachWatchedMax", reachWatchedMax), ("authorsMax", authorsMax),
      ("awaitingMax", awaitingMax), ("needsMax", needsMax), ("needsPerHolder", needsPerHolder),
      ("objectsSizeMax", objectsSizeMax),
    ] { try Rule.count(value, atMost: 1 << 40, "limits.\(name)") }
    for (name, value) in [
      ("seenFor", seenFor), ("awaitingFor", awaitingFor), ("needPatience", needPatience),
      ("objectsKeptFor", objectsKeptFor),
    ] { try Rule.duration(value, "limits.\(name)") }
  }
}
