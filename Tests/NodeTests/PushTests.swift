import GossipCore
import Testing

extension TopicPolicy {
  fileprivate static let push = TopicPolicy(spread: .push)
}

extension Lone {
  /// A node on `t`, which is pushed, with so many members.
  fileprivate static func pushing(
    to count: Int, seed: UInt8 = 7, _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(seed: [seed], change)
    lone.join(t, policy: .push)
    if count > 0 { lone.meet(peers(1...count), speaking: "/gossip/push/1.0.0") }
    return lone
  }
}

@Suite struct `Push` {
  private let latency = Duration.milliseconds(10)

  // FT-60
  @Test func `gathers for ten milliseconds, then sends everything to one set of three members`() {
    let lone = Lone.pushing(to: 20)
    let messages = (1...4).map { WireMessage.by(peer(90), UInt64($0)) }
    #expect(lone.hear(messages[0], on: .push, from: peer(1)).frames.isEmpty)
    lone.advance(.milliseconds(6))
    for message in messages[1...] { lone.hear(message, on: .push, from: peer(1)) }
    #expect(lone.advance(.milliseconds(3)).frames.isEmpty)
    let told = lone.advance(.milliseconds(1))
    #expect(told.frames.count == 3 && Set(told.frames.map(\.to)).count == 3)
    for (frame, _) in told.frames { #expect(frame.messages.map(\.authorID) == messages.map(\.authorID)) }
    #expect(lone.advance(.seconds(1)).frames.isEmpty)
  }

  // FT-60
  @Test func `sends at once when ten messages wait`() {
    let lone = Lone.pushing(to: 20)
    for number in 1...9 {
      #expect(lone.hear(.by(peer(90), UInt64(number)), on: .push, from: peer(1)).frames.isEmpty)
    }
    let told = lone.hear(.by(peer(90), 10), on: .push, from: peer(1))
    #expect(told.frames.map(\.frame.messages.count) == [10, 10, 10])
    lone.hear(.by(peer(90), 11), on: .push, from: peer(1))
    lone.advance(.milliseconds(9))
    #expect(lone.advance(.milliseconds(1)).frames.map(\.frame.messages.count) == [1, 1, 1])
  }

  // FT-60
  @Test(arguments: [1, 2, 5])
  func `sends each message in as many flushes as there are iterations`(iterations: Int) {
    let lone = Lone.pushing(to: 20) { $0.push.iterations = iterations }
    let message = WireMessage.by(peer(90), 1)
    lone.hear(message, on: .push, from: peer(1))
    for _ in 0..<iterations { #expect(lone.advance(latency).receivers(of: message.authorID).count == 3) }
    #expect(lone.advance(.seconds(1)).frames.isEmpty)
    #expect(lone.sizes.perPeer == 0)
  }

  // FT-61
  @Test func `looks for others in each further flush, while there are any`() {
    let lone = Lone.pushing(to: 9) { $0.push.iterations = 4 }
    let message = WireMessage.by(peer(90), 1)
    lone.hear(message, on: .push, from: peer(1))
    let receivers = lone.advance(.seconds(1)).receivers(of: message.authorID)
    #expect(receivers.count == 8 && Set(receivers) == Set(peers(2...9)))
  }

  // FT-60: zero means zero.
  @Test func `of no iterations pushes nothing`() {
    let lone = Lone.pushing(to: 20) { $0.push.iterations = 0 }
    #expect(lone.hear(.by(peer(90), 1), on: .push, from: peer(1)).delivered.count == 1)
    lone.publish()
    #expect(lone.advance(.seconds(1)).frames.isEmpty)
    #expect(lone.sizes.perPeer == 0)
  }

  // FT-60
  @Test func `flushes when it leaves the topic, and says nothing after that`() {
    let lone = Lone.pushing(to: 20) { $0.push.iterations = 5 }
    let message = WireMessage.by(peer(90), 1)
    lone.hear(message, on: .push, from: peer(1))
    #expect(lone.leave(t).receivers(of: message.authorID).count == 3)
    #expect(lone.advance(.seconds(1)).frames.isEmpty)
  }

  // FT-61
  @Test(arguments: 1...40 as ClosedRange<UInt8>)
  func `draws three different members, none of whom sent the message or wrote it`(seed: UInt8) {
    let lone = Lone.pushing(to: 6, seed: seed)
    let message = WireMessage.by(peer(3), 1)
    lone.hear(message, on: .push, from: peer(1))
    lone.hear(message, on: .push, from: peer(2))
    let receivers = lone.advance(latency).receivers(of: message.authorID)
    #expect(Set(receivers) == Set(peers(4...6)) && receivers.count == 3)
  }

  // FT-61, FB-7
  @Test func `draws anew for each flush, every member alike`() {
    let lone = Lone.pushing(to: 10)
    var times = [Int](repeating: 0, count: 11)
    for number in 1...1_000 {
      let message = WireMessage.by(peer(90), UInt64(number))
      lone.hear(message, on: .push, from: peer(10))
      for receiver in lone.advance(latency).receivers(of: message.authorID) {
        times[NodeTests.number(of: receiver)] += 1
      }
    }
    #expect(times[0] == 0 && times[10] == 0)
    // Each of nine members with probability 1/3: 333, standard deviation 15.
    #expect(times[1...9].allSatisfy { (270...400).contains($0) }, "\(times)")
  }

  // FT-61
  @Test func `leaves the sender out of the messages it sent, not of the burst`() {
    let lone = Lone.pushing(to: 4)
    let (first, second) = (WireMessage.by(peer(90), 1), WireMessage.by(peer(90), 2))
    lone.hear(first, on: .push, from: peer(1))
    lone.hear(second, on: .push, from: peer(2))
    let told = lone.advance(latency)
    #expect(Set(told.receivers(of: first.authorID)) == Set(peers(2...4)))
    #expect(Set(told.receivers(of: second.authorID)) == [peer(1), peer(3), peer(4)])
  }

  // FT-61: as Fabric does it.
  @Test func `may draw the sender and leave it out afterwards, if told so`() {
    var counts: Set<Int> = []
    for seed in 1...40 as ClosedRange<UInt8> {
      let lone = Lone.pushing(to: 4, seed: seed) { $0.push.drawsHolders = true }
      let message = WireMessage.by(peer(90), 1)
      lone.hear(message, on: .push, from: peer(1))
      let receivers = lone.advance(latency).receivers(of: message.authorID)
      #expect(!receivers.contains(peer(1)))
      counts.insert(receivers.count)
    }
    #expect(counts == [2, 3])
  }

  @Test func `reaches as many as there are, and nobody at all if there is nobody`() {
    #expect(Lone.pushing(to: 0).publish().publication?.subscribers == 0)
    let lone = Lone.pushing(to: 2)
    lone.publish()
    #expect(lone.advance(latency).frames.count == 2)
  }

  @Test func `does not pass on what it had already`() {
    let lone = Lone.pushing(to: 20)
    let message = WireMessage.by(peer(90), 1)
    lone.hear(message, on: .push, from: peer(1))
    lone.advance(latency)
    lone.hear(message, on: .push, from: peer(2))
    #expect(lone.advance(.seconds(1)).frames.isEmpty)
  }

  @Test func `passes on only what is believed`() {
    let lone = Lone.pushing(to: 20)
    lone.verdict = .reject
    lone.join(t, policy: TopicPolicy(spread: .push, isJudged: true))
    lone.hear(.by(peer(90), 1), on: .push, from: peer(1))
    lone.hear(WireMessage(topic: t, payload: "x", author: peer(90), sequence: 2), on: .push, from: peer(1))
    #expect(lone.advance(.seconds(1)).frames.isEmpty)
  }

  @Test func `leaves to the healer what the healer brought`() {
    let lone = Lone()
    lone.join(t, policy: TopicPolicy(spread: .push, heal: .onLink))
    lone.meet(peers(1...5), speaking: "/gossip/push/1.0.0")
    lone.open(peer(1), "/gossip/anti-entropy/1.0.0")
    lone.hear(subscriptions: [Subscription(t, joins: true)], on: .antiEntropy, from: peer(1))
    let message = WireMessage.by(peer(90), 1)
    lone.hear(.have(t, [message.authorID]), on: .antiEntropy, from: peer(1))
    #expect(lone.hear(message, on: .antiEntropy, from: peer(1)).delivered == [message.authorID])
    #expect(lone.advance(latency).receivers(of: message.authorID).isEmpty)
  }

  @Test func `flushes the topic that waited longest when too many messages wait`() {
    let lone = Lone.pushing(to: 8) { $0.push.bufferedMax = 3 }
    lone.join(u, policy: .push)
    let first = (1...2).map { WireMessage.by(peer(90), UInt64($0)) }
    for message in first { lone.hear(message, on: .push, from: peer(1)) }
    #expect(lone.hear(.by(peer(90), 3, on: u), on: .push, from: peer(1)).frames.isEmpty)
    let told = lone.hear(.by(peer(90), 4, on: u), on: .push, from: peer(1))
    for message in first { #expect(told.receivers(of: message.authorID).count == 3) }
    #expect(lone.sizes.perPeer == 2)
    #expect(lone.counters.evicted == 0, "nothing was lost")
  }

  @Test func `keeps one alarm, whatever waits`() {
    let lone = Lone.pushing(to: 5)
    let alarms = lone.sizes.alarms
    for number in 1...200 { lone.hear(.by(peer(90), UInt64(number)), on: .push, from: peer(1)) }
    #expect(lone.sizes.alarms == alarms + 1)
  }

  @Test func `refuses settings that cannot work, and takes nothing for something`() throws {
    func refused(_ change: (inout Configuration) -> Void) -> String? {
      var configuration = Configuration()
      change(&configuration)
      do { try configuration.validate() } catch { return error.setting }
      return nil
    }
    #expect(refused { ($0.push.fanout, $0.push.iterations) = (0, 0) } == nil)
    #expect(refused { $0.push.burstLatency = .zero } == nil)
    #expect(refused { $0.push.fanout = -1 } == "push.fanout")
    #expect(refused { $0.push.iterations = -1 } == "push.iterations")
    #expect(refused { $0.push.burstSize = 0 } == "push.burstSize")
    #expect(refused { $0.push.bufferedMax = .max } == "push.bufferedMax")
    #expect(refused { $0.push.burstLatency = .seconds(-1) } == "push.burstLatency")
  }
}
