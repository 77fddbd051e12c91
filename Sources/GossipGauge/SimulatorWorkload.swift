/// A small simulated network that spreads messages; counted per event of the world.

import GossipCore
import GossipSim

extension Workload {
  /// Thirty nodes, five dials each; a round is one signed message of 1 KiB and a tenth of a simulated second.
  static let simulator = Workload("simulator-event", rounds: 50) { rounds in
    var world = World(seed: 1)
    var dice = WorldDice(seed: 2)
    let nodes = 30
    for _ in 0..<nodes { world.add() }
    for index in 0..<nodes { world.tell(index, .subscribe(Sample.topic, TopicPolicy())) }
    for (a, b) in Topology.random(dials: 5).links(among: nodes, &dice) { world.connect(a, b) }
    world.run(for: .seconds(3))
    let before = world.events
    for round in 0..<rounds {
      world.publish(Sample.payload(round), to: Sample.topic, by: round % nodes)
      world.run(for: .milliseconds(100))
    }
    precondition(world.publications.count == rounds, "\(world.publications.count) published of \(rounds)")
    return world.events - before
  }
}
