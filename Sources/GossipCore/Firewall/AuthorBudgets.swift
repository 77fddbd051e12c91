import HeapModule

/// How much each author may say on a topic, whoever brings it: so that valid messages of one hurried or hostile author
/// do not cost everybody what they have.
///
/// Only a message that its author has signed is charged; who forges his name cannot use up his budget. Nor can who tells
/// his old messages again: they have a share of their own, of the same size.
///
///     numbers above all before, or not used within the newest 1,024   fresh share
///     used or older numbers, and messages without one                 late share
///
/// A share is a token bucket for messages and one for bytes. It is open while a message and a byte are left, may then
/// go into debt for one message of any size, and once it is used up stays closed until a 64th of the burst is there. What
/// is under examination counts as well, but only for the peer that brought it: of one author nobody gets more checks at
/// a time than there is room for, and no forger takes them from others. An author nobody knows begins with half of the
/// burst: the first word of a flood is not its longest.
///
/// Source: ours; Bamboo, "Flooding", limits links, and a flood of valid messages leaves a node on all of them.
/// Bound: `authorsMax` authors of all topics together. Whose budget is full again the soonest gives way, so that nobody
/// gets a new budget by writing under many names; it is counted if something was still owed. What is under examination
/// is bounded there.
struct AuthorBudgets: Sendable {
  /// A share that is used up.
  struct Closing: Hashable, Sendable {
    /// When it opens again.
    let until: Instant
    /// Whether it was open until now.
    let isNew: Bool
  }

  private struct Key: Hashable, Sendable {
    let topic: Topic
    let author: PeerID
  }

  private struct Bringing: Hashable, Sendable {
    let key: Key
    let peer: PeerID
  }

  private struct Share: Sendable {
    var messages = Budgets.Bucket()
    var bytes = Budgets.Bucket()
    /// Until then it is closed.
    var closedUntil = Instant(nanoseconds: .min)

    /// A newcomer's.
    init(_ budget: AuthorBudget, at now: Instant) {
      messages.borrow(budget.withheld(of: budget.messages), budget.messages, now)
      bytes.borrow(budget.withheld(of: budget.bytes), budget.bytes, now)
    }

    /// When all of it is there again.
    var full: Instant { max(messages.full, bytes.full) }

    /// nil if it is open.
    mutating func closing(_ budget: AuthorBudget, _ now: Instant) -> Closing? {
      if closedUntil > now { return Closing(until: closedUntil, isNew: false) }
      guard
        messages.excess(1, budget.messages, now) > .zero || bytes.excess(1, budget.bytes, now) > .zero
      else { return nil }
      let wait = max(
        messages.excess(budget.messages.enoughToReopen, budget.messages, now),
        bytes.excess(budget.bytes.enoughToReopen, budget.bytes, now))
      closedUntil = now + wait
      return Closing(until: closedUntil, isNew: true)
    }

    /// The same if so many messages may prove right meanwhile; but as long as they have not, nothing is closed for
    /// others.
    mutating func closing(besides open: Int, _ budget: AuthorBudget, _ now: Instant) -> Closing? {
      if let closing = closing(budget, now) { return closing }
      guard open > 0, messages.excess(open + 1, budget.messages, now) > .zero else { return nil }
      let wait = messages.excess(open + budget.messages.enoughToReopen, budget.messages, now)
      return Closing(until: now + wait, isNew: false)
    }

    mutating func take(_ size: Int, _ budget: AuthorBudget, _ now: Instant) {
      messages.borrow(1, budget.messages, now)
      bytes.borrow(size, budget.bytes, now)
    }
  }

  private struct Account: Sendable {
    var fresh, late: Share
    var numbers = SequenceWindow()

    init(_ budget: AuthorBudget, at now: Instant) {
      fresh = Share(budget, at: now)
      late = fresh
    }

    /// When both shares are full again.
    var full: Instant { max(fresh.full, late.full) }

    func isFresh(_ number: UInt64?) -> Bool { number.map { numbers.isFree($0) } ?? false }
  }

  /// An author in the order of giving way. What it owes may have grown since.
  private struct Place: Comparable, Sendable {
    let full: Instant
    let number: UInt64
    let key: Key

    static func < (a: Place, b: Place) -> Bool { (a.full, a.number) < (b.full, b.number) }
    static func == (a: Place, b: Place) -> Bool { a.number == b.number }
  }

  private var accounts: [Key: Account] = [:]
  /// Messages under examination, of each author by each peer.
  private var examined: [Bringing: Int] = [:]
  /// All of them.
  private(set) var underWay = 0
  /// One place for each account.
  private var places = Heap<Place>()
  private var opened: UInt64 = 0
  private let authorsMax: Int
  /// Authors that gave way while they owed something.
  private(set) var evicted: UInt64 = 0

  init(authorsMax: Int) { self.authorsMax = max(1, authorsMax) }

  /// Authors known.
  var count: Int { accounts.count }

  /// A message that claims this author and number is to be examined.
  /// - Returns: nil if it may; it is under examination then, until `examined`.
  /// - Complexity: O(1).
  mutating func begin(
    _ author: PeerID, _ number: UInt64?, from peer: PeerID, on topic: Topic, _ budget: AuthorBudget,
    at now: Instant
  ) -> Closing? {
    let bringing = Bringing(key: Key(topic: topic, author: author), peer: peer)
    let open = examined[bringing] ?? 0
    let closing = closing(bringing.key, number, besides: open, budget, now)
    guard closing == nil else { return closing }
    examined[bringing] = open + 1
    underWay += 1
    return nil
  }

  private mutating func closing(
    _ key: Key, _ number: UInt64?, besides open: Int, _ budget: AuthorBudget, _ now: Instant
  ) -> Closing? {
    guard let isFresh = accounts[key]?.isFresh(number) else {
      var share = Share(budget, at: now)
      return share.closing(besides: open, budget, now)
    }
    return isFresh
      ? accounts[key]!.fresh.closing(besides: open, budget, now)
      : accounts[key]!.late.closing(besides: open, budget, now)
  }

  /// A message that this peer brought is not under examination any more.
  mutating func examined(_ author: PeerID, from peer: PeerID, on topic: Topic) {
    let bringing = Bringing(key: Key(topic: topic, author: author), peer: peer)
    guard let open = examined[bringing] else { return }
    examined[bringing] = open > 1 ? open - 1 : nil
    underWay -= 1
  }

  /// A message that its author signed takes its place.
  /// - Returns: nil if there was room; if there was none, nothing is charged.
  /// - Complexity: amortized O(log n).
  mutating func charge(
    _ author: PeerID, _ number: UInt64?, _ size: Int, on topic: Topic, _ budget: AuthorBudget,
    at now: Instant
  ) -> Closing? {
    let key = Key(topic: topic, author: author)
    if accounts[key] == nil { open(key, budget, at: now) }
    return Self.charge(&accounts[key]!, number, size, budget, now)
  }

  private static func charge(
    _ account: inout Account, _ number: UInt64?, _ size: Int, _ budget: AuthorBudget, _ now: Instant
  ) -> Closing? {
    guard account.isFresh(number) else {
      if let closing = account.late.closing(budget, now) { return closing }
      account.late.take(size, budget, now)
      return nil
    }
    if let closing = account.fresh.closing(budget, now) { return closing }
    account.fresh.take(size, budget, now)
    if let number { _ = account.numbers.take(number) }
    return nil
  }

  private mutating func open(_ key: Key, _ budget: AuthorBudget, at now: Instant) {
    while accounts.count >= authorsMax { evict(at: now) }
    accounts[key] = Account(budget, at: now)
    opened += 1
    places.insert(Place(full: now, number: opened, key: key))
  }

  private mutating func evict(at now: Instant) {
    while let place = places.popMin() {
      guard let full = accounts[place.key]?.full else { continue }
      guard full <= place.full else {
        // It has said something since: where it stands now shows who is the first.
        places.insert(Place(full: full, number: place.number, key: place.key))
        continue
      }
      accounts[place.key] = nil
      if full > now { evicted += 1 }
      return
    }
  }
}

extension Budgets.Bucket {
  /// Takes so much, there or not: the debt is paid before anything else.
  mutating func borrow(_ amount: Int, _ budget: Budget, _ now: Instant) {
    full = max(full, now) + budget.time(amount)
  }
}

extension Budget {
  fileprivate var enoughToReopen: Int { max(1, burst / 64) }
}

/// How much one author may say on a topic: messages a second and bytes a second, and how much of each at once.
///
/// Every node takes so much of each author, whoever brings it, and drops the rest without checking signatures; what is
/// dropped may come again later, from the healer for instance. All nodes of a topic should agree. A node publishes a
/// little less than it would take (`own`), so that no honest author is ever cut short by a network that delivers in
/// bursts. Catching up takes its time, too: messages of one author that come late have the same budget once more.
///
/// It does not help against who writes under many names: each of them is an author. What they bring together is bounded
/// by what the links to them may carry (`BudgetParameters`).
public struct AuthorBudget: Hashable, Sendable {
  /// Messages per second, and at once.
  public var messages: Budget
  /// Bytes per second, and at once; of an object all its bytes.
  public var bytes: Budget
  /// With how many eighths of a burst an author begins of whom nothing is known.
  public var newcomerEighths = 4

  /// Made of its parts.
  public init(messages: Budget, bytes: Budget) { (self.messages, self.bytes) = (messages, bytes) }

  /// So much a second, and what one second brings at once, but 16 messages and a megabyte in any case.
  /// - Parameter bytesPerSecond: 4 KiB for each message unless said, and one megabyte at least.
  public init(messagesPerSecond rate: Int, bytesPerSecond: Int? = nil) {
    let (product, overflow) = max(0, rate).multipliedReportingOverflow(by: 4_096)
    let bytes = bytesPerSecond ?? max(1 << 20, overflow ? .max : product)
    messages = Budget(rate: rate, burst: max(16, rate))
    self.bytes = Budget(rate: bytes, burst: max(1 << 20, bytes))
  }

  /// What we publish at most ourselves: at once half of what a node takes that does not know us yet, because messages
  /// that one path delays meet others at its end, and one in 64 less per second, because no two clocks agree.
  public var own: AuthorBudget {
    func less(_ budget: Budget) -> Budget {
      Budget(
        rate: budget.rate - budget.rate / 64, burst: max(1, (budget.burst - withheld(of: budget)) / 2))
    }
    var own = AuthorBudget(messages: less(messages), bytes: less(bytes))
    own.newcomerEighths = 8
    return own
  }

  /// What a newcomer has not yet.
  fileprivate func withheld(of budget: Budget) -> Int {
    let eighths = min(max(0, newcomerEighths), 8)
    return budget.burst - max(1, budget.burst / 8 * eighths + budget.burst % 8 * eighths / 8)
  }

  /// - Throws: `ConfigurationError` for what cannot work.
  func validate() throws(ConfigurationError) {
    guard (0...8).contains(newcomerEighths) else {
      throw ConfigurationError(
        "authorBudget.newcomerEighths", expected: "0 to 8", found: "\(newcomerEighths)")
    }
    for (name, budget) in [("messages", messages), ("bytes", bytes)] {
      try Rule.budget(budget, "authorBudget.\(name)")
    }
  }
}
