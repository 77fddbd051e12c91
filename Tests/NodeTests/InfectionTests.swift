import GossipCore
import Testing

extension TopicPolicy {
  fileprivate static let infection = TopicPolicy(spread: .infection, retention: .heartbeats)
}

extension Lone {
  /// A node on `t`, which spreads by infection, with so many members; it keeps messages for a thousand seconds.
  fileprivate static func infecting(
    _ count: Int, seed: UInt8 = 7, policy: TopicPolicy = .infection,
    _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(seed: [seed]) {
      $0.gossipSub.historyLength = 1_000
      change(&$0)
    }
    lone.join(t, policy: policy)
    if count > 0 { lone.meet(peers(1...count), speaking: "/gossip/infection/1.0.0") }
    return lone
  }

  fileprivate func offer(_ ids: [MessageID], from peer: PeerID) -> Told {
    hear(.have(t, ids), on: .infection, from: peer)
  }
  fileprivate func answer(held id: MessageID, from peer: PeerID) -> Told {
    hear(.held([id]), on: .infection, from: peer)
  }
  fileprivate func answer(wanting id: MessageID, from peer: PeerID) -> Told {
    hear(.want([id]), on: .infection, from: peer)
  }
  /// Is offered the message and given it.
  @discardableResult
  fileprivate func take(_ message: WireMessage, from peer: PeerID) -> Told {
    _ = offer([message.authorID], from: peer)
    return hear(message, on: .infection, from: peer)
  }
  /// Publishes, and returns the message's name and who was offered it.
  fileprivate func begin(_ payload: Payload = "mine") -> (id: MessageID, offered: [PeerID]) {
    let told = publish(payload)
    guard let id = told.publication?.id else { preconditionFailure("\(told.published)") }
    return (id, told.offers(of: t).map(\.to))
  }
}

extension Told {
  fileprivate var offered: [PeerID] { offers(of: t).map(\.to) }
}

@Suite struct `An infection` {
  // CT-2, CA-12
  @Test func `begins with three offers, and no more while these are open`() {
    let lone = Lone.infecting(20)
    let message = WireMessage.by(peer(90), 1)
    let told = lone.take(message, from: peer(1))
    #expect(told.delivered == [message.authorID])
    #expect(told.offered.count == 3 && Set(told.offered).count == 3)
    #expect(told.receivers(of: message.authorID).isEmpty, "bodies go to those who want them")
    #expect(lone.advance(.milliseconds(9_999)).offered.isEmpty)
  }

  // CT-3, CT-22, CA-12
  @Test(arguments: 1...10 as ClosedRange<UInt8>)
  func `adds one more member for each that has it already, never one attempted before`(seed: UInt8) {
    let lone = Lone.infecting(14, seed: seed)
    let (id, first) = lone.begin()
    var attempted = first
    var waiting = first
    while attempted.count < 14 {
      let more = lone.answer(held: id, from: waiting.removeFirst()).offered
      #expect(more.count == 1 && !attempted.contains(more[0]))
      attempted += more
      waiting += more
    }
  }

  // CT-22
  @Test func `offers as many more as answered in one frame, each another`() {
    let lone = Lone.infecting(20)
    let (id, first) = lone.begin()
    let told = lone.hear(.held([id, id]), .held([id]), on: .infection, from: first[0])
    #expect(told.offered.count == 1, "a peer answers once")
    let second = lone.answer(held: id, from: first[1]).offered + lone.answer(held: id, from: first[2]).offered
    #expect(Set(first + told.offered + second).count == 6)
  }

  // CT-4
  @Test func `ends when three members were infected, each of them counting once`() {
    let lone = Lone.infecting(20)
    let (id, members) = lone.begin()
    #expect(lone.answer(wanting: id, from: members[0]).receivers(of: id) == [members[0]])
    lone.hear(.want([id]), on: .infection, from: members[0])
    lone.hear(.want([id]), on: .infection, from: members[0])
    _ = lone.answer(wanting: id, from: members[1])
    #expect(lone.sizes.perPeer == 1, "one offer is open")
    _ = lone.answer(wanting: id, from: members[2])
    #expect(lone.sizes.perPeer == 0)
    #expect(lone.advance(.seconds(100)).offered.isEmpty)
    #expect(lone.counters.offersMade == 3 && lone.counters.ranOutOfPeers == 0)
  }

  // CT-5
  @Test func `ends after fifteen attempts`() {
    let lone = Lone.infecting(40)
    var (id, waiting) = lone.begin()
    for infected in waiting.prefix(2) { #expect(lone.answer(wanting: id, from: infected).offered.isEmpty) }
    waiting.removeFirst(2)
    for attempts in 4...15 {
      #expect(lone.sizes.perPeer == 1, "\(attempts - 1) attempts do not end it")
      waiting = lone.answer(held: id, from: waiting[0]).offered
      #expect(waiting.count == 1)
    }
    #expect(lone.counters.offersMade == 15 && lone.sizes.perPeer == 0)
    #expect(lone.answer(held: id, from: waiting[0]).offered.isEmpty)
  }

  // CT-6
  @Test func `is not ended by others who offer the same`() {
    let lone = Lone.infecting(40)
    let (id, members) = lone.begin()
    for number in 1...40 where !members.contains(peer(number)) {
      #expect(lone.offer([id], from: peer(number)).said == [.word(.held([id]), to: peer(number))])
    }
    #expect(lone.sizes.perPeer == 3)
    #expect(lone.answer(held: id, from: members[0]).offered.count == 1)
  }

  // CT-7, CT-15
  @Test func `replaces whoever stays silent for ten seconds, not whoever answered`() {
    let lone = Lone.infecting(40)
    let (id, members) = lone.begin()
    _ = lone.answer(wanting: id, from: members[0])
    #expect(lone.advance(.milliseconds(9_999)).offered.isEmpty)
    let second = lone.advance(.milliseconds(1)).offered
    #expect(second.count == 2 && Set(second + members).count == 5)
    #expect(lone.advance(.seconds(10)).offered.count == 2)
  }

  // CT-7
  @Test func `counts no answer that comes after its time`() {
    let lone = Lone.infecting(40)
    let (id, members) = lone.begin()
    lone.advance(.seconds(10))
    #expect(lone.counters.offersMade == 6)
    #expect(lone.answer(held: id, from: members[0]).said == [])
    #expect(lone.answer(wanting: id, from: members[1]).said == [.message(id, to: members[1])])
    #expect(lone.sizes.perPeer == 3)
  }

  @Test func `replaces at once whoever leaves`() {
    let lone = Lone.infecting(40)
    let (_, members) = lone.begin()
    let told = lone.disconnect(members[1])
    #expect(told.offered.count == 1 && !members.contains(told.offered[0]))
    #expect(lone.sizes.perPeer == 3)
  }

  // CT-8
  @Test(arguments: 0...3)
  func `ends when nobody is left, as it must among few`(count: Int) {
    let lone = Lone.infecting(count)
    let (id, members) = lone.begin()
    #expect(Set(members) == Set(count == 0 ? [] : peers(1...max(count, 1))))
    for (place, member) in members.enumerated() {
      _ = place == 0 ? lone.answer(held: id, from: member) : lone.answer(wanting: id, from: member)
    }
    #expect(lone.sizes.perPeer == 0)
    #expect(lone.counters.ranOutOfPeers == 1)
  }

  // CT-8
  @Test func `ends among few who are all silent`() {
    let lone = Lone.infecting(2)
    _ = lone.begin()
    lone.advance(.seconds(10))
    #expect(lone.sizes.perPeer == 0 && lone.counters.ranOutOfPeers == 1)
    #expect(lone.sizes.alarms == Lone.infecting(0).sizes.alarms, "and nothing is waited for")
  }

  // CT-12
  @Test func `has limits that follow from target and saturation, which are checked`() {
    func attempts(_ target: Int, _ saturation: Int) -> UInt64 {
      let lone = Lone.infecting(60) {
        ($0.infection.infectionTarget, $0.infection.stopRule) = (target, .production(saturation: saturation))
      }
      var (id, waiting) = lone.begin()
      while !waiting.isEmpty { waiting += lone.answer(held: id, from: waiting.removeFirst()).offered }
      return lone.counters.offersMade
    }
    #expect(attempts(3, 80) == 15)
    #expect(attempts(3, 0) == 3)
    #expect(attempts(5, 80) == 25)
    func refused(_ change: (inout InfectionParameters) -> Void) -> String? {
      var configuration = Configuration()
      change(&configuration.infection)
      do { try configuration.validate() } catch { return error.setting }
      return nil
    }
    #expect(refused { $0.stopRule = .production(saturation: 99) } == nil)
    #expect(refused { $0.stopRule = .production(saturation: 100) } == "infection.stopRule")
    #expect(refused { $0.stopRule = .production(saturation: -1) } == "infection.stopRule")
    #expect(refused { $0.stopRule = .seed(saturation: 0) } == "infection.stopRule")
    #expect(refused { $0.infectionTarget = 0 } == "infection.infectionTarget")
    #expect(refused { $0.rumorsMax = 0 } == "infection.rumorsMax")
    #expect(refused { $0.finishedMax = 0 } == "infection.finishedMax")
    #expect(refused { $0.asksPerPeer = 0 } == "infection.asksPerPeer")
    #expect(refused { $0.pushBelow = -1 } == "infection.pushBelow")
    #expect(refused { $0.offerTimeout = .zero } == "infection.offerTimeout")
    #expect(refused { $0.finishedFor = .seconds(Int64.max) } == "infection.finishedFor")
  }

  // CT-24
  @Test func `ends, by the documentation's rule, with three infected or so many that had it`() {
    func life() -> Lone { Lone.infecting(40) { $0.infection.stopRule = .seed(saturation: 5) } }
    var lone = life()
    var (id, waiting) = lone.begin()
    for _ in 1...4 { waiting += lone.answer(held: id, from: waiting.removeFirst()).offered }
    #expect(waiting.count == 3 && lone.sizes.perPeer == 3)
    #expect(lone.answer(held: id, from: waiting[0]).offered.isEmpty)
    #expect(lone.sizes.perPeer == 0)

    lone = life()
    (id, waiting) = lone.begin()
    for _ in 1...4 { waiting += lone.answer(held: id, from: waiting.removeFirst()).offered }
    for member in waiting { #expect(lone.answer(wanting: id, from: member).offered.isEmpty) }
    #expect(lone.sizes.perPeer == 0 && lone.counters.offersMade == 7)
  }

  // CT-25
  @Test func `draws among all members alike`() {
    let lone = Lone.infecting(10)
    var times = [Int](repeating: 0, count: 11)
    for number in 1...1_000 {
      let (id, members) = lone.begin(Payload("\(number)"))
      for member in members {
        times[NodeTests.number(of: member)] += 1
        _ = lone.answer(wanting: id, from: member)
      }
    }
    // Each of ten with probability 0.3: 300, standard deviation 14.5.
    #expect(times[0] == 0 && times[1...].allSatisfy { (235...365).contains($0) }, "\(times)")
  }

  // CT-21
  @Test func `ends when what it offers is not held any more`() {
    let lone = Lone.infecting(40) { $0.gossipSub.historyLength = 5 }
    let (id, members) = lone.begin()
    lone.advance(.seconds(7))
    #expect(lone.answer(wanting: id, from: members[0]).said == [.word(.lack([id]), to: members[0])])
    #expect(lone.answer(held: id, from: members[1]).said == [])
    #expect(lone.sizes.perPeer == 0)
    #expect(lone.advance(.seconds(100)).offered.isEmpty)
  }

  // CT-10
  @Test func `that is the oldest of too many ends once, and is not missed`() {
    let lone = Lone.infecting(40) { $0.infection.rumorsMax = 2 }
    let first = lone.begin("1")
    let second = lone.begin("2")
    _ = lone.begin("3")
    #expect(lone.sizes.perPeer == 6 && lone.counters.evicted == 1)
    #expect(lone.answer(held: first.id, from: first.offered[0]).said == [])
    #expect(lone.answer(held: second.id, from: second.offered[0]).offered.count == 1)
    #expect(lone.offer([first.id], from: peer(9)).said == [.word(.held([first.id]), to: peer(9))])
  }

  // CT-12, CT-18
  @Test func `takes no notice of answers nobody was asked for`() {
    let lone = Lone.infecting(40)
    let (id, members) = lone.begin()
    let stranger = peers(1...40).first { !members.contains($0) }!
    let before = lone.sizes
    #expect(lone.answer(held: id, from: stranger).said == [])
    #expect(lone.answer(wanting: id, from: stranger).said == [.message(id, to: stranger)])
    #expect(lone.answer(held: NodeTests.id(1), from: stranger).said == [])
    lone.hear(.dontWant([id]), on: .infection, from: members[0])
    #expect(lone.sizes == before && lone.counters.offersMade == 3)
  }

  // CT-26
  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func `never leads to more than fifteen offers, and never two to one member, whatever is answered`(
    seed: UInt64
  ) {
    var dice = Dice(seed)
    let lone = Lone.infecting(40, seed: UInt8(seed)) { $0.infection.offerTimeout = .seconds(2) }
    let (id, first) = lone.begin()
    var offered = first
    for _ in 0..<300 {
      let someone = peer(Int.random(in: 1...41, using: &dice))
      let told =
        switch Int.random(in: 0..<8, using: &dice) {
        case 0: lone.answer(wanting: id, from: someone)
        case 1...3: lone.answer(held: id, from: someone)
        case 4: lone.hear(.lack([id]), .dontWant([id]), on: .infection, from: someone)
        case 5: lone.offer([id], from: someone)
        case 6: seed % 2 == 0 ? lone.disconnect(someone) : lone.answer(held: id, from: offered.last!)
        default: lone.advance(.milliseconds(Int64.random(in: 1...500, using: &dice)))
        }
      offered += told.offered
      if chance(5, &dice) { lone.meet([someone], speaking: "/gossip/infection/1.0.0") }
    }
    offered += lone.advance(.seconds(40)).offered
    #expect(offered.count <= 15 && Set(offered).count == offered.count)
    #expect(lone.sizes.perPeer == 0)
  }

  private func chance(_ percent: Int, _ dice: inout Dice) -> Bool {
    Int.random(in: 0..<100, using: &dice) < percent
  }

  @Test func `keeps one alarm and a bounded memory of its offers`() {
    let lone = Lone.infecting(6)
    let alarms = lone.sizes.alarms
    for number in 1...500 {
      let (id, members) = lone.begin(Payload("\(number)"))
      for member in members { _ = lone.answer(wanting: id, from: member) }
    }
    #expect(lone.sizes.alarms <= alarms + 1 && lone.sizes.perPeer == 0)
  }
}

@Suite struct `An infecting offer` {
  // CT-1
  @Test func `of something unknown is wanted from the first who makes it, and the second one is remembered`()
  {
    let lone = Lone.infecting(5)
    #expect(lone.offer([id(1)], from: peer(1)).said == [.want([id(1)], to: peer(1))])
    #expect(lone.offer([id(1)], from: peer(2)).said == [.word(.held([id(1)]), to: peer(2))])
    #expect(lone.advance(.milliseconds(4_999)).wanted.isEmpty)
    #expect(lone.advance(.milliseconds(1)).said == [.want([id(1)], to: peer(2))])
  }

  // CT-9, CT-16
  @Test func `nobody keeps is forgotten, and heard again later`() {
    let lone = Lone.infecting(5)
    _ = lone.offer([id(1)], from: peer(1))
    _ = lone.offer([id(1)], from: peer(2))
    let told = lone.advance(.seconds(10))
    #expect(
      told.observed == [.init(.brokenPromise, peer(1)), .init(.brokenPromise, peer(2))])
    #expect(lone.sizes.wants == 0)
    #expect(lone.offer([id(1)], from: peer(3)).said == [.want([id(1)], to: peer(3))])
  }

  // CT-9
  @Test func `is asked of the next holder when the first one lacks it, or leaves`() {
    let lone = Lone.infecting(5)
    for number in 1...3 { _ = lone.offer([id(1)], from: peer(number)) }
    #expect(lone.hear(.lack([id(1)]), on: .infection, from: peer(1)).said == [.want([id(1)], to: peer(2))])
    #expect(lone.disconnect(peer(2)).said == [.want([id(1)], to: peer(3))])
    lone.hear(.lack([id(1)]), on: .infection, from: peer(3))
    #expect(lone.sizes.wants == 0)
    #expect(lone.offer([id(1)], from: peer(4)).wanted == [id(1)])
  }

  // CT-9
  @Test func `kept by somebody else is no longer waited for`() {
    let lone = Lone.infecting(5)
    let message = WireMessage.by(peer(90), 1)
    _ = lone.offer([message.authorID], from: peer(1))
    _ = lone.offer([message.authorID], from: peer(2))
    #expect(lone.hear(message, on: .infection, from: peer(2)).delivered == [message.authorID])
    #expect(lone.advance(.seconds(9)).observed.isEmpty)
  }

  // CT-14
  @Test func `whose maker vanishes leads to the body all the same, from another holder`() {
    let lone = Lone.infecting(5)
    let message = WireMessage.by(peer(90), 1)
    _ = lone.offer([message.authorID], from: peer(1))
    _ = lone.offer([message.authorID], from: peer(2))
    #expect(lone.disconnect(peer(1)).wanted == [message.authorID])
    #expect(lone.hear(message, on: .infection, from: peer(2)).delivered == [message.authorID])
  }

  // CT-11, CT-17
  @Test func `of what is finished is answered held, and news again after sixty seconds`() {
    let lone = Lone.infecting(3) {
      $0.limits.seenFor = .seconds(1)
      $0.gossipSub.historyLength = 5
    }
    let message = WireMessage.by(peer(90), 1)
    let id = message.authorID
    for member in lone.take(message, from: peer(1)).offered { _ = lone.answer(wanting: id, from: member) }
    lone.advance(.milliseconds(59_999))
    #expect(lone.offer([id], from: peer(2)).said == [.word(.held([id]), to: peer(2))])
    #expect(lone.hear(message, on: .infection, from: peer(2)).delivered == [], "nor is it taken")
    lone.advance(.milliseconds(1))
    #expect(lone.offer([id], from: peer(2)).said == [.want([id], to: peer(2))])
    #expect(lone.hear(message, on: .infection, from: peer(2)).offered.count == 3)
  }

  @Test func `of what finished long ago is news when too much finished since`() {
    let lone = Lone.infecting(3) {
      ($0.limits.seenFor, $0.gossipSub.historyLength, $0.infection.finishedMax) = (.seconds(1), 3, 1)
    }
    let messages = (1...2).map { WireMessage.by(peer(90), $0) }
    for message in messages {
      for member in lone.take(message, from: peer(1)).offered {
        _ = lone.answer(wanting: message.authorID, from: member)
      }
    }
    lone.advance(.seconds(5))
    let told = lone.offer(messages.map(\.authorID), from: peer(2))
    #expect(told.wanted == [messages[0].authorID])
    #expect(lone.counters.evicted == 1)
  }

  // CT-17
  @Test func `of what is held for long is answered held, and begins nothing`() {
    let lone = Lone.infecting(3) { $0.limits.seenFor = .seconds(1) }
    let message = WireMessage.by(peer(90), 1)
    let id = message.authorID
    for member in lone.take(message, from: peer(1)).offered { _ = lone.answer(wanting: id, from: member) }
    lone.advance(.seconds(100))
    #expect(lone.offer([id], from: peer(2)).said == [.word(.held([id]), to: peer(2))])
    #expect(lone.advance(.seconds(1)).said == [])
  }

  @Test func `of what we do not believe, or on a topic we are not on, is answered held`() {
    let lone = Lone.infecting(3, policy: TopicPolicy(spread: .infection, isJudged: true))
    lone.verdict = .reject
    let message = WireMessage.by(peer(90), 1)
    #expect(lone.take(message, from: peer(1)).offered.isEmpty)
    #expect(lone.offer([message.authorID], from: peer(2)).wanted.isEmpty)
    let told = lone.hear(.have(u, [id(1)]), on: .infection, from: peer(2))
    #expect(told.said == [.word(.held([id(1)]), to: peer(2))])
    #expect(lone.sizes.wants == 0)
  }

  // CT-18
  @Test func `must precede a body: what nobody asked for is not even examined`() {
    let lone = Lone.infecting(5)
    let message = WireMessage.by(peer(90), 1)
    let before = lone.sizes
    let told = lone.hear(message, on: .infection, from: peer(1))
    #expect(told.delivered == [] && told.toCheck.isEmpty && told.said == [])
    #expect(lone.sizes == before && lone.counters.refused == 1)
    #expect(
      lone.hear(.want([id(1)]), on: .infection, from: peer(1)).said == [.word(.lack([id(1)]), to: peer(1))])
    #expect(lone.sizes == before)
    #expect(lone.take(message, from: peer(2)).delivered == [message.authorID])
  }

  // CT-19
  @Test func `of what turns out invalid is never passed on, and a forgery does not silence the true message`()
  {
    let lone = Lone.infecting(5)
    let message = WireMessage.by(peer(90), 1)
    let forged = WireMessage(topic: t, payload: "x", author: peer(90), sequence: 1).signed([1])
    #expect(forged.authorID == message.authorID)
    #expect(lone.take(forged, from: peer(1)).offered.isEmpty)
    _ = lone.offer([message.authorID], from: peer(2))
    #expect(lone.advance(.seconds(5)).said == [.want([message.authorID], to: peer(2))])
    #expect(lone.hear(message, on: .infection, from: peer(2)).offered.count == 3)
  }

  // CT-19
  @Test(arguments: [(59_999, 3), (60_000, 0)])
  func `of what takes the application a minute to believe is not passed on`(milliseconds: Int, offers: Int) {
    let lone = Lone.infecting(5, policy: TopicPolicy(spread: .infection, isJudged: true))
    lone.verdict = nil
    let message = WireMessage.by(peer(90), 1)
    let ticket = lone.take(message, from: peer(1)).toJudge[0].ticket
    lone.advance(.milliseconds(Int64(milliseconds)))
    let told = lone.tell(.judged(ticket, .accept))
    #expect(told.delivered == [message.authorID] && told.offered.count == offers)
    #expect(
      lone.offer([message.authorID], from: peer(2)).said == [.word(.held([message.authorID]), to: peer(2))])
  }

  @Test func `leaves to the healer what the healer brought`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .infection, heal: .onLink))
    lone.meet(peers(1...5), speaking: "/gossip/infection/1.0.0")
    lone.open(peer(1), "/gossip/anti-entropy/1.0.0")
    lone.hear(subscriptions: [Subscription(t, joins: true)], on: .antiEntropy, from: peer(1))
    let message = WireMessage.by(peer(90), 1)
    lone.hear(.have(t, [message.authorID]), on: .antiEntropy, from: peer(1))
    let told = lone.hear(message, on: .antiEntropy, from: peer(1))
    #expect(told.delivered == [message.authorID] && told.offered.isEmpty)
    #expect(
      lone.offer([message.authorID], from: peer(2)).said == [.word(.held([message.authorID]), to: peer(2))])
  }

  @Test func `of more than one peer may be asked for is answered held, and counts against it`() {
    let lone = Lone.infecting(5) { $0.infection.asksPerPeer = 10 }
    let told = lone.offer(ids(0..<15), from: peer(1))
    #expect(told.wanted == ids(0..<10))
    #expect(told.observed == [.init(.flooded, peer(1))])
    #expect(lone.offer(ids(20..<25), from: peer(2)).wanted == ids(20..<25), "others are heard")
    lone.advance(.seconds(5))
    #expect(lone.offer(ids(30..<35), from: peer(1)).wanted == ids(30..<35))
  }
}

@Suite struct `A small message that infects` {
  private func life() -> Lone { Lone.infecting(20) { $0.infection.pushBelow = 100 } }

  // CT-20
  @Test func `is sent whole, thanked for when it is new, and passed on once`() {
    let lone = life()
    let message = WireMessage.by(peer(90), 1)
    let id = message.authorID
    let told = lone.hear(message, on: .infection, from: peer(1))
    #expect(told.delivered == [id] && told.receivers(of: id).count == 3 && told.offered.isEmpty)
    #expect(told.said.contains(.dontWant([id], to: peer(1))))
    #expect(
      lone.hear(message, on: .infection, from: peer(2)).said == [.word(.held([id]), to: peer(2))])
  }

  // CT-20
  @Test func `counts who thanks as infected, and replaces who had it`() {
    let lone = life()
    let told = lone.publish()
    let id = told.publication!.id
    let members = told.receivers(of: id)
    #expect(members.count == 3)
    #expect(lone.hear(.dontWant([id]), on: .infection, from: members[0]).said == [])
    #expect(lone.answer(held: id, from: members[1]).receivers(of: id).count == 1)
    #expect(lone.sizes.perPeer == 2)
  }

  @Test func `tells everybody who sent it meanwhile that it came twice`() {
    let lone = life()
    lone.checksAtOnce = false
    let message = WireMessage.by(peer(90), 1)
    let ticket = lone.hear(message, on: .infection, from: peer(1)).toCheck[0].ticket
    lone.hear(message, on: .infection, from: peer(2))
    let told = lone.tell(.checked(ticket, authentic: true))
    #expect(told.said.contains(.word(.held([message.authorID]), to: peer(2))))
  }

  @Test func `is not sent to its author`() {
    let lone = Lone.infecting(3) { $0.infection.pushBelow = 100 }
    let message = WireMessage.by(peer(2), 1)
    let told = lone.hear(message, on: .infection, from: peer(1))
    #expect(Set(told.receivers(of: message.authorID)) == [peer(1), peer(3)])
    #expect(lone.sizes.perPeer == 2)
  }

  // CT-20
  @Test func `that is larger is offered`() {
    let lone = life()
    #expect(lone.publish(bytes(100)).offered.count == 3)
    #expect(lone.publish(bytes(99)).offered.isEmpty)
  }
}
