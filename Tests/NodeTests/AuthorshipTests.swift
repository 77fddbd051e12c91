import GossipCore
import Synchronization
import Testing

/// Who wrote a message, what proves it, and what it is called.
@Suite struct `A message's author` {
  // GS-18
  @Test func `is us, numbered and signed, when we publish under StrictSign`() throws {
    let lone = Lone { $0.sequenceStart = 41 }
    lone.signsAtOnce = false
    lone.join(t)
    lone.meet(peer(1), on: t)
    let asked = lone.publish("hello")
    #expect(asked.said == [] && asked.published == [])
    let request = try #require(asked.toSign.first)
    let unsigned = WireMessage(topic: t, payload: "hello", author: peer(0), sequence: 42)
    #expect(request.bytes == Array("libp2p-pubsub:".utf8) + unsigned.bytes)

    let told = lone.tell(.signed(request.ticket, signature: [1, 2, 3], key: [4, 5]))
    let sent = try #require(told.frames.first?.frame.messages.first)
    #expect(sent.claimedAuthor == peer(0))
    #expect(Array(sent.sequence) == [0, 0, 0, 0, 0, 0, 0, 42])
    #expect(sent.signature.map(Array.init) == [1, 2, 3])
    #expect(sent.key.map(Array.init) == [4, 5])
    #expect(sent.signedBytes == request.bytes)
  }

  // GS-18
  @Test func `has no key field when the id embeds the key`() throws {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1), on: t)
    let sent = try #require(lone.publish().frames.first?.frame.messages.first)
    #expect(sent.key == nil && sent.signature != nil)
  }

  // GS-18
  @Test func `is asked to be proven before anything is delivered, and the message goes on unchanged`() throws
  {
    let lone = Lone.onMesh(of: 2)
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(9), 1)
    let told = lone.hear(message, from: peer(1))
    #expect(told.delivered == [] && told.said == [])
    let check = try #require(told.toCheck.first)
    #expect(check.message.bytes == message.bytes)
    let after = lone.tell(.checked(check.ticket, authentic: true))
    #expect(after.delivered == [message.authorID])
    #expect(after.frames.map(\.to) == [peer(2)])
    #expect(after.frames.first?.frame.messages.first?.bytes == message.bytes)
  }

  // GS-19
  @Test func `must have signed, under StrictSign`() {
    let lone = Lone.onMesh(of: 2)
    let message = WireMessage.by(peer(9), 1)
    let unsigned = WireMessage(topic: t, payload: "hello", author: peer(9), sequence: 1)
    let told = lone.hear(unsigned, from: peer(1))
    #expect(told.notices.contains(.rejected(nil, from: peer(1), .missingSignature)))
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.delivered == [] && told.said == [] && told.toCheck.isEmpty)
    #expect(lone.sizes.seen == 0)
    #expect(lone.hear(message, from: peer(2)).delivered == [message.authorID])
  }

  enum Flip: CaseIterable { case data, topic, number, author, signature }

  // GS-20
  @Test(arguments: Flip.allCases)
  func `is not believed if one thing was changed, and the genuine message is accepted later`(flip: Flip) {
    let lone = Lone.onMesh(of: 2)
    lone.join(u)
    let genuine = WireMessage.by(peer(9), 1)
    let signature = Array(genuine.signature ?? [])
    let forged =
      switch flip {
      case .data: WireMessage(topic: t, payload: "hellp", author: peer(9), sequence: 1).signed(signature)
      case .topic: WireMessage(topic: u, payload: "hello", author: peer(9), sequence: 1).signed(signature)
      case .number: WireMessage(topic: t, payload: "hello", author: peer(9), sequence: 2).signed(signature)
      case .author: WireMessage(topic: t, payload: "hello", author: peer(8), sequence: 1).signed(signature)
      case .signature:
        WireMessage(topic: t, payload: "hello", author: peer(9), sequence: 1)
          .signed([signature[0] ^ 1] + signature.dropFirst())
      }
    let told = lone.hear(forged, from: peer(1))
    #expect(told.rejected == [.invalidSignature])
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.delivered == [] && told.said == [])
    #expect(lone.sizes.seen == 0 && lone.sizes.checks == 0)
    #expect(lone.hear(genuine, from: peer(1)).delivered == [genuine.authorID])
  }

  // GS-21
  @Test(arguments: [[], [UInt8](repeating: 1, count: 48)] as [[UInt8]])
  func `that is no peer id leaves the message unbelieved`(author: [UInt8]) {
    let lone = Lone.onMesh(of: 2)
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
      [number << 3 | 2, UInt8(content.count)] + content
    }
    let message =
      field(1, author) + field(2, [1]) + field(3, [0, 0, 0, 0, 0, 0, 0, 1]) + field(4, Array("t".utf8))
      + field(5, [7, 7])
    let told = lone.hear(encoded: field(2, message), from: peer(1))
    #expect(told.rejected == [.invalidSignature])
    #expect(told.delivered == [])
  }

  // GS-22
  @Test func `must not have signed, under StrictNoSign`() {
    let lone = Lone.onMesh(of: 2, policy: .anonymous)
    let signed = WireMessage.anonymous("hello").signed([1, 2, 3])
    let told = lone.hear(signed, from: peer(1))
    #expect(told.rejected == [.unexpectedSignature])
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.delivered == [])
  }

  // GS-22
  @Test func `must not be named at all, under StrictNoSign`() {
    let lone = Lone.onMesh(of: 2, policy: .anonymous)
    let named = WireMessage(topic: t, payload: "1", author: peer(9), sequence: nil)
    let numbered = WireMessage(topic: t, payload: "2", author: nil, sequence: 1)
    // Field 6 is the key.
    let keyed: [UInt8] = WireMessage.anonymous("3").bytes + [6 << 3 | 2, 1, 9]
    #expect(lone.hear(named, from: peer(1)).rejected == [.unexpectedAuthInfo])
    #expect(lone.hear(numbered, from: peer(1)).rejected == [.unexpectedAuthInfo])
    let told = lone.hear(encoded: [2 << 3 | 2, UInt8(keyed.count)] + keyed, from: peer(1))
    #expect(told.rejected == [.unexpectedAuthInfo])
    let plain = WireMessage.anonymous("4")
    #expect(lone.hear(plain, from: peer(2)).delivered == [plain.contentID])
  }

  // GS-22
  @Test func `is left out of what we publish under StrictNoSign`() throws {
    let lone = Lone.onMesh(of: 2, policy: .anonymous)
    let told = lone.publish("hello")
    #expect(told.toSign.isEmpty)
    let sent = try #require(told.frames.first?.frame.messages.first)
    #expect(sent.bytes == WireMessage.anonymous("hello").bytes)
  }

  // GS-23
  @Test(arguments: [Signing.laxSign, .laxNoSign])
  func `need not sign under a lax policy, but must not sign wrongly`(signing: Signing) {
    let lone = Lone.onMesh(of: 2, policy: TopicPolicy(signing: signing))
    let unsigned = WireMessage(topic: t, payload: "1", author: peer(9), sequence: 1)
    let signed = WireMessage.by(peer(9), 2)
    let wrong = WireMessage(topic: t, payload: "3", author: peer(9), sequence: 3).signed([1, 2, 3])
    #expect(lone.hear(unsigned, from: peer(1)).delivered == [unsigned.authorID])
    #expect(lone.hear(signed, from: peer(1)).delivered == [signed.authorID])
    #expect(lone.hear(wrong, from: peer(1)).rejected == [.invalidSignature])
  }

  // GS-23
  @Test func `signs under LaxSign and only gives a name under LaxNoSign`() throws {
    for (signing, signs) in [(Signing.laxSign, true), (.laxNoSign, false)] {
      let lone = Lone.onMesh(of: 1, policy: TopicPolicy(signing: signing))
      let sent = try #require(lone.publish().frames.first?.frame.messages.first)
      #expect(sent.claimedAuthor == peer(0))
      #expect((sent.signature != nil) == signs)
    }
  }

  // GS-24
  @Test func `is not us if somebody else sends it`() {
    let lone = Lone.onMesh(of: 2)
    let stolen = WireMessage.by(peer(0), 77)
    let told = lone.hear(stolen, from: peer(1))
    #expect(told.rejected == [.selfOrigin])
    #expect(told.observed == [.init(.selfOrigin, peer(1))])
    #expect(told.delivered == [] && told.said == [] && told.toCheck.isEmpty)
    #expect(lone.sizes.seen == 0)
  }

  // GS-24
  @Test func `is not held against those who send our own message back`() throws {
    let lone = Lone.onMesh(of: 3)
    let sent = try #require(lone.publish().frames.first?.frame.messages.first)
    for number in 1...3 {
      let told = lone.hear(sent, from: peer(number))
      #expect(told.delivered == [] && told.said == [] && told.observed == [])
    }
    #expect(lone.counters.duplicates == 3)
  }

  /// A replay brings it to others who have forgotten it as well; they pass it on in good faith.
  @Test func `is not held against those who bring our message back after we have forgotten it`() throws {
    let lone = Lone.onMesh(of: 3)
    let sent = try #require(lone.publish().frames.first?.frame.messages.first)
    lone.advance(.seconds(200))
    let told = lone.hear(sent, from: peer(1))
    #expect(told.delivered == [] && told.said == [] && told.observed == [] && told.toCheck.isEmpty)
  }

  // GS-29
  @Test func `gets no copy of its own message, nor does whoever sent it to us`() {
    let lone = Lone.onMesh(of: 5)
    let message = WireMessage.by(peer(2), 1)
    #expect(
      lone.hear(message, from: peer(1)).said == [
        .message(message.authorID, to: peer(3)), .message(message.authorID, to: peer(4)),
        .message(message.authorID, to: peer(5)),
      ])
  }

  // GS-29
  @Test func `gets no copy by asking for it either`() {
    let lone = Lone.onMesh(of: 5)
    let message = WireMessage.by(peer(2), 1)
    lone.hear(message, from: peer(1))
    #expect(lone.hear(.want([message.authorID]), from: peer(2)).said == [])
  }

  // GS-29
  @Test func `matters not for who sent a copy while the first one was examined`() throws {
    let lone = Lone.onMesh(of: 5)
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(9), 1)
    let check = try #require(lone.hear(message, from: peer(1)).toCheck.first)
    lone.hear(message, from: peer(3))
    let told = lone.tell(.checked(check.ticket, authentic: true))
    #expect(told.receivers(of: message.authorID) == [peer(2), peer(4), peer(5)])
  }
}

@Suite struct `A message's id` {
  // GS-27
  @Test func `cannot come from the author where messages are anonymous`() {
    let policy = TopicPolicy(signing: .strictNoSign, identification: .author)
    #expect(throws: ConfigurationError.self) { try policy.validate() }
    let lone = Lone()
    guard case .failure(.topic) = lone.publish(policy: policy).published.first?.result else {
      Issue.record("published")
      return
    }
  }

  // GS-27
  @Test func `is its content's hash on request, so that the same bytes are one message`() {
    let lone = Lone.onMesh(of: 3, policy: .anonymous)
    let message = WireMessage.anonymous("same")
    #expect(lone.hear(message, from: peer(1)).delivered == [message.contentID])
    #expect(lone.hear(.anonymous("same"), from: peer(2)).delivered == [])
    #expect(lone.counters.duplicates == 1)
  }

  // GS-28
  @Test func `is one for the same number of the same author whatever it says`() {
    let lone = Lone.onMesh(of: 3)
    #expect(lone.hear(.by(peer(9), 1, "one"), from: peer(1)).delivered.count == 1)
    #expect(lone.hear(.by(peer(9), 1, "two"), from: peer(2)).delivered == [])
  }

  // GS-28
  @Test func `by a custom function names the message everywhere alike, and is computed once per copy`() {
    let counted = Counted()
    let policy = TopicPolicy(
      identification: .custom { message in
        counted.count()
        return Array("id:".utf8) + Array(message.payload.bytes.prefix(3))
      })
    let lone = Lone.onMesh(of: 5, outside: 3, policy: policy)
    let id = MessageID(Array("id:big".utf8))
    let message = WireMessage.by(peer(9), 1, Payload("big" + String(repeating: ".", count: 5_000)))

    #expect(lone.hear(.have(t, [id]), from: peer(6)).said == [.want([id], to: peer(6))])
    lone.hear(.dontWant([id]), from: peer(3))
    let told = lone.hear(message, from: peer(1))
    #expect(told.delivered == [id])
    #expect(told.said.filter { $0.thing == .word(.dontWant([id])) }.map(\.to) == peers(2...5))
    #expect(told.sentTexts.map(\.to) == [peer(2), peer(4), peer(5)])
    #expect(counted.value == 1)
    #expect(lone.hear(.want([id]), from: peer(7)).sentTexts.map(\.to) == [peer(7)])
    #expect(lone.hear(.have(t, [id]), from: peer(8)).said == [])
    #expect(lone.advance(.seconds(4)).observed == [])
  }

  // GS-28
  @Test func `is computed once for a message of our own`() {
    let counted = Counted()
    let policy = TopicPolicy(
      identification: .custom { _ in
        counted.count()
        return [1]
      })
    let lone = Lone.onMesh(of: 2, policy: policy)
    #expect(lone.publish().publication?.id == MessageID([1]))
    #expect(counted.value == 1)
  }

  /// Counts calls of a function that must be pure.
  final class Counted: Sendable {
    private let calls = Mutex(0)
    var value: Int { calls.withLock { $0 } }
    func count() { calls.withLock { $0 += 1 } }
  }
}
