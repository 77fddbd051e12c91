import GossipCore
import GossipSim
import Yams

/// The YAML file of `gossip simulate --scenario`: the options of the command, under the same names.
///
///     nodes: 100
///     messages: 200
///     rate: 20
///     publishers: 20
///     latency: 20-80
///     attack: [dropper:20, spoofer:5]
///     disturb: [loss:0.1@0s-20s, churn:5s@0s-1m]
enum ScenarioFile {
  private static let keys = [
    "nodes", "messages", "seed", "dials", "full", "rate", "size", "publishers", "spread", "heal",
    "objects-above",
    "degree", "crashes", "restarts", "latency", "jitter", "loss", "bandwidth", "unsigned", "attack",
    "disturb", "checking", "by-lot",
    "messages-after", "chains", "retention", "patience", "author-rate",
  ]

  static func read(_ text: String) throws(Reading.Fault) -> Scenario {
    let root: Yams.Node?
    do { root = try Yams.compose(yaml: text) } catch {
      throw Reading.Fault(description: "not YAML: \(error)")
    }
    var scenario = Scenario()
    guard let root else { return scenario }
    for (key, value) in try Reading.entries(root, "the file", keys) { try set(key, value, &scenario) }
    return scenario
  }

  private static func set(_ key: String, _ value: Yams.Node, _ scenario: inout Scenario) throws(Reading.Fault)
  {
    switch key {
    case "nodes": scenario.nodes = try Reading.number(value, key)
    case "messages": scenario.messages = try Reading.number(value, key)
    case "seed": scenario.seed = UInt64(clamping: try Reading.number(value, key))
    case "dials": scenario.topology = .random(dials: try Reading.number(value, key))
    case "full": if try Reading.flag(value, key) { scenario.topology = .full }
    case "rate": scenario.rate = try Reading.number(value, key, in: 0.001...1e6)
    case "size": scenario.size = try Reading.number(value, key)
    case "publishers": scenario.publishers = try Reading.number(value, key)
    case "spread": scenario.policy.spread = try Reading.choice(value, key, Manner.spreading) { $0.argument }
    case "heal": scenario.policy.heal.digestsEvery = try Reading.duration(value, key)
    case "objects-above": scenario.policy.objects = ObjectPolicy(threshold: try Reading.number(value, key))
    case "degree": scenario.configuration.gossipSub.setDegree(try Reading.number(value, key))
    case "crashes": scenario.crashes = try Reading.number(value, key)
    case "restarts": scenario.restarts = try Reading.flag(value, key)
    case "latency":
      guard let range = LatencyRange(try Reading.text(value, key)) else {
        throw Reading.wrong(value, key, "two whole numbers like 20-80")
      }
      scenario.network.latency = range.latency
    case "jitter": scenario.network.jitter = .milliseconds(try Reading.number(value, key))
    case "loss": scenario.network.loss = try Reading.number(value, key, in: 0...1)
    case "attack":
      for entry in try Reading.list(value, key) {
        guard let troop = TroopArgument(argument: try Reading.text(entry, key)) else {
          throw Reading.wrong(entry, key, "an adversary and how many, like dropper:20")
        }
        scenario.adversaries.append(troop.troop(among: scenario.nodes))
      }
    case "disturb":
      for entry in try Reading.list(value, key) {
        guard let disturbance = Disturbance(try Reading.text(entry, key)) else {
          throw Reading.wrong(entry, key, "what, how much and when, like loss:0.1@5s-20s")
        }
        scenario.disturbances.append(disturbance)
      }
    case "checking": scenario.network.checkingTime = try Reading.duration(value, key)
    case "by-lot": if try Reading.flag(value, key) { scenario.policy.examination = .byLot }
    case "messages-after": scenario.messagesAfter = try Reading.number(value, key)
    case "chains": scenario.chains = try Reading.flag(value, key)
    case "patience": scenario.patience = try Reading.duration(value, key)
    case "retention": scenario.policy.retention = .during(try Reading.duration(value, key))
    case "author-rate":
      scenario.policy.authorBudget = AuthorBudget(messagesPerSecond: try Reading.number(value, key))
    case "bandwidth": scenario.network.bandwidth = try Reading.number(value, key)
    default:
      guard try Reading.flag(value, key) else { return }
      (scenario.policy.signing, scenario.policy.identification) = (.strictNoSign, .contentHash)
    }
  }
}
