import OrderedCollections

/// The firewall at work: when a peer is read from, what of it is heard at all, and who is barred.
///
/// Source: Bamboo gossip v2, "Flooding", "Circulating".
extension Node {
  // MARK: Reading

  /// A message of the peer is unchecked from now on.
  mutating func charge(_ peer: PeerID, _ message: Message) {
    if commons.firewall.charge(peer, message.wire.bytes.count) { settleReading(peer) }
  }

  /// One is not any more.
  mutating func discharge(_ peer: PeerID, _ message: Message) {
    if commons.firewall.discharge(peer, message.wire.bytes.count) { settleReading(peer) }
  }

  /// Takes a frame out of its peer's budgets; who is over them is not read from for a while. That is no offence: who
  /// relays much for others cannot know what we have room for.
  mutating func chargeBudgets(_ peer: PeerID, _ frame: Frame) {
    if commons.firewall.charge(peer, frame, at: commons.now) { watchBudgets(of: peer) }
    guard !commons.reputation.isEverybodyWelcome, commons.reputation.standing(of: peer) <= .ignored,
      let until = commons.firewall.chargeUnwelcome(peer, at: commons.now)
    else { return }
    holdBack(peer, until: until)
  }

  /// Does not read from the peer until then, if it is connected.
  mutating func holdBack(_ peer: PeerID, until: Instant) {
    if commons.firewall.holdBack(peer, until: until) { watchBudgets(of: peer) }
  }

  /// Who is over a budget is looked at again when it should be within.
  private mutating func watchBudgets(of peer: PeerID) {
    settleReading(peer)
    guard let until = commons.firewall.overUntil(peer, at: commons.now) else { return }
    // Also if it leaves: it may come back before then.
    commons.reading.append(peer)
    if let instant = commons.readingAlarm.set(for: until) { commons.ring(.reading, at: instant) }
  }

  /// Who was over a budget may be read again.
  mutating func readAgain() {
    guard commons.readingAlarm.rings(at: commons.now) else { return }
    let waiting = commons.reading
    commons.reading = []
    for peer in waiting { watchBudgets(of: peer) }
  }

  /// Pauses or resumes, if the firewall says otherwise than before.
  mutating func settleReading(_ peer: PeerID) {
    let mayRead = commons.firewall.mayRead(peer, at: commons.now)
    let now = commons.now
    let hasChanged = commons.peers.update(peer) { entry in
      guard entry.isPaused == mayRead else { return false }
      entry.isPaused = !mayRead
      if mayRead { entry.resumedAt = now }
      return true
    }
    guard hasChanged == true else { return }
    commons.surface(mayRead ? .resume(peer) : .pause(peer))
    commons.notice(mayRead ? .resumed(peer) : .paused(peer))
  }

  // MARK: Barring

  /// Has nothing to do with a peer any more, for as long as its deeds say.
  mutating func bar(
    _ peer: PeerID, _ reason: BlacklistReason, evidence: [UInt8] = [], for duration: Duration? = nil
  ) {
    guard peer != me else { return }
    guard configuration.reputation.mode == .acting || reason == .byHand else {
      if configuration.reputation.mode == .watching { commons.notice(.wouldBar(peer, reason)) }
      return
    }
    guard
      commons.firewall.bar(peer, reason, evidence: evidence, for: duration, at: commons.now),
      let entry = commons.firewall.blacklist.entry(of: peer, at: commons.now)
    else { return }
    commons.counters.barred += 1
    commons.notice(.barred(peer, reason, for: entry.until - entry.since))
    watchBars()
    if commons.peers.isConnected(peer) {
      commons.expelled.append(peer)
      commons.surface(.disconnect(peer, Severance("barred: \(reason.text)")))
    }
  }

  /// Forgives a peer, on an operator's word.
  mutating func unbar(_ peer: PeerID) {
    if commons.firewall.unbar(peer) { commons.notice(.unbarred(peer)) }
  }

  private mutating func watchBars() {
    let deadline = commons.firewall.blacklist.deadline
    if let instant = commons.barsAlarm.set(for: deadline) { commons.ring(.bars, at: instant) }
  }

  /// Some bars may have ended.
  mutating func endBars() {
    guard commons.barsAlarm.rings(at: commons.now) else { return }
    for peer in commons.firewall.sweep(commons.now) { commons.notice(.unbarred(peer)) }
    watchBars()
  }

  /// Nobody waits for what a barred peer promised; that it leaves now is not its doing.
  mutating func releaseExpelled() {
    let expelled = commons.expelled
    commons.expelled.removeAll()
    for peer in expelled {
      for (manner, id) in commons.releasePromises(of: peer, owes: false) { gaveUp(id, manner) }
    }
  }

  /// Takes in who was barred before a restart; where peers are only watched it is told who would still be.
  mutating func restore(_ records: [BlacklistRecord], wallClock: Int64) {
    commons.firewall.restore(records.filter { $0.peer != me }, at: commons.now, wallClock: wallClock)
    watchBars()
    if configuration.reputation.mode == .watching {
      for entry in commons.firewall.blacklist.barred(at: commons.now) where !isBarred(entry.peer) {
        commons.notice(.wouldBar(entry.peer, entry.reason))
      }
    }
    for peer in commons.peers.connected where isBarred(peer) {
      commons.expelled.append(peer)
      commons.surface(.disconnect(peer, Severance("barred")))
    }
  }

  /// Whether we have nothing to do with this peer, nor with what it wrote.
  @inline(__always)  // a call would copy the whole node first
  package func isBarred(_ peer: PeerID) -> Bool { commons.firewall.blacklist.bars(peer, at: commons.now) }

  /// Who is barred, as plain values that outlive a restart.
  /// - Parameter wallClock: seconds since 1970, now.
  public func blacklist(wallClock: Int64) -> [BlacklistRecord] {
    commons.firewall.blacklist.records(at: commons.now, wallClock: wallClock)
  }

  // MARK: Copies

  /// The peer gave what it had given before: an offence where digests come first, for who offers first and gives once
  /// never has to repeat; elsewhere something to be seen.
  mutating func repeated(
    _ id: MessageID, _ wire: WireMessage, by peer: PeerID, _ policy: TopicPolicy, _ manner: Manner
  ) {
    guard manner != .push, manner != .direct, manner != .antiEntropy,
      commons.firewall.accuses(id, of: peer, at: commons.now)
    else { return }
    commons.observe(.circulated, of: peer, on: wire.topic)
    guard manner == .digestFirst, !maySayAgain(wire, peer, policy) else { return }
    bar(peer, .circulation, evidence: id.bytes)
  }

  /// Where the content makes the id, an author may push the same again in good faith: it remembers what it said for a
  /// shorter time than we, and not beyond a restart.
  private func maySayAgain(_ wire: WireMessage, _ peer: PeerID, _ policy: TopicPolicy) -> Bool {
    if case .author = policy.identification { return false }
    return wire.payload.count <= configuration.digestFirst.pushBelow
      && (!wire.hasAuthor || wire.claimedAuthor == peer)
  }
}

extension BlacklistReason {
  /// In words for people.
  public var text: String {
    switch self {
    case .circulation: "it gave the same message again, unasked"
    case .examinedBad: "it vouched for a bad message"
    case .undecodable: "it sent what nobody can read"
    case .corruptContent: "it signed what cannot be right"
    case .unretracted: "it passed on bad messages and took none back"
    case .reports: "the application reported it too often"
    case .byHand: "by hand"
    }
  }
}
