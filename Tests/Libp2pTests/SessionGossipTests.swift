import GossipCore
import Testing

@testable import GossipLibp2p

extension Puppet {
  /// Answers the session's proposal on its first gossip stream, id 4, and its first ping.
  fileprivate mutating func agree(_ stream: UInt32 = 4) {
    say(.ping, .ack, 0, length: 0)
    say(.windowUpdate, .ack, stream)
    say(.data, [], stream, Puppet.words([Multistream.header, "/meshsub/1.2.0"]))
  }

  /// Ids of the streams on which the session proposed the first family.
  fileprivate var proposed: [UInt32] {
    seen.filter { $0.payload == Puppet.words([Multistream.header, "/meshsub/1.2.0"]) }.map(\.header.stream)
  }
}

@Suite struct `Our gossip stream` {
  @Test func `is open once the peer agreed, and carries what is sent`() {
    var puppet = Puppet()
    #expect(puppet.session.send([0], on: 0) == false)
    puppet.agree()
    #expect(puppet.events.texts.contains("opened 0 /meshsub/1.2.0"))
    #expect(puppet.session.send([2, 1, 2], on: 0) == true)
    puppet.collect()
    #expect(puppet.heard(on: 4).suffix(3) == [2, 1, 2])
  }

  @Test func `is proposed in older versions where the newest is refused`() {
    var puppet = Puppet()
    puppet.say(.data, [], 4, Puppet.words([Multistream.header, "na"]))
    #expect(puppet.heard(on: 4) == Puppet.words([Multistream.header, "/meshsub/1.2.0", "/meshsub/1.1.0"]))
    puppet.say(.data, [], 4, Puppet.words(["/meshsub/1.1.0"]))
    #expect(puppet.events.texts.contains("opened 0 /meshsub/1.1.0"))
  }

  // LP-62
  @Test func `works without identify, refused or never answered`() {
    var puppet = Puppet()
    puppet.say(.data, [], 2, Puppet.words([Multistream.header, "na"]))
    puppet.agree()
    #expect(puppet.events.texts.contains("opened 0 /meshsub/1.2.0"))
    var silent = Puppet()
    silent.agree()
    silent.pass(.seconds(11))
    #expect(silent.isReset(2) && silent.events.texts.contains("opened 0 /meshsub/1.2.0"))
    #expect(silent.events.end == nil && silent.session.send([0], on: 0) == true)
  }

  // GS-12, GS-13, LP-64, BB-V14
  @Test(arguments: ["data", "fin", "rst"]) func `that ends is reopened at once`(how: String) {
    var puppet = Puppet()
    puppet.agree()
    switch how {
    case "data": puppet.say(.data, [], 4, [0])
    case "fin": puppet.say(.windowUpdate, .fin, 4)
    default: puppet.say(.windowUpdate, .rst, 4, length: 0x1005)
    }
    #expect(puppet.events.last?.text == "closed 0")
    #expect(puppet.isReset(4) == (how != "rst") && puppet.proposed == [4, 8])
    puppet.agree(8)
    #expect(puppet.events.last?.text == "opened 0 /meshsub/1.2.0")
  }

  // GS-13
  @Test func `that dies again and again is reopened ever later, then given up`() {
    var puppet = Puppet()
    puppet.agree()
    var opened: [Instant] = []
    for _ in 0..<10 {
      let last = puppet.proposed.last!
      if opened.isEmpty || puppet.session.outbound[0].stream == last {
        opened.append(puppet.now)
        puppet.say(.windowUpdate, .rst, last)
      }
      puppet.pass(.milliseconds(50))
      for _ in 0..<20 where puppet.session.outbound[0].stream == nil { puppet.pass(.milliseconds(50)) }
    }
    #expect(puppet.proposed.count == 5)
    #expect(puppet.events.texts.filter { $0 == "refused 0" }.count == 1)
    #expect(puppet.events.end == nil)
  }

  // GS-13
  @Test func `waits 100 ms, doubling, between later attempts`() {
    var puppet = Puppet()
    puppet.agree()
    puppet.say(.windowUpdate, .rst, 4)
    puppet.say(.windowUpdate, .rst, 8)
    puppet.pass(.milliseconds(99))
    #expect(puppet.proposed.count == 2)
    puppet.pass(.milliseconds(101))
    #expect(puppet.proposed.count == 3)
    puppet.say(.windowUpdate, .rst, 10)
    puppet.pass(.milliseconds(199))
    #expect(puppet.proposed.count == 3)
    puppet.pass(.milliseconds(101))
    #expect(puppet.proposed.count == 4)
  }

  @Test func `refused at first is opened when the peer lists its protocol later`() {
    var puppet = Puppet()
    puppet.say(.data, [], 4, Puppet.words([Multistream.header, "na"]))
    puppet.say(.data, [], 4, Puppet.words(["na"]))
    #expect(puppet.events.last?.text == "refused 0")
    var message: [UInt8] = []
    Protobuf.append(field: 3, bytes: Array("/meshsub/1.1.0".utf8), to: &message)
    puppet.open(1, "/ipfs/id/push/1.0.0", then: [UInt8(message.count)] + message)
    puppet.say(.windowUpdate, .fin, 1)
    #expect(puppet.proposed == [4, 8])
  }

  // LP-44
  @Test func `takes no more than the window, and goes on with credit`() {
    var puppet = Puppet()
    puppet.agree()
    let opening = puppet.heard(on: 4).count
    #expect(puppet.session.send([UInt8](repeating: 3, count: 400_000), on: 0) == true)
    puppet.collect()
    #expect(puppet.heard(on: 4).count == 262_144)
    #expect(puppet.session.writable(on: 0) < 0)
    puppet.say(.windowUpdate, [], 4, length: 1 << 24)
    #expect(puppet.heard(on: 4).count == 400_000 + opening)
    // However much credit a peer gives, our own bound holds.
    #expect(puppet.session.writable(on: 0) == 4 << 20)
  }
}

@Suite struct `The peer's gossip stream` {
  // GS-6, GS-10
  @Test func `may come in any pieces, with empty frames between`() {
    let frames: [UInt8] = [0, 3, 1, 2, 3, 0, 0, 0x80, 0x01] + [UInt8](repeating: 5, count: 128) + [1, 9]
    for pieces in 1...frames.count {
      var puppet = Puppet()
      puppet.open(1, "/meshsub/1.2.0")
      for start in stride(from: 0, to: frames.count, by: pieces) {
        puppet.say(.data, [], 1, Array(frames[start..<min(frames.count, start + pieces)]))
      }
      #expect(puppet.events.frames == [[1, 2, 3], [UInt8](repeating: 5, count: 128), [9]])
    }
  }

  // GS-7, BT-46
  @Test func `with an oversize or malformed length is reset, and only it`() {
    for length in ["8180c000", "8180 40".filter { $0 != " " }, "ffffffffffffffffff"] {
      var puppet = Puppet()
      puppet.open(1, "/meshsub/1.2.0", then: [1, 7])
      puppet.say(.data, [], 1, hex(length) + [1, 1])
      #expect(puppet.isReset(1))
      #expect(puppet.events.texts.suffix(3) == ["frame 0 [7]", "inboundClosed 0", "garbled 0"])
      #expect(puppet.events.end == nil)
      puppet.open(3, "/meshsub/1.2.0", then: [1, 8])
      #expect(puppet.events.frames == [[7], [8]])
    }
  }

  // GS-11
  @Test func `is replaced by a second one`() {
    var puppet = Puppet()
    puppet.open(1, "/meshsub/1.2.0")
    puppet.open(3, "/meshsub/1.1.0", then: [1, 8])
    #expect(puppet.isReset(1) && !puppet.isReset(3))
    puppet.say(.data, [], 1, [1, 7])
    #expect(puppet.events.frames == [[8]] && puppet.events.last?.text == "frame 0 [8]")
  }

  // GS-8
  @Test func `is reset when its frames are not understood`() {
    var puppet = Puppet()
    puppet.open(1, "/meshsub/1.2.0", then: [1, 7])
    puppet.session.resetInbound(family: 0)
    puppet.collect()
    #expect(puppet.isReset(1) && puppet.events.last?.text == "inboundClosed 0")
  }

  // LP-64
  @Test func `that ends or is reset is told, in the middle of a frame, too`() {
    for flag in [YamuxHeader.Flags.fin, .rst] {
      var puppet = Puppet()
      puppet.open(1, "/meshsub/1.2.0", then: [9, 7])
      puppet.say(.windowUpdate, flag, 1)
      #expect(puppet.events.last?.text == "inboundClosed 0" && puppet.events.frames.isEmpty)
    }
  }

  @Test func `is never written to, nor closed while it is healthy`() {
    var puppet = Puppet()
    puppet.open(1, "/meshsub/1.2.0", then: [1, 7])
    puppet.say(.ping, .ack, 0, length: 0)
    puppet.pass(.seconds(29))
    #expect(puppet.heard(on: 1) == Puppet.words([Multistream.header, "/meshsub/1.2.0"]))
    #expect(puppet.flags(on: 1) == .ack)
  }
}
