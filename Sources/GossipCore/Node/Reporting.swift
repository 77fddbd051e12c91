/// What the application says of peers, and what of all this outlives a restart.
extension Node {
  // MARK: Reports

  /// The application has something against a peer, connected or not.
  mutating func report(_ peer: PeerID, _ misbehaviour: Misbehaviour, _ amount: Int) {
    guard peer != me, configuration.reputation.mode != .off else { return }
    commons.reputation.reports.report(peer, amount: amount, at: commons.now)
    let points = commons.reputation.reports.points(of: peer, at: commons.now)
    commons.notice(.reported(peer, misbehaviour, points: points))
    watchReports()
  }

  private mutating func watchReports() {
    let deadline = commons.reputation.reports.deadline(at: commons.now)
    if let instant = commons.reportsAlarm.set(for: deadline) { commons.ring(.reports, at: instant) }
  }

  /// A heartbeat after a report: who has too much against it is cut off.
  mutating func lookAtReports() {
    guard commons.reportsAlarm.rings(at: commons.now) else { return }
    for cutOff in commons.reputation.reports.beat(at: commons.now) {
      bar(cutOff.peer, .reports, for: cutOff.duration)
    }
  }

  // MARK: Over a restart

  /// What is known of peers' conduct, as plain values that outlive a restart.
  /// - Parameter wallClock: seconds since 1970, now.
  public func scores(wallClock: Int64) -> [ScoreRecord] {
    commons.reputation.kept(at: commons.now, wallClock: wallClock)
  }

  /// Takes in what was known of peers before a restart.
  mutating func recall(_ records: [ScoreRecord], wallClock: Int64) {
    commons.reputation.restore(records.filter { $0.peer != me }, at: commons.now, wallClock: wallClock)
  }
}
