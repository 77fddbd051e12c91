import DequeModule
import OrderedCollections

/// Messages that wait for others: a block for its transactions, an object for its pieces.
///
/// Each need is asked of one holder of the waiting message at a time, a few per holder, in turn over all holders; what
/// one cannot give is asked of the next, and of all of them again after a pause. Who only says that it has the message
/// is asked for one thing, until it has given something.
/// Bounds: messages that wait, what they wait for in all, requests per holder.
struct Awaiting: Sendable {
  /// What a message waits for. Pieces and messages have names of their own: one cannot stand for the other.
  enum Need: Hashable, Sendable {
    case message(MessageID)
    case piece(MessageID)

    var id: MessageID {
      switch self {
      case .message(let id), .piece(let id): id
      }
    }
  }

  private struct Parent: Sendable {
    let needs: [Need]
    /// Needs to ask somebody for, the first one first; some may have come meanwhile.
    var unasked: Deque<Need>
    /// Needs that no holder gave.
    var exhausted: [Need] = []
    /// Needs that are not there.
    var open: Int
    var holders: OrderedSet<PeerID>
    /// Those of them that have sent the message, or something it waits for.
    var proven: Set<PeerID>
    /// Requests open with one holder at most.
    let perHolder: Int
    /// Where the next holder is looked for.
    var turn = 0
    let until: Instant
  }

  private struct State: Sendable {
    var parents: [MessageID]
    var asked: PeerID?
    var tried: [PeerID] = []
  }

  private var parents = OrderedDictionary<MessageID, Parent>()
  private var needs: [Need: State] = [:]
  private var inFlight: [PeerID: Int] = [:]
  /// What all parents wait for, what several wait for counted for each.
  private var owed = 0
  private(set) var refused: UInt64 = 0
  /// Whether an alarm is set to look at those that wait.
  var isWatched = false
  private let parentsMax: Int
  private let needsMax: Int

  /// How many needs are passed over in one search for a holder that is free.
  private static let searchMax = 64

  init(parentsMax: Int, needsMax: Int) {
    (self.parentsMax, self.needsMax) = (parentsMax, needsMax)
  }

  var isEmpty: Bool { parents.isEmpty }
  var count: Int { parents.count }
  var needed: Int { needs.count }
  func isNeeded(_ need: Need) -> Bool { !needs.isEmpty && needs[need] != nil }
  func waits(_ id: MessageID) -> Bool { parents[id] != nil }
  func parents(of need: Need) -> [MessageID] { needs[need]?.parents ?? [] }
  var all: [MessageID] { parents.keys.elements }

  /// Whether this peer was asked for this message by one that waits.
  func wasAsked(_ peer: PeerID, for id: MessageID) -> Bool {
    !needs.isEmpty && needs[.message(id)]?.asked == peer
  }

  // MARK: Waiting

  /// Lets a message wait.
  /// - Parameters:
  ///   - holders: who has sent it.
  ///   - offerers: who says that they have it.
  ///   - perHolder: requests open with one holder at most.
  /// - Returns: false if too many wait already.
  mutating func park(
    _ id: MessageID, for wanted: [Need], heldBy holders: OrderedSet<PeerID>,
    offeredBy offerers: [PeerID] = [],
    perHolder: Int, until: Instant
  ) -> Bool {
    guard parents.count < parentsMax, owed + wanted.count <= needsMax, parents[id] == nil else {
      refused += 1
      return false
    }
    owed += wanted.count
    for need in wanted { needs[need, default: State(parents: [])].parents.append(id) }
    parents[id] = Parent(
      needs: wanted, unasked: Deque(wanted), open: wanted.count, holders: holders.union(offerers),
      proven: Set(holders), perHolder: perHolder, until: until)
    return true
  }

  /// Another peer has the waiting message, or says so: it may give what the others could not.
  /// - Returns: whether it is new.
  mutating func add(_ holder: PeerID, to id: MessageID, isProven: Bool) -> Bool {
    if isProven { parents[id]?.proven.insert(holder) }
    guard parents[id]?.holders.append(holder).inserted == true else { return false }
    parents[id]!.unasked.append(contentsOf: parents[id]!.exhausted)
    parents[id]!.exhausted = []
    return true
  }

  /// Whether the peer has sent the message, or something it waits for.
  func isProven(_ holder: PeerID, for id: MessageID) -> Bool { parents[id]?.proven.contains(holder) ?? false }

  /// After a pause all holders may be tried again: a connection may have failed for a moment.
  mutating func tryAgain(_ id: MessageID) {
    guard let exhausted = parents[id]?.exhausted, !exhausted.isEmpty else { return }
    for need in exhausted { needs[need]?.tried = [] }
    parents[id]!.unasked.append(contentsOf: exhausted)
    parents[id]!.exhausted = []
  }

  /// Who has a message that waits, or says so.
  func holders(of id: MessageID) -> OrderedSet<PeerID> { parents[id]?.holders ?? [] }

  /// Whom to ask for what now, for this message. The needs are marked as asked; `failed` takes that back.
  /// - Parameters:
  ///   - unreliable: holders that are asked only for what no other one can be asked for.
  ///   - most: how many requests may be open with a holder, of so many at most; 0 if it is out of reach.
  mutating func requests(
    for id: MessageID, unreliable: OrderedSet<PeerID> = [], _ most: (PeerID, Int) -> Int
  ) -> OrderedDictionary<PeerID, [Need]> {
    var requests = OrderedDictionary<PeerID, [Need]>()
    guard var parent = parents[id] else { return requests }
    var stuck: [Need] = []
    while stuck.count < Awaiting.searchMax, let need = parent.unasked.popFirst() {
      guard let state = needs[need], state.asked == nil else { continue }
      if let holder = freeHolder(of: state, &parent, unreliable, most) {
        needs[need]!.asked = holder
        inFlight[holder, default: 0] += 1
        requests[holder, default: []].append(need)
      } else if parent.holders.allSatisfy(state.tried.contains) {
        parent.exhausted.append(need)
      } else {
        stuck.append(need)
      }
    }
    parent.unasked.prepend(contentsOf: stuck)
    parents[id] = parent
    return requests
  }

  private func freeHolder(
    of need: State, _ parent: inout Parent, _ unreliable: OrderedSet<PeerID>, _ most: (PeerID, Int) -> Int
  ) -> PeerID? {
    func isLeft(_ holder: PeerID) -> Bool { !need.tried.contains(holder) && most(holder, 1) > 0 }
    // What one has failed to give is not tried with others who have shown nothing.
    let isUrgent =
      !need.tried.isEmpty && parent.holders.contains { parent.proven.contains($0) && isLeft($0) }
    let hasReliable =
      !unreliable.isEmpty && parent.holders.contains { !unreliable.contains($0) && isLeft($0) }
    for step in 0..<parent.holders.count {
      let place = (parent.turn + step) % parent.holders.count
      let holder = parent.holders[place]
      if isUrgent, !parent.proven.contains(holder) { continue }
      if hasReliable, unreliable.contains(holder) { continue }
      let places = most(holder, parent.proven.contains(holder) ? parent.perHolder : 1)
      guard inFlight[holder, default: 0] < places, !need.tried.contains(holder) else { continue }
      parent.turn = (place + 1) % parent.holders.count
      return holder
    }
    return nil
  }

  /// Needs of this message that somebody was asked for.
  func asked(by id: MessageID) -> [Need] {
    (parents[id]?.needs ?? []).filter { needs[$0]?.asked != nil }
  }

  /// The holder that was asked did not give it.
  mutating func failed(_ need: Need) {
    guard let holder = release(need) else { return }
    needs[need]!.tried.append(holder)
    for parent in needs[need]!.parents { parents[parent]?.unasked.append(need) }
  }

  private mutating func release(_ need: Need) -> PeerID? {
    guard let holder = needs[need]?.asked else { return nil }
    needs[need]!.asked = nil
    inFlight[holder, default: 1] -= 1
    if inFlight[holder] == 0 { inFlight[holder] = nil }
    return holder
  }

  /// What was needed is there.
  /// - Returns: the messages that have waited for nothing else.
  mutating func arrived(_ need: Need) -> [MessageID] {
    if let giver = release(need) {
      for parent in needs[need]?.parents ?? [] { parents[parent]?.proven.insert(giver) }
    }
    guard let gone = needs.removeValue(forKey: need) else { return [] }
    var complete: [MessageID] = []
    for parent in gone.parents where parents[parent] != nil {
      parents[parent]!.open -= 1
      guard parents[parent]!.open == 0 else { continue }
      owed -= parents.removeValue(forKey: parent)?.needs.count ?? 0
      complete.append(parent)
    }
    return complete
  }

  // MARK: Giving up

  /// Ends the waiting of a message.
  /// - Returns: what had been asked for it, and nobody waits for any more.
  mutating func end(_ id: MessageID) -> [Need] {
    guard let parent = parents.removeValue(forKey: id) else { return [] }
    owed -= parent.needs.count
    var idle: [Need] = []
    for need in parent.needs where needs[need] != nil {
      needs[need]!.parents.removeAll { $0 == id }
      guard needs[need]!.parents.isEmpty else { continue }
      if release(need) != nil { idle.append(need) }
      needs[need] = nil
    }
    return idle
  }

  /// Messages that have waited long enough.
  func overdue(at now: Instant) -> [MessageID] { parents.filter { $0.value.until <= now }.map(\.key) }
}
