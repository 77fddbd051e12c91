import Foundation

/// The counter of Benchmarks/Allocations, if it was loaded before this program (`LD_PRELOAD`).
enum Allocations {
  /// Calls of malloc and its like so far; nil without the counter.
  static var count: UInt64? { counter.map { $0() } }

  private typealias Counter = @convention(c) () -> UInt64

  private static let counter: Counter? = {
    guard let symbol = dlsym(nil, "gossip_allocations") else { return nil }
    return unsafeBitCast(symbol, to: Counter.self)
  }()
}
