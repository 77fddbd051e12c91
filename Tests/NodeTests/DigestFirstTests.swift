import Crypto
import GossipCore
import Testing

private let digestFirst = TopicPolicy(spread: .digestFirst)
private let manner = Manner.digestFirst
private let version = Manner.digestFirst.protocols[0]

/// What a message's holder would say of it.
private func digest(_ message: WireMessage) -> Advert {
  Advert(
    id: message.authorID, hash: Array(SHA256.hash(data: message.bytes)), size: UInt64(message.bytes.count))
}

/// A message that needs a digest.
private func large(_ number: UInt64, by author: PeerID = peer(90), on topic: Topic = t) -> WireMessage {
  .by(author, number, bytes(2_000), on: topic)
}

private func epoch(_ number: UInt64, of members: [PeerID], beacon: UInt8? = nil) -> Epoch {
  do {
    return try Epoch(
      number: number, roster: members.map { Epoch.Member($0) },
      beacon: [UInt8](repeating: beacon ?? UInt8(number), count: 32))
  } catch { preconditionFailure("\(error)") }
}

extension Told {
  /// Digests said, and to whom.
  fileprivate var digests: [(ids: [MessageID], to: PeerID)] {
    said.compactMap {
      if case .word(.advert(_, let adverts)) = $0.thing { (adverts.map(\.id), $0.to) } else { nil }
    }
  }
  fileprivate var epochs: [EpochNotice] {
    notices.compactMap { if case .epoch(let notice) = $0 { notice } else { nil } }
  }
}

extension Lone {
  /// A node on `t`, spread by digest first, with so many members.
  fileprivate static func digesting(
    _ count: Int, policy: TopicPolicy = digestFirst, _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(change)
    lone.join(t, policy: policy)
    if count > 0 { lone.meet(peers(1...count), speaking: version) }
    return lone
  }

  @discardableResult
  fileprivate func offer(_ messages: WireMessage..., from peer: PeerID) -> Told {
    hear(words: [.advert(t, messages.map(digest))], on: manner, from: peer)
  }
  @discardableResult
  fileprivate func give(_ message: WireMessage, from peer: PeerID) -> Told {
    hear(messages: [message], on: manner, from: peer)
  }
  @discardableResult
  fileprivate func begin(_ epoch: Epoch) -> Told { tell(.epoch(epoch)) }
}

@Suite struct `A digest` {
  // BT-76
  @Test func `of five partners leads to one want`() {
    let lone = Lone.digesting(5)
    let message = large(1)
    #expect(lone.offer(message, from: peer(1)).said == [.want([message.authorID], to: peer(1))])
    for number in 2...5 { #expect(lone.offer(message, from: peer(number)).said == []) }
    let told = lone.give(message, from: peer(1))
    #expect(told.delivered == [message.authorID] && told.said == [], "all others have offered it")
    #expect(lone.sizes.wants == 0 && lone.sizes.perPeer == 5)
  }

  // BT-77
  @Test func `whose giver is silent leads to the next one after a second`() {
    let lone = Lone.digesting(3)
    let message = large(1)
    for number in 1...3 { lone.offer(message, from: peer(number)) }
    #expect(lone.advance(.milliseconds(999)).wanted == [])
    let told = lone.advance(.milliseconds(1))
    #expect(told.said == [.want([message.authorID], to: peer(2))])
    #expect(told.observed == [.init(.brokenPromise, peer(1))])
    #expect(lone.give(message, from: peer(1)).delivered == [message.authorID], "a late answer is welcome")
  }

  // BT-77
  @Test func `leads to an honest giver although more silent ones came before it than are remembered`() {
    let lone = Lone.digesting(25)
    let message = large(1)
    for number in 1...25 { lone.offer(message, from: peer(number)) }
    let told = lone.advance(.milliseconds(24_500))
    #expect(told.said.filter { $0 == .want([message.authorID], to: peer(25)) }.count == 1)
    #expect(lone.give(message, from: peer(25)).delivered == [message.authorID])
  }

  // BT-77
  @Test func `is remembered when nobody gave in time`() {
    let lone = Lone.digesting(2)
    let message = large(1)
    lone.offer(message, from: peer(1))
    lone.advance(.seconds(2))
    #expect(lone.sizes.wants == 0)
    #expect(lone.give(message, from: peer(1)).delivered == [message.authorID])
    #expect(lone.observations(of: peer(1)) == [.brokenPromise: 1])
  }

  // BT-78
  @Test(arguments: ["hash", "size", "topic"])
  func `that the message does not match makes it refused and the next one asked`(what: String) {
    let lone = Lone.digesting(2)
    lone.join(u, policy: digestFirst)
    let message = large(1)
    let honest = digest(message)
    let wrong = Advert(
      id: honest.id, hash: what == "hash" ? [UInt8](repeating: 1, count: 32) : honest.hash,
      size: what == "size" ? honest.size + 1 : honest.size)
    lone.hear(.advert(what == "topic" ? u : t, [wrong]), on: manner, from: peer(1))
    lone.offer(message, from: peer(2))
    let told = lone.give(message, from: peer(1))
    #expect(told.delivered == [] && told.toCheck.isEmpty)
    #expect(told.observed == [.init(.falseDigest, peer(1))])
    #expect(told.said == [.want([message.authorID], to: peer(2))])
    #expect(lone.counters.refused == 1)
    #expect(lone.give(message, from: peer(2)).delivered == [message.authorID])
  }

  // BT-78
  @Test func `of a forged message leads to the next giver at once`() {
    let lone = Lone.digesting(3)
    let message = large(1)
    let forged = WireMessage(topic: t, payload: bytes(2_000), author: peer(90), sequence: 1).signed([1])
    lone.hear(.advert(t, [digest(forged)]), on: manner, from: peer(1))
    lone.offer(message, from: peer(2))
    let told = lone.give(forged, from: peer(1))
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
    #expect(told.said == [.want([message.authorID], to: peer(2))])
    #expect(lone.give(message, from: peer(2)).delivered == [message.authorID])
  }

  @Test func `that came while a forgery was examined is not forgotten`() {
    let lone = Lone.digesting(2)
    lone.checksAtOnce = false
    let message = large(1)
    let forged = WireMessage(topic: t, payload: "x", author: peer(90), sequence: 1).signed([1])
    let check = lone.give(forged, from: peer(1)).toCheck[0]
    #expect(lone.offer(message, from: peer(2)).said == [])
    let told = lone.tell(.checked(check.ticket, authentic: false))
    #expect(told.said == [.want([message.authorID], to: peer(2))])
  }

  // BT-80
  @Test func `in a frame with 256 others makes all of them ignored, and its sender observed`() {
    let lone = Lone.digesting(1)
    func frame(_ count: Int) -> [Control] {
      [.advert(t, ids(0..<count).map { Advert(id: $0, hash: [UInt8](repeating: 1, count: 32), size: 9) })]
    }
    let told = lone.hear(words: frame(257), on: manner, from: peer(1))
    #expect(told.wanted == [] && told.observed == [.init(.flooded, peer(1))])
    #expect(lone.hear(words: frame(256), on: manner, from: peer(1)).wanted.count == 256)
  }

  // BT-80
  @Test func `is never sent with 256 others`() throws {
    var queue = SendQueue(manner, SendQueue.Bounds(), WireLimits())
    var frame = Frame(manner)
    let adverts = (0..<700).map { Advert(id: id($0), hash: [UInt8](repeating: 1, count: 32), size: 9) }
    frame.controls = [.advert(t, adverts), .advert(u, Array(adverts.prefix(100)))]
    _ = queue.push(frame)
    let sizes = try queue.popFrames().map { frame in
      frame.controls.reduce(0) { if case .advert(_, let adverts) = $1 { $0 + adverts.count } else { $0 } }
    }
    #expect(sizes.reduce(0, +) == 800 && sizes.allSatisfy { $0 <= 256 })
  }

  // BT-81
  @Test func `beyond 4,096 outstanding ones of a peer pushes the oldest out`() {
    let lone = Lone.digesting(2)
    let hash = [UInt8](repeating: 1, count: 32)
    for start in stride(from: 0, to: 4_096, by: 256) {
      let adverts = ids(start..<start + 256).map { Advert(id: $0, hash: hash, size: 9) }
      lone.hear(.advert(t, adverts), on: manner, from: peer(1))
    }
    #expect(lone.counters.digestsDropped == 0)
    lone.hear(.advert(t, [Advert(id: id(0), hash: hash, size: 9)]), on: manner, from: peer(2))
    let told = lone.hear(.advert(t, [Advert(id: id(5_000), hash: hash, size: 9)]), on: manner, from: peer(1))
    #expect(lone.counters.digestsDropped == 1 && lone.sizes.perPeer == 2 + 4_096 + 1)
    #expect(told.said.contains(.want([id(0)], to: peer(2))), "another holder of the oldest is asked")
  }

  @Test func `of what we have, what is too large, or on a topic we are not on leads to nothing`() {
    let lone = Lone.digesting(2)
    let message = large(1)
    lone.offer(message, from: peer(1))
    lone.give(message, from: peer(1))
    #expect(lone.offer(message, from: peer(2)).said == [])
    let huge = Advert(id: id(1), hash: [UInt8](repeating: 1, count: 32), size: .max)
    #expect(lone.hear(.advert(t, [huge]), on: manner, from: peer(1)).said == [])
    #expect(lone.hear(.advert("nowhere", [digest(large(2))]), on: manner, from: peer(1)).said == [])
    #expect(lone.sizes.perPeer == 2)
  }

  @Test func `of what its giver lacks three times in a row is held against it`() {
    let lone = Lone.digesting(2)
    func lack(_ numbers: ClosedRange<UInt64>) -> [Told.Observed] {
      numbers.flatMap { number in
        lone.offer(large(number), from: peer(1))
        return lone.hear(.lack([large(number).authorID]), on: manner, from: peer(1)).observed
      }
    }
    #expect(lack(1...2) == [])
    lone.offer(large(50), from: peer(1))
    lone.give(large(50), from: peer(1))
    #expect(lack(3...4) == [], "it gave one in between")
    #expect(lack(5...5) == [.init(.emptyOffer, peer(1))])
  }

  @Test func `is forgotten with its giver, its topic, and the application's refusal`() {
    let lone = Lone.digesting(3, policy: TopicPolicy(spread: .digestFirst, isJudged: true))
    lone.verdict = .reject
    lone.offer(large(1), large(2), from: peer(1))
    lone.offer(large(1), large(2), from: peer(2))
    #expect(lone.sizes.perPeer == 3 + 4)
    #expect(lone.disconnect(peer(1)).said == [.want([large(1), large(2)].map(\.authorID), to: peer(2))])
    #expect(lone.sizes.perPeer == 2 + 2)
    lone.give(large(1), from: peer(2))
    #expect(lone.sizes.perPeer == 2 + 1)
    lone.leave(t)
    #expect(lone.sizes.perPeer == 2)
  }
}

@Suite struct `A message spread by digest first` {
  // BB-16
  @Test func `is made known by its digest to all partners but those who have it`() {
    let lone = Lone.digesting(5)
    let message = large(1, by: peer(5))
    lone.offer(message, from: peer(1))
    lone.offer(message, from: peer(2))
    let told = lone.give(message, from: peer(1))
    #expect(told.said == [3, 4].map { .word(.advert(t, [digest(message)]), to: peer($0)) })
    #expect(
      lone.hear(.want([message.authorID]), on: manner, from: peer(3)).said == [
        .message(message.authorID, to: peer(3))
      ])
    #expect(lone.hear(.want([id(1)]), on: manner, from: peer(3)).said == [.word(.lack([id(1)]), to: peer(3))])
  }

  // BT-79
  @Test func `that nobody asked for is refused unless it is small`() {
    let lone = Lone.digesting(2)
    let (over, under) = (
      WireMessage.by(peer(90), 1, bytes(1_025)), WireMessage.by(peer(90), 2, bytes(1_024))
    )
    let told = lone.give(over, from: peer(1))
    #expect(told.delivered == [] && told.observed == [.init(.unasked, peer(1))])
    #expect(lone.counters.refused == 1)
    #expect(lone.give(under, from: peer(1)).delivered == [under.authorID])
  }

  // BT-79
  @Test func `comes from the one that was asked, not from others who offered it`() {
    let lone = Lone.digesting(2)
    let message = large(1)
    lone.offer(message, from: peer(1))
    lone.offer(message, from: peer(2))
    #expect(lone.give(message, from: peer(2)).observed == [.init(.unasked, peer(2))])
    #expect(lone.give(message, from: peer(1)).delivered == [message.authorID])
  }

  @Test func `and our own is pushed if it is small, else made known`() throws {
    let lone = Lone.digesting(3)
    let small = lone.publish(bytes(1_024))
    let name = try #require(small.publication?.id)
    #expect(small.said == peers(1...3).map { .message(name, to: $0) })
    let told = lone.publish(bytes(1_025))
    #expect(told.digests.map(\.to) == peers(1...3) && told.frames.allSatisfy { $0.frame.messages.isEmpty })
  }

  @Test func `can be published without being on its topic`() {
    let lone = Lone()
    lone.meet(peers(1...2), speaking: version)
    let told = lone.publish(bytes(10), policy: digestFirst)
    #expect(told.sentTexts.map(\.to) == peers(1...2))
  }

  @Test func `is offered to a partner that comes later, while it is held`() throws {
    let lone = Lone.digesting(1)
    let name = try #require(lone.publish(bytes(5_000)).publication?.id)
    #expect(lone.meet(peer(2), on: t, speaking: version).digests.map(\.ids) == [[name]])
    lone.beat(6)
    #expect(lone.meet(peer(3), on: t, speaking: version).digests.isEmpty)
  }

  @Test func `is told again to a partner that asks, once per second`() throws {
    let lone = Lone.digesting(2)
    let name = try #require(lone.publish(bytes(5_000)).publication?.id)
    #expect(lone.hear(.resend(t, filter: []), on: manner, from: peer(1)).digests.map(\.ids) == [[name]])
    let again = lone.hear(.resend(t, filter: []), on: manner, from: peer(1))
    #expect(again.digests.isEmpty && again.observed == [])
    lone.advance(.seconds(1))
    #expect(lone.hear(.resend(t, filter: []), on: manner, from: peer(1)).digests.count == 1)
  }
}

@Suite struct `In an epoch, a node` {
  /// Of peers 1…40, those that are partners of node 0 in this epoch, and the others.
  private func divide(_ epoch: Epoch) -> (partners: [PeerID], others: [PeerID]) {
    var sets = FanoutSets(of: epoch)
    let partners = sets.partners(of: peer(0))
    return (partners, peers(1...40).filter { !partners.contains($0) })
  }
  private let first = epoch(1, of: peers(0...40))
  private let second = epoch(2, of: peers(0...40))

  // BT-18
  @Test func `takes routed messages and digests from partners only`() {
    let lone = Lone.digesting(40)
    lone.begin(first)
    lone.advance(.seconds(3))
    let (partners, others) = divide(first)
    let told = lone.offer(large(1), from: others[0])
    #expect(told.said == [] && told.observed == [.init(.outsider, others[0])])
    let small = WireMessage.by(peer(90), 2)
    #expect(lone.give(small, from: others[0]).delivered == [] && lone.counters.refused == 1)
    #expect(lone.sizes.checks == 0 && lone.sizes.wants == 0, "nothing waits")
    #expect(lone.hear(.resend(t, filter: []), on: manner, from: others[1]).said == [])
    let accepted = lone.give(small, from: partners[0])
    #expect(accepted.delivered == [small.authorID])
    #expect(accepted.digests.map(\.to).sorted() == partners.dropFirst().sorted())
  }

  // BT-18
  @Test func `takes direct messages from anybody, and does not forward them`() {
    let lone = Lone.digesting(40)
    lone.begin(first)
    lone.advance(.seconds(3))
    let stranger = divide(first).others[0]
    lone.join(u, policy: .direct)
    lone.open(stranger, Manner.direct.protocols[0])
    let message = WireMessage.by(stranger, 1, "to you", on: u)
    let told = lone.hear(message, on: .direct, from: stranger)
    #expect(told.delivered == [message.authorID] && told.said == [])
  }

  // BT-19
  @Test func `listens to former partners for two block intervals`() throws {
    let lone = Lone.digesting(40)
    lone.begin(first)
    lone.advance(.seconds(3))
    lone.begin(second)
    let former = divide(first).partners.filter { divide(second).others.contains($0) }
    let never = try #require(divide(first).others.first { divide(second).others.contains($0) })
    #expect(lone.give(.by(peer(90), 1), from: never).delivered == [])
    lone.advance(.milliseconds(1_999))
    #expect(lone.give(.by(peer(90), 1), from: former[0]).delivered.count == 1)
    lone.advance(.milliseconds(1))
    #expect(lone.give(.by(peer(90), 2), from: former[0]).observed == [.init(.outsider, former[0])])
    #expect(lone.publish(bytes(10)).sentTexts.map(\.to).sorted() == divide(second).partners)
  }

  // BT-26
  @Test func `re-offers what is live to new partners only`() throws {
    let lone = Lone.digesting(40)
    lone.begin(first)
    let name = try #require(lone.publish(bytes(5_000)).publication?.id)
    let told = lone.begin(second)
    let fresh = divide(second).partners.filter { divide(first).others.contains($0) }
    #expect(told.digests.map(\.to).sorted() == fresh && told.digests.allSatisfy { $0.ids == [name] })
    #expect(told.epochs == [.began(2)])
  }

  @Test func `asks partners it did not listen to before to say it again`() throws {
    let lone = Lone.digesting(40)
    lone.begin(first)
    lone.advance(.seconds(3))
    let early = try #require(divide(second).partners.first { divide(first).others.contains($0) })
    lone.offer(large(1), from: early)
    #expect(lone.begin(second).resends == [early])
    #expect(lone.begin(epoch(3, of: peers(0...40))).resends == [])
  }

  // BT-23
  @Test func `keeps its partners when the next beacon does not come, and says so`() {
    let lone = Lone.digesting(40)
    lone.begin(first)
    #expect(lone.advance(.seconds(599)).epochs == [])
    #expect(lone.advance(.seconds(1)).epochs == [.overdue(1)])
    #expect(lone.publish(bytes(10)).sentTexts.map(\.to).sorted() == divide(first).partners)
    #expect(lone.advance(.seconds(3_000)).epochs == [])
    lone.begin(second)
    lone.advance(.seconds(300))
    lone.begin(epoch(3, of: peers(0...40)))
    #expect(lone.advance(.seconds(301)).epochs == [], "the second one did not last too long")
  }

  // BT-24
  @Test func `does not take another roster once the beacon is known, or was announced`() throws {
    let lone = Lone.digesting(40)
    lone.begin(first)
    let other = peers(0...39)
    let changed = epoch(1, of: other)
    #expect(lone.begin(changed).epochs.count { if case .refused(1, _) = $0 { true } else { false } } == 1)
    #expect(lone.begin(first).epochs == [], "the same again is nothing new")
    #expect(lone.publish(bytes(10)).sentTexts.map(\.to).sorted() == divide(first).partners)
    // Announced ahead, a roster may change until its beacon is known, not with it.
    #expect(lone.begin(try Epoch(number: 2, roster: changed.roster)).epochs == [])
    #expect(lone.begin(try Epoch(number: 2, roster: first.roster)).epochs == [])
    #expect(lone.begin(epoch(2, of: other)).epochs.count == 1)
    #expect(lone.begin(second).epochs == [.began(2)])
    #expect(lone.begin(first).epochs.count == 1, "there is no way back")
  }

  // BT-25
  @Test func `within reach of fewer than two partners says so, and asks whoever remains again and again`() {
    let lone = Lone.digesting(40)
    #expect(lone.begin(first).epochs == [.began(1)])
    #expect(lone.advance(.seconds(2)).epochs == [])
    let partners = divide(first).partners
    for peer in partners.dropFirst(2) { #expect(lone.disconnect(peer).epochs == []) }
    let told = lone.disconnect(partners[1])
    #expect(told.epochs == [.fewPartners(t, usable: 1)] && told.resends == [partners[0]])
    #expect(lone.advance(.milliseconds(4_999)).resends == [])
    #expect(lone.advance(.milliseconds(1)).resends == [partners[0]])
    lone.meet(partners[1], on: t, speaking: version)
    #expect(lone.advance(.seconds(20)).resends == [])
    #expect(lone.disconnect(partners[1]).epochs == [.fewPartners(t, usable: 1)])
    lone.leave(t)
    #expect(lone.advance(.seconds(20)).resends == [])
  }

  // BT-28
  @Test func `of ten is everybody's partner, and only of those in the roster`() {
    let lone = Lone.digesting(10)
    lone.begin(epoch(1, of: peers(0...9)))
    #expect(lone.publish(bytes(10)).sentTexts.map(\.to) == peers(1...9))
  }

  // BT-11, BB-11
  @Test func `offers a class only to those able to verify it`() throws {
    let lone = Lone.digesting(6) { $0.digestFirst.classes = [t: "votes"] }
    let roster = (0...6).map { Epoch.Member(peer($0), verifies: $0 < 4 ? ["votes"] : ["blocks"]) }
    lone.begin(try Epoch(number: 1, roster: roster, beacon: [UInt8](repeating: 1, count: 32)))
    lone.advance(.seconds(3))
    #expect(lone.publish(bytes(5_000)).digests.map(\.to) == peers(1...3))
    #expect(lone.give(.by(peer(90), 1), from: peer(5)).observed == [.init(.outsider, peer(5))])
  }

  // BT-15
  @Test func `finds out who picked it in several turns, and loses nothing meanwhile`() throws {
    let lone = Lone.digesting(40) { $0.digestFirst.hashesPerTurn = 80 }
    let name = try #require(lone.publish(bytes(5_000)).publication?.id)
    let told = lone.begin(first)
    var sets = FanoutSets(of: first)
    #expect(lone.snapshot.topics[0].partners.count < divide(first).partners.count)
    let picks = sets.picks(of: peer(0))
    #expect(Set(lone.snapshot.topics[0].partners).isSuperset(of: picks))
    // All were partners before, so all have been offered it.
    #expect(told.digests.isEmpty, "of \(name)")
    lone.advance(.milliseconds(30))
    #expect(lone.snapshot.topics[0].partners.sorted() == divide(first).partners)
    #expect(lone.sizes.perPeer == divide(first).partners.count)
  }

  @Test func `welcomes a partner that connects later, and no other`() {
    let lone = Lone.digesting(0)
    lone.begin(first)
    lone.publish(bytes(5_000))
    let (partners, others) = divide(first)
    #expect(lone.meet(partners[0], on: t, speaking: version).digests.count == 1)
    #expect(lone.meet(others[0], on: t, speaking: version).digests.isEmpty)
    #expect(lone.snapshot.topics[0].partners == [partners[0]])
  }
}

@Suite struct `The parameters of digest first` {
  @Test func `are refused by name if they cannot work`() {
    func fault(_ change: (inout Configuration) -> Void) -> String? {
      var configuration = Configuration()
      change(&configuration)
      do { try configuration.validate() } catch { return error.setting }
      return nil
    }
    #expect(fault { _ in } == nil)
    #expect(fault { $0.digestFirst.failure = 0 } == "digestFirst.failure")
    #expect(fault { $0.digestFirst.failure = .nan } == "digestFirst.failure")
    #expect(fault { $0.digestFirst.digestsPerPeer = 0 } == "digestFirst.digestsPerPeer")
    #expect(fault { $0.digestFirst.pushBelow = 0 } == nil)
    #expect(fault { $0.digestFirst.pullEvery = .zero } == "digestFirst.pullEvery")
  }
}
