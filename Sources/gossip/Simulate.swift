import ArgumentParser
import Foundation
import GossipCore
import GossipSim

/// `gossip simulate`: a network on a virtual clock.
struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a network of the same nodes on a virtual clock and report what happened.",
    discussion: """
      The same seed gives the same life, to the last byte: the fingerprint shows it. A scenario file says what the \
      options say, under the same names; options overrule it.

        gossip simulate --nodes 300 --messages 100 --seed 7
        gossip simulate --scenario Scenarios/100.yaml --spread infection
        gossip simulate --scenario Scenarios/100.yaml --compare
        gossip simulate --attack dropper:30 --attack spoofer:3 --disturb loss:0.1@0s-20s --heal 4s
        gossip simulate --attacks --spread infection --runs 1 --defended
        gossip simulate --swarm --for 2m

      --attacks and --swarm bring networks and workloads of their own.
      """)

  @Option(name: .long, help: "A YAML file with the scenario.")
  var scenario: String?

  @OptionGroup var options: ScenarioOptions

  @Flag(
    name: .long, help: "Run it with every manner of spreading, with and without healing, and print one table."
  )
  var compare = false

  @Flag(
    name: .long,
    help: """
      Run every adversary (or those of --attack) against every manner of spreading (or that of --spread) and print \
      one table of what the attack costs.
      """)
  var attacks = false

  @Flag(
    name: .long,
    help: """
      Run scenarios that are drawn from seeds, one after the other, for the time of --for; or the one of --seed. A \
      run that fails prints the line that repeats it.
      """)
  var swarm = false

  @Option(name: .customLong("for"), help: "How long a swarm runs, such as 2m. [10s]")
  var span: DurationArgument?

  @Option(name: .long, help: "How many scenarios a swarm runs at most. [as many as fit into the time]")
  var scenarios: Int?

  @Flag(name: .long, help: "Exit with 1 if anything is not delivered, or --attacks finds a bound broken.")
  var check = false

  @Option(
    name: [.customLong("runs"), .customLong("seeds")],
    help: "Seeds to average over with --compare or --attacks: this many, from --seed on.")
  var runs = 3

  @Flag(name: .long, help: "With --attacks, only with scores and bars as they are by default.")
  var defended = false

  @Flag(name: .long, help: "One JSON object, or one per line with --compare, --attacks and --swarm.")
  var json = false

  func validate() throws {
    guard (1...100).contains(runs) else { throw ValidationError("--runs must be 1 to 100") }
    guard scenarios ?? 1 > 0 else { throw ValidationError("--scenarios must be at least 1") }
    guard [compare, attacks, swarm].count(where: \.self) <= 1 else {
      throw ValidationError("--compare, --attacks and --swarm are three different things; choose one")
    }
  }

  func run() async throws {
    if swarm { return try runSwarm() }
    if attacks { return try runAttacks() }
    var scenario = try base()
    try options.apply(to: &scenario)
    do { try compare ? self.compare(scenario) : simulate(scenario) } catch let error as ConfigurationError {
      Terminal.say("gossip: \(error)")
      throw Exit.badConfiguration
    }
  }

  private func base() throws -> Scenario {
    guard let scenario else { return Scenario() }
    do { return try ScenarioFile.read(String(contentsOfFile: scenario, encoding: .utf8)) } catch {
      Terminal.say(
        "gossip: \(scenario): \((error as? Reading.Fault)?.description ?? error.localizedDescription)")
      throw Exit.badConfiguration
    }
  }

  private func simulate(_ scenario: Scenario) throws {
    let clock = ContinuousClock.now
    var bar = ProgressBar("simulating")
    let report = try scenario.run { bar.show($0) }
    bar.clear()
    if json {
      Terminal.print(report.json)
    } else {
      for line in Table.render(report.rows.map { [$0.0, $0.1] }) { Terminal.print(line) }
    }
    let wall = (ContinuousClock.now - clock).inSeconds
    Terminal.say(
      "took " + Figures.milliseconds(wall * 1_000)
        + ", \(Int(report.simulated.inSeconds / max(wall, 1e-9)))x real time")
    try complain(of: check ? report.faults : report.violations)
  }

  private func compare(_ scenario: Scenario) throws {
    let comparison = Comparison(scenario, seeds: (0..<UInt64(runs)).map { scenario.seed &+ $0 })
    var bar = ProgressBar("comparing")
    let rows = try comparison.run { bar.show($0) }
    bar.clear()
    if json {
      for row in rows { Terminal.print(row.json) }
    } else {
      for line in Table.render([Comparison.columns] + rows.map(\.cells)) { Terminal.print(line) }
    }
    try complain(of: rows.flatMap { $0.reports.flatMap(\.violations) })
  }

  func complain(of violations: [String]) throws {
    for violation in violations.prefix(20) { Terminal.say("gossip: VIOLATION: \(violation)") }
    if violations.count > 20 { Terminal.say("gossip: and \(violations.count - 20) more") }
    guard violations.isEmpty else { throw Exit.failed }
  }
}
