import DequeModule

/// Which messages we met, and what became of them, for a window of time.
///
/// Exact: an id is remembered for the whole window (120 s in go-libp2p-pubsub), counted from its first sight, or
/// from its last if `slides`. When the table is full the oldest id is forgotten first, and counted.
///
/// Every id stands once, in the order of age, and a table of places finds it: a node remembers half a million ids, and
/// a dictionary beside a queue would hold each twice. About 80 bytes per id.
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
    var fate: Fate
  }

  /// The oldest first; one that a duplicate prolonged moves to the end when its turn comes.
  private var entries = Deque<Entry>()
  private var places = Places()
  private let window: Duration
  private let slides: Bool
  private let countMax: Int
  private(set) var evicted: UInt64 = 0

  init(window: Duration, slides: Bool, countMax: Int) {
    self.window = window
    self.slides = slides
    self.countMax = countMax
  }

  var count: Int { entries.count }

  /// What became of this message, or nil if it was not met within the window.
  mutating func meet(_ id: MessageID, at now: Instant) -> Fate? {
    sweep(now)
    guard let place = place(of: id), entries[place].until > now else { return nil }
    if slides { entries[place].until = now + window }
    return entries[place].fate
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
    if entries.count >= countMax {
      removeOldest()
      evicted += 1
    }
    append(Entry(id: id, due: now + window, until: now + window, fate: fate))
  }

  mutating func settle(_ id: MessageID, _ fate: Fate) {
    if let place = place(of: id) { entries[place].fate = fate }
  }

  /// Forgets a message at once: it may come again as if it were new.
  mutating func expire(_ id: MessageID) {
    if let place = place(of: id) { entries[place].until = Instant(nanoseconds: .min) }
  }

  /// Forgets what is older than the window.
  /// - Complexity: amortized O(1) per insertion.
  mutating func sweep(_ now: Instant) {
    while let due = entries.first?.due, due <= now {
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
