/// How the messages of some topics spread.
///
/// A dissemination decides whom to tell what, and when. It sees only messages that were validated (but for `met`,
/// which names a message that is about to be), never serves a want and never removes a duplicate: the node does
/// these for all of them. One instance serves all topics of its manner.
public protocol Dissemination: Sendable {
  /// The table of contents of a dissemination: everything it reacts to.
  mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons)

  /// Whom it pushes to first on this topic; for snapshots.
  func partners(on topic: Topic) -> [PeerID]

  /// Entries of state kept per peer; for snapshots and bounds.
  var perPeerEntries: Int { get }

  /// Who has told that it has this message, which is here or under way; in the order they told.
  func holders(of id: MessageID) -> [PeerID]

  /// Whether this peer may bring us this message, which we did not meet before. Asked before anything is computed
  /// for it; whoever refuses observes why.
  mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool
}

extension Dissemination {
  /// Nobody, unless a manner remembers.
  public func holders(of id: MessageID) -> [PeerID] { [] }

  /// Everybody may, unless a manner knows better.
  public mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool {
    true
  }
}

/// What a dissemination may react to.
public enum DisseminationEvent: Sendable {
  /// The node was born.
  case began
  /// This node joined or left a topic.
  case joined(Topic), left(Topic)
  /// A joined topic has another policy, spread in the same manner.
  case changed(Topic)
  /// A peer became, or stopped being, a member of a topic.
  case arrived(PeerID, on: Topic), departed(PeerID, from: Topic)
  /// Our stream to the peer ended.
  case vanished(PeerID)
  /// The first copy of a message came; its examination begins.
  case met(MessageID, WireMessage, from: PeerID)
  /// Valid, and kept if it may be wanted: tell the others.
  case accepted(Acceptance)
  /// A message that was met is not believed, or not wanted by the application; these peers sent it.
  case refused(MessageID, holders: [PeerID])
  /// A message we held was replaced by a newer one, expired, or gave way to others: speak of it no more.
  case withdrawn(MessageID)
  /// The peer showed that it has what we have.
  case echoed(MessageID, by: PeerID)
  /// It wanted, and we gave.
  case served(MessageID, to: PeerID)
  /// Messages for this peer were dropped from its full queue.
  case lost(by: PeerID)
  /// No holder kept its promise.
  case gaveUp(MessageID)
  /// Asked for it, the peer said that it cannot give it.
  case lacked(MessageID, by: PeerID)
  /// The words of one frame, but for wants.
  case heard([Control], from: PeerID)
  /// The application has something to say to this manner in particular.
  case told(Command)
  /// An alarm rings; `due` is the instant it was set for.
  case rang(Alarm, due: Instant)
}

/// A message that was believed, and where it came from.
public struct Acceptance: Sendable {
  /// The message.
  public let message: Message
  /// Who sent it to us, the first one first; nobody did if it is our own.
  public let holders: [PeerID]
  /// For whom it is meant, if it is our own; everyone otherwise.
  public let audience: Audience
  /// Whether the healer brought it, and not the manner that spreads its topic.
  public let isHealed: Bool

  /// Whether this node published it.
  public var isOwn: Bool { holders.isEmpty }
}

/// What the application says to one manner of spreading.
public enum Command: Sendable {
  case ask(Inquiry)
  case withdraw(inquiry: UInt64)
  case answer(Ticket, Answer)
  case epoch(Epoch)
}
