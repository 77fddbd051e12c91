/// Frames: what is written is read, limits hold on both sides of their edge, and no bytes do harm.

import Testing

@testable import GossipCore

@Suite struct `A frame` {
  /// The body of a control message that fills a frame.
  func control(_ content: [UInt8]) -> [UInt8] { field(3, content) }

  func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    Protobuf.append(field: number, bytes: content, to: &out)
    return out
  }

  // GS-1
  @Test(arguments: 0..<40 as Range<UInt64>) func `is read as it was written`(seed: UInt64) throws {
    var dice = Dice(seed)
    for _ in 0..<50 {
      let manner = dice.pick(Manner.allCases)
      let frame = dice.frame(manner)
      let bytes = frame.encoded
      try #require(bytes.count == frame.encodedSize)
      let back = try decode(bytes, on: manner)
      try #require(Said(back) == Said(frame))
      try #require(back.manner == manner)
      try #require(back.encoded == bytes)
      for (read, written) in zip(back.messages, frame.messages) {
        try #require(read.topic == written.topic && read.payload == written.payload)
        try #require(read.claimedAuthor == written.claimedAuthor && read.sequence == written.sequence)
        try #require(read.hasAuthor == written.hasAuthor && read.hasSequence == written.hasSequence)
        try #require(read.signature == nil ? written.signature == nil : read.signature! == written.signature!)
        try #require(read.key == nil ? written.key == nil : read.key! == written.key!)
        try #require(read.signedBytes == written.signedBytes)
      }
    }
  }

  // GS-9
  @Test func `carries ids of any bytes in every word`() throws {
    var ids = (0...255).map { MessageID([UInt8($0)]) }
    ids += [
      [], [0], [0, 0, 0], [0x80, 0], [0xc3, 0x28], [0xff, 0xfe], Array(repeating: 0xff, count: 128),
    ]
    .map { MessageID($0) }
    for word in [.have("t", ids), .want(ids), .dontWant(ids)] as [Control] {
      #expect(try decode(Frame([], [], [word]).encoded).controls == [word])
    }
  }

  // GS-6
  @Test func `may be empty, which says nothing`() throws {
    #expect(try decode([]).isEmpty)
    #expect(Frame().encoded.isEmpty)
    #expect(Frame().delimited == [0])
    let two = try frames(of: [0] + hex("0a0a080801120474657374") + [0])
    #expect(two.map(\.isEmpty) == [true, false, true])
  }

  @Test func `may be said in several parts`() throws {
    let bytes =
      control(field(3, field(1, [0x61]))) + field(1, hex("0801 120161")) + control([])
      + control(field(3, field(1, [0x62])) + field(4, field(1, [0x61])))
    let frame = try decode(bytes)
    #expect(frame.controls == [.graft("a"), .graft("b"), .prune("a", backoff: nil)])
    #expect(frame.subscriptions == [Subscription("a", joins: true)])
  }

  // GS-8
  @Test func `skips what it does not know, at every level`() throws {
    let unknown = field(99, [1, 2]) + hex("9806 05") + hex("99060102030405060708") + hex("9d0601020304")
    let topic = field(1, Array("t".utf8))
    let bytes =
      unknown + field(1, unknown + hex("0801 120174") + unknown) + unknown
      + control(unknown + field(3, unknown + topic) + field(4, topic + unknown + hex("1805")) + unknown)
      + control(field(1, unknown + topic + field(2, [9])) + field(2, field(1, [8]) + unknown))
    let frame = try decode(bytes)
    #expect(frame.subscriptions == [Subscription("t", joins: true)])
    #expect(
      frame.controls == [
        .graft("t"), .prune("t", backoff: 5), .have("t", [MessageID([9])]), .want([MessageID([8])]),
      ])
  }

  @Test func `drops words that lack their topic`() throws {
    let bytes =
      field(1, hex("0801")) + control(field(1, field(2, [1])) + field(3, []) + field(4, hex("1805")))
    #expect(try decode(bytes).isEmpty)
    #expect(try decode(control(field(0x20_0d01, hex("0801")))).isEmpty, "a question about no topic")
  }

  @Test func `takes a subscription without its flag as leaving`() throws {
    #expect(try decode(field(1, hex("120174"))).subscriptions == [Subscription("t", joins: false)])
    #expect(try decode(field(1, hex("0802 120174"))).subscriptions == [Subscription("t", joins: true)])
  }

  // GS-68
  @Test func `tells a missing backoff from one of zero`() throws {
    for backoff in [nil, 0, 1, .max] as [UInt64?] {
      let word = Control.prune("t", backoff: backoff)
      #expect(try decode(Frame([], [], [word]).encoded).controls == [word])
    }
  }

  @Test func `shortens a handler's words to what the wire carries`() throws {
    let long = AskFailure.failed(String(repeating: "é", count: 200))
    let back = try decode(Frame([], [], [.reply(1, .failure(long))]).encoded)
    #expect(back.controls == [.reply(1, .failure(.failed(String(repeating: "é", count: 128))))])
  }

  @Test func `tells of a missing link as of a lost one`() throws {
    let back = try decode(Frame([], [], [.reply(1, .failure(.notConnected))]).encoded)
    #expect(back.controls == [.reply(1, .failure(.disconnected))])
  }

  @Test func `reads failures it has no name for as failures`() throws {
    let bytes = control(field(0x20_0d02, hex("0801 28ff01 3202") + Array("no".utf8)))
    #expect(try decode(bytes).controls == [.reply(1, .failure(.failed("no")))])
  }
}

@Suite struct `A frame's limits` {
  /// Expects that `limits` lets `frame` pass, and refuses it as `error` when made narrower by one.
  func edge(
    _ frame: Frame, _ limit: WritableKeyPath<WireLimits, Int>, _ value: Int, _ what: String,
    _ size: Int? = nil
  ) throws {
    var limits = WireLimits()
    limits[keyPath: limit] = value
    #expect(Said(try decode(frame.encoded, limits)) == Said(frame))
    limits[keyPath: limit] = value - 1
    #expect(throws: WireError.tooLong(what, size: size ?? value, limit: value - 1)) {
      try decode(frame.encoded, limits)
    }
  }

  // GS-7
  @Test func `on its size`() throws {
    let frame = Frame([], [WireMessage(size: 1_000)])
    try edge(frame, \.frameSizeMax, frame.encodedSize, "frame")
    let largest = Frame([], [WireMessage(size: (1 << 20) - 4)])
    try edge(largest, \.frameSizeMax, 1 << 20, "frame")
  }

  @Test func `on messages`() throws {
    try edge(
      Frame([], [1, 2, 3].map { WireMessage(size: 20, filler: $0) }), \.messagesPerFrame, 3, "messages")
  }

  @Test func `on subscriptions`() throws {
    let some = ["a", "b", "a"].map { Subscription($0, joins: true) }
    try edge(Frame(some), \.subscriptionsPerFrame, 3, "subscriptions")
  }

  @Test func `on control words`() throws {
    try edge(
      Frame([], [], [.graft("a"), .graft("a"), .want([]), .cancel(1)]), \.controlsPerFrame, 4, "controls")
  }

  @Test func `on ids over all its words`() throws {
    let words: [Control] = [.have("a", [id(1), id(2)]), .want([id(3)]), .dontWant([id(4)])]
    try edge(Frame([], [], words), \.idsPerFrame, 4, "message ids")
  }

  @Test func `on the size of an id`() throws {
    let long = [MessageID([UInt8](repeating: 1, count: 128))]
    for word in [.have("a", long), .want(long), .dontWant(long)] as [Control] {
      try edge(Frame([], [], [word]), \.idSizeMax, 128, "message id")
    }
  }

  @Test func `on the size of a topic, wherever it stands`() throws {
    let topic = Topic(String(repeating: "x", count: 512))
    for word in [
      .have(topic, []), .graft(topic), .prune(topic, backoff: 1), .ask(1, topic, "x", patience: 1),
    ] as [Control] {
      try edge(Frame([], [], [word]), \.topicSizeMax, 512, "topic")
    }
    try edge(Frame([Subscription(topic, joins: true)]), \.topicSizeMax, 512, "topic")
    try edge(Frame([], [WireMessage(topic, size: 600)]), \.topicSizeMax, 512, "topic")
  }

  @Test func `on a handler's words`() throws {
    func reply(_ count: Int) -> [UInt8] {
      var content: [UInt8] = hex("0801 2801")
      Protobuf.append(field: 6, bytes: [UInt8](repeating: 0x61, count: count), to: &content)
      var word: [UInt8] = []
      Protobuf.append(field: ControlField.reply, bytes: content, to: &word)
      var out: [UInt8] = []
      Protobuf.append(field: 3, bytes: word, to: &out)
      return out
    }
    let words = String(repeating: "a", count: 256)
    #expect(try decode(reply(256)).controls == [.reply(1, .failure(.failed(words)))])
    #expect(throws: WireError.tooLong("reason", size: 257, limit: 256)) { try decode(reply(257)) }
  }

  // GS-75
  @Test func `let repeats of one word pass`() throws {
    let frame = Frame([], [], [Control](repeating: .graft("t"), count: 10_000))
    #expect(try decode(frame.encoded).controls.count == 10_000)
  }
}

@Suite struct `Bytes that are no frame` {
  /// Reads without minding the outcome; a frame that is read must be written and read again alike.
  func survive(_ bytes: [UInt8], _ read: inout Int) throws {
    let manner = bytes.count % 2 == 0 ? Manner.gossipSub : .direct
    guard let frame = try? decode(bytes, on: manner) else { return }
    read += 1
    for message in frame.messages {
      _ = (message.claimedAuthor, message.payload, message.sequence, message.signedBytes)
    }
    let again = try decode(frame.encoded, on: manner)
    try #require(again.messages.map(\.bytes) == frame.messages.map(\.bytes))
    try #require(again.subscriptions == frame.subscriptions)
    try #require(again.controls.count == frame.controls.count)
  }

  // GS-8
  @Test(arguments: 0..<8 as Range<UInt64>) func `at random never trap`(seed: UInt64) throws {
    var dice = Dice(seed)
    var read = 0
    for _ in 0..<5_000 {
      var bytes = dice.bytes(0...80)
      // Begin like a frame now and then, so that the inner readers are reached.
      if bytes.count > 1, dice.chance(2, in: 3) {
        bytes[0] = dice.pick([0x0a, 0x12, 0x1a])
        bytes[1] = UInt8(dice.chance(1, in: 2) ? bytes.count - 2 : dice.number(0...127))
      }
      try survive(bytes, &read)
    }
    #expect(read > 0)
  }

  // GS-8
  @Test(arguments: 0..<8 as Range<UInt64>) func `but once were never trap`(seed: UInt64) throws {
    var dice = Dice(seed &+ 1_000)
    var read = 0
    for _ in 0..<400 {
      let whole = dice.frame(upTo: 3).encoded
      for _ in 0..<12 where !whole.isEmpty {
        var bytes = whole
        for _ in 0..<dice.number(1...3) where !bytes.isEmpty {
          let place = dice.number(0...bytes.count - 1)
          switch dice.number(0...5) {
          case 0: bytes[place] ^= UInt8(1 << dice.number(0...7))
          case 1: bytes[place] = dice.pick([0, 1, 0x7f, 0x80, 0xff])
          case 2: bytes.removeLast(bytes.count - place)
          case 3: bytes.insert(contentsOf: dice.bytes(1...4), at: place)
          case 4: bytes.remove(at: place)
          default: bytes += whole[..<min(place, whole.count)]
          }
        }
        try survive(bytes, &read)
      }
    }
    #expect(read > 0)
  }

  // GS-8
  @Test func `cut anywhere are refused or read as a shorter frame`() throws {
    var dice = Dice(7)
    for _ in 0..<60 {
      let frame = dice.frame(upTo: 2)
      let whole = frame.encoded
      for count in whole.indices {
        guard let cut = try? decode(Array(whole[..<count])) else { continue }
        try #require(frame.messages.map(\.bytes).starts(with: cut.messages.map(\.bytes)))
        try #require(frame.subscriptions.starts(with: cut.subscriptions))
      }
    }
  }
}
