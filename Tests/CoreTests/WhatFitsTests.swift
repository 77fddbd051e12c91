/// What a node accepts and says fits into frames that other nodes accept, whatever a peer or the application wants.

import Testing

@testable import GossipCore

@Suite struct `What a node says` {
  /// A node on "t", connected to peer 1 by both manners, that did what was told.
  struct Talk {
    var node: Node
    var effects: [Node.Effect] = []

    init(_ policy: TopicPolicy) throws {
      node = try Node(Configuration(), as: peer(99), seed: [1], at: .zero)
      tell(.connected(peer(1), Link(isOutbound: false, address: "test")))
      tell(.opened(peer(1), .gossipSub, "/meshsub/1.2.0"))
      tell(.opened(peer(1), .direct, "/gossip/direct/1.0.0"))
      tell(.subscribe("t", policy))
      effects = []
    }

    mutating func tell(_ input: Node.Input) { node.handle(input, at: .zero, into: &effects) }

    var largestFrame: Int {
      effects.map { if case .send(let frame, _) = $0 { frame.encodedSize } else { 0 } }.max() ?? 0
    }
    var isInvalidObserved: Bool {
      effects.contains {
        if case .notice(.observed(.invalidMessage, peer(1), _)) = $0 { true } else { false }
      }
    }
    var deliveries: Int { effects.count { if case .deliver = $0 { true } else { false } } }
  }

  /// A message of peer 2 with a sequence number of so many bytes.
  func numbered(_ count: Int, isSigned: Bool) throws -> WireMessage {
    var bytes: [UInt8] = []
    Protobuf.append(field: 1, bytes: peer(2).bytes, to: &bytes)
    Protobuf.append(field: 2, bytes: [1], to: &bytes)
    Protobuf.append(field: 3, bytes: [UInt8](repeating: 5, count: count), to: &bytes)
    Protobuf.append(field: 4, bytes: Array("t".utf8), to: &bytes)
    if isSigned { Protobuf.append(field: 5, bytes: [9], to: &bytes) }
    var body: [UInt8] = []
    Protobuf.append(field: 2, bytes: bytes, to: &body)
    return try decode(body).messages[0]
  }

  @Test(arguments: [Signing.strictSign, .laxSign])
  func `never offers an id that no frame can carry`(signing: Signing) throws {
    let longest = WireLimits().idSizeMax - peer(2).count
    for (count, fits) in [(8, true), (longest, true), (longest + 1, false), (100_000, false)] {
      var talk = try Talk(TopicPolicy(signing: signing))
      talk.tell(
        .received(Frame([], [try numbered(count, isSigned: signing == .strictSign)]), from: peer(1)))
      let checks = talk.effects.compactMap { if case .check(let ticket, _, _) = $0 { ticket } else { nil } }
      for ticket in checks { talk.tell(.checked(ticket, authentic: true)) }
      #expect(talk.deliveries == (fits ? 1 : 0), "a sequence number of \(count) bytes")
      #expect(talk.isInvalidObserved != fits)
      #expect(talk.node.snapshot.sizes.seen == (fits ? 1 : 0))
    }
  }

  @Test func `never publishes under an id that no frame can carry`() throws {
    for (count, fits) in [(128, true), (129, false)] {
      let policy = TopicPolicy(
        signing: .strictNoSign, identification: .custom { _ in [UInt8](repeating: 1, count: count) })
      var talk = try Talk(policy)
      talk.tell(.publish(Draft(token: 1, topic: "t", payload: "x")))
      let outcomes = talk.effects.compactMap {
        if case .published(_, let outcome) = $0 { outcome } else { nil }
      }
      #expect(outcomes.count == 1)
      #expect(outcomes.allSatisfy { outcome in if case .success = outcome { fits } else { !fits } })
    }
  }

  // GS-16
  @Test func `never asks more than a frame can carry`() throws {
    for (size, fits) in [(1 << 19, true), (1 << 20, false)] {
      var talk = try Talk(TopicPolicy(spread: .direct))
      let payload = Payload([UInt8](repeating: 1, count: size))
      talk.tell(
        .ask(
          Inquiry(token: 7, topic: "t", payload: payload, audience: .one(peer(1)), patience: .seconds(1))))
      let isRefused = talk.effects.contains { if case .answered(7, .failure) = $0 { true } else { false } }
      #expect(isRefused != fits)
      #expect((talk.largestFrame > size) == fits)
    }
  }

  @Test func `never replies more than a frame can carry`() throws {
    for (size, fits) in [(1 << 19, true), (1 << 20, false)] {
      var talk = try Talk(TopicPolicy(spread: .direct))
      let ask = Control.ask(3, "t", "how large?", patience: 1_000)
      talk.tell(.received(Frame([], [], [ask], on: .direct), from: peer(1)))
      let tickets = talk.effects.compactMap {
        if case .ask(let ticket, _, _, _, _) = $0 { ticket } else { nil }
      }
      let payload = Payload([UInt8](repeating: 1, count: size))
      for ticket in tickets { talk.tell(.answer(ticket, .success(payload))) }
      #expect(tickets.count == 1)
      #expect((talk.largestFrame > size) == fits)
      #expect(talk.largestFrame > 0, "an answer comes in any case")
      #expect(talk.largestFrame <= WireLimits().frameSizeMax)
    }
  }
}
