/// The message store: windows of heartbeats, bounded twice, serving each peer a few times.

import Testing

@testable import GossipCore

@Suite struct `A message store` {
  func store(windows: Int = 5, countMax: Int = 1_000, sizeMax: Int = 1 << 20) -> MessageStore {
    MessageStore(windowsKept: windows, countMax: countMax, sizeMax: sizeMax)
  }

  // GS-85
  @Test func `offers for three heartbeats and serves for five`() {
    var store = store()
    store.put(message(1))
    for beat in 1...6 {
      store.shift()
      #expect(store.recent("t", windows: 3) == (beat < 3 ? [id(1)] : []), "beat \(beat)")
      #expect(store.holds(id(1)) == (beat < 5), "beat \(beat)")
      #expect((store.serve(id(1), to: peer(beat), times: 3) != nil) == (beat < 5), "beat \(beat)")
    }
    #expect(store.count == 0 && store.bytes == 0 && store.evicted == 0)
  }

  @Test func `keeps a message once, in its first window`() {
    var store = store()
    store.put(message(1))
    store.shift()
    store.put(message(1, size: 30))
    #expect(store.count == 1 && store.bytes == 20)
    #expect(store.message(id(1))?.wire.bytes.count == 20)
    #expect(store.recent("t", windows: 1).isEmpty)
    for _ in 0..<4 { store.shift() }
    #expect(!store.holds(id(1)))
  }

  @Test func `names the ids of a topic, the newest window first`() {
    var store = store()
    store.put(message(1))
    store.put(message(2, on: "u"))
    store.put(message(3))
    store.shift()
    store.put(message(4))
    store.put(message(5))
    #expect(store.recent("t", windows: 2) == [id(4), id(5), id(1), id(3)])
    #expect(store.recent("t", windows: 1) == [id(4), id(5)])
    #expect(store.recent("t", windows: 0).isEmpty)
    #expect(store.recent("u", windows: 9) == [id(2)])
    #expect(store.recent("v", windows: 9).isEmpty)
  }

  // GS-82
  @Test func `serves one message to one peer three times`() {
    var store = store()
    store.put(message(1))
    store.put(message(2))
    for time in 1...5 { #expect((store.serve(id(1), to: peer(1), times: 3) != nil) == (time <= 3)) }
    #expect(store.serve(id(1), to: peer(2), times: 3)?.id == id(1))
    #expect(store.serve(id(2), to: peer(1), times: 3)?.id == id(2))
    #expect(store.serve(id(2), to: peer(1), times: 0) == nil)
  }

  // GS-83
  @Test func `serves nothing it does not hold`() {
    var store = store()
    #expect(store.serve(id(1), to: peer(1), times: 3) == nil)
    #expect(store.message(id(1)) == nil && !store.holds(id(1)))
  }

  @Test func `lets the oldest go when there are too many`() {
    var store = store(countMax: 3)
    store.put(message(1))
    store.shift()
    for number in 2...5 { store.put(message(number)) }
    #expect((1...5).map { store.holds(id($0)) } == [false, false, true, true, true])
    #expect(store.count == 3 && store.evicted == 2)
    #expect(store.recent("t", windows: 5) == [id(3), id(4), id(5)])
  }

  @Test func `lets the oldest go when they are too large`() {
    var store = store(sizeMax: 100)
    for number in 1...5 { store.put(message(number, size: 20)) }
    #expect(store.bytes == 100 && store.evicted == 0)
    store.put(message(6, size: 41))
    #expect(store.bytes == 81 && store.evicted == 3)
    #expect((1...6).map { store.holds(id($0)) } == [false, false, false, true, true, true])
    store.put(message(7, size: 101))
    #expect(store.count == 0 && store.bytes == 0, "what is larger than everything is not kept either")
  }

  @Test func `offers an evicted message that comes again once`() {
    var store = store(countMax: 2)
    for number in [1, 2, 3, 1] { store.put(message(number)) }
    #expect(store.recent("t", windows: 1) == [id(3), id(1)])
    store.shift()
    for number in [2, 3] { store.put(message(number)) }
    #expect(store.recent("t", windows: 2) == [id(2), id(3)])
  }

  @Test(arguments: 0..<10 as Range<UInt64>) func `agrees with plain lists`(seed: UInt64) {
    var dice = Dice(seed)
    var store = store(windows: 4, countMax: 12, sizeMax: 400)
    var naive: [[Message]] = [[]]  // newest window first
    var served: [MessageID: [PeerID: Int]] = [:]
    for step in 0..<3_000 {
      let message = message(
        dice.number(0...40), on: dice.pick(["t", "u"]), size: dice.number(10...80))
      var agrees = true
      switch dice.number(0...9) {
      case 0...4:
        store.put(message)
        guard !naive.joined().contains(where: { $0.id == message.id }) else { break }
        naive[0].append(message)
        while naive.joined().count > 12 || naive.joined().reduce(0, { $0 + $1.wire.bytes.count }) > 400 {
          let oldest = naive.lastIndex { !$0.isEmpty }!
          served[naive[oldest].removeFirst().id] = nil
        }
      case 5:
        store.shift()
        naive.insert([], at: 0)
        if naive.count > 4 { for gone in naive.removeLast() { served[gone.id] = nil } }
      case 6, 7:
        let holds = naive.joined().contains { $0.id == message.id }
        let to = peer(dice.number(0...2))
        if holds { served[message.id, default: [:]][to, default: 0] += 1 }
        let expected = holds && served[message.id]![to]! <= 2
        agrees = (store.serve(message.id, to: to, times: 2) != nil) == expected
      default:
        let windows = dice.number(0...5)
        let expected = naive.prefix(windows).flatMap { $0.filter { $0.topic == message.topic }.map(\.id) }
        agrees = store.recent(message.topic, windows: windows) == expected
      }
      let all = naive.joined()
      guard agrees, store.count == all.count, store.bytes == all.reduce(0, { $0 + $1.wire.bytes.count }),
        all.allSatisfy({ store.message($0.id)?.wire.bytes == $0.wire.bytes })
      else {
        Issue.record("step \(step)")
        return
      }
    }
  }
}
