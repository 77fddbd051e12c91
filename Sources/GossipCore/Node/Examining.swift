import OrderedCollections

/// Examination by lot: what goes on before it is examined, what follows when it turns out good or bad, and who is
/// barred for it.
///
/// Source: Bamboo gossip v2, "Spoofing and spamming"; the blame rules are `BadMessage`'s.
extension Node {
  /// Passes a message on before its examination, if the lot says so.
  /// - Returns: whether it did; the examination goes on in any case.
  mutating func passOnUnexamined(_ message: Message, from peer: PeerID, _ policy: TopicPolicy, isHealed: Bool)
  {
    guard policy.examination == .byLot, message.wire.way != .direct, message.wire.kind == .plain,
      !commons.store.isStale(message, policy), rises(message, policy)
    else { return }
    let hops = Int(message.wire.unexaminedHops)
    guard
      commons.unexamined.goesOn(
        message.id, trust: commons.firewall.lot(of: peer), hops: hops, at: commons.now, using: &commons.random
      )
    else { return }
    var wire = message.wire
    wire.unexaminedHops = UInt8(min(127, Lot.hops(after: hops, isExamined: false)))
    let marked = Message(id: message.id, wire: wire)
    commons.counters.passedUnexamined += 1
    commons.store.putUnexamined(marked)
    // The healer deals in what is believed.
    tell(
      policy.spread,
      .accepted(Acceptance(message: marked, holders: [peer], audience: .everyone, isHealed: isHealed)))
  }

  /// A message is believed.
  /// - Returns: whether it went on before and is still held: then it only remains to deliver it.
  mutating func wentOn(_ message: Message, _ policy: TopicPolicy) -> Bool {
    guard commons.unexamined.settle(message.id, at: commons.now) != nil else { return false }
    return commons.store.examined(message, policy, at: commons.now)
  }

  /// A message that went on is neither believed nor found bad: nobody is told, and it is given to nobody else.
  mutating func letGo(_ id: MessageID, _ policy: TopicPolicy?) {
    guard commons.unexamined.settle(id, at: commons.now) != nil else { return }
    commons.store.withdraw(id, from: policy?.manners ?? [])
  }

  /// A message is not believed: whoever got it from us is told, and it is given to nobody else.
  mutating func takeBack(_ id: MessageID, _ policy: TopicPolicy) {
    guard let receivers = commons.unexamined.settle(id, at: commons.now) else { return }
    commons.counters.retracted += 1
    commons.manner = policy.spread
    for peer in receivers { commons.say(.retract([id]), to: peer) }
    commons.store.withdraw(id, from: policy.manners)
  }

  /// A message is bad: who is to blame. Where messages are examined by lot, who passed it on may be a victim.
  /// - Parameter isProven: whether its author's signature holds, although its content cannot be right.
  mutating func condemn(_ message: Message, _ holders: [PeerID], _ reason: Rejection, isProven: Bool) {
    guard commons.joined[message.topic]?.examination == .byLot else {
      return reject(message.id, on: message.topic, holders, reason)
    }
    commons.counters.rejected += 1
    for holder in holders { commons.notice(.rejected(message.id, from: holder, reason)) }
    blame(holders, for: message, isProven: isProven)
  }

  private mutating func blame(_ holders: [PeerID], for message: Message, isProven: Bool) {
    for (place, holder) in holders.enumerated() {
      let bad = BadMessage(
        // What the later ones said of their copies was not kept.
        isExamined: place == 0 && message.wire.unexaminedHops == 0, isFromAuthor: holder == message.author,
        isProven: isProven, isInHandOver: isInHandOver)
      switch bad.blame {
      case .nobody: break
      case .barSender(let reason):
        findGuilty(holder, on: message.topic)
        bar(holder, reason, evidence: message.evidence)
      case .barAuthor: barAuthor(of: message)
      case .barBoth:
        findGuilty(holder, on: message.topic)
        bar(holder, .examinedBad, evidence: message.evidence)
        barAuthor(of: message)
      case .awaitRetraction: awaitRetraction(of: message.id, by: holder)
      }
      if bad.blame.resetsSender { commons.firewall.distrust(holder) }
    }
  }

  private mutating func findGuilty(_ sender: PeerID, on topic: Topic) {
    commons.observe(.invalidMessage, of: sender, on: topic)
    commons.firewall.failed(sender, at: commons.now)
  }

  private mutating func awaitRetraction(of id: MessageID, by sender: PeerID) {
    if let cost = commons.unexamined.foundBad(id, from: sender, at: commons.now) { charge(sender, cost) }
    watchRetractions()
  }

  /// A further copy of what was refused.
  mutating func condemnAgain(_ id: MessageID, _ wire: WireMessage, from peer: PeerID, _ policy: TopicPolicy) {
    guard policy.examination == .byLot else {
      return commons.observe(.invalidMessage, of: peer, on: wire.topic)
    }
    guard !isInHandOver else { return }
    guard wire.unexaminedHops > 0 else { return findGuilty(peer, on: wire.topic) }
    awaitRetraction(of: id, by: peer)
    commons.firewall.distrust(peer)
  }

  private mutating func barAuthor(of message: Message) {
    guard let author = message.author, author != me else { return }
    bar(author, .corruptContent, evidence: message.evidence)
  }

  /// Keys of two epochs are in use.
  private var isInHandOver: Bool { commons.handOverUntil.map { commons.now < $0 } ?? false }

  // MARK: Retractions

  mutating func heardRetraction(_ ids: [MessageID], from peer: PeerID) {
    for id in ids {
      guard let cost = commons.unexamined.retracted(id, by: peer, at: commons.now) else { continue }
      charge(peer, cost)
    }
    if !ids.isEmpty { commons.firewall.distrust(peer) }
  }

  /// Those whose time to take something back is over.
  mutating func endRetractions() {
    guard commons.retractionAlarm.rings(at: commons.now) else { return }
    for (peer, _, cost) in commons.unexamined.due(at: commons.now) { charge(peer, cost) }
    watchRetractions()
  }

  private mutating func watchRetractions() {
    let deadline = commons.unexamined.deadline
    if let instant = commons.retractionAlarm.set(for: deadline) { commons.ring(.retractions, at: instant) }
  }

  private mutating func charge(_ peer: PeerID, _ cost: Retractions.Cost) {
    switch cost {
    case .eighth: commons.observe(.retracted, of: peer)
    case .full: commons.observe(.unretracted, of: peer)
    case .bar:
      commons.observe(.unretracted, of: peer)
      bar(peer, .unretracted)
    }
  }
}

extension Message {
  /// SHA-256 of its encoding: what proves that it was sent.
  var evidence: [UInt8] { ContentHash(of: wire).bytes }
}
