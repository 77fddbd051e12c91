import GossipCore
import Testing

/// Copies held back from partners that usually have the message already.
@Suite struct `A redundant copy` {
  /// Messages of one author come from peer 1; peer 2 echoes each of them, so that copies for it turn out needless.
  private func taught(_ change: (inout Configuration) -> Void = { _ in }) -> Lone {
    let lone = Lone(change)
    lone.join(t)
    lone.meet(peers(1...4))
    for number in 1...6 {
      let message = WireMessage.by(peer(9), UInt64(number))
      lone.hear(message, from: peer(1))
      lone.advance(.milliseconds(10))
      lone.hear(message, from: peer(2))
      lone.advance(.milliseconds(200))
    }
    return lone
  }

  private func receivers(_ told: Told, _ message: WireMessage) -> [PeerID] {
    told.receivers(of: message.authorID)
  }

  @Test func `waits, and is left out when the partner echoes or declines the message`() {
    let lone = taught()
    let shows: [(Lone, WireMessage) -> Told] = [
      { $0.hear($1, from: peer(2)) }, { $0.hear(.dontWant([$1.authorID]), from: peer(2)) },
    ]
    for (number, show) in shows.enumerated() {
      let message = WireMessage.by(peer(9), UInt64(10 + number))
      #expect(receivers(lone.hear(message, from: peer(1)), message) == peers(3...4))
      _ = show(lone, message)
      #expect(receivers(lone.advance(.milliseconds(900)), message) == [])
    }
  }

  @Test func `is sent within three lags when the partner shows nothing, and the next one at once`() {
    let lone = taught()
    let (missed, next) = (WireMessage.by(peer(9), 10), WireMessage.by(peer(9), 11))
    #expect(receivers(lone.hear(missed, from: peer(1)), missed) == peers(3...4))
    #expect(receivers(lone.advance(.milliseconds(5)), missed) == [])
    #expect(receivers(lone.advance(.milliseconds(60)), missed) == [peer(2)])
    #expect(receivers(lone.hear(next, from: peer(1)), next) == peers(2...4))
  }

  @Test func `is known by author: others' messages go to everybody at once`() {
    let lone = taught()
    let other = WireMessage.by(peer(8), 1)
    #expect(receivers(lone.hear(other, from: peer(1)), other) == peers(2...4))
  }

  @Test func `is known by giver where nobody signs`() {
    let policy = TopicPolicy(signing: .strictNoSign, identification: .contentHash)
    let lone = Lone()
    lone.join(t, policy: policy)
    lone.meet(peers(1...4))
    func come(_ number: Int, from giver: Int) -> [PeerID] {
      let message = WireMessage(topic: t, payload: Payload("\(number)"), author: nil, sequence: nil)
      let told = lone.hear(message, from: peer(giver))
      lone.advance(.milliseconds(10))
      lone.hear(message, from: peer(2))
      lone.advance(.milliseconds(200))
      return told.sentTexts.map(\.to)
    }
    for number in 1...6 { _ = come(number, from: 1) }
    #expect(come(7, from: 1) == peers(3...4))
    #expect(come(8, from: 3) == [peer(1), peer(2), peer(4)])
  }

  @Test func `does not wait when staggering is off`() {
    let lone = taught { $0.gossipSub.staggers = false }
    let message = WireMessage.by(peer(9), 10)
    #expect(receivers(lone.hear(message, from: peer(1)), message) == peers(2...4))
  }

  @Test func `is dropped when its partner leaves the mesh, and forgotten when it disconnects`() {
    let lone = taught()
    let (first, second) = (WireMessage.by(peer(9), 10), WireMessage.by(peer(9), 11))
    lone.hear(first, from: peer(1))
    lone.hear(.prune(t, backoff: 1), from: peer(2))
    #expect(receivers(lone.advance(.milliseconds(500)), first) == [])
    lone.disconnect(peer(2))
    lone.advance(.seconds(30))
    lone.meet(peer(2), on: t)
    #expect(receivers(lone.hear(second, from: peer(1)), second).contains(peer(2)))
  }

  @Test func `estimates are bounded, however many authors a peer invents`() {
    let lone = Lone { $0.gossipSub.heartbeatInterval = .seconds(1_000) }
    lone.join(t)
    lone.meet(peers(1...2))
    for author in 100..<3_100 {
      let message = WireMessage.by(peer(author), 1)
      lone.hear(message, from: peer(1))
      lone.hear(message, from: peer(2))
    }
    #expect((1...1_100).contains(lone.sizes.perPeer))
  }
}
