/// The mesh and its backoffs, the fanout, and what peers do not want.

import Testing

@testable import GossipCore

@Suite struct `A mesh` {
  @Test func `has members on joined topics only, in order`() {
    var mesh = Mesh()
    mesh.add(peer(1), to: "t")
    #expect(!mesh.isJoined("t") && mesh.members(of: "t").isEmpty, "not joined")
    mesh.join("t")
    for number in [3, 1, 2, 1] { mesh.add(peer(number), to: "t") }
    #expect(Array(mesh.members(of: "t")) == [3, 1, 2].map(peer))
    #expect(mesh.contains(peer(1), on: "t") && !mesh.contains(peer(1), on: "u"))
    #expect(mesh.remove(peer(1), from: "t") == true)
    #expect(mesh.remove(peer(1), from: "t") == false)
    #expect(mesh.remove(peer(1), from: "u") == false)
    #expect(Array(mesh.leave("t")) == [3, 2].map(peer))
    #expect(mesh.leave("t").isEmpty && mesh.entries == 0)
  }

  // GS-68
  @Test func `never shortens a backoff`() {
    var mesh = Mesh()
    mesh.back(off: peer(1), on: "t", until: .seconds(60))
    mesh.back(off: peer(1), on: "t", until: .seconds(10))
    #expect(mesh.backoff(of: peer(1), on: "t") == .seconds(60))
    mesh.back(off: peer(1), on: "t", until: .seconds(90))
    #expect(mesh.backoff(of: peer(1), on: "t") == .seconds(90))
    #expect(mesh.backoff(of: peer(1), on: "u") == nil && mesh.backoff(of: peer(2), on: "t") == nil)
  }

  // GS-32, GS-49
  @Test func `keeps a backoff until it is cleared away, over leaving and joining`() {
    var mesh = Mesh()
    mesh.join("t")
    mesh.back(off: peer(1), on: "t", until: .seconds(10))
    mesh.back(off: peer(2), on: "t", until: .seconds(20))
    mesh.back(off: peer(1), on: "u", until: .seconds(30))
    _ = mesh.leave("t")
    mesh.join("t")
    mesh.clearBackoffs(endedBefore: .seconds(10))
    #expect(mesh.backoff(of: peer(1), on: "t") == .seconds(10), "it ends at 10, not before")
    mesh.clearBackoffs(endedBefore: .seconds(20))
    #expect(mesh.backoff(of: peer(1), on: "t") == nil)
    #expect(mesh.backoff(of: peer(2), on: "t") == .seconds(20))
    mesh.clearBackoffs(endedBefore: .seconds(31))
    #expect(mesh.backoff(of: peer(2), on: "t") == nil && mesh.backoff(of: peer(1), on: "u") == nil)
    #expect(mesh.entries == 0)
  }

  @Test func `forgets the oldest backoff when there are too many`() {
    var mesh = Mesh()
    for number in 0..<Mesh.backoffsMax + 10 { mesh.back(off: peer(number), on: "t", until: .seconds(60)) }
    #expect(mesh.entries == Mesh.backoffsMax)
    #expect(mesh.backoff(of: peer(9), on: "t") == nil)
    #expect(mesh.backoff(of: peer(10), on: "t") == .seconds(60))
    mesh.back(off: peer(10), on: "t", until: .seconds(70))
    #expect(mesh.entries == Mesh.backoffsMax, "a longer one takes no new place")
  }

  // GS-68
  @Test(arguments: 0..<6 as Range<UInt64>) func `agrees with a plain table`(seed: UInt64) {
    var dice = Dice(seed)
    var mesh = Mesh()
    var naive: [Topic: [PeerID: Instant]] = [:]
    for step in 0..<3_000 {
      let (topic, some) = (dice.pick(["t", "u", "v"] as [Topic]), peer(dice.number(0...20)))
      let instant = Instant.seconds(Double(step / 10 + dice.number(0...60)))
      if dice.chance(1, in: 20) {
        mesh.clearBackoffs(endedBefore: instant)
        for topic in ["t", "u", "v"] as [Topic] {
          naive[topic] = naive[topic]?.filter { $0.value >= instant }
        }
      } else {
        mesh.back(off: some, on: topic, until: instant)
        naive[topic, default: [:]][some] = max(instant, naive[topic]?[some] ?? instant)
      }
      let count = naive.values.reduce(0) { $0 + $1.count }
      guard mesh.backoff(of: some, on: topic) == naive[topic]?[some], mesh.entries == count else {
        Issue.record("step \(step)")
        return
      }
    }
  }
}

@Suite struct `A fanout` {
  // GS-101
  @Test func `keeps its peers until a while after the last publication`() {
    var (fanout, random) = (Fanout(), Random(seed: [1]))
    let members = (1...20).map(peer)
    let first = fanout.publish("t", at: .seconds(0), degree: 6, members: members, &random)
    #expect(first.count == 6 && Set(first).count == 6 && first.allSatisfy(members.contains))
    #expect(fanout.publish("t", at: .seconds(50), degree: 6, members: members, &random) == first)
    fanout.expire(publishedBefore: .seconds(50))
    #expect(fanout.peers(of: "t") == first)
    fanout.expire(publishedBefore: .seconds(50.001))
    #expect(fanout.peers(of: "t").isEmpty && fanout.all.isEmpty && fanout.entries == 0)
  }

  @Test func `replaces who left`() {
    var (fanout, random) = (Fanout(), Random(seed: [1]))
    let members = (1...8).map(peer)
    let first = fanout.publish("t", at: .zero, degree: 6, members: members, &random)
    fanout.remove(first[0], from: "t")
    let rest = members.filter { $0 != first[0] }
    fanout.topUp("t", degree: 6, members: rest, &random)
    let second = fanout.peers(of: "t")
    #expect(second.count == 6 && second.starts(with: first.dropFirst()) && !second.contains(first[0]))
    fanout.topUp("never published", degree: 6, members: members, &random)
    #expect(fanout.all == ["t"])
  }

  // GS-33, GS-48
  @Test func `hands itself over to the mesh`() {
    var (fanout, random) = (Fanout(), Random(seed: [1]))
    #expect(fanout.publish("t", at: .zero, degree: 6, members: [], &random).isEmpty)
    #expect(fanout.publish("t", at: .zero, degree: 6, members: [peer(1)], &random) == [peer(1)])
    #expect(fanout.remove("t") == [peer(1)])
    #expect(fanout.remove("t").isEmpty)
  }
}

@Suite struct `What peers do not want` {
  // GS-97
  @Test func `is remembered until its end, or until the peer goes`() {
    var unwanted = Unwanted()
    unwanted.note(id(1), by: peer(1), until: .seconds(3))
    unwanted.note(id(2), by: peer(1), until: .seconds(4))
    unwanted.note(id(1), by: peer(2), until: .seconds(4))
    #expect(unwanted.contains(id(1), by: peer(1)) && !unwanted.contains(id(2), by: peer(2)))
    #expect(unwanted.count(of: peer(1)) == 2 && unwanted.peers == 2)
    unwanted.sweep(at: .seconds(3))
    #expect(!unwanted.contains(id(1), by: peer(1)) && unwanted.contains(id(2), by: peer(1)))
    unwanted.forget(peer(2))
    #expect(!unwanted.contains(id(1), by: peer(2)) && unwanted.peers == 1)
    unwanted.sweep(at: .seconds(4))
    #expect(unwanted.peers == 0)
  }

  // GS-97
  @Test func `is remembered longer when said again`() {
    var unwanted = Unwanted()
    unwanted.note(id(1), by: peer(1), until: .seconds(3))
    unwanted.note(id(1), by: peer(1), until: .seconds(5))
    unwanted.sweep(at: .seconds(3))
    #expect(unwanted.contains(id(1), by: peer(1)))
    unwanted.sweep(at: .seconds(5))
    #expect(!unwanted.contains(id(1), by: peer(1)) && unwanted.peers == 0)
  }
}

@Suite struct `A median of scores` {
  // GS-54
  @Test func `is the one in the middle, or the higher one of two`() {
    #expect(GossipSub.median([]) == 0)
    #expect(GossipSub.median([7]) == 7)
    #expect(GossipSub.median([3, 1]) == 3)
    #expect(GossipSub.median([5, -1, 2]) == 2)
    #expect(GossipSub.median([4, 1, 3, 2]) == 3)
  }
}
