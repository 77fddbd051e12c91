/// How much is asked of one holder at a time, and which holder is asked.

import OrderedCollections
import Testing

@testable import GossipCore

@Suite struct `A wantlist with holders of unequal pace` {
  typealias Giver = Wantlist.Giver

  func list() -> Wantlist { Wantlist(patience: .seconds(3), countMax: 1_000, holdersMax: 8) }

  /// What is known of each peer, by its number.
  struct Known {
    var givers: [Int: Giver] = [:]

    func judge(_ asked: PeerID) -> Giver {
      givers.first { peer($0.key) == asked }?.value ?? Giver()
    }
  }

  func asked(_ outcome: Wantlist.Outcome) -> [PeerID: [MessageID]] {
    outcome.ask.reduce(into: [:]) { $0[$1.key] = $1.value.ids }
  }

  /// Notes an offer of 1,000 bytes.
  func offer(
    _ number: Int, by holder: Int, _ known: Known, at seconds: Double = 0, to list: inout Wantlist
  ) -> Bool {
    list.note(
      id(number), heldBy: peer(holder), .gossipSub, size: 1_000, from: known.judge(peer(holder)),
      at: .seconds(seconds))
  }

  // BB-7
  @Test func `asks a slow holder for as much as it may have, and another one for the rest`() {
    var list = list()
    let known = Known(givers: [1: Giver(allowance: 3_500)])
    let asked = (0..<10).filter { offer($0, by: 1, known, to: &list) }
    #expect(asked == [0, 1, 2] && list.underWay(from: peer(1)) == 3_000)
    #expect((0..<3).allSatisfy { list.asked(for: id($0)) == peer(1) } && list.asked(for: id(3)) == nil)
    let others = (0..<10).filter { offer($0, by: 2, known, at: 0.1, to: &list) }
    #expect(others == Array(3..<10))
    #expect(list.count == 10 && list.postponed == 7)
  }

  // BB-7
  @Test func `asks the only holder for more when something came, in the order of its offers`() {
    var list = list()
    let known = Known(givers: [1: Giver(allowance: 2_000)])
    for number in 0..<6 { _ = offer(number, by: 1, known, to: &list) }
    #expect(!list.hasFreed)
    list.came(id(0))
    #expect(list.hasFreed)
    #expect(asked(list.askFreed(at: .seconds(1), known.judge)) == [peer(1): [id(2)]])
    list.forget(id(0))  // believed: its bytes do not count twice
    #expect(!list.hasFreed)
    list.forget(id(1))
    list.forget(id(3))  // came from elsewhere
    #expect(asked(list.askFreed(at: .seconds(1), known.judge)) == [peer(1): [id(4)]])
    #expect(list.underWay(from: peer(1)) == 2_000 && !list.hasFreed)
    for number in [2, 4] { list.forget(id(number)) }
    #expect(asked(list.askFreed(at: .seconds(1), known.judge)) == [peer(1): [id(5)]])
  }

  // BB-6, BB-7
  @Test func `asks for one message however large, and after one patience for all that waits`() {
    var list = list()
    let known = Known(givers: [1: Giver(allowance: 16)])
    #expect(offer(1, by: 1, known, to: &list))
    #expect(!offer(2, by: 1, known, at: 1, to: &list))
    #expect(!offer(3, by: 1, known, at: 1, to: &list))
    let first = list.expire(at: .seconds(3), known.judge)
    #expect(first.broken == [peer(1): 1] && first.gaveUp.map(\.1) == [id(1)])
    #expect(asked(list.askFreed(at: .seconds(3), known.judge)) == [peer(1): [id(2)]])
    let second = list.expire(at: .seconds(4), known.judge)
    #expect(second.broken.isEmpty && asked(second) == [peer(1): [id(3)]], "waiting is no broken promise")
    #expect(list.deadline == .seconds(6))
  }

  // BB-7
  @Test func `gives what waits to the next holder with room when a promise breaks`() {
    var list = list()
    let known = Known(givers: [2: Giver(allowance: 1_000)])
    for number in 0..<3 {
      for holder in 1...3 { _ = offer(number, by: holder, known, to: &list) }
    }
    #expect(list.underWay(from: peer(1)) == 3_000)
    let outcome = list.expire(at: .seconds(3), known.judge)
    #expect(asked(outcome) == [peer(2): [id(0)], peer(3): [id(1), id(2)]])
    #expect(list.underWay(from: peer(1)) == 0 && list.underWay(from: peer(3)) == 2_000)
  }

  @Test func `forgets whoever leaves, whatever waits for it`() {
    var list = list()
    let known = Known(givers: [1: Giver(allowance: 1_000), 2: Giver(allowance: 1_000)])
    for number in 0..<3 { _ = offer(number, by: 1, known, to: &list) }
    _ = offer(9, by: 2, known, to: &list)
    _ = offer(1, by: 2, known, to: &list)
    let outcome = list.release(peer(1), at: .seconds(1), known.judge)
    #expect(outcome.gaveUp.map(\.1) == [id(0), id(2)] && outcome.ask.isEmpty && outcome.broken.isEmpty)
    #expect(list.underWay(from: peer(1)) == 0)
    list.forget(id(9))
    #expect(asked(list.askFreed(at: .seconds(1), known.judge)) == [peer(2): [id(1)]])
    #expect(list.lacked(id(1), by: peer(2), at: .seconds(1)).gaveUp.map(\.1) == [id(1)])
    #expect(list.count == 0 && list.underWay(from: peer(2)) == 0)
    let later = list.expire(at: .seconds(100), known.judge)
    #expect(later.broken.isEmpty && later.gaveUp.isEmpty && later.ask.isEmpty)
  }

  // BT-37
  @Test func `asks who breaks off only if nobody else offers within a moment`() {
    var list = list()
    let known = Known(givers: [1: Giver(isUnreliable: true), 2: Giver(isUnreliable: true)])
    #expect(!offer(1, by: 1, known, to: &list))
    #expect(!offer(2, by: 1, known, to: &list))
    #expect(!offer(1, by: 2, known, at: 0.1, to: &list))
    #expect(offer(1, by: 3, known, at: 0.2, to: &list), "a reliable one is asked at once")
    #expect(asked(list.expire(at: .seconds(0.5), known.judge)) == [peer(1): [id(2)]])
    // When the reliable one breaks its promise the others are all there is.
    let outcome = list.expire(at: .seconds(3.2), known.judge)
    #expect(outcome.broken == [peer(3): 1] && asked(outcome) == [peer(1): [id(1)]])
  }

  // BT-37, BT-77
  @Test func `asks the best of the others next, and of equal ones the first to offer`() {
    var list = list()
    let known = Known(givers: [
      2: Giver(isUnreliable: true, score: 0.9), 3: Giver(score: 0.4), 4: Giver(score: 0.6),
      5: Giver(score: 0.6),
    ])
    for holder in 1...5 { _ = offer(1, by: holder, known, to: &list) }
    var order: [PeerID] = []
    for step in 1...5 {
      order += list.expire(at: .seconds(Double(step) * 3), known.judge).ask.keys
    }
    #expect(order == [4, 5, 3, 2].map(peer))
    #expect(list.count == 0)
  }

  @Test func `keeps its accounts whatever happens`() {
    var dice = Dice(5)
    var list = list()
    let known = Known(
      givers: [1: Giver(allowance: 2_500), 2: Giver(allowance: 1), 3: Giver(isUnreliable: true)])
    var now = 0.0
    for _ in 0..<20_000 {
      let (message, holder) = (id(.random(in: 0..<40, using: &dice)), Int.random(in: 1...4, using: &dice))
      switch Int.random(in: 0..<20, using: &dice) {
      case 0..<9:
        _ = list.note(
          message, heldBy: peer(holder), .gossipSub, size: .random(in: 0...2_000, using: &dice),
          from: known.judge(peer(holder)), mayWait: holder != 4, at: .seconds(now))
      case 9..<13: list.forget(message)
      case 13..<15: list.came(message)
      case 15: _ = list.lacked(message, by: peer(holder), at: .seconds(now), known.judge)
      case 16 where Int.random(in: 0..<20, using: &dice) == 0:
        _ = list.release(peer(holder), at: .seconds(now), known.judge)
      default:
        now += 0.1
        _ = list.expire(at: .seconds(now), known.judge)
      }
      _ = list.askFreed(at: .seconds(now), known.judge)
      #expect(list.count <= 40 && !list.hasFreed)
    }
    for number in 0..<40 { list.forget(id(number)) }
    #expect(list.count == 0 && (1...4).allSatisfy { list.underWay(from: peer($0)) == 0 })
  }
}
