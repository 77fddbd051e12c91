/// SipHash-2-4: a short keyed hash that nobody without the key can steer.
///
/// Unlike the standard library's hasher it is the same in every process, so that lives can be repeated.
/// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with its test vectors.
struct SipHash: Sendable {
  /// Sixteen bytes as two words, little endian.
  struct Key: Hashable, Sendable {
    let low, high: UInt64
  }

  private var v0, v1, v2, v3: UInt64

  init(_ key: Key) {
    v0 = key.low ^ 0x736f_6d65_7073_6575
    v1 = key.high ^ 0x646f_7261_6e64_6f6d
    v2 = key.low ^ 0x6c79_6765_6e65_7261
    v3 = key.high ^ 0x7465_6462_7974_6573
  }

  /// Eight bytes more, little endian.
  mutating func add(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  /// - Parameter last: the up to seven bytes that are left, little endian, and above them the number of all bytes.
  mutating func finish(_ last: UInt64) -> UInt64 {
    add(last)
    v2 ^= 0xff
    for _ in 0..<4 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }

  /// The hash of these bytes.
  static func hash(_ bytes: some Collection<UInt8>, _ key: Key) -> UInt64 {
    var state = SipHash(key)
    var (word, filled, count): (UInt64, UInt64, UInt64) = (0, 0, 0)
    for byte in bytes {
      word |= UInt64(byte) << filled
      filled += 8
      count &+= 1
      if filled == 64 {
        state.add(word)
        (word, filled) = (0, 0)
      }
    }
    return state.finish(word | count << 56)
  }

  private mutating func round() {
    v0 &+= v1
    v1 = SipHash.rotate(v1, 13) ^ v0
    v0 = SipHash.rotate(v0, 32)
    v2 &+= v3
    v3 = SipHash.rotate(v3, 16) ^ v2
    v0 &+= v3
    v3 = SipHash.rotate(v3, 21) ^ v0
    v2 &+= v1
    v1 = SipHash.rotate(v1, 17) ^ v2
    v2 = SipHash.rotate(v2, 32)
  }

  private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 - bits) }
}
