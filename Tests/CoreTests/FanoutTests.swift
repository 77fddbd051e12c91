import Testing

@testable import GossipCore

/// An epoch of so many members, whose beacon is made of one byte.
private func epoch(_ members: Int, beacon: UInt8 = 1, number: UInt64 = 1) -> Epoch {
  do {
    return try Epoch(
      number: number, roster: (1...members).map { Epoch.Member(peer($0)) },
      beacon: [UInt8](repeating: beacon, count: 32))
  } catch { preconditionFailure("\(error)") }
}

@Suite struct `The size of fanout sets` {
  static let table: [(nodes: Int, picks: [Int])] = [
    (10, [4, 4, 4, 4]), (20, [5, 7, 7, 7]), (50, [6, 9, 12, 14]), (100, [7, 10, 13, 16]),
    (200, [7, 11, 14, 18]), (500, [8, 11, 15, 19]), (1_000, [8, 12, 16, 20]), (5_000, [9, 13, 17, 21]),
    (10_000, [9, 13, 17, 21]),
  ]

  // BT-17
  @Test(arguments: table) func `is what the table says`(nodes: Int, picks: [Int]) {
    let found = [1e-3, 1e-6, 1e-9, 1e-12].map { FanoutSize.leastPicks(nodes: nodes, failure: $0) }
    #expect(found == picks)
  }

  // BT-17
  @Test func `is 13 for a hundred nodes unless said otherwise`() {
    #expect(FanoutSize.picks(nodes: 100, failure: DigestFirstParameters().failure) == 13)
  }

  // BT-28
  @Test func `below 13 nodes is everybody`() {
    for nodes in 1...12 { #expect(FanoutSize.picks(nodes: nodes, failure: 1e-9) == nodes - 1) }
    #expect(FanoutSize.picks(nodes: 13, failure: 1e-3) < 12)
    #expect(FanoutSize.picks(nodes: 0, failure: 1e-9) == 0)
  }

  @Test func `follows from the expected number of isolated nodes`() {
    func close(_ value: Double, _ to: Double) -> Bool { abs(value / to - 1) < 1e-3 }
    #expect(close(FanoutSize.isolation(nodes: 100, picks: 6), 1.0690e-3))
    #expect(close(FanoutSize.isolation(nodes: 100, picks: 3), 0.30581))
    #expect(FanoutSize.isolation(nodes: 100, picks: 34) == 0, "more picks than can be faulty")
    #expect(FanoutSize.isolation(nodes: 100, picks: 0) == 67)
    #expect(FanoutSize.isolation(nodes: 100, picks: 1, byzantine: 0) == 0)
    #expect(FanoutSize.isolation(nodes: 1, picks: 1) == 0)
    // Never larger with more picks.
    for nodes in [13, 40, 1_000] {
      let values = (1..<nodes).map { FanoutSize.isolation(nodes: nodes, picks: $0) }
      #expect(zip(values, values.dropFirst()).allSatisfy { $0.0 >= $0.1 })
    }
  }

  @Test func `gives a mean degree and a bound on it`() {
    #expect(abs(FanoutSize.meanDegree(nodes: 100, picks: 13) - (26 - 169.0 / 99)) < 1e-9)
    #expect(abs(FanoutSize.degreeBound(picks: 16) - 44) < 1e-9)
  }
}

@Suite struct `The fanout sets of an epoch` {
  // BT-15
  @Test func `are the same for everybody, and symmetric`() {
    var (mine, yours) = (FanoutSets(of: epoch(60)), FanoutSets(of: epoch(60)))
    yours.complete()  // computed in another order
    let everybody = (1...60).map(peer)
    for a in everybody {
      let (own, picks, others) = (mine.arePartners(a, a), mine.picks(of: a), yours.picks(of: a))
      #expect(!own && picks == others && Set(picks).count == mine.picksPerNode)
      for b in everybody {
        let (here, there) = (mine.arePartners(a, b), yours.arePartners(b, a))
        let picked = mine.hasPicked(a, b) || mine.hasPicked(b, a)
        #expect(here == there && here == picked)
      }
    }
    let (partners, filtered) = (
      mine.partners(of: peer(7)), everybody.filter { mine.arePartners(peer(7), $0) }
    )
    #expect(partners == filtered)
  }

  // BT-16
  @Test func `differ with the beacon and with the class`() {
    let (epochs, k) = ([epoch(100), epoch(100, beacon: 2)], 13.0)
    var sets = epochs.map { FanoutSets(of: $0) } + [FanoutSets(of: epochs[0], for: "votes")]
    for index in sets.indices { sets[index].complete() }
    for other in 1...2 {
      let common = (1...100).reduce(0) {
        $0 + Set(sets[0].picks(of: peer($1))).intersection(sets[other].picks(of: peer($1))).count
      }
      // Two draws of k among N − 1 have k² / (N − 1) in common.
      #expect(abs(Double(common) / 100 - k * k / 99) < 0.4, "\(common)")
    }
  }

  // BT-15
  @Test func `take N − 1 hashes for each node asked about, once`() {
    var sets = FanoutSets(of: epoch(100))
    #expect(sets.cost(of: peer(1)) == 99)
    _ = sets.picks(of: peer(1))
    _ = sets.arePartners(peer(1), peer(2))
    _ = sets.arePartners(peer(2), peer(1))
    #expect(sets.ranked == 2 * 99 && sets.cost(of: peer(1)) == 0)
    let (picks, isPartner) = (sets.picks(of: peer(101)), sets.arePartners(peer(1), peer(101)))
    #expect(picks.isEmpty && !isPartner, "a stranger")
    var prepared = epoch(100)
    prepared.prepare()
    #expect(prepared.sets(for: .any, failure: 1e-9).cost(of: peer(50)) == 0)
    #expect(prepared.sets(for: .any, failure: 1e-6).cost(of: peer(50)) == 99, "of other sets")
  }

  @Test func `follow the hash as it is defined`() throws {
    // Another writing of the rule: all ranks, sorted.
    var sets = FanoutSets(of: epoch(30), for: "c")
    let me = peer(3)
    let prefix = Array("swift-gossip/fanout/v1".utf8) + [UInt8](repeating: 1, count: 32) + [1, 0x63]
    let ranked = (1...30).map(peer).filter { $0 != me }
      .map { (rank: sha256(prefix + me.bytes + $0.bytes), peer: $0) }
      .sorted { $0.rank.lexicographicallyPrecedes($1.rank) }
    let picks = sets.picks(of: me)
    #expect(picks == ranked.prefix(sets.picksPerNode).map(\.peer))
  }

  // BT-20: the model below picks as these sets do.
  @Test func `have the degrees of random picks`() {
    var degrees: [Int] = []
    for beacon in 1...5 as ClosedRange<UInt8> {
      var sets = FanoutSets(of: epoch(100, beacon: beacon))
      sets.complete()
      degrees += (1...100).map { sets.partners(of: peer($0)).count }
    }
    let mean = Double(degrees.reduce(0, +)) / Double(degrees.count)
    #expect(abs(mean - FanoutSize.meanDegree(nodes: 100, picks: 13)) < 0.3, "mean \(mean)")
    let deviation = degrees.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    // Being picked is binomial: √(86 · 13/99 · 86/99) ≈ 3.1.
    #expect(abs((deviation / 500).squareRoot() - 3.1) < 0.5)
    #expect(degrees.count { Double($0) > FanoutSize.degreeBound(picks: 13) } <= 3)
  }

  // BT-11, BT-56
  @Test func `hold only those able to verify the class`() throws {
    let roster = (1...40).map {
      Epoch.Member(peer($0), verifies: $0 <= 20 ? ["blocks", "votes"] : ["votes"])
    }
    let epoch = try Epoch(number: 1, roster: roster, beacon: [UInt8](repeating: 9, count: 32))
    var (blocks, votes) = (FanoutSets(of: epoch, for: "blocks"), FanoutSets(of: epoch, for: "votes"))
    #expect(blocks.nodes == 20 && votes.nodes == 40 && FanoutSets(of: epoch).nodes == 0)
    let (none, some) = (blocks.picks(of: peer(30)), votes.picks(of: peer(30)))
    #expect(none.isEmpty && !blocks.contains(peer(30)) && !some.isEmpty)
    let partners = (1...20).flatMap { blocks.partners(of: peer($0)) }
    #expect(!partners.isEmpty && partners.allSatisfy { $0 <= peer(20) })
  }

  // BT-28
  @Test func `of ten nodes are a full mesh, and take no hashes`() {
    var sets = FanoutSets(of: epoch(10))
    let partners = sets.partners(of: peer(3))
    #expect(sets.isFullMesh && partners == (1...10).filter { $0 != 3 }.map(peer))
    #expect(sets.ranked == 0)
  }

  @Test func `need a roster without repeats and a beacon of 32 bytes`() {
    #expect(throws: ConfigurationError.self) {
      try Epoch(number: 1, roster: [.init(peer(1)), .init(peer(2)), .init(peer(1))])
    }
    #expect(throws: ConfigurationError.self) {
      try Epoch(number: 1, roster: [.init(peer(1))], beacon: [1, 2, 3])
    }
  }
}

/// Everybody picks k others at random; the last f of the nodes drop everything.
private struct Picked {
  /// Whom each honest node can speak to, one bit each.
  var honest: [(UInt64, UInt64)]

  init(nodes: Int, picks: Int, faulty: Int, _ random: inout some RandomNumberGenerator) {
    honest = Array(repeating: (0, 0), count: nodes - faulty)
    for a in 0..<nodes {
      var chosen: (UInt64, UInt64) = (0, 0)
      var count = 0
      while count < picks {
        let b = Int(truncatingIfNeeded: random.next() % UInt64(nodes))
        guard b != a, !Picked.has(chosen, b) else { continue }
        Picked.set(&chosen, b)
        count += 1
        guard a < honest.count, b < honest.count else { continue }
        Picked.set(&honest[a], b)
        Picked.set(&honest[b], a)
      }
    }
  }

  static func has(_ set: (UInt64, UInt64), _ place: Int) -> Bool {
    (place < 64 ? set.0 >> UInt64(place) : set.1 >> UInt64(place - 64)) & 1 == 1
  }
  static func set(_ set: inout (UInt64, UInt64), _ place: Int) {
    if place < 64 { set.0 |= 1 << UInt64(place) } else { set.1 |= 1 << UInt64(place - 64) }
  }

  /// Hops until all honest nodes have what the first one has; nil if some never get it.
  var hops: Int? {
    var (met, fresh, hops): ((UInt64, UInt64), (UInt64, UInt64), Int) = ((1, 0), (1, 0), 0)
    while fresh != (0, 0) {
      var next: (UInt64, UInt64) = (0, 0)
      for place in honest.indices where Picked.has(fresh, place) {
        next.0 |= honest[place].0
        next.1 |= honest[place].1
      }
      fresh = (next.0 & ~met.0, next.1 & ~met.1)
      met = (met.0 | next.0, met.1 | next.1)
      if fresh != (0, 0) { hops += 1 }
    }
    return met.0.nonzeroBitCount + met.1.nonzeroBitCount == honest.count ? hops : nil
  }
}

@Suite struct `With a third of the nodes silent, honest nodes` {
  private func cutOff(picks: Int, trials: Int, seed: UInt64) -> (share: Double, hops: Double) {
    var random = Dice(seed)
    var (cut, hops) = (0, 0)
    for _ in 0..<trials {
      let found = Picked(nodes: 100, picks: picks, faulty: 33, &random).hops
      if let found { hops += found } else { cut += 1 }
    }
    return (Double(cut) / Double(trials), Double(hops) / Double(trials - cut))
  }

  // BT-20
  @Test(arguments: [(3, 0.22...0.31), (4, 0.032...0.058), (5, 0.003...0.011)])
  func `are cut off as often as the formula says`(picks: Int, band: ClosedRange<Double>) {
    let found = cutOff(picks: picks, trials: 2_000, seed: 7)
    #expect(band.contains(found.share), "k = \(picks): \(found.share)")
  }

  // BT-20, BB-4
  @Test func `with six picks are cut off in 3 to 16 of 10,000 epochs, and else reached in about 3 hops`() {
    let found = cutOff(picks: 6, trials: 10_000, seed: 11)
    #expect((0.0003...0.0016).contains(found.share), "\(found.share)")
    #expect(abs(found.hops - 3.2) <= 0.4, "\(found.hops)")
  }

  // BT-22: where each node has one honest partner, only drawing anew helps.
  @Test func `of whom each has only one partner are reached as partners change, not in one epoch`() {
    for seed in 1...10 as ClosedRange<UInt64> {
      var random = Dice(seed)
      var (met, epochs): (Set<Int>, Int) = ([0], 0)
      while met.count < 64 {
        let order = Array(0..<64).shuffled(using: &random)
        for pair in stride(from: 0, to: 64, by: 2) {
          if met.contains(order[pair]) || met.contains(order[pair + 1]) {
            met.formUnion([order[pair], order[pair + 1]])
          }
        }
        epochs += 1
      }
      #expect((2...16).contains(epochs), "seed \(seed): \(epochs)")
    }
  }
}
