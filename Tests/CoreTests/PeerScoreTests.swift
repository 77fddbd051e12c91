/// GossipSub's peer score, term by term, with the figures of the fact sheet's examples.

import Testing

@testable import GossipCore

/// A reputation with parameters of which only those that are named count.
struct Judged {
  var reputation: Reputation
  let topic: Topic = "t"

  init(_ change: (inout ReputationParameters) -> Void = { _ in }) {
    var parameters = ReputationParameters()
    parameters.topic = TopicScoreParameters()
    (parameters.topic.timeInMeshWeight, parameters.topic.firstDeliveriesWeight) = (0, 0)
    parameters.topic.invalidWeight = 0
    parameters.peerScore.topicScoreCap = 0
    (parameters.peerScore.behaviourWeight, parameters.peerScore.slowWeight) = (0, 0)
    change(&parameters)
    do { try parameters.validate() } catch { Issue.record("\(error)") }
    reputation = Reputation(parameters, at: .zero)
    reputation.follow("t", nil)
    for number in 1...4 { reputation.connected(peer(number), at: .zero) }
  }

  mutating func deliver(_ numbers: Range<Int>, by holders: Int..., at seconds: Double = 0) {
    for number in numbers {
      reputation.delivered(id(number), by: holders.map(peer), on: "t", at: .seconds(seconds))
    }
  }

  mutating func see(
    _ observation: Observation, _ count: Int = 1, of number: Int = 1, on topic: Topic? = nil,
    at seconds: Double = 0
  ) {
    reputation.observe(observation, of: peer(number), on: topic, count: count, at: .seconds(seconds))
  }

  mutating func pass(to seconds: Double) { reputation.decay(at: .seconds(seconds)) }

  func score(_ number: Int = 1) -> Double { reputation.score(of: peer(number)) }
}

/// Equal but for rounding.
func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * max(1, abs(a), abs(b)) }

@Suite struct `A peer score` {
  // GS-126
  @Test func `rises with the time in the mesh up to a cap, and not outside of it`() {
    var judged = Judged {
      $0.topic.timeInMeshWeight = 0.5
      $0.topic.timeInMeshCap = 20
    }
    judged.reputation.grafted(peer(1), on: "t", at: .zero)
    #expect(judged.score() == 0)
    judged.pass(to: 11.2)
    #expect(judged.score() == 5.5)
    #expect(judged.score(2) == 0)
    judged.pass(to: 100)
    #expect(judged.score() == 10)
    #expect(judged.reputation.nextTick == .distantFuture)  // nothing changes any more
    judged.reputation.pruned(peer(1), on: "t", at: .seconds(101))
    #expect(judged.score() == 0)
    judged.reputation.grafted(peer(1), on: "t", at: .seconds(102))
    judged.pass(to: 104)
    #expect(judged.score() == 1)
  }

  // GS-127
  @Test func `rises with first deliveries, which are capped and decay`() {
    var judged = Judged {
      $0.topic.firstDeliveriesWeight = 1
      $0.topic.firstDeliveriesCap = 50
    }
    judged.deliver(0..<100, by: 1, 2)
    #expect(judged.score() == 50)
    #expect(judged.score(2) == 0)
    var uncapped = Judged {
      $0.topic.firstDeliveriesWeight = 1
      $0.topic.firstDeliveriesCap = 1_000
      $0.topic.firstDeliveriesDecay = 0.9
    }
    uncapped.deliver(0..<100, by: 1)
    #expect(uncapped.score() == 100)
    uncapped.pass(to: 1)
    #expect(isClose(uncapped.score(), 90))
    // Several intervals at once are the same as one by one.
    uncapped.pass(to: 4)
    #expect(isClose(uncapped.score(), 65.61))
    uncapped.pass(to: 500)
    #expect(uncapped.score() == 0)
    #expect(uncapped.reputation.nextTick == .distantFuture)
  }

  static let watched: @Sendable (inout ReputationParameters) -> Void = {
    $0.topic.meshDeliveriesWeight = -1
    $0.topic.meshDeliveriesThreshold = 20
    $0.topic.meshDeliveriesDecay = 0.999_999
    $0.topic.meshDeliveriesWindow = .milliseconds(10)
    $0.topic.meshDeliveriesActivation = .seconds(5)
  }

  // GS-128
  @Test func `falls by the square of missing deliveries once a partner had its time`() {
    var judged = Judged(Self.watched)
    judged.reputation.grafted(peer(1), on: "t", at: .zero)
    judged.pass(to: 5)
    #expect(judged.score() == 0)  // as long as the activation, not longer
    judged.pass(to: 6)
    #expect(judged.score() == -400)
    judged.deliver(0..<15, by: 1, at: 6)
    #expect(judged.score() == -25)
    judged.deliver(15..<40, by: 1, at: 6)
    #expect(judged.score() == 0)
    #expect(judged.score(2) == 0)
  }

  // GS-128
  @Test func `counts copies within the window as deliveries, once per peer, of partners only`() {
    var judged = Judged(Self.watched)
    for number in 1...3 { judged.reputation.grafted(peer(number), on: "t", at: .zero) }
    judged.pass(to: 6)
    judged.deliver(0..<10, by: 1, 2, at: 6)
    #expect([1, 2, 3, 4].map { judged.score($0) } == [-100, -100, -400, 0])
    for number in 0..<10 {
      judged.reputation.duplicate(id(number), by: peer(2), on: "t", at: .seconds(6.005))  // once already
      judged.reputation.duplicate(id(number), by: peer(4), on: "t", at: .seconds(6.005))  // no partner
      judged.reputation.duplicate(id(number), by: peer(3), on: "t", at: .seconds(number < 5 ? 6.01 : 6.011))
    }
    #expect([1, 2, 3, 4].map { judged.score($0) } == [-100, -100, -225, 0])
    judged.reputation.duplicate(id(0), by: peer(3), on: "t", at: .seconds(6.01))
    judged.reputation.duplicate(id(99), by: peer(3), on: "t", at: .seconds(6.01))
    #expect(judged.score(3) == -225)
  }

  @Test func `watches no copies where deliveries have no weight, and so many at most where they have`() {
    var judged = Judged()
    judged.deliver(0..<10, by: 1)
    #expect(judged.reputation.deliveriesWatched == 0)
    judged = Judged(Self.watched)
    judged.deliver(0..<Deliveries.countMax + 5, by: 1)
    #expect(judged.reputation.deliveriesWatched == Deliveries.countMax)
    #expect(judged.reputation.evicted == 5)
    judged.deliver(20_000..<20_001, by: 1, at: 1)
    #expect(judged.reputation.deliveriesWatched == 1)  // the others' time is over
  }

  // GS-129
  @Test func `keeps a deficit at the prune as failure, which decays and outlives another graft`() {
    var judged = Judged {
      Self.watched(&$0)
      $0.topic.meshFailureWeight = -1
      $0.topic.meshFailureDecay = 0.5
    }
    judged.reputation.grafted(peer(1), on: "t", at: .zero)
    judged.pass(to: 6)
    judged.reputation.pruned(peer(1), on: "t", at: .seconds(6))
    #expect(judged.score() == -400)
    judged.reputation.grafted(peer(1), on: "t", at: .seconds(6))
    #expect(judged.score() == -400)
    judged.pass(to: 7)
    #expect(judged.score() == -200)
    judged.reputation.pruned(peer(1), on: "t", at: .seconds(7))  // not active again yet
    #expect(judged.score() == -200)
  }

  // GS-130
  @Test func `falls by the square of invalid messages, which decay`() {
    var judged = Judged {
      $0.topic.invalidWeight = -1
      $0.topic.invalidDecay = 0.5
    }
    judged.see(.invalidMessage, 100, on: "t")
    #expect(judged.score() == -10_000)
    judged.pass(to: 1)
    #expect(judged.score() == -2_500)
    judged.see(.invalidMessage, on: "t", at: 1.5)
    #expect(judged.score() == -51 * 51)
  }

  // GS-131
  @Test func `has the application's own score in it, if that is a number`() {
    var judged = Judged { $0.peerScore.applicationWeight = 0.5 }
    judged.reputation.applicationScore(peer(1), -8)
    #expect(judged.score() == -4)
    #expect(judged.reputation.standing(of: peer(1)) == .gossipOnly)
    for odd in [Double.nan, .infinity, -.infinity] {
      judged.reputation.applicationScore(peer(1), odd)
      #expect(judged.score() == 0)
    }
    judged.reputation.applicationScore(peer(99), -8)
    #expect(judged.score(99) == 0)
  }

  // GS-131
  @Test func `falls with the peers that share an address`() {
    var judged = Judged {
      ($0.peerScore.colocationWeight, $0.peerScore.colocationThreshold) = (-1, 1)
      $0.peerScore.colocationExempt = [AddressRange([10, 0, 0, 0], bits: 9)]
    }
    func connect(_ numbers: ClosedRange<Int>, at ip: [UInt8]) {
      for number in numbers { judged.reputation.connected(peer(number), ip: ip, at: .zero) }
    }
    func scores(_ numbers: ClosedRange<Int>) -> [Double] { numbers.map { judged.score($0) } }
    connect(11...13, at: [1, 2, 3, 4])
    #expect(scores(11...13) == [-4, -4, -4])
    connect(21...23, at: [127, 0, 0, 9])
    connect(24...26, at: [10, 127, 0, 1])
    #expect(scores(21...26) == [0, 0, 0, 0, 0, 0])
    connect(27...28, at: [10, 128, 0, 1])  // outside the range
    #expect(scores(27...28) == [-1, -1])
    // An IPv4 address in IPv6's clothes.
    connect(14...14, at: [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 1, 2, 3, 4])
    #expect(scores(11...14) == [-9, -9, -9, -9])
    judged.reputation.disconnected(peer(14), at: .zero)
    judged.reputation.disconnected(peer(13), at: .zero)
    #expect(scores(11...12) == [-1, -1])
    // Different addresses of one /64, and one address twice, which counts for both.
    let prefix: [UInt8] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1]
    for number in 31...33 { connect(number...number, at: prefix + [0, 0, 0, 0, 0, 0, 0, UInt8(number)]) }
    #expect(scores(31...33) == [-4, -4, -4])
    connect(34...34, at: prefix + [0, 0, 0, 0, 0, 0, 0, 31])
    #expect(scores(31...34) == [-10, -9, -9, -10])
    connect(41...43, at: [])
    #expect(scores(41...43) == [0, 0, 0])
  }

  // GS-132
  @Test func `falls by the square of misbehaviour above its threshold`() {
    var judged = Judged {
      ($0.peerScore.behaviourWeight, $0.peerScore.behaviourThreshold) = (-1, 0)
      $0.peerScore.behaviourDecay = 0.99
    }
    judged.see(.earlyGraft)
    #expect(judged.score() == -1)
    judged.see(.earlyGraft)
    #expect(judged.score() == -4)
    judged.pass(to: 1)
    #expect(isClose(judged.score(), -3.9204))
    var lenient = Judged { ($0.peerScore.behaviourWeight, $0.peerScore.behaviourThreshold) = (-1, 5) }
    lenient.see(.earlyGraft, 5)
    #expect(lenient.score() == 0)
    lenient.see(.earlyGraft, 2)
    #expect(lenient.score() == -4)
  }

  // GS-133
  @Test func `is capped over all topics where these add, and not where they take away`() {
    var judged = Judged {
      $0.peerScore.topicScoreCap = 30
      $0.topic.firstDeliveriesWeight = 1
      $0.topic.invalidWeight = -1
    }
    judged.reputation.follow("u", nil)
    judged.deliver(0..<40, by: 1)
    #expect(judged.score() == 30)
    judged.reputation.applicationScore(peer(1), 5)
    #expect(judged.score() == 35)  // not of the topics
    judged.see(.invalidMessage, 20, on: "u")
    #expect(judged.score() == 40 - 400 + 5)
  }

  // GS-134
  @Test func `is forgotten at parting if positive, and kept as it is for a while if not`() {
    var judged = Judged {
      $0.topic.firstDeliveriesWeight = 1
      $0.topic.invalidWeight = -1
      $0.topic.invalidDecay = 0.5
      $0.peerScore.retainFor = .seconds(100)
    }
    judged.deliver(0..<10, by: 1)
    judged.deliver(10..<20, by: 2)
    judged.see(.invalidMessage, 5, of: 2, on: "t")
    #expect([judged.score(1), judged.score(2)] == [10, -15])
    for number in [1, 2] { judged.reputation.disconnected(peer(number), at: .zero) }
    #expect([judged.score(1), judged.score(2)] == [0, -25])  // first deliveries are gone
    judged.pass(to: 99)
    for number in [1, 2] { judged.reputation.connected(peer(number), at: .seconds(99)) }
    #expect([judged.score(1), judged.score(2)] == [0, -25])
    #expect(judged.reputation.standing(of: peer(2)) == .ignored)
    judged.pass(to: 100)
    #expect(judged.score(2) == -6.25)
    judged.reputation.disconnected(peer(2), at: .seconds(100))
    judged.reputation.connected(peer(2), at: .seconds(200))
    #expect(judged.score(2) == 0)
  }

  // GS-134
  @Test func `of peers that left is kept for a bounded number, the bad ones longest`() {
    var judged = Judged {
      $0.topic.invalidWeight = -1
      $0.rememberedMax = 3
    }
    for number in 10..<20 { judged.reputation.connected(peer(number), at: .zero) }
    for number in [10, 11] { judged.see(.invalidMessage, of: number, on: "t") }
    for number in 12..<20 { judged.deliver(number..<number + 1, by: number) }
    for number in 10..<20 { judged.reputation.disconnected(peer(number), at: .zero) }
    #expect(judged.reputation.remembered == 3)
    #expect(judged.reputation.evicted == 7)
    #expect([10, 11, 19].map { judged.score($0) } == [-1, -1, 0])
    // Who comes and goes fills nothing.
    for _ in 0..<10 {
      judged.reputation.connected(peer(10), at: .zero)
      judged.reputation.disconnected(peer(10), at: .zero)
    }
    judged.reputation.connected(peer(30), at: .zero)
    judged.reputation.disconnected(peer(30), at: .zero)  // nothing is known of it
    #expect(judged.reputation.remembered == 3)
    #expect(judged.score(11) == -1)
  }

  // GS-135
  @Test func `follows changed parameters, with counters below the new caps`() {
    var judged = Judged {
      $0.topic.firstDeliveriesWeight = 1
      $0.topic.firstDeliveriesCap = 100
    }
    judged.deliver(0..<200, by: 1)
    #expect(judged.score() == 100)
    var lower = judged.reputation.parameters.topic
    lower.firstDeliveriesCap = 50
    judged.reputation.follow("t", lower)
    #expect(judged.score() == 50)
    lower.firstDeliveriesCap = 100
    judged.reputation.follow("t", lower)
    #expect(judged.score() == 50)
    judged.reputation.forget("t")
    #expect(judged.score() == 0)
    judged.reputation.follow("u", nil)  // takes the place, not the counters
    #expect(judged.score() == 0)
  }

  // GS-135
  @Test func `is not touched by topics that are not scored, and is always a number`() {
    var judged = Judged()
    judged.reputation.delivered(id(1), by: [peer(1)], on: "v", at: .zero)
    judged.reputation.duplicate(id(1), by: peer(1), on: "v", at: .zero)
    judged.reputation.grafted(peer(1), on: "v", at: .zero)
    judged.reputation.pruned(peer(1), on: "v", at: .zero)
    judged.see(.invalidMessage, 3, on: "v")
    #expect(judged.score() == 0)
    judged.reputation.forget("v")
    // Counters beyond all bounds, under weights of 0 and under the greatest ones.
    var extreme = Judged {
      $0.topic.invalidWeight = -1e12
      $0.topic.weight = 1e12
      $0.topic.firstDeliveriesWeight = 1e12
      $0.topic.firstDeliveriesCap = 1e12
      ($0.peerScore.behaviourWeight, $0.peerScore.slowWeight) = (-1e12, -1e12)
    }
    for _ in 0..<100 {
      for observation in Observation.allCases {
        judged.see(observation, .max, on: "t")
        judged.see(observation, .max)
        extreme.see(observation, .max, on: "t")
        extreme.see(observation, .max)
      }
    }
    extreme.deliver(0..<10, by: 1)
    for number in [judged.score(), extreme.score()] { #expect(number.isFinite) }
    judged.pass(to: 1e9)
    extreme.pass(to: 1e9)
    for number in [judged.score(), extreme.score()] { #expect(number.isFinite) }
    #expect(extreme.reputation.partnerScore(of: peer(1), at: .seconds(1e9)).isFinite)
  }

  // GS-140
  @Test func `shows silence on one topic and service on another side by side`() {
    var judged = Judged {
      Self.watched(&$0)
      $0.topic.firstDeliveriesWeight = 1
      $0.peerScore.topicScoreCap = 20
    }
    judged.reputation.follow("u", nil)
    for topic: Topic in ["t", "u"] { judged.reputation.grafted(peer(1), on: topic, at: .zero) }
    judged.deliver(0..<60, by: 1, at: 1)
    judged.pass(to: 6)
    let explanation = judged.reputation.explain(peer(1), at: .seconds(6))
    let silence = explanation.terms.first { $0.topic == "u" }
    let service = explanation.terms.first { $0.topic == "t" }
    #expect(silence?.kind == .meshDeliveries && silence?.counter == 0 && silence?.contribution == -400)
    #expect(service?.kind == .firstDeliveries && service.map { $0.contribution > 50 } == true)
    #expect(isClose(explanation.terms.reduce(0) { $0 + $1.contribution }, explanation.score))
    #expect(explanation.description.contains("P3 mesh deliveries on u"))
  }

  @Test func `falls linearly for a peer that does not read, and never far`() {
    var judged = Judged { $0.peerScore.slowWeight = ReputationParameters().peerScore.slowWeight }
    for second in 0..<600 {
      judged.pass(to: Double(second))
      judged.see(.stalled, 100, at: Double(second))
    }
    #expect(judged.score() < -1)
    #expect(judged.reputation.verdict(on: peer(1)) == .gossipOnly)
  }

  @Test func `decays by a factor that follows from the time it should take`() {
    func decay(_ time: Duration) -> Double { PeerScoreParameters.decay(over: time) }
    #expect(abs(decay(.seconds(60)) - 0.926_119) < 1e-6)
    #expect(abs(decay(.seconds(600)) - 0.992_354) < 1e-6)
    #expect(abs(decay(.seconds(3_600)) - 0.998_722) < 1e-6)
    #expect(abs(PeerScoreParameters.decay(over: .seconds(24), every: .seconds(12), to: 0.25) - 0.5) < 1e-9)
  }
}

@Suite struct `A standing` {
  @Test func `follows from the score and its thresholds`() {
    let thresholds = ScoreThresholds()
    let scores = [1, 0, -0.1, -10, -10.1, -80, -80.1]
    #expect(
      scores.map { Standing($0, thresholds) } == [
        .welcome, .welcome, .gossipOnly, .gossipOnly, .ignored, .ignored, .blocked,
      ])
    #expect(Standing.allCases == Standing.allCases.sorted())
  }

  @Test func `is told when it changes, and comes back with time`() {
    var judged = Judged { $0.topic.invalidWeight = -20 }
    judged.see(.invalidMessage, 3, on: "t")
    #expect(judged.reputation.standing(of: peer(1)) == .blocked)
    #expect(!judged.reputation.isPublishedTo(peer(1)))
    #expect(
      judged.reputation.takeNotices() == [.standing(peer(1), .blocked, from: .welcome, isActing: true)])
    judged.pass(to: 300)
    #expect(judged.reputation.standing(of: peer(1)) == .gossipOnly)
    judged.pass(to: 1_000)
    #expect(judged.reputation.standing(of: peer(1)) == .welcome)
    #expect(judged.reputation.isPublishedTo(peer(1)))
    #expect(judged.reputation.takeNotices().count == 2)
  }

  // BT-90
  @Test func `is only told in watching mode, and nothing is counted when off`() {
    var judged = Judged {
      $0.topic.invalidWeight = -20
      $0.mode = .watching
    }
    judged.see(.invalidMessage, 3, on: "t")
    #expect(judged.reputation.standing(of: peer(1)) == .welcome)
    #expect(judged.reputation.isPublishedTo(peer(1)))
    #expect(judged.reputation.verdict(on: peer(1)) == .blocked)
    #expect(
      judged.reputation.takeNotices() == [.standing(peer(1), .blocked, from: .welcome, isActing: false)])
    let explanation = judged.reputation.explain(peer(1), at: .zero)
    #expect(explanation.verdict == .blocked && explanation.standing == .welcome)
    #expect(explanation.description.contains("would be blocked"))

    var off = Judged { $0.mode = .off }
    off.see(.garbled, 100)
    off.deliver(0..<10, by: 1)
    #expect(off.reputation.count == 0)
    #expect(off.score() == 0)
    #expect(off.reputation.nextTick == .distantFuture)
  }

  @Test func `is explained with the last observations`() {
    var judged = Judged()
    judged.see(.invalidMessage, 3, on: "t")
    judged.see(.invalidMessage, 1, on: "t")
    for second in 1...40 { judged.see(.earlyGraft, at: Double(second)) }
    let sightings = judged.reputation.explain(peer(1), at: .seconds(40)).sightings
    #expect(sightings.count == Reputation.sightingsMax)
    #expect(
      sightings.last == Sighting(observation: .earlyGraft, topic: nil, count: 1, at: .seconds(40)))
    judged = Judged()
    judged.see(.invalidMessage, 3, on: "t")
    judged.see(.invalidMessage, 1, on: "t", at: 0.5)
    #expect(
      judged.reputation.explain(peer(1), at: .zero).sightings == [
        Sighting(observation: .invalidMessage, topic: "t", count: 4, at: .seconds(0.5))
      ])
  }
}
