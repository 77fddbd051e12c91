/// Everything a node can ask for.
///
/// A turn's effects are to be performed in order; every answer comes back as an input of a later turn.
extension Node {
  /// Something a node asks for; performed in order.
  public enum Effect: Sendable {
    /// Hand this to the peer's outbound queue of the frame's manner.
    case send(Frame, to: PeerID)
    /// From now on, open a stream of this manner to every peer that speaks it.
    case speak(Manner)
    /// Drop the link.
    case disconnect(PeerID, Severance)
    /// Stop reading from this peer: it has too many unchecked messages with us. Its bytes wait where it is.
    case pause(PeerID)
    case resume(PeerID)
    /// Is the author's signature genuine? `from` brought the message: where checks wait, peers take turns, so that the
    /// backlog of one does not hold up the others. → `Input.checked`
    case check(Ticket, WireMessage, from: PeerID)
    /// Sign these bytes with our key. → `Input.signed`
    case sign(Ticket, [UInt8])
    /// What does the application think? `from` is our own id for what we publish. → `Input.judged`
    case judge(Ticket, Message, from: PeerID)
    /// A message for the application's subscribers.
    case deliver(Message, from: PeerID)
    /// What became of a draft.
    case published(token: UInt64, Result<Publication, PublishFailure>)
    /// So many peers are now known to hold this message of ours.
    case reached(MessageID, Int)
    /// A peer asks; the application has so long to answer. → `Input.answer`
    case ask(Ticket, Topic, Payload, from: PeerID, within: Duration)
    /// The asker has gone or given up: stop working on its request.
    case forgetAsk(Ticket)
    /// All replies of an inquiry, in the order of its recipients.
    case answered(token: UInt64, Result<[Reply], AskRefusal>)
    /// Something for logs, metrics and the curious.
    case notice(Notice)
  }
}

/// Evidence of a publication: what happened to it here, at once.
public struct Publication: Hashable, Sendable {
  /// The message, under its name.
  public let id: MessageID
  /// Peers the message was handed to in this turn.
  public let sentTo: Int
  /// Connected peers known to be on the topic.
  public let subscribers: Int
  /// Which way it took, if it was for some of a topic's nodes only.
  public let way: AudienceDecision.Choice?

  /// Made of its parts.
  public init(id: MessageID, sentTo: Int, subscribers: Int, way: AudienceDecision.Choice? = nil) {
    (self.id, self.sentTo, self.subscribers, self.way) = (id, sentTo, subscribers, way)
  }
}

/// Why a message was not published. The caller's mistake, or the application's own judgement.
public enum PublishFailure: Error, Hashable, Sendable {
  case tooLarge(bytes: Int, limit: Int)
  /// This very message is already known here.
  case duplicate(MessageID)
  /// What is held about the same, or at the same position, is as new or newer: nobody would take it.
  case stale(MessageID)
  /// The topic's own judge did not accept it.
  case judged(Verdict)
  /// An audience that cannot be served.
  case audience(String)
  case topic(String)
  /// Too many publications wait for their signature or judgement.
  case overloaded(limit: Int)
  /// The topic takes only so much of one author (`TopicPolicy.authorBudget`), and we have said that much; there is room
  /// again after so long.
  case overBudget(AuthorBudget, retryAfter: Duration)
}

extension PublishFailure: CustomStringConvertible {
  /// In words for people.
  public var description: String {
    switch self {
    case .tooLarge(let bytes, let limit):
      "the encoded message has \(bytes) bytes, more than the \(limit) that fit into a frame; send less, or raise "
        + "the limit on every node"
    case .duplicate(let id): "message \(id) is known already; it was not sent again"
    case .stale(let id): "what is held about the same is as new as message \(id) or newer; it was not sent"
    case .judged(let verdict): "the topic's own judge said \(verdict)"
    case .audience(let reason): reason
    case .topic(let reason): reason
    case .overloaded(let limit): "\(limit) publications are under way; wait for some to finish"
    case .overBudget(let budget, let wait):
      "the topic takes \(budget.messages.rate) messages and \(budget.bytes.rate) bytes a second of one author, and "
        + "that is used up; publish again in \(wait), put more into each message, or raise the topic's author budget "
        + "on every node"
    }
  }
}

/// Why an inquiry was not even begun: the caller's mistake.
public struct AskRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, in words for the caller.
  public let reason: String
  /// Made of its parts.
  public init(_ reason: String) { self.reason = reason }
  /// In words for people.
  public var description: String { reason }
}

/// One recipient's answer.
public struct Reply: Hashable, Sendable {
  /// Who was asked.
  public let peer: PeerID
  /// What came back, or why nothing did.
  public let answer: Answer

  /// Made of its parts.
  public init(peer: PeerID, answer: Answer) { (self.peer, self.answer) = (peer, answer) }
}

/// The lanes of an outbound queue, the most urgent first.
public enum Lane: Int, CaseIterable, Hashable, Sendable {
  case control, message, offer
}
