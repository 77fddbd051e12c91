/// Helpers of these tests: hex, peers, messages of exact sizes, and generators that a seed repeats.

import Testing

@testable import GossipCore

/// The bytes of a hex text; white space is skipped.
func hex(_ text: String) -> [UInt8] {
  let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue!) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// A peer with a number, for tests that need no keys.
func peer(_ number: Int) -> PeerID {
  PeerID(
    [0x00, 0x04, UInt8(number >> 24 & 0xff), UInt8(number >> 16 & 0xff), UInt8(number >> 8 & 0xff)]
      + [UInt8(number & 0xff)])!
}

/// An id with a number.
func id(_ number: Int) -> MessageID {
  MessageID([UInt8(number >> 16 & 0xff), UInt8(number >> 8 & 0xff), UInt8(number & 0xff)])
}

extension Instant {
  static func seconds(_ seconds: Double) -> Instant { .zero + .seconds(seconds) }
}

extension WireMessage {
  /// An anonymous message on `topic` whose encoding has exactly `size` bytes.
  init(_ topic: Topic = "t", size: Int, filler: UInt8 = 7) {
    let name = Protobuf.size(field: 4, count: topic.name.utf8.count)
    var count = size - name - 2
    while Protobuf.size(field: 2, count: count) + name > size { count -= 1 }
    self.init(
      topic: topic, payload: Payload([UInt8](repeating: filler, count: count)), author: nil, sequence: nil)
    precondition(bytes.count == size, "no message of \(size) bytes exists")
  }
}

/// A message with a name of its own, as the store and the validation see it.
func message(_ number: Int, on topic: Topic = "t", size: Int = 20) -> Message {
  Message(id: id(number), wire: WireMessage(topic, size: size))
}

/// Reads one RPC body.
func decode(
  _ bytes: [UInt8], _ limits: WireLimits = WireLimits(), on manner: Manner = .gossipSub
) throws(WireError) -> Frame {
  try Frame(decoding: bytes.span.bytes, on: manner, limits)
}

/// Reads the frames of a stream, each with its length in front; every byte must belong to one.
func frames(of stream: [UInt8], on manner: Manner = .gossipSub) throws -> [Frame] {
  var frames: [Frame] = []
  var offset = 0
  while offset < stream.count {
    guard case .complete(let size, let prefix) = try Varint.read(stream.span.bytes, at: offset) else {
      throw WireError.truncated("length")
    }
    let start = offset + prefix
    frames.append(try decode(Array(stream[start..<start + Int(size)]), on: manner))
    offset = start + Int(size)
  }
  return frames
}

/// What a frame says, to compare.
struct Said: Equatable {
  var subscriptions: [Subscription]
  var messages: [[UInt8]]
  var controls: [Control]

  init(_ frame: Frame) {
    subscriptions = frame.subscriptions
    messages = frame.messages.map(\.bytes)
    controls = frame.controls
  }
}

extension Frame {
  init(
    _ subscriptions: [Subscription] = [], _ messages: [WireMessage] = [], _ controls: [Control] = [],
    on manner: Manner = .gossipSub
  ) {
    self.init(manner)
    self.subscriptions = subscriptions
    self.messages = messages
    self.controls = controls
  }
}

/// Splitmix64: small, quick dice of the tests' own.
struct Dice: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
  mutating func chance(_ one: Int, in many: Int) -> Bool { number(1...many) <= one }
  mutating func bytes(_ range: ClosedRange<Int>) -> [UInt8] {
    (0..<number(range)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
  mutating func pick<T>(_ choices: [T]) -> T { choices[number(0...choices.count - 1)] }

  /// A number of any magnitude.
  mutating func word() -> UInt64 { next() >> UInt64(number(0...63)) }

  mutating func topic() -> Topic {
    pick([
      "", "t", "blocks", "e\u{301}", "\u{e9}", "a\u{0}b", "🜁/ssz", Topic(String(repeating: "x", count: 300)),
    ])
  }

  mutating func ids(_ range: ClosedRange<Int> = 0...12) -> [MessageID] {
    (0..<number(range)).map { _ in MessageID(bytes(0...40)) }
  }

  mutating func adverts(_ range: ClosedRange<Int> = 0...6) -> [Advert] {
    (0..<number(range)).map { _ in
      Advert(id: MessageID(bytes(0...40)), hash: bytes(32...32), size: word(), attribute: bytes(0...20))
    }
  }

  /// A word that means the same before and after its way over the wire.
  mutating func control() -> Control {
    switch number(0...19) {
    case 10: .held(ids())
    case 11: .lack(ids())
    case 12: .advert(topic(), adverts())
    case 13:
      .slot(
        SlotUpdate(
          version: word(), slot: word(), topic: topic(), id: MessageID(bytes(0...40)),
          isPushed: chance(1, in: 2)))
    case 14: .hello(topic(), nonce: word())
    case 15: .digest(nonce: word(), ids())
    case 16: .fetch(nonce: word(), ids())
    case 17: .summary(topic(), lowest: word(), next: word())
    case 18: .span(topic(), first: word(), end: word())
    case 19: .resend(topic(), filter: bytes(0...100))
    case 0: .have(topic(), ids())
    case 1: .want(ids())
    case 2: .graft(topic())
    case 3: .prune(topic(), backoff: nil)
    case 4: .prune(topic(), backoff: word())
    case 5: .dontWant(ids())
    case 6: .ask(word(), topic(), Payload(bytes(0...200)), patience: word())
    case 7: .reply(word(), .success(Payload(bytes(0...200))))
    case 8:
      .reply(
        word(),
        .failure(
          pick([
            .unknownTopic, .overloaded, .deadlineExceeded, .cancelled, .disconnected, .failed(""),
            .failed("the stove is cold"), .failed(String(repeating: "é", count: 128)),
          ])))
    default: .cancel(word())
    }
  }

  mutating func wire() -> WireMessage {
    let message = WireMessage(
      topic: topic(), payload: Payload(bytes(0...300)), author: chance(1, in: 2) ? peer(number(0...9)) : nil,
      sequence: chance(1, in: 2) ? word() : nil)
    guard chance(1, in: 2) else { return message }
    return message.signed(bytes(0...70), key: chance(1, in: 3) ? bytes(0...40) : nil)
  }

  mutating func frame(_ manner: Manner = .gossipSub, upTo most: Int = 6) -> Frame {
    Frame(
      (0..<number(0...most)).map { _ in Subscription(topic(), joins: chance(1, in: 2)) },
      (0..<number(0...most)).map { _ in wire() }, (0..<number(0...most)).map { _ in control() }, on: manner)
  }
}
