/// Parameters of the reputation: each rule with a value that passes and one that is refused, by name.

import Testing

@testable import GossipCore

@Suite struct `Parameters of the reputation` {
  typealias Change = @Sendable (inout ReputationParameters) -> Void

  /// Which setting is refused after `change`, if any.
  func refused(_ change: (inout ReputationParameters) -> Void) -> String? {
    var configuration = Configuration()
    change(&configuration.reputation)
    do throws(ConfigurationError) {
      try configuration.validate()
      return nil
    } catch {
      return error.setting
    }
  }

  static let peerScore: [(String, Change)] = [
    ("", { $0.peerScore.topicScoreCap = 0 }), ("topicScoreCap", { $0.peerScore.topicScoreCap = -1 }),
    ("", { $0.peerScore.applicationWeight = -3 }), ("", { $0.peerScore.applicationWeight = 0 }),
    ("", { $0.peerScore.colocationWeight = -1 }), ("colocationWeight", { $0.peerScore.colocationWeight = 1 }),
    ("colocationThreshold", { ($0.peerScore.colocationWeight, $0.peerScore.colocationThreshold) = (-1, 0) }),
    ("", { ($0.peerScore.colocationWeight, $0.peerScore.colocationThreshold) = (-1, 1) }),
    ("", { $0.peerScore.colocationThreshold = 0 }),
    ("", { $0.peerScore.colocationExempt = [AddressRange([10, 0, 0, 0], bits: 32)] }),
    ("colocationExempt", { $0.peerScore.colocationExempt = [AddressRange([10, 0, 0, 0], bits: 33)] }),
    ("colocationExempt", { $0.peerScore.colocationExempt = [AddressRange([10, 0, 0], bits: 8)] }),
    ("behaviourWeight", { $0.peerScore.behaviourWeight = 0.1 }),
    ("behaviourThreshold", { $0.peerScore.behaviourThreshold = -1 }),
    ("", { $0.peerScore.behaviourThreshold = 0 }),
    ("behaviourDecay", { $0.peerScore.behaviourDecay = 0 }),
    ("behaviourDecay", { $0.peerScore.behaviourDecay = 1 }),
    ("", { $0.peerScore.behaviourDecay = 0.999 }),
    ("", { ($0.peerScore.behaviourWeight, $0.peerScore.behaviourDecay) = (0, 7) }),
    ("slowWeight", { $0.peerScore.slowWeight = 1 }), ("slowThreshold", { $0.peerScore.slowThreshold = -1 }),
    ("slowDecay", { $0.peerScore.slowDecay = 1 }), ("", { $0.peerScore.slowWeight = 0 }),
    ("", { $0.peerScore.decayInterval = .seconds(1) }),
    ("decayInterval", { $0.peerScore.decayInterval = .milliseconds(999) }),
    ("decayToZero", { $0.peerScore.decayToZero = 0 }), ("decayToZero", { $0.peerScore.decayToZero = 1 }),
    ("", { $0.peerScore.decayToZero = 0.5 }), ("retainFor", { $0.peerScore.retainFor = .zero }),
    ("", { $0.peerScore.retainFor = .seconds(1) }),
  ]

  // GS-137
  @Test(arguments: 0..<peerScore.count) func `hold the peer score to its rules`(index: Int) {
    let (setting, change) = Self.peerScore[index]
    #expect(refused(change) == (setting.isEmpty ? nil : "reputation.peerScore.\(setting)"))
  }

  static let topic: [(String, @Sendable (inout TopicScoreParameters) -> Void)] = [
    ("", { $0.weight = 0 }), ("weight", { $0.weight = -1 }),
    ("", { $0.timeInMeshWeight = 0 }), ("timeInMeshWeight", { $0.timeInMeshWeight = -1 }),
    ("timeInMeshQuantum", { $0.timeInMeshQuantum = .zero }),
    ("", { ($0.timeInMeshWeight, $0.timeInMeshQuantum) = (0, .zero) }),
    ("timeInMeshCap", { $0.timeInMeshCap = 0 }),
    ("", { ($0.timeInMeshWeight, $0.timeInMeshCap) = (0, 0) }),
    ("firstDeliveriesWeight", { $0.firstDeliveriesWeight = -1 }),
    ("firstDeliveriesDecay", { $0.firstDeliveriesDecay = 1 }),
    ("firstDeliveriesDecay", { $0.firstDeliveriesDecay = 0 }),
    ("firstDeliveriesCap", { $0.firstDeliveriesCap = 0 }),
    ("", { ($0.firstDeliveriesWeight, $0.firstDeliveriesDecay, $0.firstDeliveriesCap) = (0, 2, -1) }),
    ("", { $0.meshDeliveriesWeight = -1 }), ("meshDeliveriesWeight", { $0.meshDeliveriesWeight = 1 }),
    ("meshDeliveriesDecay", { ($0.meshDeliveriesWeight, $0.meshDeliveriesDecay) = (-1, 1) }),
    ("meshDeliveriesCap", { ($0.meshDeliveriesWeight, $0.meshDeliveriesCap) = (-1, 0) }),
    ("meshDeliveriesThreshold", { ($0.meshDeliveriesWeight, $0.meshDeliveriesThreshold) = (-1, 0) }),
    (
      "meshDeliveriesWindow",
      { ($0.meshDeliveriesWeight, $0.meshDeliveriesWindow) = (-1, .nanoseconds(-1)) }
    ),
    ("", { ($0.meshDeliveriesWeight, $0.meshDeliveriesWindow) = (-1, .zero) }),
    (
      "meshDeliveriesActivation",
      { ($0.meshDeliveriesWeight, $0.meshDeliveriesActivation) = (-1, .milliseconds(999)) }
    ),
    ("", { ($0.meshDeliveriesWeight, $0.meshDeliveriesActivation) = (-1, .seconds(1)) }),
    ("", { ($0.meshDeliveriesCap, $0.meshDeliveriesThreshold, $0.meshDeliveriesDecay) = (0, 0, 0) }),
    ("", { $0.meshFailureWeight = -1 }), ("meshFailureWeight", { $0.meshFailureWeight = 1 }),
    ("meshFailureDecay", { ($0.meshFailureWeight, $0.meshFailureDecay) = (-1, 0) }),
    ("", { $0.meshFailureDecay = 0 }),
    ("", { $0.invalidWeight = 0 }), ("invalidWeight", { $0.invalidWeight = 1 }),
    // P4's decay always counts.
    ("invalidDecay", { ($0.invalidWeight, $0.invalidDecay) = (0, 1) }),
    ("invalidDecay", { $0.invalidDecay = 0 }),
    ("", { $0 = .none }),
  ]

  // GS-137
  @Test(arguments: 0..<topic.count) func `hold each topic to its rules`(index: Int) {
    let (setting, change) = Self.topic[index]
    #expect(
      refused { change(&$0.topic) } == (setting.isEmpty ? nil : "reputation.topic.\(setting)"))
    var scoring = TopicScoreParameters()
    change(&scoring)
    var policy = TopicPolicy(scoring: scoring)
    #expect((try? policy.validate()) == nil || setting.isEmpty)
    #expect(policy.scoring == scoring)
    policy.scoring = nil
    #expect((try? policy.validate()) != nil)
  }

  static let others: [(String, Change)] = [
    ("thresholds.gossip", { $0.thresholds.gossip = 1 }), ("", { $0.thresholds.gossip = 0 }),
    ("thresholds.publish", { $0.thresholds.publish = -9 }), ("", { $0.thresholds.publish = -10 }),
    ("thresholds.graylist", { $0.thresholds.graylist = -49 }), ("", { $0.thresholds.graylist = -50 }),
    ("", { $0.thresholds.acceptPX = 0 }), ("thresholds.acceptPX", { $0.thresholds.acceptPX = -1 }),
    ("", { $0.thresholds.opportunisticGraft = 0 }),
    ("thresholds.opportunisticGraft", { $0.thresholds.opportunisticGraft = -1 }),
    ("", { ($0.partner.interestShare, $0.partner.speedShare, $0.partner.reliabilityShare) = (0, 0, 1) }),
    ("partner.interestShare", { $0.partner.interestShare = 0.3 }),
    ("partner.speedShare", { ($0.partner.interestShare, $0.partner.speedShare) = (0.7, -0.1) }),
    (
      "partner.reliabilityShare",
      { ($0.partner.interestShare, $0.partner.speedShare, $0.partner.reliabilityShare) = (0, 0, 1.1) }
    ),
    ("", { $0.partner.smoothing = 1 }), ("partner.smoothing", { $0.partner.smoothing = 0 }),
    ("partner.smoothing", { $0.partner.smoothing = 1.1 }),
    ("partner.halfLife", { $0.partner.halfLife = .zero }),
    ("partner.integrityHalfLife", { $0.partner.integrityHalfLife = .zero }),
    ("partner.bandwidthReference", { $0.partner.bandwidthReference = 0 }),
    ("partner.roundTripReference", { $0.partner.roundTripReference = .zero }),
    ("", { $0.partner.disruptionsMax = 1 }), ("partner.disruptionsMax", { $0.partner.disruptionsMax = 0 }),
    ("partner.disruptionWindow", { $0.partner.disruptionWindow = .zero }),
    ("selfBlame.window", { $0.selfBlame.window = .zero }), ("", { $0.selfBlame.share = 0 }),
    ("", { $0.selfBlame.share = 1 }), ("selfBlame.share", { $0.selfBlame.share = 1.1 }),
    ("", { $0.selfBlame.peersMin = 1 }), ("selfBlame.peersMin", { $0.selfBlame.peersMin = 0 }),
    ("", { $0.rememberedMax = 0 }), ("rememberedMax", { $0.rememberedMax = -1 }),
  ]

  // GS-137
  @Test(arguments: 0..<others.count) func `hold thresholds and factors to their rules`(index: Int) {
    let (setting, change) = Self.others[index]
    #expect(refused(change) == (setting.isEmpty ? nil : "reputation.\(setting)"))
  }

  static let numbers: [any WritableKeyPath<ReputationParameters, Double> & Sendable] = [
    \.peerScore.topicScoreCap, \.peerScore.applicationWeight, \.peerScore.colocationWeight,
    \.peerScore.behaviourWeight, \.peerScore.behaviourThreshold, \.peerScore.behaviourDecay,
    \.peerScore.slowWeight, \.peerScore.slowThreshold, \.peerScore.slowDecay, \.peerScore.decayToZero,
    \.topic.weight, \.topic.timeInMeshWeight, \.topic.timeInMeshCap, \.topic.firstDeliveriesWeight,
    \.topic.firstDeliveriesDecay, \.topic.firstDeliveriesCap, \.topic.meshDeliveriesWeight,
    \.topic.meshDeliveriesDecay, \.topic.meshDeliveriesCap, \.topic.meshDeliveriesThreshold,
    \.topic.meshFailureWeight, \.topic.meshFailureDecay, \.topic.invalidWeight, \.topic.invalidDecay,
    \.thresholds.gossip, \.thresholds.publish, \.thresholds.graylist, \.thresholds.acceptPX,
    \.thresholds.opportunisticGraft, \.partner.interestShare, \.partner.speedShare,
    \.partner.reliabilityShare, \.partner.smoothing, \.partner.bandwidthReference, \.selfBlame.share,
  ]

  // GS-137
  @Test(arguments: 0..<numbers.count) func `refuse what is no finite number, used or not`(index: Int) {
    for odd in [Double.nan, .signalingNaN, .infinity, -.infinity, 1e13, -1e13] {
      #expect(refused { $0[keyPath: Self.numbers[index]] = odd } != nil, "\(odd)")
    }
  }

  @Test func `are refused with reasons`() {
    var parameters = ReputationParameters()
    parameters.thresholds.publish = -5
    do throws(ConfigurationError) {
      try parameters.validate()
      Issue.record("they passed")
    } catch {
      #expect(
        error.description == "reputation.thresholds.publish: expected at most gossip (-10.0), found -5.0")
    }
  }
}
