/// What mathematics has and the standard library lacks.

/// `base` multiplied with itself so many times: the same on every machine. What is too small for a number is 0.
///
/// - Complexity: O(log exponent), by repeated squaring.
func power(_ base: Double, _ exponent: some BinaryInteger) -> Double {
  var (result, square, rest) = (1.0, base, max(0, exponent))
  while rest > 0 {
    if rest & 1 == 1 { result *= square }
    square *= square
    rest >>= 1
  }
  return result
}

extension RandomAccessCollection where Index == Int {
  /// The first place from which on the predicate holds; the elements must be in that order.
  ///
  /// - Complexity: O(log n).
  func partitioningIndex(where holds: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if holds(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
