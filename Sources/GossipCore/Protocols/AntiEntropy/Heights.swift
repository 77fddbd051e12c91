import OrderedCollections

/// Heights: members say which positions they hold without a gap, and those who lack some ask for them in spans.
///
/// One span of a topic is under way at a time; when all of it is there the next one is asked for at once. A span
/// that is not there after `spanWait`, or holds what is not believed, is asked of another random member that has
/// it; after `retries` of these the rest waits for the next interval, which goes on behind the span that failed.
///
/// Source: Fabric's state transfer, `gossip/state/state.go`; its peers tell their height in `StateInfo`.
extension AntiEntropy {
  /// What one topic knows of positions.
  struct Climb: Sendable {
    /// What members say they hold.
    var heights: OrderedDictionary<PeerID, Range<UInt64>> = [:]
    /// What was believed here, whether it is still held or not.
    var had = PositionSet()
    /// What everybody was told last.
    var told: Range<UInt64>?
    var transfer: Transfer?
    /// Where the next interval begins to look for gaps: behind what could not be had.
    var resumesAt: UInt64 = 0
  }

  /// A span under way.
  struct Transfer: Sendable {
    let span: Range<UInt64>
    var peer: PeerID
    /// Everybody asked so far, the present one included.
    var asked: [PeerID]
    var until: Instant
    /// What came of it and is perhaps still examined.
    var brought: OrderedSet<MessageID> = []
    /// Who brought something.
    var givers: OrderedSet<PeerID> = []
  }

  // MARK: Telling

  /// Everybody when it has changed; a few who may have missed it otherwise.
  mutating func tellHeight(of topic: Topic, to members: [PeerID], _ commons: inout Commons) {
    guard let run = commons.store.run(on: topic) else { return }
    let hasChanged = topics[topic]?.climb.told != run
    topics[topic]?.climb.told = run
    for peer in hasChanged ? members : commons.random.sample(parameters.peers, of: members) {
      commons.say(.summary(topic, lowest: run.lowerBound, next: run.upperBound), to: peer)
    }
  }

  func tellHeight(of topic: Topic, to newcomer: PeerID, _ commons: inout Commons) {
    guard let run = commons.store.run(on: topic) else { return }
    commons.say(.summary(topic, lowest: run.lowerBound, next: run.upperBound), to: newcomer)
  }

  mutating func heardSummary(
    _ topic: Topic, _ lowest: UInt64, _ next: UInt64, from peer: PeerID, _ commons: inout Commons
  ) {
    guard let healing = topics[topic], healing.heal.heightsEvery != nil, commons.isMember(peer, of: topic)
    else { return }
    let heights = healing.climb.heights
    guard heights[peer] != nil || heights.count < parameters.heightsMax else { return }
    topics[topic]?.climb.heights[peer] = lowest < next ? lowest..<next : nil
  }

  // MARK: Climbing

  /// Asks for the first gap that somebody says it can fill, unless a span is under way.
  mutating func climb(_ topic: Topic, _ commons: inout Commons) {
    guard let start = topics[topic]?.climb.resumesAt, topics[topic]?.climb.transfer == nil else { return }
    topics[topic]?.climb.resumesAt = 0
    if !climb(topic, from: start, &commons), start > 0 { climb(topic, from: 0, &commons) }
  }

  @discardableResult
  private mutating func climb(_ topic: Topic, from start: UInt64, _ commons: inout Commons) -> Bool {
    guard let climb = topics[topic]?.climb,
      let first = climb.firstGap(from: max(start, floor(of: topic, commons)))
    else { return false }
    return ask(topic, first..<(climb.had.nextHad(after: first) ?? .max), besides: [], &commons)
  }

  /// Below it everything would be stale.
  private func floor(of topic: Topic, _ commons: Commons) -> UInt64 {
    guard case .last(let count)? = commons.policy(of: topic)?.keeping,
      let highest = commons.store.run(on: topic)?.upperBound
    else { return 0 }
    let (floor, isBelowZero) = (highest - 1).subtractingReportingOverflow(UInt64(clamping: count))
    return isBelowZero ? 0 : floor
  }

  /// - Parameter asked: who was asked for it before; others are asked first.
  /// - Returns: false if nobody says it has the first of these positions.
  private mutating func ask(
    _ topic: Topic, _ gap: Range<UInt64>, besides asked: [PeerID], givers: OrderedSet<PeerID> = [],
    _ commons: inout Commons
  ) -> Bool {
    guard let heights = topics[topic]?.climb.heights else { return false }
    let able = heights.keys.filter { heights[$0]!.contains(gap.lowerBound) }
    let fresh = able.filter { !asked.contains($0) }
    let best = commons.reliable((fresh.isEmpty ? able : fresh).elements)
    guard let peer = best.randomElement(using: &commons.random) else { return false }
    let batch = min(parameters.batch, commons.fitting(peer))
    let (batchEnd, isTooHigh) = gap.lowerBound.addingReportingOverflow(UInt64(batch))
    let end = min(gap.upperBound, heights[peer]!.upperBound, isTooHigh ? .max : batchEnd)
    topics[topic]?.climb.transfer = Transfer(
      span: gap.lowerBound..<end, peer: peer, asked: asked + [peer],
      until: commons.now + parameters.spanWait, givers: givers)
    commons.counters.spansAsked += 1
    commons.say(.span(topic, first: gap.lowerBound, end: end), to: peer)
    remind(.spans, of: topic, after: parameters.spanWait, &commons)
    return true
  }

  /// A message was believed, wherever it came from: perhaps it completes the span.
  mutating func climbed(_ message: Message, _ commons: inout Commons) {
    guard let healing = topics[message.topic], healing.heal.heightsEvery != nil,
      let position = commons.policy(of: message.topic)?.meaning.position?(message.head), position < .max
    else { return }
    if topics[message.topic]!.climb.had.insert(position, gapsMax: parameters.gapsMax) {
      commons.counters.gapsForgotten += 1
    }
    guard let span = healing.climb.transfer?.span,
      topics[message.topic]!.climb.had.firstMissing(from: span.lowerBound) >= span.upperBound
    else { return }
    topics[message.topic]!.climb.transfer = nil
    climb(message.topic, from: span.upperBound, &commons)
  }

  /// Whether it is part of the span we asked this peer for.
  mutating func isAwaited(_ message: Message, from peer: PeerID, _ commons: Commons) -> Bool {
    guard let transfer = topics[message.topic]?.climb.transfer, transfer.peer == peer,
      transfer.brought.count < transfer.span.count,
      let position = commons.policy(of: message.topic)?.meaning.position?(message.head),
      transfer.span.contains(position)
    else { return false }
    topics[message.topic]?.climb.transfer?.brought.append(message.id)
    topics[message.topic]?.climb.transfer?.givers.append(peer)
    return true
  }

  /// What is not believed ends the span at once; what was fetched and refused is not taken again from the same peer.
  mutating func refused(_ id: MessageID, by holders: [PeerID], _ commons: inout Commons) {
    for topic in topics.keys {
      if let peer = topics[topic]?.round?.fetched[id], holders.contains(peer) {
        topics[topic]?.round?.fetched[id] = nil
      }
      guard let transfer = topics[topic]?.climb.transfer, transfer.brought.contains(id),
        holders.contains(transfer.peer)
      else { continue }
      topics[topic]?.climb.transfer?.givers.remove(transfer.peer)
      retry(topic, &commons)
    }
  }

  mutating func lookAfterTransfer(_ topic: Topic, _ commons: inout Commons) {
    guard let transfer = topics[topic]?.climb.transfer else { return }
    if transfer.until <= commons.now { return retry(topic, &commons) }
    remind(.spans, of: topic, after: transfer.until - commons.now, &commons)
  }

  /// Asks somebody else for what is still missing of the span.
  mutating func retry(_ topic: Topic, _ commons: inout Commons) {
    guard let climb = topics[topic]?.climb, let transfer = climb.transfer else { return }
    topics[topic]?.climb.transfer = nil
    commons.counters.spansFailed += 1
    let first = climb.had.firstMissing(from: transfer.span.lowerBound)
    guard first < transfer.span.upperBound else { return }
    let rest = first..<min(transfer.span.upperBound, climb.had.nextHad(after: first) ?? .max)
    if transfer.asked.count <= parameters.retries,
      ask(topic, rest, besides: transfer.asked, givers: transfer.givers, &commons)
    {
      return
    }
    // Whoever gave nothing is not asked again before it says anew what it holds.
    for peer in transfer.asked where !transfer.givers.contains(peer) {
      topics[topic]?.climb.heights[peer] = nil
    }
    // Beyond it next, then from the lowest again: one that claims everything must not keep us from the others.
    let wasFirst =
      climb.firstGap(from: floor(of: topic, commons)).map { $0 >= transfer.span.lowerBound } ?? true
    topics[topic]?.climb.resumesAt = wasFirst ? transfer.span.upperBound : 0
  }

  // MARK: Being asked

  mutating func serve(
    _ topic: Topic, _ first: UInt64, _ end: UInt64, to peer: PeerID, _ commons: inout Commons
  ) {
    guard topics[topic] != nil, commons.isMember(peer, of: topic) else { return }
    var (since, spans) = served[peer] ?? (commons.now, 0)
    if commons.now - since >= .seconds(1) { (since, spans) = (commons.now, 0) }
    served[peer] = (since, spans + 1)
    guard first < end, end - first <= UInt64(parameters.batch), spans < parameters.spansPerSecond else {
      return commons.observe(.flooded, of: peer)
    }
    for position in first..<end {
      if let id = commons.store.id(at: position, on: topic) { commons.give(id, to: peer) }
    }
  }
}

extension AntiEntropy.Climb {
  /// The lowest position from `start` on that we lack and some member says it holds.
  func firstGap(from start: UInt64) -> UInt64? {
    var first = had.firstMissing(from: start)
    while !heights.values.contains(where: { $0.contains(first) }) {
      // Nobody holds it: the nearest above it that somebody does.
      guard let next = heights.values.lazy.map(\.lowerBound).filter({ $0 > first }).min() else { return nil }
      first = had.firstMissing(from: next)
    }
    return first
  }
}

/// Positions, as ranges with gaps between: what is in sequence takes no room.
struct PositionSet: Sendable {
  /// Rising, not empty, not touching.
  private(set) var ranges: [Range<UInt64>] = []

  /// Adds a position below the highest number there is.
  /// - Parameter gapsMax: when there are more gaps the lowest is forgotten, as if it were filled.
  /// - Returns: whether a gap was forgotten.
  mutating func insert(_ position: UInt64, gapsMax: Int) -> Bool {
    let place = firstEnding(after: position)
    if place < ranges.count, ranges[place].contains(position) { return false }
    let touchesBelow = place > 0 && ranges[place - 1].upperBound == position
    let touchesAbove = place < ranges.count && ranges[place].lowerBound == position + 1
    switch (touchesBelow, touchesAbove) {
    case (true, true):
      ranges[place - 1] = ranges[place - 1].lowerBound..<ranges[place].upperBound
      ranges.remove(at: place)
    case (true, false): ranges[place - 1] = ranges[place - 1].lowerBound..<position + 1
    case (false, true): ranges[place] = position..<ranges[place].upperBound
    case (false, false): ranges.insert(position..<position + 1, at: place)
    }
    guard ranges.count > gapsMax + 1 else { return false }
    ranges[1] = ranges[0].lowerBound..<ranges[1].upperBound
    ranges.removeFirst()
    return true
  }

  /// The first position from `start` on that is not in it.
  func firstMissing(from start: UInt64) -> UInt64 {
    let place = firstEnding(after: start)
    return place < ranges.count && ranges[place].contains(start) ? ranges[place].upperBound : start
  }

  /// The first position in it after one that is not.
  func nextHad(after missing: UInt64) -> UInt64? {
    let place = firstEnding(after: missing)
    return place < ranges.count ? ranges[place].lowerBound : nil
  }

  private func firstEnding(after position: UInt64) -> Int {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound > position { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
