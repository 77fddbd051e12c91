/// Parameters of `AntiEntropy`. How often a topic is healed is said by its policy, see `Heal`.
public struct AntiEntropyParameters: Hashable, Sendable {
  /// Random members asked for their digests per round, and told of an unchanged height. Fabric: `pullPeerNum`, 3.
  public var peers = 3
  /// How long digests are waited for. Fabric: `digestWaitTime`, 1 s.
  public var digestWait: Duration = .seconds(1)
  /// How long whoever was sent a digest may fetch. Fabric: `requestWaitTime`, 1.5 s.
  public var requestWait: Duration = .milliseconds(1_500)
  /// How long fetched messages are waited for. Fabric: `responseWaitTime`, 2 s.
  ///
  /// A round takes `digestWait + responseWait`; rounds of a topic do not follow faster, whatever its policy says.
  public var responseWait: Duration = .seconds(2)
  /// Ids per digest, the newest ones. As GossipSub's offers.
  public var digestLength = 5_000
  /// Messages fetched from one member per round; more than arrive in time would be lost.
  public var fetchLength = 500
  /// Positions per span, asked for or served. Fabric: `state.batchSize`, 10.
  public var batch = 10
  /// How long a span is waited for. Fabric: `state.responseTimeout`, 3 s.
  public var spanWait: Duration = .seconds(3)
  /// How often a span is asked for again. Fabric: `state.maxRetries`, 3.
  public var retries = 3
  /// Spans served to one peer within a second. Fabric: `state.channelSize`, 100, in all.
  public var spansPerSecond = 100
  /// Members whose heights are remembered, per topic.
  public var heightsMax = 256
  /// Gaps between positions that are remembered, per topic.
  public var gapsMax = 256
  /// The pause between two answers to a peer that wants everything told again, and between two requests of ours.
  /// The Internet Computer: 60 s.
  public var resendPause: Duration = .seconds(60)
  /// Ids per such answer, the newest ones. As GossipSub's offers.
  public var resendLength = 5_000

  static let filterSizeMax = ControlFields.filterSizeMax

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("peers", peers), ("digestLength", digestLength), ("fetchLength", fetchLength), ("batch", batch),
      ("spansPerSecond", spansPerSecond), ("heightsMax", heightsMax), ("gapsMax", gapsMax),
      ("resendLength", resendLength),
    ] { try Rule.count(value, atMost: 1 << 20, "antiEntropy.\(name)") }
    guard (0...100).contains(retries) else {
      throw ConfigurationError("antiEntropy.retries", expected: "0 to 100", found: "\(retries)")
    }
    for (name, value) in [
      ("digestWait", digestWait), ("requestWait", requestWait), ("responseWait", responseWait),
      ("spanWait", spanWait), ("resendPause", resendPause),
    ] { try Rule.duration(value, "antiEntropy.\(name)") }
    guard digestWait < requestWait else {
      throw ConfigurationError(
        "antiEntropy.requestWait", expected: "more than digestWait (\(digestWait)), since fetches follow it",
        found: "\(requestWait)")
    }
  }

  /// What an interval of a policy comes to: rounds do not overlap, and nothing rings without a pause.
  func interval(of reminder: AntiEntropy.Reminder, _ interval: Duration) -> Duration {
    switch reminder {
    case .digests: max(interval, digestWait + responseWait)
    case .heights, .choice, .close, .spans, .resend: max(interval, .milliseconds(10))
    }
  }
}
