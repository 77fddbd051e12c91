import DequeModule

/// Which messages we met, and what became of them, for a window of time.
///
/// Exact: an id is remembered for the whole window (120 s in go-libp2p-pubsub), counted from its first sight, or
/// from its last if `slides`. When the table is full the oldest id is forgotten first, and counted.
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
    var until: Instant
    var fate: Fate
  }

  private var entries: [MessageID: Entry] = [:]
  private var ages = Deque<(until: Instant, id: MessageID)>()
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
    guard let entry = entries[id], entry.until > now else { return nil }
    if slides { entries[id]!.until = now + window }
    return entry.fate
  }

  /// Whether the message was met within the window; changes nothing.
  func contains(_ id: MessageID, at now: Instant) -> Bool {
    entries[id].map { $0.until > now } ?? false
  }

  /// What became of this message; changes nothing.
  func fate(of id: MessageID, at now: Instant) -> Fate? {
    entries[id].flatMap { $0.until > now ? $0.fate : nil }
  }

  mutating func insert(_ id: MessageID, _ fate: Fate, at now: Instant) {
    sweep(now)
    if let entry = entries[id] {
      // Its age stands somewhere behind younger ones; an expired one starts a new window.
      entries[id] = Entry(until: entry.until > now ? entry.until : now + window, fate: fate)
      return
    }
    if entries.count >= countMax { evictOldest() }
    entries[id] = Entry(until: now + window, fate: fate)
    ages.append((now + window, id))
  }

  mutating func settle(_ id: MessageID, _ fate: Fate) {
    entries[id]?.fate = fate
  }

  /// Forgets what is older than the window.
  /// - Complexity: amortized O(1) per insertion.
  mutating func sweep(_ now: Instant) {
    while let oldest = ages.first, oldest.until <= now {
      ages.removeFirst()
      guard let entry = entries[oldest.id] else { continue }
      if entry.until <= now {
        entries[oldest.id] = nil
      } else {
        ages.append((entry.until, oldest.id))  // a duplicate prolonged it
      }
    }
  }

  private mutating func evictOldest() {
    while let oldest = ages.popFirst() {
      if entries.removeValue(forKey: oldest.id) != nil {
        evicted += 1
        return
      }
    }
  }
}
