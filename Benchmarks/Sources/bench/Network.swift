import Foundation
import GossipCore
import GossipHost
import GossipLibp2p

/// W1: hosts in one process, each dialing ten random others over TCP, Noise and yamux; every host is on the topic.
///
/// With a window, a publication waits until fewer than `window` messages are still on their way to somebody; with a
/// rate, it waits for its time. CPU is that of the whole process after warm-up. With `deaf=1` one peer more joins by
/// ten connections, and never reads after that; see Deaf.swift.
final class Network: Sendable {
  private let settings: Settings
  private let n, size, m, window, publishers, rate, dials, queueBound: Int
  private let topic: Topic = "bench"
  private let progress: Progress

  init(_ settings: Settings) {
    self.settings = settings
    n = settings.number("n", 20)
    size = max(16, settings.number("size", 1_024))
    m = settings.number("m", 2_000)
    window = settings.number("window", 64)
    publishers = settings.number("publishers", 1)
    rate = settings.number("rate", 0)
    dials = settings.number("dials", 10)
    queueBound = settings.number("queue", SendQueue.Bounds().messages)
    progress = Progress(messages: m + Network.warmUp, receivers: n - 1)
  }

  private static let warmUp = 50

  func run() async throws -> Line {
    var hosts: [Host] = []
    for _ in 0..<n {
      var configuration = HostConfiguration()
      configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
      configuration.subscriptionBuffer = 8_192
      configuration.limits.queue.messages = queueBound
      settings.defend(&configuration.node)
      hosts.append(try Host(configuration))
    }
    return try await withThrowingTaskGroup(of: Void.self) { [hosts] group in
      for host in hosts {
        group.addTask { try await host.run() }
        group.addTask(executorPreference: host.executor) { try await self.receive(at: host) }
      }
      group.addTask { await self.progress.watch() }
      try await connect(hosts)
      var deaf: Deaf?
      if settings.number("deaf", 0) > 0 {
        let victims = Array(hosts.prefix(dials))
        let peer = Deaf(on: topic)
        for host in victims { group.addTask { await peer.listen(to: host.notices) } }
        for host in victims { try await peer.connect(to: host.listening()[0]) }
        deaf = peer
      }
      // For the mesh to settle, as the other implementations' drivers do.
      try await Task.sleep(for: .seconds(4))
      try await onLoop(hosts) { try await self.publish(0..<Network.warmUp, hosts) }
      await progress.settle()
      var line = try await measure(hosts)
      deaf?.report(to: &line, bound: queueBound)
      group.cancelAll()
      return line
    }
  }

  private func receive(at host: Host) async throws {
    try await host.withSubscription(to: topic, settings.policy) { incoming in
      for await case .message(let message, _) in incoming { progress.delivered(message.payload) }
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

  private func publish(_ numbers: Range<Int>, _ hosts: [Host]) async throws {
    let start = ContinuousClock.now
    for (turn, number) in numbers.enumerated() {
      if rate > 0 {
        try await Task.sleep(until: start + .nanoseconds(turn * 1_000_000_000 / rate))
      } else {
        await progress.wait(untilFewerThan: window)
      }
      if progress.isGivenUp { return }
      let payload = progress.make(number, size: size)
      _ = try await hosts[number % publishers].publish(payload, to: topic, policy: settings.policy)
    }
  }

  private func measure(_ hosts: [Host]) async throws -> Line {
    progress.forgetLatencies()
    let (duplicatesBefore, deliveriesBefore) = (await total(hosts, \.duplicates), progress.deliveries)
    let (cpu, bytes, start) = (Usage.now(), Machine.loopbackBytes, ContinuousClock.now)
    let allocations = Allocations.count
    try await onLoop(hosts) { try await self.publish(Network.warmUp..<Network.warmUp + self.m, hosts) }
    await progress.settle()
    let allocated = Allocations.count.flatMap { now in allocations.map { now - $0 } }
    let wall = (ContinuousClock.now - start).inSeconds
    let used = Usage.now() - cpu
    let sent = Machine.loopbackBytes - bytes
    let deliveries = Double(progress.deliveries - deliveriesBefore)
    var line = Line()
    line.add("mode", "w1")
    line.add("n", n)
    line.add("size", size)
    line.add("m", m)
    line.add("window", rate > 0 ? 0 : window)
    line.add("publishers", publishers)
    line.add("sign", settings.isSigned ? "strict" : "none")
    line.add("rate", rate)
    line.add("defence", settings.text("defence", "on"))
    line.add("wall_s", wall)
    line.add("deliveries", Int(deliveries))
    line.add("deliveries_per_s", deliveries / wall)
    line.add("msgs_per_s", Double(m) / wall)
    line.add("cpu_us_per_delivery", used.total * 1e6 / deliveries)
    line.add("user_us_per_delivery", used.user * 1e6 / deliveries)
    line.add("sys_us_per_delivery", used.system * 1e6 / deliveries)
    progress.addLatencies(to: &line)
    line.add("lo_bytes_per_delivery", sent / deliveries)
    line.add("lo_shared", Machine.sharesLoopback)
    line.add("dup_per_delivery", Double(await total(hosts, \.duplicates) - duplicatesBefore) / deliveries)
    if let allocated { line.add("allocs_per_delivery", Double(allocated) / deliveries) }
    line.add("dropped_rpc", Int(await total(hosts, \.shed)))
    line.add("incomplete_msgs", progress.isGivenUp ? max(1, progress.incomplete) : progress.incomplete)
    line.add("rss_mib", Machine.peakMiB)
    line.add("loadavg", Machine.load)
    return line
  }

  /// Who publishes in a stream does so on the first publisher's loop.
  private func onLoop(_ hosts: [Host], _ body: @Sendable () async throws -> Void) async throws {
    try await withTaskExecutorPreference(hosts[0].executor) { try await body() }
  }

  private func total(_ hosts: [Host], _ counter: any KeyPath<Counters, UInt64> & Sendable) async -> UInt64 {
    var sum: UInt64 = 0
    for host in hosts { sum += await host.snapshot.counters[keyPath: counter] }
    return sum
  }
}
