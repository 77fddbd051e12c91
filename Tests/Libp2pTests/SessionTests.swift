import GossipCore
import Testing

@testable import GossipLibp2p

@Suite struct `Two sessions` {
  // LP-57
  @Test func `upgrade, identify each other and open their gossip streams`() {
    var pair = Pair(expecting: someone(2).peer)
    pair.start()
    #expect(pair.dialer.peer == someone(2).peer && pair.listener.peer == someone(1).peer)
    for (events, port) in [(pair.dialed, 4002), (pair.listened, 4001)] {
      #expect(events.first?.text == "established")
      let expected: Set = [
        "established", "roundTrip", "identified 6 [/ip4/127.0.0.1/tcp/\(port)]", "opened 0 /meshsub/1.2.0",
        "opened 1 /gossip/direct/1.0.0", "inboundOpened 0 /meshsub/1.2.0",
        "inboundOpened 1 /gossip/direct/1.0.0",
      ]
      #expect(Set(events.texts) == expected && events.count == expected.count)
      #expect(events.infos.first?.agent == "swift-gossip/0.1.0")
      #expect(events.infos.first?.observed?.description == "/ip4/127.0.0.1/tcp/5000")
    }
    // Identify's streams are done: two of gossip in each direction are left.
    #expect(pair.dialer.yamux.streamCount == 4 && pair.listener.yamux.streamCount == 4)
  }

  // LP-27
  @Test func `tell the same whatever the splits of their bytes`() {
    func life(pieces: Int) -> ([String], [String]) {
      var pair = Pair()
      pair.pieceSize = pieces
      pair.start()
      _ = pair.dialer.send([3, 1, 2, 3, 0, 2, 8, 9], on: 0)
      _ = pair.listener.send([0xac, 0x02] + [UInt8](repeating: 7, count: 300), on: 1)
      pair.settle()
      pair.dialer.close(.local("enough"))
      pair.settle()
      return (pair.dialed.texts, pair.listened.texts)
    }
    let whole = life(pieces: .max)
    #expect(
      whole.1.suffix(1) == ["ended: the peer said go away with code 0"]
        || whole.1.contains("frame 0 [1, 2, 3]"))
    for pieces in [1, 2, 3, 5, 13, 17, 100, 1_000] {
      let split = life(pieces: pieces)
      #expect(split.0 == whole.0 && split.1 == whole.1, "pieces of \(pieces)")
    }
  }

  @Test func `carry frames both ways, of every size, in order`() {
    var pair = Pair()
    pair.start()
    for size in [1, 127, 128, 1_024, 16_384, 65_536, 262_144, 1 << 20] {
      var frame: [UInt8] = []
      Varint.append(UInt64(size), to: &frame)
      frame += (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      #expect(pair.dialer.send(frame, on: 0) == true)
      #expect(pair.listener.send(frame, on: 1) == true)
      pair.settle()
      #expect(pair.listened.frames.last == Array(frame.suffix(size)))
      #expect(pair.dialed.frames.last == Array(frame.suffix(size)))
    }
    #expect(pair.listened.frames.count == 8)
  }

  @Test func `hold back what the peer has no room for`() {
    var pair = Pair()
    pair.start()
    #expect(pair.dialer.writable(on: 0) > 200_000)
    _ = pair.dialer.send([UInt8](repeating: 0, count: 300_000), on: 0)
    #expect(pair.dialer.writable(on: 0) < 0)
    #expect(pair.dialer.writable(on: 1) > 200_000)
    pair.settle()
    #expect(pair.dialer.writable(on: 0) > 100_000)
    #expect(pair.dialer.send([0], on: 0) == true)
  }

  // LP-68
  @Test func `close in order, what is queued first`() {
    var pair = Pair()
    pair.start()
    _ = pair.dialer.send([1, 42], on: 0)
    pair.dialer.close(.local("shutting down"))
    pair.settle()
    #expect(pair.dialed.end == .local("shutting down"))
    #expect(pair.listened.frames == [[42]])
    #expect(pair.listener.stage == .running)
    pair.listener.receiveEnd(at: pair.now)
    #expect(pair.listener.takeEvents().end == .wentAway(code: 0))
    // Deaf and empty afterwards.
    pair.dialer.receive([1, 2, 3], at: pair.now)
    #expect(pair.dialer.nextEvent() == nil && pair.dialer.deadline == nil && pair.dialer.queuedBytes == 0)
    #expect(pair.dialer.send([1, 2], on: 0) == false)
  }

  // LP-21, LP-66
  @Test func `meet the wrong peer, and part before the dialer shows itself`() {
    var pair = Pair(expecting: someone(3).peer)
    pair.start()
    #expect(pair.dialed.end == .noise(.wrongPeer(expected: someone(3).peer, found: someone(2).peer)))
    #expect(pair.listener.stage == .securing)
    #expect(
      "\(pair.dialed.end!)".contains("expected the peer \(someone(3).peer), found \(someone(2).peer)"))
  }

  // LP-75
  @Test func `measure their round trip every thirty seconds, and stay`() {
    var pair = Pair()
    pair.start()
    pair.pass(.seconds(100))
    #expect(pair.dialed.texts.filter { $0 == "roundTrip" }.count == 4)
    #expect(pair.dialed.end == nil && pair.listened.end == nil)
  }

  // LP-59
  @Test func `push new addresses, at most once per second`() throws {
    var pair = Pair()
    pair.start()
    for number in 1...10 {
      pair.dialer.updateAddresses([try Multiaddr("/ip4/10.0.0.\(number)/tcp/1")], record: nil, at: pair.now)
      pair.settle()
    }
    #expect(
      pair.listened.infos.map(\.listenAddresses.first?.description).suffix(1) == ["/ip4/10.0.0.1/tcp/1"])
    pair.pass(.seconds(5))
    #expect(
      pair.listened.infos.map(\.listenAddresses.first?.description).suffix(1) == ["/ip4/10.0.0.10/tcp/1"])
    #expect(pair.listened.infos.count == 3)
    #expect(pair.listened.infos.last?.agent == "swift-gossip/0.1.0")
  }

  @Test func `echo a ping`() {
    var pair = Pair()
    pair.start()
    pair.dialer.ping(seed(7), at: pair.now)
    pair.settle()
    #expect(pair.dialed.last?.text == "echoed")
    #expect(pair.dialer.yamux.streamCount == 4 && pair.listener.yamux.streamCount == 4)
  }

  @Test func `without a family in common open none, without harm`() {
    var other = SessionSettings.example(2)
    other.gossip = [["/floodsub/1.0.0"], ["/gossip/direct/1.0.0"]]
    var pair = Pair(.example(1), other)
    pair.start()
    #expect(pair.dialed.texts.contains("refused 0") && pair.listened.texts.contains("refused 0"))
    #expect(pair.dialed.texts.contains("opened 1 /gossip/direct/1.0.0"))
    #expect(pair.dialer.send([0], on: 0) == false && pair.dialer.writable(on: 0) == 0)
  }

  // GS-2
  @Test func `agree on an older version where one side lacks the newer`() {
    var other = SessionSettings.example(2)
    other.gossip = [["/meshsub/1.1.0"], ["/gossip/direct/1.0.0"]]
    var pair = Pair(.example(1), other)
    pair.start()
    #expect(pair.dialed.texts.contains("opened 0 /meshsub/1.1.0"))
    #expect(pair.listened.texts.contains("opened 0 /meshsub/1.1.0"))
  }
}

@Suite struct `An upgrade` {
  /// A listener that was given these bytes, and then nothing for eleven seconds.
  private func end(after bytes: [UInt8], pieces: Int = .max, _ role: Session.Role = .listener) -> SessionEnd?
  {
    var session = Session.example(role, 2)
    session.start(at: .zero)
    session.receive(bytes, inPiecesOf: pieces, at: .seconds(1))
    var events = session.takeEvents()
    if events.end == nil { #expect(session.deadline == .seconds(10)) }
    session.wake(at: .seconds(9.9))
    session.wake(at: .seconds(10))
    events += session.takeEvents()
    #expect(session.queuedBytes < 4_096 && session.deadline == nil)
    return events.end
  }

  private let header = Puppet.words([Multistream.header])
  private let noise = Puppet.words([Multistream.header, "/noise"])

  // LP-18, LP-30
  @Test func `ends at its deadline in whatever stage silence meets it`() {
    #expect(end(after: []) == .timedOut(.greeting))
    #expect(end(after: [], .dialer) == .timedOut(.greeting))
    #expect(end(after: header) == .timedOut(.greeting))
    #expect(end(after: Array(noise.dropLast(3))) == .timedOut(.greeting))
    #expect(end(after: noise) == .timedOut(.securing))
    #expect(end(after: noise + [0]) == .timedOut(.securing))
    #expect(end(after: noise + [0xff, 0xff] + seed(9)) == .timedOut(.securing))
    #expect(end(after: noise + [0, 32] + Vectors.noiseMessage1) == .timedOut(.securing))
    #expect(end(after: noise, .dialer) == .timedOut(.securing))
  }

  @Test func `ends at once when fed garbage`() {
    #expect(
      end(after: httpRequest)?.description.contains("negotiation")
        == true)
    #expect(end(after: [0]) == .negotiation(.greeting, .malformed("empty")))
    #expect(end(after: hex("8108")) == .negotiation(.greeting, .tokenTooLong(1_025, limit: 1_024)))
    #expect(
      end(after: Puppet.words(["/nonsense"])) == .negotiation(.greeting, .wrongHeader(found: "/nonsense")))
    #expect(end(after: noise + [0, 0]) == .noise(.short(message: "message 1", bytes: 0)))
    #expect(end(after: noise + [0, 32] + seed(0)) == .noise(.zeroKey))
    let unknown = [ProtocolName](repeating: "/tls/1.0.0", count: 70)
    #expect(
      end(after: header + Puppet.words(unknown)) == .negotiation(.greeting, .tooManyProposals(limit: 64)))
    let garbage = [UInt8](repeating: 0xa5, count: 300)
    #expect(
      end(after: noise + [0, 32] + Vectors.noiseMessage1 + [0, 100] + garbage)
        == .noise(.badTag(message: "message 3")))
    #expect(
      end(after: header + Puppet.words(["na"]), .dialer) == .nothingInCommon(.greeting, offered: ["/noise"]))
  }

  // LP-18
  @Test func `dripped byte by byte ends at the same deadline`() {
    var session = Session.example(.listener, 2)
    session.start(at: .zero)
    for (second, byte) in noise.prefix(9).enumerated() {
      session.receive([byte], at: .seconds(Double(second)))
    }
    #expect(session.deadline == .seconds(10))
    session.wake(at: .seconds(10))
    #expect(session.takeEvents().end == .timedOut(.greeting))
  }

  // LP-64
  @Test func `cut off by the transport says where`() {
    for (bytes, stage) in [([], .greeting), (noise, .securing)] as [([UInt8], Session.Stage)] {
      var session = Session.example(.listener, 2)
      session.start(at: .zero)
      session.receive(bytes, at: .zero)
      session.receiveEnd(at: .zero)
      #expect(session.takeEvents().end == .truncated(stage))
    }
  }

  // LP-12
  @Test func `pipelined by the dialer in one segment is answered`() {
    var session = Session.example(.listener, 2)
    session.start(at: .zero)
    session.receive(noise + [0, 32] + Vectors.noiseMessage1, at: .zero)
    #expect(session.takeOutput().count == noise.count + 2 + 216)
  }

  // LP-23
  @Test func `falls back to negotiating the muxer if the handshake named none in common`() {
    for muxers in [[], ["/mplex/6.7.0"], [ProtocolName](repeating: "/yamux/1.0.0", count: 101)]
      as [[ProtocolName]]
    {
      var puppet = Puppet(muxers: muxers)
      #expect(puppet.session.stage == .muxing)
      #expect(puppet.takePlain() == Puppet.words([Multistream.header]))
      puppet.say(plain: Puppet.words([Multistream.header, "/mplex/6.7.0"]))
      #expect(puppet.takePlain() == Puppet.words(["na"]))
      // Frames may follow the proposal in the same message.
      puppet.say(plain: Puppet.words(["/yamux/1.0.0"]) + puppet.frame(.ping, .syn, 0, length: 9))
      #expect(puppet.session.stage == .running && puppet.events.first?.text == "established")
    }
  }

  @Test func `without any muxer in common ends`() {
    var puppet = Puppet(isDialer: false, muxers: [])
    #expect(puppet.takePlain() == Puppet.words([Multistream.header, "/yamux/1.0.0"]))
    puppet.say(plain: Puppet.words([Multistream.header, "na"]))
    #expect(puppet.events.end == .nothingInCommon(.muxing, offered: ["/yamux/1.0.0"]))
    var silent = Puppet(muxers: [])
    silent.pass(.seconds(11))
    #expect(silent.events.end == .timedOut(.muxing))
  }
}

@Suite struct `A running session` {
  // LP-27
  @Test func `takes any spread of frames over messages`() {
    var puppet = Puppet()
    puppet.say(plain: [])
    let frames = puppet.frame(.ping, .syn, 0, length: 1) + puppet.frame(.ping, .syn, 0, length: 2)
    puppet.say(plain: frames)
    for byte in frames { puppet.say(plain: [byte]) }
    let pongs = puppet.seen.filter { $0.header.kind == .ping && $0.header.flags == .ack }
    #expect(pongs.map(\.header.length) == [1, 2, 1, 2])
  }

  @Test func `ends without a word on a bad message, with go away 1 on a bad frame`() {
    var puppet = Puppet()
    let before = puppet.seen.count
    puppet.session.receive([0, 16] + [UInt8](repeating: 1, count: 16), at: puppet.now)
    puppet.collect()
    #expect(puppet.events.end == .noise(.badTag(message: "message")) && puppet.seen.count == before)
    var short = Puppet()
    short.session.receive([0, 15], at: short.now)
    short.session.receive([UInt8](repeating: 1, count: 15), at: short.now)
    short.collect()
    #expect(short.events.end == .noise(.short(message: "message", bytes: 15)))
    var other = Puppet()
    other.say(plain: [1] + [UInt8](repeating: 0, count: 11))
    #expect(other.events.end == .yamux(.version(1)))
    #expect(other.seen.last?.header == YamuxHeader(.goAway, [], stream: 0, length: 1))
  }

  // LP-28
  @Test func `takes an end between messages for a farewell, inside one for a cut`() {
    var puppet = Puppet()
    puppet.session.receiveEnd(at: puppet.now)
    puppet.collect()
    #expect(puppet.events.end == .remoteClosed)
    var cut = Puppet()
    cut.session.receive([0], at: cut.now)
    cut.session.receiveEnd(at: cut.now)
    cut.collect()
    #expect(cut.events.end == .truncated(.running))
  }

  // LP-51
  @Test func `ends ten seconds after a ping nobody answers`() {
    var puppet = Puppet()
    puppet.pass(.seconds(9))
    #expect(puppet.events.end == nil)
    puppet.pass(.seconds(2))
    #expect(puppet.events.end == .yamux(.pingUnanswered(.seconds(10))))
  }

  @Test func `waits with its verdict while nothing is read`() {
    var puppet = Puppet()
    puppet.session.pauseReading()
    puppet.pass(.seconds(25))
    puppet.session.resumeReading(at: puppet.now)
    puppet.pass(.seconds(4))
    #expect(puppet.events.end == nil)
    puppet.say(.ping, .ack, 0, length: 0)
    #expect(puppet.events.contains { $0.text == "roundTrip" })
    // The next ping falls into a pause, too: its patience starts with reading.
    puppet.session.pauseReading()
    puppet.pass(.seconds(60))
    #expect(puppet.seen.contains { $0.header == YamuxHeader(.ping, .syn, stream: 0, length: 1) })
    puppet.session.resumeReading(at: puppet.now)
    puppet.pass(.seconds(9))
    #expect(puppet.events.end == nil)
    puppet.pass(.seconds(2))
    #expect(puppet.events.end == .yamux(.pingUnanswered(.seconds(10))))
  }

  // LP-52
  @Test func `leaves when the peer went away and its streams are done, or ten seconds later`() {
    var puppet = Puppet()
    puppet.say(.ping, .ack, 0, length: 0)
    puppet.say(.goAway, [], 0, length: 0x1005)
    puppet.pass(.seconds(9.5))
    #expect(puppet.events.end == nil)
    puppet.pass(.seconds(1))
    #expect(puppet.events.end == .wentAway(code: 0x1005))
    var quick = Puppet()
    quick.say(.goAway, [], 0, length: 0)
    for id: UInt32 in [2, 4, 6] { quick.say(.windowUpdate, .rst, id) }
    #expect(quick.events.end == .wentAway(code: 0))
  }

  @Test func `answers identify in one frame each, whoever asks, and ends the stream`() throws {
    var puppet = Puppet()
    puppet.open(1, "/ipfs/id/1.0.0")
    let words = Puppet.words([Multistream.header, "/ipfs/id/1.0.0"])
    let heard = puppet.heard(on: 1)
    #expect(Array(heard.prefix(words.count)) == words)
    var reader = IdentifyReader()
    try reader.receive(heard[words.count...], IdentifyLimits())
    let message = try reader.finish()
    #expect(message.key == someone(2).publicKey.protobuf)
    #expect(
      message.protocols == [
        "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.2.0", "/meshsub/1.1.0",
        "/gossip/direct/1.0.0",
      ])
    #expect(puppet.flags(on: 1) == [.ack, .fin])
    let count = puppet.session.yamux.streamCount
    puppet.say(.windowUpdate, .fin, 1)
    #expect(puppet.session.yamux.streamCount == count - 1)
  }

  @Test func `opens identify and gossip at once, each with header and first proposal`() {
    let puppet = Puppet()
    #expect(puppet.seen.first?.header == YamuxHeader(.ping, .syn, stream: 0, length: 0))
    #expect(puppet.heard(on: 2) == Puppet.words([Multistream.header, "/ipfs/id/1.0.0"]))
    #expect(puppet.heard(on: 4) == Puppet.words([Multistream.header, "/meshsub/1.2.0"]))
    #expect(puppet.heard(on: 6) == Puppet.words([Multistream.header, "/gossip/direct/1.0.0"]))
  }

  @Test func `answers unknown proposals with na, and resets a stream that breaks the rules`() {
    var puppet = Puppet()
    puppet.open(1, "ls", "/libp2p/simultaneous-connect", "/nonsense")
    #expect(puppet.heard(on: 1) == Puppet.words([Multistream.header, "na", "na", "na"]))
    puppet.say(.windowUpdate, .syn, 3)
    puppet.say(.data, [], 3, httpRequest)
    puppet.say(.windowUpdate, .syn, 5)
    puppet.say(.data, [], 5, Puppet.words([Multistream.header] + [ProtocolName](repeating: "/x", count: 64)))
    puppet.say(.windowUpdate, [.syn, .fin], 7)
    #expect(puppet.isReset(3) && puppet.isReset(5) && puppet.isReset(7) && !puppet.isReset(1))
    #expect(puppet.events.end == nil)
  }

  @Test func `resets a stream that is not negotiated within ten seconds`() {
    var puppet = Puppet()
    puppet.say(.ping, .ack, 0, length: 0)
    puppet.say(.windowUpdate, .syn, 1)
    puppet.open(3, "/nonsense")
    puppet.open(5, "/meshsub/1.1.0")
    puppet.pass(.seconds(9.9))
    #expect(!puppet.isReset(1) && !puppet.isReset(3))
    puppet.pass(.seconds(0.2))
    #expect(puppet.isReset(1) && puppet.isReset(3) && !puppet.isReset(5) && puppet.events.end == nil)
  }

  // LP-14
  @Test func `keeps lazy data and the end that came before its answer`() {
    var puppet = Puppet()
    puppet.say(.windowUpdate, .syn, 1)
    puppet.say(.data, .fin, 1, Puppet.words([Multistream.header, "/meshsub/1.1.0"]) + [2, 8, 9])
    #expect(puppet.heard(on: 1) == Puppet.words([Multistream.header, "/meshsub/1.1.0"]))
    #expect(
      puppet.events.texts.suffix(3) == [
        "inboundOpened 0 /meshsub/1.1.0", "frame 0 [8, 9]", "inboundClosed 0",
      ])
  }

  // LP-63
  @Test func `echoes pings on two streams, no third, and ends with the peer`() {
    var puppet = Puppet()
    for id: UInt32 in [1, 3, 5] { puppet.open(id, "/ipfs/ping/1.0.0") }
    #expect(!puppet.isReset(1) && !puppet.isReset(3) && puppet.isReset(5))
    let blocks = seed(1) + seed(2) + seed(3)
    puppet.say(.data, [], 1, Array(blocks[..<40]))
    puppet.say(.data, .fin, 1, Array(blocks[40...]))
    #expect(puppet.heard(on: 1).suffix(96) == blocks[...])
    #expect(puppet.flags(on: 1).contains(.fin))
    puppet.open(7, "/ipfs/ping/1.0.0")
    #expect(!puppet.isReset(7))
  }

  // LP-59
  @Test func `reads pushes, but not a flood of them`() {
    var puppet = Puppet()
    var message: [UInt8] = []
    Protobuf.append(field: 6, bytes: Array("other/1".utf8), to: &message)
    for number: UInt32 in 0..<8 {
      puppet.open(2 * number + 1, "/ipfs/id/push/1.0.0", then: [UInt8(message.count)] + message)
      puppet.say(.windowUpdate, .fin, 2 * number + 1)
    }
    #expect(puppet.events.infos.count == 5 && puppet.events.infos.last?.agent == "other/1")
    #expect(!puppet.isReset(9) && puppet.isReset(11) && puppet.isReset(15))
    puppet.say(.ping, .ack, 0, length: 0)
    puppet.pass(.seconds(1))
    puppet.open(17, "/ipfs/id/push/1.0.0", then: [UInt8(message.count)] + message)
    puppet.say(.windowUpdate, .fin, 17)
    #expect(puppet.events.infos.count == 6)
  }

  // LP-67
  @Test func `resets streams beyond 256, and stays`() {
    var puppet = Puppet()
    puppet.say(plain: (0..<300).flatMap { puppet.frame(.windowUpdate, .syn, UInt32(2 * $0 + 1)) })
    #expect((0..<300).filter { puppet.isReset(UInt32(2 * $0 + 1)) }.count == 44)
    #expect(puppet.events.end == nil)
  }

  // LP-67
  @Test func `leaves a peer that makes it answer and reads nothing`() {
    var settings = SessionSettings.example(2)
    settings.limits.queuedBytesMax = 10_000
    var puppet = Puppet(settings)
    // Nothing is taken from the session while these pile up.
    var channel = puppet.channel!
    for number in 0..<2_000 where puppet.session.stage != nil {
      var out: [UInt8] = []
      let plain =
        puppet.frame(.windowUpdate, .syn, UInt32(2 * number + 1))
        + puppet.frame(.windowUpdate, .rst, UInt32(2 * number + 1))
      try! unsafe channel.sending.sealMessages(plain.span.bytes, into: &out)
      puppet.session.receive(out, at: puppet.now)
      puppet.session.flush()
    }
    guard case .unread(let bytes, let limit) = puppet.session.takeEvents().end else {
      Issue.record("it did not end")
      return
    }
    #expect(bytes > limit && limit == 20_000 && puppet.session.queuedBytes == 0)
  }

  @Test func `answers a Go peer's first frames as Go answers them`() throws {
    // Recorded from go-libp2p 0.32 listening: ping, identify, and a silent stream that later says meshsub.
    var puppet = Puppet(isDialer: false)
    puppet.say(.ping, .syn, 0, length: 0)
    puppet.say(.windowUpdate, .syn, 2)
    puppet.say(.data, [], 2, Puppet.words([Multistream.header, "/ipfs/id/1.0.0"]))
    puppet.say(.windowUpdate, .syn, 4)
    #expect(puppet.seen.contains { $0.header == YamuxHeader(.ping, .ack, stream: 0, length: 0) })
    #expect(puppet.flags(on: 2) == [.ack, .fin] && puppet.flags(on: 4) == .ack)
    puppet.say(.windowUpdate, .fin, 2)
    // Our identify stream is 1: Go's answer comes in four frames.
    let capture = Vectors.identifyCapture
    puppet.say(.windowUpdate, .ack, 1)
    puppet.say(.data, [], 1, Puppet.words([Multistream.header]))
    puppet.say(.data, [], 1, Puppet.words(["/ipfs/id/1.0.0"]))
    puppet.say(.data, [], 1, Array(capture[..<2]))
    puppet.say(.data, [], 1, Array(capture[2...]))
    puppet.say(.windowUpdate, .fin, 1)
    #expect(puppet.events.infos.first?.agent == "p2pd/0.1")
    #expect(puppet.events.infos.first?.record == nil, "the puppet has another id than that record")
    let hello = hex("0c0a0a08011206") + Array("topicA".utf8)
    puppet.say(.data, [], 4, Puppet.words([Multistream.header, "/meshsub/1.1.0"]) + hello)
    #expect(puppet.heard(on: 4) == Puppet.words([Multistream.header, "/meshsub/1.1.0"]))
    #expect(puppet.events.frames == [Array(hello.dropFirst())])
  }

  // LP-58
  @Test func `gives up an identify that is garbled, oversize or cut, and stays`() {
    let answers: [[UInt8]] = [[2, 0x0a, 5], hex("8140"), [9, 1], []]
    for answer in answers {
      var puppet = Puppet()
      puppet.say(.data, [], 2, Puppet.words([Multistream.header, "/ipfs/id/1.0.0"]) + answer)
      puppet.say(.windowUpdate, .fin, 2)
      #expect(puppet.isReset(2) && puppet.events.infos.isEmpty && puppet.events.end == nil)
    }
  }

  // LP-58
  @Test func `takes what an identify said so far if its stream never ends`() {
    var puppet = Puppet()
    puppet.say(.ping, .ack, 0, length: 0)
    let words = Puppet.words([Multistream.header, "/ipfs/id/1.0.0"])
    puppet.say(.data, [], 2, words + [9, 0x32, 7] + Array("other/1".utf8))
    #expect(puppet.events.infos.isEmpty)
    puppet.pass(.seconds(10))
    #expect(puppet.events.infos.map(\.agent) == ["other/1"] && puppet.isReset(2))
  }

  @Test(arguments: 0..<40) func `survives any frames, within its bounds`(number: UInt8) {
    var dice = Random(seed: [number])
    var puppet = Puppet(isDialer: number % 2 == 0)
    let names: [ProtocolName] = [
      Multistream.header, "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.2.0", "na",
    ]
    for _ in 0..<300 where puppet.session.stage != nil {
      let kind = YamuxHeader.Kind(rawValue: UInt8.random(in: 0...2, using: &dice))!
      let flags = YamuxHeader.Flags(
        rawValue: [0, 0, 0, 0, 1, 1, 2, 4, 5, 8, 15].randomElement(using: &dice)!)
      let stream = UInt32.random(in: 0...24, using: &dice)
      var payload: [UInt8] = []
      if kind == .data {
        payload = Puppet.words((0..<3).map { _ in names.randomElement(using: &dice)! })
        payload += (0..<Int.random(in: 0...40, using: &dice)).map { _ in
          UInt8.random(in: 0...40, using: &dice)
        }
      }
      let length = kind == .data ? UInt32(payload.count) : UInt32.random(in: 0...70_000, using: &dice)
      puppet.say(kind, flags, stream, length: length, payload)
      puppet.pass(.milliseconds(Int.random(in: 0...400, using: &dice)))
      #expect(puppet.session.streams.count <= 512 && puppet.session.timeouts.count <= 1_024)
      #expect(puppet.session.queuedBytes < 1 << 20)
    }
    // Left alone, it ends by itself.
    puppet.pass(.seconds(60))
    #expect(puppet.session.stage == nil && puppet.session.streams.isEmpty)
  }
}
