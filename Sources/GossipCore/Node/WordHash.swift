/// A keyed hash of six words, for the tables that hold ids.
///
/// Several tables are asked for every copy of a message, and the standard hasher takes 25 ns for 48 bytes; this takes
/// three. Each process draws its own keys, so that peers cannot choose ids that collide. Two words at a time are
/// folded by a full multiplication (the principle of wyhash, public domain). Nothing depends on a hash's value: what
/// is walked is ordered.
enum WordHash {
  private static let keys: SIMD8<UInt64> = {
    var keys = SIMD8<UInt64>()
    for index in 0..<8 {
      var hasher = Hasher()  // seeded anew in each process
      hasher.combine(index)
      keys[index] = UInt64(bitPattern: Int64(hasher.finalize())) | 1
    }
    return keys
  }()

  static func hash(
    _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64, _ f: UInt64, seed: Int
  ) -> Int {
    let keys = keys
    let first = fold(a ^ keys[0], b ^ keys[1] ^ UInt64(bitPattern: Int64(seed)))
    let second = fold(c ^ keys[2], d ^ keys[3])
    let third = fold(e ^ keys[4], f ^ keys[5])
    return Int(truncatingIfNeeded: fold(first ^ second ^ keys[6], third ^ second ^ keys[7]))
  }

  private static func fold(_ x: UInt64, _ y: UInt64) -> UInt64 {
    let product = x.multipliedFullWidth(by: y)
    return product.high ^ product.low
  }
}
