import GossipCore

/// Who is owed which message, and what came of it.
///
/// A message is owed to every honest node but its publisher that lives to the end and had been on the topic for a
/// while when it was published; unless the publisher died later, perhaps with the message on its lips.
struct Tally {
  /// How long a node must have been there.
  static let settling = Duration.seconds(5)
  /// What counts as prompt.
  static let promptness = Duration.seconds(5)

  /// Deliveries owed and done, of all messages and of those published before the weather cleared, and how many of the
  /// latter were prompt.
  private(set) var owed = 0
  private(set) var delivered = 0
  private(set) var owedEarly = 0
  private(set) var prompt = 0
  private(set) var latencies: [Duration] = []

  private let clearing: Instant
  /// By message number: 1 owed, 0 not; a delivery makes it 0.
  private var open: [Int: [Bool]] = [:]  // looked up only
  private let births: [Instant?]
  private var read = 0

  /// Everything that was published so far.
  init(_ world: World, clearing: Instant) {
    self.clearing = clearing
    births = (0..<world.count).map { index in
      world.isAlive(index) && !world.isHostile(index) ? world.birth(of: index) : nil
    }
    for id in world.publicationOrder {
      guard let published = world.publications[id] else { continue }
      let count = births.indices.count { isOwed(published, to: $0) }
      owed += count
      if published.at < clearing { owedEarly += count }
    }
  }

  private func isOwed(_ published: World.Publishing, to index: Int) -> Bool {
    guard index != published.participant, let birth = births[index],
      let publisher = births[published.participant], publisher <= published.at
    else { return false }
    return birth == .zero || birth + Tally.settling <= published.at
  }

  /// Takes in the deliveries since the last time.
  mutating func count(_ world: World) {
    for delivery in world.deliveries[read...] {
      let (number, index) = (Int(delivery.number), delivery.participant)
      guard let published = world.publications[world.messages[number]], index < births.count,
        isOwed(published, to: index), delivery.at >= births[index]!
      else { continue }
      if open[number] == nil { open[number] = births.indices.map { isOwed(published, to: $0) } }
      guard open[number]![index] else { continue }
      open[number]![index] = false
      delivered += 1
      let latency = delivery.at - published.at
      latencies.append(latency)
      if published.at < clearing, latency <= Tally.promptness { prompt += 1 }
    }
    read = world.deliveries.count
  }

  /// What did not come, in words, the first ten.
  func missing(in world: World) -> [String] {
    guard !isComplete else { return [] }
    var met: [MessageID: [Bool]] = [:]  // looked up only
    for delivery in world.deliveries where delivery.participant < births.count {
      guard let birth = births[delivery.participant], delivery.at >= birth else { continue }
      met[world.messages[Int(delivery.number)], default: births.map { _ in false }][delivery.participant] =
        true
    }
    var missing: [String] = []
    for (number, id) in world.publicationOrder.enumerated() {
      guard let published = world.publications[id] else { continue }
      for index in births.indices where isOwed(published, to: index) && met[id]?[index] != true {
        missing.append(
          "message \(number) of node \(published.participant), at \(Report.rounded((published.at - .zero).inSeconds))"
            + " s, did not reach node \(index)")
        if missing.count == 10 { return missing }
      }
    }
    return missing
  }

  var isComplete: Bool { delivered >= owed }
}
