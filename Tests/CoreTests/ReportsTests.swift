/// What the application reports of peers, and when that cuts them off.

import OrderedCollections
import Testing

@testable import GossipCore

@Suite struct `A count of reports` {
  func reports(_ change: (inout ReportParameters) -> Void = { _ in }) -> Reports {
    var parameters = ReportParameters()
    change(&parameters)
    return Reports(parameters, at: .zero)
  }

  func report(_ times: Int, of number: Int = 1, at seconds: Double, _ reports: inout Reports) {
    for _ in 0..<times { reports.report(peer(number), amount: 1, at: .seconds(seconds)) }
  }

  // BT-91
  @Test func `cuts off after a hundred and one within a heartbeat, for eighty-seven heartbeats`() {
    var reports = reports()
    #expect(reports.deadline(at: .zero) == nil)
    report(101, at: 4.3, &reports)
    #expect(reports.points(of: peer(1), at: .seconds(4.5)) == -87_264)
    #expect(reports.deadline(at: .seconds(4.5)) == .seconds(5))
    #expect(reports.beat(at: .seconds(5)) == [.init(peer: peer(1), duration: .seconds(87))])
    #expect(reports.points(of: peer(1), at: .seconds(91.9)) == -264)
    #expect(reports.points(of: peer(1), at: .seconds(92)) == 0)
    #expect(reports.deadline(at: .seconds(92)) == nil)
  }

  // BT-91
  @Test func `does not cut off at -86,400, nor for the same spread over time`() {
    var reports = reports()
    reports.report(peer(1), amount: 100, at: .zero)
    #expect(reports.points(of: peer(1), at: .zero) == -86_400)
    #expect(reports.beat(at: .seconds(1)).isEmpty)
    #expect(reports.points(of: peer(1), at: .seconds(1)) == -85_400)
    for second in 10..<1_000 {
      report(1, of: 2, at: Double(second), &reports)
      #expect(reports.beat(at: .seconds(Double(second) + 1)).isEmpty)
    }
    #expect(reports.points(of: peer(2), at: .seconds(1_000)) == 0)
  }

  // BT-91
  @Test func `cuts off for longer each time, the fourth time for about a day`() {
    var reports = reports()
    var now = 0.0
    var lengths: [Double] = []
    for _ in 1...5 {
      report(101, at: now, &reports)
      let cutOffs = reports.beat(at: .seconds(now + 1))
      guard let length = cutOffs.first?.duration.inSeconds, cutOffs.count == 1 else { return }
      lengths.append(length)
      now += 1 + length
      #expect(reports.points(of: peer(1), at: .seconds(now - 1)) < 0)
      #expect(reports.points(of: peer(1), at: .seconds(now)) == 0)
    }
    #expect(lengths == [87, 872, 8_726, 87_263, 87_263])
  }

  // BT-91
  @Test func `prolongs a cut-off by further reports`() {
    var reports = reports()
    report(101, at: 0, &reports)
    _ = reports.beat(at: .seconds(1))
    report(10, at: 1.5, &reports)
    // -86,264 and 8,640 more: 95 heartbeats from then on, the first at once.
    #expect(reports.beat(at: .seconds(2)) == [.init(peer: peer(1), duration: .seconds(94))])
    #expect(reports.points(of: peer(1), at: .seconds(96)) == 0)
  }

  @Test func `takes no amount beyond a hundred, and nothing that overflows`() {
    var reports = reports()
    reports.report(peer(1), amount: .max, at: .zero)
    reports.report(peer(2), amount: .min, at: .zero)
    #expect(reports.points(of: peer(1), at: .zero) == -86_400)
    #expect(reports.points(of: peer(2), at: .zero) == -864)
    for _ in 0..<10_000 { reports.report(peer(3), amount: 100, at: .zero) }
    #expect(reports.beat(at: .seconds(1)).map(\.peer) == [peer(3)])
    #expect(reports.points(of: peer(3), at: Instant(nanoseconds: .max)) == 0)
  }

  @Test func `forgets whoever has the least against it`() {
    var reports = reports { $0.peersMax = 3 }
    report(200, of: 1, at: 0, &reports)
    _ = reports.beat(at: .seconds(1))
    report(5, of: 2, at: 2, &reports)
    report(2, of: 3, at: 2, &reports)
    report(1, of: 4, at: 2, &reports)
    #expect(reports.count == 3 && reports.evicted == 1)
    #expect(reports.points(of: peer(3), at: .seconds(2)) == 0)
    #expect(reports.points(of: peer(2), at: .seconds(2)) < 0)
    for number in 10..<100 { report(1, of: number, at: 3, &reports) }
    #expect(reports.count == 3 && reports.points(of: peer(1), at: .seconds(3)) < -100_000)
  }

  // BT-91
  @Test func `outlives a restart, with what came back meanwhile`() {
    var reports = reports()
    report(202, of: 1, at: 0, &reports)
    report(10, of: 2, at: 0, &reports)
    _ = reports.beat(at: .seconds(1))
    let kept = reports.kept(at: .seconds(1))
    #expect(kept.count == 2 && kept[peer(1)]?.cutOffs == 1)
    var again = Reports(ReportParameters(), at: .seconds(7))
    for (peer, entry) in kept {
      again.restore(peer, points: entry.points, cutOffs: entry.cutOffs, age: .seconds(100), at: .seconds(7))
    }
    #expect(again.points(of: peer(1), at: .seconds(7)) == -202.0 * 864 + 101_000)
    #expect(again.points(of: peer(2), at: .seconds(7)) == 0)
    again.restore(peer(3), points: .nan, cutOffs: 1, age: .zero, at: .seconds(7))
    again.restore(peer(1), points: -5, cutOffs: 9, age: .zero, at: .seconds(7))
    #expect(again.count == 2 && again.points(of: peer(1), at: .seconds(7)) < -1_000)
    // The next cut-off is the second.
    report(101, of: 1, at: 200, &again)
    #expect(again.beat(at: .seconds(201)) == [.init(peer: peer(1), duration: .seconds(872))])
  }
}
