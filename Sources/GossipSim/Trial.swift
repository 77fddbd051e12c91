import GossipCore

/// The life of one scenario: the network forms, messages are published while things go wrong, the weather clears, and
/// what was owed is counted.
struct Trial {
  private let scenario: Scenario
  private var world: World
  private var dice: WorldDice
  private var policy: TopicPolicy
  private var turbulence: Turbulence
  private var inspectedAt = Instant.zero
  private var judgedAt = Instant.zero
  private var published = 0

  /// How often standings are looked at.
  private static let judging = Duration.seconds(10)
  /// How long after the weather has cleared nodes have to find one another.
  private static let calm = Duration.seconds(5)

  init(_ scenario: Scenario) {
    self.scenario = scenario
    policy = scenario.policy
    if scenario.chains || scenario.adversaries.contains(where: { $0.count > 0 && $0.adversary.needsJudge }) {
      policy.isJudged = true
    }
    world = World(scenario.network, seed: scenario.seed)
    world.judge = Judging.verdict
    world.checkers = Checkers(scenario.configuration)
    world.eventsMax = scenario.eventsMax
    if scenario.isHard { world.redialAfter = .seconds(1) }
    dice = WorldDice(seed: scenario.seed ^ 0x5cea_4a10)
    turbulence = Turbulence([], begun: .zero, candidates: []) { _, _ in }
  }

  /// Lives it.
  mutating func live(_ progress: (Double) -> Void) -> Report {
    populate()
    run(for: scenario.warmUp)
    joinLate()
    let before = world.meter
    beginDisturbances()
    publishStream(progress)
    // While it lasts: afterwards what was seen of an attack fades.
    if scenario.isHard {
      let worth = world.worth(scenario.standing)
      world.checkers?.isolation(worth)
    }
    run(until: disturbancesEnd)
    turbulence.clear(&world)
    let clearing = world.now
    if scenario.isHard { publishAfter() }
    let tally = wait(clearing: clearing)
    progress(1)
    if scenario.isHard { inspect() }
    conclude()
    return Report(scenario, world, tally, since: before)
  }

  // MARK: Who takes part

  private var honest: Int { scenario.honest }
  private var duration: Duration { .nanoseconds(Int64(Double(scenario.messages) * 1e9 / scenario.rate)) }

  private func plot(_ adversary: Adversary) -> Plot {
    let covert: Duration = adversary == .covertFlash ? scenario.warmUp + duration / 2 : .zero
    return Plot(
      topic: scenario.topic, policy: policy, honest: (0..<honest).map(Notional.peer),
      victim: Notional.peer(0), begins: .zero + covert)
  }

  private mutating func populate() {
    for _ in 0..<honest { world.add(scenario.configuration) }
    for troop in scenario.adversaries where !troop.adversary.comesLate {
      for _ in 0..<troop.count { world.add(troop.adversary, plot(troop.adversary), scenario.configuration) }
    }
    for index in 0..<world.count { world.tell(index, .subscribe(scenario.topic, policy)) }
    for (a, b) in scenario.topology.links(among: world.count, &dice) { world.connect(a, b) }
  }

  /// Some of the hostile come to a network that stands.
  private mutating func joinLate() {
    for troop in scenario.adversaries where troop.adversary.comesLate {
      for _ in 0..<troop.count {
        let index = world.add(troop.adversary, plot(troop.adversary), scenario.configuration)
        world.tell(index, .subscribe(scenario.topic, policy))
        for other in (0..<honest).shuffled(using: &dice).prefix(10) { world.connect(index, other) }
      }
    }
  }

  // MARK: What goes wrong

  private mutating func beginDisturbances() {
    let publishers = scenario.publishers
    let candidates = publishers < honest ? Array(publishers..<honest) : Array(0..<honest)
    let (topic, policy) = (scenario.topic, policy)
    turbulence = Turbulence(scenario.disturbances, begun: world.now, candidates: candidates) { world, node in
      guard !world.isAlive(node) else { return }
      world.restart(node)
      world.tell(node, .subscribe(topic, policy))
    }
    turbulence.change(&world, &dice)
  }

  private var disturbancesEnd: Instant {
    let last = scenario.disturbances.map(\.until).max() ?? .zero
    return max(world.now, .zero + scenario.warmUp + last)
  }

  /// Lives on, with disturbances and a look at all nodes each second in their time.
  private mutating func run(until end: Instant) {
    while true {
      var next = min(end, turbulence.deadline ?? .distantFuture)
      if scenario.isHard { next = min(next, inspectedAt + .seconds(1)) }
      world.run(until: max(next, world.now))
      if let deadline = turbulence.deadline, deadline <= world.now { turbulence.change(&world, &dice) }
      if scenario.isHard, inspectedAt + .seconds(1) <= world.now { inspect() }
      if world.now >= end { return }
    }
  }

  private mutating func run(for span: Duration) { run(until: world.now + span) }

  private mutating func inspect() {
    inspectedAt = world.now
    for index in 0..<honest {
      if let sizes = world.node(index)?.sizes { world.checkers?.held(sizes, by: index) }
    }
    // What nodes tell of themselves is heard at once; this is in case they should not.
    if judgedAt + Trial.judging <= world.now { inspectStandings() }
  }

  private mutating func inspectStandings() {
    judgedAt = world.now
    let injustice = world.injustice(scenario.standing)
    world.checkers?.injustice(injustice)
  }

  // MARK: The stream

  private mutating func publishStream(_ progress: (Double) -> Void) {
    let victims = Array((scenario.publishers..<honest).shuffled(using: &dice).prefix(scenario.crashes))
    for number in 0..<scenario.messages {
      if number == scenario.messages / 2 { for victim in victims { world.crash(victim) } }
      if scenario.restarts { revive(victims, after: number) }
      publish()
      run(for: .nanoseconds(Int64(1e9 / (scenario.rate * turbulence.load))))
      if number % 64 == 0 { progress(Double(number) / Double(scenario.messages)) }
    }
  }

  /// Two simulated seconds after the crash, at the latest with half of the rest to go, the victims come back, linked
  /// anew.
  private mutating func revive(_ victims: [Int], after number: Int) {
    let half = scenario.messages / 2
    let pause = min(Int(scenario.rate * 2), (scenario.messages - half) / 2)
    guard number == half + pause else { return }
    for victim in victims {
      world.restart(victim)
      world.tell(victim, .subscribe(scenario.topic, policy))
      let others = (0..<honest).filter { $0 != victim }.shuffled(using: &dice)
      for other in others.prefix(4) { world.connect(victim, other) }
    }
  }

  /// The next message, by the next publisher that lives.
  private mutating func publish() {
    defer { published += 1 }
    let turn = published % scenario.publishers
    let publishers = Array(turn..<scenario.publishers) + Array(0..<turn)
    guard let publisher = publishers.first(where: { world.isAlive($0) }) else { return }
    var payload = Payload(scenario.payload(published))
    if scenario.chains, let id = world.publicationOrder.last(where: { world.has($0, publisher) }) {
      payload = Judging.payload(awaiting: id, Array(payload.bytes))
    }
    world.publish(payload, to: scenario.topic, by: publisher, policy: policy)
  }

  /// Under a clear sky; the hostile are still there.
  private mutating func publishAfter() {
    run(for: Trial.calm)
    for _ in 0..<scenario.messagesAfter {
      publish()
      run(for: .nanoseconds(Int64(1e9 / scenario.rate)))
    }
  }

  private mutating func wait(clearing: Instant) -> Tally {
    if scenario.isHard { run(for: .milliseconds(100)) }  // so that the last one has its name
    var tally = Tally(world, clearing: clearing)
    tally.count(world)
    let end = world.now + scenario.patience
    while !tally.isComplete, world.now < end {
      run(for: .milliseconds(100))
      tally.count(world)
    }
    return tally
  }

  private mutating func conclude() {
    world.checkers?.rest(after: world.events, atMost: scenario.eventsMax)
    guard scenario.isHard else { return }
    inspectStandings()
    let copies = Report.copies(in: world)
    if let most = scenario.copiesMax { world.checkers?.cost(copies, atMost: most) }
  }
}
