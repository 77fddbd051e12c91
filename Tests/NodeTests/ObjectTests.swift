import GossipCore
import Testing

/// Payloads too large for one message: a manifest, and pieces named by their hashes.
@Suite struct `An object` {
  static let policy = TopicPolicy(objects: ObjectPolicy(threshold: 4_000, pieceSize: 1_024, sizeMax: 100_000))

  /// A payload of which no two pieces are equal.
  static func payload(_ size: Int) -> Payload {
    Payload((0..<size).map { UInt8(truncatingIfNeeded: $0 ^ ($0 >> 8) &* 31 ^ ($0 >> 10)) })
  }

  /// A manifest by another node, and what it answers to those who want pieces.
  struct Source {
    let lone: Lone
    let manifest: WireMessage

    init(_ payload: Payload, by author: Int = 9) {
      lone = Lone(as: peer(author))
      lone.meet(peer(1), on: t)
      let told = lone.publish(payload, policy: policy)
      guard let sent = told.frames.flatMap(\.frame.messages).first else {
        preconditionFailure("nothing sent")
      }
      manifest = sent
    }

    func pieces(_ ids: [MessageID]) -> [WireMessage] {
      lone.hear(.want(ids), from: peer(1)).frames.flatMap(\.frame.messages)
    }
  }

  /// Fetches everything the node asks for.
  private func complete(_ lone: Lone, _ source: Source, _ manifest: WireMessage? = nil) -> Told {
    var (told, all) = (lone.hear(manifest ?? source.manifest, from: peer(1)), Told())
    for _ in 0..<20 where !told.wanted.isEmpty {
      told = lone.hear(messages: source.pieces(told.wanted), from: peer(1))
      all += told
    }
    return all
  }

  @Test func `has the position its first bytes say`() {
    var policy = Self.policy
    policy.meaning.position = { $0.count <= 512 ? $0.bytes.first.map(UInt64.init) : nil }
    policy.retention = .last(2)
    let lone = Lone.onMesh(of: 3, policy: policy)
    for position in [7, 8, 9, 5] as [UInt8] {
      let source = Source(Payload([position] + Array(Self.payload(5_000).bytes)), by: 10 + Int(position))
      let expected = position == 5 ? [] : [source.manifest.authorID]
      #expect(complete(lone, source).delivered == expected, "5 lies too far below")
    }
  }

  @Test func `that does not begin as its manifest says is not believed`() {
    let source = Source(Self.payload(5_000))
    var bytes = Array(source.manifest.payload.bytes)
    bytes[bytes.count - 1] ^= 1
    let plain = WireMessage(
      topic: t, payload: Payload(bytes), author: peer(9), sequence: 5, kind: .manifest)
    let manifest = plain.signed(Notional.signature(of: peer(9), over: plain.signedBytes))
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    let told = complete(lone, source, manifest)
    #expect(told.delivered == [] && lone.observations(of: peer(1)) == [.incomplete: 1])
  }

  // IC-5
  @Test func `leaves as a manifest, and its pieces go to whoever asks for them`() {
    let source = Source(Self.payload(10_000))
    #expect(source.manifest.kind == .manifest && source.manifest.payload.count < 900)
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    let asked = lone.hear(source.manifest, from: peer(2)).wanted
    #expect(source.pieces(asked).allSatisfy { $0.kind == .piece && $0.payload.count <= 1_024 })
    #expect(source.pieces([id(1)]).isEmpty)
  }

  // CA-14
  @Test func `is fetched piece by piece, delivered whole, and only then passed on`() {
    let payload = Self.payload(10_000)
    let source = Source(payload)
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    var told = lone.hear(source.manifest, from: peer(1))
    var deliveries: [Payload] = []
    var rounds = 0
    while deliveries.isEmpty, rounds < 20 {
      #expect(told.receivers(of: source.manifest.authorID) == [])
      #expect(told.wanted.count <= 8, "a few at a time")
      told = lone.hear(messages: source.pieces(told.wanted), from: peer(1))
      deliveries += told.effects.compactMap {
        if case .deliver(let message, _) = $0 { message.payload } else { nil }
      }
      rounds += 1
    }
    #expect(deliveries.count == 1 && deliveries.first == payload, "\(deliveries.map(\.count)) bytes")
    #expect(told.receivers(of: source.manifest.authorID) == [peer(2), peer(3)])
    #expect(lone.sizes.awaiting == 0 && lone.sizes.needs == 0 && lone.sizes.wants == 0)
    #expect(lone.sizes.objectBytes == 10_000, "held for others")
  }

  // IT-64
  @Test func `that several advertise is fetched from all of them, each piece once`() {
    let source = Source(Self.payload(20_000))
    var policy = TopicPolicy.advert()
    policy.objects = Self.policy.objects
    let lone = Lone.amongAdvertisers(3, policy: policy)
    for number in 1...2 { lone.advertise(Advert(source.manifest), by: number) }
    var told = lone.give(source.manifest, by: 1)
    var (asked, delivered) = ([(ids: [MessageID], of: PeerID)](), [MessageID]())
    for _ in 0..<30 where !told.requests.isEmpty {
      let requests = told.requests
      asked += requests
      told = Told()
      for request in requests {
        told += lone.hear(messages: source.pieces(request.ids), on: .advert, from: request.of)
      }
      delivered += told.delivered
    }
    #expect(delivered == [source.manifest.authorID])
    #expect(asked.first?.ids.count == 8 && asked.contains { $0.of == peer(2) })
    #expect(asked.filter { $0.of == peer(2) }.first?.ids.count == 1, "it has shown nothing yet")
    #expect(asked.filter { $0.of == peer(2) }.flatMap(\.ids).count >= 4, "and more later")
    #expect(Set(asked.flatMap(\.ids)).count == asked.flatMap(\.ids).count)
    #expect(lone.advertise(Advert(source.manifest), by: 3).said == [])
  }

  @Test func `is not kept up for long by who only says that it has it`() {
    let source = Source(Self.payload(20_000))
    var policy = TopicPolicy.advert()
    policy.objects = Self.policy.objects
    let lone = Lone.amongAdvertisers(3, policy: policy)
    for number in 1...3 { lone.advertise(Advert(source.manifest), by: number) }
    var told = lone.give(source.manifest, by: 1)
    var delivered: [MessageID] = []
    for _ in 0..<30 {
      told = lone.hear(
        messages: source.pieces(told.requests.filter { $0.of == peer(1) }.flatMap(\.ids)), on: .advert,
        from: peer(1))
      delivered += told.delivered
      if told.requests.isEmpty { told += lone.advance(.milliseconds(100)) }
    }
    #expect(delivered == [source.manifest.authorID], "\(lone.now)")
    #expect(lone.now - .zero < .seconds(3) && lone.observations(of: peer(1)) == [:])
  }

  @Test func `comes from several holders at the same time`() {
    let source = Source(Self.payload(20_000))
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    let first = lone.hear(source.manifest, from: peer(1))
    let second = lone.hear(source.manifest, from: peer(2))
    #expect(first.said.map(\.to) == [peer(1)] && first.wanted.count == 8)
    #expect(second.said.map(\.to) == [peer(2)] && second.wanted.count == 8)
    #expect(Set(first.wanted).isDisjoint(with: second.wanted))
  }

  @Test func `takes no piece that differs from its hash, and asks the next holder`() {
    let source = Source(Self.payload(5_000))
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    let first = lone.hear(source.manifest, from: peer(1))
    lone.hear(source.manifest, from: peer(2))
    let forged = first.wanted.map { _ in
      WireMessage(topic: t, payload: bytes(1_024), author: nil, sequence: nil, kind: .piece)
    }
    #expect(lone.hear(messages: forged, from: peer(1)).delivered == [])
    let told = lone.advance(.seconds(11))
    #expect(told.said.allSatisfy { $0.to == peer(2) } && Set(told.wanted) == Set(first.wanted))
    #expect(
      lone.hear(messages: source.pieces(told.wanted), from: peer(2)).delivered == [source.manifest.authorID])
  }

  // CA-15
  @Test func `whose pieces nobody gives is given up, and held against who announced it`() {
    let source = Source(Self.payload(5_000))
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    lone.hear(source.manifest, from: peer(1))
    let told = lone.advance(.seconds(61))
    #expect(told.observed.contains(.init(.incomplete, peer(1))))
    #expect(lone.sizes.objectBytes == 0 && lone.sizes.awaiting == 0 && lone.sizes.wants == 0)
  }

  @Test func `larger than the topic takes is refused before anything is fetched`() {
    let source = Source(Self.payload(5_000))
    let small = TopicPolicy(objects: ObjectPolicy(threshold: 1_000, pieceSize: 1_024, sizeMax: 4_999))
    let lone = Lone.onMesh(of: 3, policy: small)
    let told = lone.hear(source.manifest, from: peer(1))
    #expect(told.wanted == [] && told.observed == [.init(.invalidMessage, peer(1))])
    let own = lone.publish(Self.payload(5_000))
    #expect(own.published == [.init(1, .failure(.tooLarge(bytes: 5_000, limit: 4_999)))])
  }

  /// Nodes that know nothing of objects pass the field on as one they do not know: nobody is to blame.
  @Test func `on a topic without objects is an ordinary message`() {
    let source = Source(Self.payload(5_000))
    let lone = Lone.onMesh(of: 3)
    let told = lone.hear(source.manifest, from: peer(1))
    #expect(told.delivered == [source.manifest.authorID] && told.observed == [])
  }

  @Test func `does not share the name of the same bytes sent as an ordinary message`() {
    let policy = TopicPolicy(
      signing: .strictNoSign, identification: .contentHash,
      objects: ObjectPolicy(threshold: 100, sizeMax: 1_000))
    let lone = Lone.onMesh(of: 3, policy: policy)
    let forged = WireMessage(topic: t, payload: "true", author: nil, sequence: nil, kind: .manifest)
    #expect(lone.hear(forged, from: peer(1)).delivered == [])
    let told = lone.hear(.anonymous("true"), from: peer(2))
    #expect(told.delivered.count == 1 && told.observed == [], "the manifest that is none shadows nothing")
  }

  @Test func `is given in bounded parts, however much is asked for at once`() {
    let policy = TopicPolicy(objects: ObjectPolicy(threshold: 1_000, pieceSize: 512 << 10, sizeMax: 32 << 20))
    let source = Lone(as: peer(9))
    source.meet(peer(1), on: t)
    let payload = Payload((0..<(16 << 20)).map { UInt8(truncatingIfNeeded: $0 >> 19) })
    let manifest = source.publish(payload, policy: policy).frames.flatMap(\.frame.messages)[0]
    let lone = Lone.onMesh(of: 40, policy: policy) { $0.gossipSub.degreeHigh = 50 }
    var asked: [MessageID] = []
    for number in 1...16 { asked += lone.hear(manifest, from: peer(number)).wanted }
    #expect(asked.count == 32, "two pieces of each holder: a megabyte")
    let words = (0..<100).map { _ in Control.want(asked) }
    let given = source.hear(words: words, from: peer(1)).frames.flatMap(\.frame.messages)
    #expect(given.count == 4, "two megabytes a turn")
  }

  @Test func `of one peer takes a quarter of the room, and of all peers half of it, until it is complete`() {
    let sources = (0..<6).map { number in
      Source(
        Payload((0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* (number + 2) ^ $0 >> 8) }), by: 90 + number
      )
    }
    let lone = Lone.onMesh(of: 6, policy: Self.policy) { $0.limits.objectsSizeMax = 62_000 }
    #expect(!lone.hear(sources[0].manifest, from: peer(1)).wanted.isEmpty)
    #expect(lone.hear(sources[1].manifest, from: peer(1)).rejected == [.throttled])
    #expect(!lone.hear(sources[2].manifest, from: peer(2)).wanted.isEmpty)
    #expect(!lone.hear(sources[3].manifest, from: peer(3)).wanted.isEmpty)
    #expect(lone.hear(sources[4].manifest, from: peer(4)).rejected == [.throttled])
    lone.advance(.seconds(61))
    #expect(!lone.hear(sources[4].manifest, from: peer(4)).wanted.isEmpty, "it may come again")
  }

  @Test func `whose only holder was away for a moment is fetched all the same`() {
    let source = Source(Self.payload(5_000))
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    lone.hear(source.manifest, from: peer(1))
    lone.disconnect(peer(1))
    lone.advance(.seconds(3))
    lone.meet(peer(1), on: t)
    let told = lone.advance(.seconds(6))
    #expect(told.observed == [])
    #expect(lone.hear(messages: source.pieces(told.wanted), from: peer(1)).delivered.count == 1)
  }

  @Test func `has no room beyond the bound for all objects`() {
    let source = Source(Self.payload(9_000))
    let lone = Lone.onMesh(of: 3, policy: Self.policy) { $0.limits.objectsSizeMax = 8_999 }
    let told = lone.hear(source.manifest, from: peer(1))
    #expect(told.wanted == [] && told.rejected == [.throttled] && told.observed == [])
    #expect(lone.sizes.objectBytes == 0)
  }

  @Test func `that is complete gives way to a new one when room is short, and is forgotten in time`() {
    let lone = Lone.onMesh(of: 3, policy: Self.policy) { $0.limits.objectsSizeMax = 10_000 }
    lone.publish(Self.payload(6_000))
    lone.publish(Self.payload(5_000))
    #expect(lone.sizes.objectBytes == 5_000 && lone.counters.evicted == 1)
    lone.advance(.seconds(125))
    #expect(lone.sizes.objectBytes == 0)
  }

  @Test func `of equal pieces fetches one of them`() {
    let source = Source(bytes(8 * 1_024))
    let lone = Lone.onMesh(of: 3, policy: Self.policy)
    let wanted = lone.hear(source.manifest, from: peer(1)).wanted
    #expect(wanted.count == 1)
    #expect(lone.hear(messages: source.pieces(wanted), from: peer(1)).delivered == [source.manifest.authorID])
  }

  @Test func `below the threshold is an ordinary message`() {
    let lone = Lone.onMesh(of: 1, policy: Self.policy)
    let told = lone.publish(Self.payload(4_000))
    #expect(told.frames.flatMap(\.frame.messages).map(\.kind) == [.plain])
  }

  @Test func `is judged whole`() {
    var policy = Self.policy
    policy.isJudged = true
    let payload = Self.payload(5_000)
    let source = Source(payload)
    let lone = Lone.onMesh(of: 3, policy: policy)
    lone.verdict = nil
    let wanted = lone.hear(source.manifest, from: peer(1)).wanted
    let told = lone.hear(messages: source.pieces(wanted), from: peer(1))
    let isWhole = told.toJudge.map(\.message.payload) == [payload]
    #expect(isWhole)
  }
}
