import Foundation
import GossipCore
import GossipHost

/// What `gossip dev` shows: a table that is redrawn in place on a terminal, a line per second elsewhere.
final class DevView: Sendable {
  private let network: DevNetwork
  private let isJSON: Bool
  private let topic: String

  init(_ network: DevNetwork, isJSON: Bool, topic: String) {
    self.network = network
    self.isJSON = isJSON
    self.topic = topic
  }

  /// One reading of the whole network.
  private struct Reading {
    var rows: [[String]] = []
    var published = 0
    var delivered = 0
    var duplicates: UInt64 = 0
    var missed = 0
    var bytes: UInt64 = 0
    var latencies = LatencyTable()

    var duplicatesPerDelivery: Double { delivered == 0 ? 0 : Double(duplicates) / Double(delivered) }
  }

  func greet() async {
    Terminal.say("\(network.hosts.count) nodes are up on topic \"\(topic)\". Ctrl-C ends the show.")
    await sayNextCommands()
    Terminal.say("")
  }

  private func sayNextCommands() async {
    guard let address = await network.firstAddress() else { return }
    Terminal.say("From another terminal, while it runs:")
    let gossip = CommandLine.arguments[0]
    let spread = network.policy.spread == .gossipSub ? "" : " --spread \(network.policy.spread.argument)"
    Terminal.say("  \(gossip) subscribe \(topic)\(spread) --connect \(address)")
    Terminal.say("  \(gossip) publish \(topic) \"hello\"\(spread) --connect \(address)")
    if spread.isEmpty { Terminal.say("  \(gossip) run --topic \(topic) --connect \(address)") }
  }

  func showEverySecond() async throws {
    var drawn = 0
    if !isJSON, !Terminal.showsOutput { Terminal.print(DevView.lineHeader) }
    while !Task.isCancelled {
      try await Task.sleep(for: .seconds(1))
      let reading = await read()
      if isJSON {
        Terminal.print(json(reading))
      } else if Terminal.showsOutput {
        drawn = redraw(reading, over: drawn)
      } else {
        Terminal.print(line(reading))
      }
    }
  }

  /// The last reading, and what to type next.
  func finish() async {
    let reading = await read()
    let expected = reading.published * (network.hosts.count - 1)
    Terminal.say("")
    Terminal.say(
      "\(Figures.count(reading.published)) messages published, \(Figures.count(reading.delivered)) delivered"
        + (expected > 0 && reading.missed == 0
          ? "" : ", \(Figures.count(reading.missed)) missed by slow readers"))
    Terminal.say(
      "latency p50 \(Figures.milliseconds(reading.latencies.percentile(0.5))), "
        + "p99 \(Figures.milliseconds(reading.latencies.percentile(0.99))); "
        + String(format: "%.2f duplicates per delivery; ", reading.duplicatesPerDelivery)
        + "\(Figures.bytes(reading.bytes)) sent")
    Terminal.say("")
    Terminal.say("Next: start it again with `\(CommandLine.arguments[0]) dev`, and")
    await sayNextCommands()
    if isJSON { Terminal.print(json(reading)) }
  }

  // MARK: Reading and drawing

  private func read() async -> Reading {
    var reading = Reading()
    for (index, (host, node)) in zip(network.hosts, network.statistics.nodes).enumerated() {
      let snapshot = await host.snapshot
      let traffic = await host.traffic
      let mesh = snapshot.topics.first?.partners.count ?? 0
      let duplicates = snapshot.counters.duplicates
      let share = node.delivered == 0 ? 0 : Double(duplicates) / Double(node.delivered)
      reading.rows.append([
        "\(index + 1) …\(snapshot.me.short)", "\(snapshot.peers.count)", "\(mesh)", "\(node.published)",
        "\(node.delivered)", Figures.milliseconds(node.latencies.percentile(0.5)),
        Figures.milliseconds(node.latencies.percentile(0.99)), String(format: "%.2f", share),
        Figures.bytes(traffic.received), Figures.bytes(traffic.sent),
      ])
      reading.published += node.published
      reading.delivered += node.delivered
      reading.missed += node.missed
      reading.duplicates += duplicates
      reading.bytes += traffic.sent
      reading.latencies.merge(node.latencies)
    }
    return reading
  }

  private static let header = [
    "node", "peers", "mesh", "published", "delivered", "p50", "p99", "dup/delivery", "in", "out",
  ]

  private func redraw(_ reading: Reading, over drawn: Int) -> Int {
    var lines = Table.render([DevView.header] + reading.rows + [total(reading)])
    if let outside = network.statistics.outside {
      lines.append("from outside, by …\(outside.author): \(outside.text.filter { !$0.isNewline })")
    }
    let up = drawn > 0 ? "\u{1b}[\(drawn)A" : ""
    Terminal.write(up + lines.map { "\u{1b}[2K" + $0 + "\n" }.joined(), to: STDOUT_FILENO)
    return lines.count
  }

  private func total(_ reading: Reading) -> [String] {
    [
      "all", "", "", "\(reading.published)", "\(reading.delivered)",
      Figures.milliseconds(reading.latencies.percentile(0.5)),
      Figures.milliseconds(reading.latencies.percentile(0.99)),
      String(format: "%.2f", reading.duplicatesPerDelivery), "", Figures.bytes(reading.bytes),
    ]
  }

  private static let lineHeader =
    "   time  published  delivered       p50       p99  dup/delivery        sent"

  private func line(_ reading: Reading) -> String {
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    let seconds = (ContinuousClock.now - network.start).inSeconds
    return right(String(format: "%.0f s", seconds), 7) + right("\(reading.published)", 11)
      + right("\(reading.delivered)", 11)
      + right(Figures.milliseconds(reading.latencies.percentile(0.5)), 10)
      + right(Figures.milliseconds(reading.latencies.percentile(0.99)), 10)
      + right(String(format: "%.2f", reading.duplicatesPerDelivery), 14)
      + right(Figures.bytes(reading.bytes), 12)
  }

  private func json(_ reading: Reading) -> String {
    var line = JSONLine()
    line.add("nodes", network.hosts.count)
    line.add("published", reading.published)
    line.add("delivered", reading.delivered)
    line.add("missed", reading.missed)
    line.add("lat_ms_p50", reading.latencies.percentile(0.5) ?? .nan)
    line.add("lat_ms_p99", reading.latencies.percentile(0.99) ?? .nan)
    line.add("dup_per_delivery", reading.duplicatesPerDelivery)
    line.add("bytes_sent", reading.bytes)
    return line.text
  }
}
