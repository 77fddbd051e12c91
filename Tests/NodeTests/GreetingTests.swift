import GossipCore
import Testing

/// How a node meets a peer: the hello, and what each protocol version may be told.
@Suite struct `A node that meets a peer` {
  // GS-4
  @Test func `greets a new stream with one frame of everything it is on`() {
    let lone = Lone()
    lone.join("a", "b", "c")
    lone.connect(peer(1))
    let told = lone.open(peer(1))
    #expect(told.said == [.joins("a", to: peer(1)), .joins("b", to: peer(1)), .joins("c", to: peer(1))])
    #expect(told.frames.count == 1)
  }

  // GS-4
  @Test func `says nothing to a new stream while it is on no topic`() {
    let lone = Lone()
    lone.connect(peer(1))
    #expect(lone.open(peer(1)).said == [])
  }

  // GS-4
  @Test func `greets again when its stream was lost and opened anew`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1))
    lone.tell(.closed(peer(1), .gossipSub))
    #expect(lone.open(peer(1)).said == [.joins(t, to: peer(1))])
  }

  // GS-5
  @Test func `leaves out of its greeting what it only publishes to, and what it has left`() {
    let lone = Lone()
    lone.join("stays", "left")
    lone.publish(on: "fanout only")
    lone.leave("left")
    lone.connect(peer(1))
    #expect(lone.open(peer(1)).said == [.joins("stays", to: peer(1))])
  }

  // GS-4
  @Test func `greets each manner's stream with that manner's topics`() {
    let lone = Lone()
    lone.join("gossiped")
    lone.join("told", policy: .direct)
    lone.connect(peer(1))
    #expect(lone.open(peer(1)).said == [.joins("gossiped", to: peer(1))])
    #expect(lone.open(peer(1), "/gossip/direct/1.0.0").said == [.joins("told", to: peer(1))])
  }

  // GS-3
  @Test func `prunes a v1.0 peer without naming a backoff, and later versions with one`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1), on: t, speaking: "/meshsub/1.0.0")
    lone.meet(peer(2), on: t, speaking: "/meshsub/1.1.0")
    lone.meet(peer(3), on: t, speaking: "/meshsub/1.2.0")
    #expect(
      lone.leave(t).said == [
        .leaves(t, to: peer(1)), .prune(t, nil, to: peer(1)),
        .leaves(t, to: peer(2)), .prune(t, 10, to: peer(2)),
        .leaves(t, to: peer(3)), .prune(t, 10, to: peer(3)),
      ])
  }

  // GS-3
  @Test func `says IDONTWANT to v1.2 peers only`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1), on: t, speaking: "/meshsub/1.0.0")
    lone.meet(peer(2), on: t, speaking: "/meshsub/1.1.0")
    lone.meet(peer(3), on: t, speaking: "/meshsub/1.2.0")
    lone.meet(peer(4), on: t)
    let message = WireMessage.by(peer(9), 1, bytes(5_000))
    lone.checksAtOnce = false
    #expect(lone.hear(message, from: peer(4)).said == [.dontWant([message.authorID], to: peer(3))])
  }

  // GS-9
  @Test(arguments: [[0xff, 0x80, 0x00], [0x00], [0xc3, 0x28, 0x00, 0x00], []] as [[UInt8]])
  func `keeps ids that are not text as they are`(raw: [UInt8]) {
    let lone = Lone.onMesh(of: 5, outside: 2)
    let id = MessageID(raw)
    #expect(lone.hear(.have(t, [id]), from: peer(6)).said == [.want([id], to: peer(6))])
  }

  // GS-9
  @Test func `serves, and withholds, a message under an id that is not text`() {
    let odd: [UInt8] = [0xff, 0x00, 0x80, 0xc3]
    let policy = TopicPolicy(signing: .laxNoSign, identification: .custom { _ in odd })
    let lone = Lone.onMesh(of: 5, outside: 2, policy: policy)
    lone.hear(.dontWant([MessageID(odd)]), from: peer(2))
    let told = lone.hear(.by(peer(9), 1), from: peer(1))
    #expect(told.delivered == [MessageID(odd)])
    #expect(told.sentTexts.map(\.to) == [peer(3), peer(4), peer(5)])
    #expect(lone.hear(.want([MessageID(odd)]), from: peer(6)).sentTexts.map(\.to) == [peer(6)])
    #expect(lone.hear(.want([MessageID(odd)]), from: peer(2)).said == [])
  }

  @Test func `takes a second connection of the same peer for the same peer`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1), on: t)
    #expect(lone.connect(peer(1), outbound: true).effects.isEmpty)
    #expect(lone.open(peer(1)).said == [])
    #expect(lone.snapshot.peers.map(\.id) == [peer(1)])
  }

  @Test func `does not count itself among its peers`() {
    let lone = Lone()
    #expect(lone.connect(peer(0)).effects.isEmpty)
    #expect(lone.snapshot.peers.isEmpty)
  }

  @Test func `hears nothing from somebody who is not connected`() {
    let lone = Lone()
    lone.join(t)
    #expect(lone.hear(.by(peer(9), 1), from: peer(1)).effects.isEmpty)
    #expect(lone.hear(.graft(t), .have(t, [id(1)]), from: peer(1)).effects.isEmpty)
  }
}
