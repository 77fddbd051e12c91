import GossipCore
import OrderedCollections

/// What happens to links and clocks from outside: partitions, clogs, clocks that run wrong.
extension World {
  /// Names a partition while it lasts.
  public struct Partition: Hashable, Sendable {
    fileprivate let bit: UInt64
  }

  /// Separates these participants from all others; at most 64 partitions at a time.
  ///
  /// - Parameter isOneWay: links stay up, and bring nothing more from these participants to the others, whose words
  ///   still reach them. Otherwise links are cut, and there are no new ones; they come back if the world redials.
  public mutating func separate(_ members: [Int], isOneWay: Bool = false) -> Partition? {
    guard let bit = (0..<64).map({ UInt64(1) << $0 }).first(where: { (cuts | stalls) & $0 == 0 }) else {
      return nil
    }
    for member in members { residents[member].side |= bit }
    if isOneWay {
      stalls |= bit
      setWeatherOfAll()
    } else {
      cuts |= bit
      for member in members {
        for other in Array(residents[member].outgoing.keys) where residents[other].side & bit == 0 {
          disconnect(member, other)
        }
      }
    }
    return Partition(bit: bit)
  }

  /// Ends a partition.
  public mutating func unite(_ partition: Partition) {
    for index in residents.indices { residents[index].side &= ~partition.bit }
    cuts &= ~partition.bit
    guard stalls & partition.bit != 0 else { return }
    stalls &= ~partition.bit
    setWeatherOfAll()
  }

  /// Lets all links of a participant carry only so many bytes per second, or as many as usual.
  public mutating func clog(_ index: Int, to bandwidth: Int?) {
    residents[index].bandwidth = max(1, bandwidth ?? .max)
    setWeatherOfAll()
  }

  /// From now on a participant's clock runs at `rate` of the world's, after a jump forward.
  public mutating func setClock(of index: Int, rate: Double, jump: Duration = .zero) {
    residents[index].clock = Clock(residents[index].clock.reading(at: now) + max(.zero, jump), at: now, rate)
    residents[index].wakeAt = nil
    scheduleWake(index)
  }

  private mutating func setWeatherOfAll() {
    for pipe in pipes.indices where pipes[pipe].isOpen {
      setWeather(of: pipe)
      pump(pipe)
    }
  }

  mutating func setWeather(of pipe: Int) {
    let (from, to) = (residents[pipes[pipe].from], residents[pipes[pipe].to])
    pipes[pipe].bandwidth = min(model.bandwidth, from.bandwidth, to.bandwidth)
    pipes[pipe].isStalled = from.side & ~to.side & stalls != 0
  }
}

/// What somebody's clock shows, as a function of the world's time: never backwards, perhaps faster or slower.
struct Clock: Sendable {
  private let reading: Instant
  private let anchor: Instant
  private let rate: Double

  /// A clock that is right.
  init() { (reading, anchor, rate) = (.zero, .zero, 1) }

  /// A clock that shows `reading` at `instant`, and runs at `rate` from there.
  init(_ reading: Instant, at instant: Instant, _ rate: Double) {
    (self.reading, anchor, self.rate) = (reading, instant, rate)
  }

  /// What it shows.
  func reading(at instant: Instant) -> Instant {
    if rate == 1 { return reading + (instant - anchor) }
    return reading + .nanoseconds(Int64(Double((instant - anchor).nanoseconds) * rate))
  }

  /// The first instant at which it shows `wanted` or more.
  func instant(of wanted: Instant) -> Instant {
    if rate == 1 { return anchor + (wanted - reading) }
    guard rate > 0, wanted < .distantFuture else { return wanted }
    var instant = anchor + .nanoseconds(Int64(min(9e18, Double((wanted - reading).nanoseconds) / rate)))
    while reading(at: instant) < wanted { instant = instant + .nanoseconds(1) }
    return instant
  }
}
