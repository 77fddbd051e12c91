import OrderedCollections

/// Digests: four words between an asker and each of a few random members.
///
///     asker                          member
///       hello(topic, nonce)      →
///                                ←   digest(nonce, what it holds, newest first)
///       fetch(nonce, what we lack)→     (`digestWait` after the hellos)
///                                ←   the messages
///
/// The asker picks one random owner for each message, so that the load is shared; whoever answers after
/// `digestWait` is not waited for. What is not there `responseWait` after the fetch is left to the next round.
///
/// Source: Fabric's pull engine, `gossip/gossip/algo/pull.go`.
extension AntiEntropy {
  /// A question of ours that is open.
  struct Greeting: Sendable {
    let topic: Topic
    let peer: PeerID
    /// Ids of its digest so far.
    var heard = 0
  }

  /// A question we answered.
  struct Visit: Sendable {
    let topic: Topic
    let nonce: UInt64
    let until: Instant
    /// How many messages it may still fetch.
    var left: Int
  }

  /// One round of a topic.
  struct Round: Sendable {
    /// Whom we greeted, with which nonce.
    var greeted: [(peer: PeerID, nonce: UInt64)] = []
    /// What we lack and who has it, in the order of the digests.
    var owners: OrderedDictionary<MessageID, [PeerID]> = [:]
    /// What we asked of whom.
    var fetched: [MessageID: PeerID] = [:]
    let choosesAt: Instant
    /// When nothing is accepted any more; nil while digests are.
    var endsAt: Instant?
  }

  // MARK: Asking

  mutating func greet(_ members: [PeerID], on topic: Topic, _ commons: inout Commons) {
    close(topic)
    var round = Round(choosesAt: commons.now + parameters.digestWait)
    for peer in commons.random.sample(parameters.peers, of: members) {
      var nonce = commons.random.next()
      while greetings[nonce] != nil { nonce = commons.random.next() }
      greetings[nonce] = Greeting(topic: topic, peer: peer)
      round.greeted.append((peer, nonce))
      commons.say(.hello(topic, nonce: nonce), to: peer)
    }
    topics[topic]?.round = round
    remind(.choice, of: topic, after: parameters.digestWait, &commons)
  }

  /// A digest may come in several words. Nonces we did not send to this peer mean nothing.
  mutating func heardDigest(_ ids: [MessageID], _ nonce: UInt64, from peer: PeerID, _ commons: inout Commons)
  {
    guard let greeting = greetings[nonce], greeting.peer == peer,
      topics[greeting.topic]?.round?.endsAt == nil
    else { return }
    let news = ids.prefix(parameters.digestLength - greeting.heard)
    greetings[nonce]!.heard += news.count
    for id in news where !commons.hasMet(id) {
      if topics[greeting.topic]?.round?.owners[id]?.contains(peer) == true { continue }
      topics[greeting.topic]?.round?.owners[id, default: []].append(peer)
    }
  }

  /// From now on digests come too late.
  mutating func chooseOwners(_ topic: Topic, _ commons: inout Commons) {
    guard var round = topics[topic]?.round, round.endsAt == nil, round.choosesAt <= commons.now else {
      return
    }
    var fetches = OrderedDictionary<PeerID, [MessageID]>()
    // What is too much for who is slow is left to others, and to the next rounds.
    let most = Dictionary(
      uniqueKeysWithValues: OrderedSet(round.greeted.map(\.peer)).map {
        ($0, min(parameters.fetchLength, commons.fitting($0)))
      })
    for (id, owners) in round.owners where !commons.hasMet(id) {
      let able = commons.reliable(
        owners.filter {
          commons.isMember($0, of: topic) && (fetches[$0]?.count ?? 0) < most[$0] ?? parameters.fetchLength
        })
      guard let owner = able.randomElement(using: &commons.random) else { continue }
      fetches[owner, default: []].append(id)
      round.fetched[id] = owner
    }
    guard !fetches.isEmpty else { return close(topic) }
    for (peer, nonce) in round.greeted {
      if let ids = fetches[peer] { commons.say(.fetch(nonce: nonce, ids), to: peer) }
    }
    round.owners = [:]
    round.endsAt = commons.now + parameters.responseWait
    topics[topic]?.round = round
    remind(.close, of: topic, after: parameters.responseWait, &commons)
  }

  func isOver(_ topic: Topic, _ commons: Commons) -> Bool {
    topics[topic]?.round?.endsAt.map { $0 <= commons.now } ?? false
  }

  mutating func closeWhenOver(_ topic: Topic, _ commons: Commons) {
    if isOver(topic, commons) { close(topic) }
  }

  /// Nothing of a round outlives it.
  mutating func close(_ topic: Topic) {
    for (_, nonce) in topics[topic]?.round?.greeted ?? [] { greetings[nonce] = nil }
    topics[topic]?.round = nil
  }

  // MARK: Being asked

  /// One question per topic at a time: an honest asker's rounds are longer than `requestWait`.
  mutating func visited(by peer: PeerID, _ topic: Topic, _ nonce: UInt64, _ commons: inout Commons) {
    guard topics[topic] != nil, commons.isMember(peer, of: topic) else { return }
    visits[peer, default: []].removeAll { $0.until <= commons.now }
    guard visits[peer]?.contains(where: { $0.topic == topic }) == false else {
      return commons.observe(.flooded, of: peer)
    }
    let ids = Array(commons.store.held(on: topic, for: peer).suffix(parameters.digestLength).reversed())
    guard !ids.isEmpty else { return }
    visits[peer, default: []].append(
      Visit(topic: topic, nonce: nonce, until: commons.now + parameters.requestWait, left: ids.count))
    commons.say(.digest(nonce: nonce, ids), to: peer)
  }

  /// Only to whom we answered, only while we remember it, and only what we still hold.
  mutating func serve(_ ids: [MessageID], _ nonce: UInt64, to peer: PeerID, _ commons: inout Commons) {
    guard let place = visits[peer]?.firstIndex(where: { $0.nonce == nonce && $0.until > commons.now }),
      var visit = visits[peer]?[place]
    else { return }
    for id in OrderedSet(ids).prefix(visit.left) where commons.store.message(id)?.topic == visit.topic {
      commons.give(id, to: peer)
      visit.left -= 1
    }
    visits[peer]?[place] = visit
  }
}
