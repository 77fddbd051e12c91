/// What each kind of thing gets of a peer's line while others flood it.

import Testing

@testable import GossipCore

@Suite struct `A share of a send queue` {
  enum Kind: CaseIterable { case control, letters, messages, offers, pieces }

  func frame(_ kind: Kind, _ number: Int) -> Frame {
    switch kind {
    case .control:
      Frame([], [], [.cancel(UInt64(number)), .span("t", first: UInt64(number), end: 1)], on: .direct)
    case .letters:
      Frame(
        [], [], [.ask(UInt64(number), "t", Payload([UInt8](repeating: 1, count: 900)), patience: 1)],
        on: .direct)
    case .messages: Frame([], [WireMessage(size: 1_000)], on: .direct)
    case .offers: Frame([], [], [.have("t", (0..<30).map { id(number * 30 + $0) })], on: .direct)
    case .pieces:
      Frame(
        [],
        [
          WireMessage(
            topic: "t", payload: Payload([UInt8](repeating: 2, count: 60_000)), author: nil,
            sequence: nil, kind: .piece)
        ], on: .direct)
    }
  }

  func kind(of frame: Frame) -> Kind? {
    if let message = frame.messages.first { return message.kind == .piece ? .pieces : .messages }
    return switch frame.controls.first {
    case .ask: .letters
    case .have: .offers
    case nil: nil
    default: .control
    }
  }

  /// Bytes that leave of each kind, by the kind a frame begins with, while all `floods` are kept full.
  func bytes(_ floods: Set<Kind>, frames count: Int) throws -> [Kind: Int] {
    var queue = SendQueue(.direct, SendQueue.Bounds(), WireLimits())
    var written: [Kind: Int] = [:]
    var number = 0
    for _ in 0..<count {
      for kind in Kind.allCases where floods.contains(kind) {
        for _ in 0..<(kind == .control ? 2_000 : kind == .offers ? 100 : 70) {
          number += 1
          if !queue.push(frame(kind, number)).isEmpty { break }
        }
      }
      var out: [UInt8] = []
      queue.pop(0, into: &out)
      for frame in try frames(of: out, on: .direct) {
        if let kind = kind(of: frame) { written[kind, default: 0] += frame.encodedSize }
      }
    }
    return written
  }

  // GS-145
  @Test func `of messages is half of what is written while control never ends`() throws {
    let written = try bytes([.control, .messages], frames: 300)
    let (control, messages) = (written[.control] ?? 0, written[.messages] ?? 0)
    #expect(messages * 10 > (control + messages) * 4, "\(messages) of \(control + messages)")
    #expect(control * 10 > (control + messages) * 4, "\(control) of \(control + messages)")
  }

  // GS-145
  @Test func `is there for every kind while all others flood`() throws {
    let written = try bytes(Set(Kind.allCases), frames: 1_500)
    let all = written.values.reduce(0, +)
    for (kind, percent) in [
      (Kind.control, 20), (.letters, 20), (.messages, 20), (.offers, 3), (.pieces, 3),
    ] { #expect((written[kind] ?? 0) * 100 > all * percent, "\(kind): \(written[kind] ?? 0) of \(all)") }
  }

  // GS-145
  @Test func `of offers and of pieces is a seventeenth while messages never end`() throws {
    for kind in [Kind.offers, .pieces] {
      let written = try bytes([.messages, kind], frames: 1_000)
      let all = written.values.reduce(0, +)
      #expect((3...9).contains((written[kind] ?? 0) * 100 / all), "\(kind): \(written[kind] ?? 0) of \(all)")
    }
  }

  @Test func `changes nothing for a short while`() throws {
    var queue = SendQueue(.direct, SendQueue.Bounds(), WireLimits())
    for kind in Kind.allCases.reversed() {
      let shed = queue.push(frame(kind, 1))
      #expect(shed.isEmpty)
    }
    for number in 0..<40 { _ = queue.push(frame(.messages, number)) }
    var out: [UInt8] = []
    queue.pop(.max, into: &out)
    let kinds = try frames(of: out, on: .direct).map { kind(of: $0) }
    #expect(kinds.last == .pieces && queue.isEmpty && queue.queuedBytes == 0)
  }
}
