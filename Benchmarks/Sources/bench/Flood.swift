import Foundation
import GossipCore
import GossipGauge
import GossipHost
import GossipLibp2p

/// A flood on real sockets: a hostile process says as much as it is let to one of ten honest hosts, while another of
/// them publishes at a steady pace.
///
/// First the steady stream alone, then with the flood. What must hold: resident memory rises by no more than the
/// configuration of all hosts adds up to, and the 99th percentile of honest latencies at most doubles. `kind=signed`
/// floods valid messages of a fresh key, which is what an honest publisher in a hurry would do; `kind=garbage` messages
/// whose signatures are wrong. When it is left, the flooder comes back with another key.
///
/// The honest share this process, and the machine is shared by all: a flood of valid messages is carried to every host,
/// and costs what traffic costs (`budget`: messages a second that one peer may send, to all or, with `limited=victim`, to
/// the victim only: whoever relays a flood would exceed it, too; `author`: messages a second that are taken of one
/// author).
final class Flood: Sendable {
  private let settings: Settings
  private let n, size, rate, seconds, budget, author, dials: Int
  private let topic: Topic = "bench"

  init(_ settings: Settings) {
    self.settings = settings
    n = settings.number("n", 10)
    size = max(16, settings.number("size", 1_024))
    rate = max(1, settings.number("rate", 20))
    seconds = settings.number("seconds", 10)
    budget = settings.number("budget", 0)
    author = settings.number("author", 0)
    dials = settings.number("dials", 4)
  }

  private func configuration(isVictim: Bool) throws -> HostConfiguration {
    var configuration = HostConfiguration()
    configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
    configuration.subscriptionBuffer = 1_024
    configuration.node.limits.storeSizeMax = 16 << 20
    configuration.node.limits.seenMax = 1 << 16
    configuration.limits.queue.messages = 1 << 20
    if budget > 0, isVictim || settings.text("limited", "all") == "all" {
      configuration.node.firewall.budgets.messages.things = Budget(rate: budget, burst: budget)
    }
    return configuration
  }

  /// What the configuration of one host adds up to, with so many peers: bytes.
  private func bound(_ configuration: HostConfiguration, peers: Int) -> Int {
    let (limits, allowance) = (configuration.node.limits, configuration.node.firewall.allowance)
    let queue = configuration.limits.queue
    let perPeer =
      min(allowance.placesMax * allowance.bytesPerPlace, limits.checksOpen * (size + 1_024))
      + queue.control + queue.messages + queue.letters + queue.offers + queue.pieces
    // An id remembered takes some hundred bytes with its places in the tables; a message unread its payload.
    return limits.storeSizeMax + limits.seenMax * 160 + configuration.subscriptionBuffer * (size + 512)
      + peers * perPeer
  }

  func run() async throws -> Line {
    let configurations = try (0..<n).map { try configuration(isVictim: $0 == 0) }
    let hosts = try configurations.map { try Host($0) }
    let count = rate * seconds
    let (before, during) = (
      Progress(messages: count, receivers: n - 1), Progress(messages: count, receivers: n - 1)
    )
    return try await withThrowingTaskGroup(of: Void.self) { group in
      for host in hosts {
        group.addTask { try await host.run() }
        group.addTask { try await self.receive(at: host, before, during) }
      }
      group.addTask { await before.watch() }
      group.addTask { await during.watch() }
      try await connect(hosts)
      try await Task.sleep(for: .seconds(3))  // for the mesh to settle
      var line = Line()
      line.add("mode", "flood")
      line.add("kind", settings.text("kind", "signed"))
      line.add("n", n)
      line.add("size", size)
      line.add("rate", rate)
      line.add("budget", budget)
      line.add("author", author)
      line.add("limited", settings.text("limited", "all"))
      try await stream(hosts, before, 0)
      add(before, "calm", to: &line)
      let resident = Machine.residentKiB
      let (sender, usage) = (try await start(against: hosts[0]), Usage.now())
      let highest = Task { await self.highestResident() }
      try await stream(hosts, during, 1)
      highest.cancel()
      sender.terminate()
      sender.waitUntilExit()
      add(during, "flood", to: &line)
      line.add("cpu_cores", (Usage.now() - usage).total / Double(seconds))
      let rise = (await highest.value - resident) / 1_024
      let limit = Double(bound(configurations[0], peers: n) * n) / 1_048_576
      line.add("rss_rise_mib", rise)
      line.add("rss_bound_mib", limit)
      let snapshot = await hosts[0].snapshot
      line.add("victim_received_mib", Double(await hosts[0].traffic.received) / 1_048_576)
      line.add("victim_delivered", Int(snapshot.counters.delivered))
      line.add("victim_rejected", Int(snapshot.counters.rejected))
      line.add("victim_unheard", Int(snapshot.counters.unheard))
      line.add("victim_over_budget", Int(snapshot.counters.overBudget))
      line.add("victim_barred", Int(snapshot.counters.barred))
      line.add("victim_stored_kib", snapshot.sizes.storedBytes / 1_024)
      let ratio = (line.number("flood_ms_p99") ?? .nan) / (line.number("calm_ms_p99") ?? .nan)
      line.add("p99_ratio", ratio)
      line.add("holds", rise <= limit && ratio <= 2)
      line.add("loadavg", Machine.load)
      group.cancelAll()
      return line
    }
  }

  /// Payloads of the stream say in their last byte which half of the run they belong to; the flood's begin with zeros.
  private func receive(at host: Host, _ before: Progress, _ during: Progress) async throws {
    var policy = TopicPolicy()
    if author > 0 { policy.authorBudget = AuthorBudget(messagesPerSecond: author) }
    try await host.withSubscription(to: topic, policy) { incoming in
      for await case .message(let message, _) in incoming {
        switch message.payload.bytes.last {
        case 0xf0: before.delivered(message.payload)
        case 0xf1: during.delivered(message.payload)
        default: break
        }
      }
    }
  }

  private func connect(_ hosts: [Host]) async throws {
    var addresses: [Multiaddr] = []
    for host in hosts { addresses.append(try await host.listening()[0]) }
    var generator = Generator(state: 1)
    for (index, host) in hosts.enumerated() {
      let others = Array(0..<hosts.count).filter { $0 != index }.shuffled(using: &generator)
      for other in others.prefix(dials) { _ = try await host.connect(to: addresses[other]) }
    }
  }

  /// The second host publishes; the first is the victim.
  private func stream(_ hosts: [Host], _ progress: Progress, _ half: UInt8) async throws {
    let start = ContinuousClock.now
    for number in 0..<rate * seconds where !progress.isGivenUp {
      try await Task.sleep(until: start + .nanoseconds(number * 1_000_000_000 / rate))
      let bytes = progress.make(number, size: size).bytes.dropLast() + [0xf0 | half]
      _ = try await hosts[1].publish(Payload(Array(bytes)), to: topic)
    }
    await progress.settle()
  }

  private func add(_ progress: Progress, _ name: String, to line: inout Line) {
    var latencies = Line()
    progress.addLatencies(to: &latencies)
    for key in ["p50", "p99", "max"] {
      line.add("\(name)_ms_\(key)", latencies.number("lat_ms_\(key)") ?? .nan)
    }
    line.add("\(name)_deliveries", progress.deliveries)
    line.add("\(name)_incomplete", progress.incomplete)
  }

  private func highestResident() async -> Double {
    var highest = Machine.residentKiB
    while (try? await Task.sleep(for: .milliseconds(100))) != nil {
      highest = max(highest, Machine.residentKiB)
    }
    return max(highest, Machine.residentKiB)
  }

  private func start(against host: Host) async throws -> Process {
    let child = Process()
    child.executableURL = URL(filePath: CommandLine.arguments[0])
    child.arguments = ["flood-sender"] + settings.arguments + ["address=\(try await host.listening()[0])"]
    let pipe = Pipe()
    child.standardOutput = pipe
    try child.run()
    // It prepares its messages first.
    let ready = pipe.fileHandleForReading.availableData
    guard !ready.isEmpty else { throw Settings.Fault(description: "the flooder ended at once") }
    return child
  }
}

/// The hostile process: says prepared messages as fast as the socket takes them, round and round.
struct Flooder {
  private let settings: Settings

  init(_ settings: Settings) { self.settings = settings }

  func run() throws {
    // In life it has a machine of its own; here it gets what the honest leave.
    _ = nice(19)
    let address = try Multiaddr(settings.text("address", ""))
    let isGenuine = settings.text("kind", "signed") == "signed"
    let (size, count) = (max(16, settings.number("size", 1_024)), settings.number("prepared", 50_000))
    var key: UInt8 = 100
    var (peer, frames) = (BarePeer(seed: key, connection: 1, on: "bench"), [Frame]())
    while true {
      frames = (0..<count).map { frame(of: peer, $0, size, isGenuine) }
      if key == 100 { FileHandle.standardOutput.write(Data("ready\n".utf8)) }
      flood(&peer, frames, at: address)
      key = key == 255 ? 101 : key + 1
      peer = BarePeer(seed: key, connection: key, on: "bench")
    }
  }

  private func frame(of peer: BarePeer, _ number: Int, _ size: Int, _ isGenuine: Bool) -> Frame {
    var bytes = [UInt8](repeating: 0, count: size)
    for shift in 0..<8 { bytes[8 + shift] = UInt8(truncatingIfNeeded: number >> (8 * shift)) }
    var frame = Frame(.gossipSub)
    frame.messages = [peer.message(UInt64(number + 1), Payload(bytes), isGenuine: isGenuine)]
    return frame
  }

  /// Until it is left.
  private func flood(_ peer: inout BarePeer, _ frames: [Frame], at address: Multiaddr) {
    guard let socket = try? Deaf.dial(address, readBuffer: nil) else {
      usleep(100_000)  // the victim has no room for us at the moment
      return
    }
    defer { close(socket) }
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    var (output, next) = ([UInt8]()[...], 0)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    peer.start(at: Deaf.now)
    while true {
      if output.isEmpty {
        var budget = 64
        while peer.hasJoined, budget > 0, peer.say(frames[next % frames.count]) {
          (next, budget) = (next + 1, budget - 1)
        }
        output = peer.takeOutput()[...]
      }
      var state = pollfd(fd: socket, events: Int16(POLLIN | (output.isEmpty ? 0 : POLLOUT)), revents: 0)
      poll(&state, 1, 1_000)
      if state.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
        let count = read(socket, &buffer, buffer.count)
        if count == 0 || (count < 0 && errno != EAGAIN) { return }
        if count > 0 { peer.receive(Array(buffer[..<count]), at: Deaf.now) }
      }
      if state.revents & Int16(POLLOUT) != 0 {
        let count = output.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count < 0, errno != EAGAIN { return }
        output = output.dropFirst(max(0, count))
      }
      peer.wake(at: Deaf.now)
    }
  }
}
