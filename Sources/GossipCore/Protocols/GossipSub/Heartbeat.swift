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
      keepSize(of: topic, &commons)
      keepOutbound(of: topic, &commons)
      offer(topic, besides: mesh.members(of: topic).filter { lacking[$0] == nil }, &commons)
    }
    keepFanout(&commons)
    commons.store.shift()
  }

  /// Too few partners: graft up to D. Too many: keep D of them, D_out outbound ones among these.
  private mutating func keepSize(of topic: Topic, _ commons: inout Commons) {
    let members = mesh.members(of: topic)
    if members.count < parameters.degreeLow {
      graftCandidates(parameters.degree - members.count, to: topic, &commons)
    } else if members.count >= parameters.degreeHigh, members.count > parameters.degree {
      let shuffled = commons.random.sample(members.count, of: Array(members))
      let outbound = shuffled.filter { commons.peers.isOutbound($0) }.prefix(parameters.degreeOutbound)
      let others = shuffled.filter { !outbound.contains($0) }
      let kept = outbound + others.prefix(parameters.degree - outbound.count)
      for peer in shuffled where !kept.contains(peer) { prune(peer, from: topic, &commons) }
    }
  }

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
      fanout.topUp(
        topic, degree: parameters.degree, members: commons.members(of: topic), &commons.random)
      offer(topic, besides: fanout.peers(of: topic), &commons)
    }
  }
}
