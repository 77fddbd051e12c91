import Foundation
import GossipCore
import GossipHost
import GossipSim

/// What `gossip dev` shows: a table that is redrawn in place on a terminal, a line per second elsewhere.
final class DevView: Sendable {
  private let network: DevNetwork
  private let isJSON: Bool
  private let explains: Bool
  private let topic: String

  init(_ network: DevNetwork, isJSON: Bool, explains: Bool, topic: String) {
    self.network = network
    self.isJSON = isJSON
    self.explains = explains
    self.topic = topic
  }

  private var troops: DevTroops { network.troops }
  private var isAttacked: Bool { troops.hostile > 0 }

  /// One reading of the whole network; the sums are those of the honest.
  private struct Reading {
    var rows: [[String]] = []
    var published = 0
    var delivered = 0
    /// Messages of the stream that came to an honest node, and how many there should be.
    var streamed = 0
    var expected = 0
    var opinion = DevOpinion()
    var duplicates: UInt64 = 0
    var missed = 0
    var bytes: UInt64 = 0
    var latencies = LatencyTable()

    var duplicatesPerDelivery: Double { delivered == 0 ? 0 : Double(duplicates) / Double(delivered) }
  }

  func greet() async {
    Terminal.say("\(network.hosts.count) nodes are up on topic \"\(topic)\". Ctrl-C ends the show.")
    if isAttacked { Terminal.say("\(troops.hostile) of them attack: \(hostility).") }
    await sayNextCommands()
    Terminal.say("")
  }

  /// `2 flooder, 1 dropper`.
  private var hostility: String {
    var counts: [(name: String, count: Int)] = []
    for role in troops.roles {
      guard let name = role?.rawValue else { continue }
      if counts.last?.name == name { counts[counts.count - 1].count += 1 } else { counts.append((name, 1)) }
    }
    return counts.map { "\($0.count) \($0.name)" }.joined(separator: ", ")
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
    if !isJSON, !Terminal.showsOutput { Terminal.print(lineHeader) }
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
    network.statistics.end()
    var reading = await read()
    for _ in 0..<200 where reading.streamed < reading.expected {  // for what is on its way: two seconds
      do { try await Task.sleep(for: .milliseconds(10)) } catch { break }
      reading = await read()
    }
    Terminal.say("")
    Terminal.say(
      "\(Figures.count(reading.published)) messages published, \(Figures.count(reading.delivered)) delivered"
        + (reading.expected > 0 && reading.missed == 0
          ? "" : ", \(Figures.count(reading.missed)) missed by slow readers"))
    Terminal.say(
      "latency p50 \(Figures.milliseconds(reading.latencies.percentile(0.5))), "
        + "p99 \(Figures.milliseconds(reading.latencies.percentile(0.99))); "
        + String(format: "%.2f duplicates per delivery; ", reading.duplicatesPerDelivery)
        + "\(Figures.bytes(reading.bytes)) sent")
    if isAttacked { sayDefences(reading) }
    if explains {
      for (by, explanation) in await network.explanations() {
        Terminal.say("")
        Terminal.print("as …\(by.short) sees it: \(explanation)")
      }
    }
    Terminal.say("")
    Terminal.say("Next: start it again with `\(CommandLine.arguments[0]) dev`, and")
    await sayNextCommands()
    if isJSON { Terminal.print(json(reading)) }
  }

  private func sayDefences(_ reading: Reading) {
    let share = reading.expected == 0 ? 1 : Double(reading.streamed) / Double(reading.expected)
    let hostile = network.hosts.dropFirst(troops.honest).map(\.identity.peer)
    let honestBarred = reading.opinion.barred.subtracting(hostile).count
    Terminal.say(
      "among the \(troops.honest) honest, against \(hostility): "
        + String(format: "%.2f %%", 100 * share)
        + " of \(Figures.count(reading.expected)) deliveries; "
        + "barred \(reading.opinion.barred.count - honestBarred) of \(troops.hostile) hostile and "
        + "\(honestBarred) honest; worst score \(reading.opinion.worst.map(Figures.score) ?? "–")")
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
      let role = troops.roles[index]
      let opinion = isAttacked ? DevOpinion(snapshot, await host.blacklist) : DevOpinion()
      reading.rows.append(
        [
          "\(index + 1) …\(snapshot.me.short)" + (role.map { " \($0.rawValue)" } ?? ""),
          "\(snapshot.peers.count)", "\(mesh)", "\(node.published)",
          "\(node.delivered)", Figures.milliseconds(node.latencies.percentile(0.5)),
          Figures.milliseconds(node.latencies.percentile(0.99)), String(format: "%.2f", share),
          Figures.bytes(traffic.received), Figures.bytes(traffic.sent),
        ] + (isAttacked ? role == nil ? opinion.cells : ["", "", ""] : []))
      guard role == nil else { continue }
      reading.opinion.merge(opinion)
      reading.streamed += node.streamed
      reading.published += node.published
      reading.delivered += node.delivered
      reading.missed += node.missed
      reading.duplicates += duplicates
      reading.bytes += traffic.sent
      reading.latencies.merge(node.latencies)
    }
    reading.expected = reading.published * (troops.honest - 1)
    return reading
  }

  private var header: [String] {
    ["node", "peers", "mesh", "published", "delivered", "p50", "p99", "dup/delivery", "in", "out"]
      + (isAttacked ? DevOpinion.header : [])
  }

  private func redraw(_ reading: Reading, over drawn: Int) -> Int {
    var lines = Table.render([header] + reading.rows + [total(reading)])
    if let outside = network.statistics.outside {
      lines.append("from outside, by …\(outside.author): \(outside.text.filter { !$0.isNewline })")
    }
    let up = drawn > 0 ? "\u{1b}[\(drawn)A" : ""
    Terminal.write(up + lines.map { "\u{1b}[2K" + $0 + "\n" }.joined(), to: STDOUT_FILENO)
    return lines.count
  }

  private func total(_ reading: Reading) -> [String] {
    [
      isAttacked ? "honest" : "all", "", "", "\(reading.published)", "\(reading.delivered)",
      Figures.milliseconds(reading.latencies.percentile(0.5)),
      Figures.milliseconds(reading.latencies.percentile(0.99)),
      String(format: "%.2f", reading.duplicatesPerDelivery), "", Figures.bytes(reading.bytes),
    ] + (isAttacked ? reading.opinion.cells : [])
  }

  private var lineHeader: String {
    "   time  published  delivered       p50       p99  dup/delivery        sent"
      + (isAttacked ? DevOpinion.header.map { "  " + $0 }.joined() : "")
  }

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
      + (isAttacked
        ? zip(DevOpinion.header, reading.opinion.cells).map { right($1, $0.count + 2) }.joined() : "")
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
    if isAttacked {
      line.add("hostile", troops.hostile)
      line.add("honest_delivered", reading.streamed)
      line.add("honest_expected", reading.expected)
      line.add("worst_score", reading.opinion.worst ?? .nan)
      line.add("blocked", reading.opinion.blocked)
      line.add("barred", reading.opinion.barred.map(\.description).sorted())
    }
    return line.text
  }
}
