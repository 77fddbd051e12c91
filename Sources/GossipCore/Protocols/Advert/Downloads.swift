import OrderedCollections

/// Asking for what was advertised: slots, quotas, rounds of attempts, and what ends a download.
///
/// An invariant holds everything together: a claim stands in its queue exactly while its peer was not tried in this
/// round; an artifact exists exactly while somebody advertises it.
extension AdvertGossip {
  /// A message that was advertised and is not here.
  struct Artifact: Sendable {
    /// Who advertises it, in the order of their adverts.
    var advertisers: OrderedSet<PeerID> = []
    /// Whose answer we wait for.
    var asked: PeerID?
    /// Who pays for the download, and how much: the one it began with.
    var charge: (peer: PeerID, bytes: Int)?
    /// Which timer ends the download; nil before it begins.
    var expiry: UInt64?
    /// Which timer ends the pause after a round.
    var rest: UInt64?
    /// The encoding being examined, whose hash was the advertised one.
    var arrived: (wire: WireMessage, hash: ContentHash)?
    /// Whether it is being examined, whoever brought it.
    var isExamined = false
  }

  // MARK: Asking

  /// Fills the peer's free slots from its queues.
  mutating func next(_ peer: PeerID, _ commons: inout Commons) {
    var (wanted, left): ([MessageID], [MessageID]) = ([], [])
    let unreliable: OrderedSet<PeerID> =
      commons.isUnreliable(peer) ? advertisers.keys.filter { commons.isUnreliable($0) } : []
    while hasSlot(peer, commons), let id = pick(of: peer, unreliable, leaving: &left) {
      if ask(peer, for: id, &commons) { wanted.append(id) }
    }
    if !wanted.isEmpty { commons.say(.want(wanted), to: peer) }
    for id in left { rest(id, &commons) }  // the others may have gone by then
  }

  /// Whether the peer may be asked for one more.
  private func hasSlot(_ peer: PeerID, _ commons: Commons) -> Bool {
    guard let inFlight = advertisers[peer]?.inFlight else { return false }
    return inFlight == 0 || (inFlight < parameters.slotsPerPeer && commons.hasRoom(peer))
  }

  /// The first claim of the peer that nobody is being asked for, and that its quota allows.
  /// - Parameters:
  ///   - unreliable: who breaks off. If this peer is one of them, what anybody else advertises is left to these.
  ///   - left: is told of what is.
  private mutating func pick(
    of peer: PeerID, _ unreliable: OrderedSet<PeerID>, leaving left: inout [MessageID]
  ) -> MessageID? {
    guard let charged = advertisers[peer]?.charged else { return nil }
    let leavesToOthers = unreliable.contains(peer)
    let (quota, artifacts) = (parameters.quotaPerPeer - charged, artifacts)
    let others = leavesToOthers ? advertisers : [:]
    return advertisers[peer]?.take { id, claim in
      guard let artifact = artifacts[id], artifact.asked == nil, !artifact.isExamined else { return false }
      if leavesToOthers,
        artifact.advertisers.contains(where: {
          others[$0]?.claims[id]?.isUntried == true && !unreliable.contains($0)
        })
      {
        left.append(id)
        return false
      }
      return artifact.charge != nil || claim.size <= quota
    }
  }

  private mutating func ask(_ peer: PeerID, for id: MessageID, _ commons: inout Commons) -> Bool {
    guard let claim = advertisers[peer]?.claims[id], artifacts[id] != nil else { return false }
    // Another manner may be asking for it, or the list of wants be full: later, then.
    guard !commons.hasMet(id), !commons.wants.isWanted(id),
      commons.want(
        id, heldBy: peer, patience: parameters.chunkPatience, size: claim.size, mayWait: false)
    else {
      rest(id, &commons)
      return false
    }
    artifacts[id]?.asked = peer
    advertisers[peer]?.inFlight += 1
    if artifacts[id]?.charge == nil {
      artifacts[id]?.charge = (peer, claim.size)
      advertisers[peer]?.charged += claim.size
    }
    if artifacts[id]?.expiry == nil {
      let patiences =
        max(1, claim.size / parameters.chunkSize) * max(1, commons.members(of: claim.topic).count)
      let expiry = set(id, after: parameters.chunkPatience * patiences, &commons)
      artifacts[id]?.expiry = expiry
    }
    return true
  }

  /// Asks the next advertiser that was not tried in this round; after the last one a new round begins, but not at
  /// once.
  mutating func goOn(_ id: MessageID, _ commons: inout Commons) {
    guard let artifact = artifacts[id], artifact.asked == nil, !artifact.isExamined else { return }
    let wanted = artifact.advertisers.filter { advertisers[$0]?.claims[id]?.isWanted == true }
    let untried = wanted.filter { advertisers[$0]?.claims[id]?.isUntried == true }
    for peer in untried {
      next(peer, &commons)
      if artifacts[id]?.asked != nil { return }
    }
    // Where untried ones are left their slots or quotas are used up: they are asked when these are free again.
    if untried.isEmpty, !wanted.isEmpty { rest(id, &commons) }
  }

  private mutating func rest(_ id: MessageID, _ commons: inout Commons) {
    guard artifacts[id] != nil, artifacts[id]?.rest == nil else { return }
    let rest = set(id, after: parameters.roundPause, &commons)
    artifacts[id]?.rest = rest
  }

  /// Every advertiser may be tried again, after what waits already.
  private mutating func beginRound(_ id: MessageID, _ commons: inout Commons) {
    artifacts[id]?.rest = nil
    let peers = artifacts[id]?.advertisers ?? []
    for peer in peers { advertisers[peer]?.enqueue(id) }
    for peer in peers { next(peer, &commons) }
  }

  // MARK: Ends

  /// The peer asked did not answer in time, cannot give it, or is gone.
  mutating func gaveUp(_ id: MessageID, _ commons: inout Commons) {
    let peer = release(id)
    goOn(id, &commons)
    if let peer { next(peer, &commons) }
  }

  /// Nobody is asked any more.
  @discardableResult
  private mutating func release(_ id: MessageID) -> PeerID? {
    guard let peer = artifacts[id]?.asked else { return nil }
    artifacts[id]?.asked = nil
    advertisers[peer]?.inFlight -= 1
    return peer
  }

  private mutating func uncharge(_ id: MessageID) {
    guard let charge = artifacts[id]?.charge else { return }
    artifacts[id]?.charge = nil
    advertisers[charge.peer]?.charged -= charge.bytes
  }

  /// The peer says that it cannot give it: its advert is void.
  mutating func lacked(_ id: MessageID, by peer: PeerID, _ commons: inout Commons) {
    drop(id, of: peer, &commons)
    goOn(id, &commons)
    next(peer, &commons)
  }

  /// Takes back one peer's advert; the last one's end is the download's.
  /// - Returns: whether this peer was being asked.
  @discardableResult
  mutating func drop(_ id: MessageID, of peer: PeerID, _ commons: inout Commons) -> Bool {
    guard advertisers[peer]?.remove(id) != nil else { return false }
    artifacts[id]?.advertisers.remove(peer)
    if artifacts[id]?.charge?.peer == peer { uncharge(id) }
    let wasAsked = artifacts[id]?.asked == peer
    if wasAsked {
      commons.unwant(id)
      release(id)
    }
    if artifacts[id]?.advertisers.isEmpty == true { artifacts[id] = nil }
    return wasAsked
  }

  /// Ends a download for all its advertisers.
  private mutating func end(_ id: MessageID) -> Artifact? {
    release(id)
    uncharge(id)
    guard let artifact = artifacts.removeValue(forKey: id) else { return nil }
    for peer in artifact.advertisers { _ = advertisers[peer]?.remove(id) }
    return artifact
  }

  // MARK: The message

  /// Only what the peer advertised comes in from it: this hash, this size, this topic. Whoever gives something else
  /// loses its advert, and the others are asked.
  public mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool {
    let id = message.id
    guard let claim = advertisers[peer]?.claims[id] else { return false }  // it has not vouched for it
    let hash = ContentHash(of: message.wire)
    guard hash == claim.hash, message.wire.bytes.count == claim.size, message.topic == claim.topic else {
      commons.observe(.invalidMessage, of: peer, on: message.topic)
      drop(id, of: peer, &commons)
      goOn(id, &commons)
      next(peer, &commons)
      return false
    }
    artifacts[id]?.arrived = (message.wire, hash)
    return true
  }

  /// Examined from now on; the slot is free.
  mutating func arrived(_ id: MessageID, _ wire: WireMessage, from peer: PeerID, _ commons: inout Commons) {
    guard artifacts[id] != nil else { return }
    artifacts[id]?.isExamined = true
    if let asked = release(id) { next(asked, &commons) }
  }

  /// The message is believed.
  /// - Returns: its hash, and who advertised the same.
  mutating func finish(_ message: Message, _ commons: inout Commons) -> (ContentHash, [PeerID]) {
    let artifact = artifacts[message.id]
    let hash =
      if let arrived = artifact?.arrived, arrived.wire.hasSameBytes(as: message.wire.bytes) {
        arrived.hash  // not computed twice
      } else {
        ContentHash(of: message.wire)
      }
    let knowing = artifact?.advertisers.filter { advertisers[$0]?.claims[message.id]?.hash == hash } ?? []
    note(hash, from: artifact?.charge?.peer)
    let freed = [artifact?.asked, artifact?.charge?.peer].compactMap(\.self)
    _ = end(message.id)
    for peer in freed { next(peer, &commons) }
    return (hash, Array(knowing))
  }

  /// The message is not believed. Where its proof failed, the same bytes will fail again, whoever gives them; other
  /// versions may be right.
  mutating func refused(_ id: MessageID, _ holders: [PeerID], _ commons: inout Commons) {
    guard let artifact = artifacts[id] else { return }
    guard !commons.seen.contains(id, at: commons.now) else {
      _ = end(id)
      if let peer = artifact.charge?.peer { next(peer, &commons) }
      return
    }
    commons.unwant(id)
    release(id)
    artifacts[id]?.isExamined = false
    artifacts[id]?.arrived = nil
    for holder in holders {
      guard let hash = advertisers[holder]?.claims[id]?.hash else { continue }
      note(hash, from: artifact.charge?.peer)
      for peer in artifact.advertisers where advertisers[peer]?.claims[id]?.hash == hash {
        drop(id, of: peer, &commons)
      }
    }
    goOn(id, &commons)
    for peer in artifact.advertisers { next(peer, &commons) }
  }

  // MARK: Timers

  private mutating func set(_ id: MessageID, after delay: Duration, _ commons: inout Commons) -> UInt64 {
    let newest = timers.set(id, at: commons.now + delay)
    timers.trim(to: 4 * artifacts.count + 64) { [artifacts] timer in
      let artifact = artifacts[timer.subject]
      return [newest, artifact?.expiry, artifact?.rest].contains(timer.number)
    }
    setAlarm(&commons)
    return newest
  }

  private mutating func setAlarm(_ commons: inout Commons) {
    guard let instant = timerAlarm.set(for: timers.first?.at) else { return }
    commons.ring(.own(.advert, Reminder.timers.rawValue), at: instant)
  }

  mutating func ringTimers(_ commons: inout Commons) {
    guard timerAlarm.rings(at: commons.now) else { return }
    while let timer = timers.due(at: commons.now) {
      let id = timer.subject
      if artifacts[id]?.expiry == timer.number { expire(id, &commons) }
      if artifacts[id]?.rest == timer.number {
        // Asked meanwhile, by an advert that came during the pause? Then this round goes on.
        if artifacts[id]?.asked == nil {
          beginRound(id, &commons)
        } else {
          artifacts[id]?.rest = nil
        }
      }
    }
    setAlarm(&commons)
  }

  /// The download took too long: nobody is charged any more, and its adverts go to the tails of their queues.
  private mutating func expire(_ id: MessageID, _ commons: inout Commons) {
    artifacts[id]?.expiry = nil
    guard artifacts[id]?.isExamined == false else { return }
    uncharge(id)
    commons.unwant(id)
    let peer = release(id)
    for advertiser in artifacts[id]?.advertisers ?? [] { advertisers[advertiser]?.dequeue(id) }
    beginRound(id, &commons)
    if let peer { next(peer, &commons) }
  }
}
