/// Many alarms inside, one deadline outside.
///
/// Alarms ring in the order of their instants; equal instants ring in the order they were set. They cannot be
/// taken back: whoever is rung looks whether it still matters.
struct Alarms: Sendable {
  private var timers = Timers<Alarm>()

  var count: Int { timers.count }

  /// The earliest alarm's instant.
  var deadline: Instant? { timers.first?.at }

  /// - Complexity: O(log n).
  mutating func ring(_ alarm: Alarm, at instant: Instant) { timers.set(alarm, at: instant) }

  /// The next alarm that is due, with the instant it was meant for.
  mutating func due(at now: Instant) -> (alarm: Alarm, at: Instant)? {
    timers.due(at: now).map { ($0.subject, $0.at) }
  }
}

/// Something a node wants to be reminded of.
public enum Alarm: Hashable, Sendable {
  /// Somebody over its budget may be read again.
  case reading
  /// The application's reports are to be looked at.
  case reports
  /// A bar may have ended.
  case bars
  /// The time to take something back is over.
  case retractions
  /// GossipSub's heartbeat.
  case heartbeat
  /// Copies GossipSub held back are due.
  case stagger
  /// The oldest promise of a wanted message is due.
  case promise
  /// An inquiry's patience ends.
  case inquiry(UInt64)
  /// Requests may have waited as long as their askers do.
  case requests
  /// Messages may have waited too long for what they depend on.
  case awaiting
  /// Of one manner; what the number means is its own affair.
  case own(Manner, UInt64)
}
