import GossipCore
import Synchronization

/// What the nodes of `gossip dev` delivered, gathered from their subscribers.
///
/// Latencies are kept in a fixed table of buckets a twelfth apart, so that memory does not grow with time.
final class DevStatistics: Sendable {
  struct Node: Sendable {
    var published = 0
    var delivered = 0
    /// Of those, messages of the stream.
    var streamed = 0
    var missed = 0
    var latencies = LatencyTable()
  }

  private struct State {
    var nodes: [Node]
    var outside: (text: String, author: String)?
    var isEnding = false
  }

  private let state: Mutex<State>

  init(nodes: Int) { state = Mutex(State(nodes: [Node](repeating: Node(), count: nodes))) }

  var nodes: [Node] { state.withLock { $0.nodes } }
  /// The last message that none of our nodes wrote.
  var outside: (text: String, author: String)? { state.withLock { $0.outside } }

  /// Whether nothing more is published.
  var isEnding: Bool { state.withLock { $0.isEnding } }
  func end() { state.withLock { $0.isEnding = true } }

  func published(by node: Int) { state.withLock { $0.nodes[node].published += 1 } }
  func missed(_ count: Int, at node: Int) { state.withLock { $0.nodes[node].missed += count } }

  func delivered(at node: Int, after latency: Duration) {
    state.withLock {
      $0.nodes[node].delivered += 1
      $0.nodes[node].streamed += 1
      $0.nodes[node].latencies.add(latency)
    }
  }

  func deliveredFromOutside(_ text: String, by author: String, at node: Int) {
    state.withLock {
      $0.nodes[node].delivered += 1
      $0.outside = (text, author)
    }
  }
}

/// Latencies from a microsecond to an hour, in buckets 2^(1/8) apart: percentiles are right to 9 %.
struct LatencyTable: Sendable {
  private var counts = [Int](repeating: 0, count: 256)
  private(set) var total = 0

  mutating func add(_ latency: Duration) {
    counts[LatencyTable.bucket(of: latency)] += 1
    total += 1
  }

  mutating func merge(_ other: LatencyTable) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
  }

  /// The latency that `share` of all are at or below, in milliseconds; nil if there are none.
  func percentile(_ share: Double) -> Double? {
    guard total > 0 else { return nil }
    var left = max(1, Int((Double(total) * share).rounded(.up)))
    for (index, count) in counts.enumerated() {
      left -= count
      if left <= 0 { return LatencyTable.upperBound(of: index) }
    }
    return nil
  }

  private static func bucket(of latency: Duration) -> Int {
    var micros = max(0, latency.inSeconds * 1e6)
    var bucket = 0
    while micros >= 2, bucket < 248 {
      micros /= 2
      bucket += 8
    }
    while micros >= 1.0905, bucket % 8 < 7 {
      micros /= 1.0905
      bucket += 1
    }
    return bucket
  }

  private static func upperBound(of bucket: Int) -> Double {
    var micros = 1.0
    for _ in 0...bucket { micros *= 1.0905 }
    return micros / 1_000
  }
}
