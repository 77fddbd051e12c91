import ArgumentParser
import Foundation
import GossipCore
import GossipHost

/// `gossip publish`: joins, publishes, tells how far it is known to have come, leaves.
struct Publish: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Publish a message on a topic.",
    discussion: """
      The data is the argument, or --file, or standard input as a whole, or one message per line of it with --lines.
      Waits for --wait-peers peers on the topic first, so that the message is not lost.

        gossip publish blocks "hello" --connect /ip4/127.0.0.1/tcp/4001
        tail -f log | gossip publish logs --lines --connect /ip4/127.0.0.1/tcp/4001

      With --for only the named peers deliver it; whether it goes straight to them or along the topic's overlay is
      decided by what costs less (see gossip explain-audience).
      """)

  @OptionGroup var visitor: VisitorOptions

  @Argument(help: "Topic to publish on.")
  var topic: String

  @Argument(help: "Data to publish; - or nothing for standard input.")
  var data: String?

  @Option(name: .shortAndLong, help: "File whose content is published.")
  var file: String?

  @Flag(name: .long, help: "Publish each line of standard input as a message of its own, as it comes.")
  var lines = false

  @Option(
    name: .customLong("for"), parsing: .upToNextOption,
    help: ArgumentHelp("Peers the message is for; everybody on the topic unless said.", valueName: "peer"))
  var recipients: [PeerIDArgument] = []

  @Option(name: .long, help: "Publish the data so many times.")
  var count = 1

  @Option(name: .long, help: "Peers on the topic to wait for.")
  var waitPeers = 1

  @Option(name: .long, help: "How long to wait for peers and for the message to reach them.")
  var timeout = DurationArgument(argument: "10s")!

  func validate() throws {
    guard count >= 1 else { throw ValidationError("--count must be at least 1") }
    guard [data != nil && data != "-", file != nil, lines].count(where: { $0 }) <= 1 else {
      throw ValidationError("give the data as argument, with --file, or with --lines: one of them")
    }
  }

  func run() async throws {
    let payload = lines ? nil : try readPayload()
    try await Visitor.visit(visitor, patience: timeout.duration) { host in
      try await waitForPeers(host)
      if let payload {
        for _ in 0..<count { try await publish(payload, host) }
      } else {
        while let line = readLine() { try await publish(Payload(line), host) }
      }
    }
  }

  private func readPayload() throws -> Payload {
    if let file {
      guard let content = FileManager.default.contents(atPath: file) else {
        Terminal.say("gossip: cannot read \(file)")
        throw Exit.failed
      }
      return Payload([UInt8](content))
    }
    if let data, data != "-" { return Payload(data) }
    return Payload([UInt8](FileHandle.standardInput.readDataToEndOfFile()))
  }

  private func waitForPeers(_ host: Host) async throws {
    guard waitPeers > 0 else { return }
    do { _ = try await host.waitForPeers(waitPeers, on: Topic(topic), within: timeout.duration) } catch {
      Terminal.say("gossip: \(error)")
      throw Exit.notInTime
    }
  }

  private var audience: Audience {
    let peers = recipients.map(\.peer)
    return peers.count > 1 ? .many(peers) : peers.first.map { .one($0) } ?? .everyone
  }

  private func publish(_ payload: Payload, _ host: Host) async throws {
    let published: Published
    do {
      published = try await host.publish(payload, to: Topic(topic), for: audience, policy: visitor.policy)
    } catch {
      Terminal.say("gossip: not published: \(error)")
      throw Exit.failed
    }
    let reached = await published.reached(max(waitPeers, 1), within: timeout.duration)
    var line = JSONLine()
    line.add("event", "published")
    line.add("id", published.id.description)
    line.add("size", payload.count)
    line.add("sent_to", published.sentTo)
    line.add("subscribers", published.subscribers)
    line.add("reached", reached)
    if let way = published.way { line.add("way", way.rawValue) }
    if visitor.json {
      Terminal.print(line.text)
    } else {
      let way = published.way.map { $0 == .direct ? ", directly" : ", by the \($0.rawValue)" } ?? ""
      Terminal.print("\(published.id) reached \(reached) of \(published.subscribers) peers\(way)")
    }
    if reached < waitPeers { throw Exit.notInTime }
  }
}
