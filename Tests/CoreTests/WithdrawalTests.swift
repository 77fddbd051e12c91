import Testing

@testable import GossipCore

/// What a dissemination does when a message is no longer held: it speaks of it no more.
@Suite struct `A withdrawn message` {
  /// What a node shares with one manner, with so many members on `t`.
  private func commons(_ manner: Manner, members: Int) -> Commons {
    var commons = Commons(Configuration(), as: peer(0), seed: [1], at: .zero)
    commons.manner = manner
    for number in 1...members {
      commons.peers.connect(peer(number), Link(isOutbound: true, address: ""))
      _ = commons.peers.open(manner, manner.protocols[0], with: peer(number))
      _ = commons.peers.announce(
        Subscription("t", joins: true), by: peer(number), manner, topicsMax: 10)
    }
    return commons
  }

  private func own(_ message: Message) -> DisseminationEvent {
    .accepted(Acceptance(message: message, holders: [], audience: .everyone, isHealed: false))
  }

  private func sent(_ commons: inout Commons) -> [Frame] {
    var effects: [Node.Effect] = []
    commons.outbox.flush(into: &effects, &commons.counters)
    return effects.compactMap { if case .send(let frame, _) = $0 { frame } else { nil } }
  }

  @Test func `leaves the burst it waits in, and only it`() {
    var commons = commons(.push, members: 9)
    var push = Push(PushParameters())
    for number in 1...3 { push.handle(own(message(number)), &commons) }
    push.handle(.withdrawn(id(2)), &commons)
    push.handle(.withdrawn(id(9)), &commons)
    #expect(push.perPeerEntries == 2)
    commons.now = .seconds(0.01)
    push.handle(.rang(.own(.push, 0), due: commons.now), &commons)
    let frames = sent(&commons)
    #expect(frames.count == 3)
    for frame in frames {
      #expect(frame.messages.map(\.bytes) == [message(1), message(3)].map(\.wire.bytes))
    }
    #expect(push.perPeerEntries == 0)
  }

  @Test func `that waits alone leaves nothing behind`() {
    var commons = commons(.push, members: 5)
    var push = Push(PushParameters())
    push.handle(own(message(1)), &commons)
    push.handle(.withdrawn(id(1)), &commons)
    commons.now = .seconds(0.01)
    push.handle(.rang(.own(.push, 0), due: commons.now), &commons)
    #expect(sent(&commons).isEmpty && push.perPeerEntries == 0)
  }

  // CT-10
  @Test func `ends its rumor, once, and no other`() {
    var commons = commons(.infection, members: 9)
    var infection = Infection(InfectionParameters())
    for number in 1...2 {
      commons.store.put(message(number))
      infection.handle(own(message(number)), &commons)
    }
    #expect(infection.perPeerEntries == 6)
    for _ in 1...2 { infection.handle(.withdrawn(id(1)), &commons) }
    #expect(infection.perPeerEntries == 3)
    _ = sent(&commons)
    for number in 1...9 { infection.handle(.heard([.held([id(1)])], from: peer(number)), &commons) }
    #expect(sent(&commons).isEmpty)
    infection.handle(.heard([.have("t", [id(1)])], from: peer(1)), &commons)
    #expect(sent(&commons).map(\.controls) == [[.held([id(1)])]], "it is finished")
  }
}
