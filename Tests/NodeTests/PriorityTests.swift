import DequeModule
import GossipCore
import Testing

/// What a node under attack spends its examinations on, when it can make fewer than it is sent.
@Suite struct `Honest traffic under attack` {
  /// Peers 1 to 3 bring good messages, 4 to 6 forged ones, all as fast as they are read from; in each tenth of a second
  /// the node examines 32, in the order in which they came.
  /// - Returns: the share of good ones among those examined, per tenth.
  func shares(tenths: Int, _ mode: ReputationParameters.Mode) -> [Double] {
    let lone = Lone.onMesh(of: 6) { $0.reputation.mode = mode }
    lone.checksAtOnce = false
    var paused: Set<PeerID> = []
    var waiting = Deque<(ticket: Ticket, message: WireMessage)>()
    func note(_ told: Told) {
      for effect in told.effects {
        switch effect {
        case .pause(let peer): paused.insert(peer)
        case .resume(let peer): paused.remove(peer)
        case .check(let ticket, let message, _): waiting.append((ticket, message))
        default: break
        }
      }
    }
    var number: UInt64 = 0
    var shares: [Double] = []
    for _ in 0..<tenths {
      for _ in 0..<40 {
        for sender in [1, 4, 2, 5, 3, 6] where !paused.contains(peer(sender)) {
          number += 1
          let message = sender <= 3 ? WireMessage.by(peer(90), number) : .forged(number, by: peer(91))
          note(lone.hear(message, from: peer(sender)))
        }
      }
      let examined = (0..<32).compactMap { _ in waiting.popFirst() }
      for (ticket, message) in examined {
        note(lone.tell(.checked(ticket, authentic: Notional.isAuthentic(message))))
      }
      let good = examined.count { Notional.isAuthentic($0.message) }
      shares.append(Double(good) / Double(max(examined.count, 1)))
      note(lone.advance(.milliseconds(100)))
    }
    return shares
  }

  // BB-20
  @Test func `gets nearly all examinations after seconds, by what each peer has earned`() {
    let shares = shares(tenths: 100, .watching)
    #expect(shares[0] == 0.5)
    #expect(shares.suffix(20).reduce(0, +) / 20 > 0.85, "\(shares)")
  }

  // BB-20
  @Test func `gets all of them once the attackers are not heard any more`() {
    let shares = shares(tenths: 50, .acting)
    #expect(shares.suffix(40).allSatisfy { $0 == 1 }, "\(shares)")
  }
}
