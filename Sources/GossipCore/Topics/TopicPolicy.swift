/// How a topic is spread, what proves its messages, and how they are named.
public struct TopicPolicy: Sendable {
  /// Which dissemination spreads it.
  public var spread: Manner
  /// What must be signed, and what is refused.
  public var signing: Signing
  /// How messages get their ids; all nodes of a topic must agree.
  public var identification: MessageIdentification
  /// Whether a message whose author's sequence number does not rise is ignored, as a replay; nobody is blamed. Messages
  /// of one author that overtake one another are ignored as well. Go: `BasicSeqnoValidator`.
  public var wantsRisingSequences = false
  /// Whether messages are examined before they go on.
  public var examination = Examination.beforeForwarding
  /// Whether `Effect.judge` asks the application before anything is delivered or forwarded.
  public var isJudged: Bool
  /// Largest payload, bytes.
  public var payloadSizeMax: Int
  /// What brings what the spread missed.
  public var heal: Heal
  /// How long messages are kept for those who lack them; nil as the topic needs, see `keeping`.
  public var retention: Retention?
  /// What the application knows of the topic's messages.
  public var meaning: Meaning
  /// How payloads too large for a message travel; nil refuses them.
  public var objects: ObjectPolicy?
  /// How much is taken of each author; nil takes everything, since a topic may be made for one fast publisher. Open
  /// networks should set it: nothing else keeps a flood of valid messages from everybody. Signed topics only, for who
  /// wrote an unsigned message nobody knows.
  public var authorBudget: AuthorBudget? {
    get { ownAuthorBudget.first }
    set { ownAuthorBudget = newValue.map { [$0] } ?? [] }
  }
  /// How peers are scored on it; nil as `ReputationParameters.topic` says. Held on the heap: policies travel.
  public var scoring: TopicScoreParameters? {
    get { ownScoring.first }
    set { ownScoring = newValue.map { [$0] } ?? [] }
  }
  private var ownAuthorBudget: [AuthorBudget] = []
  private var ownScoring: [TopicScoreParameters] = []

  /// A policy; the defaults are libp2p's.
  public init(
    spread: Manner = .gossipSub, signing: Signing = .strictSign,
    identification: MessageIdentification = .author, isJudged: Bool = false,
    payloadSizeMax: Int = (1 << 20) - 1_024, heal: Heal = Heal(), retention: Retention? = nil,
    meaning: Meaning = Meaning(), objects: ObjectPolicy? = nil, scoring: TopicScoreParameters? = nil,
    examination: Examination = .beforeForwarding, authorBudget: AuthorBudget? = nil
  ) {
    (self.spread, self.signing, self.identification) = (spread, signing, identification)
    (self.isJudged, self.payloadSizeMax) = (isJudged, payloadSizeMax)
    (self.heal, self.retention, self.meaning, self.objects) = (heal, retention, meaning, objects)
    self.examination = examination
    (self.authorBudget, self.scoring) = (authorBudget, scoring)
  }

  /// How long messages are kept: as said, or else for GossipSub's history on its own topics, and for a minute on those
  /// that another manner spreads or the healer heals, whose peers may ask for a message much later.
  public var keeping: Retention {
    retention ?? (spread == .gossipSub && !heal.isOn ? .heartbeats : .during(.seconds(60)))
  }

  /// Whether the topic's messages travel on streams of this manner.
  public func uses(_ manner: Manner) -> Bool { manner == spread || (manner == .antiEntropy && heal.isOn) }

  /// The manners on whose streams the topic's messages travel: the one that spreads them, and the healer.
  public var manners: [Manner] { heal.isOn ? [spread, .antiEntropy] : [spread] }

  /// - Throws: `ConfigurationError` if the parts contradict one another.
  public func validate() throws(ConfigurationError) {
    if signing.isAnonymous, identification.needsAuthor {
      throw ConfigurationError(
        "identification", expected: "contentHash or custom, since anonymous messages have no author",
        found: "author")
    }
    guard spread != .antiEntropy else {
      throw ConfigurationError(
        "spread", expected: "a manner that spreads; antiEntropy heals beside one, see heal",
        found: "antiEntropy")
    }
    guard spread != .direct || !heal.isOn else {
      throw ConfigurationError(
        "heal", expected: "off, since direct messages are for their audience only", found: "on")
    }
    guard examination == .beforeForwarding || (spread != .gossipSub && spread != .direct) else {
      throw ConfigurationError(
        "examination",
        expected: "beforeForwarding, since \(spread) has no word to tell what was not examined",
        found: "byLot")
    }
    guard authorBudget == nil || signing == .strictSign else {
      throw ConfigurationError(
        "authorBudget",
        expected: "none unless every message is signed (strictSign), for otherwise nobody knows who wrote it",
        found: "a budget on a topic with \(signing.rawValue)")
    }
    try authorBudget?.validate()
    try objects?.validate()
    try scoring?.validate()
    guard objects == nil || spread != .direct else {
      throw ConfigurationError(
        "objects", expected: "none, since direct messages are not fetched", found: "objects on a direct topic"
      )
    }
    guard payloadSizeMax > 0 else {
      throw ConfigurationError("payloadSizeMax", expected: "more than 0 bytes", found: "\(payloadSizeMax)")
    }
    try heal.validate(meaning)
    try keeping.validate(meaning)
  }
}

/// Whether messages are examined before they go on.
public enum Examination: Hashable, Sendable {
  /// Nothing goes on that was not believed.
  case beforeForwarding
  /// Messages of peers that earned it go on first, more often the more of theirs proved right, and are examined within a
  /// block interval; see `LotParameters`. Nothing is delivered before. All nodes of the topic should agree.
  case byLot
}

/// The signature policies of libp2p pubsub. "Sign": we attach a signature. "Strict": we insist on it, or on its
/// absence.
public enum Signing: String, CaseIterable, Hashable, Sendable {
  /// Author, sequence number and signature on everything; anything else is refused. The default, as in Go.
  case strictSign
  /// No author, sequence number, signature or key on anything; a message that has one is refused.
  case strictNoSign
  /// We sign; others need not, but a signature that is there must be right.
  case laxSign
  /// We name an author without signing; a signature that is there must be right.
  case laxNoSign

  /// Whether our own messages carry a signature.
  var attaches: Bool { self == .strictSign || self == .laxSign }
  /// Whether messages have no author at all.
  var isAnonymous: Bool { self == .strictNoSign }
}

/// A setting that cannot work.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Which setting.
  public let setting: String
  /// What it may be.
  public let expected: String
  /// What it was.
  public let found: String

  /// Names a setting, what it may be and what it was.
  public init(_ setting: String, expected: String, found: String) {
    (self.setting, self.expected, self.found) = (setting, expected, found)
  }

  /// In words for people.
  public var description: String { "\(setting): expected \(expected), found \(found)" }
}
