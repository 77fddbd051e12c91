import GossipCore

/// Those who harm by what they say: too much, the same again, what is not so, what nobody can read.

/// Breaks off exchanges: where it should give a message it cuts the link, and dials again.
///
/// Source: Bamboo, "Disrupting".
/// Observable: links that end in the middle of an exchange.
struct Disrupting: Trick {
  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    guard !frame.messages.isEmpty, frame.manner == scene.manner else { return frame }
    guard Bool.random(using: &scene.dice) else { return frame }
    scene.cut(peer)
    scene.dial(peer)
    return Frame(frame.manner)
  }
}

/// Publishes far more than its share: valid messages, to every peer at once.
///
/// Source: Bamboo, "Flooding".
/// Observable: its rate; each message by itself is good.
struct Flooding: Trick {
  var pace: Duration? { .milliseconds(100) }

  mutating func act(_ scene: inout Scene) {
    let message = scene.ownMessage(Payload(scene.randomBytes(1_024)))
    for peer in scene.listeners { scene.give([message], to: peer) }
  }
}

/// Gives its peers again and again what they have.
///
/// Source: Bamboo, "Circulating".
/// Observable: the same message, from the same peer, unasked.
struct Circulating: Trick {
  var pace: Duration? { .milliseconds(500) }

  mutating func act(_ scene: inout Scene) {
    let messages = Array(scene.memories.shuffled(using: &scene.dice).prefix(8))
    guard !messages.isEmpty else { return }
    for peer in scene.listeners { scene.give(messages, to: peer) }
  }
}

/// Writes messages in the names of honest nodes.
///
/// Source: Bamboo, "Spoofing".
/// Observable: a signature that is wrong, from whoever passed the message on.
struct Spoofing: Trick {
  var pace: Duration? { .milliseconds(250) }

  mutating func act(_ scene: inout Scene) {
    let author = scene.plot.honest.randomElement(using: &scene.dice) ?? scene.me
    let message = scene.forged(Payload(scene.randomBytes(256)), by: author)
    for peer in scene.listeners { scene.give([message], to: peer) }
  }
}

/// Alters every message that it passes on, and hurries the altered copies to everybody under the true name.
///
/// Source: Bamboo, "Spamming": corrupt content in a router's hands.
/// Observable: a signature, or a hash, that does not fit.
struct Corrupting: Trick {
  private var done: Set<MessageID> = []  // looked up only

  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    if case .received(let frame, let source) = input, frame.manner == scene.manner {
      // Once each, and not what another of them altered: otherwise the hostile would only drown one another.
      let fresh = frame.messages.filter { message in
        !message.payload.bytes.starts(with: Judging.invalidPayload)
          && done.insert(scene.plot.policy.identification.id(of: message)).inserted
      }
      guard !fresh.isEmpty else { return input }
      let copies = fresh.map { alter($0, &scene) }
      for peer in scene.listeners where peer != source { scene.give(copies, to: peer) }
    }
    return input
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    var frame = frame
    frame.messages = frame.messages.map { alter($0, &scene) }
    return frame
  }

  /// The same author and number, another payload, the old signature.
  private func alter(_ message: WireMessage, _ scene: inout Scene) -> WireMessage {
    let payload = Judging.invalidPayload + scene.randomBytes(32)
    let altered = WireMessage(
      topic: message.topic, payload: Payload(payload), author: message.claimedAuthor,
      sequence: message.sequenceNumber)
    return message.signature.map { altered.signed(Array($0)) } ?? altered
  }
}

/// Signs in its own name what no application accepts.
///
/// Source: GossipSub evaluation, invalid messages (P4).
/// Observable: the application's verdict.
struct SendingInvalid: Trick {
  var pace: Duration? { .milliseconds(250) }

  mutating func act(_ scene: inout Scene) {
    let message = scene.ownMessage(Payload(Judging.invalidPayload + scene.randomBytes(64)))
    for peer in scene.listeners { scene.give([message], to: peer) }
  }
}

/// Keeps what it heard, and tells it again when others have forgotten that they had it.
///
/// Source: Bamboo, "Replaying".
/// Observable: a number of its author that is older than what came since.
struct Replaying: Trick {
  private var recorded: [(heard: Instant, message: WireMessage)] = []
  /// How long others remember; the hostile read documentation, too.
  let memory: Duration

  init(memory: Duration) { self.memory = memory }

  var pace: Duration? { .milliseconds(500) }

  mutating func act(_ scene: inout Scene) {
    for message in scene.memories where !recorded.contains(where: { $0.message.bytes == message.bytes }) {
      if recorded.count < 512 { recorded.append((scene.now, message)) }
    }
    let old = recorded.filter { scene.now - $0.heard > memory }.map(\.message)
    guard !old.isEmpty else { return }
    let again = Array(old.shuffled(using: &scene.dice).prefix(4))
    for peer in scene.listeners { scene.give(again, to: peer) }
  }
}

/// Writes bytes that are no frames.
///
/// Source: ours; the simplest of all attacks.
/// Observable: each time.
struct Garbling: Trick {
  var pace: Duration? { .milliseconds(500) }

  mutating func act(_ scene: inout Scene) {
    for peer in scene.listeners {
      let count = Int.random(in: 1...120, using: &scene.dice)
      // One byte of length, and a field that promises more than there is.
      scene.write([UInt8(count + 2), 0x12, 0x7f] + scene.randomBytes(count), to: peer)
    }
  }
}

/// Signs two messages of one number, and tells each half of its peers another one.
///
/// Source: records with one version and two contents, as in Fabric's and Casper's membership.
/// Observable: only where both meet; then it is proof.
struct Equivocating: Trick {
  private var number: UInt64 = 1 << 61

  var pace: Duration? { .seconds(1) }

  mutating func act(_ scene: inout Scene) {
    number += 1
    let pair = [0, 1].map { _ in scene.signed(Payload(scene.randomBytes(200)), number) }
    for (place, peer) in scene.listeners.enumerated() { scene.give([pair[place & 1]], to: peer) }
  }
}
