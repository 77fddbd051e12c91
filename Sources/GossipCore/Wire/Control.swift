/// The words peers say to one another besides messages.
///
/// All manners of spreading share one vocabulary, so that frames decode without knowing any protocol.
/// `have`, `want`, `graft`, `prune` and `dontWant` are GossipSub's, bit for bit; `ask`, `reply` and `cancel`
/// are ours, with field numbers in the range libp2p leaves to experiments (above 0x200000).
public enum Control: Hashable, Sendable {
  /// I hold these (IHAVE).
  case have(Topic, [MessageID])
  /// Give me these (IWANT); answered by the node from its store.
  case want([MessageID])
  /// I take you into my mesh (GRAFT).
  case graft(Topic)
  /// I put you out of my mesh (PRUNE). `backoff` in seconds; v1.0 knows none.
  case prune(Topic, backoff: UInt64?)
  /// I have these already, send me no copy (IDONTWANT).
  case dontWant([MessageID])
  /// A request that wants a reply within `patience` milliseconds.
  case ask(AskID, Topic, Payload, patience: UInt64)
  /// The answer to an `ask`.
  case reply(AskID, Answer)
  /// The asker no longer waits.
  case cancel(AskID)
  /// I had these already when you offered them.
  case held([MessageID])
  /// You want these, and I cannot give them (any more).
  case lack([MessageID])
  /// I hold these, and this is what they are.
  case advert(Topic, [Advert])
  /// In this slot of mine stands this message.
  indirect case slot(SlotUpdate)
  /// Which messages of this topic do you hold? The nonce comes back with the answer.
  case hello(Topic, nonce: UInt64)
  /// The answer to a `hello`: these.
  case digest(nonce: UInt64, [MessageID])
  /// Give me these of your digest.
  case fetch(nonce: UInt64, [MessageID])
  /// I hold the messages of this topic at these positions, without a gap: `lowest ..< next`.
  case summary(Topic, lowest: UInt64, next: UInt64)
  /// Give me the messages at these positions: `first ..< end`.
  case span(Topic, first: UInt64, end: UInt64)
  /// Tell me again what you hold of this topic, but for what `filter` leaves out; the topic's application knows how
  /// to read it.
  case resend(Topic, filter: [UInt8])
  /// I passed these on before I examined them, and they are bad.
  case retract([MessageID])
}

extension Control {
  /// Whether it tells what there is to be had.
  var isOffer: Bool {
    switch self {
    case .have, .advert, .slot, .summary, .hello, .digest: true
    default: false
    }
  }

  /// Whether it asks for messages.
  var isWant: Bool {
    switch self {
    case .want, .fetch, .span, .resend: true
    default: false
    }
  }
}

/// What an advert tells of a message before it is fetched.
public struct Advert: Hashable, Sendable {
  /// The message's name.
  public let id: MessageID
  /// SHA-256 of its encoding, 32 bytes: names alone do not always follow from the content.
  public let hash: [UInt8]
  /// Bytes of its encoding.
  public let size: UInt64
  /// What the application needs to know in order to rank it, at most `Advert.attributeSizeMax` bytes.
  public let attribute: [UInt8]

  /// Bytes of an attribute.
  public static let attributeSizeMax = 128

  /// Made of its parts.
  public init(id: MessageID, hash: [UInt8], size: UInt64, attribute: [UInt8] = []) {
    (self.id, self.hash, self.size, self.attribute) = (id, hash, size, attribute)
  }
}

/// What stands in one slot of a sender's table from now on.
public struct SlotUpdate: Hashable, Sendable {
  /// Rises with every update of the sender.
  public let version: UInt64
  /// Which slot.
  public let slot: UInt64
  /// The topic of the message.
  public let topic: Topic
  /// The message that stands there now.
  public let id: MessageID
  /// Whether the message itself follows without being asked for.
  public let isPushed: Bool

  /// Made of its parts.
  public init(version: UInt64, slot: UInt64, topic: Topic, id: MessageID, isPushed: Bool) {
    (self.version, self.slot, self.topic, self.id, self.isPushed) = (version, slot, topic, id, isPushed)
  }
}

/// Number of a request, chosen by the asker; means something between these two peers only.
public typealias AskID = UInt64

/// What came back for a request.
public typealias Answer = Result<Payload, AskFailure>

/// Why a request to one peer brought no reply.
public enum AskFailure: Error, Hashable, Sendable {
  /// Nobody answers requests on this topic there.
  case unknownTopic
  /// Its queue of requests was full.
  case overloaded
  /// The reply did not come in time.
  case deadlineExceeded
  /// There is no link to this peer that speaks `direct`.
  case notConnected
  /// The link ended before the reply came.
  case disconnected
  /// The request was taken back by the asker.
  case cancelled
  /// The other side's handler failed; its own words, at most 256 bytes.
  case failed(String)

  /// Longest explanation kept or sent, bytes.
  static let reasonSizeMax = 256
}

extension AskFailure: CustomStringConvertible {
  /// In words for people.
  public var description: String {
    switch self {
    case .unknownTopic: "the peer answers no requests on this topic"
    case .overloaded: "the peer has too many requests waiting"
    case .deadlineExceeded: "no reply within the deadline"
    case .notConnected: "not connected to this peer for direct messages; connect to it first"
    case .disconnected: "the connection ended before the reply"
    case .cancelled: "the request was cancelled"
    case .failed(let reason): "the peer's handler failed: \(reason)"
    }
  }
}
