import OrderedCollections

/// Whether to listen to a peer, and to how much of it: what a node asks before it looks at anything a peer sent.
///
/// Each peer has a queue of unchecked messages (`Allowance`) and budgets per kind (`Budgets`); while one is exceeded it
/// is not read from. What a peer has earned or owes belongs to its identity, and outlives its connection for a while.
/// Who is barred (`Blacklist`) is not connected with, and nothing of it is taken, not even what it wrote. Who gives the
/// same again is told from those who give what others gave (`Circulation`), and under overload sources lose their
/// payloads by merit (`Gater`, off unless asked for).
///
/// Source: Bamboo gossip v2, "Flooding" and "Circulating": the firewall; go-libp2p-pubsub, peer gater.
/// Bound: `peersMax` peers that left, those gone longest forgotten first, and counted.
struct Firewall: Sendable {
  private struct Guarded: Sendable {
    var allowance: Allowance
    var budgets = Budgets()
    /// Frames it may send while we hardly listen to it.
    var unwelcome = Budgets.Bucket()
    /// How often its messages are examined before they go on.
    var lot = Lot()
    /// Where it is, for the gater.
    var ip: [UInt8] = []
    /// Over its budget until then.
    var overUntil: Instant?
  }

  private var peers: OrderedDictionary<PeerID, Guarded> = [:]
  /// Peers that left, in the order they did; some have come back.
  private var departed: OrderedSet<PeerID> = []
  private(set) var blacklist: Blacklist
  private(set) var circulation: Circulation
  private var gater: Gater?
  private let parameters: FirewallParameters
  /// Peers that left and were forgotten early.
  private(set) var forgotten: UInt64 = 0

  /// - Parameter isWatching: whether what peers did before a restart binds nobody.
  init(_ parameters: FirewallParameters, isWatching: Bool) {
    self.parameters = parameters
    blacklist = Blacklist(parameters.blacklist, isWatching: isWatching)
    circulation = Circulation(parameters.circulation)
    gater = parameters.gater.map { Gater($0) }
  }

  /// Peers known, connected or not.
  var count: Int { peers.count }
  /// What gave way because there was too much of it.
  var evicted: UInt64 { forgotten + blacklist.evicted }

  // MARK: Peers

  /// A peer came, or came back.
  mutating func connected(_ peer: PeerID, _ ip: [UInt8], at now: Instant, _ seen: inout SeenFilter) {
    // One that is off knows no peers.
    guard parameters.isOn else { return }
    departed.remove(peer)
    peers[peer, default: Guarded(allowance: Allowance(parameters.allowance))].ip = ip
    _ = circulation.connected(peer, at: now, &seen)
    if !ip.isEmpty { gater?.connected(ip, at: now) }
  }

  /// A peer left. Its unchecked messages stay its own: coming back does not free their places.
  mutating func disconnected(_ peer: PeerID, at now: Instant) {
    guard let ip = peers[peer]?.ip else { return }
    circulation.disconnected(peer, at: now)
    if !ip.isEmpty { gater?.disconnected(ip, at: now) }
    departed.append(peer)
    guard departed.count > parameters.peersMax else { return }
    peers[departed.removeFirst()] = nil
    forgotten += 1
  }

  /// Whether we should read from it.
  func mayRead(_ peer: PeerID, at now: Instant) -> Bool {
    guard let guarded = peers[peer] else { return true }
    return !guarded.allowance.isPaused && (guarded.overUntil.map { $0 <= now } ?? true)
  }

  /// Until when it is over a budget; nil if it is not.
  func overUntil(_ peer: PeerID, at now: Instant) -> Instant? {
    peers[peer]?.overUntil.flatMap { $0 > now ? $0 : nil }
  }

  // MARK: Unchecked messages

  /// A message of the peer is unchecked.
  /// - Returns: whether its queue is full now, and was not before.
  mutating func charge(_ peer: PeerID, _ size: Int) -> Bool {
    guard let place = peers.index(forKey: peer) else { return false }
    return peers.values[place].allowance.charge(size, parameters.allowance)
  }
  /// One is not any more.
  /// - Returns: whether its queue has room again.
  mutating func discharge(_ peer: PeerID, _ size: Int) -> Bool {
    guard let place = peers.index(forKey: peer) else { return false }
    return peers.values[place].allowance.discharge(size, parameters.allowance)
  }
  /// One proved right.
  /// - Parameter wasExamined: only what was examined earns trust; what needed no examination anybody can make.
  /// - Returns: whether its queue has room again, since it may be longer now.
  mutating func verified(_ peer: PeerID, wasExamined: Bool, at now: Instant) -> Bool {
    guard let place = peers.index(forKey: peer) else { return false }
    if gater != nil { gater!.delivered(from: peers.values[place].ip, at: now) }
    guard wasExamined else { return false }
    peers.values[place].lot.verified(parameters.lot)
    return peers.values[place].allowance.verified(parameters.allowance)
  }
  /// One proved wrong: the peer has to earn its places anew.
  mutating func failed(_ peer: PeerID, at now: Instant) {
    distrust(peer)
    if let ip = peers[peer]?.ip { gater?.rejected(from: ip, at: now) }
  }
  /// The same for a message that went on unexamined, or that the peer itself took back.
  mutating func distrust(_ peer: PeerID) {
    peers[peer]?.allowance.failed(parameters.allowance)
    peers[peer]?.lot.failed()
  }
  /// How often the peer's messages are examined before they go on.
  func lot(of peer: PeerID) -> Lot { peers[peer]?.lot ?? Lot() }

  // MARK: Budgets

  /// Takes what a frame has out of its peer's budgets.
  /// - Returns: whether the peer is not to be read from for longer than before.
  mutating func charge(_ peer: PeerID, _ frame: Frame, at now: Instant) -> Bool {
    guard let place = peers.index(forKey: peer) else { return false }
    let excess = peers.values[place].budgets.charge(frame, at: now, parameters.budgets)
    return excess > .zero && holdBack(place, until: now + excess)
  }

  /// Takes a frame out of what a peer has that is blocked or ignored.
  /// - Returns: until when it is over that budget; nil if it is not.
  mutating func chargeUnwelcome(_ peer: PeerID, at now: Instant) -> Instant? {
    guard let place = peers.index(forKey: peer) else { return nil }
    let excess = peers.values[place].unwelcome.excess(1, parameters.unwelcome, now)
    peers.values[place].unwelcome.take(1, parameters.unwelcome, now)
    return excess > .zero ? now + excess : nil
  }

  /// The peer is over some budget until then.
  /// - Returns: whether that is new.
  mutating func holdBack(_ peer: PeerID, until: Instant) -> Bool {
    peers.index(forKey: peer).map { holdBack($0, until: until) } ?? false
  }

  private mutating func holdBack(_ place: Int, until: Instant) -> Bool {
    guard peers.values[place].overUntil.map({ $0 < until }) ?? true else { return false }
    peers.values[place].overUntil = until
    return true
  }

  // MARK: Copies

  /// The number under which the peer's copies are told apart; of a peer that left it may have become another's.
  func giver(_ peer: PeerID) -> Int? { circulation.number(of: peer) }

  /// We ask the peer for these: it may give each once more.
  mutating func requested(_ ids: [MessageID], of peer: PeerID, at now: Instant) {
    guard let giver = giver(peer) else { return }
    for id in ids { circulation.requested(id, of: giver, at: now) }
  }

  /// The peer gave what it had given before. Whether that is circulation, and not our own doing.
  mutating func accuses(_ id: MessageID, of peer: PeerID, at now: Instant) -> Bool {
    guard let giver = giver(peer) else { return false }
    return circulation.accuses(id, of: giver, at: now)
  }

  // MARK: Barring

  /// Bars a peer.
  /// - Returns: whether that is new.
  mutating func bar(
    _ peer: PeerID, _ reason: BlacklistReason, evidence: [UInt8] = [], for duration: Duration? = nil,
    at now: Instant
  ) -> Bool {
    blacklist.add(peer, reason, evidence: evidence, for: duration, at: now)
  }

  /// Forgives a peer.
  mutating func unbar(_ peer: PeerID) -> Bool { blacklist.remove(peer) }

  /// Whose bar ended since this was asked last.
  mutating func sweep(_ now: Instant) -> [PeerID] { blacklist.count == 0 ? [] : blacklist.sweep(now) }

  /// Takes in what was kept over a restart.
  mutating func restore(_ records: [BlacklistRecord], at now: Instant, wallClock: Int64) {
    blacklist.restore(records, at: now, wallClock: wallClock)
  }

  // MARK: Overload

  /// Whether to take the messages of a frame of this peer, or its words only.
  mutating func admitsMessages(
    of peer: PeerID, at now: Instant, using dice: inout some RandomNumberGenerator
  ) -> Bool {
    guard gater != nil, let ip = peers[peer]?.ip, !ip.isEmpty else { return true }
    return gater!.admission(of: ip, at: now, using: &dice) == .all
  }

  /// A message goes to examination.
  mutating func examines(at now: Instant) { gater?.validates(at: now) }
  /// There was no room for a message.
  mutating func throttles(at now: Instant) { gater?.throttles(at: now) }
  /// Another copy came, or an ignored message.
  mutating func duplicated(_ peer: PeerID, at now: Instant) {
    guard gater != nil, let place = peers.index(forKey: peer) else { return }
    gater!.duplicated(from: peers.values[place].ip, at: now)
  }
  mutating func ignored(_ peer: PeerID, at now: Instant) {
    guard gater != nil, let ip = peers[peer]?.ip else { return }
    gater!.ignored(from: ip, at: now)
  }
}

extension Budgets {
  /// Takes everything a frame has.
  fileprivate mutating func charge(_ frame: Frame, at now: Instant, _ parameters: BudgetParameters)
    -> Duration
  {
    var excess = Duration.zero
    if !frame.messages.isEmpty {
      let size = frame.messages.reduce(0) { $0 + $1.bytes.count }
      excess = charge(frame.messages.count, size, of: .messages, at: now, parameters)
    }
    if !frame.subscriptions.isEmpty {
      excess = max(excess, charge(frame.subscriptions.count, 0, of: .words, at: now, parameters))
    }
    for control in frame.controls {
      let (kind, things) = control.load
      excess = max(excess, charge(things, control.fieldSize, of: kind, at: now, parameters))
    }
    return excess
  }
}

extension Control {
  /// Out of which budget it goes, and how much of it.
  fileprivate var load: (BudgetClass, things: Int) {
    switch self {
    case .have(_, let ids): (.offers, ids.count)
    case .advert(_, let adverts): (.offers, adverts.count)
    case .slot, .summary: (.offers, 1)
    case .want(let ids), .fetch(_, let ids): (.wants, ids.count)
    case .ask, .hello, .span, .resend: (.wants, 1)
    case .graft, .prune, .cancel: (.words, 1)
    case .dontWant(let ids), .retract(let ids): (.words, ids.count)
    case .held(let ids), .lack(let ids), .digest(_, let ids): (.answers, ids.count)
    case .reply: (.answers, 1)
    }
  }
}

/// Parameters of the firewall.
public struct FirewallParameters: Hashable, Sendable {
  /// False among nodes that trust each other: nothing is counted, and nobody is paused, gated or told apart as giver. Who
  /// is barred stays barred.
  public var isOn = true
  /// Unchecked messages a peer may have with us.
  public var allowance = AllowanceParameters()
  /// How much of each kind a peer may send.
  public var budgets = BudgetParameters()
  /// Frames per second, and at once, of a peer that is blocked or ignored (`Standing`): enough to hear that it goes, or
  /// that it has something good after all, and too few for a flood.
  public var unwelcome = Budget(rate: 4, burst: 16)
  /// How long who is barred for how long.
  public var blacklist = BlacklistParameters()
  /// What is remembered of who gave what.
  public var circulation = CirculationParameters()
  /// How messages are examined on topics that are examined by lot.
  public var lot = LotParameters()
  /// What becomes of bad messages that were passed on unexamined.
  public var retractions = RetractionParameters()
  /// What still gets in under overload; nil lets everything in (Go: optional, off).
  public var gater: GaterParameters?
  /// Peers remembered after they left.
  public var peersMax = 4_096

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    try allowance.validate()
    try budgets.validate()
    try Rule.count(unwelcome.rate, atMost: 1 << 40, "firewall.unwelcome.rate")
    try Rule.count(unwelcome.burst, atMost: 1 << 40, "firewall.unwelcome.burst")
    try blacklist.validate()
    try circulation.validate()
    try lot.validate()
    try retractions.validate()
    try gater?.validate()
    try Rule.count(peersMax, atMost: 1 << 24, "firewall.peersMax")
  }
}
