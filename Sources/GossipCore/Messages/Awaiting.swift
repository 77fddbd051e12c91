import DequeModule
import OrderedCollections

/// Messages that wait for others: a block for its transactions, an object for its pieces.
///
/// Each need is asked of one holder of the waiting message at a time, a few per holder, in turn over all holders; what
/// one cannot give is asked of the next. Whoever brought something that nobody can complete is named in the end.
/// Bounds: messages that wait, needs in all, requests per holder.
struct Awaiting: Sendable {
  private struct Parent: Sendable {
    let needs: [MessageID]
    /// Needs that nobody was asked for yet, the first one first; some may have come meanwhile.
    var unasked: Deque<MessageID>
    /// Needs that are not there.
    var open: Int
    var holders: OrderedSet<PeerID>
    /// Where the next holder is looked for.
    var turn = 0
    let until: Instant
  }

  private struct Need: Sendable {
    var parents: [MessageID]
    var asked: PeerID?
    var tried: [PeerID] = []
  }

  private var parents = OrderedDictionary<MessageID, Parent>()
  private var needs: [MessageID: Need] = [:]
  private var inFlight: [PeerID: Int] = [:]
  private(set) var refused: UInt64 = 0
  private let parentsMax: Int
  private let needsMax: Int
  private let perHolder: Int

  init(parentsMax: Int, needsMax: Int, perHolder: Int) {
    (self.parentsMax, self.needsMax, self.perHolder) = (parentsMax, needsMax, perHolder)
  }

  var isEmpty: Bool { parents.isEmpty }
  var count: Int { parents.count }
  var needed: Int { needs.count }
  func isNeeded(_ id: MessageID) -> Bool { needs[id] != nil }
  func waits(_ id: MessageID) -> Bool { parents[id] != nil }
  func parents(of need: MessageID) -> [MessageID] { needs[need]?.parents ?? [] }
  var all: [MessageID] { parents.keys.elements }

  // MARK: Waiting

  /// Lets a message wait.
  /// - Returns: false if too many wait already.
  mutating func park(
    _ id: MessageID, for wanted: [MessageID], heldBy holders: OrderedSet<PeerID>, until: Instant
  ) -> Bool {
    guard parents.count < parentsMax, needs.count + wanted.count <= needsMax, parents[id] == nil else {
      refused += 1
      return false
    }
    for need in wanted { needs[need, default: Need(parents: [])].parents.append(id) }
    parents[id] = Parent(
      needs: wanted, unasked: Deque(wanted), open: wanted.count, holders: holders, until: until)
    return true
  }

  /// Another peer has the waiting message: it may give what the others could not.
  mutating func add(_ holder: PeerID, to id: MessageID) {
    parents[id]?.holders.append(holder)
  }

  /// Whom to ask for what now, for this message.
  ///
  /// The needs are marked as asked; `failed` takes that back.
  mutating func requests(for id: MessageID) -> OrderedDictionary<PeerID, [MessageID]> {
    var requests = OrderedDictionary<PeerID, [MessageID]>()
    guard var parent = parents[id] else { return requests }
    var stuck: [MessageID] = []
    while let need = parent.unasked.popFirst() {
      guard let known = needs[need], known.asked == nil else { continue }
      if let holder = freeHolder(of: need, &parent) {
        needs[need]!.asked = holder
        inFlight[holder, default: 0] += 1
        requests[holder, default: []].append(need)
      } else {
        stuck.append(need)
        // Every holder is busy: the rest would fare alike. A need that all have failed is passed over.
        if known.tried.count < parent.holders.count { break }
      }
    }
    parent.unasked.prepend(contentsOf: stuck)
    parents[id] = parent
    return requests
  }

  private func freeHolder(of need: MessageID, _ parent: inout Parent) -> PeerID? {
    for step in 0..<parent.holders.count {
      let place = (parent.turn + step) % parent.holders.count
      let holder = parent.holders[place]
      guard inFlight[holder, default: 0] < perHolder, needs[need]?.tried.contains(holder) == false else {
        continue
      }
      parent.turn = (place + 1) % parent.holders.count
      return holder
    }
    return nil
  }

  /// Whom this need was asked of.
  func asked(for need: MessageID) -> PeerID? { needs[need]?.asked }

  /// The holder that was asked did not give it.
  mutating func failed(_ need: MessageID) {
    guard let holder = release(need) else { return }
    needs[need]!.tried.append(holder)
    for parent in needs[need]!.parents { parents[parent]?.unasked.append(need) }
  }

  private mutating func release(_ need: MessageID) -> PeerID? {
    guard let holder = needs[need]?.asked else { return nil }
    needs[need]!.asked = nil
    inFlight[holder]! -= 1
    if inFlight[holder] == 0 { inFlight[holder] = nil }
    return holder
  }

  /// What was needed is there.
  /// - Returns: the messages that have waited for nothing else.
  mutating func arrived(_ need: MessageID) -> [MessageID] {
    _ = release(need)
    guard let gone = needs.removeValue(forKey: need) else { return [] }
    var complete: [MessageID] = []
    for parent in gone.parents where parents[parent] != nil {
      parents[parent]!.open -= 1
      if parents[parent]!.open == 0 {
        parents[parent] = nil
        complete.append(parent)
      }
    }
    return complete
  }

  // MARK: Giving up

  /// Ends the waiting of a message.
  /// - Returns: needs nobody waits for any more.
  mutating func end(_ id: MessageID) -> [MessageID] {
    guard let parent = parents.removeValue(forKey: id) else { return [] }
    var idle: [MessageID] = []
    for need in parent.needs where needs[need] != nil {
      needs[need]!.parents.removeAll { $0 == id }
      guard needs[need]!.parents.isEmpty else { continue }
      _ = release(need)
      needs[need] = nil
      idle.append(need)
    }
    return idle
  }

  /// Messages that have waited long enough.
  func overdue(at now: Instant) -> [MessageID] { parents.filter { $0.value.until <= now }.map(\.key) }
}
