import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Synchronization

/// W1: hosts in one process, each dialing ten random others over TCP, Noise and yamux; every host is on the topic.
///
/// With a window, a publication waits until fewer than `window` messages are still on their way to somebody; with a
/// rate, it waits for its time. CPU is that of the whole process after warm-up.
final class Network: Sendable {
  private let settings: Settings
  private let n, size, m, window, publishers, rate, dials: Int
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
    progress = Progress(messages: m + Network.warmUp, receivers: n - 1)
  }

  private static let warmUp = 50

  private var policy: TopicPolicy {
    settings.isSigned
      ? TopicPolicy() : TopicPolicy(signing: .strictNoSign, identification: .contentHash)
  }

  func run() async throws -> Line {
    var hosts: [Host] = []
    for _ in 0..<n {
      var configuration = HostConfiguration()
      configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
      configuration.subscriptionBuffer = 8_192
      hosts.append(try Host(configuration))
    }
    return try await withThrowingTaskGroup(of: Void.self) { [hosts] group in
      for host in hosts {
        group.addTask { try await host.run() }
        group.addTask(executorPreference: host.executor) { try await self.receive(at: host) }
      }
      try await connect(hosts)
      // For the mesh to settle, as the other implementations' drivers do.
      try await Task.sleep(for: .seconds(4))
      try await onLoop(hosts) { try await self.publish(0..<Network.warmUp, hosts) }
      await progress.settle()
      let line = try await measure(hosts)
      group.cancelAll()
      return line
    }
  }

  private func receive(at host: Host) async throws {
    try await host.withSubscription(to: topic, policy) { incoming in
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
      let payload = progress.make(number, size: size)
      _ = try await hosts[number % publishers].publish(payload, to: topic, policy: policy)
    }
  }

  private func measure(_ hosts: [Host]) async throws -> Line {
    progress.forgetLatencies()
    let duplicatesBefore = await duplicates(hosts)
    let (cpu, bytes, start) = (Usage.now(), Machine.loopbackBytes, ContinuousClock.now)
    try await onLoop(hosts) { try await self.publish(Network.warmUp..<Network.warmUp + self.m, hosts) }
    await progress.settle()
    let wall = (ContinuousClock.now - start).inSeconds
    let used = Usage.now() - cpu
    let sent = Machine.loopbackBytes - bytes
    let deliveries = Double(m * (n - 1))
    var line = Line()
    line.add("mode", "w1")
    line.add("n", n)
    line.add("size", size)
    line.add("m", m)
    line.add("window", rate > 0 ? 0 : window)
    line.add("publishers", publishers)
    line.add("sign", settings.isSigned ? "strict" : "none")
    line.add("rate", rate)
    line.add("wall_s", wall)
    line.add("deliveries", progress.deliveries - Network.warmUp * (n - 1))
    line.add("deliveries_per_s", deliveries / wall)
    line.add("msgs_per_s", Double(m) / wall)
    line.add("cpu_us_per_delivery", used.total * 1e6 / deliveries)
    line.add("user_us_per_delivery", used.user * 1e6 / deliveries)
    line.add("sys_us_per_delivery", used.system * 1e6 / deliveries)
    progress.addLatencies(to: &line)
    line.add("lo_bytes_per_delivery", sent / deliveries)
    line.add("dup_per_delivery", Double(await duplicates(hosts) - duplicatesBefore) / deliveries)
    line.add("dropped_rpc", Int(await shed(hosts)))
    line.add("incomplete_msgs", progress.incomplete)
    line.add("rss_mib", Machine.peakMiB)
    line.add("loadavg", Machine.load)
    return line
  }

  /// Who publishes in a stream does so on the first publisher's loop.
  private func onLoop(_ hosts: [Host], _ body: @Sendable () async throws -> Void) async throws {
    try await withTaskExecutorPreference(hosts[0].executor) { try await body() }
  }

  private func duplicates(_ hosts: [Host]) async -> UInt64 {
    var sum: UInt64 = 0
    for host in hosts { sum += await host.snapshot.counters.duplicates }
    return sum
  }

  private func shed(_ hosts: [Host]) async -> UInt64 {
    var sum: UInt64 = 0
    for host in hosts { sum += await host.snapshot.counters.shed }
    return sum
  }
}

/// Reproducible dice for the topology.
struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Which message has reached how many, and who waits for that.
final class Progress: Sendable {
  private struct State {
    var reached: [Int]
    var open = 0
    var deliveries = 0
    var latencies: [Double] = []
    var waiter: (limit: Int, continuation: CheckedContinuation<Void, Never>)?
  }

  private let receivers: Int
  private let start = ContinuousClock.now
  private let state: Mutex<State>

  init(messages: Int, receivers: Int) {
    self.receivers = receivers
    state = Mutex(State(reached: [Int](repeating: 0, count: messages)))
  }

  /// A payload that names its number and the time; the rest is incompressible.
  func make(_ number: Int, size: Int) -> Payload {
    var generator = Generator(state: UInt64(number))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size + 8)
    append(UInt64(number), to: &bytes)
    append(UInt64(clamping: (ContinuousClock.now - start).nanoseconds), to: &bytes)
    while bytes.count < size { append(generator.next(), to: &bytes) }
    bytes.removeLast(bytes.count - size)
    state.withLock { $0.open += 1 }
    return Payload(bytes)
  }

  private func append(_ word: UInt64, to bytes: inout [UInt8]) {
    for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * shift))) }
  }

  private func word(_ payload: Payload, at place: Int) -> UInt64 {
    payload.bytes.dropFirst(place * 8).prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  func delivered(_ payload: Payload) {
    let number = Int(word(payload, at: 0))
    let latency = (ContinuousClock.now - start).nanoseconds - Int64(word(payload, at: 1))
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.deliveries += 1
      state.latencies.append(Double(latency) / 1e6)
      state.reached[number] += 1
      guard state.reached[number] == receivers else { return nil }
      state.open -= 1
      guard let waiter = state.waiter, state.open < waiter.limit else { return nil }
      state.waiter = nil
      return waiter.continuation
    }
    waiter?.resume()
  }

  /// Waits until fewer than `limit` messages are on their way.
  func wait(untilFewerThan limit: Int) async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.open < limit { return true }
        state.waiter = (limit, continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  /// Waits until everything has arrived, for at most 30 s; what is missing is `incomplete`.
  func settle() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.wait(untilFewerThan: 1) }
      group.addTask {
        try? await Task.sleep(for: .seconds(30))
        self.state.withLock { state in
          defer { state.waiter = nil }
          return state.waiter?.continuation
        }?.resume()
      }
      await group.next()
      group.cancelAll()
    }
  }

  var deliveries: Int { state.withLock { $0.deliveries } }
  var incomplete: Int { state.withLock { $0.open } }
  func forgetLatencies() { state.withLock { $0.latencies = [] } }

  func addLatencies(to line: inout Line) {
    let sorted = state.withLock { $0.latencies }.sorted()
    func percentile(_ share: Double) -> Double {
      sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
    line.add("lat_ms_p50", percentile(0.5))
    line.add("lat_ms_p99", percentile(0.99))
    line.add("lat_ms_max", sorted.last ?? .nan)
  }
}
