import Testing

@testable import GossipCore

@Suite struct `A message's twin` {
  private func message(_ text: String, on topic: Topic = "t") -> WireMessage {
    WireMessage(topic: topic, payload: Payload(text), author: nil, sequence: nil)
  }

  @Test func `has its id, which is computed once; no other message has it`() {
    var twins = Twins()
    let samples = (0..<300).flatMap { number in
      [message("\(number)"), message("\(number)", on: "u"), message(String(repeating: "x", count: number))]
    }
    for sample in samples {
      let wanted = MessageIdentification.contentHash.id(of: sample)
      #expect(twins.id(of: sample) == wanted)
      let before = twins.hashed
      #expect(twins.id(of: sample) == wanted)
      #expect(twins.hashed == before)
    }
  }

  @Test func `differs in one byte, wherever it is`() {
    let text = [UInt8](repeating: 7, count: 1_001)
    let whole = WireMessage(topic: "t", payload: Payload(text), author: nil, sequence: nil)
    #expect(whole.hasSameBytes(as: whole.bytes))
    for index in whole.bytes.indices {
      var other = whole.bytes
      other[index] ^= 1
      #expect(!whole.hasSameBytes(as: other))
    }
    #expect(!whole.hasSameBytes(as: Array(whole.bytes.dropLast())))
  }
}
