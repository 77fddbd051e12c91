/// Messages under examination: one examination per id, rivals kept aside, limits kept.

import Testing

@testable import GossipCore

@Suite struct `The examinations` {
  func validation(
    checks: Int = 100, judgements: Int = 100, perTopic: Int = 100, versions: Int = 4
  ) -> Validation {
    var limits = Limits()
    (limits.checksOpen, limits.judgementsOpen, limits.judgementsOpenPerTopic, limits.versionsPerCheck) = (
      checks, judgements, perTopic, versions
    )
    return Validation(limits)
  }

  func ticket(_ number: Int) -> Ticket { Ticket(number: UInt64(number)) }
  /// One version of a message; different fillers differ.
  func version(_ filler: UInt8) -> WireMessage { WireMessage(size: 30, filler: filler) }

  // GS-116
  @Test func `have one examination per id, and note who brings more copies`() {
    var validation = validation()
    let message = message(1)
    #expect(validation.add(message.wire, id: id(1), from: peer(1)) == .unknown)
    #expect(validation.begin(message, from: peer(1), ticket(1)) == true)
    #expect(validation.isOpen(id(1)) && validation.count == 1)
    for number in [2, 3] { #expect(validation.add(message.wire, id: id(1), from: peer(number)) == .same) }
    for number in [2, 1] { #expect(validation.add(message.wire, id: id(1), from: peer(number)) == .again) }
    let examination = validation.examination(ticket(1), .proof)
    #expect(examination.map { Array($0.holders) } == [peer(1), peer(2), peer(3)])
    #expect(examination?.charged == peer(1))
    #expect(validation.examination(ticket(1), .judgement) == nil)
    #expect(validation.examination(ticket(2), .proof) == nil)
  }

  // GS-20
  @Test func `try the rival when the first version fails`() {
    var validation = validation()
    #expect(validation.begin(Message(id: id(1), wire: version(1)), from: peer(1), ticket(1)) == true)
    #expect(validation.add(version(2), id: id(1), from: peer(2)) == .rival)
    #expect(validation.add(version(3), id: id(1), from: peer(3)) == .rival)
    let second = validation.tryRival(of: id(1))
    #expect(second?.message.wire.bytes == version(2).bytes)
    #expect(second.map { Array($0.holders) } == [peer(2)])
    #expect(second?.ticket == ticket(1))
    #expect(second?.charged == peer(2), "who brought what is examined now")
    #expect(validation.add(version(2), id: id(1), from: peer(4)) == .same)
    #expect(validation.tryRival(of: id(1))?.message.wire.bytes == version(3).bytes)
    #expect(validation.tryRival(of: id(1)) == nil)
    #expect(validation.tryRival(of: id(9)) == nil)
    #expect(validation.end(id(1)) != nil)
    #expect(validation.count == 0 && validation.examination(ticket(1), .proof) == nil)
  }

  @Test func `keep few rivals, one per peer and none twice`() {
    var validation = validation(versions: 2)
    #expect(validation.begin(Message(id: id(1), wire: version(0)), from: peer(0), ticket(1)) == true)
    #expect(validation.add(version(1), id: id(1), from: peer(1)) == .rival)
    #expect(validation.add(version(2), id: id(1), from: peer(1)) == .rival)  // has one already
    #expect(validation.add(version(1), id: id(1), from: peer(2)) == .rival)  // is kept already
    #expect(validation.add(version(3), id: id(1), from: peer(3)) == .rival)
    #expect(validation.add(version(4), id: id(1), from: peer(4)) == .rival)  // one too many
    let rivals = validation.examination(ticket(1), .proof)?.rivals ?? []
    #expect(rivals.map(\.peer) == [peer(1), peer(3)])
    #expect(rivals.map(\.wire.bytes) == [version(1).bytes, version(3).bytes])
  }

  @Test func `keep no rivals once the proof held`() {
    var validation = validation()
    #expect(validation.begin(Message(id: id(1), wire: version(0)), from: peer(0), ticket(1)) == true)
    #expect(validation.add(version(1), id: id(1), from: peer(1)) == .rival)
    validation.beginJudgement(id(1))
    #expect(validation.add(version(2), id: id(1), from: peer(2)) == .rival)
    #expect(validation.examination(ticket(1), .judgement)?.rivals.isEmpty == true)
    #expect(validation.examination(ticket(1), .proof) == nil)
    #expect(validation.tryRival(of: id(1)) == nil)
  }

  // GS-118
  @Test func `are limited, and open again when one ends`() {
    var validation = validation(checks: 2)
    for number in 1...3 {
      #expect(validation.begin(message(number), from: peer(1), ticket(number)) == (number <= 2))
    }
    #expect(!validation.isOpen(id(3)))
    #expect(validation.examination(ticket(3), .proof) == nil)
    validation.end(id(1))
    #expect(validation.begin(message(3), from: peer(1), ticket(4)) == true)
  }

  @Test func `limit judgements in all and per topic`() {
    var validation = validation(judgements: 3, perTopic: 2)
    func begin(_ number: Int, _ topic: Topic) {
      #expect(validation.begin(message(number, on: topic), from: peer(1), ticket(number)) == true)
    }
    for number in 1...3 { begin(number, "t") }
    for number in 4...6 { begin(number, "u") }
    for number in 1...2 {
      #expect(validation.canJudge("t"))
      validation.beginJudgement(id(number))
    }
    #expect(!validation.canJudge("t") && validation.canJudge("u"))
    validation.beginJudgement(id(4))
    #expect(!validation.canJudge("u") && !validation.canJudge("v"), "three in all")
    #expect(validation.judgements == 3)
    validation.end(id(3))
    #expect(validation.judgements == 3, "the third was not being judged")
    validation.end(id(1))
    #expect(validation.judgements == 2 && validation.canJudge("t") && validation.canJudge("u"))
    #expect(validation.end(id(1)) == nil, "it ends once")
    #expect(validation.judgements == 2)
    for number in [2, 4, 5, 6] { validation.end(id(number)) }
    #expect(validation.judgements == 0 && validation.count == 0)
  }
}
