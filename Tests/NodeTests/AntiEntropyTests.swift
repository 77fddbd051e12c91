import GossipCore
import Testing

private let healer: ProtocolName = "/gossip/anti-entropy/1.0.0"

extension TopicPolicy {
  /// A topic whose messages have positions, kept for a while.
  fileprivate static func healed(_ heal: Heal, _ retention: Retention = .during(.seconds(400))) -> TopicPolicy
  {
    TopicPolicy(
      heal: heal, retention: retention,
      meaning: Meaning(
        position: { UInt64($0.text) }, filter: { Array("5".utf8) },
        passes: { filter, payload in payload.text >= String(decoding: filter, as: UTF8.self) }))
  }
}

extension WireMessage {
  /// The message at a position.
  fileprivate static func at(_ position: Int) -> WireMessage {
    .by(peer(900), UInt64(position), Payload("\(position)"))
  }
}

extension Lone {
  /// A node on a healed topic with members that speak nothing but healing.
  fileprivate static func healed(
    _ heal: Heal, members count: Int, _ retention: Retention = .during(.seconds(400)), seed: UInt8 = 7,
    _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(seed: [seed], change)
    lone.join(t, policy: .healed(heal, retention))
    if count > 0 { lone.meet(peers(1...count), speaking: healer) }
    return lone
  }

  /// Has it hold messages at these positions, brought by somebody who spreads them.
  fileprivate func hold(_ positions: Range<Int>) {
    meet(peer(99), on: t)
    hear(messages: positions.map { .at($0) }, from: peer(99))
    disconnect(peer(99))
  }

  /// Lets time pass until it has greeted somebody; the nonces, by peer.
  fileprivate func greetings() -> [(nonce: UInt64, to: PeerID)] {
    for _ in 0..<200 {
      guard let deadline = node.deadline else { return [] }
      let hellos = advance(deadline - now).hellos
      if !hellos.isEmpty { return hellos }
    }
    return []
  }

  @discardableResult
  fileprivate func hear(healing messages: [WireMessage], from peer: PeerID) -> Told {
    hear(messages: messages, on: .antiEntropy, from: peer)
  }
}

extension Told {
  fileprivate var hellos: [(nonce: UInt64, to: PeerID)] {
    said.compactMap { if case .word(.hello(t, let nonce)) = $0.thing { (nonce, $0.to) } else { nil } }
  }
  fileprivate var digests: [(ids: [MessageID], to: PeerID)] {
    said.compactMap { if case .word(.digest(_, let ids)) = $0.thing { (ids, $0.to) } else { nil } }
  }
  fileprivate var fetches: [(ids: [MessageID], to: PeerID)] {
    said.compactMap { if case .word(.fetch(_, let ids)) = $0.thing { (ids, $0.to) } else { nil } }
  }
  fileprivate var spans: [Said] {
    said.filter { if case .word(.span) = $0.thing { true } else { false } }
  }
  fileprivate var summaries: [Said] {
    said.filter { if case .word(.summary) = $0.thing { true } else { false } }
  }
  fileprivate var messages: [MessageID] {
    said.compactMap { if case .message(let id) = $0.thing { id } else { nil } }
  }
}

private func span(_ first: UInt64, _ end: UInt64, to peer: PeerID) -> Said {
  .word(.span(t, first: first, end: end), to: peer)
}
private func summary(_ lowest: UInt64, _ next: UInt64) -> Control { .summary(t, lowest: lowest, next: next) }

@Suite struct `A message held for long` {
  @Test func `is not taken for new when it comes again after the memory of ids`() {
    let lone = Lone { $0.limits.seenFor = .seconds(10) }
    lone.join(t, policy: TopicPolicy(retention: .during(.seconds(100))))
    lone.meet(peer(1), on: t)
    let message = WireMessage.by(peer(9), 1)
    #expect(lone.hear(message, from: peer(1)).delivered.count == 1)
    lone.advance(.seconds(30))
    #expect(lone.hear(message, from: peer(1)).delivered.isEmpty && lone.counters.duplicates == 1)
    #expect(lone.hear(.have(t, [message.authorID]), from: peer(1)).wanted.isEmpty)
  }
}

@Suite struct `A round of digests` {
  @Test func `greets three random members, each with another nonce, every four seconds`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 10)
    let first = lone.greetings()
    #expect(first.count == 3 && Set(first.map(\.to)).count == 3 && Set(first.map(\.nonce)).count == 3)
    let later = lone.advance(.seconds(12)).hellos
    #expect(later.count == 9 && Set(later.map(\.nonce)).isDisjoint(with: first.map(\.nonce)))
    #expect(Set((first + later).map(\.to)).count > 4, "others each time")
  }

  @Test func `is not begun while nobody is there, nor faster than a round takes`() {
    let lone = Lone.healed(.digests(every: .milliseconds(1)), members: 0)
    #expect(lone.advance(.seconds(20)).hellos.isEmpty && lone.sizes.alarms == 1)
    lone.meet([peer(1)], speaking: healer)
    _ = lone.greetings()
    #expect(lone.advance(.seconds(30)).hellos.count == 10)
    lone.disconnect(peer(1))
    lone.advance(.seconds(20))
    #expect(lone.sizes.alarms == 1 && lone.sizes.perPeer == 0)
  }

  // FT-64
  @Test func `fetches what is missing, each from one of its owners, after a second`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 3)
    lone.hold(0..<5)
    let all = (0..<45).map { WireMessage.at($0).authorID }
    for (nonce, peer) in lone.greetings() {
      lone.hear(.digest(nonce: nonce, all), on: .antiEntropy, from: peer)
    }
    let fetches = lone.advance(.seconds(1)).fetches
    #expect(fetches.flatMap(\.ids).sorted() == all[5...].sorted())
    #expect(fetches.count == 3 && fetches.allSatisfy { $0.ids.count >= 5 }, "the load is shared")
  }

  // FT-65
  @Test func `hears no digest with another nonce, or from a peer that was not greeted`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 4)
    let greetings = lone.greetings()
    let outsider = peers(1...4).first { peer in !greetings.contains { $0.to == peer } }!
    lone.hear(.digest(nonce: greetings[0].nonce, [id(1)]), on: .antiEntropy, from: outsider)
    lone.hear(.digest(nonce: greetings[0].nonce, [id(2)]), on: .antiEntropy, from: greetings[1].to)
    lone.hear(.digest(nonce: greetings[0].nonce &+ 1, [id(3)]), on: .antiEntropy, from: greetings[0].to)
    #expect(lone.advance(.seconds(3)).fetches.isEmpty)
  }

  // FT-66
  @Test func `does not wait for who is slow; another gives what it has`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 2)
    let greetings = lone.greetings()
    let message = WireMessage.at(1)
    lone.advance(.milliseconds(900))
    lone.hear(.digest(nonce: greetings[0].nonce, [message.authorID]), on: .antiEntropy, from: greetings[0].to)
    #expect(lone.advance(.milliseconds(100)).fetches.map(\.to) == [greetings[0].to])
    lone.hear(.digest(nonce: greetings[1].nonce, [id(7)]), on: .antiEntropy, from: greetings[1].to)
    #expect(lone.hear(healing: [message], from: greetings[0].to).delivered == [message.authorID])
    #expect(lone.advance(.seconds(2)).fetches.isEmpty, "late digests are not heard")
    #expect(lone.counters.healed == 1)
  }

  // FT-72
  @Test func `does not fetch what it met, held or not`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 1, .heartbeats)
    lone.hold(0..<3)
    lone.beat(6)
    #expect(lone.sizes.stored == 0)
    let (nonce, peer) = lone.greetings()[0]
    lone.hear(
      .digest(nonce: nonce, (0..<3).map { WireMessage.at($0).authorID }), on: .antiEntropy, from: peer)
    #expect(lone.advance(.seconds(3)).fetches.isEmpty)
  }

  // FT-65
  @Test func `takes only what it fetched, from whom, and for two seconds`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 2)
    let greetings = lone.greetings()
    let messages = (0..<4).map { WireMessage.at($0) }
    #expect(lone.hear(healing: [messages[0]], from: greetings[0].to).delivered == [], "nothing was asked yet")
    lone.hear(
      .digest(nonce: greetings[0].nonce, messages.prefix(3).map(\.authorID)), on: .antiEntropy,
      from: greetings[0].to)
    lone.advance(.seconds(1))
    #expect(lone.hear(healing: [messages[0]], from: greetings[1].to).delivered == [])
    #expect(lone.hear(healing: [messages[3]], from: greetings[0].to).delivered == [])
    #expect(lone.hear(healing: [messages[0]], from: greetings[0].to).delivered == [messages[0].authorID])
    lone.advance(.milliseconds(1_999))
    #expect(lone.hear(healing: [messages[1]], from: greetings[0].to).delivered == [messages[1].authorID])
    lone.advance(.milliseconds(1))
    let late = lone.hear(healing: [messages[2]], from: greetings[0].to)
    #expect(late.delivered == [] && late.observed == [] && lone.counters.refused == 4)
  }

  // FT-71
  @Test func `keeps nothing that is not genuine, and takes it from another`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 1)
    let (nonce, peer) = lone.greetings()[0]
    let genuine = WireMessage.at(1)
    let forged = WireMessage(topic: t, payload: "2", author: NodeTests.peer(900), sequence: 1).signed([1])
    lone.hear(.digest(nonce: nonce, [genuine.authorID]), on: .antiEntropy, from: peer)
    lone.advance(.seconds(1))
    let told = lone.hear(healing: [forged], from: peer)
    #expect(told.delivered == [] && told.observed == [.init(.invalidMessage, peer)])
    #expect(lone.hear(healing: [forged], from: peer).effects.isEmpty, "nothing more of this from it")
    #expect(lone.sizes.stored == 0)
    let again = lone.greetings()[0].nonce
    lone.hear(.digest(nonce: again, [genuine.authorID]), on: .antiEntropy, from: peer)
    #expect(lone.advance(.seconds(1)).fetches.flatMap(\.ids) == [genuine.authorID])
  }

  @Test func `hears at most so many ids of one peer, in however many words`() {
    let lone = Lone.healed(.digests(every: .seconds(4)), members: 1) { $0.antiEntropy.digestLength = 50 }
    let (nonce, peer) = lone.greetings()[0]
    for part in 0..<10 {
      lone.hear(.digest(nonce: nonce, ids(part * 20..<part * 20 + 20)), on: .antiEntropy, from: peer)
    }
    #expect(lone.advance(.seconds(1)).fetches.flatMap(\.ids) == ids(0..<50))
  }
}

@Suite struct `A greeting` {
  @Test func `is answered with what is held, the newest first, as much as fits`() {
    let lone = Lone.healed(.digests(every: .seconds(400)), members: 1) { $0.antiEntropy.digestLength = 3 }
    #expect(lone.hear(.hello(t, nonce: 1), on: .antiEntropy, from: peer(1)).said == [], "nothing is held")
    lone.hold(0..<5)
    let told = lone.hear(.hello(t, nonce: 2), on: .antiEntropy, from: peer(1))
    #expect(
      told.said == [
        .word(.digest(nonce: 2, [4, 3, 2].map { WireMessage.at($0).authorID }), to: peer(1))
      ])
  }

  @Test func `of another topic, or of a peer that is not on it, is not answered`() {
    let lone = Lone.healed(.digests(every: .seconds(400)), members: 1)
    lone.hold(0..<5)
    lone.connect(peer(2))
    lone.open(peer(2), healer)
    #expect(lone.hear(.hello(t, nonce: 1), on: .antiEntropy, from: peer(2)).said == [])
    #expect(lone.hear(.hello(u, nonce: 1), on: .antiEntropy, from: peer(1)).said == [])
  }

  // FT-67
  @Test func `allows fetching what was told, once, for a second and a half`() {
    let lone = Lone.healed(.digests(every: .seconds(400)), members: 2)
    lone.hold(0..<3)
    let ids = (0..<3).map { WireMessage.at($0).authorID }
    lone.hear(.hello(t, nonce: 8), on: .antiEntropy, from: peer(1))
    #expect(lone.hear(.fetch(nonce: 9, ids), on: .antiEntropy, from: peer(1)).said == [])
    #expect(lone.hear(.fetch(nonce: 8, ids), on: .antiEntropy, from: peer(2)).said == [])
    #expect(
      lone.hear(.fetch(nonce: 8, [id(5), ids[0]]), on: .antiEntropy, from: peer(1)).messages == [ids[0]])
    lone.advance(.milliseconds(1_499))
    #expect(
      lone.hear(.fetch(nonce: 8, [ids[1], ids[1]]), on: .antiEntropy, from: peer(1)).messages == [ids[1]])
    #expect(lone.hear(.fetch(nonce: 8, ids), on: .antiEntropy, from: peer(1)).messages.count == 1)
    lone.hear(.hello(t, nonce: 10), on: .antiEntropy, from: peer(2))
    lone.advance(.milliseconds(1_500))
    #expect(lone.hear(.fetch(nonce: 10, ids), on: .antiEntropy, from: peer(2)).said == [])
  }

  // FT-67
  @Test func `does not bring back what has left meanwhile`() {
    let lone = Lone.healed(.digests(every: .seconds(400)), members: 1, .last(2))
    lone.hold(0..<3)
    #expect(lone.hear(.hello(t, nonce: 1), on: .antiEntropy, from: peer(1)).digests[0].ids.count == 3)
    lone.hold(3..<5)
    let told = lone.hear(
      .fetch(nonce: 1, (0..<3).map { WireMessage.at($0).authorID }), on: .antiEntropy, from: peer(1))
    #expect(told.messages == [WireMessage.at(2).authorID])
  }

  // FT-69
  @Test func `names only the last positions where only these are kept`() {
    let lone = Lone.healed(.digests(every: .seconds(400)), members: 1, .last(2))
    lone.hold(0..<10)
    let told = lone.hear(.hello(t, nonce: 1), on: .antiEntropy, from: peer(1))
    #expect(told.digests[0].ids == [9, 8, 7].map { WireMessage.at($0).authorID })
  }

  @Test func `repeated within a second and a half is a flood`() {
    let lone = Lone.healed(.digests(every: .seconds(400)), members: 1)
    lone.hold(0..<3)
    lone.hear(.hello(t, nonce: 1), on: .antiEntropy, from: peer(1))
    let told = lone.hear(.hello(t, nonce: 2), on: .antiEntropy, from: peer(1))
    #expect(told.said == [] && told.observed == [.init(.flooded, peer(1))])
    lone.advance(.milliseconds(1_500))
    #expect(lone.hear(.hello(t, nonce: 3), on: .antiEntropy, from: peer(1)).digests.count == 1)
  }
}

@Suite struct `A node that climbs` {
  private func climber(members count: Int, heights: ClosedRange<Int>? = nil, upTo next: UInt64 = 0) -> Lone {
    let lone = Lone.healed(.heights(every: .seconds(10)), members: count)
    for number in heights ?? 1...count where next > 0 {
      lone.hear(summary(0, next), on: .antiEntropy, from: peer(number))
    }
    return lone
  }

  /// The next span that is asked for.
  private func nextSpan(_ lone: Lone) -> Said? {
    for _ in 0..<300 {
      guard let deadline = lone.node.deadline else { return nil }
      if let span = lone.advance(deadline - lone.now).spans.first { return span }
    }
    return nil
  }

  // FT-77
  @Test func `asks for 15 missing positions in two spans, the second when the first is complete`() {
    let lone = climber(members: 1, upTo: 15)
    #expect(nextSpan(lone) == span(0, 10, to: peer(1)))
    var told = lone.hear(healing: (0..<9).map { .at($0) }, from: peer(1))
    #expect(told.delivered.count == 9 && told.spans == [])
    told = lone.hear(healing: [.at(9)], from: peer(1))
    #expect(told.spans == [span(10, 15, to: peer(1))])
    told = lone.hear(healing: (10..<15).map { .at($0) }, from: peer(1))
    #expect(told.delivered.count == 5)
    told = lone.advance(.seconds(30))
    #expect(told.spans == [] && told.observed == [])
    #expect(told.summaries.first == .word(summary(0, 15), to: peer(1)))
    #expect(lone.counters.spansAsked == 2 && lone.counters.healed == 15)
  }

  // FT-82
  @Test func `never asks who has not said what it holds`() {
    let lone = climber(members: 5, heights: 3...3, upTo: 10)
    #expect(nextSpan(lone) == span(0, 10, to: peer(3)))
    #expect(lone.advance(.seconds(12)).spans.allSatisfy { $0.to == peer(3) })
  }

  @Test func `asks nobody for what is missing nowhere, and nobody who has not got it`() {
    let lone = climber(members: 3)
    lone.hold(0..<20)
    lone.hear(summary(5, 20), on: .antiEntropy, from: peer(1))
    lone.hear(summary(19, 25), on: .antiEntropy, from: peer(2))
    lone.hear(summary(0, 0), on: .antiEntropy, from: peer(3))
    #expect(nextSpan(lone) == span(20, 25, to: peer(2)))
  }

  @Test func `fills gaps, lowest first, and begins where the others' memory begins`() {
    let lone = climber(members: 1)
    lone.hold(52..<55)
    lone.hear(summary(50, 60), on: .antiEntropy, from: peer(1))
    #expect(nextSpan(lone) == span(50, 52, to: peer(1)))
    #expect(lone.hear(healing: [.at(50), .at(51)], from: peer(1)).spans == [span(55, 60, to: peer(1))])
  }

  // FT-80
  @Test func `asks others for a span that does not come, four of them at most, then waits`() {
    let lone = climber(members: 6, upTo: 10)
    var asked = [nextSpan(lone)!.to]
    let told = lone.advance(.seconds(9))
    asked += told.spans.map(\.to)
    #expect(asked.count == 4 && Set(asked).count == 4)
    #expect(told.spans.allSatisfy { $0 == span(0, 10, to: $0.to) })
    #expect(lone.counters.spansFailed == 3)
    lone.advance(.seconds(3))
    #expect(lone.counters.spansFailed == 4)
    let next = nextSpan(lone)
    #expect(next.map { !asked.contains($0.to) } == true, "those who gave nothing have to speak first")
  }

  // FT-80
  @Test func `asks the same member again when there is no other`() {
    let lone = climber(members: 1, upTo: 10)
    #expect(nextSpan(lone) == span(0, 10, to: peer(1)))
    #expect(lone.advance(.seconds(3)).spans == [span(0, 10, to: peer(1))])
    lone.hear(healing: [.at(0), .at(1), .at(5)], from: peer(1))
    #expect(lone.advance(.seconds(3)).spans == [span(2, 5, to: peer(1))], "only what is still missing")
  }

  // FT-81
  @Test func `asks another at once when a forged message comes`() {
    let lone = climber(members: 2, upTo: 10)
    let first = nextSpan(lone)!.to
    let other = first == peer(1) ? peer(2) : peer(1)
    let forged = WireMessage(topic: t, payload: "3", author: peer(900), sequence: 3).signed([1])
    let told = lone.hear(healing: [.at(0), forged], from: first)
    #expect(told.delivered == [WireMessage.at(0).authorID])
    #expect(told.spans == [span(1, 10, to: other)])
    #expect(told.observed == [.init(.invalidMessage, first)])
    #expect(lone.hear(healing: (1..<10).map { .at($0) }, from: other).delivered.count == 9)
  }

  @Test func `asks another at once when the one it asked leaves`() {
    let lone = climber(members: 2, upTo: 10)
    let first = nextSpan(lone)!.to
    let told = lone.disconnect(first)
    #expect(told.spans.count == 1 && told.spans.allSatisfy { $0.to != first })
  }

  @Test func `takes only what it asked for, of whom`() {
    let lone = climber(members: 2, upTo: 30)
    let first = nextSpan(lone)!.to
    let other = first == peer(1) ? peer(2) : peer(1)
    #expect(lone.hear(healing: [.at(3)], from: other).delivered == [])
    #expect(lone.hear(healing: [.at(10)], from: first).delivered == [])
    #expect(lone.hear(healing: (0..<10).map { .at($0) }, from: first).delivered.count == 10)
    #expect(lone.counters.refused == 2)
  }

  @Test func `goes on behind a span that nobody gives`() {
    let lone = climber(members: 2)
    lone.hear(summary(0, 10), on: .antiEntropy, from: peer(1))
    lone.hear(summary(10, 20), on: .antiEntropy, from: peer(2))
    #expect(nextSpan(lone) == span(0, 10, to: peer(1)))
    lone.advance(.seconds(11))
    lone.hear(summary(0, 10), on: .antiEntropy, from: peer(1))
    #expect(nextSpan(lone) == span(10, 20, to: peer(2)))
  }

  @Test func `needs nothing below what it keeps`() {
    let lone = Lone.healed(.heights(every: .seconds(10)), members: 1, .last(5))
    lone.hold(100..<101)
    lone.hear(summary(0, 101), on: .antiEntropy, from: peer(1))
    #expect(nextSpan(lone) == span(95, 100, to: peer(1)))
  }

  @Test func `survives the highest positions there are`() {
    let lone = climber(members: 2)
    lone.hear(summary(.max - 3, .max), on: .antiEntropy, from: peer(1))
    lone.hear(summary(.max, 0), on: .antiEntropy, from: peer(2))
    #expect(nextSpan(lone) == span(.max - 3, .max, to: peer(1)))
    let highest = WireMessage.by(peer(900), 1, Payload("\(UInt64.max)"))
    let next = WireMessage.by(peer(900), 2, Payload("\(UInt64.max - 1)"))
    lone.meet(peer(99), on: t)
    #expect(lone.hear(highest, next, from: peer(99)).delivered.count == 2)
    lone.advance(.seconds(30))
  }
}

@Suite struct `A height` {
  @Test func `is told to everybody when it has changed, to three who may have missed it otherwise`() {
    let lone = Lone.healed(.heights(every: .seconds(10)), members: 8)
    #expect(lone.advance(.seconds(10)).summaries == [], "nothing is held")
    lone.hold(0..<5)
    let told = lone.advance(.seconds(10)).summaries
    #expect(told.map(\.to) == peers(1...8) && told.allSatisfy { $0.thing == .word(summary(0, 5)) })
    #expect(lone.advance(.seconds(10)).summaries.count == 3)
    lone.hold(5..<6)
    #expect(lone.advance(.seconds(10)).summaries.count == 8)
    #expect(lone.meet(peer(9), on: t, speaking: healer).summaries == [.word(summary(0, 6), to: peer(9))])
  }

  @Test func `is the highest positions held without a gap`() {
    let lone = Lone.healed(.heights(every: .seconds(10)), members: 1)
    lone.hold(0..<5)
    lone.hold(7..<9)
    #expect(lone.advance(.seconds(10)).summaries == [.word(summary(7, 9), to: peer(1))])
  }
}

@Suite struct `A span` {
  private func holder() -> Lone {
    let lone = Lone.healed(.heights(every: .seconds(400)), members: 1)
    lone.hold(0..<30)
    return lone
  }

  private func ask(_ lone: Lone, _ first: UInt64, _ end: UInt64, from peer: PeerID = peer(1)) -> Told {
    lone.hear(.span(t, first: first, end: end), on: .antiEntropy, from: peer)
  }

  @Test func `is served as far as it is held`() {
    let lone = holder()
    #expect(ask(lone, 3, 6).messages == (3..<6).map { WireMessage.at($0).authorID })
    #expect(ask(lone, 25, 35).messages == (25..<30).map { WireMessage.at($0).authorID })
    #expect(ask(lone, 100, 110).said == [])
  }

  // FT-78
  @Test(arguments: [(5, 5), (6, 5), (0, 11), (0, UInt64.max), (.max, 0), (.max, .max)] as [(UInt64, UInt64)])
  func `that is none, or too long, is not served`(first: UInt64, end: UInt64) {
    let told = ask(holder(), first, end)
    #expect(told.said == [] && told.observed == [.init(.flooded, peer(1))])
  }

  // FT-79
  @Test func `is not served to a peer that is not on the topic`() {
    let lone = holder()
    lone.connect(peer(2))
    lone.open(peer(2), healer)
    #expect(ask(lone, 0, 5, from: peer(2)).effects.isEmpty)
  }

  @Test func `is served a hundred times a second to one peer`() {
    let lone = holder()
    let served = (0..<120).count { _ in !ask(lone, 0, 1).messages.isEmpty }
    #expect(served == 100)
    lone.advance(.seconds(1))
    #expect(ask(lone, 0, 1).messages.count == 1)
  }
}

@Suite struct `A new link` {
  private let words = [Control.resend(t, filter: Array("5".utf8))]

  @Test func `leads to a request to tell everything again, and to another each minute`() {
    let lone = Lone.healed(.onLink, members: 0)
    #expect(lone.meet(peer(1), on: t, speaking: healer).said.contains(.word(words[0], to: peer(1))))
    #expect(lone.advance(.seconds(59)).said == [])
    #expect(lone.advance(.seconds(1)).said == [.word(words[0], to: peer(1))])
  }

  @Test func `is asked for too when we join a topic on which others are`() {
    let lone = Lone()
    lone.meet(peer(1), on: t, speaking: healer)
    #expect(lone.join(t, policy: .healed(.onLink)).said.contains(.word(words[0], to: peer(1))))
  }

  @Test func `is answered with what passes the filter, at once, then once per minute`() {
    let lone = Lone.healed(.onLink, members: 2)
    #expect(lone.hear(words: words, on: .antiEntropy, from: peer(1)).said == [], "nothing is held yet")
    lone.hold(3..<8)
    let passing = (5..<8).map { WireMessage.at($0).authorID }
    #expect(lone.hear(words: words, on: .antiEntropy, from: peer(1)).said == [.have(t, passing, to: peer(1))])
    #expect(lone.hear(words: words, on: .antiEntropy, from: peer(1)).effects.isEmpty)
    #expect(lone.hear(words: words, on: .antiEntropy, from: peer(2)).said.count == 1)
    lone.advance(.seconds(59))
    #expect(
      !lone.hear(words: words, on: .antiEntropy, from: peer(1)).said.contains(.have(t, passing, to: peer(1))))
    lone.advance(.seconds(1))
    #expect(
      lone.hear(words: words, on: .antiEntropy, from: peer(1)).said.contains(.have(t, passing, to: peer(1))))
    lone.disconnect(peer(1))
    lone.meet(peer(1), on: t, speaking: healer)
    #expect(
      lone.hear(words: words, on: .antiEntropy, from: peer(1)).said.contains(.have(t, passing, to: peer(1))))
  }

  @Test func `brings offers, of which we want what we lack, and take it`() {
    let lone = Lone.healed(.onLink, members: 2)
    lone.hold(0..<2)
    let messages = (0..<4).map { WireMessage.at($0) }
    let told = lone.hear(.have(t, messages.map(\.authorID)), on: .antiEntropy, from: peer(1))
    #expect(told.said == [.want(messages[2...].map(\.authorID), to: peer(1))])
    #expect(lone.hear(healing: [messages[2]], from: peer(2)).delivered == [], "it was not asked")
    #expect(lone.hear(healing: [messages[2]], from: peer(1)).delivered == [messages[2].authorID])
    lone.hear(.have(t, [messages[3].authorID]), on: .antiEntropy, from: peer(2))
    #expect(
      lone.hear(.lack([messages[3].authorID]), on: .antiEntropy, from: peer(1)).said == [
        .want([messages[3].authorID], to: peer(2))
      ])
  }

  @Test func `brings no more offers than were asked for`() {
    let lone = Lone.healed(.onLink, members: 1) { $0.antiEntropy.resendLength = 10 }
    #expect(lone.hear(.have(t, ids(0..<8)), on: .antiEntropy, from: peer(1)).wanted.count == 8)
    #expect(lone.hear(.have(t, ids(8..<16)), on: .antiEntropy, from: peer(1)).wanted.count == 2)
    #expect(lone.hear(.have(t, ids(16..<20)), on: .antiEntropy, from: peer(1)).wanted.count == 0)
    let plain = Lone.healed(.digests(every: .seconds(400)), members: 1)
    #expect(plain.hear(.have(t, ids(0..<8)), on: .antiEntropy, from: peer(1)).said == [])
  }
}

@Suite struct `A message that is stale` {
  private let newest = Meaning(subject: { Subject([1], version: UInt64($0.text) ?? 0) })

  @Test(arguments: [Signing.strictSign, .laxSign, .strictNoSign])
  func `is ignored, and nobody is blamed`(signing: Signing) {
    let lone = Lone()
    let policy = TopicPolicy(
      signing: signing, identification: signing == .strictNoSign ? .contentHash : .author, meaning: newest)
    lone.join(t, policy: policy)
    lone.meet(peer(1))
    func message(_ version: Int) -> WireMessage {
      switch signing {
      case .strictSign: .by(peer(9), UInt64(version), Payload("\(version)"))
      case .strictNoSign: .anonymous(Payload("\(version)"))
      default:
        WireMessage(topic: t, payload: Payload("\(version)"), author: peer(9), sequence: UInt64(version))
      }
    }
    #expect(lone.hear(message(5), from: peer(1)).delivered.count == 1)
    let told = lone.hear(message(4), from: peer(1))
    #expect(told.delivered == [] && told.observed == [] && lone.counters.ignored == 1)
    #expect(lone.hear(message(6), from: peer(1)).delivered.count == 1)
    #expect(lone.sizes.stored == 1)
    #expect(lone.hear(message(4), from: peer(1)).effects.isEmpty, "and it stays known")
  }

  @Test func `is not published`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(meaning: newest))
    #expect(lone.publish("5").publication != nil)
    let told = lone.publish("5")
    guard case .failure(.stale) = told.published.first?.result else {
      Issue.record("\(told.published)")
      return
    }
    #expect(lone.publish("6").publication != nil && lone.sizes.stored == 1)
  }
}

@Suite struct `A policy of healing and keeping` {
  @Test func `that cannot work is refused by name`() {
    func setting(_ heal: Heal = Heal(), _ retention: Retention = .heartbeats) -> String? {
      do {
        try TopicPolicy(heal: heal, retention: retention).validate()
        return nil
      } catch { return error.setting }
    }
    #expect(setting() == nil)
    #expect(setting(.digests(every: .seconds(4)), .during(.seconds(400))) == nil)
    #expect(setting(.digests(every: .zero)) == "heal.digestsEvery")
    #expect(setting(.heights(every: .seconds(10))) == "heal.heightsEvery")
    #expect(setting(.onLink, .last(10)) == "retention")
    #expect(setting(.onLink, .during(.seconds(-1))) == "retention")
    #expect(throws: Never.self) {
      try TopicPolicy.healed(.heights(every: .seconds(10)), .last(10)).validate()
    }
    #expect(throws: ConfigurationError.self) { try TopicPolicy.healed(.onLink, .last(0)).validate() }
  }

  @Test func `needs digests that are fetched before they are forgotten`() {
    var configuration = Configuration()
    configuration.antiEntropy.requestWait = configuration.antiEntropy.digestWait
    do {
      try configuration.validate()
      Issue.record("it was accepted")
    } catch { #expect(error.setting == "antiEntropy.requestWait") }
  }
}
