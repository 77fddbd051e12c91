/// Whether a peer offers us the same message over and over.
///
/// Telling of a message again is cheap and sometimes right: after a reconnect, or when an epoch begins. So the first
/// few repetitions are free, and with a new connection or epoch all begins anew.
///
/// Bound: two generations of `idsMax` ids per peer, 16 bytes each; peers by whoever holds these values.
/// Source: Bamboo gossip v2, "Circulating".
struct DigestRepeats: Sendable {
  /// Repetitions by a keyed hash of the id; exact but for one in 2⁵⁰ of those a peer has open.
  private var counts: [Int: UInt8] = [:]
  private var formerCounts: [Int: UInt8] = [:]
  /// Repetitions that were not free.
  private(set) var excessive: UInt64 = 0

  /// The peer offers this message.
  /// - Returns: whether it did so too often.
  mutating func offered(_ id: MessageID, _ parameters: DigestRepeatParameters) -> Bool {
    let key = id.tableHash
    guard let times = counts[key] ?? formerCounts[key] else {
      note(key, 0, parameters)
      return false
    }
    note(key, times == .max ? .max : times + 1, parameters)
    guard Int(times) >= parameters.freeRepeats else { return false }
    excessive += 1
    return true
  }

  /// A new connection or a new epoch.
  mutating func removeAll() { (counts, formerCounts) = ([:], [:]) }

  private mutating func note(_ key: Int, _ times: UInt8, _ parameters: DigestRepeatParameters) {
    if counts.count >= parameters.idsMax { (formerCounts, counts) = (counts, [:]) }
    counts[key] = times
  }
}

/// How often a peer may tell of the same message.
public struct DigestRepeatParameters: Hashable, Sendable {
  /// Repetitions of one digest that are free.
  public var freeRepeats = 3
  /// Ids remembered per peer, and generation of two.
  public var idsMax = 4_096

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    guard (0...254).contains(freeRepeats) else {
      throw ConfigurationError("digestRepeats.freeRepeats", expected: "0 to 254", found: "\(freeRepeats)")
    }
    try Rule.count(idsMax, atMost: 1 << 20, "digestRepeats.idsMax")
  }
}
