import GossipCore

/// One thing a node said to one peer: a subscription, a message or a word.
///
/// A frame is read as its receiver reads it: subscriptions, then messages, then words.
struct Said: Hashable, CustomStringConvertible {
  enum Thing: Hashable {
    case subscription(Subscription)
    case message(MessageID)
    case word(Control)
  }

  let thing: Thing
  let to: PeerID

  static func joins(_ topic: Topic, to peer: PeerID) -> Said {
    Said(thing: .subscription(Subscription(topic, joins: true)), to: peer)
  }
  static func leaves(_ topic: Topic, to peer: PeerID) -> Said {
    Said(thing: .subscription(Subscription(topic, joins: false)), to: peer)
  }
  static func message(_ id: MessageID, to peer: PeerID) -> Said { Said(thing: .message(id), to: peer) }
  static func word(_ control: Control, to peer: PeerID) -> Said { Said(thing: .word(control), to: peer) }
  static func have(_ topic: Topic, _ ids: [MessageID], to peer: PeerID) -> Said {
    .word(.have(topic, ids), to: peer)
  }
  static func want(_ ids: [MessageID], to peer: PeerID) -> Said { .word(.want(ids), to: peer) }
  static func dontWant(_ ids: [MessageID], to peer: PeerID) -> Said { .word(.dontWant(ids), to: peer) }
  static func graft(_ topic: Topic, to peer: PeerID) -> Said { .word(.graft(topic), to: peer) }
  static func prune(_ topic: Topic, _ backoff: UInt64?, to peer: PeerID) -> Said {
    .word(.prune(topic, backoff: backoff), to: peer)
  }

  var description: String {
    let name = "peer(\(number(of: to)))"
    return switch thing {
    case .subscription(let subscription):
      "\(subscription.joins ? "joins" : "leaves") \(subscription.topic) → \(name)"
    case .message(let id): "message \(id) → \(name)"
    case .word(let control): "\(control) → \(name)"
    }
  }
}

extension Frame {
  /// What the frame says, in the order its receiver reads it.
  func said(to peer: PeerID) -> [Said] {
    subscriptions.map { Said(thing: .subscription($0), to: peer) }
      + messages.map { Said(thing: .message($0.authorID), to: peer) }
      + controls.map { Said(thing: .word($0), to: peer) }
  }
}

/// The effects of something a node was told, and the questions tests ask about them.
struct Told {
  var effects: [Node.Effect] = []

  static func += (told: inout Told, more: Told) { told.effects += more.effects }

  /// Frames in the order they left.
  var frames: [(frame: Frame, to: PeerID)] {
    effects.compactMap { if case .send(let frame, let peer) = $0 { (frame, peer) } else { nil } }
  }

  /// Everything said to anybody. Messages go by the id their author and number give them.
  var said: [Said] { frames.flatMap { $0.frame.said(to: $0.to) } }

  /// Who was said GRAFT on a topic.
  func grafted(_ topic: Topic) -> [PeerID] {
    said.compactMap { $0.thing == .word(.graft(topic)) ? $0.to : nil }
  }

  /// Who was said PRUNE on a topic, whatever the backoff.
  func pruned(_ topic: Topic) -> [PeerID] {
    said.compactMap { if case .word(.prune(topic, _)) = $0.thing { $0.to } else { nil } }
  }

  /// Offers said to anybody.
  func offers(of topic: Topic) -> [(ids: [MessageID], to: PeerID)] {
    said.compactMap { if case .word(.have(topic, let ids)) = $0.thing { (ids, $0.to) } else { nil } }
  }

  /// Who was asked to tell again.
  var resends: [PeerID] {
    said.compactMap { if case .word(.resend) = $0.thing { $0.to } else { nil } }
  }

  /// Every id somebody was asked for.
  var wanted: [MessageID] {
    said.flatMap { if case .word(.want(let ids)) = $0.thing { ids } else { [MessageID]() } }
  }

  /// Who was sent a message, by the id its author and number give it.
  func receivers(of id: MessageID) -> [PeerID] {
    said.compactMap { $0.thing == .message(id) ? $0.to : nil }
  }

  /// Payloads of all messages sent to anybody, with their receivers.
  var sentTexts: [(text: String, to: PeerID)] {
    frames.flatMap { frame, peer in frame.messages.map { ($0.payload.text, peer) } }
  }

  var delivered: [MessageID] {
    effects.compactMap { if case .deliver(let message, _) = $0 { message.id } else { nil } }
  }

  var notices: [Notice] {
    effects.compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
  }

  var rejected: [Rejection] {
    notices.compactMap { if case .rejected(_, _, let reason) = $0 { reason } else { nil } }
  }

  struct Observed: Hashable {
    let observation: Observation
    let peer: PeerID
    let count: Int

    init(_ observation: Observation, _ peer: PeerID, _ count: Int = 1) {
      (self.observation, self.peer, self.count) = (observation, peer, count)
    }
  }

  /// What counts against peers.
  var observed: [Observed] {
    notices.compactMap {
      if case .observed(let what, let peer, let count) = $0 { Observed(what, peer, count) } else { nil }
    }
  }

  var toSign: [(ticket: Ticket, bytes: [UInt8])] {
    effects.compactMap { if case .sign(let ticket, let bytes) = $0 { (ticket, bytes) } else { nil } }
  }
  var toCheck: [(ticket: Ticket, message: WireMessage)] {
    effects.compactMap { if case .check(let ticket, let message, _) = $0 { (ticket, message) } else { nil } }
  }
  var toJudge: [(ticket: Ticket, message: Message, from: PeerID)] {
    effects.compactMap {
      if case .judge(let ticket, let message, let peer) = $0 { (ticket, message, peer) } else { nil }
    }
  }

  struct Published: Hashable {
    let token: UInt64
    let result: Result<Publication, PublishFailure>

    init(_ token: UInt64, _ result: Result<Publication, PublishFailure>) {
      (self.token, self.result) = (token, result)
    }
  }

  var published: [Published] {
    effects.compactMap {
      if case .published(let token, let result) = $0 { Published(token, result) } else { nil }
    }
  }
  /// The only publication that succeeded.
  var publication: Publication? {
    published.count == 1 ? try? published[0].result.get() : nil
  }

  struct Answered: Hashable {
    let token: UInt64
    let result: Result<[Reply], AskRefusal>

    init(_ token: UInt64, _ result: Result<[Reply], AskRefusal>) {
      (self.token, self.result) = (token, result)
    }
  }

  var answered: [Answered] {
    effects.compactMap {
      if case .answered(let token, let result) = $0 { Answered(token, result) } else { nil }
    }
  }

  struct Asked: Hashable {
    let ticket: Ticket
    let topic: Topic
    let payload: Payload
    let peer: PeerID
    let within: Duration
  }

  var asked: [Asked] {
    effects.compactMap {
      if case .ask(let ticket, let topic, let payload, let peer, let within) = $0 {
        Asked(ticket: ticket, topic: topic, payload: payload, peer: peer, within: within)
      } else {
        nil
      }
    }
  }
  var forgotten: [Ticket] {
    effects.compactMap { if case .forgetAsk(let ticket) = $0 { ticket } else { nil } }
  }

  var paused: [PeerID] { effects.compactMap { if case .pause(let peer) = $0 { peer } else { nil } } }
  var resumed: [PeerID] { effects.compactMap { if case .resume(let peer) = $0 { peer } else { nil } } }

  struct Reached: Hashable {
    let id: MessageID
    let peers: Int

    init(_ id: MessageID, _ peers: Int) { (self.id, self.peers) = (id, peers) }
  }

  var reached: [Reached] {
    effects.compactMap { if case .reached(let id, let peers) = $0 { Reached(id, peers) } else { nil } }
  }
}
