import GossipCore
import GossipSim
import Testing

@Suite struct `A swarm` {
  @Test func `draws the same scenario from the same seed, and lives it alike`() throws {
    for seed in [3, 11, 12] as [UInt64] {
      #expect(Swarm.summary(Swarm.scenario(seed: seed)) == Swarm.summary(Swarm.scenario(seed: seed)))
      let (first, again) = (try Swarm.scenario(seed: seed).run(), try Swarm.scenario(seed: seed).run())
      #expect(first.fingerprint == again.fingerprint)
    }
    #expect(Swarm.summary(Swarm.scenario(seed: 3)) != Swarm.summary(Swarm.scenario(seed: 4)))
  }

  @Test func `draws settings that can work`() throws {
    for seed in 0..<2_000 as Range<UInt64> { try Swarm.scenario(seed: seed).validate() }
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `finds nothing wrong`(seed: UInt64) throws {
    let scenario = Swarm.scenario(seed: seed)
    let faults = Swarm.faults(of: scenario, in: try scenario.run())
    #expect(faults.isEmpty, "gossip simulate --swarm --seed \(seed): \(faults.prefix(3))")
  }

  @Test func `takes notice when something is wrong`() throws {
    var scenario = Swarm.scenario(seed: 1)
    scenario.nodes = 4
    scenario.adversaries = []
    scenario.disturbances = []
    scenario.publishers = 1
    scenario.network.loss = 0
    scenario.policy = TopicPolicy()
    scenario.topology = .random(dials: 0)  // nobody hears anybody
    let faults = Swarm.faults(of: scenario, in: try scenario.run())
    #expect(faults.first?.hasPrefix("everyone") == true, "\(faults)")
  }
}
