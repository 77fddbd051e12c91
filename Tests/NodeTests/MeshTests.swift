import GossipCore
import Testing

/// The heartbeat brings the mesh to its size.
@Suite struct `A mesh` {
  // GS-42
  @Test func `below D_lo is brought to D by one heartbeat`() {
    let lone = Lone.onMesh(of: 5, outside: 10)
    lone.disconnect(peer(1))
    #expect(lone.mesh().count == 4)
    #expect(lone.beat().grafted(t).count == 2)
    #expect(lone.mesh().count == 6)
  }

  // GS-42
  @Test(arguments: 5...11)
  func `between D_lo and D_hi is left alone`(size: Int) {
    let lone = Lone.onMesh(of: size, outside: 4)
    #expect(lone.beat(3).said == [])
    #expect(lone.mesh() == peers(1...size))
  }

  // GS-42
  @Test func `stays as small as its candidates are few`() {
    let lone = Lone.onMesh(of: 3)
    #expect(lone.beat(3).said == [])
    #expect(lone.mesh().count == 3)
  }

  @Test func `at D_hi is pruned to D, for a minute`() {
    let lone = Lone.onMesh(of: 12)
    let told = lone.beat()
    #expect(told.said.count == 6)
    #expect(told.said.allSatisfy { $0.thing == .word(.prune(t, backoff: 60)) })
    #expect(lone.mesh().count == 6)
    #expect(Set(told.pruned(t)).isDisjoint(with: lone.mesh()))
  }

  @Test(arguments: 1...20 as ClosedRange<UInt8>)
  func `that is pruned keeps D_out of those it dialed`(seed: UInt8) {
    let lone = Lone(seed: [seed])
    lone.join(t)
    lone.meet(peers(1...9))
    for number in 6...9 { lone.hear(.graft(t), from: peer(number)) }
    for number in 10...12 {
      lone.meet(peer(number), on: t, outbound: true)
      lone.hear(.graft(t), from: peer(number))
    }
    #expect(lone.mesh().count == 12)
    lone.beat()
    #expect(lone.mesh().count == 6)
    #expect(lone.mesh().count { number(of: $0) >= 10 } >= 2)
  }

  // GS-44
  @Test func `without partners it dialed takes D_out of them, even above D`() {
    let lone = Lone.onMesh(of: 6)
    for number in 7...10 { lone.meet(peer(number), on: t, outbound: true) }
    let told = lone.beat()
    #expect(told.grafted(t).count == 2)
    #expect(told.grafted(t).allSatisfy { (7...10).contains(number(of: $0)) })
    #expect(lone.mesh().count == 8)
    #expect(lone.beat(5).grafted(t) == [])
  }

  // GS-48
  @Test(arguments: 0...5)
  func `takes what there is when there are fewer candidates than it needs`(candidates: Int) {
    let lone = Lone()
    if candidates > 0 { lone.meet(peers(1...candidates)) }
    #expect(lone.join(t).grafted(t).count == candidates)
    #expect(lone.beat().said == [])
    #expect(lone.mesh().count == candidates)
  }

  // GS-48
  @Test func `that needs nobody takes nobody`() {
    let lone = Lone.meshless(peers: 10)
    #expect(lone.beat(3).said == [])
    #expect(lone.mesh() == [])
  }

  // GS-49
  @Test func `takes a pruned peer back after its backoff and the slack, not before`() {
    let lone = Lone.onMesh(of: 1)
    lone.hear(.prune(t, backoff: 5), from: peer(1))
    #expect(lone.mesh() == [])
    #expect(lone.advance(.seconds(7)).grafted(t) == [])
    #expect(lone.advance(.seconds(15)).grafted(t) == [peer(1)])
  }

  // GS-49
  @Test func `takes back whom it pruned itself after a minute, not before`() {
    let lone = Lone.onMesh(of: 12)
    let pruned = lone.beat().pruned(t)
    for peer in lone.mesh() { lone.disconnect(peer) }
    #expect(lone.advance(.seconds(61)).grafted(t) == [])
    #expect(Set(lone.advance(.seconds(17)).grafted(t)) == Set(pruned))
  }

  // GS-50
  @Test func `words of one heartbeat to one peer travel in one frame`() {
    let topics = (1...35).map { Topic("topic \($0)") }
    let lone = Lone()
    for topic in topics { lone.join(topic) }
    for number in 1...12 {
      lone.connect(peer(number))
      lone.open(peer(number))
      lone.hear(subscriptions: topics.map { Subscription($0, joins: true) }, from: peer(number))
      lone.hear(words: topics.map { .graft($0) }, from: peer(number))
    }
    let told = lone.beat()
    for topic in topics { #expect(told.pruned(topic).count == 6) }
    #expect(Set(told.frames.map(\.to)).count == told.frames.count)
    #expect(told.frames.count <= 12)
  }

  // GS-50
  @Test func `of 35 topics grafts a new peer in one frame`() {
    let topics = (1...35).map { Topic("topic \($0)") }
    let lone = Lone()
    for topic in topics { lone.join(topic) }
    lone.connect(peer(1))
    lone.open(peer(1))
    let told = lone.hear(subscriptions: topics.map { Subscription($0, joins: true) }, from: peer(1))
    #expect(told.said == topics.map { .graft($0, to: peer(1)) })
    #expect(told.frames.count == 1)
  }

  // GS-51
  @Test func `word that waits to be sent is dropped when its opposite overtakes it`() throws {
    var queue = SendQueue(.gossipSub, SendQueue.Bounds(), WireLimits())
    var (graft, prune) = (Frame(.gossipSub), Frame(.gossipSub))
    graft.controls = [.graft(t), .graft(u)]
    prune.controls = [.prune(t, backoff: 60)]
    _ = queue.push(graft)
    _ = queue.push(prune)
    #expect(try queue.popFrames().map(\.controls) == [[.graft(u), .prune(t, backoff: 60)]])
  }

  // GS-36, GS-51
  @Test func `word is not dropped because messages and offers fill the queue`() throws {
    var bounds = SendQueue.Bounds()
    (bounds.messages, bounds.offers) = (1_000, 100)
    var queue = SendQueue(.gossipSub, bounds, WireLimits())
    var full = Frame(.gossipSub)
    full.messages = (1...5).map { .by(peer(9), $0, bytes(800)) }
    full.controls = [.have(t, ids(0..<10)), .have(t, ids(10..<60))]
    #expect(!queue.push(full).isEmpty)
    var urgent = Frame(.gossipSub)
    urgent.subscriptions = [Subscription(u, joins: true)]
    urgent.controls = [.graft(u), .prune(t, backoff: 60)]
    #expect(queue.push(urgent).isEmpty)
    let said = try queue.popFrames().flatMap { $0.said(to: peer(1)) }
    #expect(
      Set([.joins(u, to: peer(1)), .graft(u, to: peer(1)), .prune(t, 60, to: peer(1))]).isSubset(of: said))
  }

  // GS-52
  @Test func `refills when partners disconnect, and nothing of them is left`() {
    let lone = Lone.onMesh(of: 6, outside: 14)
    let message = WireMessage.by(peer(90), 1)
    for number in 1...5 {
      lone.hear(.dontWant([id(number)]), from: peer(number))
      lone.disconnect(peer(number))
    }
    #expect(lone.mesh() == [peer(6)])
    lone.beat()
    #expect(lone.mesh().count == 6)
    #expect(lone.sizes.perPeer == 6)
    #expect(lone.node.members(of: t) == peers(6...20))
    let receivers = lone.hear(message, from: peer(6)).receivers(of: message.authorID)
    #expect(Set(receivers) == Set(lone.mesh()).subtracting([peer(6)]))
  }

  // GS-52
  @Test func `loses a partner that had grafted us before our stream to it opened`() {
    let lone = Lone()
    lone.join(t)
    lone.connect(peer(1))
    lone.hear(.graft(t), from: peer(1))
    lone.disconnect(peer(1))
    #expect(lone.mesh() == [])
    #expect(lone.sizes.perPeer == 0)
  }

  // GS-52
  @Test func `loses a partner that never subscribed when it disconnects`() {
    let lone = Lone()
    lone.join(t)
    lone.meet(peer(1))
    lone.hear(.graft(t), from: peer(1))
    #expect(lone.mesh() == [peer(1)])
    lone.disconnect(peer(1))
    #expect(lone.mesh() == [])
  }
}

@Suite struct `A heartbeat` {
  // GS-55
  @Test func `keeps its period from the first beat on`() {
    let lone = Lone()
    lone.beat()
    let first = lone.now
    #expect(first > .zero && first <= .zero + .milliseconds(100))
    lone.beat(100)
    #expect(lone.now == first + .seconds(100))
    #expect(lone.node.deadline == first + .seconds(101))
  }

  // GS-55
  @Test func `that comes late says so and does not shift the next ones`() {
    let lone = Lone()
    lone.beat()
    let first = lone.now
    #expect(lone.jump(.milliseconds(1_090)).notices == [])
    #expect(lone.node.deadline == first + .seconds(2))
    let late = lone.jump(.milliseconds(1_310))
    #expect(late.notices == [.lateHeartbeat(by: .milliseconds(400))])
    #expect(lone.node.deadline == first + .seconds(3))
  }

  // GS-55
  @Test func `that was missed is not made up for`() {
    let lone = Lone()
    lone.beat()
    let (first, before) = (lone.now, lone.counters.heartbeats)
    lone.jump(.milliseconds(60_500))
    #expect(lone.counters.heartbeats == before + 1)
    #expect(lone.node.deadline == first + .seconds(61))
    #expect(lone.sizes.alarms == 1)
  }

  // GS-56
  @Test func `is the same for the same seed and another for another`() {
    func life(_ seed: UInt8) -> [Said] {
      let lone = Lone(seed: [seed])
      lone.join(t)
      lone.meet(peers(1...40))
      for number in 6...13 { lone.hear(.graft(t), from: peer(number)) }
      lone.hear(.by(peer(90), 1), from: peer(1))
      return lone.beat(5).said
    }
    #expect(life(1) == life(1))
    #expect(life(1) != life(2))
  }
}
