import DequeModule

/// Whom to send to first: partners that usually lack a message get it at once, the others a moment later, unless
/// they showed meanwhile that they have it. On the wire this is plain GossipSub, only slower to some.
///
/// A mesh link carries most messages in both directions, because both ends send before they hear of one another.
/// Whether a copy was of use shows by itself: a partner that did not need ours sends us its own, or IDONTWANT, for
/// it did not know us to hold the message. So the *redundancy* of our copies is estimated for each *origin* (the
/// author; where nobody signs, who gave us the first copy) and partner, and redundant copies wait about as long as
/// an echo takes. How long that is differs from a millisecond within a rack to a quarter of a second around the
/// world, so it is measured: the *lag* follows the median time from the acceptance of a message, the *probe*, to
/// its echoes. A partner that never echoes is always sent to at once; one that lies gets messages later, no more.
///
/// Source: staggered sending as discussed for GossipSub by libp2p and Ethereum; eager and lazy links from Leitão,
/// Pereira, Rodrigues, "Epidemic Broadcast Trees" (2007). Figures: docs/performance.md.
/// Bounds: messages of the last heartbeats, at most `tracksMax`; `originsMax` origins with estimates for `partnersMax`
/// peers each. The oldest are forgotten first.
struct Stagger: Sendable {
  /// A message on its way through us.
  private struct Track: Sendable {
    /// Place of its origin in `origins`. Another may have taken the place since; then the evidence is lost noise.
    let origin: Int
    /// Partners it is held back from.
    var waiting: [PeerID] = []
  }

  /// Whose messages have taken which way so far.
  private struct Origin: Sendable {
    let peer: PeerID
    /// Few, so that searching is faster than hashing.
    var partners: [(peer: PeerID, redundancy: Float)] = []
  }

  /// What is to be sent now that was held back before.
  struct Late: Sendable {
    let id: MessageID
    let origin: Int
    let partners: [PeerID]
  }

  private var tracks: [MessageID: Track] = [:]
  private var trackAges = Deque<(id: MessageID, since: Instant)>()
  private var dues = Timers<MessageID>()
  /// Filled up to `originsMax`, then overwritten in turn.
  private var origins: [Origin] = []
  private var places: [PeerID: Int] = [:]
  private var nextPlace = 0
  private var probe: (id: MessageID, since: Instant, echoes: Int)?
  private var alarm = EarliestAlarm()
  /// How long after our acceptance of a message a partner shows that it has it, too.
  private(set) var lag: Duration = .milliseconds(20)

  static let lagRange: ClosedRange<Duration> = .milliseconds(2) ... .milliseconds(500)
  static let tracksMax = 4_096
  static let originsMax = 1_024
  /// More than a mesh of the default size can have: it stays below 2 · D_hi.
  static let partnersMax = 32

  var estimates: Int { origins.reduce(0) { $0 + $1.partners.count } }

  // MARK: Estimating

  /// The place of an origin, which is given one if it has none.
  mutating func place(of peer: PeerID) -> Int {
    if let place = places[peer] { return place }
    let place = nextPlace
    nextPlace = (nextPlace + 1) % Stagger.originsMax
    if place < origins.count {
      places[origins[place].peer] = nil
      origins[place] = Origin(peer: peer)
    } else {
      origins.append(Origin(peer: peer))
    }
    places[peer] = place
    return place
  }

  /// Whether a copy for this partner should wait. An author's messages take the same ways again and again; those
  /// that merely came from the same neighbour do less so, which takes more evidence.
  func isRedundant(_ partner: PeerID, _ origin: Int, isAuthor: Bool) -> Bool {
    guard let index = index(of: partner, origin) else { return false }
    return origins[origin].partners[index].redundancy > (isAuthor ? 0.5 : 0.7)
  }

  private func index(of partner: PeerID, _ origin: Int) -> Int? {
    origins[origin].partners.firstIndex { $0.peer == partner }
  }

  /// A copy leaves: of use until the contrary shows. One that was held back in vain was missed, so the next is not.
  mutating func sent(to partner: PeerID, _ origin: Int, late: Bool) {
    guard let index = index(of: partner, origin) else { return }
    if late {
      origins[origin].partners.remove(at: index)
    } else {
      origins[origin].partners[index].redundancy *= 0.875
    }
  }

  private mutating func needless(_ partner: PeerID, _ origin: Int) {
    guard origins[origin].peer != partner else { return }
    if let index = index(of: partner, origin) {
      origins[origin].partners[index].redundancy += (1 - origins[origin].partners[index].redundancy) / 3
    } else {
      if origins[origin].partners.count >= Stagger.partnersMax { origins[origin].partners.removeFirst() }
      origins[origin].partners.append((partner, 1 / 3))
    }
  }

  // MARK: Following messages

  /// Starts to follow a message; further holders needed no copy.
  mutating func begin(_ id: MessageID, _ origin: Int, holders: [PeerID], at now: Instant) {
    if trackAges.count >= Stagger.tracksMax { forgetOldest() }
    tracks[id] = Track(origin: origin)
    trackAges.append((id, now))
    for holder in holders.dropFirst() { needless(holder, origin) }
    if let probe, probe.echoes < 4, now - probe.since < .seconds(1) { return }
    probe = (id, now, 0)
  }

  private mutating func forgetOldest() {
    guard let oldest = trackAges.popFirst() else { return }
    tracks[oldest.id] = nil
  }

  /// Forgets messages that came before `instant`: all echoes are in.
  mutating func forget(before instant: Instant) {
    while let oldest = trackAges.first, oldest.since < instant { forgetOldest() }
  }

  /// The peer shows that it has the message.
  mutating func echoed(_ id: MessageID, by peer: PeerID, at now: Instant) {
    guard let index = tracks.index(forKey: id) else { return }
    tracks.values[index].waiting.removeAll { $0 == peer }
    needless(peer, tracks.values[index].origin)
    guard let since = probe?.since, probe?.id == id else { return }
    probe!.echoes += 1
    lag = now - since < lag ? lag - lag / 16 : lag + lag / 16
    lag = min(max(lag, Stagger.lagRange.lowerBound), Stagger.lagRange.upperBound)
  }

  // MARK: Holding back

  /// Holds a message back from these partners for one to three lags: drawn, so that two ends rarely give up waiting
  /// at the same time.
  /// - Returns: when to ring, unless an alarm is set that early.
  mutating func hold(_ id: MessageID, from partners: [PeerID], at now: Instant, _ random: inout Random)
    -> Instant?
  {
    tracks[id]?.waiting = partners
    let delay = Int64.random(in: lag.nanoseconds...3 * lag.nanoseconds, using: &random)
    // In grains, so that under load one ring serves many messages.
    let grain = lag.nanoseconds / 8
    let due = Instant(nanoseconds: (now.nanoseconds + delay + grain - 1) / grain * grain)
    dues.set(id, at: due)
    return alarm.set(for: due)
  }

  /// What is due, to those who still seem to lack it, and when to ring again.
  mutating func release(at now: Instant) -> (late: [Late], ring: Instant?) {
    guard alarm.rings(at: now) else { return ([], nil) }
    var late: [Late] = []
    while let due = dues.due(at: now) {
      guard let index = tracks.index(forKey: due.subject) else { continue }
      let waiting = tracks.values[index].waiting
      guard !waiting.isEmpty else { continue }
      tracks.values[index].waiting = []
      late.append(Late(id: due.subject, origin: tracks.values[index].origin, partners: waiting))
    }
    return (late, alarm.set(for: dues.first?.at))
  }

  mutating func forget(_ peer: PeerID) {
    for place in origins.indices { origins[place].partners.removeAll { $0.peer == peer } }
  }
}
