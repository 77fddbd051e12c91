import Foundation
import GossipCore
import Synchronization

/// Which message has reached how many, and who waits for that.
final class Progress: Sendable {
  private struct State {
    var reached: [Int]
    var open = 0
    var deliveries = 0
    var isGivenUp = false
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
        if state.open < limit || state.isGivenUp { return true }
        state.waiter = (limit, continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  /// Waits until everything has arrived; what is missing after `patience` without a delivery is `incomplete`.
  func settle() async { await wait(untilFewerThan: 1) }

  /// While nothing is delivered for `patience`, nobody is kept waiting: what is lost would be waited for forever.
  /// Runs until it is cancelled.
  func watch(patience: Duration = .seconds(30)) async {
    var last = (deliveries: -1, at: ContinuousClock.now)
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      let now = deliveries
      if now != last.deliveries { last = (now, .now) }
      guard ContinuousClock.now - last.at > patience else { continue }
      state.withLock { state in
        state.isGivenUp = true
        defer { state.waiter = nil }
        return state.waiter?.continuation
      }?.resume()
    }
  }

  /// Whether something was waited for in vain.
  var isGivenUp: Bool { state.withLock { $0.isGivenUp } }

  var deliveries: Int { state.withLock { $0.deliveries } }
  var incomplete: Int { state.withLock { $0.open } }
  func forgetLatencies() { state.withLock { $0.latencies = [] } }

  /// Nearest rank, in milliseconds.
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
