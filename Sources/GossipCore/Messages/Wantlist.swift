import DequeModule
import HeapModule
import OrderedCollections

/// What we lack, who offered it, whom we asked, and who broke the promise.
///
/// Every offer is a promise to give. One holder is asked at a time; when its patience ends the next one is asked,
/// and when nobody is left the want is given up. Offers, promises and fallbacks are the same for every manner of
/// spreading that names a message before sending it.
///
/// Bounds: ids in all (`countMax`, further offers are ignored and counted), holders per id (`holdersMax`).
public struct Wantlist: Sendable {
  private struct Want {
    let manner: Manner
    let patience: Duration
    /// Who was asked last; its promise is open.
    var asked: PeerID?
    /// When it was asked.
    var askedAt = Instant.zero
    /// Which asking of the whole list this is; other entries of `promises` mean earlier ones.
    var asking: UInt64 = 0
    /// It came, and we could not take it.
    var isExcused = false
    /// Others who offered it, in the order of their offers.
    var others: Deque<PeerID> = []
  }

  /// What the peer that was asked `asking`-th owes us.
  private struct Promise: Comparable {
    let until: Instant
    let asking: UInt64
    let id: MessageID

    static func < (a: Promise, b: Promise) -> Bool { (a.until, a.asking) < (b.until, b.asking) }
    static func == (a: Promise, b: Promise) -> Bool { a.asking == b.asking }
  }

  private var wants: [MessageID: Want] = [:]
  /// Open promises, the earliest first.
  private var promises = Heap<Promise>()
  private var askings: UInt64 = 0
  private let patience: Duration
  private let countMax: Int
  private let holdersMax: Int
  private(set) var refused: UInt64 = 0

  init(patience: Duration, countMax: Int, holdersMax: Int) {
    self.patience = patience
    self.countMax = countMax
    self.holdersMax = holdersMax
  }

  /// Ids wanted.
  public var count: Int { wants.count }

  /// When the earliest open promise ends.
  var deadline: Instant? { promises.min?.until }

  /// Takes note of an offer.
  /// - Parameter patience: how long each promise of this message is good for, if not as long as usual.
  /// - Returns: whether this holder is to be asked now, because nobody else is being asked.
  public mutating func note(
    _ id: MessageID, heldBy peer: PeerID, _ manner: Manner, _ patience: Duration? = nil, at now: Instant
  ) -> Bool {
    if wants[id] != nil {
      guard wants[id]!.asked != peer, wants[id]!.others.count < holdersMax, !wants[id]!.others.contains(peer)
      else { return false }
      wants[id]!.others.append(peer)
      return false
    }
    guard wants.count < countMax else {
      refused += 1
      return false
    }
    wants[id] = Want(manner: manner, patience: patience ?? self.patience)
    ask(peer, for: id, now)
    return true
  }

  private mutating func ask(_ peer: PeerID, for id: MessageID, _ now: Instant) {
    askings += 1
    wants[id]!.asked = peer
    wants[id]!.askedAt = now
    wants[id]!.asking = askings
    wants[id]!.isExcused = false
    promises.insert(Promise(until: now + wants[id]!.patience, asking: askings, id: id))
  }

  /// The message arrived, or will not be wanted any more.
  mutating func forget(_ id: MessageID) { wants[id] = nil }

  /// The peer gave what it was asked for and we could not take it: when its time is over the next one is asked, and
  /// nobody is blamed.
  mutating func excuse(_ id: MessageID, of peer: PeerID) {
    if wants[id]?.asked == peer { wants[id]!.isExcused = true }
  }

  /// What the end of some promises leads to.
  struct Outcome {
    /// Broken promises per peer, in the order they were given.
    var broken = OrderedDictionary<PeerID, Int>()
    /// Whom to ask now for what.
    var ask = OrderedDictionary<PeerID, (manner: Manner, ids: [MessageID])>()
    /// The manners of promises that were open when the peer left.
    var owed: [Manner] = []
    /// What nobody is left to give.
    var gaveUp: [(Manner, MessageID)] = []
  }

  /// Ends the promises that are due.
  mutating func expire(at now: Instant) -> Outcome {
    var outcome = Outcome()
    while let promise = promises.min, promise.until <= now {
      promises.removeMin()
      guard let want = wants[promise.id], want.asking == promise.asking, let peer = want.asked else {
        continue
      }
      if !want.isExcused { outcome.broken[peer, default: 0] += 1 }
      askNext(promise.id, now, &outcome)
    }
    return outcome
  }

  /// Frees what this peer promised; others are asked instead. No promise is broken.
  mutating func release(_ peer: PeerID, at now: Instant) -> Outcome {
    var outcome = Outcome()
    for promise in promises.unordered.sorted() {
      guard let want = wants[promise.id], want.asking == promise.asking else { continue }
      wants[promise.id]!.others.removeAll { $0 == peer }
      if want.asked == peer {
        outcome.owed.append(want.manner)
        askNext(promise.id, now, &outcome)
      }
    }
    return outcome
  }

  /// The peer cannot give this message after all; the next holder is asked.
  mutating func lacked(_ id: MessageID, by peer: PeerID, at now: Instant) -> Outcome {
    var outcome = Outcome()
    wants[id]?.others.removeAll { $0 == peer }
    if wants[id]?.asked == peer { askNext(id, now, &outcome) }
    return outcome
  }

  /// Whether the message is wanted, and from whom it was asked last.
  public func asked(for id: MessageID) -> PeerID? { wants[id]?.asked }

  /// When the peer was asked for the message, if it was the last to be asked.
  func asked(of peer: PeerID, for id: MessageID) -> Instant? {
    guard !wants.isEmpty, let want = wants[id], want.asked == peer else { return nil }
    return want.askedAt
  }

  private mutating func askNext(_ id: MessageID, _ now: Instant, _ outcome: inout Outcome) {
    guard let next = wants[id]!.others.popFirst() else {
      outcome.gaveUp.append((wants[id]!.manner, id))
      wants[id] = nil
      return
    }
    ask(next, for: id, now)
    outcome.ask[next, default: (wants[id]!.manner, [])].ids.append(id)
  }
}
