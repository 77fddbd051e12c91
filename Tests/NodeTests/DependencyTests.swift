import GossipCore
import Testing

/// Messages that wait for others: the application says what a message depends on, the node gets it.
@Suite struct `A message that depends on another` {
  let block = WireMessage.by(peer(9), 1, "block")
  let deploy = WireMessage.by(peer(9), 2, "deploy")

  /// A judged mesh of five where peer 1 has just sent the block, whose judge wants the deploy.
  func waiting(_ change: (inout Configuration) -> Void = { _ in }) -> (lone: Lone, told: Told) {
    let lone = Lone.onMesh(of: 5, policy: .judged, change)
    lone.verdict = nil
    let told = lone.hear(block, from: peer(1))
    return (lone, lone.tell(.judged(told.toJudge[0].ticket, .await([deploy.authorID]))))
  }

  // CA-14, CT-23
  @Test func `asks its sender for it, and is judged again and passed on when it came`() {
    let (lone, asked) = waiting()
    #expect(asked.said == [.want([deploy.authorID], to: peer(1))])
    #expect(asked.delivered == [] && lone.sizes.awaiting == 1 && lone.sizes.needs == 1)
    let arrived = lone.hear(deploy, from: peer(1))
    let accepted = lone.tell(.judged(arrived.toJudge[0].ticket, .accept))
    #expect(accepted.delivered == [deploy.authorID])
    #expect(accepted.toJudge.map(\.message.id) == [block.authorID], "judged again")
    #expect(lone.sizes.awaiting == 0 && lone.sizes.needs == 0)
    let told = lone.tell(.judged(accepted.toJudge[0].ticket, .accept))
    #expect(told.delivered == [block.authorID])
    #expect(told.receivers(of: block.authorID) == peers(2...5))
  }

  @Test func `gets what travels on a topic of another manner`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.join(u, policy: TopicPolicy(spread: .infection))
    let other = WireMessage.by(peer(9), 2, "deploy", on: u)
    lone.verdict = nil
    let told = lone.hear(block, from: peer(1))
    let asked = lone.tell(.judged(told.toJudge[0].ticket, .await([other.authorID])))
    #expect(asked.wanted == [other.authorID])
    #expect(lone.hear(other, from: peer(2)).delivered == [], "not from whom nobody asked")
    let arrived = lone.hear(other, from: peer(1))
    #expect(arrived.delivered == [other.authorID])
    #expect(arrived.toJudge.map(\.message.id) == [block.authorID])
  }

  @Test func `that is here already is judged again at once`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.hear(deploy, from: peer(2))
    lone.verdict = nil
    let told = lone.hear(block, from: peer(1))
    let again = lone.tell(.judged(told.toJudge[0].ticket, .await([deploy.authorID])))
    #expect(again.toJudge.map(\.message.id) == [block.authorID] && again.said == [])
  }

  // CA-13
  @Test func `asks the next holder when the first breaks its promise`() {
    let (lone, _) = waiting()
    #expect(lone.hear(block, from: peer(2)).wanted == [], "one holder is asked at a time")
    let told = lone.advance(.seconds(11))
    #expect(told.said.contains(.want([deploy.authorID], to: peer(2))))
    #expect(told.observed.contains(.init(.brokenPromise, peer(1))))
  }

  // CA-15, CT-23
  @Test func `that nobody can complete is given up after a minute, and held against who sent it`() {
    let (lone, _) = waiting()
    let told = lone.advance(.seconds(61))
    #expect(told.observed.contains(.init(.incomplete, peer(1))))
    #expect(told.delivered == [] && lone.sizes.awaiting == 0 && lone.sizes.checks == 0)
    #expect(lone.hear(block, from: peer(3)).toJudge.count == 1, "by another, later, it may come again")
  }

  // CA-15
  @Test func `is given up at once when the other is refused`() {
    let (lone, _) = waiting()
    let arrived = lone.hear(deploy, from: peer(1))
    let told = lone.tell(.judged(arrived.toJudge[0].ticket, .reject))
    #expect(told.observed == [.init(.invalidMessage, peer(1)), .init(.incomplete, peer(1))])
    #expect(lone.sizes.awaiting == 0 && lone.sizes.checks == 0)
  }

  @Test func `does not mind a forgery of the other`() {
    let (lone, _) = waiting()
    let forged = WireMessage(topic: t, payload: "forged", author: peer(9), sequence: 2).signed([1])
    let told = lone.hear(forged, from: peer(4))
    #expect(told.observed == [.init(.invalidMessage, peer(4))] && lone.sizes.awaiting == 1)
    let arrived = lone.hear(deploy, from: peer(1))
    #expect(
      lone.tell(.judged(arrived.toJudge[0].ticket, .accept)).toJudge.map(\.message.id) == [block.authorID])
  }

  @Test func `does not take a piece for it`() {
    let policy = TopicPolicy(
      signing: .strictNoSign, identification: .contentHash, isJudged: true, objects: ObjectPolicy())
    let lone = Lone.onMesh(of: 3, policy: policy)
    lone.verdict = nil
    let told = lone.hear(.anonymous("block"), from: peer(1))
    lone.tell(.judged(told.toJudge[0].ticket, .await([WireMessage.anonymous("deploy").contentID])))
    // What is hashed for the id, as a payload: the topic's length in eight bytes, the topic, the payload.
    let bytes = [1, 0, 0, 0, 0, 0, 0, 0] + Array("t".utf8) + Array("deploy".utf8)
    let piece = WireMessage(topic: t, payload: Payload(bytes), author: nil, sequence: nil, kind: .piece)
    #expect(lone.hear(piece, from: peer(2)).observed == [] && lone.sizes.awaiting == 1)
  }

  @Test func `falls with it, and so does what depends on that, however long the chain`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) {
      $0.firewall.allowance = AllowanceParameters(fixed: 10_000)
    }
    lone.verdict = nil
    let chain = (1...1_000 as ClosedRange<UInt64>).map { WireMessage.by(peer(9), $0) }
    for (message, former) in zip(chain.dropFirst(), chain).reversed() {
      let told = lone.hear(message, from: peer(1))
      lone.tell(.judged(told.toJudge[0].ticket, .await([former.authorID])))
    }
    #expect(lone.sizes.awaiting == 999)
    let first = lone.hear(chain[0], from: peer(1))
    lone.tell(.judged(first.toJudge[0].ticket, .reject))
    #expect(lone.sizes.awaiting == 0 && lone.sizes.checks == 0)
  }

  @Test func `blames nobody who gives again what was here, and waited itself`() {
    let (lone, _) = waiting()
    let next = WireMessage.by(peer(9), 3, "next block")
    let told = lone.hear(next, from: peer(1))
    lone.tell(.judged(told.toJudge[0].ticket, .await([block.authorID])))
    let arrived = lone.hear(deploy, from: peer(1))
    let accepted = lone.tell(.judged(arrived.toJudge[0].ticket, .accept))
    lone.tell(.judged(accepted.toJudge[0].ticket, .accept))
    lone.hear(block, from: peer(1))
    #expect(lone.sizes.wants == 0)
    #expect(lone.advance(.seconds(15)).observed == [])
  }

  @Test func `is nobody's fault when we leave`() {
    let (lone, _) = waiting()
    let told = lone.leave(t)
    #expect(told.observed == [] && lone.sizes.awaiting == 0 && lone.sizes.checks == 0)
    #expect(lone.advance(.seconds(70)).observed.allSatisfy { $0.observation != .incomplete })
  }

  @Test func `is one of several that wait for the same, which is asked for once`() {
    let (lone, _) = waiting()
    let other = WireMessage.by(peer(9), 3, "other block")
    let told = lone.hear(other, from: peer(2))
    let second = lone.tell(.judged(told.toJudge[0].ticket, .await([deploy.authorID])))
    #expect(second.wanted == [])
    let arrived = lone.hear(deploy, from: peer(1))
    let accepted = lone.tell(.judged(arrived.toJudge[0].ticket, .accept))
    #expect(accepted.toJudge.map(\.message.id) == [block.authorID, other.authorID])
  }

  @Test func `does not keep its sender from being read while it waits`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.firewall.allowance = AllowanceParameters(fixed: 4) }
    lone.verdict = nil
    var told = Told()
    for number in 1...6 as ClosedRange<UInt64> {
      let heard = lone.hear(.by(peer(9), number), from: peer(1))
      told += heard
      told += lone.tell(.judged(heard.toJudge[0].ticket, .await([id(Int(number))])))
    }
    #expect(!told.notices.contains(.paused(peer(1))))
  }

  @Test func `is turned away without blame when too many wait`() {
    let lone = Lone.onMesh(of: 3, policy: .judged) { $0.limits.awaitingMax = 2 }
    lone.verdict = nil
    var told = Told()
    for number in 1...3 as ClosedRange<UInt64> {
      let heard = lone.hear(.by(peer(9), number), from: peer(1))
      told += lone.tell(.judged(heard.toJudge[0].ticket, .await([id(Int(number))])))
    }
    #expect(told.rejected == [.throttled] && told.observed == [])
    #expect(lone.sizes.awaiting == 2 && lone.sizes.checks == 2)
  }

  @Test func `of itself is judged again, not waited for`() {
    let lone = Lone.onMesh(of: 3, policy: .judged)
    lone.verdict = nil
    let told = lone.hear(block, from: peer(1))
    let again = lone.tell(.judged(told.toJudge[0].ticket, .await([block.authorID])))
    #expect(again.toJudge.count == 1 && lone.sizes.awaiting == 0)
  }

  @Test func `forgets what it waited for when the topic is left`() {
    let (lone, _) = waiting()
    lone.leave(t)
    lone.advance(.seconds(70))
    #expect(lone.sizes.awaiting == 0 && lone.sizes.needs == 0 && lone.sizes.checks == 0)
    #expect(lone.sizes.wants == 0)
  }
}
