import ArgumentParser
import Foundation
import GossipCore
import GossipHost

/// `gossip subscribe`: joins a topic and prints what comes.
struct Subscribe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the messages of a topic as they come.",
    discussion: """
      Prints each payload on a line of its own; with --json an object with id, author, size and the data as text, or \
      in base64 if it is not UTF-8. Ends after --count messages, after --timeout, or on Ctrl-C.

        gossip subscribe blocks --connect /ip4/127.0.0.1/tcp/4001 --count 10 --json
      """)

  @OptionGroup var visitor: VisitorOptions

  @Argument(help: "Topic to join.")
  var topic: String

  @Option(name: .long, help: "End after so many messages.")
  var count: Int?

  @Option(name: .long, help: "Peers on the topic to wait for before saying that we are ready.")
  var waitPeers = 1

  @Option(name: .long, help: "End after this long; without --count that is a success, with it exit code 2.")
  var timeout: DurationArgument?

  func run() async throws {
    let isComplete = try await Visitor.visit(visitor, patience: .seconds(10)) { host in
      try await host.withSubscription(to: Topic(topic), visitor.policy) { incoming in
        try await withThrowingTaskGroup(of: Bool.self) { group in
          group.addTask { try await readAll(incoming, host) }
          if let timeout {
            group.addTask {
              try await Task.sleep(for: timeout.duration)
              return count == nil
            }
          }
          defer { group.cancelAll() }
          return try await group.next() ?? true
        }
      }
    }
    guard isComplete else {
      Terminal.say("gossip: fewer than \(count ?? 0) messages within \(timeout?.description ?? "")")
      throw Exit.notInTime
    }
  }

  private func readAll(_ incoming: Incoming, _ host: Host) async throws -> Bool {
    if waitPeers > 0 {
      let patience = timeout?.duration ?? .seconds(3_600 * 24 * 365)
      if (try? await host.waitForPeers(waitPeers, on: Topic(topic), within: patience)) != nil {
        Terminal.say("gossip: ready on \(topic)")
      }
    }
    var received = 0
    for await event in incoming {
      switch event {
      case .message(let message, let from):
        show(message, from)
        received += 1
        if received == count { return true }
      case .missed(let number):
        Terminal.say(
          "gossip: \(number) messages were missed, because they came faster than they were printed")
      }
    }
    return count == nil
  }

  private func show(_ message: Message, _ from: PeerID) {
    guard visitor.json else {
      return Terminal.write(Array(message.payload.bytes) + [0x0a], to: STDOUT_FILENO)
    }
    var line = JSONLine()
    line.add("event", "message")
    line.add("topic", message.topic.name)
    line.add("id", message.id.description)
    if let author = message.author { line.add("author", author.description) }
    line.add("from", from.description)
    line.add("size", message.payload.count)
    if let text = String(validating: message.payload.bytes, as: UTF8.self) {
      line.add("text", text)
    } else {
      line.add("base64", Data(message.payload.bytes).base64EncodedString())
    }
    Terminal.print(line.text)
  }
}
