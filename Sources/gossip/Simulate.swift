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
      """)

  @Option(name: .long, help: "A YAML file with the scenario.")
  var scenario: String?

  @OptionGroup var options: ScenarioOptions

  @Flag(
    name: .long, help: "Run it with every manner of spreading, with and without healing, and print one table."
  )
  var compare = false

  @Option(name: .long, help: "Seeds to average over with --compare: this many, from --seed on.")
  var runs = 3

  @Flag(name: .long, help: "One JSON object, or one per line with --compare.")
  var json = false

  func validate() throws {
    guard (1...100).contains(runs) else { throw ValidationError("--runs must be 1 to 100") }
  }

  func run() async throws {
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
    try complain(of: report.violations)
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

  private func complain(of violations: [String]) throws {
    for violation in violations { Terminal.say("gossip: VIOLATION: \(violation)") }
    guard violations.isEmpty else { throw Exit.failed }
  }
}

/// What makes a scenario, on the command line; nil leaves what the file says, or the default.
struct ScenarioOptions: ParsableArguments {
  private static let usual = Scenario()

  @Option(name: .shortAndLong, help: "Nodes. [\(usual.nodes)]")
  var nodes: Int?

  @Option(name: .shortAndLong, help: "Messages. [\(usual.messages)]")
  var messages: Int?

  @Option(name: .shortAndLong, help: "Seed of everything. [\(usual.seed)]")
  var seed: UInt64?

  @Option(name: .long, help: "Connections each node opens. [10]")
  var dials: Int?

  @Option(name: .long, help: "Messages per second, over the whole network. [\(usual.rate)]")
  var rate: Double?

  @Option(name: .long, help: "Payload size, bytes. [\(usual.size)]")
  var size: Int?

  @Option(name: .long, help: "Nodes that publish, in turn. [\(usual.publishers)]")
  var publishers: Int?

  @Option(name: .long, help: "How the topic spreads: \(Manner.arguments). [gossipSub]")
  var spread: Manner?

  @Option(name: .long, help: "Compare what nodes hold this often, and fetch what is missing, such as 4s.")
  var heal: DurationArgument?

  @Option(name: .long, help: "Payloads above this many bytes travel in pieces.")
  var objectsAbove: Int?

  @Option(name: .long, help: "Mesh degree D of GossipSub; the bounds follow it.")
  var degree: Int?

  @Option(name: .long, help: "Nodes that crash half way. [0]")
  var crashes: Int?

  @Flag(name: .long, help: "Crashed nodes come back after two seconds.")
  var restarts = false

  @Option(name: .long, help: "Latency of links in milliseconds, lowest-highest. [20-80]")
  var latency: String?

  @Option(name: .long, help: "What a write may take longer than that, milliseconds. [0]")
  var jitter: Int?

  @Option(name: .long, help: "Share of the copies of messages that links lose, 0 to 1. [0]")
  var loss: Double?

  @Flag(name: .long, help: "Messages are not signed, and named by their content.")
  var unsigned = false

  @Flag(
    inversion: .prefixedNo,
    help: "Copies for GossipSub partners that usually have a message already wait a moment.")
  var stagger: Bool?

  @Option(name: .long, help: "Payload size from which GossipSub says IDONTWANT, bytes. [4096]")
  var dontWantSize: Int?

  func apply(to scenario: inout Scenario) throws {
    if let nodes { scenario.nodes = nodes }
    if let messages { scenario.messages = messages }
    if let seed { scenario.seed = seed }
    if let dials { scenario.topology = .random(dials: dials) }
    if let rate { scenario.rate = rate }
    if let size { scenario.size = size }
    if let publishers { scenario.publishers = publishers }
    if let crashes { scenario.crashes = crashes }
    if restarts { scenario.restarts = true }
    if let degree { scenario.configuration.gossipSub.setDegree(degree) }
    if let stagger { scenario.configuration.gossipSub.staggers = stagger }
    if let dontWantSize { scenario.configuration.gossipSub.dontWantSize = dontWantSize }
    if let jitter { scenario.network.jitter = .milliseconds(jitter) }
    if let loss { scenario.network.loss = loss }
    if unsigned { (scenario.policy.signing, scenario.policy.identification) = (.strictNoSign, .contentHash) }
    if let spread { scenario.policy.spread = spread }
    if let heal { scenario.policy.heal.digestsEvery = heal.duration }
    if let objectsAbove { scenario.policy.objects = ObjectPolicy(threshold: objectsAbove) }
    if let latency {
      guard let range = LatencyRange(latency) else {
        throw ValidationError("--latency: expected two whole numbers like 20-80, found \(latency)")
      }
      scenario.network.latency = range.latency
    }
  }
}

/// Latencies as people write them: `20-80`, in milliseconds.
struct LatencyRange {
  let latency: ClosedRange<Duration>

  init?(_ text: String) {
    let bounds = text.split(separator: "-").map { Int($0) }
    guard bounds.count == 2, let low = bounds[0], let high = bounds[1], low >= 0, low <= high else {
      return nil
    }
    latency = .milliseconds(low) ... .milliseconds(high)
  }
}

extension GossipSubParameters {
  /// Sets the mesh's degree, and the bounds that follow it.
  mutating func setDegree(_ degree: Int) {
    self.degree = degree
    degreeLow = max(1, degree - 1)
    degreeHigh = degree * 2
    degreeOutbound = max(0, min(2, degree / 2 - 1))
  }
}
