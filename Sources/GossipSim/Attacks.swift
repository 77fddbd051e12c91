public import GossipCore

/// Every adversary against every manner of spreading, with defences and without: one table, and what it must show.
public struct Attacks: Sendable {
  /// A way to configure honest nodes.
  public struct Defence: Sendable {
    /// What the table calls it.
    public let name: String
    let apply: @Sendable (inout Configuration) -> Void

    /// Made of its parts.
    public init(_ name: String, _ apply: @escaping @Sendable (inout Configuration) -> Void) {
      (self.name, self.apply) = (name, apply)
    }
  }

  /// The network and the workload; `Attacks.usual` unless changed.
  public var scenario: Scenario
  /// The hostile share of the nodes.
  public var share = 1.0 / 3
  /// Who attacks; nil is nobody, for comparison.
  public var adversaries: [Adversary?] = [nil] + Adversary.allCases.map(Optional.some)
  /// What is attacked.
  public var manners = Manner.spreading.filter { $0 != .direct }
  /// What honest nodes do against it.
  public var defences = Attacks.allDefences
  /// One run each.
  public var seeds: [UInt64]

  /// Without scores and bars, and with them as they are by default.
  public static let allDefences = [
    Defence("off") { $0.reputation.mode = .off },
    Defence("on") {
      $0.reputation.mode = .acting
      $0.duplicates = DuplicateFilterParameters()
    },
  ]

  /// Every adversary against every manner.
  public init(_ scenario: Scenario = Attacks.usual, seeds: [UInt64] = [1]) {
    self.scenario = scenario
    self.seeds = seeds
  }

  /// Sixty nodes, ten publishers, ten messages of 2 KB a second for ten seconds, then ten more; the healer compares
  /// digests every second. Tables are small, so that whoever fills them is seen to. Push and infection reach for as many
  /// as docs/choosing.md recommends where a third may be hostile.
  public static var usual: Scenario {
    var scenario = Scenario()
    scenario.nodes = 60
    scenario.publishers = 10
    scenario.size = 2_048
    scenario.patience = .seconds(90)
    scenario.policy.heal = .digests(every: .seconds(1))
    scenario.policy.retention = .during(.seconds(180))
    scenario.configuration.push.fanout = Bounds.fanout[.push]!
    scenario.configuration.infection.infectionTarget = Bounds.fanout[.infection]!
    scenario.configuration.limits.seenMax = 16_384
    scenario.configuration.limits.storeCountMax = 8_192
    scenario.configuration.limits.storeSizeMax = 16 << 20
    scenario.configuration.limits.wantsMax = 4_096
    scenario.configuration.limits.checksOpen = 1_024
    scenario.configuration.antiEntropy.digestWait = .milliseconds(250)
    scenario.configuration.antiEntropy.requestWait = .milliseconds(500)
    scenario.configuration.antiEntropy.responseWait = .milliseconds(750)
    scenario.configuration.limits.awaitingMax = 256
    scenario.configuration.limits.awaitingFor = .seconds(6)
    scenario.configuration.limits.needPatience = .seconds(2)
    scenario.configuration.limits.needsMax = 1_024
    return scenario
  }

  /// One adversary against one manner, over all seeds.
  public struct Row: Sendable {
    /// Who attacked; nil is nobody.
    public let adversary: Adversary?
    /// How the topic was spread.
    public let manner: Manner
    /// What honest nodes did against it.
    public let defence: String
    /// Whether push and infection reach for as many as is recommended.
    let isWide: Bool
    /// One per seed.
    public let reports: [Report]

    private func mean(_ figure: (Report) -> Double) -> Double {
      reports.reduce(0) { $0 + figure($1) } / Double(max(1, reports.count))
    }

    /// Share of the early deliveries within five seconds, of the worst seed.
    public var prompt: Double { reports.map(\.promptness).min() ?? 1 }
    /// Share of everything owed that came in the end, of the worst seed.
    public var complete: Double { reports.map(\.coverage).min() ?? 1 }
    /// The latency that `share` of the deliveries are at or below, in milliseconds.
    public func latency(_ share: Double) -> Double { mean { $0.latency(share)?.inMilliseconds ?? 0 } }
    /// Copies per delivery that the honest gave one another.
    public var copies: Double { mean(\.copies) }
    /// Copies per delivery that the hostile gave them.
    public var hostileCopies: Double { mean(\.hostileCopies) }
    /// Deliveries that were not the first of a message.
    public var repeated: Double { mean { Double($0.repeated) } }
    /// Bytes an honest node sent.
    public var sent: Double { mean { Double($0.sent.mean) } }
    /// Bytes an honest node received.
    public var received: Double { mean { Double($0.received.mean) } }
    /// The most bytes of messages that an honest node held.
    public var held: Double { reports.map { Double($0.peak.storedBytes) }.max() ?? 0 }
    /// Share of the hostile that some honest node has something against.
    public var accused: Double {
      mean { $0.hostile == 0 ? 0 : Double($0.accused.hostile) / Double($0.hostile) }
    }
    /// The honest that some honest node has something against.
    public var wronged: Double { mean { Double($0.accused.honest) } }

    /// What honest nodes have against honest ones.
    public var reasons: [String] {
      reports.flatMap(\.accused.reasons).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// What does not hold although it must.
    public var faults: [String] {
      let bounds = Bounds(adversary, manner, isWide: isWide)
      var faults = reports.flatMap { report in
        report.findings.filter { $0.checker.isSafety && !bounds.conceded.contains($0.checker) }
          .map { "seed \(report.seed): \($0)" }
      }
      for report in reports {
        let seed = "seed \(report.seed): "
        if report.coverage < bounds.complete {
          faults.append(
            seed
              + "\(Attacks.percent(report.coverage)) came in the end, not \(Attacks.percent(bounds.complete))"
          )
        }
        if report.promptness < bounds.prompt {
          faults.append(
            seed + "\(Attacks.percent(report.promptness)) came in time, not \(Attacks.percent(bounds.prompt))"
          )
        }
        if report.copies > bounds.copies {
          faults.append(seed + "\(Report.rounded(report.copies)) copies per delivery, not \(bounds.copies)")
        }
        for finding in report.findings
        where finding.checker == .isolated && adversary?.isObservable(in: manner) == true && defence != "off"
        {
          faults.append(seed + finding.description)
        }
      }
      return faults
    }
  }

  /// Runs everything.
  /// - Parameters:
  ///   - progress: told after each run how much is done, 0…1.
  ///   - row: told of each row as soon as it is there.
  /// - Throws: `ConfigurationError` for the first setting that cannot work.
  public func run(
    _ progress: (Double) -> Void = { _ in }, row: (Row) -> Void = { _ in }
  ) throws(ConfigurationError) -> [Row] {
    let pairs = manners.flatMap { manner in
      adversaries.filter { $0?.attacks(manner) ?? true }.map { (manner, $0) }
    }
    var rows: [Row] = []
    var done = 0.0
    let count = Double(pairs.count * defences.count * seeds.count)
    for (manner, adversary) in pairs {
      for defence in defences {
        var reports: [Report] = []
        for seed in seeds {
          reports.append(try attack(adversary, manner, defence, seed).run())
          done += 1
          progress(done / count)
        }
        rows.append(
          Row(
            adversary: adversary, manner: manner, defence: defence.name, isWide: isWide(manner),
            reports: reports))
        row(rows[rows.count - 1])
      }
    }
    return rows
  }

  private func isWide(_ manner: Manner) -> Bool {
    let fanout =
      manner == .push ? scenario.configuration.push.fanout : scenario.configuration.infection.infectionTarget
    return fanout >= Bounds.fanout[manner] ?? 0
  }

  /// One run of the table.
  func attack(_ adversary: Adversary?, _ manner: Manner, _ defence: Defence, _ seed: UInt64) -> Scenario {
    var scenario = scenario
    scenario.seed = seed
    scenario.policy.spread = manner
    defence.apply(&scenario.configuration)
    let hostile = Int(Double(scenario.nodes) * share)
    guard let adversary else {
      scenario.nodes -= hostile
      scenario.disturbances.append(Disturbance(.load(1), until: .zero))  // two phases here, too
      return scenario
    }
    scenario.adversaries = [Scenario.Troop(adversary, hostile)]
    scenario.chains = adversary == .withholder
    if adversary == .replayer {
      // Short enough to be over within the run.
      scenario.configuration.limits.seenFor = .seconds(6)
      scenario.policy.retention = .during(.seconds(5))
    }
    return scenario
  }

  static func percent(_ share: Double) -> String {
    "\(Report.rounded((share * 10_000).rounded(.down) / 100)) %"
  }
}

extension Attacks {
  /// What must hold in a row.
  struct Bounds {
    /// Of everything owed, what must have come in the end.
    var complete = 1.0
    /// Of the early deliveries, what must have come within five seconds.
    var prompt = 0.99
    /// Copies per delivery, among the honest.
    var copies: Double
    /// What is not kept, and the table says so.
    var conceded: Set<Checkers.Checker> = []

    init(_ adversary: Adversary?, _ manner: Manner, isWide: Bool) {
      // Beyond the memory of ids stands a filter that more than two peers together overrule; only numbers that have to
      // rise (`wantsRisingSequences`) end it, and those lose what comes late.
      if adversary == .replayer { conceded = [.once] }
      copies =
        switch manner {
        case .gossipSub: 6  // no more than the mesh's degree
        case .push: isWide ? 6.5 : 3.5  // its fanout, and what the healer brings
        default: 1.5  // bodies come only when asked for
        }
      guard let adversary else { return }
      if !isWide || Bounds.fanout[manner] == nil { prompt = Bounds.late[manner]?[adversary] ?? prompt }
    }

    /// How many push and infection should reach for where a third may be hostile. Three, as their originals do, are too
    /// few there.
    static let fanout: [Manner: Int] = [.push: 6, .infection: 5]

    /// Where an attack costs time although everything comes in the end: the share that still comes within five
    /// seconds, less a margin.
    private static let late: [Manner: [Adversary: Double]] = [
      // A burst goes to three random members once. Where more than a third of one's links are hostile it often dies out
      // among them, and waits for the healer.
      .push: [.coldBoot: 0.92, .colocatedCrowd: 0.97, .spammer: 0.98, .withholder: 0.985],
      // Offers stop when three were infected, or seem to be: the hostile do, or keep silent for ten seconds. And who
      // never gives offers first: one after the other is asked in vain.
      .infection: [
        .coldBoot: 0.92, .promiseBreaker: 0.96, .spammer: 0.97, .colocatedCrowd: 0.98, .craver: 0.98,
        .silent: 0.98, .slowReader: 0.98,
      ],
      .advert: [.promiseBreaker: 0.98],
      .digestFirst: [.promiseBreaker: 0.98],
    ]
  }

  /// What the columns of `cells` are called.
  public static let columns = [
    "adversary", "spread", "defence", "in 5 s", "in the end", "p50 ms", "p99 ms", "copies", "+ hostile",
    "twice", "sent/node",
    "received/node", "held", "accused", "wronged",
  ]
}

extension Attacks.Row {
  /// The row as text, one cell per column.
  public var cells: [String] {
    func whole(_ number: Double) -> String { "\(Int(number.rounded()))" }
    func kilobytes(_ count: Double) -> String { whole(count / 1e3) + " kB" }
    return [
      adversary?.rawValue ?? "nobody", "\(manner)", defence, Attacks.percent(prompt),
      Attacks.percent(complete),
      whole(latency(0.5)), whole(latency(0.99)), Report.rounded(copies), Report.rounded(hostileCopies),
      whole(repeated), kilobytes(sent), kilobytes(received),
      kilobytes(held), adversary == nil ? "–" : whole(accused * 100) + " %",
      ([whole(wronged)] + reasons).joined(separator: " "),
    ]
  }

  /// As one JSON object; keys in a fixed order.
  public var json: String {
    let fields: [(String, String)] = [
      ("adversary", adversary.map { "\"\($0.rawValue)\"" } ?? "null"), ("spread", "\"\(manner)\""),
      ("defence", "\"\(defence)\""), ("seeds", "\(reports.count)"), ("prompt", "\(prompt)"),
      ("complete", "\(complete)"), ("lat_ms_p50", Report.rounded(latency(0.5))),
      ("lat_ms_p99", Report.rounded(latency(0.99))), ("copies_per_delivery", Report.rounded(copies)),
      ("hostile_copies_per_delivery", Report.rounded(hostileCopies)), ("repeated", Report.rounded(repeated)),
      ("sent_per_node", "\(Int(sent))"), ("received_per_node", "\(Int(received))"),
      ("held_bytes", "\(Int(held))"),
      ("accused_share", Report.rounded(accused)), ("wronged", Report.rounded(wronged)),
      ("faults", "\(faults.count)"),
    ]
    return "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }
}
