import OrderedCollections

/// Resending on new links: each new member is asked to tell again what it holds, and then now and then.
///
/// Our filter travels along, so that it can leave out what no longer interests us. The answer is offers (`have`);
/// what we lack we want, as always, and the node serves wants. A member answers at most once per `resendPause` and
/// peer; the first request of a new link is always answered.
///
/// Source: the Internet Computer's retransmission requests: on each new connection, then every 60 s. There the pause
/// begins when a peer is added, so that its first request may be refused; here it begins with the first answer.
extension AntiEntropy {
  /// What one topic knows of requests and answers.
  struct Resending: Sendable {
    /// Whom we answered when.
    var answered: OrderedDictionary<PeerID, Instant> = [:]
    /// How many ids those we asked may offer.
    var allowance: OrderedDictionary<PeerID, Int> = [:]

    var entries: Int { answered.count + allowance.count }

    mutating func forget(_ peer: PeerID) {
      answered[peer] = nil
      allowance[peer] = nil
    }
  }

  mutating func askToResend(_ topic: Topic, _ peer: PeerID, _ commons: inout Commons) {
    topics[topic]?.resending.allowance[peer] = parameters.resendLength
    let filter = commons.policy(of: topic)?.meaning.filter?() ?? []
    // One that is too long leaves nothing out.
    let fits = filter.count <= AntiEntropyParameters.filterSizeMax
    commons.say(.resend(topic, filter: fits ? filter : []), to: peer)
  }

  mutating func heardOffer(_ topic: Topic, _ ids: [MessageID], from peer: PeerID, _ commons: inout Commons) {
    guard let allowance = topics[topic]?.resending.allowance[peer] else { return }
    let offered = ids.prefix(allowance)
    topics[topic]?.resending.allowance[peer] = allowance - offered.count
    let wanted = OrderedSet(offered).filter { !commons.hasMet($0) && commons.want($0, heldBy: peer) }
    if !wanted.isEmpty { commons.say(.want(Array(wanted)), to: peer) }
  }

  mutating func resend(_ topic: Topic, _ filter: [UInt8], to peer: PeerID, _ commons: inout Commons) {
    guard topics[topic] != nil, commons.isMember(peer, of: topic) else { return }
    if let last = topics[topic]?.resending.answered[peer], commons.now - last < parameters.resendPause {
      return  // it may have asked because its link failed for a moment: no blame
    }
    let held = commons.store.held(on: topic, for: peer)
    guard !held.isEmpty else { return }
    topics[topic]?.resending.answered[peer] = commons.now
    let passes = commons.policy(of: topic)?.meaning.passes
    let ids = held.filter { id in
      guard let passes, let message = commons.store.message(id) else { return true }
      return passes(filter, message.head)
    }
    if !ids.isEmpty { commons.say(.have(topic, ids.suffix(parameters.resendLength)), to: peer) }
  }
}
