/// Retention beyond the windows: by time, by position, and by what replaces what.

import Testing

@testable import GossipCore

/// A message whose payload says what it is about, its version and its position; zero bytes mean "nothing".
private func note(_ number: Int, about subject: UInt8 = 0, version: UInt8 = 0, at position: UInt8? = nil)
  -> Message
{
  let payload = Payload([subject, version, position == nil ? 0 : 1, position ?? 0])
  return Message(id: id(number), wire: WireMessage(topic: "t", payload: payload, author: nil, sequence: nil))
}

private let meaning = Meaning(
  subject: { $0[0] == 0 ? nil : Subject([$0[0]], version: UInt64($0[1])) },
  position: { $0[2] == 0 ? nil : UInt64($0[3]) })

extension Payload {
  fileprivate subscript(_ index: Int) -> UInt8 { Array(bytes)[index] }
}

/// A store with one policy, at an instant that moves.
private final class Keeper {
  var store: MessageStore
  var policy: TopicPolicy
  var now = Instant.zero

  init(_ retention: Retention, spread: Manner = .push, countMax: Int = 1_000) {
    store = MessageStore(windowsKept: 5, countMax: countMax, sizeMax: 1 << 20)
    policy = TopicPolicy(spread: spread, retention: retention, meaning: meaning)
  }

  var held: [MessageID] { store.held(on: "t") }

  /// Puts a message; what left because of it.
  @discardableResult
  func put(_ message: Message) -> [MessageID] {
    store.put(message, policy, at: now)
    return store.takeWithdrawn().map(\.id)
  }

  /// A second passes, with its heartbeat; what left.
  func beat(_ times: Int = 1) -> [MessageID] {
    for _ in 0..<times {
      now = now + .seconds(1)
      store.expire(at: now)
      store.shift()
    }
    return store.takeWithdrawn().map(\.id)
  }
}

@Suite struct `A store that keeps messages for a time` {
  @Test func `is there for topics that ask for more than GossipSub's history, and costs the others nothing`()
  {
    #expect(!TopicPolicy().needsShelf && !TopicPolicy(retention: .heartbeats).needsShelf)
    #expect(TopicPolicy(spread: .push).needsShelf && TopicPolicy(heal: .onLink).needsShelf)
    #expect(TopicPolicy(retention: .during(.seconds(9))).needsShelf)
  }

  // FT-70
  @Test func `hides them when it is over, and takes them again after twice the time`() {
    let keeper = Keeper(.during(.seconds(20)))
    keeper.put(note(1))
    #expect(keeper.beat(19) == [] && keeper.store.holds(id(1)) && keeper.held == [id(1)])
    #expect(keeper.store.recent("t", windows: 5) == [], "the windows are GossipSub's, as ever")
    #expect(keeper.beat(1) == [id(1)])
    #expect(!keeper.store.holds(id(1)) && keeper.held == [] && keeper.store.bytes == 0)
    #expect(keeper.store.isStale(note(1), keeper.policy))
    #expect(keeper.put(note(1)) == [] && !keeper.store.holds(id(1)))
    _ = keeper.beat(19)
    #expect(keeper.store.isStale(note(1), keeper.policy))
    _ = keeper.beat(1)
    #expect(!keeper.store.isStale(note(1), keeper.policy))
    keeper.put(note(1))
    #expect(keeper.store.holds(id(1)))
  }

  // FT-70
  @Test func `remembers what they were about for twice the time`() {
    let keeper = Keeper(.during(.seconds(20)))
    keeper.put(note(1, about: 7, version: 5))
    _ = keeper.beat(30)
    #expect(keeper.held == [])
    #expect(keeper.store.isStale(note(2, about: 7, version: 5), keeper.policy))
    #expect(keeper.store.isStale(note(3, about: 7, version: 4), keeper.policy))
    #expect(!keeper.store.isStale(note(4, about: 7, version: 6), keeper.policy))
    #expect(!keeper.store.isStale(note(5, about: 8, version: 1), keeper.policy))
    _ = keeper.beat(10)
    #expect(!keeper.store.isStale(note(3, about: 7, version: 4), keeper.policy))
  }

  @Test func `lets the oldest go first when there are too many, whatever window they are in`() {
    let keeper = Keeper(.during(.seconds(100)), countMax: 3)
    keeper.put(note(1))
    _ = keeper.beat(10)
    keeper.put(note(2))
    keeper.put(note(3))
    #expect(keeper.put(note(4)) == [id(1)])
    #expect(keeper.put(note(5)) == [id(2)])
    #expect(keeper.held == [id(3), id(4), id(5)] && keeper.store.evicted == 2)
  }

  @Test func `keeps them only for their windows once the topic is left`() {
    let keeper = Keeper(.during(.seconds(100)))
    keeper.put(note(1))
    _ = keeper.beat(10)
    keeper.put(note(2))
    keeper.store.follow(nil, on: "t", at: keeper.now)
    #expect(keeper.store.takeWithdrawn().map(\.id) == [id(1)])
    #expect(keeper.beat(5) == [id(2)])
    #expect(keeper.store.count == 0)
  }

  @Test func `remembers no more ghosts than it may hold messages`() {
    let keeper = Keeper(.during(.seconds(10)), countMax: 5)
    for number in 0..<20 { keeper.put(note(number)) }
    _ = keeper.beat(11)
    #expect((0..<20).filter { keeper.store.isStale(note($0), keeper.policy) } == Array(15..<20))
  }
}

@Suite struct `A store that keeps the last positions` {
  // FT-69
  @Test func `holds at most so many and one more; the others leave`() {
    let keeper = Keeper(.last(10))
    var left: [MessageID] = []
    for position in 0..<50 { left += keeper.put(note(position, at: UInt8(position))) }
    #expect(keeper.held == (39..<50).map { id($0) })
    #expect(left == (0..<39).map { id($0) })
    #expect(keeper.beat(100) == [] && keeper.held.count == 11)
    #expect(keeper.store.run(on: "t") == 39..<50)
  }

  // FT-69
  @Test func `takes them in any order, each position once, and none far below`() {
    let keeper = Keeper(.last(3))
    for position in [10, 8, 9] { keeper.put(note(position, at: UInt8(position))) }
    #expect(keeper.store.isStale(note(99, at: 9), keeper.policy), "its place is taken")
    #expect(keeper.store.isStale(note(6, at: 6), keeper.policy))
    #expect(!keeper.store.isStale(note(7, at: 7), keeper.policy))
    keeper.put(note(7, at: 7))
    #expect(keeper.store.run(on: "t") == 7..<11)
    #expect(keeper.put(note(30, at: 30)).sorted() == (7...10).map { id($0) })
    #expect(keeper.store.id(at: 30, on: "t") == id(30) && keeper.store.id(at: 10, on: "t") == nil)
  }

  @Test func `keeps what has no position like any other message`() {
    let keeper = Keeper(.last(3))
    keeper.put(note(1))
    keeper.put(note(2, at: 5))
    #expect(keeper.beat(5) == [id(1)])
    #expect(keeper.held == [id(2)])
  }
}

@Suite struct `A store whose messages replace one another` {
  @Test(arguments: [Retention.heartbeats, .during(.seconds(50)), .last(5)])
  func `holds the newest about each subject`(retention: Retention) {
    let keeper = Keeper(retention)
    #expect(keeper.put(note(1, about: 1, version: 1)) == [])
    #expect(keeper.put(note(2, about: 2, version: 1)) == [])
    #expect(keeper.put(note(3, about: 1, version: 2)) == [id(1)])
    #expect(keeper.store.isStale(note(4, about: 1, version: 2), keeper.policy), "equal is not newer")
    #expect(keeper.put(note(4, about: 1, version: 1)) == [])
    #expect(keeper.held == [id(2), id(3)])
    #expect(keeper.store.recent("t", windows: 1) == [id(2), id(3)])
    #expect(keeper.store.count == 2)
  }

  @Test func `tells nobody where only GossipSub spreads`() {
    let keeper = Keeper(.heartbeats, spread: .gossipSub)
    #expect(keeper.put(note(1, about: 1, version: 1)) == [])
    #expect(keeper.put(note(2, about: 1, version: 2)) == [])
    #expect(keeper.held == [id(2)])
  }

  @Test func `does not grow when one subject changes ten thousand times`() {
    let keeper = Keeper(.during(.seconds(50)), countMax: 8)
    for number in 0..<10_000 {
      keeper.put(note(number, about: 1, version: UInt8(number % 250)))
      if number % 250 == 249 { _ = keeper.beat(101) }
    }
    #expect(keeper.store.count <= 1)
    #expect(keeper.store.recent("t", windows: 5).count <= 1)
  }
}

@Suite struct `A ladder` {
  @Test(arguments: 0..<10 as Range<UInt64>) func `agrees with a plain dictionary`(seed: UInt64) {
    var dice = Dice(seed)
    var ladder = Ladder()
    var naive: [UInt64: MessageID] = [:]
    for step in 0..<1_000 {
      let position = UInt64(dice.number(0...40)) + (dice.chance(1, in: 2) ? .max - 50 : 0)
      if dice.chance(2, in: 3) {
        let isNew = ladder.insert(id(step), at: position)
        #expect(isNew == (naive[position] == nil))
        naive[position] = naive[position] ?? id(step)
      } else {
        ladder.remove(position)
        naive[position] = nil
      }
      var start = naive.keys.max()
      while let known = start, known > 0, naive[known - 1] != nil { start = known - 1 }
      #expect(ladder.count == naive.count && ladder.id(at: position) == naive[position])
      #expect(ladder.run == start.map { $0..<naive.keys.max()! + 1 })
      #expect(ladder.below(position) == naive.keys.filter { $0 < position }.sorted().map { naive[$0]! })
    }
  }

  @Test func `has no place where nothing can follow`() {
    var ladder = Ladder()
    let found = [UInt64.max, .max - 1].map { ladder.insert(id(1), at: $0) }
    #expect(found == [false, true])
    #expect(ladder.run == UInt64.max - 1..<UInt64.max)
  }
}
