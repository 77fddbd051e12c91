import DequeModule
import HeapModule
import OrderedCollections

/// What we lack, who offered it, whom we asked, and who broke the promise.
///
/// Every offer is a promise to give. One holder is asked at a time; when its patience ends the best of the others is
/// asked, and when nobody is left the want is given up. Offers, promises and fallbacks are the same for every manner of
/// spreading that names a message before sending it.
///
/// Of one holder only so much is asked at a time as its pace allows (`Pace`); what goes beyond waits for another holder,
/// or for room, and after one patience it is asked for all the same: nobody is blocked for being slow. Who broke off too
/// often is asked only if within a moment nobody else offers the same.
///
/// Sources: GossipSub's promises; Bamboo gossip v2, "Delaying" and "Disrupting", for the choice of the holder.
/// Bounds: ids in all (`countMax`, further offers are ignored and counted), holders per id (`holdersMax`).
public struct Wantlist: Sendable {
  /// What speaks for asking a holder, and what against it.
  struct Giver: Sendable {
    /// Bytes it may be asked for at a time.
    var allowance = Int.max
    /// Whether it broke off too often.
    var isUnreliable = false
    /// Bamboo's score; of equal ones the first to offer is asked.
    var score = 0.5
  }

  private struct Want {
    let manner: Manner
    let patience: Duration
    /// Bytes, as far as they are known.
    let size: Int
    /// Who was asked last; its promise is open. Nil while the want waits.
    var asked: PeerID?
    /// When it was asked.
    var askedAt = Instant.zero
    /// Which asking of the whole list this is; other entries of `promises` mean earlier ones.
    var asking: UInt64 = 0
    /// It came, and we could not take it.
    var isExcused = false
    /// Bytes of it that are under way.
    var underWay = 0
    /// Others who offered it, in the order of their offers.
    var others: Deque<PeerID> = []
    /// Who was asked, the last few.
    var tried: [PeerID] = []
  }

  /// What the peer that was asked `asking`-th owes us; or how long a want waits.
  private struct Promise: Comparable {
    let until: Instant
    let asking: UInt64
    let id: MessageID

    static func < (a: Promise, b: Promise) -> Bool { (a.until, a.asking) < (b.until, b.asking) }
    static func == (a: Promise, b: Promise) -> Bool { a.asking == b.asking }
  }

  private var wants: [MessageID: Want] = [:]
  /// Open promises and ends of waiting, the earliest first.
  private var promises = Heap<Promise>()
  private var askings: UInt64 = 0
  /// Bytes asked of each peer that have not come.
  private var underWay: [PeerID: Int] = [:]
  /// What waits for room at a holder, in the order of the offers; some are asked of others meanwhile.
  private var queues: [PeerID: Deque<MessageID>] = [:]
  /// Holders with queues that have more room than before.
  private var freed: OrderedSet<PeerID> = []
  private let patience: Duration
  private let countMax: Int
  private let holdersMax: Int
  private(set) var refused: UInt64 = 0
  /// How often a want waited because its holder had enough to do.
  private(set) var postponed: UInt64 = 0

  /// How long others have to offer what only an unreliable peer has offered so far.
  static let graceForOthers = Duration.milliseconds(500)
  private static let triedMax = 32

  init(patience: Duration, countMax: Int, holdersMax: Int) {
    self.patience = patience
    self.countMax = countMax
    self.holdersMax = holdersMax
  }

  /// Ids wanted.
  public var count: Int { wants.count }

  /// When the earliest open promise ends, or the earliest waiting.
  var deadline: Instant? { promises.min?.until }

  // MARK: Offers

  /// Takes note of an offer.
  /// - Parameters:
  ///   - patience: how long each promise of this message is good for, if not as long as usual.
  ///   - size: bytes of the message, as far as they are known.
  ///   - giver: what is known of this holder.
  ///   - mayWait: false if the caller looks after room and choice itself: a new want is asked of this holder now.
  /// - Returns: whether this holder is to be asked now, because nobody else is being asked.
  mutating func note(
    _ id: MessageID, heldBy peer: PeerID, _ manner: Manner, _ patience: Duration? = nil, size: Int = 0,
    from giver: Giver = Giver(), mayWait: Bool = true, at now: Instant
  ) -> Bool {
    let isFree = !giver.isUnreliable && hasRoom(peer, size, giver.allowance)
    if wants[id] != nil {
      guard wants[id]!.asked != peer, wants[id]!.others.count < holdersMax, !wants[id]!.others.contains(peer)
      else { return false }
      if wants[id]!.asked == nil, isFree {
        ask(peer, for: id, now)
        return true
      }
      wants[id]!.others.append(peer)
      if wants[id]!.asked == nil { queue(id, for: peer) }
      return false
    }
    guard wants.count < countMax else {
      refused += 1
      return false
    }
    wants[id] = Want(manner: manner, patience: patience ?? self.patience, size: max(0, size))
    guard isFree || !mayWait else {
      wants[id]!.others.append(peer)
      wait(id, atMost: giver.isUnreliable ? Wantlist.graceForOthers : .seconds(3_600), now)
      return false
    }
    ask(peer, for: id, now)
    return true
  }

  private mutating func ask(_ peer: PeerID, for id: MessageID, _ now: Instant) {
    askings += 1
    let want = wants[id]!
    wants[id]!.asked = peer
    wants[id]!.askedAt = now
    wants[id]!.asking = askings
    wants[id]!.isExcused = false
    if !want.tried.contains(peer) {
      if want.tried.count >= Wantlist.triedMax { wants[id]!.tried.removeFirst() }
      wants[id]!.tried.append(peer)
    }
    if want.size > 0 {
      wants[id]!.underWay = want.size
      underWay[peer, default: 0] += want.size
    }
    promises.insert(Promise(until: now + want.patience, asking: askings, id: id))
  }

  /// Nobody is asked until there is room at one of its holders, or one patience is over.
  private mutating func wait(_ id: MessageID, atMost longest: Duration, _ now: Instant) {
    postponed &+= 1
    askings += 1
    wants[id]!.asked = nil
    wants[id]!.asking = askings
    promises.insert(Promise(until: now + min(wants[id]!.patience, longest), asking: askings, id: id))
    for holder in wants[id]!.others { queue(id, for: holder) }
  }

  private mutating func queue(_ id: MessageID, for peer: PeerID) {
    queues[peer, default: []].append(id)
    guard let queue = queues[peer], queue.count > 2 * wants.count + 64 else { return }
    queues[peer] = Deque(
      queue.filter { wants[$0].map { $0.asked == nil && $0.others.contains(peer) } ?? false })
  }

  // MARK: Room

  /// Whether so many more bytes may be asked of the peer; one request always may.
  func hasRoom(_ peer: PeerID, _ size: Int, _ allowance: Int) -> Bool {
    guard let busy = underWay[peer] else { return true }
    return size <= allowance - busy
  }

  /// Bytes asked of the peer that have not come.
  func underWay(from peer: PeerID) -> Int { underWay[peer] ?? 0 }

  /// What the peer was asked for is here, and may yet be examined.
  mutating func came(_ id: MessageID) {
    if wants[id] != nil { free(id) }
  }

  /// Nothing of it is under way any more.
  private mutating func free(_ id: MessageID) {
    guard let want = wants[id], want.underWay > 0, let peer = want.asked else { return }
    wants[id]!.underWay = 0
    let rest = (underWay[peer] ?? 0) - want.underWay
    underWay[peer] = rest > 0 ? rest : nil
    if queues[peer] != nil { freed.append(peer) }
  }

  /// Whether some holder has more room than before, and something waits for it.
  var hasFreed: Bool { !freed.isEmpty }

  /// Asks those who have room again for what waits for them.
  mutating func askFreed(at now: Instant, _ judge: (PeerID) -> Giver = { _ in Giver() }) -> Outcome {
    var outcome = Outcome()
    let peers = freed
    freed = []
    for peer in peers {
      let giver = judge(peer)
      while let id = queues[peer]?.first {
        guard let want = wants[id], want.asked == nil, let place = want.others.firstIndex(of: peer) else {
          queues[peer]?.removeFirst()
          continue
        }
        guard !giver.isUnreliable, hasRoom(peer, want.size, giver.allowance) else { break }
        queues[peer]?.removeFirst()
        wants[id]!.others.remove(at: place)
        ask(peer, for: id, now, &outcome)
      }
      if queues[peer]?.isEmpty == true { queues[peer] = nil }
    }
    return outcome
  }

  // MARK: Ends

  /// The message arrived, or will not be wanted any more.
  mutating func forget(_ id: MessageID) {
    guard !wants.isEmpty, wants[id] != nil else { return }
    free(id)
    wants[id] = nil
  }

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
    var ask = OrderedDictionary<PeerID, (manner: Manner, ids: [MessageID], bytes: Int)>()
    /// The manners of promises that were open when the peer left.
    var owed: [Manner] = []
    /// What nobody is left to give.
    var gaveUp: [(Manner, MessageID)] = []
  }

  /// Ends the promises that are due, and what has waited long enough.
  mutating func expire(at now: Instant, _ judge: (PeerID) -> Giver = { _ in Giver() }) -> Outcome {
    var outcome = Outcome()
    while let promise = promises.min, promise.until <= now {
      promises.removeMin()
      guard let want = wants[promise.id], want.asking == promise.asking else { continue }
      if let peer = want.asked, !want.isExcused { outcome.broken[peer, default: 0] += 1 }
      askNext(promise.id, now, judge, mayWait: want.asked != nil, &outcome)
    }
    return outcome
  }

  /// Frees what this peer promised; others are asked instead. No promise is broken.
  mutating func release(
    _ peer: PeerID, at now: Instant, _ judge: (PeerID) -> Giver = { _ in Giver() }
  ) -> Outcome {
    var outcome = Outcome()
    queues[peer] = nil
    for promise in promises.unordered.sorted() {
      guard let want = wants[promise.id], want.asking == promise.asking else { continue }
      wants[promise.id]!.others.removeAll { $0 == peer }
      if want.asked == peer {
        outcome.owed.append(want.manner)
        askNext(promise.id, now, judge, mayWait: true, &outcome)
      } else if want.asked == nil, wants[promise.id]!.others.isEmpty {
        askNext(promise.id, now, judge, mayWait: true, &outcome)
      }
    }
    return outcome
  }

  /// The peer cannot give this message after all; the next holder is asked.
  mutating func lacked(
    _ id: MessageID, by peer: PeerID, at now: Instant, _ judge: (PeerID) -> Giver = { _ in Giver() }
  ) -> Outcome {
    var outcome = Outcome()
    guard let want = wants[id] else { return outcome }
    wants[id]!.others.removeAll { $0 == peer }
    if want.asked == peer || (want.asked == nil && wants[id]!.others.isEmpty) {
      askNext(id, now, judge, mayWait: true, &outcome)
    }
    return outcome
  }

  /// Asks the best of the others, or lets the want wait until that one has room.
  private mutating func askNext(
    _ id: MessageID, _ now: Instant, _ judge: (PeerID) -> Giver, mayWait: Bool, _ outcome: inout Outcome
  ) {
    free(id)
    guard let want = wants[id], let best = best(of: want, judge) else {
      if let manner = wants[id]?.manner { outcome.gaveUp.append((manner, id)) }
      wants[id] = nil
      return
    }
    guard best.isFree || !mayWait else { return wait(id, atMost: want.patience, now) }
    let peer = wants[id]!.others.remove(at: best.place)
    ask(peer, for: id, now, &outcome)
  }

  /// Reliable ones first, then those with room, then by score; the first to offer of equal ones.
  private func best(of want: Want, _ judge: (PeerID) -> Giver) -> (place: Int, isFree: Bool)? {
    var best: (place: Int, giver: Giver, isFree: Bool)?
    for (place, peer) in want.others.enumerated() {
      let giver = judge(peer)
      let isFree = hasRoom(peer, want.size, giver.allowance)
      if let other = best {
        if giver.isUnreliable != other.giver.isUnreliable {
          if giver.isUnreliable { continue }
        } else if isFree != other.isFree {
          if !isFree { continue }
        } else if giver.score <= other.giver.score {
          continue
        }
      }
      best = (place, giver, isFree)
    }
    return best.map { ($0.place, $0.isFree) }
  }

  private mutating func ask(
    _ peer: PeerID, for id: MessageID, _ now: Instant, _ outcome: inout Outcome
  ) {
    ask(peer, for: id, now)
    guard let want = wants[id] else { return }
    outcome.ask[peer, default: (want.manner, [], 0)].ids.append(id)
    outcome.ask[peer]!.bytes += want.size
  }

  // MARK: Reading

  /// Whether somebody is asked for the message, or will be.
  func isWanted(_ id: MessageID) -> Bool { !wants.isEmpty && wants[id] != nil }

  /// From whom the message was asked last; nil if it is not wanted, or waits for a holder with room.
  public func asked(for id: MessageID) -> PeerID? { wants[id]?.asked }

  /// Whether the peer was asked for the message, which is wanted.
  func wasAsked(_ peer: PeerID, for id: MessageID) -> Bool { wants[id]?.tried.contains(peer) ?? false }

  /// When the peer was asked for the message, if it was the last to be asked.
  func asked(of peer: PeerID, for id: MessageID) -> Instant? {
    guard !wants.isEmpty, let want = wants[id], want.asked == peer else { return nil }
    return want.askedAt
  }
}
