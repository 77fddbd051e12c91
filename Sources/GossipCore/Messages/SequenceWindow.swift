/// Which numbers of a run were used, where they may come out of order: the newest `width` of them exactly, older ones
/// count as used.
///
/// Source: Bamboo gossip v2 asks for counters; a window of 1,024 for transports that reorder is ours, built as RFC 6479
/// describes.
struct SequenceWindow: Sendable {
  /// Numbers of which each is remembered.
  static let width: UInt64 = 1_024
  private static let words = 17  // one more than the window: the newest word is not complete

  private var bits = [UInt64](repeating: 0, count: words)
  /// The highest number used; nil before the first.
  private(set) var highest: UInt64?
  /// Numbers refused.
  private(set) var refused: UInt64 = 0

  init() {}

  /// Uses a number up.
  /// - Returns: false if it was used before, or is too old to tell.
  mutating func take(_ number: UInt64) -> Bool {
    guard let top = highest else {
      highest = number
      set(number)
      return true
    }
    if number > top {
      let (from, to) = (top >> 6, number >> 6)
      if to - from >= UInt64(SequenceWindow.words) {
        for word in bits.indices { bits[word] = 0 }
      } else if to > from {
        for block in from + 1...to { bits[Int(block % UInt64(SequenceWindow.words))] = 0 }
      }
      highest = number
      set(number)
      return true
    }
    guard isFree(number) else {
      refused &+= 1
      return false
    }
    set(number)
    return true
  }

  /// Whether the number could be used up; changes nothing.
  func isFree(_ number: UInt64) -> Bool {
    guard let top = highest, number <= top else { return true }
    return top - number < SequenceWindow.width && !contains(number)
  }

  private func contains(_ number: UInt64) -> Bool {
    bits[Int((number >> 6) % UInt64(SequenceWindow.words))] & (1 << (number & 63)) != 0
  }

  private mutating func set(_ number: UInt64) {
    bits[Int((number >> 6) % UInt64(SequenceWindow.words))] |= 1 << (number & 63)
  }
}
