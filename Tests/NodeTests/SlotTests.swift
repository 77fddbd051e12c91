import Testing

@testable import GossipCore

extension TopicPolicy {
  /// Spread by slot tables, with what the application knows.
  static func slots(_ meaning: Meaning = Meaning(), isJudged: Bool = false) -> TopicPolicy {
    TopicPolicy(spread: .slots, isJudged: isJudged, retention: .during(.seconds(10_000)), meaning: meaning)
  }
}

extension Told {
  /// Slots told to anybody.
  var slots: [(update: SlotUpdate, to: PeerID)] {
    said.compactMap { if case .word(.slot(let update)) = $0.thing { (update, $0.to) } else { nil } }
  }
}

extension Lone {
  /// A node on `t`, spread by slot tables, among so many members.
  static func amongTables(
    _ count: Int, policy: TopicPolicy = .slots(), seed: UInt8 = 7,
    _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(seed: [seed]) {
      $0.gossipSub.historyLength = 100_000  // messages are held as long as these tests last
      change(&$0)
    }
    lone.join(t, policy: policy)
    for number in 1..<(count + 1) { lone.meet(peer(number), on: t, speaking: "/gossip/slots/1.0.0") }
    return lone
  }

  /// A peer shows a message in a slot.
  @discardableResult
  func show(
    _ id: MessageID, in slot: UInt64, version: UInt64, isPushed: Bool = false, on topic: Topic = t,
    by number: Int
  ) -> Told {
    let update = SlotUpdate(version: version, slot: slot, topic: topic, id: id, isPushed: isPushed)
    return hear(.slot(update), on: .slots, from: peer(number))
  }
  @discardableResult
  func send(_ message: WireMessage, by number: Int) -> Told { hear(message, on: .slots, from: peer(number)) }

  /// The slot table within.
  var slotTable: SlotTable? { node.disseminations[Manner.slots.index] as? SlotTable }

  /// A message of ours, and the slot it took.
  func publishSlot(_ text: String, on topic: Topic = t) -> SlotUpdate? {
    publish(Payload(text), on: topic, policy: .slots()).slots.first?.update
  }
  /// What stood in the store is gone, as when it expired.
  func withdraw(_ id: MessageID) { change { $0.tell(.slots, .withdrawn(id)) } }
}

private func message(_ number: UInt64, _ payload: Payload = "hello") -> WireMessage {
  .by(peer(99), number, payload)
}

@Suite struct `A slot of ours` {
  // IT-34
  @Test(arguments: [(0, true), (-1, false)])
  func `comes with its message if its encoding is below 1,024 bytes`(missing: Int, goesAlone: Bool) {
    let plain = WireMessage.by(peer(0), 1, Payload([UInt8](repeating: 0x62, count: 900)))
    let lone = Lone.amongTables(2)
    let payload = bytes(900 + 1_024 - plain.bytes.count + missing)
    let told = lone.publish(payload, policy: .slots())
    let id = told.publication!.id
    #expect(WireMessage.by(peer(0), 1, payload).bytes.count == 1_024 + missing)
    #expect(told.slots.map(\.to) == peers(1...2))
    #expect(told.slots.allSatisfy { $0.update.isPushed != goesAlone && $0.update.id == id })
    #expect(told.receivers(of: id) == (goesAlone ? [] : peers(1...2)))
    let wanted = lone.hear(.want([id]), on: .slots, from: peer(1))
    #expect(wanted.receivers(of: id) == [peer(1)])
  }

  // IT-35
  @Test func `has a higher version with every event, repeats and withdrawals included`() {
    let lone = Lone.amongTables(1)
    let a = lone.publishSlot("a")
    lone.withdraw(a!.id)
    let b = lone.publishSlot("b")
    lone.withdraw(id(1))  // unknown
    let c = lone.publishSlot("c")
    #expect([a, b, c].map { $0?.version } == [1, 3, 5])
    #expect([a, b, c].map { $0?.slot } == [0, 0, 1])
  }

  // IT-36
  @Test func `is the one freed last, or else the next number`() {
    let lone = Lone.amongTables(1)
    let first = ["a", "b", "c", "d"].compactMap { lone.publishSlot($0) }
    #expect(first.map(\.slot) == [0, 1, 2, 3])
    for index in [1, 3, 0] { lone.withdraw(first[index].id) }
    #expect(["e", "f", "g", "h"].compactMap { lone.publishSlot($0)?.slot } == [0, 3, 1, 4])
  }

  // IT-36
  @Test func `is taken from the oldest message when all are taken`() {
    let lone = Lone.amongTables(1) { $0.slots.slotsMax = 3 }
    #expect("abcdef".map { lone.publishSlot(String($0))?.slot } == [0, 1, 2, 0, 1, 2])
    #expect(lone.counters.evicted == 3)
  }

  // IT-37
  @Test func `of a withdrawn message is told to nobody`() {
    let lone = Lone.amongTables(2)
    let a = lone.publishSlot("a")!
    let sent = lone.counters.framesSent
    lone.withdraw(a.id)
    lone.advance(.seconds(200))
    #expect(lone.counters.framesSent == sent)
    #expect(lone.meet(peer(3), on: t, speaking: "/gossip/slots/1.0.0").slots.isEmpty)
  }

  // IT-38
  @Test func `is told to a newcomer once, and to the others not again`() {
    let lone = Lone.amongTables(1)
    let live = ["a", "b", "c"].compactMap { lone.publishSlot($0)?.id }
    func meet() -> [MessageID] {
      let told = lone.meet(peer(2), on: t, speaking: "/gossip/slots/1.0.0")
      #expect(told.slots.allSatisfy { $0.to == peer(2) && !$0.update.isPushed })
      return told.slots.map(\.update.id)
    }
    #expect(meet() == live)
    #expect(lone.advance(.seconds(100)).slots.isEmpty)
    lone.disconnect(peer(2))
    #expect(meet() == live, "its stream has a new life")
  }

  // IT-38
  @Test func `is told to a newcomer in parts, if there are many, as it stands then`() {
    let lone = Lone.amongTables(0) { $0.slots.greetingLength = 2 }
    let live = ["a", "b", "c", "d", "e"].compactMap {
      lone.publish(Payload($0), policy: .slots()).publication?.id
    }
    #expect(
      lone.meet(peer(1), on: t, speaking: "/gossip/slots/1.0.0").slots.map(\.update.id) == Array(live[..<2]))
    lone.withdraw(live[2])
    #expect(lone.advance(.milliseconds(100)).slots.map(\.update.id) == [live[3]])
    #expect(lone.advance(.milliseconds(100)).slots.map(\.update.id) == [live[4]])
    #expect(lone.sizes.perPeer == 0)
  }

  // IT-38
  @Test func `is not told without end to a peer that comes and goes`() {
    let lone = Lone.amongTables(0) { $0.slots.greetingLength = 3 }
    for text in ["a", "b", "c", "d", "e"] { lone.publish(Payload(text), policy: .slots()) }
    var told = lone.meet(peer(1), on: t, speaking: "/gossip/slots/1.0.0")
    for _ in 0..<50 {
      for joins in [false, true] {
        told += lone.hear(subscriptions: [Subscription(t, joins: joins)], on: .slots, from: peer(1))
      }
    }
    #expect(told.slots.count == 3 && lone.sizes.perPeer == 5)
    #expect(lone.advance(.milliseconds(100)).slots.map(\.update.slot) == [0, 1, 2])
    #expect(lone.advance(.seconds(10)).slots.map(\.update.slot) == [3, 4])
  }

  // IT-39
  @Test func `that another topic overwrites is told to the members of both`() {
    let lone = Lone.amongTables(1)
    lone.join(u, policy: .slots())
    lone.meet(peer(2), on: u, speaking: "/gossip/slots/1.0.0")
    lone.withdraw(lone.publishSlot("a")!.id)
    let told = lone.publish("b", on: u, policy: .slots())
    #expect(told.slots.map(\.to) == [peer(2), peer(1)] && told.slots.map(\.update.slot) == [0, 0])
    #expect(told.slots.map(\.update.isPushed) == [true, false])
  }

  // IT-40
  @Test func `is taken by the messages of others as well, which go as ids`() {
    func told(_ relay: SlotParameters.Relay) -> Told {
      let lone = Lone.amongTables(3) { $0.slots.relay = relay }
      lone.show(message(1).authorID, in: 0, version: 1, by: 2)
      return lone.send(message(1), by: 1)
    }
    let id = message(1).authorID
    #expect(told(.ids).slots.map(\.to) == peers(1...3) && told(.ids).receivers(of: id) == [])
    #expect(told(.nothing).slots.isEmpty && told(.nothing).delivered == [id])
    #expect(told(.messages).slots.map(\.to) == peers(1...3))
    #expect(told(.messages).receivers(of: id) == [peer(3)], "the others gave it, or showed that they have it")
  }
}

@Suite struct `A slot of another` {
  // IT-41
  @Test func `with an unknown message leads to a want, and its message is delivered`() {
    let lone = Lone.amongTables(2)
    let m = message(1)
    #expect(lone.show(m.authorID, in: 0, version: 1, by: 1).said == [.want([m.authorID], to: peer(1))])
    #expect(lone.send(m, by: 1).delivered == [m.authorID])
    #expect(lone.show(m.authorID, in: 0, version: 1, by: 2).said == [])
    #expect(lone.sizes.wants == 0)
  }

  // IT-42
  @Test func `is replaced by a higher version only`() {
    let lone = Lone.amongTables(1)
    #expect(lone.show(id(1), in: 0, version: 5, by: 1).wanted == [id(1)])
    #expect(lone.show(id(2), in: 0, version: 5, by: 1).wanted == [])
    #expect(lone.show(id(2), in: 0, version: 4, by: 1).wanted == [])
    #expect(lone.counters.offersIgnored == 2)
    #expect(lone.show(id(2), in: 0, version: 6, by: 1).wanted == [id(2)])
    #expect(lone.sizes.wants == 1, "the first is not wanted any more")
  }

  // IT-42
  @Test func `may have any version in a new life of its stream`() {
    let lone = Lone.amongTables(1)
    lone.show(id(1), in: 0, version: 500, by: 1)
    lone.disconnect(peer(1))
    #expect(lone.sizes.wants == 0 && lone.sizes.perPeer == 0)
    lone.meet(peer(1), on: t, speaking: "/gossip/slots/1.0.0")
    #expect(lone.show(id(2), in: 0, version: 1, by: 1).wanted == [id(2)])
  }

  // IT-43
  @Test func `overwritten takes its peer from the advertisers, and the last one's end is the want's`() {
    let lone = Lone.amongTables(2)
    let (a, b) = (lone.show(id(1), in: 0, version: 1, by: 1), lone.show(id(1), in: 0, version: 1, by: 2))
    #expect(a.said == [.want([id(1)], to: peer(1))] && b.said == [])
    let m = message(1)
    lone.send(m, by: 1)
    let told = lone.show(m.authorID, in: 0, version: 2, by: 1)
    #expect(told.said == [.want([id(1)], to: peer(2))])
    #expect(lone.show(m.authorID, in: 0, version: 2, by: 2).said == [])
    #expect(lone.sizes.wants == 0)
    #expect(lone.advance(.seconds(1_000)).wanted == [])
  }

  // IT-44
  @Test func `that stands in two slots is lost with both of them only`() {
    let lone = Lone.amongTables(1)
    lone.show(id(1), in: 0, version: 1, by: 1)
    lone.show(id(1), in: 1, version: 2, by: 1)
    lone.show(message(1).authorID, in: 0, version: 3, by: 1)
    #expect(lone.sizes.wants == 2)
    lone.show(message(1).authorID, in: 1, version: 4, by: 1)
    #expect(lone.sizes.wants == 1)
  }

  // IT-45
  @Test func `beyond the bound is not noted, but one that is there may be overwritten`() {
    let lone = Lone.amongTables(2) { $0.slots.slotsPerPeer = 3 }
    for slot in 0..<3 { lone.show(id(slot), in: UInt64(slot), version: 1, by: 1) }
    #expect(lone.show(id(3), in: 3, version: 1, by: 1).observed == [.init(.flooded, peer(1))])
    #expect(lone.sizes.perPeer == 3 && lone.counters.evicted == 1)
    #expect(lone.show(id(4), in: 2, version: 2, by: 1).wanted == [id(4)])
    #expect(lone.show(id(3), in: 3, version: 1, by: 2).wanted == [id(3)], "others have their own bound")
  }

  // IT-45
  @Test func `is one of a hundred thousand that take no more room than the bound`() {
    let lone = Lone.amongTables(2) { $0.slots.slotsPerPeer = 100 }
    for part in 0..<20 {
      let words = (0..<5_000).map { number in
        let slot = part * 5_000 + number
        return Control.slot(
          SlotUpdate(
            version: 1, slot: UInt64(slot), topic: t,
            id: MessageID([1, UInt8(part), UInt8(number & 255), UInt8(number >> 8)]),
            isPushed: false))
      }
      lone.hear(words: words, on: .slots, from: peer(1))
    }
    #expect(lone.sizes.perPeer == 100 && lone.sizes.wants == 20)
    let m = message(1)
    #expect(lone.show(m.authorID, in: 0, version: 1, by: 2).said == [.want([m.authorID], to: peer(2))])
  }

  // IT-46
  @Test func `of which the message came twice is delivered once`() {
    let lone = Lone.amongTables(2)
    let m = message(1)
    var told = Told()
    for number in 1...2 {
      told += lone.hear(
        messages: [m],
        words: [.slot(SlotUpdate(version: 1, slot: 0, topic: t, id: m.authorID, isPushed: true))],
        on: .slots, from: peer(number))
    }
    #expect(told.delivered == [m.authorID] && told.wanted == [])
  }

  // IT-47
  @Test func `whose pushed message does not come is asked for after 5 s`() {
    let lone = Lone.amongTables(1)
    #expect(lone.show(id(1), in: 0, version: 1, isPushed: true, by: 1).wanted == [])
    #expect(lone.advance(.nanoseconds(4_999_999_999)).wanted == [])
    #expect(lone.advance(.nanoseconds(1)).said == [.want([id(1)], to: peer(1))])
  }

  // IT-48
  @Test func `that is not wanted is never asked for, nor its message looked at, until it is ranked anew`() {
    for rank in [Priority.drop, .stash] {
      let lone = Lone.amongTables(1, policy: .slots(Meaning(rank: { _, _ in rank })))
      let m = message(1)
      lone.show(m.authorID, in: 0, version: 1, isPushed: true, by: 1)
      #expect(lone.send(m, by: 1).delivered == [] && lone.counters.refused == 1)
      #expect(lone.advance(.seconds(1_000)).wanted == [])
      #expect(lone.join(t, policy: .slots()).wanted == [m.authorID])
      lone.join(t, policy: .slots(Meaning(rank: { _, _ in rank })))
      #expect(lone.sizes.wants == 0)
      lone.join(t, policy: .slots())
      #expect(lone.send(m, by: 1).delivered == [m.authorID])
    }
  }

  // IT-49
  @Test func `is asked for ever more patiently, from 5 s to 120 s, without end`() {
    let lone = Lone.amongTables(1)
    lone.show(id(1), in: 0, version: 1, by: 1)
    for patience in [5, 10, 20, 40, 80, 120, 120, 120] {
      #expect(lone.advance(.seconds(patience) - .nanoseconds(1)).wanted == [])
      #expect(lone.advance(.nanoseconds(1)).wanted == [id(1)])
    }
  }

  // IT-49
  @Test func `is looked at anew before each try`() {
    let isOver = Switch()
    let meaning = Meaning(rank: { _, _ in isOver.isOn ? .drop : .fetch })
    let lone = Lone.amongTables(1, policy: .slots(meaning))
    lone.show(id(1), in: 0, version: 1, by: 1)
    isOver.isOn = true
    #expect(lone.advance(.seconds(1_000)).wanted == [])
    #expect(lone.sizes.wants == 0)
  }

  // IT-50
  @Test func `is asked of another advertiser after each failure, at random at first`() {
    var first: Set<PeerID> = []
    for seed in 1...10 as ClosedRange<UInt8> {
      let lone = Lone.amongTables(5, seed: seed)
      lone.show(id(9), in: 9, version: 1, isPushed: true, by: 1)
      for number in 1...5 { lone.show(id(9), in: 0, version: 1, isPushed: true, by: number) }
      var told = lone.advance(.seconds(5))
      first.formUnion(told.asked(for: id(9)))
      for _ in 0..<8 {
        let last = told.asked(for: id(9)).last
        told = lone.advance(.seconds(120))
        #expect(!told.asked(for: id(9)).isEmpty && told.asked(for: id(9)).first != last)
      }
    }
    #expect(first.count > 2)
  }

  // IT-51
  @Test func `whose peer lacks it, or gives a forgery, is asked of others`() {
    let lone = Lone.amongTables(3)
    let m = message(1)
    let forged = WireMessage(topic: t, payload: "forged", author: peer(99), sequence: 1).signed([1])
    for number in 1...3 { lone.show(m.authorID, in: 0, version: 1, by: number) }
    let second = lone.hear(.lack([m.authorID]), on: .slots, from: peer(1)).asked(for: m.authorID)
    #expect(second.count == 1 && second != [peer(1)])
    let told = lone.send(forged, by: number(of: second[0]))
    #expect(told.observed == [.init(.invalidMessage, second[0])])
    let third = told.asked(for: m.authorID)
    #expect(Set(third + second) == Set(peers(2...3)))
    #expect(lone.send(m, by: number(of: third[0])).delivered == [m.authorID])
  }

  // IT-51
  @Test func `that nobody can give is asked for again when somebody shows it anew`() {
    let lone = Lone.amongTables(1)
    lone.show(id(1), in: 0, version: 1, by: 1)
    #expect(lone.hear(.lack([id(1)]), on: .slots, from: peer(1)).said == [])
    #expect(lone.sizes.wants == 0)
    #expect(lone.advance(.seconds(1_000)).wanted == [])
    #expect(lone.show(id(1), in: 1, version: 2, by: 1).wanted == [id(1)])
  }

  // IT-52
  @Test func `of a peer that leaves, or leaves the topic, is gone, and another is asked at once`() {
    let lone = Lone.amongTables(3)
    for number in 1...3 { lone.show(id(1), in: 0, version: 1, by: number) }
    let second = lone.disconnect(peer(1)).asked(for: id(1))
    #expect(second.count == 1)
    let third = lone.hear(
      subscriptions: [Subscription(t, joins: false)], on: .slots, from: second[0]
    ).asked(for: id(1))
    #expect(Set(second + third) == Set(peers(2...3)))
    #expect(lone.sizes.perPeer == 1)
    lone.tell(.closed(third[0], .slots))
    #expect(lone.sizes.perPeer == 0 && lone.sizes.wants == 0)
    #expect(lone.advance(.seconds(1_000)).wanted == [])
  }

  // IT-53
  @Test func `waits while twenty of its peer's are asked for`() {
    let lone = Lone.amongTables(1)
    let messages = (1...25 as ClosedRange<UInt64>).map { message($0) }
    var wanted: [MessageID] = []
    for (slot, m) in messages.enumerated() {
      wanted += lone.show(m.authorID, in: UInt64(slot), version: UInt64(slot) + 1, by: 1).wanted
    }
    #expect(wanted == messages[..<20].map(\.authorID))
    #expect(lone.send(messages[0], by: 1).wanted == [messages[20].authorID])
  }

  // IT-54
  @Test func `comes back when it is shown again after its search ended`() {
    let lone = Lone.amongTables(1)
    lone.show(id(1), in: 0, version: 1, by: 1)
    lone.show(id(2), in: 0, version: 2, by: 1)
    let told = lone.show(id(1), in: 0, version: 3, by: 1)
    #expect(told.said == [.want([id(1)], to: peer(1))])
    #expect(lone.sizes.wants == 1)
  }

  // IT-55
  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `is searched for only while it stands in a table`(seed: UInt64) throws {
    var dice = Dice(seed)
    let lone = Lone.amongTables(5, seed: UInt8(seed)) {
      ($0.slots.slotsPerPeer, $0.slots.fetchesPerPeer, $0.slots.slotsMax) = (8, 2, 6)
      $0.limits.seenFor = .seconds(20)
    }
    var version: UInt64 = 0
    for step in 0..<1_200 {
      let number = Int.random(in: 1...5, using: &dice)
      let m = message(UInt64.random(in: 0..<20, using: &dice))
      switch Int.random(in: 0..<20, using: &dice) {
      case 0..<9:
        version += UInt64.random(in: 0...1, using: &dice)
        lone.show(
          m.authorID, in: UInt64.random(in: 0..<10, using: &dice), version: version, isPushed: number == 1,
          by: number)
      case 9..<12: lone.send(m, by: number)
      case 12:
        lone.send(WireMessage(topic: t, payload: "x", author: peer(99), sequence: 1).signed([1]), by: number)
      case 13: lone.hear(.lack([m.authorID]), on: .slots, from: peer(number))
      case 14: lone.disconnect(peer(number))
      case 15, 16: lone.meet(peer(number), on: t, speaking: "/gossip/slots/1.0.0")
      case 17:
        let isStrict = Bool.random(using: &dice)
        lone.join(
          t, policy: .slots(Meaning(rank: { id, _ in isStrict && id.bytes.last! % 2 == 0 ? .drop : .later })))
      case 18: lone.publish(policy: .slots())
      default: lone.advance(.seconds(Int.random(in: 0...9, using: &dice)))
      }
      let isConsistent = try #require(lone.slotTable).isConsistent(lone.node.commons)
      guard isConsistent else {
        Issue.record("seed \(seed), step \(step)")
        return
      }
    }
  }
}

/// Something a test turns on while a policy looks at it.
private final class Switch: @unchecked Sendable {
  var isOn = false
}
