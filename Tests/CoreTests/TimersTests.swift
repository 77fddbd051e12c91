/// What is to happen when, and one alarm for the earliest of it.

import Testing

@testable import GossipCore

@Suite struct `A list of timers` {
  @Test func `has them due in the order of their instants, then of their setting`() {
    var timers = Timers<String>()
    for (subject, at) in [("c", 2.0), ("a", 1), ("d", 2), ("b", 1)] { timers.set(subject, at: .seconds(at)) }
    #expect(timers.count == 4 && timers.first?.subject == "a")
    #expect(timers.due(at: .seconds(0.999)) == nil)
    var due: [String] = []
    while let timer = timers.due(at: .seconds(2)) { due.append(timer.subject) }
    #expect(due == ["a", "b", "c", "d"] && timers.count == 0 && timers.first == nil)
  }

  @Test func `gives each a number of its own`() {
    var timers = Timers<String>()
    let numbers = (0..<3).map { _ in timers.set("same", at: .zero) }
    #expect(Set(numbers).count == 3)
    #expect((0..<3).map { _ in timers.due(at: .zero)?.number } == numbers)
  }

  @Test func `forgets those that mean nothing when they are too many`() {
    var timers = Timers<Int>()
    for number in 0..<10 { timers.set(number, at: .seconds(Double(number))) }
    timers.trim(to: 10) { _ in false }
    #expect(timers.count == 10, "not too many yet")
    timers.trim(to: 9) { $0.subject % 2 == 1 }
    #expect(timers.count == 5 && timers.first?.subject == 1)
    timers.removeFirst()
    #expect(timers.first?.subject == 3)
  }
}

@Suite struct `An alarm for the earliest deadline` {
  @Test func `is set anew for an earlier deadline only`() {
    var alarm = EarliestAlarm()
    let set = [nil, 5, 5, 6, nil, 4, 5].map { (deadline: Double?) in
      alarm.set(for: deadline.map { .seconds($0) })
    }
    #expect(set == [nil, .seconds(5), nil, nil, nil, .seconds(4), nil])
  }

  @Test func `that an earlier one has overtaken is not answered`() {
    var alarm = EarliestAlarm()
    var ringing = [5.0, 3, 4].compactMap { alarm.set(for: .seconds($0)) }
    #expect(ringing == [.seconds(5), .seconds(3)])
    // Deadlines come without end, each two seconds after the last; every alarm that is set rings.
    var answered = 0
    for second in 1...100 {
      let now = Instant.seconds(Double(second))
      for _ in ringing.filter({ $0 == now }) where alarm.rings(at: now) {
        answered += 1
        if let next = alarm.set(for: now + .seconds(2)) { ringing.append(next) }
      }
    }
    #expect(answered == 49 && ringing.count == 2 + 49, "3, 5, 7, …, 99")
  }

  @Test func `does not ring before its time, nor unless it is set`() {
    var alarm = EarliestAlarm()
    let unset = alarm.rings(at: .seconds(9))
    _ = alarm.set(for: .seconds(2))
    let early = alarm.rings(at: .seconds(1.999))
    let inTime = alarm.rings(at: .seconds(2))
    let again = alarm.rings(at: .seconds(2))
    #expect([unset, early, inTime, again] == [false, false, true, false])
  }
}
