import DequeModule

/// Messages of one topic by their positions, one per position, lowest first.
///
/// Insertion at either end is O(1), elsewhere O(n); everything else is a binary search.
struct Ladder: Sendable {
  private var rungs = Deque<(position: UInt64, id: MessageID)>()

  var count: Int { rungs.count }
  var highest: (position: UInt64, id: MessageID)? { rungs.last }

  /// The positions up to the highest one, down to the first gap.
  var run: Range<UInt64>? {
    guard let last = rungs.last else { return nil }
    // Without a gap above a rung, its distance to the last one is the number of rungs between.
    let start = rungs.indices.partitioningIndex { place in
      last.position - rungs[place].position == UInt64(rungs.count - 1 - place)
    }
    return rungs[start].position..<last.position + 1
  }

  func id(at position: UInt64) -> MessageID? {
    let place = place(of: position)
    return place < rungs.count && rungs[place].position == position ? rungs[place].id : nil
  }

  /// Puts a message at its position.
  /// - Returns: false if there is one already, or no position can follow this one.
  mutating func insert(_ id: MessageID, at position: UInt64) -> Bool {
    let place = place(of: position)
    guard position < .max, place == rungs.count || rungs[place].position != position else { return false }
    rungs.insert((position, id), at: place)
    return true
  }

  mutating func remove(_ position: UInt64) {
    let place = place(of: position)
    if place < rungs.count, rungs[place].position == position { rungs.remove(at: place) }
  }

  /// Those below a position, lowest first.
  func below(_ position: UInt64) -> [MessageID] { rungs.prefix(place(of: position)).map(\.id) }

  private func place(of position: UInt64) -> Int {
    if let last = rungs.last, last.position < position { return rungs.count }
    return rungs.partitioningIndex { $0.position >= position }
  }
}
