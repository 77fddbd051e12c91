import ArgumentParser
import GossipCore
import GossipSim

/// `gossip simulate --attacks` and `--swarm`: many scenarios, each judged from outside.
extension Simulate {
  func runAttacks() throws {
    var attacks = Attacks(try table())
    if !options.attack.isEmpty { attacks.adversaries = [nil] + options.attack.map { $0.adversary } }
    if let spread = options.spread { attacks.manners = [spread] }
    if defended { attacks.defences.removeAll { $0.name == "off" } }
    attacks.seeds = (0..<UInt64(runs)).map { attacks.scenario.seed &+ $0 }
    var bar = ProgressBar("attacking")
    let rows: [Attacks.Row]
    do {
      rows = try attacks.run {
        bar.show($0)
      } row: { row in
        guard json else { return }
        bar.clear()
        Terminal.print(row.json)
      }
    } catch {
      Terminal.say("gossip: \(error)")
      throw Exit.badConfiguration
    }
    bar.clear()
    if !json {
      for line in Table.render([Attacks.columns] + rows.map(\.cells)) { Terminal.print(line) }
    }
    let faults = rows.flatMap { row in
      row.faults.map { "\(row.adversary?.rawValue ?? "nobody") against \(row.manner), \($0)" }
    }
    if check { try complain(of: faults) }
  }

  private func table() throws -> Scenario {
    var scenario = Attacks.usual
    try options.apply(to: &scenario)
    scenario.adversaries = []
    return scenario
  }

  /// The seed that was asked for, so many from it on, or as many as fit into the time.
  func runSwarm() throws {
    if let seed = options.seed, span == nil, scenarios == nil { return try complain(of: run(seed: seed)) }
    let usual = scenarios == nil ? Duration.seconds(10) : .seconds(86_400)
    let end = ContinuousClock.now + (span?.duration ?? usual)
    var seed = options.seed ?? UInt64.random(in: 0...(1 << 48))
    var runs = 0
    while ContinuousClock.now < end, runs < scenarios ?? .max {
      let faults = try run(seed: seed)
      runs += 1
      guard faults.isEmpty else {
        for fault in faults { Terminal.say("gossip: VIOLATION: \(fault)") }
        Terminal.say("to repeat it: gossip simulate --swarm --seed \(seed)")
        throw Exit.failed
      }
      seed &+= 1
    }
    Terminal.say("\(runs) scenarios, all well")
  }

  private func run(seed: UInt64) throws -> [String] {
    let scenario = Swarm.scenario(seed: seed)
    if !json { Terminal.print(Swarm.summary(scenario)) }
    let report: Report
    do { report = try scenario.run() } catch {
      Terminal.say("gossip: seed \(seed): \(error)")
      throw Exit.badConfiguration
    }
    if json { Terminal.print(report.json) }
    return Swarm.faults(of: scenario, in: report)
  }
}
