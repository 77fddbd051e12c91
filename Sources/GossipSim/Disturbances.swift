import GossipCore

/// Something that goes wrong for a while; any number of them may, over any workload.
///
/// Written `loss:0.1@5s-20s`: what, how much, from when until when, counted from the first message on.
public struct Disturbance: Hashable, Sendable {
  /// What goes wrong. Nodes are drawn from the honest ones that do not publish, if there are any.
  public enum Kind: Hashable, Sendable {
    /// So many nodes die, and come back in the end, without their memory.
    case crash(Int)
    /// So many nodes die and come back at once.
    case restart(Int)
    /// This share of all participants has no link with the others.
    case partition(Double)
    /// Nothing that this share of all participants says reaches the others, while they hear everything.
    case oneWay(Double)
    /// This share of the copies of messages is lost.
    case loss(Double)
    /// The links of so many nodes carry 4,000 bytes a second, hardly what control words need.
    case clog(Int)
    /// The clocks of so many nodes jump a minute ahead and run at four fifths or five quarters of the speed.
    case skew(Int)
    /// So often another node dies, and comes back after two seconds.
    case churn(every: Duration)
    /// So many times as many messages are published.
    case load(Double)
  }

  /// What goes wrong.
  public var kind: Kind
  /// From when, counted from the first message on.
  public var from: Duration
  /// Until when.
  public var until: Duration

  /// Made of its parts.
  public init(_ kind: Kind, from: Duration = .zero, until: Duration) {
    (self.kind, self.from, self.until) = (kind, from, until)
  }

  func validate() throws(ConfigurationError) {
    let isPossible =
      switch kind {
      case .crash(let count), .restart(let count), .clog(let count), .skew(let count): count >= 0
      case .partition(let share), .oneWay(let share), .loss(let share): (0...1).contains(share)
      case .churn(let interval): interval >= .milliseconds(10)
      case .load(let factor): factor > 0 && factor <= 1e6
      }
    guard isPossible, from >= .zero, until >= from, until < .seconds(1e9) else {
      throw ConfigurationError(
        "disturb", expected: "a number that makes sense and a beginning before its end", found: "\(self)")
    }
  }
}

extension Disturbance: LosslessStringConvertible {
  /// As it is read.
  public var description: String {
    let what =
      switch kind {
      case .crash(let count): "crash:\(count)"
      case .restart(let count): "restart:\(count)"
      case .partition(let share): "partition:\(share)"
      case .oneWay(let share): "one-way:\(share)"
      case .loss(let share): "loss:\(share)"
      case .clog(let count): "clog:\(count)"
      case .skew(let count): "skew:\(count)"
      case .churn(let interval): "churn:\(Disturbance.text(interval))"
      case .load(let factor): "load:\(factor)"
      }
    return "\(what)@\(Disturbance.text(from))-\(Disturbance.text(until))"
  }

  /// Reads `loss:0.1@5s-20s`; nil if it is nothing of the kind.
  public init?(_ text: String) {
    let parts = text.split(separator: "@")
    guard parts.count == 2 else { return nil }
    let (what, span) = (parts[0].split(separator: ":"), parts[1].split(separator: "-"))
    guard what.count == 2, span.count == 2, let from = Disturbance.duration(span[0]),
      let until = Disturbance.duration(span[1])
    else { return nil }
    let (count, share) = (Int(what[1]), Double(what[1]))
    let kind: Kind? =
      switch what[0] {
      case "crash": count.map(Kind.crash)
      case "restart": count.map(Kind.restart)
      case "partition": share.map(Kind.partition)
      case "one-way": share.map(Kind.oneWay)
      case "loss": share.map(Kind.loss)
      case "clog": count.map(Kind.clog)
      case "skew": count.map(Kind.skew)
      case "churn": Disturbance.duration(what[1]).map { .churn(every: $0) }
      case "load": share.map(Kind.load)
      default: nil
      }
    guard let kind else { return nil }
    self.init(kind, from: from, until: until)
  }

  private static func text(_ duration: Duration) -> String {
    let milliseconds = duration.nanoseconds / 1_000_000
    return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
  }

  /// `500ms`, `20s`, `10m`, `24h`; without a unit, seconds.
  private static func duration(_ text: Substring) -> Duration? {
    let units: [(String, Double)] = [("ms", 1), ("s", 1e3), ("m", 60e3), ("h", 3_600e3)]
    let unit = units.first { text.hasSuffix($0.0) }
    guard let number = Double(text.dropLast(unit?.0.count ?? 0)), (0..<1e9).contains(number) else {
      return nil
    }
    return .milliseconds(Int64(number * (unit?.1 ?? 1e3)))
  }
}

/// Begins and ends the disturbances of one scenario, each in its time.
struct Turbulence {
  private enum Change: Sendable { case begin, end, churn }

  private var pending: [(at: Instant, disturbance: Int, change: Change)] = []
  private let disturbances: [Disturbance]
  private let begun: Instant
  private var victims: [[Int]]
  private var partitions: [World.Partition?]
  private var active: [Bool]
  /// Churned nodes that are to come back.
  private var away: [(at: Instant, node: Int)] = []
  private let candidates: [Int]
  private let revive: (inout World, Int) -> Void

  /// - Parameters:
  ///   - begun: the beginning that all times are counted from.
  ///   - candidates: nodes that may be hit.
  ///   - revive: gives a dead node a new life.
  init(
    _ disturbances: [Disturbance], begun: Instant, candidates: [Int],
    _ revive: @escaping (inout World, Int) -> Void
  ) {
    self.disturbances = disturbances
    self.begun = begun
    self.candidates = candidates
    self.revive = revive
    victims = Array(repeating: [], count: disturbances.count)
    partitions = Array(repeating: nil, count: disturbances.count)
    active = Array(repeating: false, count: disturbances.count)
    for (index, disturbance) in disturbances.enumerated() {
      pending.append((begun + disturbance.from, index, .begin))
      pending.append((begun + disturbance.until, index, .end))
    }
  }

  /// When something changes next.
  var deadline: Instant? { (pending.map(\.at) + away.map(\.at)).min() }

  /// How much more is published now.
  var load: Double {
    var load = 1.0
    for (index, disturbance) in disturbances.enumerated() where active[index] {
      if case .load(let factor) = disturbance.kind { load *= factor }
    }
    return load
  }

  /// Does what is due.
  mutating func change(_ world: inout World, _ dice: inout WorldDice) {
    let now = world.now
    for entry in away where entry.at <= now { revive(&world, entry.node) }
    away.removeAll { $0.at <= now }
    let due = pending.filter { $0.at <= now }
    pending.removeAll { $0.at <= now }
    for (at, index, change) in due {
      switch change {
      case .begin: begin(index, at, &world, &dice)
      case .end: end(index, &world)
      case .churn: churn(index, at, &world, &dice)
      }
    }
  }

  /// The weather clears: whatever goes on ends.
  mutating func clear(_ world: inout World) {
    for entry in away { revive(&world, entry.node) }
    away = []
    pending = []
    for index in disturbances.indices where active[index] { end(index, &world) }
  }

  private mutating func begin(_ index: Int, _ at: Instant, _ world: inout World, _ dice: inout WorldDice) {
    active[index] = true
    let kind = disturbances[index].kind
    switch kind {
    case .crash(let count):
      victims[index] = draw(count, world, &dice)
      for victim in victims[index] { world.crash(victim) }
    case .restart(let count):
      for victim in draw(count, world, &dice) {
        world.crash(victim)
        revive(&world, victim)
      }
    case .partition(let share), .oneWay(let share):
      let members = Array(0..<world.count).shuffled(using: &dice).prefix(Int(Double(world.count) * share))
      var isOneWay = false
      if case .oneWay = kind { isOneWay = true }
      partitions[index] = world.separate(Array(members), isOneWay: isOneWay)
    case .clog(let count):
      victims[index] = draw(count, world, &dice)
      for victim in victims[index] { world.clog(victim, to: 4_000) }
    case .skew(let count):
      victims[index] = draw(count, world, &dice)
      for victim in victims[index] {
        world.setClock(of: victim, rate: Bool.random(using: &dice) ? 0.8 : 1.25, jump: .seconds(60))
      }
    case .churn: churn(index, at, &world, &dice)
    case .loss, .load: break
    }
    setLoss(&world)
  }

  private mutating func end(_ index: Int, _ world: inout World) {
    active[index] = false
    switch disturbances[index].kind {
    case .crash: for victim in victims[index] { revive(&world, victim) }
    case .partition, .oneWay: if let partition = partitions[index] { world.unite(partition) }
    case .clog: for victim in victims[index] { world.clog(victim, to: nil) }
    case .skew: for victim in victims[index] { world.setClock(of: victim, rate: 1) }
    case .restart, .churn, .loss, .load: break
    }
    (victims[index], partitions[index]) = ([], nil)
    setLoss(&world)
  }

  private mutating func churn(_ index: Int, _ at: Instant, _ world: inout World, _ dice: inout WorldDice) {
    guard active[index], case .churn(let interval) = disturbances[index].kind else { return }
    for victim in draw(1, world, &dice) {
      world.crash(victim)
      away.append((at + .seconds(2), victim))
    }
    pending.append((at + interval, index, .churn))
  }

  private func draw(_ count: Int, _ world: World, _ dice: inout WorldDice) -> [Int] {
    Array(candidates.filter { world.isAlive($0) }.shuffled(using: &dice).prefix(count))
  }

  private func setLoss(_ world: inout World) {
    world.loss = disturbances.indices.reduce(world.model.loss) { loss, index in
      guard active[index], case .loss(let share) = disturbances[index].kind else { return loss }
      return max(loss, share)
    }
  }
}
