/// Sequence numbers that rise strictly, over crashes too, with one write for many numbers.
///
/// Numbers are reserved in blocks. What is written is the first number that was *not* reserved; after a crash one goes
/// on from there, and what was left of the block is skipped. The next block is asked for when half of one is left, so
/// that the write is usually done when its numbers are needed; until it is, there are none.
///
///     used │ left of the block │ to be written │
///          next              reserved        wanted
///
/// The clock, if there is one, only helps: should what was written be lost, numbers still rise as long as the clock
/// does.
public struct SequenceReserve: Sendable {
  private var following: UInt64
  private var reserved: UInt64
  private let block: UInt64

  /// - Parameters:
  ///   - stored: what was written last; 0 if nothing was.
  ///   - clock: a number to begin with at least, such as wall-clock nanoseconds.
  ///   - block: numbers per write, at least 1.
  public init(stored: UInt64, clock: UInt64 = 0, block: UInt64 = 1 << 20) {
    following = max(stored, clock, 1)
    reserved = following
    self.block = max(1, block)
  }

  /// What has to be written, durably, before there are more numbers; nil while there are plenty.
  public var wanted: UInt64? {
    guard reserved - following <= block / 2 else { return nil }
    let (end, overflow) = reserved.addingReportingOverflow(block)
    return overflow ? (reserved == .max ? nil : .max) : end
  }

  /// This was written.
  public mutating func stored(_ bound: UInt64) { reserved = max(reserved, bound) }

  /// The next number; nil until what is `wanted` has been written.
  public mutating func next() -> UInt64? {
    guard following < reserved else { return nil }
    defer { following += 1 }
    return following
  }
}
