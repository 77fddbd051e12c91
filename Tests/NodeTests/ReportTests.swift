import GossipCore
import Testing

/// What an application says of peers.
@Suite struct `A reported peer` {
  func report(_ lone: Lone, _ number: Int, times: Int = 101, amount: Int = 1) -> Told {
    var told = Told()
    for _ in 0..<times { told += lone.tell(.report(peer(number), .unsolicited, amount: amount)) }
    return told
  }

  // BT-91
  @Test func `is cut off at the next heartbeat, and back eighty-seven heartbeats later`() {
    let lone = Lone.withDigests(3)
    lone.advance(.milliseconds(300))
    let told = report(lone, 1)
    #expect(told.notices.last == .reported(peer(1), .unsolicited, points: -87_264))
    #expect(told.disconnected == [] && told.barred == [])
    let cut = lone.advance(.milliseconds(700))
    #expect(cut.disconnected == [peer(1)] && cut.barred == [.init(peer(1), .reports)])
    lone.disconnect(peer(1))
    #expect(lone.isTurnedAway(peer(1)))
    #expect(lone.advance(.milliseconds(86_999)).unbarred == [])
    #expect(lone.advance(.milliseconds(1)).unbarred == [peer(1)])
    #expect(!lone.isTurnedAway(peer(1)))
  }

  // BT-91
  @Test func `is not cut off at the limit, nor where peers are only watched, nor this node itself`() {
    let lone = Lone.withDigests(3)
    _ = report(lone, 1, times: 1, amount: 100)
    _ = report(lone, 0)
    #expect(lone.advance(.seconds(5)).barred == [])
    let watching = Lone.withDigests(3) { $0.reputation.mode = .watching }
    _ = report(watching, 1)
    let told = watching.advance(.seconds(5))
    #expect(told.wouldBar == [.init(peer(1), .reports)] && told.disconnected == [])
    let off = Lone.withDigests(3) { $0.reputation.mode = .off }
    #expect(report(off, 1).effects.isEmpty)
  }

  // BT-91, BT-39
  @Test func `is cut off for longer the next time, also after a restart`() {
    let lone = Lone.withDigests(3)
    _ = report(lone, 1)
    lone.advance(.seconds(200))
    let kept = lone.node.scores(wallClock: 1_000)
    #expect(kept.map(\.peer) == [peer(1)] && kept[0].cutOffs == 1)
    let again = Lone.withDigests(3)
    again.tell(.recall(kept, wallClock: 100_000))
    _ = report(again, 1)
    #expect(again.advance(.seconds(1)).notices.contains(.barred(peer(1), .reports, for: .seconds(872))))
  }

  // BT-55, BT-90
  @Test func `and whoever was barred before a restart is only told of where peers are watched`() {
    let records = [BlacklistReason.circulation, .byHand].enumerated().map { place, reason in
      BlacklistRecord(
        peer: peer(place + 1), reason: reason, evidence: [], since: 0, until: 5_000, times: 1)
    }
    let lone = Lone.withDigests(3) { $0.reputation.mode = .watching }
    let told = lone.tell(.restore(records, wallClock: 1_000))
    #expect(told.wouldBar == [.init(peer(1), .circulation)])
    #expect(told.disconnected == [peer(2)], "an operator's word counts all the same")
    let message = WireMessage.by(peer(90), 1)
    #expect(lone.push(message, from: peer(1)).delivered == [message.authorID])
    #expect(lone.node.blacklist(wallClock: 1_000).map(\.peer) == [peer(1), peer(2)], "and is kept")
  }
}

/// Scores over a restart of a node.
@Suite struct `A node's scores` {
  // BT-39
  @Test func `decide about the order of partners after a restart as before`() {
    let lone = Lone.withDigests(4)
    for number in 1...20 { lone.push(.by(peer(9), UInt64(number)), from: peer(3)) }
    let order = [3, 1, 2, 4].map(peer)
    #expect(lone.publish("one").sentTexts.map(\.to) == order)
    let kept = lone.node.scores(wallClock: 1_000)
    let again = Lone(at: .zero + .seconds(77))
    again.tell(.recall(kept + [ScoreRecord(peer(0), seen: 1_000)], wallClock: 1_060))
    again.join(t, policy: .digests)
    again.meet(peers(1...4), speaking: Manner.digestFirst.protocols[0])
    #expect(again.publish("two").sentTexts.map(\.to) == order)
    #expect(again.node.knows(peer(3)) && !again.node.knows(peer(0)))
  }
}
