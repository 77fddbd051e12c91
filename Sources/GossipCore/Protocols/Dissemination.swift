/// How the messages of some topics spread.
///
/// A dissemination decides whom to tell what, and when. It sees only messages that were validated (but for `met`,
/// which names a message that is about to be), never serves a want and never removes a duplicate: the node does
/// these for all of them. One instance serves all topics of its manner.
public protocol Dissemination: Sendable {
  static var manner: Manner { get }

  /// The table of contents of a dissemination: everything it reacts to.
  mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons)

  /// Whom it pushes to first on this topic; for snapshots.
  func partners(on topic: Topic) -> [PeerID]

  /// Entries of state kept per peer; for snapshots and bounds.
  var perPeerEntries: Int { get }
}

/// What a dissemination may react to.
public enum DisseminationEvent: Sendable {
  /// The node was born.
  case began
  /// This node joined or left a topic.
  case joined(Topic), left(Topic)
  /// A peer became, or stopped being, a member of a topic.
  case arrived(PeerID, on: Topic), departed(PeerID, from: Topic)
  /// Our stream to the peer ended.
  case vanished(PeerID)
  /// The first copy of a message came; its examination begins.
  case met(MessageID, WireMessage, from: PeerID)
  /// Valid, and kept if it may be wanted: tell the others. `holders` sent it to us, the first one first; nobody did
  /// if it is our own.
  case accepted(Message, holders: [PeerID], Audience)
  /// The peer showed that it has what we have.
  case echoed(MessageID, by: PeerID)
  /// It wanted, and we gave.
  case served(MessageID, to: PeerID)
  /// Messages for this peer were dropped from its full queue.
  case lost(by: PeerID)
  /// No holder kept its promise.
  case gaveUp(MessageID)
  /// The words of one frame, but for wants.
  case heard([Control], from: PeerID)
  /// The application has something to say to this manner in particular.
  case told(Command)
  /// An alarm rings; `due` is the instant it was set for.
  case rang(Alarm, due: Instant)
}

/// What the application says to one manner of spreading.
public enum Command: Sendable {
  case ask(Inquiry)
  case withdraw(inquiry: UInt64)
  case answer(Ticket, Answer)
}
