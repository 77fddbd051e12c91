/// Who is connected and on which topics, and what is said to them in one turn.

import Testing

@testable import GossipCore

@Suite struct `A peer book` {
  let inbound = Link(isOutbound: false, address: "inbound")
  let outbound = Link(isOutbound: true, address: "outbound")

  func join(_ topic: Topic) -> Subscription { Subscription(topic, joins: true) }
  func leave(_ topic: Topic) -> Subscription { Subscription(topic, joins: false) }

  /// Peers 1…count, connected, with an open GossipSub stream.
  func book(_ count: Int) -> PeerBook {
    var book = PeerBook()
    for number in 1...count {
      book.connect(peer(number), number % 2 == 0 ? outbound : inbound)
      #expect(book.open(.gossipSub, "/meshsub/1.2.0", with: peer(number)).isEmpty)
    }
    return book
  }

  @Test func `knows who came, in order, and who dialed`() {
    var book = book(5)
    #expect(book.connected == (1...5).map(peer) && book.count == 5)
    #expect(book.isOutbound(peer(2)) && !book.isOutbound(peer(1)) && !book.isOutbound(peer(9)))
    #expect(book.disconnect(peer(3)).isEmpty)
    #expect(!book.isConnected(peer(3)))
    book.connect(peer(3), inbound)
    #expect(book.connected == [1, 2, 4, 5, 3].map(peer))
    #expect(book.speakers(of: .gossipSub) == [1, 2, 4, 5].map(peer))
  }

  // GS-35
  @Test func `tells a change of membership once`() {
    var book = book(1)
    #expect(book.announce(join("t"), by: peer(1), .gossipSub, topicsMax: 9) == .joined)
    #expect(book.announce(join("t"), by: peer(1), .gossipSub, topicsMax: 9) == .unchanged)
    #expect(book.announce(leave("t"), by: peer(1), .gossipSub, topicsMax: 9) == .left)
    #expect(book.announce(leave("t"), by: peer(1), .gossipSub, topicsMax: 9) == .unchanged)
    #expect(book.announce(leave("never"), by: peer(1), .gossipSub, topicsMax: 9) == .unchanged)
    #expect(book.announce(join("t"), by: peer(9), .gossipSub, topicsMax: 9) == .unchanged, "a stranger")
  }

  @Test func `has members only where our stream is open`() {
    var book = PeerBook()
    book.connect(peer(1), inbound)
    #expect(book.announce(join("t"), by: peer(1), .gossipSub, topicsMax: 9) == .unchanged)
    #expect(book.announce(join("u"), by: peer(1), .gossipSub, topicsMax: 9) == .unchanged)
    #expect(book.announce(leave("u"), by: peer(1), .gossipSub, topicsMax: 9) == .unchanged)
    #expect(book.members(of: "t", by: .gossipSub).isEmpty)
    #expect(book.open(.gossipSub, "/meshsub/1.1.0", with: peer(1)) == ["t"])
    #expect(book.members(of: "t", by: .gossipSub) == [peer(1)])
    #expect(book.version(of: .gossipSub, with: peer(1)) == "/meshsub/1.1.0")
    #expect(book.open(.gossipSub, "/meshsub/1.2.0", with: peer(1)).isEmpty, "it was open")
    #expect(book.version(of: .gossipSub, with: peer(1)) == "/meshsub/1.2.0")

    #expect(book.close(.gossipSub, with: peer(1)) == ["t"])
    #expect(book.close(.gossipSub, with: peer(1)).isEmpty)
    #expect(!book.isMember(peer(1), of: "t", by: .gossipSub))
    #expect(book.open(.gossipSub, "/meshsub/1.2.0", with: peer(1)) == ["t"], "what it announced still holds")
  }

  @Test func `keeps manners apart`() {
    var book = book(1)
    #expect(book.announce(join("t"), by: peer(1), .direct, topicsMax: 9) == .unchanged)
    #expect(book.members(of: "t", by: .gossipSub).isEmpty && book.members(of: "t", by: .direct).isEmpty)
    #expect(book.open(.direct, "/gossip/direct/1.0.0", with: peer(1)) == ["t"])
    #expect(book.isMember(peer(1), of: "t", by: .direct))
    #expect(!book.isMember(peer(1), of: "t", by: .gossipSub))
    #expect(book.announce(join("t"), by: peer(1), .gossipSub, topicsMax: 9) == .joined)
    let left = book.disconnect(peer(1))
    #expect(left.map(\.0) == [.gossipSub, .direct] && left.map(\.1) == ["t", "t"])
  }

  // GS-39
  @Test func `bounds the topics of one peer`() {
    var book = book(2)
    for number in 1...10_000 {
      let change = book.announce(join(Topic("\(number)")), by: peer(1), .gossipSub, topicsMax: 100)
      #expect(change == (number <= 100 ? .joined : .tooMany))
    }
    #expect(book.entry(peer(1))?.announced[Manner.gossipSub.index].count == 100)
    #expect(book.announce(join("1"), by: peer(1), .gossipSub, topicsMax: 100) == .unchanged, "known")
    #expect(book.announce(leave("1"), by: peer(1), .gossipSub, topicsMax: 100) == .left)
    #expect(book.announce(join("x"), by: peer(1), .gossipSub, topicsMax: 100) == .joined)
    #expect(book.announce(join("y"), by: peer(2), .gossipSub, topicsMax: 100) == .joined, "another's bound")
  }

  // GS-40
  @Test func `forgets a topic with its last member`() throws {
    var book = book(3)
    func topics() throws -> Int {
      let tables = try #require(Mirror(reflecting: book).descendant("members", 0))
      return Mirror(reflecting: tables).children.count
    }
    for number in 1...3 {
      for topic in ["t", "u"] as [Topic] {
        #expect(book.announce(join(topic), by: peer(number), .gossipSub, topicsMax: 9) == .joined)
      }
    }
    #expect(try topics() == 2)
    #expect(book.announce(leave("t"), by: peer(1), .gossipSub, topicsMax: 9) == .left)
    #expect(book.close(.gossipSub, with: peer(2)) == ["t", "u"])
    #expect(try topics() == 2)
    #expect(book.disconnect(peer(3)).map(\.1) == ["t", "u"])
    #expect(try topics() == 1)
    #expect(book.disconnect(peer(1)).map(\.1) == ["u"])
    #expect(try topics() == 0)
    #expect(book.disconnect(peer(1)).isEmpty)
  }

  @Test func `names members in the order they joined`() {
    var book = book(6)
    for number in [4, 1, 6, 2, 5] {
      _ = book.announce(join("t"), by: peer(number), .gossipSub, topicsMax: 9)
    }
    _ = book.announce(leave("t"), by: peer(6), .gossipSub, topicsMax: 9)
    _ = book.close(.gossipSub, with: peer(1))
    _ = book.announce(join("t"), by: peer(3), .gossipSub, topicsMax: 9)
    _ = book.open(.gossipSub, "/meshsub/1.2.0", with: peer(1))
    #expect(book.members(of: "t", by: .gossipSub) == [4, 2, 5, 3, 1].map(peer))
    #expect(book.members(of: "nobody's", by: .gossipSub).isEmpty)
  }

  @Test func `cannot be told about strangers`() {
    var book = PeerBook()
    #expect(book.open(.gossipSub, "/meshsub/1.2.0", with: peer(1)).isEmpty)
    #expect(book.close(.gossipSub, with: peer(1)).isEmpty)
    #expect(book.update(peer(1)) { $0.isPaused = true } == nil)
    #expect(book.count == 0 && book.speakers(of: .gossipSub).isEmpty)
  }
}

@Suite struct `The outbox` {
  // GS-50
  @Test func `makes one frame per peer and stream, in the order they were spoken to`() {
    var outbox = Outbox()
    let hello = WireMessage(size: 20)
    outbox.say(.graft("t"), to: peer(2), .gossipSub)
    outbox.announce(Subscription("t", joins: true), to: peer(1), .gossipSub)
    outbox.say(.cancel(1), to: peer(2), .direct)
    outbox.forward(hello, to: peer(2), .gossipSub)
    outbox.say(.prune("u", backoff: 60), to: peer(2), .gossipSub)
    outbox.say(.graft("t"), to: peer(1), .gossipSub)
    var (effects, counters) = ([Node.Effect](), Counters())
    outbox.flush(into: &effects, &counters)
    let sent = effects.map { effect -> (PeerID, Frame)? in
      if case .send(let frame, let peer) = effect { (peer, frame) } else { nil }
    }
    #expect(sent.map { $0?.0 } == [peer(2), peer(1), peer(2)])
    #expect(sent.map { $0?.1.manner } == [.gossipSub, .gossipSub, .direct])
    #expect(
      sent.compactMap { $0 }.map { Said($0.1) } == [
        Said(Frame([], [hello], [.graft("t"), .prune("u", backoff: 60)])),
        Said(Frame([Subscription("t", joins: true)], [], [.graft("t")])), Said(Frame([], [], [.cancel(1)])),
      ])
    #expect(counters.framesSent == 3 && counters.messagesSent == 1)
  }

  @Test func `is empty after it was flushed`() {
    var outbox = Outbox()
    var (effects, counters) = ([Node.Effect](), Counters())
    outbox.flush(into: &effects, &counters)
    outbox.say(.graft("t"), to: peer(1), .gossipSub)
    outbox.flush(into: &effects, &counters)
    outbox.flush(into: &effects, &counters)
    #expect(effects.count == 1 && counters.framesSent == 1)
  }
}
