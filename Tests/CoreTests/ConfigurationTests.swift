/// Settings: each rule with a value that passes and one that is refused, by name.

import Testing

@testable import GossipCore

@Suite struct `A configuration` {
  /// Which setting is refused after `change`, if any.
  func refused(_ change: (inout Configuration) -> Void) -> String? {
    var configuration = Configuration()
    change(&configuration)
    do throws(ConfigurationError) {
      try configuration.validate()
      return nil
    } catch {
      return error.setting
    }
  }

  @Test func `passes as it comes`() {
    #expect(refused { _ in } == nil)
  }

  static let gossipSub: [(String, @Sendable (inout GossipSubParameters) -> Void)] = [
    ("", { $0.degreeLow = 6 }), ("degreeLow", { $0.degreeLow = 7 }), ("degreeLow", { $0.degreeLow = -1 }),
    ("", { $0.degreeHigh = 6 }), ("degreeHigh", { $0.degreeHigh = 5 }),
    ("", { ($0.degree, $0.degreeLow, $0.degreeHigh, $0.degreeOutbound) = (0, 0, 0, 0) }),
    ("degreeLow", { ($0.degree, $0.degreeLow, $0.degreeHigh, $0.degreeOutbound) = (-1, -1, -1, 0) }),
    ("degreeOutbound", { $0.degreeOutbound = 3 }),  // half of D
    ("", { ($0.degree, $0.degreeOutbound) = (8, 3) }),
    ("degreeOutbound", { ($0.degree, $0.degreeOutbound) = (9, 4) }),  // half of D, rounded down
    ("", { ($0.degreeLow, $0.degreeOutbound) = (2, 1) }),
    ("degreeOutbound", { ($0.degreeLow, $0.degreeOutbound) = (2, 2) }),
    ("", { $0.degreeScore = 0 }), ("degreeScore", { $0.degreeScore = -1 }),
    ("", { $0.opportunisticGraftTicks = 0 }),
    ("opportunisticGraftTicks", { $0.opportunisticGraftTicks = -1 }),
    ("", { $0.opportunisticGraftPeers = 0 }),
    ("opportunisticGraftPeers", { $0.opportunisticGraftPeers = -1 }),
    ("", { $0.degreeOutbound = 0 }), ("degreeOutbound", { $0.degreeOutbound = -1 }),
    ("", { $0.degreeLazy = 0 }), ("degreeLazy", { $0.degreeLazy = -1 }),
    ("", { $0.gossipFactor = 0 }), ("", { $0.gossipFactor = 1 }),
    ("gossipFactor", { $0.gossipFactor = -0.001 }), ("gossipFactor", { $0.gossipFactor = 1.001 }),
    ("gossipFactor", { $0.gossipFactor = .nan }), ("gossipFactor", { $0.gossipFactor = .infinity }),
    ("gossipFactor", { $0.gossipFactor = -.infinity }),
    ("", { $0.heartbeatInterval = .milliseconds(50) }),
    ("heartbeatInterval", { $0.heartbeatInterval = .milliseconds(49) }),
    ("", { $0.heartbeatDelay = .nanoseconds(1) }), ("heartbeatDelay", { $0.heartbeatDelay = .zero }),
    ("", { $0.historyGossip = 5 }), ("historyGossip", { $0.historyGossip = 6 }),
    ("", { $0.historyGossip = 0 }), ("historyGossip", { $0.historyGossip = -1 }),
    ("", { ($0.historyLength, $0.historyGossip) = (1, 1) }),
    ("historyLength", { ($0.historyLength, $0.historyGossip) = (0, 0) }),
    ("historyGossip", { ($0.historyLength, $0.historyGossip) = (-1, -1) }),
    ("fanoutFor", { $0.fanoutFor = .zero }), ("pruneBackoff", { $0.pruneBackoff = .zero }),
    ("unsubscribeBackoff", { $0.unsubscribeBackoff = .seconds(-1) }),
    ("backoffMax", { $0.backoffMax = .zero }),
    ("graftFloodThreshold", { $0.graftFloodThreshold = .zero }),
    ("wantFollowup", { $0.wantFollowup = .zero }),
    ("", { $0.fanoutFor = .nanoseconds(1) }), ("", { $0.pruneBackoff = .nanoseconds(1) }),
    ("", { $0.backoffMax = .nanoseconds(1) }), ("", { $0.wantFollowup = .nanoseconds(1) }),
    ("", { $0.backoffSlack = 0 }), ("backoffSlack", { $0.backoffSlack = -1 }),
    ("", { $0.retransmissions = 0 }), ("retransmissions", { $0.retransmissions = -1 }),
    ("", { $0.offerLength = 0 }), ("offerLength", { $0.offerLength = -1 }),
    ("", { $0.offersPerHeartbeat = 0 }), ("offersPerHeartbeat", { $0.offersPerHeartbeat = -1 }),
    ("", { $0.dontWantLength = 0 }), ("dontWantLength", { $0.dontWantLength = -1 }),
    ("", { $0.dontWantsPerHeartbeat = 0 }), ("dontWantsPerHeartbeat", { $0.dontWantsPerHeartbeat = -1 }),
    ("", { $0.floodPublishSize = 0 }), ("floodPublishSize", { $0.floodPublishSize = -1 }),
    ("", { $0.dontWantSize = 0 }), ("dontWantSize", { $0.dontWantSize = -1 }),
    ("", { $0.dontWantHeartbeats = 1 }), ("dontWantHeartbeats", { $0.dontWantHeartbeats = 0 }),
  ]

  @Test(arguments: 0..<gossipSub.count) func `holds GossipSub's parameters to their ranges`(index: Int) {
    let (setting, change) = Self.gossipSub[index]
    #expect(refused { change(&$0.gossipSub) } == (setting.isEmpty ? nil : "gossipSub.\(setting)"))
  }

  static let counts: [(String, any WritableKeyPath<Configuration, Int> & Sendable, Int)] = [
    ("limits.topicsPerPeer", \.limits.topicsPerPeer, 1), ("limits.topicsJoined", \.limits.topicsJoined, 1),
    ("limits.checksOpen", \.limits.checksOpen, 1), ("limits.judgementsOpen", \.limits.judgementsOpen, 1),
    ("limits.judgementsOpenPerTopic", \.limits.judgementsOpenPerTopic, 1),
    ("limits.versionsPerCheck", \.limits.versionsPerCheck, 1),
    ("limits.publicationsOpen", \.limits.publicationsOpen, 1), ("limits.seenMax", \.limits.seenMax, 1),
    ("limits.storeCountMax", \.limits.storeCountMax, 1), ("limits.storeSizeMax", \.limits.storeSizeMax, 1),
    ("limits.wantsMax", \.limits.wantsMax, 1), ("limits.holdersPerWant", \.limits.holdersPerWant, 1),
    ("limits.reachWatchedMax", \.limits.reachWatchedMax, 1),
    ("direct.recipientsMax", \.direct.recipientsMax, 1), ("direct.inquiriesMax", \.direct.inquiriesMax, 1),
    ("direct.handlersMax", \.direct.handlersMax, 1), ("direct.requestsMax", \.direct.requestsMax, 1),
    ("direct.requestsPerPeer", \.direct.requestsPerPeer, 1),
  ]

  @Test(arguments: 0..<counts.count) func `holds every bound to at least its least`(index: Int) {
    let (setting, path, least) = Self.counts[index]
    #expect(refused { $0[keyPath: path] = least } == nil)
    #expect(refused { $0[keyPath: path] = least - 1 } == setting)
    #expect(refused { $0[keyPath: path] = .min } == setting)
  }

  @Test func `remembers and waits for some time`() {
    #expect(refused { $0.limits.seenFor = .nanoseconds(1) } == nil)
    #expect(refused { $0.limits.seenFor = .zero } == "limits.seenFor")
    #expect(refused { $0.direct.patienceMax = .nanoseconds(1) } == nil)
    #expect(refused { $0.direct.patienceMax = .seconds(-1) } == "direct.patienceMax")
  }

  static let wire: [(String, any WritableKeyPath<Configuration, Int> & Sendable)] = [
    ("frameSizeMax", \.wire.frameSizeMax), ("messagesPerFrame", \.wire.messagesPerFrame),
    ("subscriptionsPerFrame", \.wire.subscriptionsPerFrame), ("controlsPerFrame", \.wire.controlsPerFrame),
    ("idsPerFrame", \.wire.idsPerFrame), ("idSizeMax", \.wire.idSizeMax),
    ("topicSizeMax", \.wire.topicSizeMax), ("controlSizeSent", \.wire.controlSizeSent),
    ("frameSizeSent", \.wire.frameSizeSent), ("messagesSent", \.wire.messagesSent),
    ("dontWantIDsSent", \.wire.dontWantIDsSent),
  ]

  @Test(arguments: 0..<wire.count) func `refuses wire limits that cannot work`(index: Int) {
    let (setting, path) = Self.wire[index]
    #expect(refused { $0[keyPath: path] = 0 } == "wire.\(setting)")
    #expect(refused { $0[keyPath: path] = -1 } == "wire.\(setting)")
  }

  @Test func `refuses wire limits that contradict one another`() {
    #expect(refused { ($0.wire.frameSizeMax, $0.wire.frameSizeSent) = (65_536, 65_536) } == nil)
    #expect(
      refused { ($0.wire.frameSizeMax, $0.wire.frameSizeSent) = (65_536, 65_537) } == "wire.frameSizeMax")
    func small(_ size: Int) -> String? {
      refused {
        ($0.wire.frameSizeMax, $0.wire.frameSizeSent, $0.wire.controlSizeSent) = (size, 1_024, 1_024)
      }
    }
    #expect(small(2_048) == nil)
    #expect(small(2_047) == "wire.frameSizeMax")
    #expect(refused { $0.wire.controlSizeSent = 65_536 } == nil)
    #expect(refused { $0.wire.controlSizeSent = 65_537 } == "wire.controlSizeSent")
    #expect(refused { $0.wire.controlSizeSent = 513 } == nil)
    #expect(refused { $0.wire.controlSizeSent = 512 } == "wire.controlSizeSent", "no room beside a topic")
  }

  @Test func `refuses numbers nobody can mean`() {
    #expect(refused { $0.limits.seenMax = 1 << 40 } == nil)
    #expect(refused { $0.limits.seenMax = .max } == "limits.seenMax")
    #expect(refused { $0.wire.idsPerFrame = 1 << 30 } == nil)
    #expect(refused { $0.wire.idsPerFrame = .max } == "wire.idsPerFrame")
    #expect(refused { $0.gossipSub.offerLength = 1 << 30 } == nil)
    #expect(refused { $0.gossipSub.offerLength = .max } == "gossipSub.offerLength")
    for (setting, path) in [
      ("backoffSlack", \.backoffSlack), ("degreeHigh", \.degreeHigh), ("degreeLazy", \.degreeLazy),
      ("historyLength", \.historyLength), ("dontWantHeartbeats", \.dontWantHeartbeats),
    ] as [(String, WritableKeyPath<GossipSubParameters, Int>)] {
      #expect(refused { $0.gossipSub[keyPath: path] = 1 << 20 } == nil)
      #expect(refused { $0.gossipSub[keyPath: path] = (1 << 20) + 1 } == "gossipSub.\(setting)")
      #expect(refused { $0.gossipSub[keyPath: path] = .max } == "gossipSub.\(setting)")
    }
  }

  @Test func `refuses durations that do not fit`() {
    let years = Duration.seconds(10 * 365 * 86_400)
    #expect(refused { $0.limits.seenFor = years } == nil)
    #expect(refused { $0.limits.seenFor = years + .nanoseconds(1) } == "limits.seenFor")
    #expect(refused { $0.direct.patienceMax = years + .nanoseconds(1) } == "direct.patienceMax")
    #expect(refused { $0.gossipSub.backoffMax = years } == nil)
    #expect(refused { $0.gossipSub.heartbeatDelay = .nanoseconds(1) / 2 } == "gossipSub.heartbeatDelay")
    #expect(refused { $0.gossipSub.heartbeatInterval = .seconds(Int64.max) } == "gossipSub.heartbeatInterval")
    #expect(refused { $0.gossipSub.pruneBackoff = .seconds(Int64.max) } == "gossipSub.pruneBackoff")
    #expect(refused { $0.limits.seenFor = .seconds(Int64.max) } == "limits.seenFor")
  }

  @Test func `says what was expected and what was found`() throws {
    var configuration = Configuration()
    configuration.gossipSub.degreeLow = 9
    let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
    #expect(error.map { "\($0)" } == "gossipSub.degreeLow: expected 0...degree (6), found 9")
    #expect(throws: ConfigurationError.self) {
      try Node(configuration, as: peer(1), seed: [], at: .zero)
    }
  }
}

@Suite struct `A topic's policy` {
  // GS-27
  @Test func `cannot name anonymous messages after their author`() {
    for signing in Signing.allCases {
      for identification in [.author, .contentHash, .custom { _ in [1] }] as [MessageIdentification] {
        let policy = TopicPolicy(signing: signing, identification: identification)
        let isContradiction = signing == .strictNoSign && identification.needsAuthor
        #expect(((try? policy.validate()) == nil) == isContradiction)
      }
    }
    #expect(
      throws: ConfigurationError(
        "identification", expected: "contentHash or custom, since anonymous messages have no author",
        found: "author")
    ) { try TopicPolicy(signing: .strictNoSign).validate() }
  }

  @Test func `lets some payload through`() throws {
    try TopicPolicy(payloadSizeMax: 1).validate()
    #expect(throws: ConfigurationError.self) { try TopicPolicy(payloadSizeMax: 0).validate() }
    #expect(throws: ConfigurationError.self) { try TopicPolicy(payloadSizeMax: -1).validate() }
  }

  @Test func `attaches a signature where its name says so`() {
    #expect(Signing.allCases.filter(\.attaches) == [.strictSign, .laxSign])
    #expect(Signing.allCases.filter(\.isAnonymous) == [.strictNoSign])
  }
}
