import Testing

@testable import GossipCore

extension TopicPolicy {
  /// Spread by adverts, with what the application knows.
  /// Under which messages leave with GossipSub's history.
  static let shortAdvert = TopicPolicy(spread: .advert, retention: .heartbeats)
  static func advert(_ meaning: Meaning = Meaning(), isJudged: Bool = false) -> TopicPolicy {
    TopicPolicy(spread: .advert, isJudged: isJudged, retention: .during(.seconds(10_000)), meaning: meaning)
  }
}

extension Advert {
  /// What an honest holder says of a message.
  init(_ message: WireMessage, attribute: [UInt8] = []) {
    self.init(
      id: message.authorID, hash: ContentHash(of: message).bytes, size: UInt64(message.bytes.count),
      attribute: attribute)
  }

  /// Of a message that nobody has.
  init(_ number: Int, size: UInt64 = 100, attribute: [UInt8] = [], hash: UInt8? = nil) {
    let byte = hash ?? UInt8(number & 0xff)
    self.init(
      id: MessageID([0xff, UInt8(number >> 8 & 0xff), UInt8(number & 0xff), 0]),
      hash: [UInt8](repeating: byte, count: 30) + [UInt8(number >> 8 & 0xff), byte], size: size,
      attribute: attribute)
  }
}

extension Told {
  /// Adverts said to anybody.
  var adverts: [(adverts: [Advert], to: PeerID)] {
    said.compactMap { if case .word(.advert(_, let adverts)) = $0.thing { (adverts, $0.to) } else { nil } }
  }
  /// Who was asked for what.
  var requests: [(ids: [MessageID], of: PeerID)] {
    said.compactMap { if case .word(.want(let ids)) = $0.thing { (ids, $0.to) } else { nil } }
  }
  /// Who was asked for this.
  func asked(for id: MessageID) -> [PeerID] { requests.filter { $0.ids.contains(id) }.map(\.of) }
}

extension Lone {
  /// A node on `t`, spread by adverts, among so many members.
  static func amongAdvertisers(
    _ count: Int, policy: TopicPolicy = .advert(), _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone {
      $0.gossipSub.historyLength = 100_000  // messages are held as long as these tests last
      change(&$0)
    }
    lone.join(t, policy: policy)
    for number in 1..<(count + 1) { lone.meet(peer(number), on: t, speaking: "/gossip/advert/1.0.0") }
    return lone
  }

  @discardableResult
  func advertise(_ adverts: Advert..., by number: Int) -> Told { advertise(adverts, by: number) }
  @discardableResult
  func advertise(_ adverts: [Advert], by number: Int) -> Told {
    hear(.advert(t, adverts), on: .advert, from: peer(number))
  }
  @discardableResult
  func give(_ message: WireMessage, by number: Int) -> Told { hear(message, on: .advert, from: peer(number)) }
}

private func message(_ number: UInt64, _ payload: Payload = "hello") -> WireMessage {
  .by(peer(99), number, payload)
}
private func adverts(_ numbers: Range<Int>) -> [Advert] { numbers.map { Advert($0) } }

@Suite struct `An advert` {
  // IT-1
  @Test func `of what is lacking leads to a want, and the message is delivered and advertised to the others`()
  {
    let lone = Lone.amongAdvertisers(4)
    let m = message(1)
    #expect(lone.advertise(Advert(m), by: 1).said == [.want([m.authorID], to: peer(1))])
    let told = lone.give(m, by: 1)
    #expect(told.delivered == [m.authorID])
    #expect(told.adverts.map(\.to) == peers(2...4))
    #expect(told.adverts.allSatisfy { $0.adverts == [Advert(m)] })
    #expect(told.receivers(of: m.authorID).isEmpty)
    #expect(lone.sizes.wants == 0)
  }

  // IT-1, IC-6
  @Test func `tells name, hash, size and what the application says of the message`() {
    let meaning = Meaning(attribute: { Array($0.bytes.prefix(2)) + [UInt8](repeating: 7, count: 300) })
    let lone = Lone.amongAdvertisers(2, policy: .advert(meaning))
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    let advert = lone.give(m, by: 1).adverts.first?.adverts.first
    #expect(advert?.id == m.authorID && advert?.hash == ContentHash(of: m).bytes)
    #expect(advert?.size == UInt64(m.bytes.count))
    #expect(advert?.attribute == Array("he".utf8) + [UInt8](repeating: 7, count: 126))
  }

  // IT-2
  @Test func `of what we hold is ignored and counted`() {
    let lone = Lone.amongAdvertisers(2)
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    lone.give(m, by: 1)
    #expect(lone.advertise(Advert(m), by: 2).said == [])
    let mine = lone.publish().publication!.id
    #expect(
      lone.advertise(Advert(id: mine, hash: [UInt8](repeating: 1, count: 32), size: 1), by: 2).said == [])
    #expect(lone.counters.offersIgnored == 2)
  }

  // IT-3
  @Test func `of an encoding received long ago is ignored, whoever makes it`() {
    let lone = Lone.amongAdvertisers(3) {
      $0.gossipSub.historyLength = 5
      $0.limits.seenFor = .seconds(1)
    }
    lone.join(t, policy: .shortAdvert)
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    lone.give(m, by: 1)
    lone.publish()
    lone.beat(20)
    #expect(lone.sizes.stored == 0)
    #expect(lone.advertise(Advert(m), by: 2).said == [])
    lone.disconnect(peer(1))
    #expect(lone.advertise(Advert(m), by: 3).said == [], "although who gave it left")
    #expect(lone.counters.offersIgnored == 2)
  }

  // IT-4
  @Test func `of an encoding is forgotten when so many others came from the same peer since`() {
    let lone = Lone.amongAdvertisers(3) {
      $0.advert.receivedPerPeer = 3
      $0.gossipSub.historyLength = 5
      $0.limits.seenFor = .seconds(1)
    }
    lone.join(t, policy: .shortAdvert)
    let messages = (1...4 as ClosedRange<UInt64>).map { message($0) }
    for m in messages[0...2] {
      lone.advertise(Advert(m), by: 1)
      lone.give(m, by: 1)
    }
    lone.beat(20)
    lone.advertise(Advert(messages[0]), by: 2)  // met again: the second is now the oldest
    lone.advertise(Advert(messages[3]), by: 1)
    lone.give(messages[3], by: 1)
    lone.beat(20)
    #expect(messages.map { lone.advertise(Advert($0), by: 3).wanted.count } == [0, 1, 0, 0])
  }

  // IT-5
  @Test func `of a topic we are not on, or by somebody we cannot ask, is ignored`() {
    let lone = Lone.amongAdvertisers(1)
    #expect(lone.hear(.advert(u, [Advert(1)]), on: .advert, from: peer(1)).said == [])
    lone.connect(peer(7))
    #expect(lone.advertise(Advert(2), by: 7).said == [])
    #expect(lone.counters.offersIgnored == 2 && lone.sizes.perPeer == 0)
  }

  // IT-6
  @Test func `repeated a hundred times by one peer is one advert and one request`() {
    let lone = Lone.amongAdvertisers(1)
    var told = lone.advertise([Advert](repeating: Advert(1), count: 100), by: 1)
    for _ in 1..<100 { told += lone.advertise(Advert(1), by: 1) }
    #expect(told.wanted == [id(1)])
    #expect(lone.sizes.perPeer == 1)
  }

  // IT-7
  @Test func `beyond a peer's bound makes it lose its least urgent one, the oldest first`() {
    let rank = Meaning(rank: { _, attribute in attribute == [1] ? .later : .fetch })
    let lone = Lone.amongAdvertisers(2, policy: .advert(rank)) {
      $0.advert.advertsPerPeer = 4
      $0.advert.slotsPerPeer = 1
    }
    let m = message(1)
    lone.advertise(
      Advert(m), Advert(2, attribute: [1]), Advert(3), Advert(4, attribute: [1]), by: 1)
    lone.advertise(Advert(5), by: 1)  // 2 goes
    lone.advertise(Advert(6, attribute: [1]), by: 1)  // 4 goes
    #expect(lone.sizes.perPeer == 4 && lone.counters.evicted == 2)
    lone.advertise(Advert(7), Advert(8), by: 1)  // 6 and 3 go
    lone.advertise(Advert(9, attribute: [1]), by: 1)  // less urgent than all: it goes itself
    #expect(lone.sizes.perPeer == 4 && lone.counters.evicted == 5)
    #expect(lone.give(m, by: 1).wanted == [id(5)])
  }

  // IT-8
  @Test func `of an absurd size is refused without overflow`() {
    let lone = Lone.amongAdvertisers(1)
    for size: UInt64 in [1 << 63, .max, 1 << 62, (4 << 20) + 1] {
      #expect(lone.advertise(Advert(1, size: size), by: 1).said == [])
    }
    #expect(lone.sizes.perPeer == 0 && lone.counters.offersIgnored == 4)
    #expect(lone.advertise(Advert(2, size: 4 << 20), by: 1).wanted == [id(2)])
  }

  // IT-9
  @Test func `flood from one peer leaves the adverts of others untouched`() {
    let lone = Lone.amongAdvertisers(2) { $0.advert.advertsPerPeer = 1_000 }
    for part in 0..<5 { lone.advertise(adverts(part * 1_000 + 100..<(part + 1) * 1_000 + 100), by: 1) }
    #expect(lone.sizes.perPeer == 1_000 && lone.counters.evicted >= 4_000)
    let m = message(1)
    #expect(lone.advertise(Advert(m), by: 2).said == [.want([m.authorID], to: peer(2))])
  }
}

@Suite struct `A rank` {
  /// Ranks by the attribute's only byte.
  static let byAttribute = Meaning(rank: { _, attribute in
    Priority(rawValue: attribute.first ?? 3) ?? .fetch
  })
  static func advert(_ number: Int, _ rank: Priority) -> Advert {
    Advert(number, attribute: [rank.rawValue])
  }

  // IT-10, IT-11
  @Test func `decides what is asked for first, and among equals the order of arrival`() {
    let lone = Lone.amongAdvertisers(1, policy: .advert(Self.byAttribute)) { $0.advert.slotsPerPeer = 1 }
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    lone.advertise(
      [
        Self.advert(1, .later), Self.advert(2, .fetch), Self.advert(3, .drop), Self.advert(4, .stash),
        Self.advert(5, .fetchNow), Self.advert(6, .fetch), Self.advert(7, .later), Self.advert(8, .fetchNow),
      ], by: 1)
    #expect(lone.sizes.perPeer == 8, "what is dropped is not kept")
    var order = lone.give(m, by: 1).wanted
    for _ in 0..<7 { order += lone.hear(.lack([order.last!]), on: .advert, from: peer(1)).wanted }
    #expect(order == [5, 8, 2, 6, 1, 7].map(id), "what is stashed is never asked for")
  }

  // IT-12
  @Test func `given anew stashes, fetches and drops everything in one step`() {
    let lone = Lone.amongAdvertisers(2, policy: .advert(Self.byAttribute)) { $0.advert.slotsPerPeer = 2 }
    lone.advertise(Self.advert(1, .stash), Self.advert(2, .fetch), Self.advert(3, .later), by: 1)
    lone.advertise(Self.advert(2, .fetch), by: 2)
    #expect(lone.sizes.wants == 2)
    let told = lone.join(
      t,
      policy: .advert(
        Meaning(rank: { _, attribute in attribute == [3] ? .drop : attribute == [1] ? .fetchNow : .later })))
    #expect(told.said == [.want([id(1)], to: peer(1))])
    #expect(lone.sizes.wants == 2 && lone.sizes.perPeer == 2)
    #expect(lone.advance(.seconds(15)).observed == [.init(.brokenPromise, peer(1), 2)])
  }

  // IT-13, IC-8
  @Test func `of one lets it pass ten thousand that wait`() {
    let lone = Lone.amongAdvertisers(1, policy: .advert(Self.byAttribute))
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    lone.advertise((0..<9_990).map { Self.advert($0, .later) }, by: 1)
    lone.advertise(Self.advert(9_999, .fetchNow), by: 1)
    #expect(lone.give(m, by: 1).wanted == [id(9_999)])
  }
}

@Suite struct `A download` {
  // IT-14
  @Test func `of which twenty are open with one peer, and the next begins when one ends`() {
    let lone = Lone.amongAdvertisers(1)
    let messages = (1...25 as ClosedRange<UInt64>).map { message($0) }
    #expect(lone.advertise(messages.map { Advert($0) }, by: 1).wanted == messages[..<20].map(\.authorID))
    #expect(lone.give(messages[3], by: 1).wanted == [messages[20].authorID])
  }

  // IT-15, IC-7
  @Test func `is made from one of three advertisers at a time`() {
    let lone = Lone.amongAdvertisers(3)
    let m = message(1)
    var told = Told()
    for number in 1...3 { told += lone.advertise(Advert(m), by: number) }
    #expect(told.said == [.want([m.authorID], to: peer(1))])
  }

  // IT-16, IC-7
  @Test func `turns from a silent advertiser to the next after 15 s, and to each of them once in a round`() {
    let lone = Lone.amongAdvertisers(3) { $0.advert.chunkSize = 10 }
    for number in 1...3 { lone.advertise(Advert(1), by: number) }
    #expect(lone.advance(.nanoseconds(14_999_999_999)).wanted == [])
    #expect(lone.advance(.nanoseconds(1)).said == [.want([id(1)], to: peer(2))])
    #expect(lone.advance(.seconds(15)).said == [.want([id(1)], to: peer(3))])
    #expect(lone.advance(.nanoseconds(17_999_999_999)).wanted == [], "15 s for the third, 3 s of rest")
    #expect(lone.advance(.nanoseconds(1)).said == [.want([id(1)], to: peer(1))], "a new round")
  }

  // IT-17
  @Test func `succeeds with the only one of many advertisers that answers, one patience for each silent one`()
  {
    let lone = Lone.amongAdvertisers(12)
    let m = message(1)
    for number in 1...12 { lone.advertise(Advert(m), by: number) }
    #expect(lone.advance(.seconds(11 * 15)).asked(for: m.authorID).last == peer(12))
    #expect(lone.give(m, by: 12).delivered == [m.authorID])
    #expect(lone.sizes.wants == 0 && lone.sizes.perPeer == 1, "only the hash is left")
  }

  // IT-18
  @Test func `takes back the advert of who lacks it, and ends with the last one`() {
    let lone = Lone.amongAdvertisers(2) { $0.advert.quotaPerPeer = 1_000 }
    for number in 1...2 { lone.advertise(Advert(1, size: 1_000), by: number) }
    #expect(lone.hear(.lack([id(1)]), on: .advert, from: peer(1)).said == [.want([id(1)], to: peer(2))])
    #expect(lone.hear(.lack([id(1)]), on: .advert, from: peer(2)).said == [])
    #expect(lone.sizes.wants == 0 && lone.sizes.perPeer == 0)
    #expect(lone.advertise(Advert(2, size: 1_000), by: 1).wanted == [id(2)], "its quota is free again")
    #expect(lone.advance(.seconds(1_000)).asked(for: id(1)).isEmpty)
  }

  // IT-19
  @Test func `uses an answer that comes late, and nothing from who did not advertise it`() {
    let lone = Lone.amongAdvertisers(3)
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    lone.advertise(Advert(m), by: 2)
    lone.advance(.seconds(15))
    #expect(lone.give(m, by: 3).delivered == [])
    #expect(lone.counters.refused == 1)
    #expect(lone.give(m, by: 1).delivered == [m.authorID])
  }

  // IT-20
  @Test func `refuses what differs from its advert, drops that advert only, and asks another`() {
    let lone = Lone.amongAdvertisers(3)
    let (m, other) = (message(1), message(1, "jello"))
    for number in 1...2 { lone.advertise(Advert(m), by: number) }
    let told = lone.give(other, by: 1)
    #expect(told.delivered == [] && told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.said == [.want([m.authorID], to: peer(2))])
    #expect(lone.give(m, by: 2).delivered == [m.authorID])
  }

  // IT-20
  @Test func `refuses what has not the advertised size`() {
    let lone = Lone.amongAdvertisers(1)
    let m = message(1)
    lone.advertise(Advert(id: m.authorID, hash: ContentHash(of: m).bytes, size: 1), by: 1)
    #expect(lone.give(m, by: 1).observed == [.init(.invalidMessage, peer(1))])
    #expect(lone.sizes.perPeer == 0 && lone.sizes.wants == 0)
  }

  // IT-21
  @Test func `of one name may have several hashes, and the wrong one costs one patience`() {
    let lone = Lone.amongAdvertisers(3)
    let m = message(1)
    lone.advertise(Advert(id: m.authorID, hash: [UInt8](repeating: 1, count: 32), size: 9), by: 1)
    lone.advertise(Advert(m), by: 2)
    #expect(lone.advance(.seconds(15)).said == [.want([m.authorID], to: peer(2))])
    let told = lone.give(m, by: 2)
    #expect(told.delivered == [m.authorID])
    #expect(told.adverts.map(\.to) == [peer(1), peer(3)], "who advertised something else does not have it")
  }

  // IT-22
  @Test func `of a forgery ends for all who advertise it, and goes on with another version`() {
    let lone = Lone.amongAdvertisers(4)
    let m = message(1)
    let forged = WireMessage(topic: t, payload: "forged", author: peer(99), sequence: 1).signed([1])
    for number in 1...2 { lone.advertise(Advert(forged), by: number) }
    lone.advertise(Advert(m), by: 3)
    let told = lone.give(forged, by: 1)
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.said == [.want([m.authorID], to: peer(3))])
    #expect(lone.advertise(Advert(forged), by: 4).said == [], "known as bad")
    #expect(lone.give(m, by: 3).delivered == [m.authorID])
  }

  // IT-22
  @Test func `that the application refuses is over`() {
    let lone = Lone.amongAdvertisers(2, policy: .advert(isJudged: true))
    lone.verdict = .reject
    let m = message(1)
    for number in 1...2 { lone.advertise(Advert(m), by: number) }
    let told = lone.give(m, by: 1)
    #expect(told.delivered == [] && told.said == [])
    #expect(lone.sizes.perPeer == 0 && lone.sizes.wants == 0)
  }

  // IT-23
  @Test func `ends for all advertisers with one delivery, even if two give at once`() {
    let lone = Lone.amongAdvertisers(3)
    lone.checksAtOnce = false
    let m = message(1)
    for number in 1...2 { lone.advertise(Advert(m), by: number) }
    let first = lone.give(m, by: 1)
    let second = lone.give(m, by: 2)
    #expect(first.toCheck.count == 1 && second.toCheck.isEmpty)
    let told = lone.tell(.checked(first.toCheck[0].ticket, authentic: true))
    #expect(told.delivered == [m.authorID] && told.adverts.map(\.to) == [peer(3)])
    #expect(lone.sizes.perPeer == 1)
  }

  // IT-24
  @Test func `lives as long as its size and the members say, and then stands at the tail`() {
    let lone = Lone.amongAdvertisers(2) {
      $0.advert.slotsPerPeer = 1
      ($0.advert.chunkPatience, $0.advert.chunkSize) = (.seconds(10), 100)
    }
    // 300 / 100 · 2 members · 10 s = 60 s: asked for at 0, 13, 26, 39 and 52.
    lone.advertise(Advert(1, size: 300), by: 1)
    #expect(lone.advance(.seconds(55)).wanted == [id(1), id(1), id(1), id(1)])
    lone.advertise(Advert(2), Advert(3), by: 1)
    #expect(lone.advance(.nanoseconds(4_999_999_999)).wanted == [])
    #expect(lone.advance(.nanoseconds(1)).wanted == [id(2)], "broken off, although it was being asked for")
    #expect(lone.advance(.seconds(10)).wanted == [id(3)])
    #expect(lone.advance(.seconds(10)).wanted == [id(1)])
  }

  // IT-25
  @Test func `beyond a peer's quota waits, and those of other peers go on`() {
    let lone = Lone.amongAdvertisers(2) { $0.advert.quotaPerPeer = 1_000 }
    let m = message(1)
    let size = UInt64(m.bytes.count)
    lone.advertise(Advert(m), by: 1)
    #expect(lone.advertise(Advert(2, size: 1_001 - size), Advert(3, size: 10), by: 1).wanted == [id(3)])
    #expect(lone.advertise(Advert(4, size: 900), by: 2).wanted == [id(4)])
    #expect(lone.hear(.lack([id(3)]), on: .advert, from: peer(1)).wanted == [])
    #expect(lone.give(m, by: 1).wanted == [id(2)])
  }

  // IT-26
  @Test func `of a peer that leaves is made from others at once`() {
    let lone = Lone.amongAdvertisers(2)
    lone.advertise(adverts(0..<20), by: 1)
    lone.advertise(adverts(0..<20), by: 2)
    let told = lone.disconnect(peer(1))
    #expect(told.said == [.want(ids(0..<20), to: peer(2))])
    #expect(told.observed == [])
    #expect(lone.disconnect(peer(2)).said == [])
    #expect(lone.sizes.wants == 0 && lone.sizes.perPeer == 0)
  }

  // IT-26
  @Test func `of a peer whose stream ends, or that leaves the topic, is made from others at once`() {
    let lone = Lone.amongAdvertisers(3)
    for number in 1...3 { lone.advertise(Advert(1), by: number) }
    #expect(lone.tell(.closed(peer(1), .advert)).said == [.want([id(1)], to: peer(2))])
    let told = lone.hear(subscriptions: [Subscription(t, joins: false)], on: .advert, from: peer(2))
    #expect(told.said == [.want([id(1)], to: peer(3))])
    lone.leave(t)
    #expect(lone.sizes.wants == 0 && lone.sizes.perPeer == 0)
  }

  // IT-27
  @Test func `of what was withdrawn between advert and request is told to be lacking`() {
    let lone = Lone.amongAdvertisers(1) { $0.gossipSub.historyLength = 5 }
    lone.join(t, policy: .shortAdvert)
    let mine = lone.publish().publication!.id
    lone.beat(10)
    #expect(lone.hear(.want([mine]), on: .advert, from: peer(1)).said == [.word(.lack([mine]), to: peer(1))])
  }

  // IT-14
  @Test func `waits for a place among the wants, if these are all taken`() {
    let lone = Lone.amongAdvertisers(1) { $0.limits.wantsMax = 2 }
    #expect(lone.advertise(adverts(0..<4), by: 1).wanted == ids(0..<2))
    lone.hear(.lack(ids(0..<2)), on: .advert, from: peer(1))
    #expect(lone.advance(.seconds(3)).wanted == ids(2..<4))
  }
}

@Suite struct `Telling again` {
  // IT-28
  @Test func `is asked of whoever comes, with our filter, and every minute of all`() {
    let lone = Lone.amongAdvertisers(0, policy: .advert(Meaning(filter: { [4, 2] })))
    let told = lone.meet(peer(1), on: t, speaking: "/gossip/advert/1.0.0")
    #expect(told.said == [.joins(t, to: peer(1)), .word(.resend(t, filter: [4, 2]), to: peer(1))])
    lone.advance(.seconds(20))
    lone.meet(peer(2), on: t, speaking: "/gossip/advert/1.0.0")
    #expect(lone.advance(.nanoseconds(39_999_999_999)).resends == [])
    #expect(lone.advance(.nanoseconds(1)).resends == peers(1...2))
    #expect(lone.advance(.seconds(60)).resends == peers(1...2))
  }

  // IT-28
  @Test func `is asked of those who are there already when we join`() {
    let lone = Lone()
    lone.meet(peers(1...2), speaking: "/gossip/advert/1.0.0")
    #expect(lone.join(t, policy: .advert()).resends == peers(1...2))
  }

  // IT-29
  @Test func `is done once a minute for each peer, the first time at once`() {
    let lone = Lone.amongAdvertisers(2)
    let m = message(1)
    lone.advertise(Advert(m), by: 1)
    lone.give(m, by: 1)
    func asks(_ number: Int) -> [PeerID] {
      lone.hear(.resend(t, filter: []), on: .advert, from: peer(number)).adverts.map(\.to)
    }
    #expect(asks(1) == [peer(1)] && asks(2) == [peer(2)])
    #expect(asks(1) == [])
    lone.advance(.nanoseconds(59_999_999_999))
    #expect(asks(1) == [])
    lone.advance(.nanoseconds(1))
    #expect(asks(1) == [peer(1)])
    #expect(lone.counters.resendsRefused == 2)
    lone.disconnect(peer(2))
    lone.meet(peer(2), on: t, speaking: "/gossip/advert/1.0.0")
    #expect(asks(2) == [peer(2)], "a newcomer's first request is served")
  }

  // IT-30
  @Test func `leaves out what does not pass the filter, and what its asker wrote`() {
    let meaning = Meaning(passes: { filter, payload in payload.bytes.first! >= filter[0] })
    let lone = Lone.amongAdvertisers(2, policy: .advert(meaning))
    let messages = [message(1, "a"), message(2, "b"), .by(peer(2), 1, "c"), message(4, "c")]
    for m in messages {
      lone.advertise(Advert(m), by: 1)
      lone.give(m, by: 1)
    }
    let told = lone.hear(.resend(t, filter: Array("b".utf8)), on: .advert, from: peer(2))
    #expect(Set(told.adverts.flatMap(\.adverts)) == [Advert(messages[1]), Advert(messages[3])])
  }

  // IT-30
  @Test func `picks others each time, if more is held than an answer may name`() {
    let lone = Lone.amongAdvertisers(2) { $0.advert.resendLength = 5 }
    let messages = (1...40 as ClosedRange<UInt64>).map { message($0) }
    for m in messages {
      lone.advertise(Advert(m), by: 1)
      lone.give(m, by: 1)
    }
    var told: [[Advert]] = []
    for _ in 0..<4 {
      told += lone.hear(.resend(t, filter: []), on: .advert, from: peer(2)).adverts.map(\.adverts)
      lone.advance(.seconds(60))
    }
    #expect(told.map { Set($0).count } == [5, 5, 5, 5])
    #expect(Set(told.flatMap(\.self)).count > 10)
  }

  // IT-31
  @Test func `happens unasked to a member who cannot know that we publish to its topic`() {
    let lone = Lone { $0.gossipSub.historyLength = 100 }
    let mine = lone.publish(policy: .advert()).publication!.id
    let told = lone.meet(peer(1), on: t, speaking: "/gossip/advert/1.0.0")
    #expect(told.adverts.map { $0.adverts.map(\.id) } == [[mine]] && told.resends == [])
    #expect(lone.hear(.want([mine]), on: .advert, from: peer(1)).receivers(of: mine) == [peer(1)])
  }
}

@Suite struct `Advertising further` {
  private func told(percent: Int?, isOwn: Bool) -> [PeerID] {
    let lone = Lone.amongAdvertisers(11) { $0.advert.relayPercent = percent }
    if isOwn { return lone.publish(policy: .advert()).adverts.map(\.to) }
    let m = message(1)
    lone.advertise(Advert(m), by: 11)
    return lone.give(m, by: 11).adverts.map(\.to)
  }

  // IT-32
  @Test func `reaches all with our own, and a random share of the others with theirs`() {
    #expect(told(percent: 30, isOwn: true) == peers(1...11))
    let some = told(percent: 30, isOwn: false)
    #expect(some.count == 3 && Set(some).count == 3 && Set(some).isSubset(of: peers(1...10)))
    #expect(told(percent: 31, isOwn: false).count == 4, "rounded up")
    #expect(told(percent: 100, isOwn: false).count == 10)
    #expect(told(percent: nil, isOwn: false) == peers(1...10))
  }

  // IT-32
  @Test(arguments: [0, 101, -1]) func `to no share or more than all is no setting`(percent: Int) {
    var configuration = Configuration()
    configuration.advert.relayPercent = percent
    #expect(throws: ConfigurationError.self) { try configuration.validate() }
  }

  // IT-32
  @Test func `leaves out those who advertised it to us`() {
    let lone = Lone.amongAdvertisers(4)
    let m = message(1)
    for number in [1, 3] { lone.advertise(Advert(m), by: number) }
    #expect(lone.give(m, by: 1).adverts.map(\.to) == [peer(2), peer(4)])
  }

  // IT-33
  @Test func `is set within bounds that are checked`() {
    let counts: [(String, WritableKeyPath<Configuration, Int>)] = [
      ("advert.slotsPerPeer", \.advert.slotsPerPeer), ("advert.chunkSize", \.advert.chunkSize),
      ("advert.resendLength", \.advert.resendLength), ("advert.advertsPerPeer", \.advert.advertsPerPeer),
      ("advert.receivedPerPeer", \.advert.receivedPerPeer), ("advert.quotaPerPeer", \.advert.quotaPerPeer),
      ("slots.slotsMax", \.slots.slotsMax), ("slots.slotsPerPeer", \.slots.slotsPerPeer),
      ("slots.fetchesPerPeer", \.slots.fetchesPerPeer), ("slots.greetingLength", \.slots.greetingLength),
    ]
    let durations: [(String, WritableKeyPath<Configuration, Duration>)] = [
      ("advert.chunkPatience", \.advert.chunkPatience), ("advert.roundPause", \.advert.roundPause),
      ("advert.resendEvery", \.advert.resendEvery), ("advert.resendSpacing", \.advert.resendSpacing),
      ("slots.patience", \.slots.patience), ("slots.patienceMax", \.slots.patienceMax),
    ]
    func refused(_ change: (inout Configuration) -> Void) -> String? {
      var configuration = Configuration()
      change(&configuration)
      do throws(ConfigurationError) {
        try configuration.validate()
        return nil
      } catch { return error.setting }
    }
    for (setting, path) in counts {
      #expect(refused { $0[keyPath: path] = 0 } == setting && refused { $0[keyPath: path] = .max } == setting)
      #expect(refused { $0[keyPath: path] = 1 } == nil)
    }
    for (setting, path) in durations {
      #expect(refused { $0[keyPath: path] = .zero } == setting)
      #expect(refused { $0[keyPath: path] = .seconds(Int64.max) } == setting)
    }
    #expect(refused { $0.slots.pushBelow = -1 } == "slots.pushBelow")
    #expect(refused { $0.slots.pushBelow = 0 } == nil)
  }
}
