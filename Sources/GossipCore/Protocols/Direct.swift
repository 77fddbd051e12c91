import DequeModule
import OrderedCollections

/// One to one, one to many, one to all, at once and without forwarding; with replies if the sender wants them.
///
/// A *message* goes straight to its audience and is delivered there like any other. An *inquiry* asks each
/// recipient for a reply and gathers the replies in the order of the recipients; its deadline travels along, and
/// giving up reaches the other side, whose handler is told to stop.
///
/// Source: Bamboo gossip v1, `Gossip(context, request, reply)`: deadline and cancellation belong to the call.
/// Bounds: recipients per call, inquiries open, requests per peer and in all; a request waits while the handlers
/// are busy and ends at its asker's deadline.
public struct Direct: Dissemination {
  private let parameters: DirectParameters
  /// Bytes of a question or a reply that fit into a frame with what stands around them.
  private let payloadSizeMax: Int
  private var inquiries: OrderedDictionary<UInt64, Asking> = [:]
  private var tokens: [AskID: UInt64] = [:]
  private var nextAsk: AskID = 1
  private var requests: OrderedDictionary<Ticket, Request> = [:]
  private var waiting = Deque<Ticket>()
  private var working = 0
  private var nextTicket: UInt64 = 1
  private var isWatching = false

  /// How often requests are looked through for passed deadlines. One alarm for all: askers could set and cancel
  /// deadlines without end. The asker's own deadline is exact.
  private static let watchInterval = Duration.milliseconds(50)

  /// An inquiry of ours.
  private struct Asking: Sendable {
    let recipients: [PeerID]
    /// One number per recipient that was asked.
    var asks: [AskID?]
    var answers: [Answer?]
    var isComplete: Bool { !answers.contains { $0 == nil } }
  }

  /// A peer's request to us.
  private struct Request: Sendable {
    let peer: PeerID
    let id: AskID
    let topic: Topic
    let payload: Payload
    let until: Instant
    var isWorkedOn = false
  }

  init(_ parameters: DirectParameters, payloadSizeMax: Int) {
    self.parameters = parameters
    self.payloadSizeMax = payloadSizeMax
  }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .accepted(let accepted):
      if accepted.isOwn { send(accepted.message, to: accepted.audience, &commons) }
    case .told(.ask(let inquiry)): ask(inquiry, &commons)
    case .told(.withdraw(let token)): withdraw(token, &commons)
    case .told(.answer(let ticket, let answer)): answered(ticket, answer, &commons)
    case .heard(let words, let peer): hear(words, from: peer, &commons)
    case .rang(.inquiry(let token), _): runOut(token, &commons)
    case .rang(.requests, _): expireRequests(&commons)
    case .vanished(let peer): forget(peer, &commons)
    case .began, .joined, .left, .changed, .arrived, .departed, .met, .refused, .withdrawn, .echoed, .served,
      .lost,
      .gaveUp, .lacked, .told(.epoch), .rang:
      break
    }
  }

  /// Nobody: everything goes straight to its audience.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// Inquiries and requests.
  public var perPeerEntries: Int { inquiries.count + requests.count }

  // MARK: Messages

  private func send(_ message: Message, to audience: Audience, _ commons: inout Commons) {
    switch audience {
    case .everyone: for peer in commons.members(of: message.topic) { commons.forward(message, to: peer) }
    case .one(let peer): commons.forward(message, to: peer)
    case .many(let peers): for peer in peers { commons.forward(message, to: peer) }
    }
  }

  // MARK: Asking

  private mutating func ask(_ inquiry: Inquiry, _ commons: inout Commons) {
    let recipients: [PeerID]
    switch Direct.recipients(
      of: inquiry.audience, on: inquiry.topic, most: parameters.recipientsMax, commons)
    {
    case .success(let peers): recipients = peers
    case .failure(let refusal): return commons.surface(.answered(token: inquiry.token, .failure(refusal)))
    }
    guard inquiry.payload.count <= payloadSizeMax else {
      let refusal = AskRefusal("\(inquiry.payload.count) bytes, at most \(payloadSizeMax) fit into a frame")
      return commons.surface(.answered(token: inquiry.token, .failure(refusal)))
    }
    guard inquiries.count < parameters.inquiriesMax else {
      let refusal = AskRefusal("\(parameters.inquiriesMax) inquiries are open; wait for some to finish")
      return commons.surface(.answered(token: inquiry.token, .failure(refusal)))
    }
    var asking = Asking(
      recipients: recipients, asks: recipients.map { _ in nil }, answers: recipients.map { _ in nil })
    for (place, peer) in recipients.enumerated() {
      if inquiry.patience <= .zero {
        asking.answers[place] = .failure(.deadlineExceeded)  // nothing is sent for a deadline that has passed
      } else if commons.version(with: peer) == nil {
        asking.answers[place] = .failure(.notConnected)
      } else {
        asking.asks[place] = nextAsk
        tokens[nextAsk] = inquiry.token
        let patience = UInt64(max(1, inquiry.patience.nanoseconds / 1_000_000))
        commons.say(.ask(nextAsk, inquiry.topic, inquiry.payload, patience: patience), to: peer)
        nextAsk += 1
      }
    }
    inquiries[inquiry.token] = asking
    if !finishIfComplete(inquiry.token, &commons) {
      commons.ring(.inquiry(inquiry.token), after: inquiry.patience)
    }
  }

  /// Whom an audience means, or what is wrong with it.
  static func recipients(
    of audience: Audience, on topic: Topic, most: Int, _ commons: Commons
  ) -> Result<[PeerID], AskRefusal> {
    let peers: [PeerID]
    switch audience {
    case .everyone: peers = commons.peers.members(of: topic, by: .direct)
    case .one(let peer): peers = [peer]
    case .many(let many):
      guard many.count >= 2 else {
        return .failure(AskRefusal("one to many needs two or more recipients, found \(many.count); use .one"))
      }
      guard OrderedSet(many).count == many.count else {
        return .failure(AskRefusal("a recipient is named twice"))
      }
      peers = many
    }
    guard !peers.contains(commons.me) else {
      return .failure(AskRefusal("the node itself is among the recipients"))
    }
    guard peers.count <= most else {
      return .failure(
        AskRefusal(
          "\(peers.count) recipients, at most \(most) can be named; spread the topic by gossip to everyone, or "
            + "raise the limit"))
    }
    return .success(peers)
  }

  private mutating func finishIfComplete(_ token: UInt64, _ commons: inout Commons) -> Bool {
    guard let asking = inquiries[token], asking.isComplete else { return false }
    close(token)
    let replies = zip(asking.recipients, asking.answers).map { Reply(peer: $0, answer: $1!) }
    commons.surface(.answered(token: token, .success(replies)))
    return true
  }

  private mutating func close(_ token: UInt64) {
    guard let asking = inquiries.removeValue(forKey: token) else { return }
    for ask in asking.asks { if let ask { tokens[ask] = nil } }
  }

  /// Tells those who have not answered that nobody waits any more.
  private func cancelOutstanding(_ asking: Asking, _ commons: inout Commons) {
    for (place, peer) in asking.recipients.enumerated() where asking.answers[place] == nil {
      if let ask = asking.asks[place] { commons.say(.cancel(ask), to: peer) }
    }
  }

  private mutating func runOut(_ token: UInt64, _ commons: inout Commons) {
    guard let asking = inquiries[token] else { return }
    cancelOutstanding(asking, &commons)
    inquiries[token]!.answers = asking.answers.map { $0 ?? .failure(.deadlineExceeded) }
    _ = finishIfComplete(token, &commons)
  }

  private mutating func withdraw(_ token: UInt64, _ commons: inout Commons) {
    guard let asking = inquiries[token] else { return }
    cancelOutstanding(asking, &commons)
    close(token)
  }

  /// A late reply, or one to a number we never gave, finds no token and is dropped.
  private mutating func heardReply(
    _ ask: AskID, _ answer: Answer, from peer: PeerID, _ commons: inout Commons
  ) {
    guard let token = tokens[ask], let place = inquiries[token]?.asks.firstIndex(of: ask),
      inquiries[token]!.recipients[place] == peer, inquiries[token]!.answers[place] == nil
    else { return }
    inquiries[token]!.answers[place] = answer
    _ = finishIfComplete(token, &commons)
  }

  // MARK: Being asked

  private mutating func hear(_ words: [Control], from peer: PeerID, _ commons: inout Commons) {
    for word in words {
      switch word {
      case .ask(let id, let topic, let payload, let patience):
        requested(id, topic, payload, patience, by: peer, &commons)
      case .reply(let id, let answer): heardReply(id, answer, from: peer, &commons)
      case .cancel(let id): cancelled(id, by: peer, &commons)
      default: break  // other manners' words
      }
    }
  }

  private mutating func requested(
    _ id: AskID, _ topic: Topic, _ payload: Payload, _ patience: UInt64, by peer: PeerID,
    _ commons: inout Commons
  ) {
    guard commons.isJoined(topic) else { return commons.say(.reply(id, .failure(.unknownTopic)), to: peer) }
    let ofPeer = requests.values.count { $0.peer == peer }
    guard requests.count < parameters.requestsMax, ofPeer < parameters.requestsPerPeer else {
      return commons.say(.reply(id, .failure(.overloaded)), to: peer)
    }
    let patience = min(.milliseconds(Int64(clamping: patience)), parameters.patienceMax)
    let ticket = Ticket(number: nextTicket)
    nextTicket += 1
    requests[ticket] = Request(
      peer: peer, id: id, topic: topic, payload: payload, until: commons.now + patience)
    waiting.append(ticket)
    watch(&commons)
    startWork(&commons)
  }

  private mutating func watch(_ commons: inout Commons) {
    guard !isWatching, !requests.isEmpty else { return }
    isWatching = true
    commons.ring(.requests, after: Direct.watchInterval)
  }

  /// Hands waiting requests to the application while handlers are free.
  private mutating func startWork(_ commons: inout Commons) {
    while working < parameters.handlersMax, let ticket = waiting.popFirst() {
      guard let request = requests[ticket] else { continue }
      guard request.until > commons.now else {
        // Nobody waits for it any more.
        requests[ticket] = nil
        commons.say(.reply(request.id, .failure(.deadlineExceeded)), to: request.peer)
        continue
      }
      requests[ticket]!.isWorkedOn = true
      working += 1
      let left = request.until - commons.now
      commons.surface(.ask(ticket, request.topic, request.payload, from: request.peer, within: left))
    }
  }

  /// Ends a request; the handler, if one works on it, is told to stop unless it has just finished.
  private mutating func finish(_ ticket: Ticket, tellHandler: Bool, _ commons: inout Commons) -> Request? {
    guard let request = requests.removeValue(forKey: ticket) else { return nil }
    if request.isWorkedOn {
      working -= 1
      if tellHandler { commons.surface(.forgetAsk(ticket)) }
    } else {
      waiting.removeAll { $0 == ticket }
    }
    startWork(&commons)
    return request
  }

  private mutating func answered(_ ticket: Ticket, _ answer: Answer, _ commons: inout Commons) {
    guard let request = finish(ticket, tellHandler: false, &commons) else { return }
    var answer = answer
    if case .success(let payload) = answer, payload.count > payloadSizeMax {
      answer = .failure(
        .failed("the reply has \(payload.count) bytes, at most \(payloadSizeMax) fit into a frame"))
    }
    commons.say(.reply(request.id, answer), to: request.peer)
  }

  private mutating func expireRequests(_ commons: inout Commons) {
    isWatching = false
    for ticket in requests.filter({ $0.value.until <= commons.now }).map(\.key) {
      guard let request = finish(ticket, tellHandler: true, &commons) else { continue }
      commons.say(.reply(request.id, .failure(.deadlineExceeded)), to: request.peer)
    }
    watch(&commons)
  }

  private mutating func cancelled(_ id: AskID, by peer: PeerID, _ commons: inout Commons) {
    guard let ticket = requests.first(where: { $0.value.peer == peer && $0.value.id == id })?.key else {
      return
    }
    _ = finish(ticket, tellHandler: true, &commons)
  }

  // MARK: Losing a peer

  private mutating func forget(_ peer: PeerID, _ commons: inout Commons) {
    for token in Array(inquiries.keys) {
      guard let asking = inquiries[token] else { continue }
      for (place, recipient) in asking.recipients.enumerated() where recipient == peer {
        if asking.answers[place] == nil { inquiries[token]!.answers[place] = .failure(.disconnected) }
      }
      _ = finishIfComplete(token, &commons)
    }
    for ticket in requests.filter({ $0.value.peer == peer }).map(\.key) {
      _ = finish(ticket, tellHandler: true, &commons)
    }
  }
}

/// Parameters of `Direct`. Defaults from Bamboo's v1 where it names numbers.
public struct DirectParameters: Hashable, Sendable {
  /// Recipients of one call; v1 assumed at most 100 nodes.
  public var recipientsMax = 100
  /// Inquiries of ours at one time.
  public var inquiriesMax = 1_024
  /// Requests handled at one time; further ones wait. v1 had a queue of 10.
  public var handlersMax = 10
  /// Requests waiting and worked on, in all and per peer.
  public var requestsMax = 1_024
  /// Requests of one peer, waiting and worked on.
  public var requestsPerPeer = 64
  /// Longest time a request may stay with us, whatever its asker says.
  public var patienceMax: Duration = .seconds(600)

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("recipientsMax", recipientsMax), ("inquiriesMax", inquiriesMax), ("handlersMax", handlersMax),
      ("requestsMax", requestsMax), ("requestsPerPeer", requestsPerPeer),
    ] where value < 1 {
      throw ConfigurationError("direct.\(name)", expected: "at least 1", found: "\(value)")
    }
    try Rule.duration(patienceMax, "direct.patienceMax")
  }
}
