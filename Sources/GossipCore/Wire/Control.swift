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
