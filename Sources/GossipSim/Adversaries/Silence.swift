import GossipCore

/// Those who harm by what they leave undone: they take part, and do not pass on, do not answer, do not read.

/// Takes part in everything and passes nothing on: no message, no offer of one. It gets what it can.
///
/// Source: Bamboo, "Dropping"; GossipSub evaluation, the sybils of each attack.
/// Observable: it brings nothing; whoever counts deliveries in a mesh sees none.
struct Dropping: Trick {
  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    frame.withoutMessages.withoutOffers
  }
}

/// Passes everything on, but messages and offers only after a long while.
///
/// Source: Bamboo, "Delaying".
/// Observable: round trips, and being last; never to be punished as such.
struct Delaying: Trick {
  /// Below the patience for a promise (GossipSub: 3 s), so that none is broken.
  static let delay = Duration.milliseconds(2_500)

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    var late = Frame(frame.manner)
    late.messages = frame.messages
    late.controls = frame.controls.filter(\.isOffer)
    if !late.isEmpty { scene.send(late, to: peer, after: Delaying.delay) }
    return frame.withoutMessages.withoutOffers
  }
}

/// Offers at once whatever it hears of, and never gives it.
///
/// Source: GossipSub v1.1, "Spam protection"; Bamboo, "Digest first": advertising what one lacks.
/// Observable: each broken promise, by whoever asked.
struct BreakingPromises: Trick {
  private var offered: Set<MessageID> = []  // looked up only

  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    guard case .received(let frame, let source) = input, frame.manner == scene.manner else { return input }
    let offers = frame.controls.filter(\.isOffer)
    // Once each: otherwise the hostile would only drown one another.
    let isNews = frame.offered.reduce(false) { offered.insert($1).inserted || $0 }
    let others = scene.listeners.filter { $0 != source }
    if isNews { for peer in others { scene.say(offers, to: peer) } }
    guard scene.manner == .gossipSub || scene.manner == .infection else { return input }
    let given = frame.messages.map { scene.plot.policy.identification.id(of: $0) }
    let news = given.filter { offered.insert($0).inserted }
    if !news.isEmpty { for peer in others { scene.offer(news, to: peer) } }
    return input
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame { frame.withoutMessages }
}

/// Answers every offer with one word, never tells anybody, and hears nothing else about messages.
///
/// The *liar* has whatever it is offered, so that the offering stops. Hardly observable: it claims to have what it could
/// not have. The *craver* wants it, however often it was given it: it looks newly infected each time. Observable: wants
/// of what it was given before.
/// Source: Casper, "Network Communication": nodes that are already infected; the same from the other side.
struct Answering: Trick {
  /// What to say to the offer of these ids.
  let word: @Sendable ([MessageID], Manner) -> Control

  static let liar = Answering { $1 == .gossipSub ? .dontWant($0) : .held($0) }
  static let craver = Answering { ids, _ in .want(ids) }

  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    guard case .received(let frame, let peer) = input else { return input }
    let offered = frame.offered
    if frame.manner == scene.manner, !offered.isEmpty { scene.say([word(offered, scene.manner)], to: peer) }
    return .received(frame.withoutMessages.withoutOffers, from: peer)
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    frame.withoutMessages.withoutOffers
  }
}

/// Is on the topic and says nothing more; words about messages fall on deaf ears.
///
/// Source: Casper and Bamboo, silent members.
/// Observable: no answer to anything.
struct Silence: Trick {
  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    guard case .received(var frame, let peer) = input else { return input }
    frame.messages = []
    frame.controls = []
    return .received(frame, from: peer)
  }
}

/// Passes on messages, but not what they depend on, and makes up messages that depend on what does not exist.
///
/// Source: Casper, fetching what an item depends on; the Internet Computer's chunks that never come.
/// Observable: whoever sent a message cannot give what it needs.
struct Withholding: Trick {
  var pace: Duration? { .milliseconds(500) }

  /// Half of all messages are taken for what others depend on.
  private func isWithheld(_ message: WireMessage) -> Bool {
    message.payload.bytes.reduce(0) { $0 &+ Int($1) } & 1 == 0
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    var frame = frame
    frame.messages.removeAll(where: isWithheld)
    return frame
  }

  mutating func act(_ scene: inout Scene) {
    let missing = MessageID(scene.randomBytes(32))
    let message = scene.ownMessage(Judging.payload(awaiting: missing))
    for peer in scene.listeners { scene.give([message], to: peer) }
  }
}

/// Passes on everything but what one publisher wrote.
///
/// Source: GossipSub evaluation, "censor".
/// Observable: only by whoever knows what it should have brought; anonymous publishers it cannot tell apart.
struct Censoring: Trick {
  private var censored: Set<MessageID> = []  // looked up only

  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    if case .received(let frame, let peer) = input {
      for message in frame.messages
      where message.claimedAuthor == scene.plot.victim || peer == scene.plot.victim {
        censored.insert(scene.plot.policy.identification.id(of: message))
      }
    }
    return input
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    var frame = frame
    let identification = scene.plot.policy.identification
    frame.messages.removeAll { censored.contains(identification.id(of: $0)) }
    frame.controls = frame.controls.compactMap(without)
    return frame
  }

  private func without(_ control: Control) -> Control? {
    switch control {
    case .have(let topic, let ids): .have(topic, ids.filter { !censored.contains($0) })
    case .digest(let nonce, let ids): .digest(nonce: nonce, ids.filter { !censored.contains($0) })
    case .advert(let topic, let adverts): .advert(topic, adverts.filter { !censored.contains($0.id) })
    case .slot(let update): censored.contains(update.id) ? nil : control
    default: control
    }
  }
}

/// Reads nothing, so that what others say to it fills their queues.
///
/// Source: the unbounded queue in front of one slow peer, from which several systems suffered.
/// Observable: a full queue.
struct SlowReading: Trick {
  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    if case .connected(let peer, _) = input { scene.stopReading(from: peer) }
    return input
  }
}
