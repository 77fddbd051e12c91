import ArgumentParser
import GossipCore

/// `gossip explain-audience`: how a message for some of the nodes best gets to them, and why.
struct ExplainAudience: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show whether a message for some nodes is best sent directly or through an overlay.",
    discussion: """
      Compares time, bytes in all and the sender's upload of each way.

        gossip explain-audience --recipients 100 --size 102400 --nodes 1000
      """)

  @Option(name: .shortAndLong, help: "Nodes the message is for.")
  var recipients: Int

  @Option(name: .shortAndLong, help: "Payload size, bytes.")
  var size: Int

  @Option(name: .shortAndLong, help: "Nodes able to route the message.")
  var nodes = 100

  @Option(name: .long, help: "Upload rate of a node, Mbit/s.")
  var bandwidth = 100.0

  @Option(name: .long, help: "Round trip between two nodes.")
  var rtt = DurationArgument(argument: "100ms")!

  @Option(name: .long, help: "Partners each node picks; what the number of nodes asks for unless said.")
  var fanout: Int?

  @Flag(name: .long, help: "One JSON object.")
  var json = false

  func validate() throws {
    for (name, value, least) in [
      ("recipients", recipients, 1), ("size", size, 0), ("nodes", nodes, 1), ("fanout", fanout ?? 2, 2),
    ] where !(least...1 << 40).contains(value) {
      throw ValidationError("--\(name): expected at least \(least), found \(value)")
    }
    // The fanout's formula is tried for one k after the other.
    guard nodes <= 1_000_000 else {
      throw ValidationError("--nodes: expected at most 1000000, found \(nodes)")
    }
    guard bandwidth > 0, bandwidth.isFinite else {
      throw ValidationError("--bandwidth: expected more than 0, found \(bandwidth)")
    }
  }

  func run() throws {
    let network = AudienceDecision.Network(
      nodes: nodes, bandwidth: bandwidth * 125_000, roundTrip: rtt.duration, fanout: fanout)
    let decision = AudienceDecision.decide(recipients: recipients, size: size, in: network)
    guard json else { return Terminal.print("\(decision)") }
    var line = JSONLine()
    line.add("choice", decision.choice.rawValue)
    line.add("reason", decision.reason)
    line.add("fanout", network.fanout)
    for choice in AudienceDecision.Choice.allCases {
      let (cost, name) = (decision.cost(of: choice), "\(choice)")
      line.add("\(name)_time_s", cost.time)
      line.add("\(name)_bytes", Int(min(cost.bytes, 1e18)))
      line.add("\(name)_upload", Int(min(cost.upload, 1e18)))
    }
    Terminal.print(line.text)
  }
}
