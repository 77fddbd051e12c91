public import ArgumentParser
public import GossipCore
public import GossipLibp2p

/// How the values of options are written on the command line and in files.

/// A duration such as `500ms`, `30s`, `2m` or `1h`; a bare number means seconds.
struct DurationArgument: ExpressibleByArgument, CustomStringConvertible {
  let duration: Duration
  let description: String

  init?(argument: String) {
    let units: [(suffix: String, nanoseconds: Double)] = [
      ("ms", 1e6), ("us", 1e3), ("s", 1e9), ("m", 60e9), ("h", 3_600e9),
    ]
    let unit = units.first { argument.hasSuffix($0.suffix) }
    let digits = argument.dropLast(unit?.suffix.count ?? 0)
    guard let number = Double(digits), number >= 0, number.isFinite, number < 1e9 else { return nil }
    duration = .nanoseconds(Int64(number * (unit?.nanoseconds ?? 1e9)))
    description = argument
  }

  var defaultValueDescription: String { description }
}

extension Multiaddr: ExpressibleByArgument {
  /// Reads the text form; nil if it is none.
  public init?(argument: String) {
    guard let address = try? Multiaddr(argument) else { return nil }
    self = address
  }
}

/// A peer's name, as text.
struct PeerIDArgument: ExpressibleByArgument {
  let peer: PeerID

  init?(argument: String) {
    guard let peer = try? PeerID(parsing: argument) else { return nil }
    self.peer = peer
  }
}

extension Signing: ExpressibleByArgument {}
extension ReputationParameters.Mode: ExpressibleByArgument {}

extension Manner: ExpressibleByArgument {
  /// Its name in files and on the command line.
  var argument: String { "\(self)" }

  /// Those that can be asked for.
  static var arguments: String { spreading.map(\.argument).joined(separator: ", ") }

  /// The manner of this name, however it is written: `digestFirst`, `digest-first`, `digestfirst`.
  public init?(argument: String) {
    func plain(_ name: String) -> String { name.lowercased().filter(\.isLetter) }
    guard let manner = Manner.spreading.first(where: { plain($0.argument) == plain(argument) }) else {
      return nil
    }
    self = manner
  }
}

/// How messages get their ids, as far as it can be named.
enum IdentificationArgument: String, ExpressibleByArgument, CaseIterable {
  case author, contentHash

  var identification: MessageIdentification {
    switch self {
    case .author: .author
    case .contentHash: .contentHash
    }
  }
}

/// Options of commands that join as a short-lived node.
struct VisitorOptions: ParsableArguments {
  @Option(name: .long, help: "A node to connect to, /ip4/ADDRESS/tcp/PORT[/p2p/ID]; may be repeated.")
  var connect: [Multiaddr] = []

  @Option(name: .long, help: "File with the node's private key; a new identity without it.")
  var key: String?

  @Option(
    name: .long, help: "What must be signed: \(Signing.allCases.map(\.rawValue).joined(separator: ", ")).")
  var signing: Signing = .strictSign

  @Option(name: .long, help: "How the topic spreads: \(Manner.arguments).")
  var spread: Manner = .gossipSub

  @Option(name: .customLong("message-id"), help: "How messages get their ids: author, contentHash.")
  var identification: IdentificationArgument = .author

  @Flag(name: .long, help: "One JSON object per line.")
  var json = false

  @Flag(name: .shortAndLong, help: "Tell on standard error what happens.")
  var verbose = false

  func validate() throws {
    guard !connect.isEmpty else {
      throw ValidationError("--connect ADDR is needed: some node of the network")
    }
  }

  var policy: TopicPolicy {
    TopicPolicy(spread: spread, signing: signing, identification: identification.identification)
  }
}
