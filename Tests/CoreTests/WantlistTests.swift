/// What we lack: one holder asked at a time, the next when a promise breaks.

import OrderedCollections
import Testing

@testable import GossipCore

@Suite struct `A wantlist` {
  func list(countMax: Int = 100, holdersMax: Int = 8) -> Wantlist {
    Wantlist(patience: .seconds(3), countMax: countMax, holdersMax: holdersMax)
  }

  /// What an outcome says, to compare.
  struct Outcome: Equatable {
    var broken: [PeerID: Int] = [:]
    var ask: [PeerID: [MessageID]] = [:]
    var gaveUp: [MessageID] = []

    init(broken: [PeerID: Int] = [:], ask: [PeerID: [MessageID]] = [:], gaveUp: [MessageID] = []) {
      (self.broken, self.ask, self.gaveUp) = (broken, ask, gaveUp)
    }
    init(_ outcome: Wantlist.Outcome) {
      for (peer, count) in outcome.broken { broken[peer] = count }
      for (peer, request) in outcome.ask { ask[peer] = request.ids }
      gaveUp = outcome.gaveUp.map(\.1)
    }
  }

  // GS-81
  @Test func `asks one holder, and the next when its promise breaks`() {
    var list = list()
    #expect(list.note(id(1), heldBy: peer(1), .gossipSub, at: .seconds(0)) == true)
    #expect(list.note(id(1), heldBy: peer(2), .gossipSub, at: .seconds(1)) == false)
    #expect(list.note(id(1), heldBy: peer(3), .gossipSub, at: .seconds(1)) == false)
    #expect(list.deadline == .seconds(3))
    #expect(Outcome(list.expire(at: .seconds(2.999))) == Outcome())
    #expect(
      Outcome(list.expire(at: .seconds(3))) == Outcome(broken: [peer(1): 1], ask: [peer(2): [id(1)]]))
    #expect(list.deadline == .seconds(6))
    #expect(
      Outcome(list.expire(at: .seconds(6))) == Outcome(broken: [peer(2): 1], ask: [peer(3): [id(1)]]))
    #expect(Outcome(list.expire(at: .seconds(9))) == Outcome(broken: [peer(3): 1], gaveUp: [id(1)]))
    #expect(list.count == 0 && list.deadline == nil)
  }

  // GS-88
  @Test func `counts every broken promise once`() {
    var list = list()
    for number in 1...100 { _ = list.note(id(number), heldBy: peer(1), .gossipSub, at: .zero) }
    let outcome = list.expire(at: .seconds(3))
    #expect(outcome.broken == [peer(1): 100])
    #expect(outcome.gaveUp.count == 100 && outcome.ask.isEmpty)
    #expect(Outcome(list.expire(at: .seconds(60))) == Outcome())
  }

  // GS-89
  @Test func `holds nothing against anybody once the message came`() {
    var list = list()
    _ = list.note(id(1), heldBy: peer(1), .gossipSub, at: .zero)
    _ = list.note(id(1), heldBy: peer(2), .gossipSub, at: .zero)
    list.forget(id(1))
    list.forget(id(2))
    #expect(list.count == 0)
    #expect(Outcome(list.expire(at: .seconds(10))) == Outcome())
  }

  // GS-89, GS-91
  @Test(arguments: [true, false]) func `an old promise does not end a newer one`(isForgotten: Bool) {
    var list = list()
    _ = list.note(id(1), heldBy: peer(1), .gossipSub, at: .seconds(0))
    if isForgotten {
      list.forget(id(1))
    } else {
      #expect(Outcome(list.release(peer(1), at: .seconds(1))) == Outcome(gaveUp: [id(1)]))
    }
    #expect(list.note(id(1), heldBy: peer(2), .gossipSub, at: .seconds(2)) == true)
    #expect(Outcome(list.expire(at: .seconds(3))) == Outcome(), "the second holder has until 5 s")
    #expect(Outcome(list.expire(at: .seconds(5))) == Outcome(broken: [peer(2): 1], gaveUp: [id(1)]))
  }

  // GS-91
  @Test func `frees what a departed peer promised`() {
    var list = list()
    for number in 1...3 { _ = list.note(id(number), heldBy: peer(1), .gossipSub, at: .seconds(0)) }
    _ = list.note(id(1), heldBy: peer(2), .gossipSub, at: .seconds(0))
    _ = list.note(id(3), heldBy: peer(3), .gossipSub, at: .seconds(0))
    _ = list.note(id(4), heldBy: peer(2), .gossipSub, at: .seconds(0))
    _ = list.note(id(4), heldBy: peer(1), .gossipSub, at: .seconds(0))
    let freed = list.release(peer(1), at: .seconds(1))
    #expect(Outcome(freed) == Outcome(ask: [peer(2): [id(1)], peer(3): [id(3)]], gaveUp: [id(2)]))
    #expect(freed.ask.keys == [peer(2), peer(3)])
    #expect(
      Outcome(list.expire(at: .seconds(3))) == Outcome(broken: [peer(2): 1], gaveUp: [id(4)]),
      "peer 1 is no holder of the fourth any more")
    #expect(
      Outcome(list.expire(at: .seconds(4)))
        == Outcome(broken: [peer(2): 1, peer(3): 1], gaveUp: [id(1), id(3)]))
  }

  @Test func `takes an offer of one peer once, until it breaks its promise`() {
    var list = list()
    _ = list.note(id(1), heldBy: peer(1), .gossipSub, at: .zero)
    for _ in 0..<3 { #expect(list.note(id(1), heldBy: peer(1), .gossipSub, at: .zero) == false) }
    for _ in 0..<3 { #expect(list.note(id(1), heldBy: peer(2), .gossipSub, at: .zero) == false) }
    #expect(list.expire(at: .seconds(3)).ask.keys == [peer(2)])
    #expect(list.note(id(1), heldBy: peer(1), .gossipSub, at: .seconds(4)) == false)
    #expect(list.expire(at: .seconds(6)).ask.keys == [peer(1)])
    #expect(list.expire(at: .seconds(9)).gaveUp.map(\.1) == [id(1)])
  }

  @Test func `is bounded in ids, and counts what it refused`() {
    var list = list(countMax: 2)
    for number in 1...5 {
      #expect(list.note(id(number), heldBy: peer(1), .gossipSub, at: .zero) == (number <= 2))
    }
    #expect(list.count == 2 && list.refused == 3)
    list.forget(id(1))
    #expect(list.note(id(5), heldBy: peer(1), .gossipSub, at: .zero) == true)
  }

  @Test func `is bounded in holders besides the one that is asked`() {
    var list = list(holdersMax: 2)
    for number in 1...9 { _ = list.note(id(1), heldBy: peer(number), .gossipSub, at: .zero) }
    var asked: [PeerID] = []
    for end in 1...9 { asked += list.expire(at: .seconds(Double(3 * end))).ask.keys }
    #expect(asked == [peer(2), peer(3)])
  }

  @Test func `keeps manners apart`() {
    var list = list()
    _ = list.note(id(1), heldBy: peer(1), .direct, at: .zero)
    _ = list.note(id(1), heldBy: peer(2), .direct, at: .zero)
    #expect(list.expire(at: .seconds(3)).ask[peer(2)]?.manner == .direct)
    #expect(list.expire(at: .seconds(6)).gaveUp.map(\.0) == [.direct])
  }

  /// The same rules over plain arrays.
  struct Naive {
    struct Want {
      let id: MessageID
      var asked: PeerID
      var until: Instant
      var order: Int
      var others: [PeerID] = []
    }
    var wants: [Want] = []
    var orders = 0

    mutating func note(_ id: MessageID, heldBy peer: PeerID, at now: Instant) -> Bool {
      if let place = wants.firstIndex(where: { $0.id == id }) {
        let want = wants[place]
        if want.asked != peer, want.others.count < 3, !want.others.contains(peer) {
          wants[place].others.append(peer)
        }
        return false
      }
      guard wants.count < 10 else { return false }
      orders += 1
      wants.append(Want(id: id, asked: peer, until: now + .seconds(3), order: orders))
      return true
    }

    mutating func askNext(_ id: MessageID, _ now: Instant, _ outcome: inout Outcome) {
      let place = wants.firstIndex { $0.id == id }!
      guard !wants[place].others.isEmpty else {
        outcome.gaveUp.append(id)
        wants.remove(at: place)
        return
      }
      orders += 1
      let next = wants[place].others.removeFirst()
      (wants[place].asked, wants[place].until, wants[place].order) = (next, now + .seconds(3), orders)
      outcome.ask[next, default: []].append(id)
    }

    mutating func expire(at now: Instant) -> Outcome {
      var outcome = Outcome()
      while let due = wants.filter({ $0.until <= now }).min(by: { $0.order < $1.order }) {
        outcome.broken[due.asked, default: 0] += 1
        askNext(due.id, now, &outcome)
      }
      return outcome
    }

    mutating func release(_ peer: PeerID, at now: Instant) -> Outcome {
      var outcome = Outcome()
      for want in wants.sorted(by: { $0.order < $1.order }) {
        wants[wants.firstIndex { $0.id == want.id }!].others.removeAll { $0 == peer }
        if want.asked == peer { askNext(want.id, now, &outcome) }
      }
      return outcome
    }
  }

  // GS-81
  @Test(arguments: 0..<12 as Range<UInt64>) func `agrees with plain arrays`(seed: UInt64) {
    var dice = Dice(seed)
    var list = list(countMax: 10, holdersMax: 3)
    var naive = Naive()
    var now = Instant.zero
    for step in 0..<4_000 {
      now = now + .milliseconds(dice.number(0...300))
      let (some, holder) = (id(dice.number(0...15)), peer(dice.number(0...5)))
      var agrees = true
      switch dice.number(0...9) {
      case 0...5:
        agrees =
          list.note(some, heldBy: holder, .gossipSub, at: now) == naive.note(some, heldBy: holder, at: now)
      case 6:
        list.forget(some)
        naive.wants.removeAll { $0.id == some }
      case 7: agrees = Outcome(list.release(holder, at: now)) == naive.release(holder, at: now)
      default: agrees = Outcome(list.expire(at: now)) == naive.expire(at: now)
      }
      let earliest = naive.wants.map(\.until).min()
      guard agrees, list.count == naive.wants.count,
        earliest == nil || (list.deadline ?? .distantFuture) <= earliest!
      else {
        Issue.record("step \(step) at \(now)")
        return
      }
    }
  }
}
