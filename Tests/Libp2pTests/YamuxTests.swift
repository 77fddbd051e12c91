import GossipCore
import Testing

@testable import GossipLibp2p

/// A muxer alone, with somebody at the other end who writes headers by hand.
private struct Lone {
  var yamux: Yamux
  var now: Instant = .zero
  var pieces = Int.max

  init(isClient: Bool = true, _ limits: YamuxLimits = YamuxLimits()) {
    yamux = Yamux(isClient: isClient, limits)
  }

  /// A stream of ours, where one can be opened.
  mutating func open() -> UInt32 { yamux.open()! }

  /// Gives bytes, returns what they mean; payload as its bytes.
  mutating func give(_ bytes: [UInt8]) throws(YamuxError) -> [String] {
    var meaning: [String] = []
    var start = 0
    while start < bytes.count {
      let piece = Array(bytes[start..<min(bytes.count, pieces == .max ? .max : start + pieces)])
      var offset = 0
      while let signal = try unsafe yamux.read(piece.span.bytes, &offset, at: now) {
        if case .data(let id, let range) = signal {
          for byte in piece[range] { meaning.append("\(id): \(byte)") }
        } else {
          meaning.append("\(signal)")
        }
      }
      start += piece.count
    }
    return meaning
  }

  mutating func give(
    _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags, _ id: UInt32, _ length: UInt32,
    _ payload: [UInt8] = []
  ) throws(YamuxError) -> [String] {
    try give(frame(kind, flags, id, length, payload))
  }

  func frame(
    _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags, _ id: UInt32, _ length: UInt32,
    _ payload: [UInt8] = []
  ) -> [UInt8] {
    var out: [UInt8] = []
    YamuxHeader(kind, flags, stream: id, length: length).append(to: &out)
    return out + payload
  }

  /// The headers it has to say, with the bytes of each stream.
  mutating func said() -> [YamuxHeader] {
    var out: [UInt8] = []
    yamux.drain(into: &out)
    var headers: [YamuxHeader] = []
    var offset = 0
    while offset < out.count {
      let header = try! unsafe YamuxHeader(out.span.bytes, at: offset)
      headers.append(header)
      offset += 12 + (header.kind == .data ? Int(header.length) : 0)
    }
    return headers
  }
}

private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }

@Suite struct `A yamux stream` {
  // LP-38
  @Test func `of ours is opened by a window update, and gone after both ends`() throws {
    var lone = Lone()
    let id = lone.open()
    lone.yamux.send([1, 2, 3], on: id)
    lone.yamux.finish(id)
    #expect(
      lone.said() == [
        YamuxHeader(.windowUpdate, .syn, stream: 1, length: 0),
        YamuxHeader(.data, .fin, stream: 1, length: 3),
      ])
    #expect(try lone.give(.windowUpdate, .ack, id, 0) == [])
    #expect(try lone.give(.data, .fin, id, 1, [9]) == ["1: 9", "ended(1)"])
    #expect(lone.yamux.streamCount == 0)
    #expect(lone.yamux.queuedBytes == 0)
  }

  // LP-39
  @Test func `of the peer is acknowledged when it opens, with or without data`() throws {
    var lone = Lone()
    #expect(try lone.give(.windowUpdate, .syn, 2, 0) == ["opened(2)"])
    #expect(try lone.give(.data, .syn, 4, 2, [8, 9]) == ["opened(4)", "4: 8", "4: 9"])
    #expect(lone.said() == [2, 4].map { YamuxHeader(.windowUpdate, .ack, stream: $0, length: 0) })
  }

  // LP-39
  @Test func `takes data before it is acknowledged`() throws {
    var lone = Lone()
    let id = lone.open()
    #expect(try lone.give(.data, [], id, 1, [5]) == ["1: 5"])
    #expect(try lone.give(.data, .ack, id, 1, [6]) == ["1: 6"])
  }

  // LP-38
  @Test func `half closed by us still receives, half closed by the peer still sends`() throws {
    var lone = Lone()
    let id = lone.open()
    lone.yamux.finish(id)
    #expect(lone.said().last == YamuxHeader(.windowUpdate, .fin, stream: 1, length: 0))
    #expect(try lone.give(.data, [], id, 1, [5]) == ["1: 5"])
    lone.yamux.send([1], on: id)
    #expect(lone.said().isEmpty)
    _ = try lone.give(.windowUpdate, .syn, 2, 0)
    #expect(try lone.give(.windowUpdate, .fin, 2, 0) == ["ended(2)"])
    lone.yamux.send([1], on: 2)
    #expect(lone.said().last == YamuxHeader(.data, [], stream: 2, length: 1))
  }

  // LP-41
  @Test func `sends exactly the window, then waits for credit`() throws {
    var lone = Lone()
    let id = lone.open()
    lone.yamux.send(bytes(300_000), on: id)
    func sum(_ headers: [YamuxHeader]) -> Int {
      headers.filter { $0.kind == .data }.reduce(0) { $0 + Int($1.length) }
    }
    #expect(sum(lone.said()) == 262_144)
    #expect(lone.yamux.room(on: id) == -37_856)
    #expect(sum(lone.said()) == 0)
    _ = try lone.give(.windowUpdate, .ack, id, 1_000)
    #expect(sum(lone.said()) == 1_000)
    _ = try lone.give(.windowUpdate, [], id, 1 << 24)
    #expect(sum(lone.said()) == 36_856)
    #expect(lone.yamux.room(on: id) == 1 << 24 - 36_856 && lone.yamux.queuedBytes == 0)
  }

  // LP-41
  @Test func `is granted credit when half of its window is used`() throws {
    var lone = Lone()
    _ = try lone.give(.windowUpdate, .syn, 2, 0)
    _ = lone.said()
    _ = try lone.give(.data, [], 2, 131_071, bytes(131_071))
    #expect(lone.said().isEmpty)
    _ = try lone.give(.data, [], 2, 1, [1])
    #expect(lone.said() == [YamuxHeader(.windowUpdate, [], stream: 2, length: 131_072)])
    _ = try lone.give(.data, [], 2, 262_144, bytes(262_144))
    #expect(lone.said() == [YamuxHeader(.windowUpdate, [], stream: 2, length: 262_144)])
  }

  // LP-3, LP-42, LP-46
  @Test func `overrunning its window breaks the session on the header`() throws {
    var lone = Lone()
    _ = try lone.give(.windowUpdate, .syn, 2, 0)
    _ = try lone.give(.data, [], 2, 100_000, bytes(100_000))
    #expect(throws: YamuxError.overrun(stream: 2, bytes: 162_145, window: 162_144)) {
      try lone.give(.data, [], 2, 162_145)
    }
    var other = Lone()
    #expect(throws: YamuxError.self) { try other.give(.data, [], 2, .max) }
  }

  // LP-43
  @Test func `granted more than 2^31 bytes breaks the session`() throws {
    var lone = Lone()
    let id = lone.open()
    _ = try lone.give(.windowUpdate, [], id, (1 << 31) - 262_144)
    #expect(throws: YamuxError.creditOverflow(stream: id)) { try lone.give(.windowUpdate, [], id, 1) }
    var other = Lone()
    _ = other.yamux.open()
    #expect(throws: YamuxError.creditOverflow(stream: 1)) { try other.give(.windowUpdate, [], 1, .max) }
  }

  // LP-47, LP-48
  @Test func `that is reset is forgotten, its code is no credit, its late data drained`() throws {
    var lone = Lone()
    let id = lone.open()
    lone.yamux.send(bytes(300_000), on: id)
    _ = lone.said()
    #expect(try lone.give(.windowUpdate, .rst, id, 0x1001) == ["reset(1)"])
    #expect(lone.said().isEmpty && lone.yamux.queuedBytes == 0 && lone.yamux.streamCount == 0)
    #expect(try lone.give(.data, [], id, 3, [1, 2, 3]) == [])
    #expect(try lone.give(.windowUpdate, [], id, 100) == [])
    #expect(try lone.give(.windowUpdate, .rst, id, 0) == [])
  }

  // LP-47
  @Test func `of which we reset drops the rest of a frame under way`() throws {
    var lone = Lone()
    _ = try lone.give(.windowUpdate, .syn, 2, 0)
    #expect(try lone.give(.data, [], 2, 4, [1, 2]) == ["2: 1", "2: 2"])
    lone.yamux.reset(2)
    #expect(try lone.give([3, 4]) == [])
    #expect(try lone.give(.ping, .syn, 0, 77) == [])
    #expect(lone.said().last == YamuxHeader(.ping, .ack, stream: 0, length: 77))
  }

  // LP-49
  @Test func `on which data follows the end is reset`() throws {
    var lone = Lone()
    _ = try lone.give(.windowUpdate, .syn, 2, 0)
    _ = try lone.give(.windowUpdate, .fin, 2, 0)
    #expect(try lone.give(.data, [], 2, 2, [1, 2]) == ["reset(2)"])
    #expect(lone.said().last == YamuxHeader(.windowUpdate, .rst, stream: 2, length: 0))
  }

  // LP-50
  @Test func `opened and ended at once is a stream with an end, opened and reset is none`() throws {
    var lone = Lone()
    #expect(try lone.give(.windowUpdate, [.syn, .fin], 2, 0) == ["opened(2)", "ended(2)"])
    #expect(try lone.give(.windowUpdate, [.syn, .rst], 4, 0) == [])
    #expect(lone.said() == [YamuxHeader(.windowUpdate, .ack, stream: 2, length: 0)])
  }
}

@Suite struct `A yamux session` {
  // LP-40
  @Test func `accepts ids of the peer's parity once each, neighbours in any order`() throws {
    var lone = Lone()
    #expect(try lone.give(.windowUpdate, .syn, 4, 0) == ["opened(4)"])
    #expect(try lone.give(.windowUpdate, .syn, 2, 0) == ["opened(2)"])
    #expect(try lone.give(.windowUpdate, .syn, 1_000, 0) == ["opened(1000)"])
    for id: UInt32 in [0, 1, 3, 2, 4, 1_000, 6] {
      var copy = lone
      #expect(throws: YamuxError.streamID(id)) { try copy.give(.windowUpdate, .syn, id, 0) }
    }
    _ = try lone.give(.windowUpdate, .rst, 1_000, 0)
    #expect(throws: YamuxError.streamID(1_000)) { try lone.give(.windowUpdate, .syn, 1_000, 0) }
    var server = Lone(isClient: false)
    #expect(try server.give(.windowUpdate, .syn, 1, 0) == ["opened(1)"])
    #expect(server.yamux.open() == 2)
    #expect(throws: YamuxError.streamID(4)) { try server.give(.windowUpdate, .syn, 4, 0) }
  }

  // LP-54
  @Test func `opens no more than 256 unacknowledged streams`() throws {
    var lone = Lone()
    let ids = (0..<256).compactMap { _ in lone.yamux.open() }
    #expect(ids.count == 256 && ids == (0..<256).map { UInt32(2 * $0 + 1) })
    #expect(lone.yamux.open() == nil)
    _ = try lone.give(.windowUpdate, .ack, ids[7], 0)
    _ = try lone.give(.windowUpdate, .rst, ids[8], 0)
    #expect(lone.yamux.open() != nil && lone.yamux.open() != nil && lone.yamux.open() == nil)
  }

  // LP-54
  @Test func `resets what is opened beyond 256, and survives ten thousand`() throws {
    var lone = Lone()
    var opened = 0
    for number: UInt32 in 1...10_000 {
      opened += try lone.give(.windowUpdate, .syn, 2 * number, 0).count
    }
    #expect(opened == 256 && lone.yamux.streamCount == 256)
    #expect(lone.said().filter { $0.flags == .rst }.count == 10_000 - 256)
    _ = try lone.give(.windowUpdate, .rst, 2, 0)
    #expect(try lone.give(.windowUpdate, .syn, 30_000, 0) == ["opened(30000)"])
  }

  // LP-45, LP-55
  @Test func `lets no stalled stream hold up another, and takes turns`() throws {
    var lone = Lone()
    let (stalled, other) = (lone.open(), lone.open())
    lone.yamux.send(bytes(300_000), on: stalled)
    _ = lone.said()
    for _ in 0..<50 { lone.yamux.send([1], on: other) }
    #expect(lone.said() == [YamuxHeader(.data, [], stream: other, length: 50)])
    let third = lone.open()
    lone.yamux.send(bytes(50_000), on: other)
    lone.yamux.send(bytes(50_000), on: third)
    let order = lone.said().filter { $0.kind == .data }.map(\.stream)
    #expect(order == [other, third, other, third, other, third, other, third])
  }

  // LP-47
  @Test func `drains frames for streams nobody knows, but not endlessly`() throws {
    var limits = YamuxLimits()
    limits.strayFramesMax = 5
    var lone = Lone(limits)
    #expect(try lone.give(.data, [], 8, 3, [1, 2, 3]) == [])
    #expect(try lone.give(.data, [], 0, 1, [1]) == [])
    #expect(try lone.give(.windowUpdate, [], 0, 99) == [])
    #expect(try lone.give(.windowUpdate, .rst, 8, 0) == [])
    #expect(try lone.give(.windowUpdate, .fin, 8, 0) == [])
    #expect(lone.said().isEmpty)
    #expect(throws: YamuxError.strayFlood(frames: 6)) { try lone.give(.windowUpdate, [], 0, 99) }
  }

  // LP-53
  @Test func `breaks on another version or type, and ignores unknown flags`() throws {
    var lone = Lone()
    #expect(try lone.give(.windowUpdate, YamuxHeader.Flags(rawValue: 0xfff1), 2, 0) == ["opened(2)"])
    #expect(try lone.give(.windowUpdate, [.syn, .ack], 4, 0) == ["opened(4)"])
    var copy = lone
    #expect(throws: YamuxError.version(1)) { try copy.give([1] + bytes(11)) }
    #expect(throws: YamuxError.type(4)) { try lone.give([0, 4] + bytes(10)) }
  }

  // LP-51
  @Test func `answers pings ahead of data, and ends a flood`() throws {
    var lone = Lone()
    let id = lone.open()
    _ = lone.said()
    lone.yamux.send(bytes(1_000), on: id)
    _ = try lone.give(.ping, .syn, 0, 0xdead)
    #expect(lone.said().first == YamuxHeader(.ping, .ack, stream: 0, length: 0xdead))
    for _ in 0..<99 { _ = try lone.give(.ping, .syn, 0, 1) }
    #expect(lone.said().count == 9)
    #expect(throws: YamuxError.pingFlood(perSecond: 101)) { try lone.give(.ping, .syn, 0, 1) }
    lone.now = .seconds(2)
    _ = try lone.give(.ping, .syn, 0, 1)
    #expect(lone.said().count == 1)
  }

  // LP-51
  @Test func `measures the round trip every 30 seconds, and ends 10 seconds after an unanswered ping`() throws
  {
    var lone = Lone()
    lone.yamux.start(at: lone.now)
    #expect(lone.said() == [YamuxHeader(.ping, .syn, stream: 0, length: 0)])
    lone.now = .seconds(0.25)
    #expect(try lone.give(.ping, .ack, 0, 99) == [])
    #expect(try lone.give(.ping, .ack, 0, 0) == ["roundTrip(0.25 seconds)"])
    #expect(try lone.give(.ping, .ack, 0, 0) == [])
    #expect(lone.yamux.deadline == .seconds(30))
    try lone.yamux.wake(at: .seconds(30))
    #expect(lone.said() == [YamuxHeader(.ping, .syn, stream: 0, length: 1)])
    #expect(lone.yamux.deadline == .seconds(40))
    lone.yamux.pause()
    try lone.yamux.wake(at: .seconds(50))
    lone.yamux.resume(at: .seconds(51))
    #expect(throws: YamuxError.pingUnanswered(.seconds(10))) { try lone.yamux.wake(at: .seconds(61)) }
  }

  // LP-52
  @Test(arguments: [0, 1, 2, 0x1005, 77] as [UInt32])
  func `tells the code of a go away, and opens nothing after it`(code: UInt32) throws {
    var lone = Lone()
    #expect(try lone.give(.goAway, [], 0, code) == ["wentAway(\(code))"])
    #expect(lone.yamux.open() == nil)
  }

  // LP-56
  @Test func `reads the same from any split of the bytes`() throws {
    let lone = Lone()
    let wire =
      lone.frame(.ping, .syn, 0, 5) + lone.frame(.data, .syn, 2, 3, [1, 2, 3]) + lone.frame(.data, [], 2, 0)
      + lone.frame(.windowUpdate, .syn, 4, 9) + lone.frame(.data, .fin, 2, 2, [4, 5])
      + lone.frame(.data, [], 6, 2, [9, 9]) + lone.frame(.windowUpdate, .rst, 4, 9)
      + lone.frame(.goAway, [], 0, 0)
    var whole = Lone()
    let expected = try whole.give(wire)
    let said = whole.said()
    #expect(expected.count == 10)
    for pieces in 1..<wire.count {
      var split = Lone()
      split.pieces = pieces
      #expect(try split.give(wire) == expected)
      #expect(split.said() == said)
    }
  }
}
