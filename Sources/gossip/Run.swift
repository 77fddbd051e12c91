import ArgumentParser
import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Logging
import ServiceLifecycle
import UnixSignals

/// `gossip run`: one node, until it is told to stop.
struct Run: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run one node that joins topics and carries their messages.",
    discussion: """
      Settings come from --config (YAML) and the command line; addresses and topics of both are used, and where \
      both give one value the command line wins. The addresses it listens on are printed; SIGINT and SIGTERM end it.

        gossip run --listen /ip4/127.0.0.1/tcp/4001 --topic blocks --key node.key
      """)

  @Option(name: .shortAndLong, help: "YAML file with the node's settings.")
  var config: String?

  @Option(name: .shortAndLong, help: "Address to listen on; may be repeated. Default: /ip4/127.0.0.1/tcp/0.")
  var listen: [Multiaddr] = []

  @Option(name: .long, help: "Node to stay connected to; may be repeated.")
  var connect: [Multiaddr] = []

  @Option(name: .shortAndLong, help: "Topic to join; may be repeated.")
  var topic: [String] = []

  @Option(name: .long, help: "File with the private key; a new identity without it.")
  var key: String?

  @Option(name: .long, help: "Log level: trace, debug, info, notice, warning, error, critical.")
  var log: String?

  @Option(name: .long, help: "Socket to make, for gossip explain, bar and unbar; none without it.")
  var control: String?

  @Flag(name: .long, help: "One JSON object per line.")
  var json = false

  func run() async throws {
    let (configuration, topics, control) = try settings()
    let host = try Visitor.makeHost(configuration)
    let announcer = Announcer(host: host, topics: topics, isJSON: json)
    let services = ServiceGroup(
      services: [host, announcer] + (control.map { [ControlServer(host: host, path: $0)] } ?? []),
      gracefulShutdownSignals: [.sigint, .sigterm], logger: configuration.logger)
    do { try await services.run() } catch {
      Terminal.say("gossip: \(error)")
      throw Exit.failed
    }
  }

  private func settings() throws -> (
    HostConfiguration, topics: [(Topic, TopicPolicy)], control: String?
  ) {
    let file = try readFile()
    var configuration = HostConfiguration()
    let keyPath = key ?? file.key
    configuration.identity = try keyPath.map { try KeyFile.read($0) } ?? Identity.random()
    let addresses = file.listen + listen
    configuration.listen = addresses.isEmpty ? [try Multiaddr("/ip4/127.0.0.1/tcp/0")] : addresses
    configuration.bootstrap = file.connect + connect
    configuration.node.gossipSub = file.gossipSub
    configuration.blacklistStore = file.blacklist.map { FileBlacklistStore(path: $0) }
    configuration.scoreStore = file.scores.map { FileScoreStore(path: $0) }
    configuration.sequenceStore = file.sequence.map { FileSequenceStore(path: $0) }
    let level = log ?? file.log ?? "info"
    guard let level = Logger.Level(rawValue: level) else {
      let levels = Logger.Level.allCases.map(\.rawValue)
      let meant = Suggestion.nearest(to: level, among: levels).map { "; did you mean \"\($0)\"?" } ?? ""
      Terminal.say(
        "gossip: log: expected one of \(levels.joined(separator: ", ")), found \"\(level)\"\(meant)")
      throw Exit.badConfiguration
    }
    configuration.logger = Logs.make(level)
    return (configuration, file.topics + topic.map { (Topic($0), TopicPolicy()) }, control ?? file.control)
  }

  private func readFile() throws -> NodeFile {
    guard let config else { return try NodeFile("") }
    let text: String
    do { text = try String(contentsOfFile: config, encoding: .utf8) } catch {
      Terminal.say("gossip: cannot read \(config): \(error.localizedDescription)")
      throw Exit.failed
    }
    do { return try NodeFile(text) } catch {
      Terminal.say("gossip: \(config): \(error)")
      throw Exit.badConfiguration
    }
  }
}

/// Joins the topics and prints where the node listens.
private struct Announcer: Service {
  let host: Host
  let topics: [(Topic, TopicPolicy)]
  let isJSON: Bool

  func run() async throws {
    for address in try await host.listening() {
      var line = JSONLine()
      line.add("event", "listening")
      line.add("address", address.description)
      Terminal.print(isJSON ? line.text : address.description)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (topic, policy) in topics {
        group.addTask { try await host.withSubscription(to: topic, policy) { for await _ in $0 {} } }
      }
      try await gracefulShutdown()
      group.cancelAll()
    }
  }
}
