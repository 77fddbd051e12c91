import Crypto
import DequeModule

/// SHA-256 of a message's encoding, held inline: adverts are compared by it thousands of times.
struct ContentHash: Hashable, Sendable {
  private let a, b, c, d: UInt64

  /// The hash with these bytes; nil unless there are 32.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    func word(_ index: Int) -> UInt64 {
      bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
    (a, b, c, d) = (word(0), word(1), word(2), word(3))
  }

  /// The hash of `wire` as it travels.
  init(of wire: WireMessage) {
    var hash = SHA256()
    unsafe wire.bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    self = unsafe hash.finalize().withUnsafeBytes { digest in
      func word(_ index: Int) -> UInt64 {
        unsafe UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
      return ContentHash(word(0), word(1), word(2), word(3))
    }
  }

  private init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
    (self.a, self.b, self.c, self.d) = (a, b, c, d)
  }

  /// Raw bytes.
  var bytes: [UInt8] {
    unsafe withUnsafeBytes(of: (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian)) { unsafe Array($0) }
  }
}

/// Hashes met lately: when it is full, the one met longest ago is forgotten.
struct RecentHashes: Sendable {
  private let countMax: Int
  private var stamps: [ContentHash: UInt64] = [:]
  /// In the order of their stamps; a hash met again has an older, void entry as well.
  private var order = Deque<(hash: ContentHash, stamp: UInt64)>()
  private var clock: UInt64 = 0

  init(countMax: Int) { self.countMax = countMax }

  var count: Int { stamps.count }

  /// Whether the hash is here; it then counts as met now.
  mutating func meet(_ hash: ContentHash) -> Bool {
    guard stamps[hash] != nil else { return false }
    insert(hash)
    return true
  }

  /// - Complexity: amortized O(1).
  mutating func insert(_ hash: ContentHash) {
    clock += 1
    stamps[hash] = clock
    order.append((hash, clock))
    while stamps.count > countMax { dropFirst() }
    if order.count > 2 * stamps.count + 16 { order.removeAll { stamps[$0.hash] != $0.stamp } }
  }

  private mutating func dropFirst() {
    guard let first = order.popFirst(), stamps[first.hash] == first.stamp else { return }
    stamps[first.hash] = nil
  }

  /// Takes over what another one has met.
  mutating func absorb(_ other: RecentHashes) {
    for (hash, stamp) in other.order where other.stamps[hash] == stamp { insert(hash) }
  }
}
