import GossipCore
import Testing

/// The node as a whole: what it tells about itself, how it ages, and that equal lives are equal.
@Suite struct `A node's life` {
  // GS-145
  @Test func `goes on when a peer's queue was full`() {
    let lone = Lone.onMesh(of: 3)
    let told = lone.tell(.shed(peer(2), .message, count: 5))
    #expect(told.said == [])
    #expect(told.notices.contains(.shed(peer(2), .message, count: 5)))
    #expect(told.observed == [.init(.stalled, peer(2))])
    #expect(lone.counters.shed == 5)
    #expect(lone.mesh() == peers(1...3))
    let message = WireMessage.by(peer(9), 1)
    #expect(lone.hear(message, from: peer(1)).receivers(of: message.authorID) == [peer(2), peer(3)])
  }

  // GS-8
  @Test func `goes on when a peer sent garbage`() {
    let lone = Lone.onMesh(of: 3)
    let told = lone.tell(.garbled(.truncated("frame"), from: peer(2)))
    #expect(told.said == [] && told.observed == [.init(.garbled, peer(2))])
    #expect(lone.counters.garbled == 1)
  }

  // GS-148
  @Test func `of ten minutes among peers that come and go leaves nothing of them behind`() {
    let lone = Lone { $0.reputation.peerScore.retainFor = .seconds(100) }
    var dice = Dice(148)
    lone.join(t)
    lone.join(u)
    lone.join("told", policy: .direct)
    var present: [PeerID] = []
    for second in 0..<600 {
      if present.count < 30, Bool.random(using: &dice) {
        let next = peer(1 + second)
        present.append(next)
        lone.meet(next, on: t, u, outbound: Bool.random(using: &dice))
        lone.open(next, direct)
        lone.hear(.graft(t), .have(u, [id(second)]), .dontWant([id(second)]), from: next)
        lone.hear(.by(next, UInt64(second)), from: next)
        lone.hear(.ask(1, "told", "?", patience: 30_000), on: .direct, from: next)
      }
      if present.count > 10, let leaver = present.randomElement(using: &dice) {
        present.removeAll { $0 == leaver }
        if Bool.random(using: &dice) { lone.tell(.closed(leaver, .gossipSub)) }
        lone.disconnect(leaver)
      }
      if second % 90 == 60 { lone.leave(u) }
      if second % 90 == 70 { lone.join(u) }
      lone.advance(.seconds(1))
    }
    for peer in present { lone.disconnect(peer) }
    lone.advance(.seconds(700))
    var sizes = lone.sizes
    #expect(sizes.guarded > 200, "the firewall remembers who was here, in bounds of its own")
    sizes.guarded = 0
    #expect(sizes == Lone().sizes)
    #expect(lone.sizes.alarms == 1)
  }

  // GS-149
  @Test func `is not disturbed by a clock that runs backwards`() {
    let lone = Lone.onMesh(of: 3, at: .zero + .seconds(7_200))
    lone.beat()
    let deadline = lone.node.deadline
    var node = lone.node
    var effects: [Node.Effect] = []
    node.handle(.wake, at: lone.now - .seconds(3_600), into: &effects)
    #expect(effects.isEmpty && node.deadline == deadline)
    node.handle(.wake, at: lone.now + .milliseconds(999), into: &effects)
    #expect(effects.isEmpty && node.deadline == deadline)
  }

  // GS-149
  @Test(arguments: [Duration.seconds(3_600), .seconds(86_400 * 50), .seconds(86_400 * 365 * 200)])
  func `goes on as usual after a long sleep`(sleep: Duration) {
    let lone = Lone.onMesh(of: 6, outside: 10)
    lone.jump(sleep)
    #expect(lone.sizes.alarms == 1)
    let message = WireMessage.by(peer(90), 1)
    #expect(lone.hear(message, from: peer(1)).receivers(of: message.authorID) == peers(2...6))
    let before = lone.now
    lone.beat(10)
    #expect(lone.now - before <= .seconds(10) && lone.now - before > .seconds(9))
    lone.hear(.prune(t, backoff: 60), from: peer(2))
    lone.advance(.seconds(59))
    #expect(lone.hear(.graft(t), from: peer(2)).pruned(t) == [peer(2)])
  }

  // GS-56
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `is the same for two nodes told the same`(seed: UInt64) {
    let (first, second) = (RandomLife(seed), RandomLife(seed))
    for _ in 0..<400 {
      let (one, other) = (first.step(), second.step())
      let (a, b) = (one.effects.map { "\($0)" }, other.effects.map { "\($0)" })
      guard a == b else {
        Issue.record("they differ: \(a) and \(b)")
        return
      }
    }
    #expect("\(first.lone.snapshot)" == "\(second.lone.snapshot)")
  }

  @Test func `can be copied, and the copies live apart`() {
    let lone = Lone.onMesh(of: 3)
    var copy = lone.node
    var effects: [Node.Effect] = []
    copy.handle(.unsubscribe(t), at: lone.now, into: &effects)
    #expect(copy.snapshot.topics.isEmpty && lone.snapshot.topics.count == 1)
  }
}

@Suite struct `A snapshot` {
  @Test func `tells peers, topics, counters and sizes`() throws {
    let lone = Lone()
    lone.join(t, policy: .judged)
    lone.join("told", policy: .direct)
    lone.meet(peer(1), on: t, u, outbound: true)
    lone.meet(peer(2), on: "told", speaking: direct)
    lone.open(peer(2), "/meshsub/1.1.0")
    lone.tell(.garbled(.truncated("frame"), from: peer(2)))
    lone.tell(.garbled(.truncated("frame"), from: peer(2)))
    lone.hear(.by(peer(9), 1), from: peer(1))
    lone.hear(.have(t, [id(1)]), from: peer(2))
    lone.publish(on: t)

    let snapshot = lone.snapshot
    #expect(snapshot.me == peer(0))
    #expect(snapshot.peers.map(\.id) == [peer(1), peer(2)])
    #expect(snapshot.peers.map(\.link.isOutbound) == [true, false])
    #expect(snapshot.peers.map(\.speaks) == [["/meshsub/1.2.0"], ["/meshsub/1.1.0", direct]])
    #expect(snapshot.peers.map(\.topics) == [[t, u], ["told"]])
    #expect(snapshot.peers[1].observations.map(\.0) == [.garbled])
    #expect(snapshot.peers[1].observations.map(\.1) == [2])
    #expect(snapshot.topics.map(\.topic) == [t, "told"])
    #expect(snapshot.topics.map(\.spread) == [.gossipSub, .direct])
    #expect(snapshot.topics.map(\.members) == [[peer(1)], [peer(2)]])
    #expect(snapshot.topics.map(\.partners) == [[peer(1)], []])

    var counters = Counters()
    (counters.published, counters.delivered) = (1, 1)
    (counters.framesReceived, counters.messagesReceived) = (4, 1)
    // Two greetings and a GRAFT to peer 1, one greeting each to peer 2, a want, a message, and no copy to anybody.
    (counters.framesSent, counters.messagesSent) = (snapshot.counters.framesSent, 1)
    (counters.garbled, counters.wantsAsked) = (2, 1)
    #expect(snapshot.counters == counters)

    var sizes = Lone().sizes
    (sizes.seen, sizes.stored, sizes.wants, sizes.peers) = (2, 2, 1, 2)
    sizes.storedBytes = snapshot.sizes.storedBytes
    sizes.guarded = 2
    (sizes.alarms, sizes.perPeer) = (2, 1 + 1)  // heartbeat and promise; mesh and this heartbeat's allowance
    #expect(snapshot.sizes == sizes)
    #expect(snapshot.sizes.storedBytes > 0)
  }

  @Test func `changes nothing`() {
    let lone = Lone.onMesh(of: 3)
    let (before, deadline) = ("\(lone.snapshot)", lone.node.deadline)
    for _ in 1...10 { _ = lone.snapshot }
    #expect("\(lone.snapshot)" == before && lone.node.deadline == deadline)
  }

  @Test func `shows no member of the mesh that is not a connected peer`() {
    for seed in 1...5 as ClosedRange<UInt64> {
      let life = RandomLife(seed)
      for _ in 0..<500 {
        life.step()
        let snapshot = life.lone.snapshot
        let connected = Set(snapshot.peers.map(\.id))
        for topic in snapshot.topics where !connected.isSuperset(of: topic.partners + topic.members) {
          Issue.record("seed \(seed): \(topic)")
          return
        }
      }
    }
  }
}
