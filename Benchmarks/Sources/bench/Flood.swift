import Foundation
import GossipCore
import GossipHost
import GossipLibp2p

/// A flood on real sockets: a hostile process says as much as it is let to one of ten honest hosts, while another of
/// them publishes at a steady pace.
///
/// First the steady stream alone, then with the flood. What must hold: the resident memory of the flooded host, which
/// has a process of its own (Victim.swift), rises by no more than its configuration adds up to, and the 99th percentile
/// of honest latencies, its own among them, at most doubles. `kind=signed` floods valid messages of a fresh key, which
/// is what an honest publisher in a hurry would do; `kind=garbage` messages whose signatures are wrong. When it is left,
/// the flooder comes back with another key.
///
/// Three processes share the machine: the victim, the flooder, and this one with all other hosts. With two cores the
/// flooder takes from the honest what it uses itself, as it would not in life; `nice=19` lets it have only what they
/// leave. A flood of valid messages is carried to every host, and costs what traffic costs (`budget`: messages a second
/// that one peer may send, to all or, with `limited=victim`, to the victim only: whoever relays a flood would exceed it,
/// too).
final class Flood: Sendable {
  private let settings: Settings
  private let n, size, rate, seconds, dials: Int
  private let progress: Progress

  init(_ settings: Settings) {
    self.settings = settings
    n = max(3, settings.number("n", 10))
    size = Flood.size(settings)
    rate = max(1, settings.number("rate", 20))
    seconds = settings.number("seconds", 10)
    dials = settings.number("dials", 4)
    progress = Progress(messages: 2 * rate * seconds, receivers: n - 1)
  }

  // MARK: What all three processes agree on

  static let topic: Topic = "bench"

  static func size(_ settings: Settings) -> Int { max(17, settings.number("size", 1_024)) }

  static func policy(_ settings: Settings) -> TopicPolicy { TopicPolicy() }

  static func configuration(_ settings: Settings, isVictim: Bool) throws -> HostConfiguration {
    var configuration = HostConfiguration()
    configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
    configuration.subscriptionBuffer = 1_024
    configuration.node.limits.storeSizeMax = 16 << 20
    configuration.node.limits.seenMax = 1 << 16
    configuration.limits.queue.messages = 1 << 20
    let budget = settings.number("budget", 0)
    if budget > 0, isVictim || settings.text("limited", "all") == "all" {
      configuration.node.firewall.budgets.messages.things = Budget(rate: budget, burst: budget)
    }
    return configuration
  }

  /// The last byte of a payload of the steady stream; the flood's is another.
  private static let mark: UInt8 = 0xf0

  static func isHonest(_ payload: Payload) -> Bool { payload.bytes.last == mark }

  /// What the configuration of one host adds up to with so many peers and messages of this size, in bytes.
  private func bound(_ configuration: HostConfiguration, peers: Int) -> Int {
    let (limits, allowance) = (configuration.node.limits, configuration.node.firewall.allowance)
    let queue = configuration.limits.queue
    let queues = peers * (queue.control + queue.messages + queue.letters + queue.offers + queue.pieces)
    let unchecked = min(
      peers * allowance.placesMax * allowance.bytesPerPlace, limits.checksOpen * (size + 1_024))
    // An id remembered takes some hundred bytes with its places in the tables; a message unread its payload.
    let unread = configuration.subscriptionBuffer * (size + 512)
    return limits.storeSizeMax + limits.seenMax * 160 + unread + unchecked + queues
  }

  // MARK: The run

  func run() async throws -> Line {
    var hosts: [Host] = []
    for _ in 1..<n { hosts.append(try Host(try Flood.configuration(settings, isVictim: false))) }
    return try await withThrowingTaskGroup(of: Void.self) { [hosts] group in
      for host in hosts {
        group.addTask { try await host.run() }
        group.addTask { try await self.receive(at: host) }
      }
      group.addTask { await self.progress.watch() }
      let victim = try await connect(hosts)
      try await Task.sleep(for: .seconds(3))  // for the mesh to settle
      var line = heading
      try await stream(from: hosts[0], 0)
      add("calm", to: &line)
      let (before, victimBefore, resident) = (Usage.now(), Machine.cpu(of: victim.id), victim.residentKiB)
      let sender = try Flooder.start(settings, at: victim.address)
      let (deliveries, start) = (progress.deliveries, ContinuousClock.now)
      try await stream(from: hosts[0], 1)
      let rise = (victim.peakKiB - resident) / 1_024
      let wall = (ContinuousClock.now - start).inSeconds
      line.add("others_cpu_cores", (Usage.now() - before).total / wall)
      line.add("victim_cpu_cores", (Machine.cpu(of: victim.id) - victimBefore) / wall)
      line.add("flooder_cpu_cores", Machine.cpu(of: sender.processIdentifier) / wall)
      sender.terminate()
      sender.waitUntilExit()
      add("flood", since: deliveries, to: &line)
      let limit =
        Double(bound(try Flood.configuration(settings, isVictim: true), peers: n)) / 1_048_576
      line.add("rss_before_mib", resident / 1_024)
      line.add("rss_rise_mib", rise)
      line.add("rss_bound_mib", limit)
      for (key, value) in await victim.end().fields { line.set(key, value) }
      let ratio = (line.number("flood_ms_p99") ?? .nan) / (line.number("calm_ms_p99") ?? .nan)
      line.add("p99_ratio", ratio)
      line.add("holds", rise <= limit && ratio <= 2)
      line.add("loadavg", Machine.load)
      group.cancelAll()
      return line
    }
  }

  private var heading: Line {
    var line = Line()
    line.add("mode", "flood")
    line.add("kind", settings.text("kind", "signed"))
    line.add("n", n)
    line.add("size", size)
    line.add("rate", rate)
    line.add("seconds", seconds)
    line.add("budget", settings.number("budget", 0))
    line.add("limited", settings.text("limited", "all"))
    line.add("flooder_nice", settings.number("nice", 0))
    return line
  }

  private func receive(at host: Host) async throws {
    try await host.withSubscription(to: Flood.topic, Flood.policy(settings)) { incoming in
      for await case .message(let message, _) in incoming where Flood.isHonest(message.payload) {
        progress.delivered(message.payload)
      }
    }
  }

  /// Everybody, the victim too, dials some others drawn at random.
  private func connect(_ hosts: [Host]) async throws -> Victim {
    var addresses: [Multiaddr] = []
    for host in hosts { addresses.append(try await host.listening()[0]) }
    var generator = Generator(state: 1)
    let dialed = addresses.shuffled(using: &generator).prefix(dials)
    let victim = try Victim.start(settings, dialing: Array(dialed), acknowledgingTo: progress)
    addresses.append(victim.address)
    for (index, host) in hosts.enumerated() {
      let others = addresses.indices.filter { $0 != index }.shuffled(using: &generator)
      for other in others.prefix(dials) { _ = try await host.connect(to: addresses[other]) }
    }
    return victim
  }

  private func stream(from host: Host, _ half: Int) async throws {
    let (start, count) = (ContinuousClock.now, rate * seconds)
    for number in 0..<count where !progress.isGivenUp {
      try await Task.sleep(until: start + .nanoseconds(number * 1_000_000_000 / rate))
      let bytes = progress.make(half * count + number, size: size).bytes.dropLast() + [Flood.mark]
      _ = try await host.publish(Payload(Array(bytes)), to: Flood.topic, policy: Flood.policy(settings))
    }
    await progress.settle()
  }

  /// The latencies since this was asked last.
  private func add(_ name: String, since deliveries: Int = 0, to line: inout Line) {
    var latencies = Line()
    progress.addLatencies(to: &latencies)
    progress.forgetLatencies()
    for key in ["p50", "p99", "max"] {
      line.add("\(name)_ms_\(key)", latencies.number("lat_ms_\(key)") ?? .nan)
    }
    line.add("\(name)_deliveries", progress.deliveries - deliveries)
    line.add("\(name)_incomplete", progress.incomplete)
  }
}
