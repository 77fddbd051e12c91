import DequeModule

/// Which messages we met, and what became of them, for a window of time.
///
/// Exact: an id is remembered for the whole window (120 s in go-libp2p-pubsub), counted from its first sight, or
/// from its last if `slides`. When the table is full the oldest id is forgotten first, and counted.
///
/// Every id stands once, in the order of age, and a table of places finds it: a node remembers half a million ids, and
/// a dictionary beside a queue would hold each twice. About 80 bytes per id.
///
/// Beside the fate stands who gave us the message, one bit for each of `giversMax` numbered peers, so that whoever gives
/// the same again is found by the look that finds the duplicate; see `Circulation`. That memory may be longer than the
/// window: the id stays in its place, and counts as unseen.
struct SeenFilter: Sendable {
  /// What became of a message.
  enum Fate: UInt8, Sendable {
    /// Its proof held; the application has not decided yet.
    case pending
    case accepted
    case rejected
    case ignored
  }

  private struct Entry {
    let id: MessageID
    /// When it is looked at: the end of its memory as it was when the entry took its place.
    var due: Instant
    /// The end of its memory.
    var until: Instant
    /// The fate in the two highest bits, the givers in the others: apart they would take eight bytes more.
    private var word: UInt64

    init(id: MessageID, until: Instant, fate: Fate) {
      (self.id, due, self.until) = (id, until, until)
      word = UInt64(fate.rawValue) << 62
    }

    var fate: Fate {
      get { Fate(rawValue: UInt8(word >> 62))! }
      set { word = UInt64(newValue.rawValue) << 62 | givers }
    }
    var givers: UInt64 {
      get { word & (1 << 62 - 1) }
      set { word = word & (3 << 62) | newValue & (1 << 62 - 1) }
    }
  }

  /// Peers that can be told apart as givers.
  static let giversMax = 62

  /// The oldest first; one that a duplicate prolonged moves to the end when its turn comes.
  private var entries = Deque<Entry>()
  private var places = Places()
  private let window: Duration
  private let slides: Bool
  private let countMax: Int
  /// How much longer than the window givers are remembered, and of how many ids.
  private let giversLonger: Duration
  private let givenMax: Int
  private(set) var evicted: UInt64 = 0

  /// - Parameters:
  ///   - giversFor: how long after the first sight it is remembered who gave a message, if longer than `window`.
  ///   - givenMax: beyond so many ids nothing is remembered longer than the window.
  init(
    window: Duration, slides: Bool, countMax: Int, giversFor: Duration = .zero, givenMax: Int = 0
  ) {
    self.window = window
    self.slides = slides
    self.countMax = countMax
    giversLonger = max(.zero, giversFor - window)
    self.givenMax = givenMax
  }

  var count: Int { entries.count }

  /// What became of this message, or nil if it was not met within the window.
  mutating func meet(_ id: MessageID, at now: Instant) -> Fate? {
    sweep(now)
    guard let place = place(of: id), entries[place].until > now else { return nil }
    if slides { entries[place].until = now + window }
    return entries[place].fate
  }

  /// Takes note of another copy: what became of the message, or nil if it was not met within the window, and whether
  /// this giver gave it before.
  /// - Parameter giver: the number of the peer, below `giversMax`.
  mutating func meet(_ id: MessageID, from giver: Int, at now: Instant) -> (fate: Fate?, wasGiven: Bool) {
    sweep(now)
    guard let place = place(of: id) else { return (nil, false) }
    let wasGiven = give(place, giver)
    guard entries[place].until > now else { return (nil, wasGiven) }
    if slides { entries[place].until = now + window }
    return (entries[place].fate, wasGiven)
  }

  /// This peer gave us the message, which is already in here.
  /// - Returns: whether it did so before.
  @discardableResult
  mutating func give(_ id: MessageID, from giver: Int) -> Bool {
    guard let place = place(of: id) else { return false }
    return give(place, giver)
  }

  private mutating func give(_ place: Int, _ giver: Int) -> Bool {
    guard (0..<SeenFilter.giversMax).contains(giver) else { return false }
    let bit: UInt64 = 1 << UInt64(giver)
    let givers = entries[place].givers
    guard givers & bit == 0 else { return true }
    entries[place].givers = givers | bit
    return false
  }

  /// The number is going to be another peer's.
  /// - Complexity: O(ids).
  mutating func forget(giver: Int) {
    let others = ~((1 as UInt64) << UInt64(giver))
    for place in entries.indices { entries[place].givers &= others }
  }

  /// Whether the message was met within the window; changes nothing.
  func contains(_ id: MessageID, at now: Instant) -> Bool { fate(of: id, at: now) != nil }

  /// What became of this message; changes nothing.
  func fate(of id: MessageID, at now: Instant) -> Fate? {
    guard let place = place(of: id), entries[place].until > now else { return nil }
    return entries[place].fate
  }

  mutating func insert(_ id: MessageID, _ fate: Fate, at now: Instant) {
    sweep(now)
    if let place = place(of: id) {
      // Its age stands somewhere behind younger ones; an expired one starts a new window.
      if entries[place].until <= now { entries[place].until = now + window }
      entries[place].fate = fate
      return
    }
    if entries.count >= countMax, removeOldest().until > now { evicted += 1 }
    append(Entry(id: id, until: now + window, fate: fate))
  }

  mutating func settle(_ id: MessageID, _ fate: Fate) {
    if let place = place(of: id) { entries[place].fate = fate }
  }

  /// Forgets a message at once: it may come again as if it were new.
  mutating func expire(_ id: MessageID) {
    guard let place = place(of: id) else { return }
    entries[place].until = Instant(nanoseconds: .min)
    entries[place].givers = 0
  }

  /// Forgets what is older than the window, and whose givers need not be remembered either.
  /// - Complexity: amortized O(1) per insertion.
  mutating func sweep(_ now: Instant) {
    while let due = entries.first?.due, due <= now {
      // Nothing behind it is older; what a duplicate prolonged there waits for its turn without harm.
      if entries.count <= givenMax, entries[0].until <= now, entries[0].givers != 0, due + giversLonger > now
      {
        return
      }
      var oldest = removeOldest()
      guard oldest.until > now else { continue }
      oldest.due = oldest.until  // a duplicate prolonged it
      append(oldest)
    }
  }

  // MARK: Places

  private func place(of id: MessageID) -> Int? {
    places.find(id.tableHash) { entries[$0].id == id }
  }

  private mutating func append(_ entry: Entry) {
    places.append(entry.id.tableHash) { [entries] in entries[$0].id.tableHash }
    entries.append(entry)
  }

  @discardableResult
  private mutating func removeOldest() -> Entry {
    places.removeFirst(entries[0].id.tableHash) { [entries] in entries[$0].id.tableHash }
    return entries.removeFirst()
  }
}
