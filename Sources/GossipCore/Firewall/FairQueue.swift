import DequeModule

/// What waits to be done for several owners, who take turns: however much one of them has brought, the others wait for
/// one thing of it each time, and not for all.
///
///     brought by   a a a a a b c b        taken in the order   a b c a b a a a
///
/// Of one owner things stay in their order. Who comes while others wait is the last in turn.
///
/// Source: round robin, as in Nagle, "On Packet Switches with Infinite Storage" (RFC 970).
/// Bound: as much as is put in; owners are forgotten with the last of their things.
/// - Complexity: O(1) for each thing.
package struct FairQueue<Owner: Hashable & Sendable, Thing: Sendable>: Sendable {
  private var things: [Owner: Deque<Thing>] = [:]
  /// Owners with things that wait, the next one first.
  private var turns = Deque<Owner>()
  /// Things that wait.
  package private(set) var count = 0

  /// Nothing.
  package init() {}

  /// Whether nothing waits.
  package var isEmpty: Bool { count == 0 }

  /// Something of this owner is to wait its turn.
  package mutating func append(_ thing: Thing, of owner: Owner) {
    count += 1
    things[owner, default: []].append(thing)
    if things[owner]!.count == 1 { turns.append(owner) }
  }

  /// Takes out the next things, at most so many.
  package mutating func take(_ most: Int) -> [Thing] {
    var taken: [Thing] = []
    taken.reserveCapacity(min(max(0, most), count))
    while taken.count < most, let owner = turns.popFirst() {
      guard let thing = things[owner]?.popFirst() else { continue }
      taken.append(thing)
      if things[owner]!.isEmpty { things[owner] = nil } else { turns.append(owner) }
    }
    count -= taken.count
    return taken
  }
}
