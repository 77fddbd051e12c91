import GossipCore
import Testing

@testable import GossipLibp2p

/// What a session guarantees of the order and completeness of what it carries, whoever sits in between.
///
/// Every sealed message is bound to its place in its direction of its session, so that counters need not travel: a
/// message opens only after all that were sealed before it, and the farewell only after everything.
@Suite struct `A session's messages` {
  /// Three frames of the dialer, each as the transport carries it, and its farewell.
  struct Recording {
    var pair: Pair
    var messages: [[UInt8]] = []
    let farewell: [UInt8]

    init(_ pair: Pair = Pair()) {
      self.pair = pair
      self.pair.start()
      for number in 1...3 as ClosedRange<UInt8> {
        _ = self.pair.dialer.send([2, number, number], on: 0)
        self.pair.dialer.flush()
        messages.append(self.pair.dialer.takeOutput())
      }
      self.pair.dialer.close(.local("enough"))
      self.pair.dialer.flush()
      farewell = self.pair.dialer.takeOutput()
    }

    /// What the listener makes of these bytes, and of the end of the transport.
    func heard(_ parts: [[UInt8]]) -> (frames: [[UInt8]], end: SessionEnd?) {
      var listener = pair.listener
      for part in parts { listener.receive(part, inPiecesOf: .max, at: pair.now) }
      listener.receiveEnd(at: pair.now)
      let events = listener.takeEvents()
      return (events.frames, events.end)
    }
  }

  private let recording = Recording()
  private var messages: [[UInt8]] { recording.messages }
  private let bad = SessionEnd.noise(.badTag(message: "message"))

  // BT-73
  @Test func `are all there if the farewell is, since it opens after all before it only`() {
    let (frames, end) = recording.heard(messages + [recording.farewell])
    #expect(frames == [[1, 1], [2, 2], [3, 3]] && end == .wentAway(code: 0))
    for lost in 0..<3 {
      var rest = messages
      rest.remove(at: lost)
      let (frames, end) = recording.heard(rest + [recording.farewell])
      #expect(frames.count == lost && end == bad, "without message \(lost)")
    }
  }

  // BT-73
  @Test func `that end without a farewell are cut off, wherever that was`() {
    #expect(recording.heard(messages).end == .remoteClosed)
    #expect(recording.heard(Array(messages.prefix(2))).end == .remoteClosed)
    for count in 1..<messages[2].count {
      let (frames, end) = recording.heard(messages.prefix(2) + [Array(messages[2].prefix(count))])
      #expect(frames.count == 2 && end == .truncated(.running), "after \(count) bytes")
    }
  }

  // BT-71
  @Test func `end with the first one that is missing, swapped or repeated, and nothing after it is taken`() {
    let orders = [
      ([0, 2], 1), ([1, 0, 2], 0), ([0, 0, 1, 2], 1), ([0, 1, 0], 2), ([2], 0), ([0, 1, 2, 2], 3),
    ]
    for (order, taken) in orders {
      let (frames, end) = recording.heard(order.map { messages[$0] })
      #expect(frames.count == taken && end == bad, "\(order)")
    }
  }

  // BT-70
  @Test func `say nothing in another session, from the beginning or in the middle`() {
    var pairing = Pair()
    pairing.dialer = Session(
      .dialer, .example(1), expecting: nil, observed: nil, staticSeed: [UInt8](repeating: 75, count: 32),
      ephemeralSeed: [UInt8](repeating: 76, count: 32), at: .zero)
    let other = Recording(pairing)
    #expect(other.heard(other.messages).frames.count == 3)
    #expect(recording.heard(other.messages).frames == [])
    #expect(recording.heard([messages[0]] + other.messages).end == bad)
    // All that a dialer ever said, said again to the same listener in a session of its own.
    var pair = Pair()
    pair.dialer.start(at: pair.now)
    pair.listener.start(at: pair.now)
    var recorded: [[UInt8]] = []
    for _ in 0..<8 {
      pair.dialer.flush()
      pair.listener.flush()
      let (there, back) = (pair.dialer.takeOutput(), pair.listener.takeOutput())
      recorded.append(there)
      pair.listener.receive(there, inPiecesOf: .max, at: pair.now)
      pair.dialer.receive(back, inPiecesOf: .max, at: pair.now)
    }
    #expect(pair.listener.stage == .running)
    var again = Session(
      .listener, .example(2), expecting: nil, observed: nil, staticSeed: [UInt8](repeating: 77, count: 32),
      ephemeralSeed: [UInt8](repeating: 78, count: 32), at: .zero)
    again.start(at: .zero)
    for part in recorded { again.receive(part, inPiecesOf: .max, at: .zero) }
    let events = again.takeEvents()
    #expect(events.frames == [] && again.stage != .running && again.peer == nil)
  }
}
