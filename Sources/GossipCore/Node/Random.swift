import Crypto

/// The node's dice: SHA-256 in counter mode over a 32-byte seed.
///
/// Seeded, so that a life can be repeated; a cryptographic stream, so that peers who see some of our choices
/// cannot predict the next.
public struct Random: RandomNumberGenerator, Sendable {
  private let seed: [UInt8]
  private var counter: UInt64 = 0
  private var block: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  private var used = 4

  /// - Parameter seed: any bytes; 32 unpredictable ones in production.
  public init(seed: [UInt8]) { self.seed = seed }

  /// The next 64 bits of the stream.
  public mutating func next() -> UInt64 {
    if used == 4 { refill() }
    defer { used += 1 }
    return switch used {
    case 0: block.0
    case 1: block.1
    case 2: block.2
    default: block.3
    }
  }

  private mutating func refill() {
    var hash = SHA256()
    unsafe seed.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    unsafe withUnsafeBytes(of: counter.littleEndian) { unsafe hash.update(bufferPointer: $0) }
    counter += 1
    used = 0
    block = unsafe hash.finalize().withUnsafeBytes { bytes in
      unsafe (
        bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
        bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
      )
    }
  }

  /// Up to `count` different elements of `pool`, in random order.
  /// - Complexity: O(count) draws after one copy of `pool`.
  public mutating func sample<T>(_ count: Int, of pool: [T]) -> [T] {
    var pool = pool
    let count = min(max(count, 0), pool.count)
    for index in 0..<count {
      pool.swapAt(index, Int.random(in: index..<pool.count, using: &self))
    }
    return Array(pool.prefix(count))
  }
}
