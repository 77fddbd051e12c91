import ArgumentParser
import GossipCore
import GossipHost
import GossipLibp2p

/// `gossip peers`: visits nodes and tells what they say of themselves.
struct Peers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Show what the nodes at some addresses are: identity, agent, protocols, topics, round-trip time.",
    discussion: "  gossip peers --connect /ip4/127.0.0.1/tcp/4001 --json")

  @OptionGroup var visitor: VisitorOptions

  @Option(name: .long, help: "How long to wait for what they say.")
  var timeout = DurationArgument(argument: "2s")!

  func run() async throws {
    try await Visitor.visit(visitor, patience: timeout.duration) { host in
      let details = try await listen(host)
      if !visitor.json {
        Terminal.say("\(details.count) \(details.count == 1 ? "peer" : "peers")")
      }
      for peer in details {
        if visitor.json {
          Terminal.print(json(peer))
        } else {
          for line in text(peer) { Terminal.print(line) }
        }
      }
    }
  }

  /// What the peers have said by now: until all have answered identify and a ping, or time is up.
  private func listen(_ host: Host) async throws -> [PeerDetails] {
    let deadline = ContinuousClock.now + timeout.duration
    while ContinuousClock.now < deadline {
      let details = await host.peers
      if details.allSatisfy({ $0.agent != nil && $0.roundTrip != nil && !$0.topics.isEmpty }) {
        return details
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    return await host.peers
  }

  private func json(_ peer: PeerDetails) -> String {
    var line = JSONLine()
    line.add("peer_id", peer.id.description)
    line.add("address", peer.address)
    line.add("agent", peer.agent ?? "")
    line.add("rtt_ms", peer.roundTrip?.inMilliseconds ?? .nan)
    line.add("listens", peer.listenAddresses.map(\.description))
    line.add("protocols", peer.protocols)
    line.add("topics", peer.topics.map(\.name))
    return line.text
  }

  private func text(_ peer: PeerDetails) -> [String] {
    var lines = [peer.id.description]
    func add(_ name: String, _ value: String) { if !value.isEmpty { lines.append("  \(name)  \(value)") } }
    add("address  ", peer.address)
    add("agent    ", peer.agent ?? "")
    add("rtt      ", Figures.milliseconds(peer.roundTrip?.inMilliseconds))
    add("listens  ", peer.listenAddresses.map(\.description).joined(separator: " "))
    add("protocols", peer.protocols.joined(separator: " "))
    add("topics   ", peer.topics.map(\.name).joined(separator: " "))
    return lines
  }
}
