import GossipCore
import Testing

/// IDONTWANT, said and heard.
@Suite struct `An IDONTWANT` {
  // GS-93
  @Test func `goes to v1.2 partners before validation, but not to the sender or outside the mesh`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peers(1...3))
    lone.meet(peers(4...5), on: t, speaking: "/meshsub/1.1.0")
    lone.meet(peer(6), on: t)
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(9), 1, bytes(4_096))
    let id = message.authorID
    let told = lone.hear(message, from: peer(1))
    #expect(told.said == [.dontWant([id], to: peer(2)), .dontWant([id], to: peer(3))])
    #expect(told.delivered == [])
    #expect(lone.counters.dontWantsSent == 2)
  }

  // GS-94
  @Test func `is not said of 4,095 bytes`() {
    let lone = Lone.onMesh(of: 5)
    lone.checksAtOnce = false
    #expect(lone.hear(.by(peer(9), 1, bytes(4_095)), from: peer(1)).said == [])
    lone.checksAtOnce = true
    #expect(
      lone.publish(bytes(4_095)).said.allSatisfy { if case .message = $0.thing { true } else { false } })
  }

  // GS-95
  @Test(arguments: [4_096, 100_000])
  func `precedes the payload of our own message on each stream`(size: Int) throws {
    let lone = Lone()
    lone.join(t)
    lone.meet(peers(1...2))
    lone.meet(peer(3), on: t, speaking: "/meshsub/1.1.0")
    let told = lone.publish(bytes(size))
    let id = try #require(told.publication?.id)
    for (frame, receiver) in told.frames {
      var queue = SendQueue(.gossipSub, SendQueue.Bounds(), WireLimits())
      #expect(queue.push(frame).isEmpty)
      let written = try queue.popFrames().flatMap { $0.said(to: receiver) }
      let message = Said.message(id, to: receiver)
      #expect(written == (receiver == peer(3) ? [message] : [.dontWant([id], to: receiver), message]))
    }
    #expect(told.frames.count == 3)
  }

  // GS-96
  @Test func `keeps the message from the peer, by mesh and by want, and no other message`() {
    let lone = Lone.onMesh(of: 5)
    let (declined, other) = (WireMessage.by(peer(9), 1), WireMessage.by(peer(9), 2))
    #expect(lone.hear(.dontWant([declined.authorID]), from: peer(2)).said == [])
    #expect(lone.hear(declined, from: peer(1)).receivers(of: declined.authorID) == peers(3...5))
    #expect(lone.hear(.want([declined.authorID]), from: peer(2)).said == [])
    #expect(lone.hear(other, from: peer(1)).receivers(of: other.authorID) == peers(2...5))
    #expect(lone.hear(.want([other.authorID]), from: peer(2)).receivers(of: other.authorID) == [peer(2)])
  }

  // GS-96
  @Test func `keeps our own larger messages from the peer as well`() {
    let lone = Lone.onMesh(of: 3, policy: .anonymous)
    let payload = bytes(10_000)
    lone.hear(.dontWant([WireMessage.anonymous(payload).contentID]), from: peer(2))
    #expect(lone.publish(payload).sentTexts.map(\.to) == [peer(1), peer(3)])
  }

  // GS-97
  @Test func `is remembered for three heartbeats`() {
    func receivers(after delay: Duration) -> [PeerID] {
      let lone = Lone.onMesh(of: 3)
      lone.beat()
      let message = WireMessage.by(peer(9), 1)
      lone.hear(.dontWant([message.authorID]), from: peer(2))
      lone.advance(delay)
      return lone.hear(message, from: peer(1)).receivers(of: message.authorID)
    }
    #expect(receivers(after: .milliseconds(2_900)) == [peer(3)])
    #expect(receivers(after: .milliseconds(3_100)) == [peer(2), peer(3)])
  }

  // GS-97
  @Test func `is forgotten when the peer leaves`() {
    let lone = Lone.onMesh(of: 3)
    let message = WireMessage.by(peer(9), 1)
    lone.hear(.dontWant([message.authorID]), from: peer(2))
    lone.disconnect(peer(2))
    #expect(lone.sizes.perPeer == 2)
    lone.meet(peer(2), on: t)
    #expect(lone.hear(message, from: peer(1)).receivers(of: message.authorID) == [peer(3), peer(2)])
  }

  // GS-98
  @Test func `counts for its first ten ids`() {
    let lone = Lone.onMesh(of: 3)
    let messages = (1...11).map { WireMessage.by(peer(9), $0) }
    lone.hear(.dontWant(messages.map(\.authorID)), from: peer(2))
    #expect(lone.hear(messages[9], from: peer(1)).receivers(of: messages[9].authorID) == [peer(3)])
    #expect(
      lone.hear(messages[10], from: peer(1)).receivers(of: messages[10].authorID) == [peer(2), peer(3)])
  }

  // GS-98
  @Test func `counts for ten ids per frame however many words hold them`() {
    let lone = Lone.onMesh(of: 3)
    let messages = (1...11).map { WireMessage.by(peer(9), $0) }
    lone.hear(words: messages.map { .dontWant([$0.authorID]) }, from: peer(2))
    #expect(
      lone.hear(messages[10], from: peer(1)).receivers(of: messages[10].authorID) == [peer(2), peer(3)])
  }

  // GS-98
  @Test func `is ignored after a thousand frames within a heartbeat, and heard again after it`() {
    let lone = Lone.onMesh(of: 3)
    lone.beat()
    let (late, next) = (WireMessage.by(peer(9), 1), WireMessage.by(peer(9), 2))
    for number in 1...1_000 {
      #expect(lone.hear(.dontWant([id(number)]), from: peer(2)).observed == [])
    }
    #expect(lone.hear(.dontWant([late.authorID]), from: peer(2)).observed == [.init(.flooded, peer(2))])
    #expect(lone.hear(late, from: peer(1)).receivers(of: late.authorID) == [peer(2), peer(3)])
    lone.beat()
    lone.hear(.dontWant([next.authorID]), from: peer(2))
    #expect(lone.hear(next, from: peer(1)).receivers(of: next.authorID) == [peer(3)])
  }

  // GS-99
  @Test func `may be said of a message that is then rejected, never of a duplicate`() {
    let lone = Lone.onMesh(of: 5, policy: .judged)
    lone.verdict = .reject
    let message = WireMessage.by(peer(9), 1, bytes(5_000))
    let id = message.authorID
    #expect(lone.hear(message, from: peer(1)).said == (2...5).map { .dontWant([id], to: peer($0)) })
    for number in 1...5 { #expect(lone.hear(message, from: peer(number)).said == []) }
  }

  // GS-99
  @Test func `is not said of a message refused before its examination`() {
    let lone = Lone.onMesh(of: 5)
    let unsigned = WireMessage(topic: t, payload: bytes(5_000), author: peer(9), sequence: 1)
    #expect(lone.hear(unsigned, from: peer(1)).said == [])
    #expect(lone.hear(.by(peer(0), 1, bytes(5_000)), from: peer(1)).said == [])
  }

  // GS-100
  @Test func `overtakes payloads that wait to be sent`() throws {
    var queue = SendQueue(.gossipSub, SendQueue.Bounds(), WireLimits())
    let messages = (1...5).map { WireMessage.by(peer(9), $0, bytes(60_000)) }
    for message in messages {
      var frame = Frame(.gossipSub)
      frame.messages = [message]
      _ = queue.push(frame)
    }
    var urgent = Frame(.gossipSub)
    urgent.controls = [.dontWant([id(1)])]
    _ = queue.push(urgent)
    let written = try queue.popFrames().flatMap { $0.said(to: peer(1)) }
    #expect(
      written == [.dontWant([id(1)], to: peer(1))] + messages.map { .message($0.authorID, to: peer(1)) })
  }
}
