import OrderedCollections

/// The lazy half of GossipSub: offers to peers outside the mesh, wants for what others offer, and IDONTWANT.
///
/// Source: libp2p `gossipsub-v1.0.md` "Gossip emission", `gossipsub-v1.1.md` "Spam protection",
/// `gossipsub-v1.2.md` IDONTWANT.
extension GossipSub {
  /// Offers the recent messages of a topic to some members outside `partners`.
  ///
  /// Targets = max(D_lazy, ⌊factor · n⌋) of the n members outside, chosen anew at each heartbeat.
  mutating func offer(_ topic: Topic, besides partners: [PeerID], _ commons: inout Commons) {
    let ids = commons.store.recent(topic, windows: parameters.historyGossip)
    guard !ids.isEmpty else { return }
    let outside = commons.members(of: topic, atLeast: .gossipOnly).filter { !partners.contains($0) }
    let count = max(parameters.degreeLazy, Int(parameters.gossipFactor * Double(outside.count)))
    // When there are more than fit, each peer hears of others, so that together they hear of all; who hears of which
    // is drawn anew each time.
    let (length, isTooLong) = (parameters.offerLength, ids.count > parameters.offerLength)
    let turn = isTooLong ? Int.random(in: 0..<ids.count, using: &commons.random) : 0
    // Partners are outside only because messages for them were dropped: they are offered in any case.
    let dropped = outside.filter { lacking[$0] != nil && mesh.contains($0, on: topic) }
    let targets = dropped + commons.random.sample(count, of: outside.filter { !dropped.contains($0) })
    for (number, peer) in targets.enumerated() {
      let start = isTooLong ? (turn + number * ids.count / targets.count) % ids.count : 0
      let part = ids[start...].prefix(length)
      let offered = isTooLong ? Array(part + ids[..<(length - part.count)]) : ids
      commons.say(.have(topic, offered), to: peer)
    }
  }

  /// Asks for what we lack, within the peer's budget for this heartbeat.
  mutating func hearOffers(
    _ offers: OrderedDictionary<Topic, [MessageID]>, from peer: PeerID, _ commons: inout Commons
  ) {
    var allowance = thisHeartbeat[peer, default: Allowance()]
    allowance.offers += 1
    defer { thisHeartbeat[peer] = allowance }
    guard allowance.offers <= parameters.offersPerHeartbeat, allowance.asked < parameters.offerLength else {
      return commons.observe(.flooded, of: peer)
    }
    var fresh = OrderedSet<MessageID>()
    for (topic, ids) in offers where mesh.isJoined(topic) {
      for id in ids.prefix(parameters.offerLength) {
        commons.reach.extend(id, to: peer, surfacing: &commons.surfaced)
        if !commons.hasMet(id) { fresh.append(id) }
      }
    }
    let asked = commons.random.sample(parameters.offerLength - allowance.asked, of: Array(fresh))
    let wanted = asked.filter { commons.want($0, heldBy: peer) }
    allowance.asked += asked.count
    if !wanted.isEmpty { commons.say(.want(wanted), to: peer) }
  }

  // MARK: IDONTWANT

  /// Tells v1.2 partners, before the message is examined, that they need not send it as well.
  func declineCopies(of id: MessageID, _ message: WireMessage, from source: PeerID, _ commons: inout Commons)
  {
    guard message.payload.count >= parameters.dontWantSize else { return }
    for peer in mesh.members(of: message.topic) where peer != source { decline(id, to: peer, &commons) }
  }

  /// The same for our own message, ahead of its payload.
  func declineCopiesOfOwn(_ message: Message, _ commons: inout Commons) {
    guard message.payload.count >= parameters.dontWantSize else { return }
    for peer in mesh.members(of: message.topic) { decline(message.id, to: peer, &commons) }
  }

  /// Only v1.2 knows the word.
  private func decline(_ id: MessageID, to peer: PeerID, _ commons: inout Commons) {
    guard commons.version(with: peer) == "/meshsub/1.2.0" else { return }
    commons.say(.dontWant([id]), to: peer)
    commons.counters.dontWantsSent += 1
  }

  mutating func hearDontWant(_ ids: [MessageID], from peer: PeerID, _ commons: inout Commons) {
    thisHeartbeat[peer, default: Allowance()].dontWants += 1
    guard thisHeartbeat[peer]!.dontWants <= parameters.dontWantsPerHeartbeat else {
      return commons.observe(.flooded, of: peer)
    }
    commons.counters.dontWantsReceived += 1
    let until = commons.now + parameters.heartbeatInterval * parameters.dontWantHeartbeats
    for id in ids.prefix(parameters.dontWantLength) {
      commons.unwanted.note(id, by: peer, until: until)
      stagger.echoed(id, by: peer, at: commons.now)
      commons.reach.extend(id, to: peer, surfacing: &commons.surfaced)
    }
  }
}
