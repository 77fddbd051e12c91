import GossipCore

/// Scenarios drawn from a seed: network, workload, adversaries and disturbances alike.
public enum Swarm {
  /// The scenario of this seed; always the same.
  ///
  /// What a random network cannot promise is not asked of it, see `faults(of:in:)`.
  public static func scenario(seed: UInt64) -> Scenario {
    var dice = WorldDice(seed: seed &* 0x9e37_79b9_7f4a_7c15 ^ 0x7377_6172_6d)
    var scenario = Scenario()
    scenario.seed = seed
    scenario.nodes = [1, 2, 3, 5, 8, 13, 20, 30, 40].randomElement(using: &dice)!
    scenario.topology = drawTopology(scenario.nodes, &dice)
    drawPolicy(&scenario, &dice)
    drawNetwork(&scenario, &dice)
    scenario.messages = Int.random(in: 1...60, using: &dice)
    scenario.rate = [1, 5, 20, 50].randomElement(using: &dice)!
    scenario.size = [8, 100, 1_024, 5_000, 40_000].randomElement(using: &dice)!
    if chance(0.6, &dice) { drawAdversaries(&scenario, &dice) }
    scenario.publishers = Int.random(in: 1...scenario.honest, using: &dice)
    if chance(0.6, &dice) { drawDisturbances(&scenario, &dice) }
    scenario.messagesAfter = Int.random(in: 1...10, using: &dice)
    scenario.patience = .seconds(90)
    scenario.eventsMax = 20_000_000  // ten times what the busiest of the first thousand takes
    return scenario
  }

  /// What is wrong with a run of a scenario; empty if all is well.
  ///
  /// Safety must hold in any case. Everything must arrive where a healer compares digests, nobody is hostile enough to
  /// get in its way, and the store keeps messages as long as that takes; and in healthy networks whose manner of
  /// spreading leaves nothing to chance.
  public static func faults(of scenario: Scenario, in report: Report) -> [String] {
    var faults = report.violations
    // Push and infection reach most members, and leave the rest to a healer.
    let isCertain = ![.push, .infection].contains(scenario.policy.spread)
    let isHealthy = !scenario.isHard && scenario.network.loss == 0 && isCertain
    if report.coverage < 1, isHealthy || mustHeal(scenario) {
      faults.append("everyone: \(report.owed - report.delivered) of \(report.owed) deliveries did not happen")
      faults += report.missing
    }
    return faults
  }

  private static func mustHeal(_ scenario: Scenario) -> Bool {
    guard scenario.policy.heal.digestsEvery != nil, case .full = scenario.topology else { return false }
    return true
  }

  private static func chance(_ share: Double, _ dice: inout WorldDice) -> Bool {
    Double.random(in: 0..<1, using: &dice) < share
  }

  private static func drawTopology(_ nodes: Int, _ dice: inout WorldDice) -> Topology {
    nodes <= 20 && chance(0.5, &dice) ? .full : .random(dials: Int.random(in: 4...10, using: &dice))
  }

  private static func drawPolicy(_ scenario: inout Scenario, _ dice: inout WorldDice) {
    scenario.policy.spread = Manner.spreading.filter { $0 != .direct }.randomElement(using: &dice)!
    if chance(0.3, &dice) {
      (scenario.policy.signing, scenario.policy.identification) = (.strictNoSign, .contentHash)
    }
    scenario.policy.isJudged = chance(0.3, &dice)
    if chance(0.6, &dice) {
      scenario.policy.heal = .digests(every: .seconds(Int.random(in: 1...4, using: &dice)))
    }
    scenario.policy.retention = .during(.seconds(300))
    // Others would bring again what a node has forgotten, if its memory were not the longer one on any clock.
    scenario.configuration.limits.seenFor = .seconds(1_800)
    if chance(0.1, &dice) { scenario.policy.objects = ObjectPolicy(threshold: 10_000, pieceSize: 8_192) }
    if chance(0.3, &dice) { scenario.configuration.gossipSub.setDegree(Int.random(in: 3...10, using: &dice)) }
    scenario.configuration.limits.wantsMax = [256, 4_096, 1 << 16].randomElement(using: &dice)!
    scenario.configuration.limits.checksOpen = [256, 8_192].randomElement(using: &dice)!
  }

  private static func drawNetwork(_ scenario: inout Scenario, _ dice: inout WorldDice) {
    let low = Int.random(in: 1...100, using: &dice)
    scenario.network.latency =
      .milliseconds(low) ... .milliseconds(low + Int.random(in: 0...100, using: &dice))
    scenario.network.jitter = .milliseconds([0, 0, 20, 200].randomElement(using: &dice)!)
    scenario.network.bandwidth = [500_000, 12_500_000].randomElement(using: &dice)!
    if chance(0.2, &dice) { scenario.network.loss = Double.random(in: 0...0.1, using: &dice) }
  }

  private static func drawAdversaries(_ scenario: inout Scenario, _ dice: inout WorldDice) {
    // Where nobody signs, whatever a spammer alters is a new message, which it alters again: without end.
    let isAnonymous = scenario.policy.signing == .strictNoSign
    let adversaries = Adversary.allCases.filter { !isAnonymous || $0 != .spammer }
    var rest = (scenario.nodes - 1) / 3
    while rest > 0, scenario.adversaries.count < 3 {
      let adversary = adversaries.randomElement(using: &dice)!
      let count = Int.random(in: 1...rest, using: &dice)
      scenario.adversaries.append(Scenario.Troop(adversary, count))
      rest -= count
    }
  }

  private static func drawDisturbances(_ scenario: inout Scenario, _ dice: inout WorldDice) {
    let span = Int(Double(scenario.messages) / scenario.rate * 1_000)
    for _ in 0..<Int.random(in: 1...3, using: &dice) {
      let count = Int.random(in: 1...max(1, scenario.honest / 3), using: &dice)
      let share = Double(Int.random(in: 1...5, using: &dice)) / 10
      let kinds: [Disturbance.Kind] = [
        .crash(count), .restart(count), .partition(share), .oneWay(share), .loss(share), .clog(count),
        .skew(count), .churn(every: .milliseconds(500 * count)), .load(Double(1 + count % 5)),
      ]
      let from = Int.random(in: 0...span, using: &dice)
      let length = Int.random(in: 100...10_000, using: &dice)
      scenario.disturbances.append(
        Disturbance(
          kinds.randomElement(using: &dice)!, from: .milliseconds(from), until: .milliseconds(from + length)))
    }
  }

  /// The parameters of a scenario on one line.
  public static func summary(_ scenario: Scenario) -> String {
    var words = [
      "seed \(scenario.seed)", "\(scenario.nodes) nodes", "\(scenario.topology)", "\(scenario.policy.spread)",
    ]
    if let every = scenario.policy.heal.digestsEvery {
      words.append("healed every \(Int(every.inSeconds)) s")
    }
    if scenario.policy.signing != .strictSign { words.append("\(scenario.policy.signing)") }
    if scenario.policy.isJudged { words.append("judged") }
    if scenario.policy.objects != nil { words.append("objects") }
    words.append("\(scenario.messages) messages of \(scenario.size) bytes, \(Int(scenario.rate)) a second")
    if scenario.network.loss > 0 { words.append("loss \(Report.rounded(scenario.network.loss))") }
    words += scenario.adversaries.map { "\($0.count) \($0.adversary.rawValue)" }
    words += scenario.disturbances.map(\.description)
    return words.joined(separator: ", ")
  }
}
