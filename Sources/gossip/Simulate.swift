import ArgumentParser
import GossipCore
import GossipSim

/// `gossip simulate`: a network on a virtual clock.
struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a network of the same nodes on a virtual clock and report what happened.",
    discussion: """
      The same seed gives the same life, to the last byte: the fingerprint shows it.

        gossip simulate --nodes 300 --messages 100 --seed 7
      """)

  @Option(name: .shortAndLong, help: "Nodes.")
  var nodes = 100

  @Option(name: .shortAndLong, help: "Messages.")
  var messages = 100

  @Option(name: .shortAndLong, help: "Seed of everything.")
  var seed: UInt64 = 1

  @Option(name: .long, help: "Connections each node opens.")
  var dials = 10

  @Option(name: .long, help: "Messages per second, over the whole network.")
  var rate = 10.0

  @Option(name: .long, help: "Payload size, bytes.")
  var size = 1_024

  @Option(name: .long, help: "Nodes that publish, in turn.")
  var publishers = 1

  @Option(name: .long, help: "Mesh degree D; the bounds follow it.")
  var degree: Int?

  @Option(name: .long, help: "Nodes that crash half way.")
  var crashes = 0

  @Flag(name: .long, help: "Crashed nodes come back after two seconds.")
  var restarts = false

  @Option(name: .long, help: "Latency of links in milliseconds, lowest-highest.")
  var latency = "20-80"

  @Option(name: .long, help: "What a write may take longer than that, milliseconds.")
  var jitter = 0

  @Option(name: .long, help: "Share of the copies of messages that links lose, 0 to 1.")
  var loss = 0.0

  @Flag(name: .long, help: "Messages are not signed, and named by their content.")
  var unsigned = false

  @Flag(
    inversion: .prefixedNo,
    help: "Copies for partners that usually have a message already wait a moment.")
  var stagger = true

  @Option(name: .long, help: "Payload size from which IDONTWANT is sent, bytes.")
  var dontWantSize = GossipSubParameters().dontWantSize

  @Flag(name: .long, help: "One JSON object.")
  var json = false

  func run() async throws {
    let scenario = try scenario()
    let report: Report
    let clock = ContinuousClock.now
    var bar = ProgressBar("simulating")
    do { report = try scenario.run { bar.show($0) } } catch {
      Terminal.say("gossip: \(error)")
      throw Exit.badConfiguration
    }
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
    for violation in report.violations { Terminal.say("gossip: VIOLATION: \(violation)") }
    guard report.violations.isEmpty else { throw Exit.failed }
  }

  /// What the options describe.
  private func scenario() throws -> Scenario {
    var scenario = Scenario()
    scenario.nodes = nodes
    scenario.messages = messages
    scenario.seed = seed
    scenario.topology = .random(dials: dials)
    scenario.rate = rate
    scenario.size = size
    scenario.publishers = publishers
    scenario.crashes = crashes
    scenario.restarts = restarts
    if let degree {
      scenario.configuration.gossipSub.degree = degree
      scenario.configuration.gossipSub.degreeLow = max(1, degree - 1)
      scenario.configuration.gossipSub.degreeHigh = degree * 2
      scenario.configuration.gossipSub.degreeOutbound = max(0, min(2, degree / 2 - 1))
    }
    scenario.configuration.gossipSub.staggers = stagger
    scenario.configuration.gossipSub.dontWantSize = dontWantSize
    scenario.network.jitter = .milliseconds(jitter)
    scenario.network.loss = loss
    if unsigned { scenario.policy = TopicPolicy(signing: .strictNoSign, identification: .contentHash) }
    let bounds = latency.split(separator: "-").map { Int($0) }
    guard bounds.count == 2, let low = bounds[0], let high = bounds[1], low >= 0, low <= high else {
      throw ValidationError("--latency: expected two whole numbers like 20-80, found \(latency)")
    }
    scenario.network.latency = .milliseconds(low) ... .milliseconds(high)
    return scenario
  }
}
