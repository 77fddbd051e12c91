/// Whose word counts: this node's partners in the present epoch and, for a moment, in the one before.
///
/// Without any epoch everybody is a partner. A missing beacon changes nothing: the partners stay, and nobody ever
/// falls back to a choice of his own, which others could not check.
///
/// Bound: two epochs and an announced roster.
struct Partners: Sendable {
  private struct Reign: Sendable {
    let epoch: Epoch
    var sets: [MessageClass: FanoutSets] = [:]
  }

  enum Taken {
    /// Its roster is settled; the beacon is to come.
    case announced
    case began
    /// It was known already.
    case known
    case refused(String)
  }

  private let me: PeerID
  private let failure: Double
  private var present: Reign?
  private var former: Reign?
  private var formerUntil = Instant.zero
  private var announced: Epoch?

  init(of me: PeerID, failure: Double) {
    self.me = me
    self.failure = failure
  }

  /// The present epoch's number; nil if there never was one.
  var number: UInt64? { present?.epoch.number }

  // MARK: Epochs

  /// Takes in what is told of an epoch. A roster that was announced, or whose beacon is known, is not changed.
  mutating func take(_ epoch: Epoch, former until: Instant) -> Taken {
    if let present = present?.epoch {
      if epoch.number == present.number {
        let isSame =
          epoch.roster == present.roster && (epoch.beacon == nil || epoch.beacon == present.beacon)
        return isSame ? .known : .refused("its beacon is known, its roster and beacon cannot change any more")
      }
      guard epoch.number > present.number else { return .refused("epoch \(present.number) has begun") }
    }
    guard epoch.beacon != nil else {
      announced = epoch
      return .announced
    }
    if let announced, announced.number == epoch.number, announced.roster != epoch.roster {
      return .refused("another roster was announced before its beacon")
    }
    if let announced, announced.number <= epoch.number { self.announced = nil }
    (former, formerUntil) = (present, until)
    present = Reign(epoch: epoch)
    return .began
  }

  // MARK: Partners

  /// What the present epoch knows of this node; able to verify everything, if nothing.
  func member(_ peer: PeerID) -> Epoch.Member {
    guard let roster = present?.epoch.roster else { return Epoch.Member(peer) }
    let place = roster.partitioningIndex { $0.peer >= peer }
    return place < roster.count && roster[place].peer == peer ? roster[place] : Epoch.Member(peer)
  }

  /// How many nodes verify a class; nil without an epoch.
  mutating func nodes(of kind: MessageClass) -> Int? {
    guard present != nil else { return nil }
    return ask(kind) { $0.nodes }
  }

  /// How many hashes it takes to know whether the peer is a partner.
  mutating func cost(of peer: PeerID, in kind: MessageClass) -> Int {
    guard present != nil else { return 0 }
    let me = self.me
    return ask(kind) { $0.hasPicked(me, peer) ? 0 : $0.cost(of: peer) }
  }

  /// Whether the peer is a partner in the present epoch.
  mutating func contains(_ peer: PeerID, in kind: MessageClass) -> Bool {
    guard present != nil else { return true }
    let me = self.me
    return ask(kind) { $0.arePartners(me, peer) }
  }

  /// Whether the peer was a partner before the present epoch.
  mutating func contained(_ peer: PeerID, in kind: MessageClass) -> Bool {
    guard former != nil else { return true }
    if former!.sets[kind] == nil {
      former!.sets[kind] = former!.epoch.sets(for: kind, failure: failure)
    }
    return former!.sets[kind]!.arePartners(me, peer)
  }

  /// Whether what the peer routes to us is taken: that of partners, and for a while that of former ones.
  mutating func admits(_ peer: PeerID, in kind: MessageClass, at now: Instant) -> Bool {
    contains(peer, in: kind) || (now < formerUntil && contained(peer, in: kind))
  }

  private mutating func ask<R>(_ kind: MessageClass, _ question: (inout FanoutSets) -> R) -> R {
    if present!.sets[kind] == nil {
      present!.sets[kind] = present!.epoch.sets(for: kind, failure: failure)
    }
    return question(&present!.sets[kind]!)
  }
}
