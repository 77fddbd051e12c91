import Crypto
import Testing

@testable import GossipCore

@Suite struct `A message examined by lot` {
  let message = WireMessage.by(peer(90), 1)
  var name: MessageID { message.authorID }

  // BT-63
  @Test func `of a peer that earned it goes on first, one hop longer, and is delivered after the verdict`() {
    let lone = Lone.trusting(3)
    let before = lone.counters.passedUnexamined
    let told = lone.push(message, from: peer(1))
    #expect(told.delivered == [] && told.toJudge.map(\.message.id) == [name])
    #expect(told.advertised(name) == [peer(2), peer(3)] && lone.sizes.unexamined == 1)
    #expect(lone.ask(for: message, from: peer(2)).hops(of: name) == [1])
    let accepted = lone.judge(told, .accept)
    #expect(accepted.delivered == [name] && accepted.advertised(name).isEmpty, "it was told before")
    #expect(lone.ask(for: message, from: peer(3)).hops(of: name) == [0])
    #expect(lone.sizes.unexamined == 0 && lone.counters.passedUnexamined == before + 1)
  }

  // BT-63
  @Test func `waits for its proof as well`() {
    let lone = Lone.trusting(3)
    (lone.checksAtOnce, lone.verdict) = (false, .accept)
    let told = lone.push(message, from: peer(1))
    #expect(told.delivered == [] && told.advertised(name) == [peer(2), peer(3)])
    let proven = lone.tell(.checked(told.toCheck[0].ticket, authentic: true))
    #expect(proven.delivered == [name])
  }

  // BT-58
  @Test func `of a newcomer is examined first`() {
    let lone = Lone.withDigests(3, policy: .byLot)
    lone.verdict = nil
    let told = lone.push(message, from: peer(1))
    #expect(told.said == [] && lone.sizes.unexamined == 0)
    #expect(lone.judge(told, .accept).advertised(name) == [peer(2), peer(3)])
    #expect(lone.ask(for: message, from: peer(2)).hops(of: name) == [0])
  }

  // BT-57, BT-61
  @Test func `that turns out bad is taken back from those who got it, and given to nobody else`() {
    let lone = Lone.trusting(4)
    let told = lone.push(message.after(1), from: peer(1))
    lone.ask(for: message, from: peer(2))
    lone.ask(for: message, from: peer(3))
    let rejected = lone.judge(told, .reject)
    #expect(rejected.retracted(name) == [peer(2), peer(3)] && rejected.delivered == [])
    #expect(lone.ask(for: message, from: peer(4)).said == [.word(.lack([name]), to: peer(4))])
    #expect(lone.counters.retracted == 1 && lone.sizes.unexamined == 0 && lone.sizes.stored == 12)
  }

  // BT-62
  @Test func `after three hops that did not examine it is examined, and goes on as such`() {
    let lone = Lone.trusting(3)
    let second = WireMessage.by(peer(90), 2)
    #expect(lone.push(second.after(2), from: peer(1)).advertised(second.authorID) == [peer(2), peer(3)])
    #expect(lone.ask(for: second, from: peer(2)).hops(of: second.authorID) == [3])
    let told = lone.push(message.after(3), from: peer(1))
    #expect(told.advertised(name).isEmpty)
    let accepted = lone.judge(told, .accept)
    #expect(accepted.advertised(name) == [peer(2), peer(3)])
    #expect(lone.ask(for: message, from: peer(2)).hops(of: name) == [0], "we examined it")
    for number in [100, 127] {
      let far = WireMessage.by(peer(91), UInt64(number))
      #expect(lone.push(far.after(UInt8(number)), from: peer(2)).said == [])
    }
  }

  // BT-57
  @Test func `that is overdue makes the node examine everything first, until it has caught up`() {
    let lone = Lone.trusting(3)
    let late = lone.push(message, from: peer(1))
    lone.advance(.seconds(1))
    let next = WireMessage.by(peer(90), 2)
    let first = lone.push(next, from: peer(2))
    #expect(first.advertised(next.authorID).isEmpty && first.toJudge.count == 1)
    lone.judge(late, .accept)
    let third = WireMessage.by(peer(90), 3)
    #expect(lone.push(third, from: peer(3)).advertised(third.authorID) == [peer(1), peer(2)])
    #expect(lone.judge(first, .accept).advertised(next.authorID) == [peer(1), peer(3)])
  }

  // BT-57
  @Test func `is not overdue while it waits for others, which nobody could hasten`() {
    let lone = Lone.trusting(3)
    let told = lone.push(message, from: peer(1))
    lone.ask(for: message, from: peer(2))
    #expect(lone.judge(told, .await([id(1)])).wanted == [id(1)])
    lone.advance(.seconds(3))
    let next = WireMessage.by(peer(90), 2)
    #expect(lone.push(next, from: peer(2)).advertised(next.authorID) == [peer(1), peer(3)])
    lone.judge(lone.push(message.after(1), from: peer(3)), .accept)
    let given = lone.advance(.seconds(60))
    #expect(given.retracted(name) == [peer(2)], "what never was complete is taken back")
  }

  @Test func `is no dependency that arrived while it is not examined`() {
    let lone = Lone.trusting(3)
    let deploy = lone.push(message, from: peer(1))
    let block = WireMessage.by(peer(91), 2)
    let told = lone.push(block, from: peer(2))
    let waiting = lone.judge(told, .await([name]))
    #expect(waiting.toJudge.isEmpty && lone.sizes.awaiting == 1)
    let accepted = lone.judge(deploy, .accept)
    #expect(accepted.delivered == [name] && accepted.toJudge.map(\.message.id) == [block.authorID])
  }

  @Test func `that is ignored is neither given any more nor taken back`() {
    let lone = Lone.trusting(3)
    let told = lone.push(message, from: peer(1))
    lone.ask(for: message, from: peer(2))
    let ignored = lone.judge(told, .ignore)
    #expect(ignored.retracted(name).isEmpty && ignored.observed == [] && ignored.barred == [])
    #expect(lone.ask(for: message, from: peer(3)).said == [.word(.lack([name]), to: peer(3))])
    #expect(lone.sizes.unexamined == 0 && lone.counters.retracted == 0)
  }

  @Test func `of a topic that is left meanwhile holds nothing up`() {
    let lone = Lone.trusting(3)
    let told = lone.push(message, from: peer(1))
    lone.checksAtOnce = false
    let second = lone.push(.by(peer(90), 2), from: peer(1))
    lone.leave(t)
    lone.judge(told, .accept)
    for check in second.toCheck { lone.tell(.checked(check.ticket, authentic: true)) }
    let third = lone.push(.by(peer(90), 3), from: peer(1)).toCheck
    #expect(third.isEmpty && lone.sizes.unexamined == 0 && lone.sizes.checks == 0)
    lone.checksAtOnce = true
    lone.advance(.seconds(5))
    lone.join(t, policy: .byLot)
    let next = WireMessage.by(peer(90), 4)
    #expect(!lone.push(next, from: peer(1)).advertised(next.authorID).isEmpty)
  }

  // GS-20
  @Test func `and forged does not keep the true one out`() {
    let lone = Lone.trusting(4)
    (lone.checksAtOnce, lone.verdict) = (false, .accept)
    let forged = WireMessage.forged(1)
    let told = lone.push(forged.after(1), from: peer(1))
    #expect(told.advertised(name) == [peer(2), peer(3), peer(4)])
    #expect(lone.push(message, from: peer(2)).effects.isEmpty)
    let failed = lone.tell(.checked(told.toCheck[0].ticket, authentic: false))
    #expect(failed.toCheck.map(\.message.bytes) == [message.bytes])
    #expect(lone.tell(.checked(failed.toCheck[0].ticket, authentic: true)).delivered == [name])
  }

  // GS-20
  @Test func `and forged does not keep out the true one that comes later`() {
    let lone = Lone.trusting(4)
    lone.verdict = .accept
    let told = lone.push(.forged(1).after(1), from: peer(1))
    #expect(told.delivered == [] && lone.counters.retracted == 1)
    #expect(lone.push(message, from: peer(2)).delivered == [name])
  }

  @Test func `does not replace what was believed before it is examined itself`() {
    var policy = TopicPolicy.byLot
    policy.meaning.subject = { Subject([1], version: UInt64($0.count)) }
    let lone = Lone.trusting(3, policy: policy)
    let held = WireMessage.by(peer(90), 1, bytes(100))
    lone.judge(lone.push(held, from: peer(1)), .accept)
    let falsehood = WireMessage.by(peer(91), 2, bytes(900))
    let told = lone.push(falsehood.after(1), from: peer(1))
    #expect(told.advertised(falsehood.authorID) == [peer(2), peer(3)])
    #expect(lone.ask(for: held, from: peer(2)).receivers(of: held.authorID) == [peer(2)], "still held")
    lone.judge(told, .reject)
    let newer = WireMessage.by(peer(92), 3, bytes(200))
    let accepted = lone.judge(lone.push(newer, from: peer(2)), .accept)
    #expect(accepted.delivered == [newer.authorID])
    #expect(lone.ask(for: held, from: peer(3)).said == [.word(.lack([held.authorID]), to: peer(3))])
    let stale = WireMessage.by(peer(93), 4, bytes(150))
    #expect(lone.push(stale, from: peer(1)).said == [], "what is outdated does not go on")
  }

  // BT-63
  @Test(arguments: [Manner.push, .infection])
  func `goes on likewise in other manners, and is taken back from whom it went to`(manner: Manner) {
    var policy = TopicPolicy.byLot
    policy.spread = manner
    let lone = Lone {
      ($0.firewall.lot.decline, $0.firewall.lot.floor) = (0.999, 1e-9)
      $0.infection.pushBelow = 1_024
    }
    lone.join(t, policy: policy)
    lone.meet(peers(1...4), speaking: manner.protocols[0])
    for number in 1...3 { lone.hear(.by(peer(80), UInt64(number)), on: manner, from: peer(1)) }
    lone.advance(.seconds(1))
    lone.verdict = nil
    var told = lone.hear(message, on: manner, from: peer(1))
    told += lone.advance(.milliseconds(500))
    let receivers = Set(told.receivers(of: name))
    #expect(!receivers.isEmpty && told.delivered == [])
    #expect(told.hops(of: name).allSatisfy { $0 == 1 })
    #expect(lone.judge(told, .reject).retracted(name) == receivers)
    #expect(lone.advance(.seconds(5)).receivers(of: name) == [])
  }

  // BT-66
  @Test func `is chosen by dice of the node's own`() {
    func chosen(_ seed: UInt8) -> [Bool] {
      let lone = Lone(seed: [seed]) { ($0.firewall.lot.decline, $0.firewall.lot.floor) = (0.5, 0.5) }
      lone.join(t, policy: .byLot)
      lone.meet(peers(1...2), speaking: Manner.digestFirst.protocols[0])
      lone.push(.by(peer(90), 1), from: peer(1))
      return (2...65 as ClosedRange<UInt64>).map {
        let before = lone.counters.passedUnexamined
        lone.push(.by(peer(90), $0), from: peer(1))
        return lone.counters.passedUnexamined > before
      }
    }
    #expect(chosen(1) == chosen(1) && chosen(1) != chosen(2))
    #expect((16...48).contains(chosen(1).count { $0 }))
  }
}

@Suite struct `The blame for a bad message` {
  let message = WireMessage.by(peer(90), 1)
  func blacklist(_ lone: Lone) -> [BlacklistRecord] { lone.node.blacklist(wallClock: 0) }

  // BT-60, BT-65
  @Test func `whose signature holds is its author's, and the message is kept as evidence`() throws {
    let lone = Lone.trusting(3)
    let told = lone.judge(lone.push(message.after(1), from: peer(1)), .reject)
    #expect(told.barred == [.init(peer(90), .corruptContent)] && told.observed == [])
    let record = try #require(blacklist(lone).first)
    #expect(record.peer == peer(90) && record.evidence == Array(SHA256.hash(data: message.bytes)))
    #expect(lone.snapshot.peers.count == 3)
    // Whose messages are taken no more, whoever brings them.
    #expect(lone.push(.by(peer(90), 2), from: peer(2)).effects.isEmpty)
  }

  // BT-60
  @Test func `is its sender's as well if it says that it examined it`() {
    let lone = Lone.trusting(3)
    let told = lone.judge(lone.push(message, from: peer(1)), .reject)
    #expect(told.barred == [.init(peer(1), .examinedBad), .init(peer(90), .corruptContent)])
    #expect(told.disconnected == [peer(1)])
    #expect(told.observed == [.init(.invalidMessage, peer(1))])
  }

  // BT-60
  @Test func `is its sender's alone if the author did not sign it`() {
    let lone = Lone.trusting(3)
    let told = lone.push(.forged(1), from: peer(1))
    #expect(told.barred == [.init(peer(1), .examinedBad)])
  }

  // BT-60, BT-61
  @Test func `that nobody examined waits for its sender to take it back`() {
    let lone = Lone.trusting(3)
    let told = lone.push(.forged(1).after(1), from: peer(1))
    #expect(told.barred == [] && told.observed == [])
    let next = lone.push(.by(peer(91), 2), from: peer(1))
    #expect(next.said == [], "its lot begins anew")
    #expect(
      lone.hear(.retract([WireMessage.forged(1).authorID]), on: .digestFirst, from: peer(1)).observed
        == [.init(.retracted, peer(1))])
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  // BT-61
  @Test func `that nobody took back in time is its sender's`() {
    let lone = Lone.trusting(3)
    lone.push(.forged(1).after(1), from: peer(1))
    #expect(lone.advance(.milliseconds(1_999)).observed == [])
    #expect(lone.advance(.milliseconds(1)).observed == [.init(.unretracted, peer(1))])
    #expect(lone.advance(.seconds(10)).observed == [])
  }

  @Test func `is waited for with one alarm, whatever rings meanwhile`() {
    let lone = Lone.trusting(3)
    lone.push(.forged(1).after(1), from: peer(1))
    let alarms = lone.sizes.alarms
    // As an alarm that was overtaken would.
    for _ in 1...3 { lone.change { $0.endRetractions() } }
    #expect(lone.sizes.alarms == alarms)
    #expect(lone.advance(.seconds(2)).observed == [.init(.unretracted, peer(1))])
  }

  // BT-61
  @Test func `does not fall on who passed it on in good faith and takes it back`() {
    // Peer 1 fools peer 2, which fools peer 0.
    let (relay, last) = (Lone.trusting(3, as: peer(2)), Lone.trusting(3))
    let forged = WireMessage.forged(1)
    relay.checksAtOnce = false
    let passed = relay.push(forged.after(1), from: peer(1))
    #expect(passed.advertised(forged.authorID).contains(peer(0)))
    let sent = relay.ask(for: forged, from: peer(0)).frames.flatMap(\.frame.messages)
    #expect(sent.map(\.unexaminedHops) == [2])
    #expect(last.push(sent[0], from: peer(2)).barred == [])
    let found = relay.tell(.checked(passed.toCheck[0].ticket, authentic: false))
    #expect(found.retracted(forged.authorID) == [peer(0)])
    let told = last.hear(.retract([forged.authorID]), on: .digestFirst, from: peer(2))
    #expect(told.observed == [.init(.retracted, peer(2))] && told.barred == [])
    #expect(last.advance(.seconds(10)).observed == [])
  }

  // BT-61
  @Test func `does not fall in full on who brings it after the verdict and takes it back`() {
    var policy = TopicPolicy.byLot
    (policy.signing, policy.identification) = (.laxSign, .author)
    let lone = Lone.trusting(3, policy: policy)
    let unsigned = WireMessage(topic: t, payload: "bad", author: peer(90), sequence: 1)
    lone.judge(lone.push(unsigned.after(1), from: peer(1)), .reject)
    #expect(lone.push(unsigned.after(2), from: peer(2)).observed == [])
    let told = lone.hear(.retract([unsigned.authorID]), on: .digestFirst, from: peer(2))
    #expect(told.observed == [.init(.retracted, peer(2))])
    #expect(lone.advance(.seconds(5)).observed == [.init(.unretracted, peer(1))])
    #expect(lone.push(unsigned, from: peer(3)).observed == [.init(.invalidMessage, peer(3))])
  }

  // BT-60
  @Test func `is nobody's while keys of two epochs are in use`() {
    let lone = Lone.trusting(3)
    lone.tell(.epoch(.of(1, peers(0...3))))
    let told = lone.push(.forged(1), from: peer(1))
    #expect(told.barred == [] && told.observed == [])
    lone.advance(.seconds(2))
    #expect(lone.push(.forged(2), from: peer(2)).barred == [.init(peer(2), .examinedBad)])
    // To be told of the same epoch again changes no keys.
    lone.tell(.epoch(.of(1, peers(0...3))))
    #expect(lone.push(.forged(3), from: peer(3)).barred == [.init(peer(3), .examinedBad)])
  }

  // BT-67
  @Test func `is too much when sixteen were not taken back within ten minutes`() {
    let lone = Lone.trusting(3) { $0.reputation.thresholds.graylist = -1e9 }
    var barred: [Told.Barred] = []
    for number in 1...16 {
      #expect(barred == [])
      lone.push(.forged(UInt64(number)).after(1), from: peer(1))
      barred += lone.advance(.seconds(30)).barred
    }
    #expect(barred == [.init(peer(1), .unretracted)])
  }

  // BT-67
  @Test func `is never too much if fifty-eight were taken back`() {
    let lone = Lone.trusting(3)
    for number in 1...58 {
      let forged = WireMessage.forged(UInt64(number))
      lone.push(forged.after(1), from: peer(1))
      lone.hear(.retract([forged.authorID]), on: .digestFirst, from: peer(1))
      #expect(lone.advance(.seconds(2)).barred == [])
    }
    #expect(lone.observations(of: peer(1)) == [.retracted: 58])
    #expect(lone.standing(of: peer(1)) == .welcome)
    #expect(lone.push(.by(peer(91), 2), from: peer(1)).said == [], "its lot begins anew")
  }

  // BT-64
  @Test func `that cannot be read is its sender's alone`() {
    let lone = Lone.trusting(3)
    let told = lone.tell(.garbled(.malformed("message"), from: peer(1)))
    #expect(told.observed == [.init(.garbled, peer(1))])
    let score = [1, 2].map { lone.node.explain(peer($0)).factors.last?.value ?? 0 }
    #expect(score[0] < 0.2 && score[1] > 0.5)
  }

  // BT-90
  @Test func `is told and not acted upon while peers are only watched`() {
    let lone = Lone.trusting(3) { $0.reputation.mode = .watching }
    let told = lone.judge(lone.push(message, from: peer(1)), .reject)
    #expect(told.wouldBar == [.init(peer(1), .examinedBad), .init(peer(90), .corruptContent)])
    #expect(told.barred == [] && told.disconnected == [] && lone.sizes.barred == 0)
    let next = WireMessage.by(peer(90), 2)
    lone.verdict = .accept
    #expect(lone.push(next, from: peer(1)).delivered == [next.authorID])
  }
}
