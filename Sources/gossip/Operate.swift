import ArgumentParser
import GossipCore
import GossipLibp2p

/// Commands that ask a node of one's own, started by `gossip run` with a control socket: why it thinks of its peers as it
/// does, and with whom it will have nothing to do.

struct ControlOptions: ParsableArguments {
  @Option(
    name: .long, help: "The node's control socket: `control` in its file, or --control of `gossip run`.")
  var control: String

  @Flag(name: .long, help: "One JSON object per line.")
  var json = false

  func ask(_ words: String...) throws {
    let request = (words + (json ? ["json"] : [])).joined(separator: " ")
    for line in try ControlClient.ask(request, at: control) { Terminal.print(line) }
  }
}

/// `gossip explain`: why a peer stands as it does.
struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explain a running node's score of a peer, term by term; without PEER, list all scores.",
    discussion: """
        gossip run --topic blocks --control node.sock
        gossip explain --control node.sock
        gossip explain 12D3KooW… --control node.sock
      """)

  @Argument(help: "The peer's id, or the last four or more characters of it.")
  var peer: String?

  @OptionGroup var options: ControlOptions

  func run() throws { if let peer { try options.ask("explain", peer) } else { try options.ask("explain") } }
}

/// `gossip bar`: nothing more to do with a peer.
struct Bar: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Have a running node bar a peer; without PEER, list who is barred.")

  @Argument(help: "The peer's id, or the last four or more characters of it.")
  var peer: String?

  @Option(name: .customLong("for"), help: "How long; by default a day, and twice as long each further time.")
  var span: DurationArgument?

  @OptionGroup var options: ControlOptions

  func run() throws {
    switch (peer, span) {
    case (nil, _): try options.ask("barred")
    case (let peer?, nil): try options.ask("bar", peer)
    case (let peer?, let span?): try options.ask("bar", peer, span.description)
    }
  }
}

/// `gossip unbar`: a peer is forgiven.
struct Unbar: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Have a running node forgive a barred peer.")

  @Argument(help: "The peer's id, or the last four or more characters of it.")
  var peer: String

  @OptionGroup var options: ControlOptions

  func run() throws { try options.ask("unbar", peer) }
}
