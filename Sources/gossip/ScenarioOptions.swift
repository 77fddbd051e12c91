public import ArgumentParser
import GossipCore
public import GossipSim

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

  @Option(name: .long, help: "Messages per second that are taken of one author.")
  var authorRate: Int?

  @Option(name: .long, help: "Mesh degree D of GossipSub; the bounds follow it.")
  var degree: Int?

  @Option(name: .long, help: "Members that push and infection mean to reach from each node. [3]")
  var fanout: Int?

  @Option(name: .long, help: TroopArgument.help)
  var attack: [TroopArgument] = []

  @Option(
    name: .long,
    help: """
      What goes wrong, and when, counted from the first message on, such as loss:0.1@5s-20s; may be repeated. \
      crash:N, restart:N, partition:SHARE, one-way:SHARE, loss:SHARE, clog:N, skew:N, churn:EVERY, load:FACTOR.
      """)
  var disturb: [Disturbance] = []

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

  @Option(name: .long, help: "How long a signature takes to check, such as 10ms. [0.07ms]")
  var checking: DurationArgument?

  @Flag(name: .long, help: "Messages of peers that earned it go on before they are examined.")
  var byLot = false

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
    if !attack.isEmpty { scenario.adversaries = attack.map { $0.troop(among: scenario.nodes) } }
    if !disturb.isEmpty { scenario.disturbances = disturb }
    if let degree { scenario.configuration.gossipSub.setDegree(degree) }
    if let fanout {
      (scenario.configuration.push.fanout, scenario.configuration.infection.infectionTarget) = (
        fanout, fanout
      )
    }
    if let stagger { scenario.configuration.gossipSub.staggers = stagger }
    if let dontWantSize { scenario.configuration.gossipSub.dontWantSize = dontWantSize }
    if let jitter { scenario.network.jitter = .milliseconds(jitter) }
    if let loss { scenario.network.loss = loss }
    if let checking { scenario.network.checkingTime = checking.duration }
    if byLot { scenario.policy.examination = .byLot }
    if unsigned { (scenario.policy.signing, scenario.policy.identification) = (.strictNoSign, .contentHash) }
    if let spread { scenario.policy.spread = spread }
    if let heal { scenario.policy.heal.digestsEvery = heal.duration }
    if let objectsAbove { scenario.policy.objects = ObjectPolicy(threshold: objectsAbove) }
    if let authorRate { scenario.policy.authorBudget = AuthorBudget(messagesPerSecond: authorRate) }
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

/// Adversaries as people write them: `dropper:20`, or `dropper` for a third of all nodes.
struct TroopArgument: ExpressibleByArgument {
  /// What `--attack` says of itself.
  static var help: ArgumentHelp {
    """
    So many of the nodes attack, such as dropper:2; may be repeated. Without a number, a third of all. \
    \(Adversary.allCases.map(\.rawValue).joined(separator: ", ")).
    """
  }

  let adversary: Adversary
  let count: Int?

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard let name = parts.first, let adversary = Adversary(argument: name), parts.count <= 2 else {
      return nil
    }
    self.adversary = adversary
    guard parts.count == 2 else {
      count = nil
      return
    }
    guard let number = Int(parts[1]), number >= 0 else { return nil }
    count = number
  }

  func troop(among nodes: Int) -> Scenario.Troop { Scenario.Troop(adversary, count ?? nodes / 3) }
}

extension Adversary: ExpressibleByArgument {
  /// The adversary of this name, however it is written: `graftFlooder`, `graft-flooder`.
  public init?(argument: String) {
    func plain(_ name: String) -> String { name.lowercased().filter(\.isLetter) }
    guard let found = Adversary.allCases.first(where: { plain($0.rawValue) == plain(argument) }) else {
      return nil
    }
    self = found
  }
}

extension Disturbance: ExpressibleByArgument {
  /// Reads `loss:0.1@5s-20s`.
  public init?(argument: String) { self.init(argument) }
}
