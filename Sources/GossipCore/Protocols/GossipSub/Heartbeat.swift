import OrderedCollections

/// The heartbeat: once a second the mesh is brought back to its size, offers are made, and counters start anew.
///
/// Source: libp2p `gossipsub-v1.0.md` "Heartbeat", `gossipsub-v1.1.md` "Outbound mesh quotas".
extension GossipSub {
  /// Every this many heartbeats ended backoffs are cleared away.
  private static let backoffSweep: UInt64 = 15

  /// A random phase keeps nodes that start together from beating together.
  mutating func scheduleFirstHeartbeat(_ commons: inout Commons) {
    let span = parameters.heartbeatDelay.nanoseconds
    commons.ring(.heartbeat, after: .nanoseconds(Int64.random(in: 1...span, using: &commons.random)))
  }

  /// Beats are counted from the instant they were due, so that the period holds under load; beats that were
  /// missed are left out, so that they do not pile up.
  private func scheduleNext(after due: Instant, _ commons: inout Commons) {
    let late = commons.now - due
    if late > parameters.heartbeatInterval / 10 { commons.notice(.lateHeartbeat(by: late)) }
    let interval = parameters.heartbeatInterval.nanoseconds
    let missed = late.nanoseconds / interval
    commons.ring(.heartbeat, at: due + .nanoseconds(interval * (missed + 1)))
  }

  mutating func beat(_ due: Instant, _ commons: inout Commons) {
    ticks += 1
    commons.counters.heartbeats += 1
    scheduleNext(after: due, &commons)
    thisHeartbeat.removeAll(keepingCapacity: true)
    lacking.removeAll { $0.value < ticks }
    commons.unwanted.sweep(at: commons.now)
    stagger.forget(before: commons.now - Stagger.lagRange.upperBound * 4)
    let slack = parameters.heartbeatInterval * parameters.backoffSlack
    if ticks % GossipSub.backoffSweep == 0 {
      mesh.clearBackoffs(endedBefore: commons.now - slack)
    }
    for topic in Array(mesh.topics.keys) {
      for peer in mesh.members(of: topic) where !commons.isWelcome(peer) {
        prune(peer, from: topic, &commons)
      }
      keepSize(of: topic, &commons)
      keepOutbound(of: topic, &commons)
      graftBetter(on: topic, &commons)
      offer(topic, besides: mesh.members(of: topic).filter { lacking[$0] == nil }, &commons)
    }
    keepFanout(&commons)
    commons.store.shift()
  }

  /// Too few partners: graft up to D. Too many: keep D of them, the D_score best and D_out outbound ones among these.
  private mutating func keepSize(of topic: Topic, _ commons: inout Commons) {
    let members = mesh.members(of: topic)
    if members.count < parameters.degreeLow {
      graftCandidates(parameters.degree - members.count, to: topic, &commons)
    } else if members.count >= parameters.degreeHigh, members.count > parameters.degree {
      let kept = survivors(commons.random.sample(members.count, of: Array(members)), commons)
      for peer in members where !kept.contains(peer) { prune(peer, from: topic, &commons) }
    }
  }

  /// D of these: the best, then as they come; where too few of them are outbound, others give way to those.
  func survivors(_ shuffled: [PeerID], _ commons: Commons) -> [PeerID] {
    let merits = shuffled.map { commons.reputation.merit(of: $0) }
    // Equal ones stay in their random order.
    let ranks = shuffled.indices.sorted { a, b in merits[a] != merits[b] ? merits[a] > merits[b] : a < b }
    let best = ranks.prefix(min(parameters.degreeScore, parameters.degree))
    let order =
      best.map { shuffled[$0] } + shuffled.indices.filter { !best.contains($0) }.map { shuffled[$0] }
    var kept = Array(order.prefix(parameters.degree))
    let missing = parameters.degreeOutbound - kept.count { commons.peers.isOutbound($0) }
    let spare = order.dropFirst(parameters.degree).filter { commons.peers.isOutbound($0) }
    for peer in spare.prefix(max(0, missing)) {
      guard let last = kept.lastIndex(where: { !commons.peers.isOutbound($0) }) else { break }
      kept.remove(at: last)
      kept.insert(peer, at: 0)
    }
    return kept
  }

  /// A mesh of poor partners would never change by itself: now and then better peers are grafted.
  ///
  /// Poor is a median below the threshold; of an even number of scores the higher one in the middle counts.
  private mutating func graftBetter(on topic: Topic, _ commons: inout Commons) {
    let interval = UInt64(parameters.opportunisticGraftTicks)
    let members = mesh.members(of: topic)
    guard interval > 0, ticks % interval == 0, members.count > 1 else { return }
    let reputation = commons.reputation
    let median = GossipSub.median(members.map { reputation.merit(of: $0) })
    guard median < reputation.parameters.thresholds.opportunisticGraft else { return }
    graftCandidates(parameters.opportunisticGraftPeers, to: topic, &commons) {
      reputation.merit(of: $0) > median
    }
  }

  /// The one in the middle, or the higher one of two.
  static func median(_ scores: [Double]) -> Double { scores.isEmpty ? 0 : scores.sorted()[scores.count / 2] }

  /// Partners that dialed us may all be one attacker: some must be of our own choosing, even above D.
  private mutating func keepOutbound(of topic: Topic, _ commons: inout Commons) {
    let members = mesh.members(of: topic)
    guard members.count >= parameters.degreeLow else { return }
    let outbound = members.count { commons.peers.isOutbound($0) }
    guard outbound < parameters.degreeOutbound else { return }
    let peers = commons.peers
    graftCandidates(parameters.degreeOutbound - outbound, to: topic, &commons) { peers.isOutbound($0) }
  }

  private mutating func keepFanout(_ commons: inout Commons) {
    fanout.expire(publishedBefore: commons.now - parameters.fanoutFor)
    for topic in fanout.all {
      let members = published(on: topic, commons)
      fanout.keep(topic) { members.contains($0) }
      fanout.topUp(topic, degree: parameters.degree, members: members, &commons.random)
      offer(topic, besides: fanout.peers(of: topic), &commons)
    }
  }
}
