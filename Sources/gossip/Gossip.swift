import ArgumentParser
import GossipHost

/// Foundation has a `Host` of its own.
typealias Host = GossipHost.Host

/// The one binary: a node, a network in one process, and small tools around them.
@main
struct Gossip: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gossip",
    abstract: "Deliver every message to every node it is meant for.",
    discussion: """
      Data goes to standard output, everything else to standard error. With --json each line of output is one JSON \
      object.

      EXIT CODES
        0   done
        1   failed: a network, file or peer problem; the reason is on standard error
        2   not in time: the peers or messages waited for did not come before --timeout
        3   a configuration or key that cannot work
        64  the command line could not be understood
      """,
    version: "swift-gossip 0.1.0",
    subcommands: [
      Dev.self, Run.self, Publish.self, Subscribe.self, Peers.self, Keygen.self, Simulate.self,
      ExplainAudience.self, Explain.self, Bar.self, Unbar.self,
    ])
}

/// The exit codes of all commands; they do not change.
enum Exit {
  static let failed = ExitCode(1)
  static let notInTime = ExitCode(2)
  static let badConfiguration = ExitCode(3)
}
