import GossipCore
import Testing

@testable import GossipLibp2p

private let limits = NegotiationLimits()

/// A responder fed with `bytes` in pieces; what it agreed on, answered, and left over.
private func respond(_ bytes: [UInt8], pieces: Int = .max, _ accepted: [ProtocolName] = ["/a", "/b"]) throws
  -> (agreed: ProtocolName?, answer: [UInt8], rest: [UInt8])
{
  var responder = Multistream.Responder()
  var answer: [UInt8] = []
  responder.start(into: &answer)
  var start = 0
  while start < bytes.count {
    let piece = Array(bytes[start..<min(bytes.count, pieces == .max ? .max : start + pieces)])
    var offset = 0
    let agreed = try unsafe responder.receive(
      piece.span.bytes, &offset, accepting: accepted, limits, into: &answer)
    if let agreed { return (agreed, answer, Array(bytes[(start + offset)...])) }
    start += piece.count
  }
  return (nil, answer, [])
}

@Suite struct `A negotiation` {
  let header = Multistream.header

  // LP-11
  @Test func `accepts the first, the third, or none`() throws {
    #expect(try respond(Puppet.words([header, "/a"])).agreed == "/a")
    let third = try respond(Puppet.words([header, "/x", "/y", "/b"]))
    #expect(third.agreed == "/b")
    #expect(third.answer == Puppet.words([header, "na", "na", "/b"]))
    #expect(try respond(Puppet.words([header, "/x"])).agreed == nil)
  }

  // LP-12, LP-13
  @Test func `is the same at every split, and keeps what follows`() throws {
    let bytes = Puppet.words([header, "/x", "/a"]) + [1, 2, 3]
    for pieces in 1...bytes.count {
      let result = try respond(bytes, pieces: pieces)
      #expect(result.agreed == "/a" && result.rest == [1, 2, 3])
      #expect(result.answer == Puppet.words([header, "na", "/a"]))
    }
  }

  @Test func `starts with the known bytes`() {
    #expect(Puppet.words([header]) == hex("132f6d756c746973747265616d2f312e302e300a"))
    #expect(Puppet.words(["na"]) == hex("036e610a"))
  }

  // LP-16
  @Test func `answers ls, simultaneous-open and an empty name with na`() throws {
    let result = try respond(Puppet.words([header, "ls", "/libp2p/simultaneous-connect", "", "/a"]))
    #expect(result.answer == Puppet.words([header, "na", "na", "na", "/a"]))
  }

  @Test func `is case-sensitive and exact`() throws {
    #expect(try respond(Puppet.words([header, "/A", "/a ", "/a/"])).agreed == nil)
  }

  // LP-3, LP-15
  @Test func `breaks on anything but tokens`() throws {
    var long = hex("8108")
    long += [UInt8](repeating: 0x61, count: 1_024)
    let broken: [[UInt8]] = [
      Puppet.words(["/multistream/2.0.0"]), Puppet.words([header]) + [0],
      Puppet.words([header]) + [2, 0x61, 0x62],
      Puppet.words([header]) + [3, 0xff, 0xfe, 0x0a], httpRequest,
      Puppet.words([header]) + hex("8000"), long, [0],
    ]
    for bytes in broken { #expect(throws: NegotiationError.self) { try respond(bytes) } }
    // A token over the limit breaks it before its body comes; one at the limit does not.
    #expect(throws: NegotiationError.tokenTooLong(1_025, limit: 1_024)) { try respond(hex("8108")) }
    #expect(try respond(hex("8008")).agreed == nil)
  }

  // LP-17
  @Test func `ends at the 64th unknown proposal`() throws {
    let unknown = [ProtocolName](repeating: "/x", count: 63)
    #expect(try respond(Puppet.words([header] + unknown + ["/a"])).agreed == "/a")
    #expect(throws: NegotiationError.tooManyProposals(limit: 64)) {
      try respond(Puppet.words([header] + unknown + ["/x"]))
    }
  }

  @Test func `of an initiator proposes the next only after na`() throws {
    var initiator = Multistream.Initiator(["/c", "/b"])
    var said: [UInt8] = []
    initiator.start(into: &said)
    #expect(said == Puppet.words([header, "/c"]))
    said = []
    var offset = 0
    let na = Puppet.words([header, "na"])
    #expect(try unsafe initiator.receive(na.span.bytes, &offset, limits, into: &said) == .waiting)
    #expect(said == Puppet.words(["/b"]))
    offset = 0
    let echo = Puppet.words(["/b"]) + [9]
    #expect(try unsafe initiator.receive(echo.span.bytes, &offset, limits, into: &said) == .agreed("/b"))
    #expect(offset == echo.count - 1)
  }

  @Test func `of an initiator ends when all is refused, or the answer is strange`() throws {
    var initiator = Multistream.Initiator(["/c"])
    var (said, offset): ([UInt8], Int) = ([], 0)
    let na = Puppet.words([header, "na"])
    #expect(try unsafe initiator.receive(na.span.bytes, &offset, limits, into: &said) == .refused)
    var other = Multistream.Initiator(["/c"])
    let strange = Puppet.words([header, "/d"])
    #expect(throws: NegotiationError.wrongAnswer(expected: "/c", found: "/d")) {
      var offset = 0
      return try unsafe other.receive(strange.span.bytes, &offset, limits, into: &said)
    }
  }
}
