/// Finds the elements of a queue by what they hash to: an open-addressed table of places, four bytes each, beside a
/// queue that holds the elements themselves.
///
/// Linear probing, at most two thirds full; removal closes the gap. Elements are numbered as they come, so that
/// nothing has to be renumbered when the first one leaves.
struct Places: Sendable {
  /// Numbers of elements, modulo 2³¹; -1 where there is none.
  private var slots: [Int32] = []
  private var count = 0
  /// The number of the queue's first element.
  private var first: Int32 = 0

  /// The place in the queue of an element with this hash for which `matches` holds.
  /// - Complexity: O(1) expected.
  func find(_ hash: Int, _ matches: (Int) -> Bool) -> Int? {
    guard count > 0 else { return nil }
    var slot = hash & (slots.count - 1)
    while slots[slot] >= 0 {
      let place = place(slots[slot])
      if matches(place) { return place }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// An element is about to join the end of the queue. `hash` tells those of the elements already there.
  mutating func append(_ hash: Int, _ hashAt: (Int) -> Int) {
    if 3 * (count + 1) > 2 * slots.count { grow(hashAt) }
    put((first &+ Int32(count)) & .max, hash)
    count += 1
  }

  /// The first element is about to leave the queue.
  mutating func removeFirst(_ hash: Int, _ hashAt: (Int) -> Int) {
    let mask = slots.count - 1
    var gap = hash & mask
    while slots[gap] != first { gap = (gap + 1) & mask }
    // What was pushed past the gap moves back into it.
    var slot = (gap + 1) & mask
    while slots[slot] >= 0 {
      let home = hashAt(place(slots[slot])) & mask
      if (slot - home) & mask >= (slot - gap) & mask {
        slots[gap] = slots[slot]
        gap = slot
      }
      slot = (slot + 1) & mask
    }
    slots[gap] = -1
    first = (first &+ 1) & .max
    count -= 1
  }

  private func place(_ number: Int32) -> Int { Int((number &- first) & .max) }

  private mutating func put(_ number: Int32, _ hash: Int) {
    var slot = hash & (slots.count - 1)
    while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = number
  }

  private mutating func grow(_ hashAt: (Int) -> Int) {
    slots = Array(repeating: -1, count: max(16, 2 * slots.count))
    for place in 0..<count { put((first &+ Int32(place)) & .max, hashAt(place)) }
  }
}
