import GossipCore
import Testing

/// Subscribing, joining, leaving; and peers doing the same.
@Suite struct `A node on a topic` {
  // GS-30
  @Test func `announces to all and grafts D of them when it joins`() {
    let lone = Lone()
    lone.meet(peers(1...10))
    let told = lone.join(t)
    #expect(told.frames.map(\.to) == peers(1...10))
    #expect(told.frames.allSatisfy { $0.frame.subscriptions == [Subscription(t, joins: true)] })
    let grafted = told.grafted(t)
    #expect(grafted.count == 6 && Set(grafted) == Set(lone.mesh()))
    #expect(told.said.count == 16)
  }

  // GS-30
  @Test func `announces to all and prunes its mesh for 10 s when it leaves`() {
    let lone = Lone()
    lone.meet(peers(1...10))
    lone.join(t)
    let mesh = lone.mesh()
    let told = lone.leave(t)
    #expect(told.frames.map(\.to) == peers(1...10))
    #expect(told.frames.allSatisfy { $0.frame.subscriptions == [Subscription(t, joins: false)] })
    let prunes = told.said.filter { if case .word = $0.thing { true } else { false } }
    #expect(Set(prunes) == Set(mesh.map { Said.prune(t, 10, to: $0) }) && prunes.count == 6)
    #expect(lone.snapshot.topics.isEmpty)
  }

  // GS-30
  @Test func `says nothing when it joins where it is, or leaves where it is not`() {
    let lone = Lone.onMesh(of: 3)
    #expect(lone.join(t).said == [])
    #expect(lone.leave(u).said == [])
  }

  // GS-31
  @Test func `says GRAFT only after SUBSCRIBE on the same stream`() {
    let lone = Lone()
    var told = lone.meet(peers(1...4))
    told += lone.join(t)
    told += lone.meet(peers(5...8))
    told += lone.leave(t)
    told += lone.advance(.seconds(30))
    told += lone.join(t)
    told += lone.meet(peers(9...12))
    told += lone.advance(.seconds(5))
    var announced = Set<PeerID>()
    for said in told.said {
      switch said.thing {
      case .subscription(let subscription):
        if subscription.joins { announced.insert(said.to) } else { announced.remove(said.to) }
      case .word(.graft): #expect(announced.contains(said.to))
      default: break
      }
    }
    #expect(told.grafted(t).count > 10)
  }

  // GS-31
  @Test func `writes subscriptions ahead of grafts within a frame`() throws {
    let lone = Lone()
    lone.meet(peer(1), on: t)
    let frame = try #require(lone.join(t).frames.first?.frame)
    #expect(frame.encoded == [0x0a, 5, 0x08, 1, 0x12, 1, 0x74, 0x1a, 5, 0x1a, 3, 0x0a, 1, 0x74])
  }

  // GS-32
  @Test func `does not graft those it pruned by leaving until the backoff and its slack are over`() {
    let lone = Lone.onMesh(of: 4)
    lone.leave(t)
    #expect(lone.join(t).grafted(t) == [])
    #expect(lone.advance(.seconds(12)).grafted(t) == [])
    #expect(Set(lone.advance(.seconds(18)).grafted(t)) == Set(peers(1...4)))
  }

  // GS-33
  @Test func `takes its fanout into the mesh when it joins`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...20))
    let fanout = lone.publish().sentTexts.map(\.to)
    #expect(fanout.count == 6)
    #expect(lone.sizes.perPeer == 6)
    let told = lone.join(t)
    #expect(told.grafted(t).sorted() == fanout.sorted())
    #expect(lone.mesh().sorted() == fanout.sorted())
    #expect(lone.sizes.perPeer == 6, "the fanout is gone")
  }

  // GS-33
  @Test func `leaves fanout peers that are backed off out of the mesh`() {
    let lone = Lone { $0.gossipSub.floodPublishSize = 0 }
    lone.meet(peers(1...6))
    lone.join(t)
    lone.leave(t)  // these six are backed off now
    lone.meet(peers(7...12))
    lone.publish()
    #expect(Set(lone.join(t).grafted(t)) == Set(peers(7...12)))
  }

  // GS-34
  @Test func `takes a peer that unsubscribes out of the mesh without a word or a grudge`() {
    let lone = Lone.onMesh(of: 5)
    let told = lone.hear(subscriptions: [Subscription(t, joins: false)], from: peer(2))
    #expect(told.said == [])
    #expect(
      told.notices == [.pruned(peer(2), t, by: .peer), .unsubscribed(peer(2), t)]
        || told.notices == [.unsubscribed(peer(2), t), .pruned(peer(2), t, by: .peer)])
    #expect(lone.mesh() == [peer(1), peer(3), peer(4), peer(5)])
    #expect(lone.advance(.seconds(5)).said == [], "it is not chosen again")
    #expect(
      lone.hear(subscriptions: [Subscription(t, joins: true)], from: peer(2)).said == [.graft(t, to: peer(2))]
    )
  }

  // GS-35
  @Test func `notices a repeated subscription once`() {
    let lone = Lone()
    let joins = Subscription(t, joins: true)
    lone.connect(peer(1))
    lone.open(peer(1))
    #expect(lone.hear(subscriptions: [joins, joins], from: peer(1)).notices == [.subscribed(peer(1), t)])
    #expect(lone.hear(subscriptions: [joins], from: peer(1)).notices == [])
  }

  // GS-35
  @Test func `takes opposite announcements in one frame for none`() {
    let lone = Lone()
    let (joins, leaves) = (Subscription(t, joins: true), Subscription(t, joins: false))
    lone.join(t)
    lone.connect(peer(1))
    lone.open(peer(1))
    #expect(lone.hear(subscriptions: [joins, leaves], from: peer(1)).effects.isEmpty)
    #expect(lone.hear(subscriptions: [leaves, joins, leaves], from: peer(1)).effects.isEmpty)
    let flapping = lone.hear(subscriptions: [joins, leaves, joins, leaves, joins], from: peer(1))
    #expect(flapping.said == [.graft(t, to: peer(1))])
    #expect(flapping.notices.filter { $0 == .subscribed(peer(1), t) }.count == 1)
  }

  // GS-39
  @Test func `lets one peer be on a bounded number of topics`() {
    let lone = Lone { $0.limits.topicsPerPeer = 100 }
    lone.meet(peer(1))
    let many = (0..<4_000).map { Subscription(Topic("topic \($0)"), joins: true) }
    let told = lone.hear(subscriptions: many, from: peer(1))
    #expect(told.observed == [.init(.flooded, peer(1))])
    #expect(lone.snapshot.peers[0].topics.count == 100)
    #expect(
      lone.hear(subscriptions: [Subscription("topic 1", joins: false)], from: peer(1)).notices.count == 1)
    #expect(lone.hear(subscriptions: [Subscription("new", joins: true)], from: peer(1)).observed == [])
  }

  // GS-40
  @Test func `forgets a topic with its last peer`() {
    let lone = Lone()
    lone.meet(peers(1...2))
    #expect(lone.node.members(of: t) == peers(1...2))
    lone.disconnect(peer(1))
    lone.hear(subscriptions: [Subscription(t, joins: false)], from: peer(2))
    #expect(lone.node.members(of: t) == [])
    #expect(lone.snapshot.peers.map(\.topics) == [[]])
  }

  @Test func `counts a peer as member only while its own stream to it is open`() {
    let lone = Lone()
    lone.join(t)
    lone.connect(peer(1))
    let early = lone.hear(subscriptions: [Subscription(t, joins: true)], from: peer(1))
    #expect(early.effects.isEmpty)
    #expect(lone.node.members(of: t) == [])
    #expect(lone.open(peer(1)).said == [.joins(t, to: peer(1)), .graft(t, to: peer(1))])
    lone.tell(.closed(peer(1), .gossipSub))
    #expect(lone.node.members(of: t) == [] && lone.mesh() == [])
  }

  @Test func `moves a topic to another manner by leaving and joining`() {
    let lone = Lone.onMesh(of: 1)
    lone.open(peer(1), "/gossip/direct/1.0.0")
    let told = lone.join(t, policy: .direct)
    #expect(told.said == [.leaves(t, to: peer(1)), .prune(t, 10, to: peer(1)), .joins(t, to: peer(1))])
    #expect(told.frames.map(\.frame.manner) == [.gossipSub, .direct])
    #expect(lone.snapshot.topics.map(\.spread) == [.direct])
  }
}
