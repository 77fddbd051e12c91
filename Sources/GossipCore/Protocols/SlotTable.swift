import DequeModule
import OrderedCollections

/// Numbered slots that show what is current: each node fills a table of its own, and mirrors the tables of others.
///
/// A message takes a slot and keeps it until it is withdrawn; then another one may overwrite it, and whoever sees the
/// slot overwritten stops looking for the old message. So a sender that is slow, or a receiver that was away, is told
/// of what counts now and of nothing that is over. What stands in nobody's table is not fetched.
///
/// Guarantee: what a correct sender keeps in its table reaches every correct member connected to it, eventually; what
/// it withdraws may or may not. Each member needs memory for `slotsPerPeer` rows per sender, whatever happens.
///
/// Source: the Internet Computer's abortable broadcast ("consensus manager": slot table, bouncer, fetch).
public struct SlotTable: Dissemination {
  private let parameters: SlotParameters
  private var mine = OwnSlots()
  /// Members that came to large tables: what they have yet to be told, in the order of slots.
  private var greetings: OrderedDictionary<PeerID, Deque<Int>> = [:]
  private var isGreeting = false
  /// What others told us: peer → slot → row.
  private var tables: OrderedDictionary<PeerID, [UInt64: Row]> = [:]
  /// What stands in others' tables and is not here yet.
  private var searches: [MessageID: Search] = [:]
  private var counter: UInt64 = 0
  /// Requests open, per peer.
  private var inFlight: [PeerID: Int] = [:]
  /// Searches whose advertisers are all busy with our requests.
  private var queue = Deque<MessageID>()
  private var timers = Timers<MessageID>()
  private var timerAlarm = EarliestAlarm()

  /// One slot of somebody else's table.
  private struct Row: Sendable {
    let version: UInt64
    let topic: Topic
    let id: MessageID
  }

  /// A message that somebody's table shows and that is not here.
  private struct Search: Sendable {
    let topic: Topic
    /// The order of their beginnings.
    let number: UInt64
    var isWanted: Bool
    /// In how many slots of theirs it stands.
    var advertisers: OrderedDictionary<PeerID, Int> = [:]
    /// Advertisers that said they lack it or gave a forgery; not asked until they put it into a slot again.
    var failed: OrderedSet<PeerID> = []
    var asked: PeerID?
    var tries = 0
    var isExamined = false
    var isQueued = false
    /// Which timer it waits for.
    var timer: UInt64?
  }

  private enum Reminder: UInt64 {
    case timers, greetings
  }

  private static let greetingPause = Duration.milliseconds(100)
  /// How many waiting searches are tried when a request ends.
  private static let walkMax = 64

  init(_ parameters: SlotParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .accepted(let accepted): spread(accepted, &commons)
    case .withdrawn(let id): mine.free(id)  // nobody is told: the slot's next message tells
    case .arrived(let peer, let topic): greet(peer, on: topic, &commons)
    case .heard(let words, let peer): hear(words, from: peer, &commons)
    case .met(let id, _, _): met(id, &commons)
    case .refused(let id, let holders): refused(id, holders, &commons)
    case .lacked(let id, let peer): searches[id]?.failed.append(peer)  // `gaveUp` follows
    case .gaveUp(let id): gaveUp(id, &commons)
    case .changed(let topic): rank(topic, &commons)
    case .left(let topic): leave(topic, &commons)
    case .departed(let peer, let topic): forget(peer, &commons) { $0.topic == topic }
    case .vanished(let peer): forget(peer, &commons)
    case .rang(.own(_, Reminder.timers.rawValue), _): ringTimers(&commons)
    case .rang(.own(_, Reminder.greetings.rawValue), _): continueGreetings(&commons)
    case .began, .joined, .echoed, .served, .lost, .told, .rang: break
    }
  }

  /// Nobody in particular: slots are shown to all.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// Those in whose tables it stands.
  public func holders(of id: MessageID) -> [PeerID] { searches[id]?.advertisers.keys.elements ?? [] }
  /// Rows of others' tables, and what they have yet to be told.
  public var perPeerEntries: Int {
    tables.values.reduce(0) { $0 + $1.count } + greetings.values.reduce(0) { $0 + $1.count }
  }

  // MARK: Our table

  /// The message takes a slot, and every member is told once. Our own small ones go along; of others' messages
  /// members are told, but most have them already.
  private mutating func spread(_ accepted: Acceptance, _ commons: inout Commons) {
    let message = accepted.message
    let showing = searches[message.id]?.advertisers
    end(message.id, &commons)
    let holds = commons.store.holds(message.id)
    guard holds, accepted.isOwn || parameters.relay != .nothing else { return }
    guard let taken = mine.take(message.id, message.topic, slotsMax: parameters.slotsMax) else { return }
    if taken.hasEvicted { commons.counters.evicted += 1 }
    let isSmall = message.wire.bytes.count < parameters.pushBelow
    let pushes = isSmall && (accepted.isOwn || parameters.relay == .messages)
    let members = commons.members(of: message.topic)
    for peer in members {
      // Whoever gave or showed it has it; no copy goes to the author either.
      let isPushed =
        pushes && message.author != peer && !accepted.holders.contains(peer) && showing?[peer] == nil
      commons.say(.slot(taken.entry.update(isPushed: isPushed)), to: peer)
      if isPushed { commons.forward(message, to: peer) }
    }
    // Members of the topic whose message stood there must not look for it any more.
    guard let before = taken.topicBefore, before != message.topic else { return }
    for peer in commons.members(of: before) where !members.contains(peer) {
      commons.say(.slot(taken.entry.update(isPushed: false)), to: peer)
    }
  }

  /// A new member is told what stands in our slots now. Large tables are told in parts, so that they fit into the
  /// queue for words; so are repeated ones, since a peer could join and leave without end.
  private mutating func greet(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    let slots = mine.slots(of: topic)
    guard !slots.isEmpty else { return }
    greetings[peer]?.removeAll { mine.entry($0)?.topic == topic }
    greetings[peer, default: []].append(contentsOf: slots)
    guard !isGreeting else { return }
    continueGreeting(peer, &commons)
    remindOfGreetings(&commons)
  }

  private mutating func continueGreeting(_ peer: PeerID, _ commons: inout Commons) {
    for _ in 0..<parameters.greetingLength {
      guard let slot = greetings[peer]?.popFirst() else { break }
      // Overwritten by another topic meanwhile? Its members were told.
      guard let entry = mine.entry(slot), commons.isMember(peer, of: entry.topic) else { continue }
      commons.say(.slot(entry.update(isPushed: false)), to: peer)
    }
    if greetings[peer]?.isEmpty == true { greetings[peer] = nil }
  }

  private mutating func remindOfGreetings(_ commons: inout Commons) {
    isGreeting = true
    commons.ring(.own(.slots, Reminder.greetings.rawValue), after: SlotTable.greetingPause)
  }

  private mutating func continueGreetings(_ commons: inout Commons) {
    isGreeting = false
    guard !greetings.isEmpty else { return }
    for peer in Array(greetings.keys) { continueGreeting(peer, &commons) }
    remindOfGreetings(&commons)
  }

  // MARK: Others' tables

  private mutating func hear(_ words: [Control], from peer: PeerID, _ commons: inout Commons) {
    for word in words { if case .slot(let update) = word { hear(update, from: peer, &commons) } }
  }

  /// A higher version replaces what stands in the slot; anything else is outdated.
  private mutating func hear(_ update: SlotUpdate, from peer: PeerID, _ commons: inout Commons) {
    let before = tables[peer]?[update.slot]
    if let before, update.version <= before.version {
      commons.counters.offersIgnored += 1
      return
    }
    // A topic we are not on may overwrite one we are on. Who cannot be asked need not be noted.
    let concernsUs =
      commons.policy(of: update.topic)?.spread == .slots && commons.version(with: peer) != nil
    if concernsUs, before == nil, tables[peer]?.count ?? 0 >= parameters.slotsPerPeer {
      commons.counters.evicted += 1
      return commons.observe(.flooded, of: peer)
    }
    if concernsUs {
      let row = Row(version: update.version, topic: update.topic, id: update.id)
      tables[peer, default: [:]][update.slot] = row
      gain(row, by: peer, isPushed: update.isPushed, &commons)
    } else if before != nil {
      tables[peer]?[update.slot] = nil
      if tables[peer]?.isEmpty == true { tables[peer] = nil }
    }
    if let before { lose(before.id, by: peer, &commons) }
  }

  /// The peer shows a message in one more slot.
  private mutating func gain(_ row: Row, by peer: PeerID, isPushed: Bool, _ commons: inout Commons) {
    commons.reach.extend(row.id, to: peer, surfacing: &commons.surfaced)
    guard !commons.seen.contains(row.id, at: commons.now), !commons.store.holds(row.id) else { return }
    if searches[row.id] == nil {
      counter += 1
      var search = Search(topic: row.topic, number: counter, isWanted: isWanted(row.id, row.topic, commons))
      search.isExamined = commons.hasMet(row.id)
      searches[row.id] = search
    }
    searches[row.id]?.advertisers[peer, default: 0] += 1
    searches[row.id]?.failed.remove(peer)
    if isPushed, searches[row.id]?.tries == 0, searches[row.id]?.timer == nil {
      wait(row.id, parameters.patience, &commons)  // it is under way; asked for only if it does not come
    } else {
      fetch(row.id, &commons)
    }
  }

  /// The peer shows a message in one slot less; without any it is no advertiser, and without advertisers the search
  /// ends.
  private mutating func lose(_ id: MessageID, by peer: PeerID, _ commons: inout Commons) {
    guard let count = searches[id]?.advertisers[peer] else { return }
    guard count <= 1 else {
      searches[id]?.advertisers[peer] = count - 1
      return
    }
    searches[id]?.advertisers[peer] = nil
    searches[id]?.failed.remove(peer)
    if searches[id]?.advertisers.isEmpty == true { return end(id, &commons) }
    guard searches[id]?.asked == peer else { return }
    let freed = stopAsking(id, &commons)
    fetch(id, &commons)
    fetchQueued(of: freed, &commons)
  }

  private func isWanted(_ id: MessageID, _ topic: Topic, _ commons: Commons) -> Bool {
    commons.policy(of: topic)?.meaning.rank.map { $0(id, []) > .stash } ?? true
  }

  // MARK: Fetching

  /// Asks a random advertiser, if the message is wanted, nobody is being asked, and nothing is under way.
  private mutating func fetch(_ id: MessageID, _ commons: inout Commons) {
    guard let search = searches[id], search.isWanted, search.asked == nil, !search.isExamined,
      search.timer == nil, !search.isQueued
    else { return }
    let able = search.advertisers.keys.filter { !search.failed.contains($0) }
    guard !able.isEmpty else { return }
    let free = commons.reliable(able.elements).filter { hasPlace($0, commons) }
    guard let peer = commons.random.sample(1, of: free).first else {
      searches[id]?.isQueued = true
      return queue.append(id)
    }
    let patience = patience(search.tries)
    // Another manner may be asking for it, or the list of wants be full: later, then.
    guard !commons.wants.isWanted(id), commons.want(id, heldBy: peer, patience: patience, mayWait: false)
    else {
      return wait(id, patience, &commons)
    }
    searches[id]?.asked = peer
    searches[id]?.tries += 1
    inFlight[peer, default: 0] += 1
    commons.say(.want([id]), to: peer)
  }

  /// Whether the peer may be asked for one more.
  private func hasPlace(_ peer: PeerID, _ commons: Commons) -> Bool {
    guard let count = inFlight[peer] else { return true }
    return count < parameters.fetchesPerPeer && commons.hasRoom(peer)
  }

  /// 5 s at first, doubled with each try, 120 s at most.
  private func patience(_ tries: Int) -> Duration {
    min(parameters.patience * (1 << min(tries, 16)), max(parameters.patience, parameters.patienceMax))
  }

  /// Whoever was asked did not answer in time or cannot give it: another try, with another advertiser if there is
  /// one, and after a new look at the rank.
  private mutating func gaveUp(_ id: MessageID, _ commons: inout Commons) {
    guard let search = searches[id], let peer = search.asked else { return }
    let freed = stopAsking(id, &commons)
    let isWanted = isWanted(id, search.topic, commons)
    searches[id]?.isWanted = isWanted
    // Failed for the moment of choosing only, unless it is the only one.
    let isNewFailure = search.advertisers.count > 1 && searches[id]?.failed.append(peer).inserted == true
    fetch(id, &commons)
    if isNewFailure {
      searches[id]?.failed.remove(peer)
      fetch(id, &commons)
    }
    fetchQueued(of: freed, &commons)
  }

  /// - Returns: who has a place free now.
  @discardableResult
  private mutating func stopAsking(_ id: MessageID, _ commons: inout Commons) -> PeerID? {
    guard let peer = searches[id]?.asked else { return nil }
    searches[id]?.asked = nil
    commons.unwant(id)
    guard let count = inFlight[peer] else { return nil }
    inFlight[peer] = count > 1 ? count - 1 : nil
    return peer
  }

  /// A place of this peer became free: searches that wait for it are tried, in turn.
  private mutating func fetchQueued(of peer: PeerID?, _ commons: inout Commons) {
    guard let peer else { return }
    for _ in 0..<min(queue.count, SlotTable.walkMax) {
      guard hasPlace(peer, commons), let id = queue.popFirst() else { return }
      guard let search = searches[id], search.isQueued else { continue }
      guard search.advertisers[peer] != nil else {
        queue.append(id)
        continue
      }
      searches[id]?.isQueued = false
      fetch(id, &commons)  // back to the end, if its advertisers are busy
    }
  }

  private mutating func end(_ id: MessageID, _ commons: inout Commons) {
    guard searches[id] != nil else { return }
    let freed = stopAsking(id, &commons)
    searches[id] = nil
    if queue.count > 2 * searches.count + 64 { queue.removeAll { searches[$0]?.isQueued != true } }
    fetchQueued(of: freed, &commons)
  }

  // MARK: The message

  /// A pushed message that is not wanted, or not yet, is not looked at.
  public mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool {
    isWanted(message.id, message.topic, commons)
  }

  private mutating func met(_ id: MessageID, _ commons: inout Commons) {
    guard searches[id] != nil else { return }
    searches[id]?.isExamined = true
    searches[id]?.timer = nil
    fetchQueued(of: stopAsking(id, &commons), &commons)
  }

  /// Where the proof failed others may have the true message; where the application refused it, it is over.
  private mutating func refused(_ id: MessageID, _ holders: [PeerID], _ commons: inout Commons) {
    guard searches[id] != nil else { return }
    guard !commons.seen.contains(id, at: commons.now) else { return end(id, &commons) }
    searches[id]?.isExamined = false
    for holder in holders where searches[id]?.advertisers[holder] != nil {
      searches[id]?.failed.append(holder)
    }
    fetch(id, &commons)
  }

  // MARK: Leaving, ranking anew

  /// The rows of this peer are gone, or some of them.
  private mutating func forget(
    _ peer: PeerID, _ commons: inout Commons, where isMeant: (Row) -> Bool
  ) {
    guard let rows = tables[peer] else { return }
    let gone = rows.filter { isMeant($0.value) }.sorted { $0.key < $1.key }
    for (slot, _) in gone { tables[peer]?[slot] = nil }
    if tables[peer]?.isEmpty == true { tables[peer] = nil }
    for (_, row) in gone { lose(row.id, by: peer, &commons) }
  }

  private mutating func forget(_ peer: PeerID, _ commons: inout Commons) {
    greetings[peer] = nil
    forget(peer, &commons) { _ in true }
    inFlight[peer] = nil
  }

  private mutating func leave(_ topic: Topic, _ commons: inout Commons) {
    for peer in Array(tables.keys) { forget(peer, &commons) { $0.topic == topic } }
    mine.free(topic)
  }

  private mutating func rank(_ topic: Topic, _ commons: inout Commons) {
    let meant = searches.filter { $0.value.topic == topic }.sorted { $0.value.number < $1.value.number }
    var freed: [PeerID] = []
    for (id, _) in meant {
      let isWanted = isWanted(id, topic, commons)
      searches[id]?.isWanted = isWanted
      if isWanted { fetch(id, &commons) } else if let peer = stopAsking(id, &commons) { freed.append(peer) }
    }
    for peer in freed { fetchQueued(of: peer, &commons) }
  }

  // MARK: Timers

  private mutating func wait(_ id: MessageID, _ delay: Duration, _ commons: inout Commons) {
    guard searches[id] != nil else { return }
    searches[id]?.timer = timers.set(id, at: commons.now + delay)
    timers.trim(to: 2 * searches.count + 64) { [searches] in searches[$0.subject]?.timer == $0.number }
    setAlarm(&commons)
  }

  private mutating func setAlarm(_ commons: inout Commons) {
    guard let instant = timerAlarm.set(for: timers.first?.at) else { return }
    commons.ring(.own(.slots, Reminder.timers.rawValue), at: instant)
  }

  private mutating func ringTimers(_ commons: inout Commons) {
    guard timerAlarm.rings(at: commons.now) else { return }
    while let timer = timers.due(at: commons.now) {
      let id = timer.subject
      guard let search = searches[id], search.timer == timer.number else { continue }
      searches[id]?.timer = nil
      let isWanted = isWanted(id, search.topic, commons)
      searches[id]?.isWanted = isWanted
      fetch(id, &commons)
    }
    setAlarm(&commons)
  }

  // MARK: For tests

  /// What must hold between turns: only what stands in a table is searched, and asked for; counts agree with rows.
  func isConsistent(_ commons: Commons) -> Bool {
    var counts: [MessageID: [PeerID: Int]] = [:]
    for (peer, rows) in tables {
      for row in rows.values { counts[row.id, default: [:]][peer, default: 0] += 1 }
    }
    var asked: [PeerID: Int] = [:]
    for (id, search) in searches {
      // Messages met before their slots were counted from then on only.
      for (peer, count) in search.advertisers where count > counts[id]?[peer] ?? 0 { return false }
      guard !search.advertisers.isEmpty, search.asked == commons.wants.asked(for: id) || search.asked == nil
      else { return false }
      if let peer = search.asked { asked[peer, default: 0] += 1 }
    }
    return asked == inFlight && mine.isConsistent
  }
}

/// Our own table: which message stands in which slot.
private struct OwnSlots: Sendable {
  struct Entry: Sendable {
    let slot: Int
    let version: UInt64
    let topic: Topic
    let id: MessageID

    func update(isPushed: Bool) -> SlotUpdate {
      SlotUpdate(version: version, slot: UInt64(slot), topic: topic, id: id, isPushed: isPushed)
    }
  }

  /// What stands in each slot that was ever used, and the topic that was told of it last.
  private var entries: [Entry?] = []
  private var topics: [Topic] = []
  private var places: [MessageID: Int] = [:]
  /// Freed slots, the last one on top.
  private var free: [Int] = []
  /// In the order of their versions; entries that are gone are void.
  private var ages = Deque<(slot: Int, version: UInt64)>()
  private var version: UInt64 = 0

  func entry(_ slot: Int) -> Entry? { entries[slot] }

  func slots(of topic: Topic) -> [Int] { entries.indices.filter { entries[$0]?.topic == topic } }

  /// Puts a message into the slot that was freed last, or a new one, or that of the oldest message. Versions rise with
  /// every event, whatever comes of it.
  /// - Returns: nil if it stands in a slot already.
  mutating func take(_ id: MessageID, _ topic: Topic, slotsMax: Int) -> (
    entry: Entry, topicBefore: Topic?, hasEvicted: Bool
  )? {
    version += 1
    guard places[id] == nil else { return nil }
    let isFull = free.isEmpty && entries.count >= slotsMax
    if isFull { freeOldest() }
    let slot = free.popLast() ?? entries.count
    let entry = Entry(slot: slot, version: version, topic: topic, id: id)
    var before: Topic?
    if slot == entries.count {
      entries.append(entry)
      topics.append(topic)
    } else {
      before = topics[slot]
      (entries[slot], topics[slot]) = (entry, topic)
    }
    places[id] = slot
    ages.append((slot, version))
    if ages.count > 2 * entries.count + 16 { ages.removeAll { entries[$0.slot]?.version != $0.version } }
    return (entry, before, isFull)
  }

  mutating func free(_ id: MessageID) {
    version += 1
    guard let slot = places.removeValue(forKey: id) else { return }
    entries[slot] = nil
    free.append(slot)
  }

  mutating func free(_ topic: Topic) {
    for entry in entries.compactMap(\.self) where entry.topic == topic { free(entry.id) }
  }

  private mutating func freeOldest() {
    while let oldest = ages.popFirst() {
      if let entry = entries[oldest.slot], entry.version == oldest.version { return free(entry.id) }
    }
  }

  var isConsistent: Bool {
    entries.count == places.count + free.count
      && entries.allSatisfy { $0.map { places[$0.id] == $0.slot } ?? true }
  }
}

/// Parameters of `SlotTable`. Defaults from the Internet Computer's replica, where it names them.
public struct SlotParameters: Hashable, Sendable {
  /// What is told of messages that others wrote. Their authors may have told few, so it is on by default.
  public enum Relay: Hashable, Sendable {
    /// Nothing: messages reach the members that their authors reach.
    case nothing
    /// That they are here.
    case ids
    /// The same, and small messages go along, as if they were our own.
    case messages
  }

  /// What is told of messages that others wrote.
  public var relay = Relay.ids
  /// Encodings of fewer bytes go along with their slot; larger ones are fetched. The replica: 1,024.
  public var pushBelow = 1_024
  /// Slots of our own table, over all topics; when all are taken the oldest message gives way.
  public var slotsMax = 10_000
  /// Slots of one peer that we remember; further ones are not noted. As large as our own table: where a network's
  /// nodes have larger ones, this must be larger, too. The replica knows no bound but for ingress (50,000).
  public var slotsPerPeer = 10_000
  /// How long the first advertiser asked may take, and how long a pushed message is waited for. The replica: 5 s.
  public var patience: Duration = .seconds(5)
  /// What patience grows to, doubling with each try. The replica: 120 s.
  public var patienceMax: Duration = .seconds(120)
  /// Requests open to one peer; more wait, since what overflows the peer's queue would have to be asked for again.
  public var fetchesPerPeer = 20
  /// Slots told to a new member at once; the rest follows, as many every 100 ms.
  public var greetingLength = 1_000

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("slotsMax", slotsMax), ("slotsPerPeer", slotsPerPeer), ("fetchesPerPeer", fetchesPerPeer),
      ("greetingLength", greetingLength),
    ] { try Rule.count(value, atMost: 1 << 30, "slots.\(name)") }
    guard (0...1 << 30).contains(pushBelow) else {
      throw ConfigurationError("slots.pushBelow", expected: "0 to 2^30 bytes", found: "\(pushBelow)")
    }
    for (name, value) in [("patience", patience), ("patienceMax", patienceMax)] {
      try Rule.duration(value, "slots.\(name)")
    }
  }
}
