/// What waits for one peer: three lanes, their order, what is shed, and how frames are cut.

import Testing

@testable import GossipCore

extension [Frame] {
  private func ids(_ pick: (Control) -> [MessageID]?) -> [MessageID] {
    flatMap { $0.controls.flatMap { pick($0) ?? [] } }
  }
  var offeredIDs: [MessageID] { ids { if case .have(_, let ids) = $0 { ids } else { nil } } }
  var wantedIDs: [MessageID] { ids { if case .want(let ids) = $0 { ids } else { nil } } }
  var declinedIDs: [MessageID] { ids { if case .dontWant(let ids) = $0 { ids } else { nil } } }
}

extension Control {
  var isPrune: Bool { if case .prune = self { true } else { false } }
  var isDontWant: Bool { if case .dontWant = self { true } else { false } }
  /// Whether it is a question or a reply, which may be as large as a message.
  var isLetter: Bool {
    switch self {
    case .ask, .reply: true
    default: false
    }
  }
}

@Suite struct `A send queue` {
  func queue(
    _ manner: Manner = .gossipSub, control: Int = 1 << 30, messages: Int = 1 << 30, offers: Int = 1 << 30
  ) -> SendQueue {
    var bounds = SendQueue.Bounds()
    (bounds.control, bounds.messages, bounds.offers) = (control, messages, offers)
    bounds.letters = messages
    return SendQueue(manner, bounds, WireLimits())
  }

  /// Everything that waits, frame by frame.
  func drain(_ queue: inout SendQueue, _ budget: Int = .max, on manner: Manner = .gossipSub) throws -> [Frame]
  {
    var out: [UInt8] = []
    queue.pop(budget, into: &out)
    return try frames(of: out, on: manner)
  }

  func push(_ queue: inout SendQueue, _ controls: [Control] = [], _ messages: [WireMessage] = []) {
    #expect(queue.push(Frame([], messages, controls)).isEmpty)
  }

  @Test func `lets a frame pass as it came`() throws {
    var queue = queue()
    #expect(queue.isEmpty && queue.queuedBytes == 0)
    let frame = Frame(
      [Subscription("t", joins: true)], [WireMessage(size: 50)],
      [.graft("t"), .prune("u", backoff: 60), .have("t", [id(1)]), .want([id(2)])])
    #expect(queue.push(frame).isEmpty)
    #expect(!queue.isEmpty)
    #expect(try drain(&queue).map(Said.init) == [Said(frame)])
    #expect(queue.isEmpty && queue.queuedBytes == 0)
    #expect(try drain(&queue).isEmpty)
  }

  @Test func `says control first, then messages, then offers`() throws {
    var queue = queue()
    let large = [1, 2].map { WireMessage(size: 60_000, filler: $0) }
    push(&queue, [.have("t", [id(1)]), .want([id(2)])])
    push(&queue, [], large)
    push(&queue, [.graft("t")])
    let said = try drain(&queue)
    #expect(said.count == 3)
    #expect(said[0].controls == [.graft("t")] && said[0].messages.map(\.bytes) == [large[0].bytes])
    #expect(said[1].controls.isEmpty && said[1].messages.map(\.bytes) == [large[1].bytes])
    #expect(said[2].controls == [.have("t", [id(1)]), .want([id(2)])] && said[2].messages.isEmpty)
  }

  // GS-31
  @Test func `keeps the order of subscriptions and grafts`() throws {
    var queue = queue()
    let names = (0..<3_000).map { Topic("topic number \($0)") }
    for name in names {
      #expect(queue.push(Frame([Subscription(name, joins: true)], [], [.graft(name)])).isEmpty)
    }
    var announced: [Topic] = []
    var grafted: [Topic] = []
    let said = try drain(&queue)
    #expect(said.count > 1)
    for frame in said {
      announced += frame.subscriptions.map(\.topic)
      for case .graft(let topic) in frame.controls { grafted.append(topic) }
      #expect(announced.count >= grafted.count)
    }
    #expect(announced == names && grafted == names)
  }

  // GS-51
  @Test func `drops a queued GRAFT or PRUNE that its opposite overtakes`() throws {
    var queue = queue()
    push(&queue, [.graft("a"), .graft("b"), .prune("c", backoff: 1), .graft("d")])
    push(&queue, [.prune("a", backoff: 60)])
    push(&queue, [.graft("c"), .graft("d")])
    let waiting = queue.queuedBytes
    #expect(
      try drain(&queue).flatMap(\.controls) == [
        .graft("b"), .prune("a", backoff: 60), .graft("c"), .graft("d"),
      ])
    let words: [Control] = [.graft("b"), .prune("a", backoff: 60), .graft("c"), .graft("d")]
    #expect(waiting == words.reduce(0) { $0 + $1.fieldSize })
    #expect(queue.queuedBytes == 0)
  }

  // GS-51
  @Test func `keeps a GRAFT that has left, and says its PRUNE`() throws {
    var queue = queue()
    push(&queue, [.graft("a")])
    #expect(try drain(&queue).flatMap(\.controls) == [.graft("a")])
    push(&queue, [.prune("a", backoff: 60)])
    #expect(try drain(&queue).flatMap(\.controls) == [.prune("a", backoff: 60)])
  }

  // GS-98
  @Test func `names at most ten ids of IDONTWANT per frame`() throws {
    var queue = queue()
    let ids = (0..<95).map(id)
    push(&queue, [.dontWant(Array(ids[..<35])), .graft("t"), .dontWant(Array(ids[35...]))])
    let said = try drain(&queue)
    for frame in said { #expect([frame].declinedIDs.count <= 10) }
    #expect(said.declinedIDs == ids)
    #expect(said.flatMap(\.controls).contains(.graft("t")))
  }

  // GS-95, GS-100
  @Test func `lets IDONTWANT overtake payloads, in a frame of its own`() throws {
    var queue = queue()
    push(&queue, [], (0..<20).map { WireMessage(size: 50_000, filler: $0) })
    _ = try drain(&queue, 1)
    push(&queue, [.dontWant([id(1)])], [WireMessage(size: 100)])
    let said = try drain(&queue)
    #expect(said[0].controls == [.dontWant([id(1)])] && said[0].messages.isEmpty)
    #expect(said.dropFirst().allSatisfy { $0.controls.isEmpty && !$0.messages.isEmpty })
    #expect(said.map(\.messages.count).reduce(0, +) == 20)
  }

  // GS-14
  @Test func `keeps control below what others refuse`() throws {
    var queue = queue()
    let ids = (0..<20_000).map(id)
    push(
      &queue, [.have("t", ids), .want(ids)] + (0..<3_000).map { .prune(Topic("topic \($0)"), backoff: 60) })
    push(&queue, [.dontWant(Array(ids[..<500]))])
    let said = try drain(&queue)
    for frame in said { #expect(frame.encodedSize <= 16_384) }
    #expect(said.offeredIDs == ids && said.wantedIDs == ids && said.declinedIDs == Array(ids[..<500]))
    #expect(said.flatMap(\.controls).count(where: \.isPrune) == 3_000)
  }

  // GS-14
  @Test func `cuts offers by the size of all their ids`() throws {
    var queue = queue()
    let long = (0..<2_000).map { MessageID(id($0).bytes + [UInt8](repeating: 0xee, count: 125)) }
    for ids in [[MessageID([])] + long, long + [MessageID([1])]] {
      push(&queue, [.have("t", ids), .want(ids)])
      let said = try drain(&queue)
      for frame in said { #expect(frame.encodedSize <= 16_384) }
      #expect(said.offeredIDs == ids && said.wantedIDs == ids)
    }
  }

  // GS-14
  @Test(arguments: [(32_766, 2), (32_764, 2), (65_532, 1), (127, 600), (126, 2_000), (16_380, 9), (5, 1_200)])
  func `gathered messages stay within the frame others accept`(size: Int, count: Int) throws {
    for word in [nil, Control.graft(Topic(String(repeating: "x", count: 500)))] {
      var queue = queue()
      let messages = (0..<count).map { WireMessage(size: size, filler: UInt8(truncatingIfNeeded: $0)) }
      push(&queue, word.map { [$0] } ?? [], messages)
      let said = try drain(&queue)
      for frame in said {
        #expect(frame.encodedSize <= 65_536)
        #expect(frame.messages.count <= 500)
      }
      #expect(said.flatMap(\.messages).map(\.bytes) == messages.map(\.bytes))
      #expect(said.flatMap(\.controls) == (word.map { [$0] } ?? []))
    }
  }

  // GS-14
  @Test func `hands over a thousand messages of twenty kilobytes once each`() throws {
    var queue = queue()
    let messages = (0..<1_000).map {
      WireMessage(
        topic: "t",
        payload: Payload([UInt8($0 >> 8), UInt8($0 & 0xff)] + [UInt8](repeating: 3, count: 20_000)),
        author: nil, sequence: nil)
    }
    for message in messages { push(&queue, [], [message]) }
    let said = try drain(&queue)
    for frame in said { #expect(frame.encodedSize <= 65_536) }
    #expect(said.flatMap(\.messages).map(\.bytes) == messages.map(\.bytes))
  }

  // GS-14
  @Test func `sends a single large message alone`() throws {
    var queue = queue()
    let large = WireMessage(size: 900_000)
    push(&queue, [.graft("t"), .have("t", [id(1)])], [WireMessage(size: 10), large, WireMessage(size: 11)])
    let said = try drain(&queue)
    let alone = try #require(said.first { $0.messages.contains { $0.bytes.count == 900_000 } })
    #expect(alone.messages.count == 1 && alone.controls.isEmpty && alone.subscriptions.isEmpty)
    #expect(said.flatMap(\.messages).map(\.bytes.count) == [10, 900_000, 11])
    #expect(said.flatMap(\.controls) == [.graft("t"), .have("t", [id(1)])])
  }

  @Test func `pops whole frames until the budget is passed, and at least one`() throws {
    var queue = queue()
    push(&queue, [], (0..<10).map { WireMessage(size: 60_000, filler: $0) })
    #expect(try drain(&queue, 0).count == 1)
    #expect(try drain(&queue, 100_000).count == 2)
    var out: [UInt8] = [1, 2, 3]
    queue.pop(1, into: &out)
    #expect(out.count > 60_000 && out.starts(with: [1, 2, 3]), "it appends")
    #expect(try drain(&queue).count == 6)
  }

  @Test func `forgets all at once`() throws {
    var queue = queue()
    push(&queue, [.graft("t"), .have("t", [id(1)])], [WireMessage(size: 100)])
    queue.removeAll()
    #expect(queue.isEmpty && queue.queuedBytes == 0)
    #expect(try drain(&queue).isEmpty)
    push(&queue, [.graft("t")])
    #expect(try drain(&queue).flatMap(\.controls) == [.graft("t")])
  }
}

@Suite struct `A full send queue` {
  func queue(_ manner: Manner = .gossipSub, control: Int = 100, messages: Int = 100, offers: Int = 100)
    -> SendQueue
  {
    var bounds = SendQueue.Bounds()
    (bounds.control, bounds.messages, bounds.offers) = (control, messages, offers)
    bounds.letters = messages
    return SendQueue(manner, bounds, WireLimits())
  }

  func drain(_ queue: inout SendQueue) throws -> [Frame] {
    var out: [UInt8] = []
    queue.pop(.max, into: &out)
    return try frames(of: out)
  }

  // GS-145
  @Test func `sheds the newest messages and counts them`() throws {
    var queue = queue()
    let shed = queue.push(Frame([], [40, 41, 42, 15].map { WireMessage(size: $0) }))
    #expect(shed.messages == 1 && shed.offers == 0 && !shed.overflowed && !shed.isEmpty)
    #expect(queue.queuedBytes == 96)
    #expect(try drain(&queue).flatMap(\.messages).map(\.bytes.count) == [40, 41, 15])
  }

  @Test func `takes a message larger than its lane when the lane is empty`() throws {
    var queue = queue()
    #expect(queue.push(Frame([], [WireMessage(size: 500)])).isEmpty)
    #expect(queue.push(Frame([], [WireMessage(size: 10)])).messages == 1)
    #expect(try drain(&queue).flatMap(\.messages).map(\.bytes.count) == [500])
    #expect(queue.push(Frame([], [WireMessage(size: 10)])).isEmpty)
  }

  // GS-92, GS-145
  @Test func `sheds offers without touching anything else`() throws {
    var queue = queue()
    let many = (0..<30).map(id)
    let frame = Frame(
      [Subscription("t", joins: true)], [WireMessage(size: 90)],
      [.have("t", many), .graft("t"), .want([id(1)]), .want(many)])
    let shed = queue.push(frame)
    #expect(shed.offers == 2 && shed.messages == 0 && !shed.overflowed)
    let said = try drain(&queue)
    #expect(said.flatMap(\.controls) == [.graft("t"), .want([id(1)])])
    #expect(said.flatMap(\.subscriptions).count == 1 && said.flatMap(\.messages).count == 1)
  }

  @Test func `sheds questions and replies like messages, but not for them`() throws {
    var queue = queue(.direct)
    let reply = Control.reply(1, .success(Payload([UInt8](repeating: 1, count: 60))))
    #expect(queue.push(Frame([], [], [reply], on: .direct)).isEmpty)
    #expect(queue.push(Frame([], [], [reply, .cancel(2)], on: .direct)).messages == 1)
    let message = WireMessage(size: 60)
    #expect(queue.push(Frame([], [message, message], [], on: .direct)).messages == 1)
    var out: [UInt8] = []
    queue.pop(.max, into: &out)
    #expect(try frames(of: out, on: .direct).flatMap(\.controls) == [.cancel(2), reply])
    #expect(try frames(of: out, on: .direct).flatMap(\.messages).map(\.bytes) == [message.bytes])
  }

  // GS-145
  @Test func `tells when not even control fits`() throws {
    var queue = queue(control: 30)
    var shed = SendQueue.Shed()
    for number in 0..<5 {
      shed = queue.push(Frame([], [], [.graft(Topic("topic \(number)"))]))
      #expect(shed.overflowed == (number > 1) && shed.messages == 0)
    }
    #expect(queue.queuedBytes <= 30)
    #expect(try drain(&queue).flatMap(\.controls) == [.graft("topic 0"), .graft("topic 1")])
    #expect(queue.push(Frame([Subscription("t", joins: true)])).isEmpty)
  }

  @Test func `has room again for the opposite of a word that waits`() {
    var queue = queue(control: 30)
    for _ in 0..<1_000 {
      #expect(queue.push(Frame([], [], [.graft("a topic")])).isEmpty)
      #expect(queue.push(Frame([], [], [.prune("a topic", backoff: 60)])).isEmpty)
    }
  }
}

@Suite struct `What leaves a send queue` {
  /// The queue as plain lists.
  struct Naive {
    enum Word: Equatable {
      case subscription(Subscription)
      case control(Control)
    }
    var words: [Word] = []
    var messages: [[UInt8]] = []
    var letters: [Control] = []
    /// One item each.
    var offers: [Control] = []

    static func offers(of controls: [Control]) -> [Control] {
      controls.flatMap { word -> [Control] in
        switch word {
        case .have(let topic, let ids): ids.map { .have(topic, [$0]) }
        case .want(let ids): ids.map { .want([$0]) }
        case .held(let ids): ids.map { .held([$0]) }
        case .lack(let ids): ids.map { .lack([$0]) }
        case .digest(let nonce, let ids): ids.map { .digest(nonce: nonce, [$0]) }
        case .fetch(let nonce, let ids): ids.map { .fetch(nonce: nonce, [$0]) }
        case .advert(let topic, let adverts): adverts.map { .advert(topic, [$0]) }
        default: []
        }
      }
    }

    mutating func push(_ frame: Frame) {
      words += frame.subscriptions.map { .subscription($0) }
      for control in frame.controls {
        switch control {
        case .graft(let topic), .prune(let topic, _):
          words.removeAll { word in
            switch word {
            case .control(.graft(topic)), .control(.prune(topic, backoff: _)): true
            default: false
            }
          }
          words.append(.control(control))
        case .dontWant(let ids): words += ids.map { .control(.dontWant([$0])) }
        case .retract(let ids): words += ids.map { .control(.retract([$0])) }
        case .ask, .reply: letters.append(control)
        case .cancel, .slot, .hello, .summary, .span, .resend: words.append(.control(control))
        case .have, .want, .held, .lack, .digest, .fetch, .advert: break
        }
      }
      offers += Naive.offers(of: frame.controls)
      messages += frame.messages.map(\.bytes)
    }

    /// Takes out what the frame says; false if that is not what comes next.
    mutating func take(_ frame: Frame) -> Bool {
      var said: [Control] = []
      var written: [Control] = []
      for control in frame.controls {
        switch control {
        case .ask, .reply: written.append(control)
        case .have, .want, .held, .lack, .digest, .fetch, .advert: break
        case .dontWant(let ids): said += ids.map { .dontWant([$0]) }
        case .retract(let ids): said += ids.map { .retract([$0]) }
        default: said.append(control)
        }
      }
      let offered = Naive.offers(of: frame.controls)
      let some = words.prefix(frame.subscriptions.count + said.count)
      guard
        some.compactMap({ if case .subscription(let word) = $0 { word } else { nil } })
          == frame.subscriptions,
        some.compactMap({ if case .control(let word) = $0 { word } else { nil } }) == said,
        letters.starts(with: written), offers.starts(with: offered),
        messages.starts(with: frame.messages.map(\.bytes))
      else { return false }
      words.removeFirst(some.count)
      letters.removeFirst(written.count)
      messages.removeFirst(frame.messages.count)
      offers.removeFirst(offered.count)
      let isFirstThingsFirst =
        (written.isEmpty && frame.messages.isEmpty && offered.isEmpty || words.isEmpty)
        && (offered.isEmpty || messages.isEmpty && letters.isEmpty)
      let declined = frame.controls.contains(where: \.isDontWant)
      let declinedCount = said.count(where: \.isDontWant)
      return isFirstThingsFirst && declinedCount <= 10 && !(declined && !frame.messages.isEmpty)
    }

    var isEmpty: Bool { words.isEmpty && messages.isEmpty && letters.isEmpty && offers.isEmpty }
  }

  /// Whether a frame is as small as others want it, or one single item.
  func fits(_ frame: Frame) -> Bool {
    let items = frame.messages.count + frame.controls.count + frame.subscriptions.count
    let control = Frame(frame.subscriptions, [], frame.controls, on: frame.manner).encodedSize
    let letters = frame.controls.contains(where: \.isLetter)
    guard items > 1 else { return true }
    return frame.encodedSize <= 65_536 && frame.messages.count <= 500 && (letters || control <= 16_384)
  }

  // GS-14
  @Test(arguments: 0..<12 as Range<UInt64>) func `is what went in, in order, once each`(seed: UInt64) throws {
    var dice = Dice(seed)
    let manner: Manner = seed % 3 == 0 ? .direct : .gossipSub
    var bounds = SendQueue.Bounds()
    (bounds.control, bounds.messages, bounds.offers) = (1 << 30, 1 << 30, 1 << 30)
    bounds.letters = 1 << 30
    // Nothing goes before its turn; shares are another test's.
    (bounds.messagesAfter, bounds.offersAfter, bounds.piecesAfter) = (.max, .max, .max)
    var queue = SendQueue(manner, bounds, WireLimits())
    var naive = Naive()
    for step in 0..<200 {
      var frame = dice.frame(manner, upTo: dice.pick([1, 2, 6, 40]))
      if dice.chance(1, in: 8) {
        frame.messages += (0..<dice.number(1...4)).map { _ in
          WireMessage(size: 10 + dice.pick([20, 20_000, 32_754, 65_000, 200_000]))
        }
      }
      if dice.chance(1, in: 10) { frame.controls.append(.have("t", dice.ids(400...1_000))) }
      let shed = queue.push(frame)
      try #require(shed.isEmpty)
      naive.push(frame)
      guard dice.chance(1, in: 3) else { continue }
      var out: [UInt8] = []
      queue.pop(dice.pick([0, 1_000, 50_000, .max]), into: &out)
      for frame in try frames(of: out, on: manner) {
        let isNext = naive.take(frame)
        try #require(isNext, "step \(step)")
        try #require(fits(frame), "step \(step): \(frame.encodedSize) bytes")
      }
      try #require(queue.isEmpty == naive.isEmpty, "step \(step)")
      try #require(!queue.isEmpty || queue.queuedBytes == 0, "step \(step)")
    }
    var out: [UInt8] = []
    queue.pop(.max, into: &out)
    for frame in try frames(of: out, on: manner) {
      let isNext = naive.take(frame)
      try #require(isNext)
      try #require(fits(frame))
    }
    #expect(queue.isEmpty && queue.queuedBytes == 0 && naive.isEmpty)
  }

  // GS-145
  @Test(arguments: 0..<8 as Range<UInt64>) func `was never more than the bounds`(seed: UInt64) throws {
    var dice = Dice(seed)
    var bounds = SendQueue.Bounds()
    (bounds.control, bounds.messages, bounds.offers) = (3_000, 20_000, 2_000)
    bounds.letters = 20_000
    var queue = SendQueue(.gossipSub, bounds, WireLimits())
    var shed = SendQueue.Shed()
    var (pushed, popped) = (0, 0)
    for _ in 0..<2_000 {
      let frame = dice.frame(upTo: 12)
      let lost = queue.push(frame)
      shed.messages += lost.messages
      shed.offers += lost.offers
      shed.overflowed = shed.overflowed || lost.overflowed
      let letters = frame.controls.count(where: \.isLetter)
      pushed += frame.messages.count + letters
      try #require(queue.queuedBytes <= 45_000)
      guard dice.chance(1, in: 6) else { continue }
      var out: [UInt8] = []
      queue.pop(dice.pick([0, 5_000]), into: &out)
      for frame in try frames(of: out) {
        popped += frame.messages.count
        popped += frame.controls.count(where: \.isLetter)
      }
    }
    #expect(shed.messages > 0 && shed.offers > 0 && shed.overflowed)
    var out: [UInt8] = []
    queue.pop(.max, into: &out)
    for frame in try frames(of: out) {
      popped += frame.messages.count
      popped += frame.controls.count(where: \.isLetter)
    }
    #expect(popped + shed.messages == pushed)
  }
}
