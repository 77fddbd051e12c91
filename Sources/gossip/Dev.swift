import ArgumentParser
import GossipCore
import GossipHost
import GossipLibp2p
import GossipSim
import UnixSignals

/// `gossip dev`: a network of real nodes in one process, to look at and to play with.
struct Dev: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a network of real nodes in this process, with a live table.",
    discussion: """
      Each node has an identity, a port, encrypted connections and the same topic; messages stream until Ctrl-C or \
      --for. Other terminals can join: the commands are printed.

      With --attack some of the nodes are hostile, as in `gossip simulate`, but on real connections:

        gossip dev --attack dropper --for 20s --explain
      """)

  @Option(name: .shortAndLong, help: "Nodes.")
  var nodes = 10

  @Option(name: .customLong("for"), help: "Stop after this long.")
  var span: DurationArgument?

  @Option(name: .shortAndLong, help: "Messages per second, over the whole network.")
  var rate = 20.0

  @Option(name: .shortAndLong, help: "Payload size, bytes.")
  var size = 256

  @Option(name: .long, help: "Topic of the stream.")
  var topic = "dev"

  @Option(
    name: .long, help: "Port of the first node; the others follow. 0, or a port that is taken: any port.")
  var port = 4_400

  @Option(name: .long, help: "Connections each node opens.")
  var dials = 4

  @Option(name: .long, help: "How the topic spreads: \(Manner.arguments).")
  var spread: Manner = .gossipSub

  @Option(name: .long, help: "Compare what nodes hold this often, and fetch what is missing, such as 4s.")
  var heal: DurationArgument?

  @Option(name: .long, help: TroopArgument.help)
  var attack: [TroopArgument] = []

  @Option(
    name: .long,
    help:
      "What scores lead to: \(ReputationParameters.Mode.allCases.map(\.rawValue).joined(separator: ", ")).")
  var reputation: ReputationParameters.Mode = .acting

  @Flag(name: .long, help: "At the end, explain the scores of hostile peers, or of the worst one.")
  var explain = false

  @Flag(name: .long, help: "Connect the nodes inside the process, without sockets.")
  var memory = false

  @Flag(name: .long, help: "Print the totals as one JSON object per second instead of a table.")
  var json = false

  func validate() throws {
    guard (1...200).contains(nodes) else { throw ValidationError("--nodes must be 1 to 200") }
    guard rate > 0, rate <= 100_000 else { throw ValidationError("--rate must be above 0, at most 100000") }
    guard (DevMessage.sizeMin...1_000_000).contains(size) else {
      throw ValidationError("--size must be \(DevMessage.sizeMin) to 1000000")
    }
    guard (0...65_000).contains(port) else { throw ValidationError("--port must be 0 to 65000") }
    guard spread != .direct || dials >= nodes - 1 else {
      throw ValidationError("--spread direct reaches neighbours only: it needs --dials \(nodes - 1)")
    }
    guard troops != nil else {
      throw ValidationError("--attack must leave at least two of the \(nodes) nodes honest")
    }
    guard dials >= 1 else { throw ValidationError("--dials must be at least 1") }
  }

  var troops: DevTroops? { DevTroops(attack, nodes: nodes) }

  var policy: TopicPolicy { TopicPolicy(spread: spread, heal: Heal(digestsEvery: heal?.duration)) }

  func run() async throws {
    let network = try await DevNetwork(self)
    let view = DevView(network, isJSON: json, explains: explain, topic: topic)
    try await withThrowingTaskGroup(of: DevEnd?.self) { group in
      group.addTask {
        try await network.run()
        return nil
      }
      do {
        try await network.connect()
        await view.greet()
        group.addTask {
          try await network.stream(rate: rate, size: size); return nil
        }
        group.addTask {
          try await view.showEverySecond(); return nil
        }
        group.addTask { await DevEnd.signal() }
        if let span {
          group.addTask {
            try await Task.sleep(for: span.duration)
            return .time
          }
        }
        while let ended = try await group.next() { if ended != nil { break } }
        await view.finish()
      } catch {
        Terminal.say("gossip: \(error)")
        group.cancelAll()
        throw Exit.failed
      }
      group.cancelAll()
      while let result = await group.nextResult() { _ = result }  // everything was told already
    }
  }
}

/// What ended the show.
enum DevEnd {
  case time, interrupted

  static func signal() async -> DevEnd? {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    for await _ in signals { return .interrupted }
    return nil
  }
}

/// The payload of the stream: when it was published, on the process's own clock, and filler.
enum DevMessage {
  static let mark = Array("dev\u{0}".utf8)
  static let sizeMin = 12

  static func make(size: Int, at time: ContinuousClock.Instant, since start: ContinuousClock.Instant)
    -> Payload
  {
    var bytes = mark
    let nanoseconds = UInt64(clamping: (time - start).nanoseconds)
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: nanoseconds >> (8 * shift))) }
    bytes.append(contentsOf: repeatElement(0x2e, count: max(0, size - bytes.count)))
    return Payload(bytes)
  }

  /// Nanoseconds since the start at which it was published; nil if it is not ours.
  static func time(of payload: Payload) -> Duration? {
    let bytes = payload.bytes
    guard bytes.count >= sizeMin, bytes.starts(with: mark) else { return nil }
    let digits = bytes.dropFirst(mark.count).prefix(8)
    let nanoseconds = digits.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return .nanoseconds(Int64(clamping: nanoseconds))
  }
}
