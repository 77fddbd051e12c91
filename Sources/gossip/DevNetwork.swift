import GossipCore
import GossipHost
import GossipLibp2p
import GossipSim
import Logging

/// The nodes of `gossip dev`.
final class DevNetwork: Sendable {
  let hosts: [Host]
  let statistics: DevStatistics
  /// Which of them attack.
  let troops: DevTroops
  private let addresses: DevAddresses
  let start = ContinuousClock.now
  private let topic: Topic
  let policy: TopicPolicy
  private let dials: Int

  init(_ options: Dev) async throws {
    let topic = Topic(options.topic)
    self.topic = topic
    policy = options.policy
    dials = options.dials
    guard let troops = options.troops else { throw Exit.badConfiguration }
    self.troops = troops
    let addresses = DevAddresses()
    self.addresses = addresses
    let identities = troops.roles.map { _ in Identity.random() }
    let honest = identities.prefix(troops.honest).map(\.peer)
    let memory = options.memory ? MemoryNetwork() : nil
    var hosts: [Host] = []
    for (index, role) in troops.roles.enumerated() {
      var configuration = HostConfiguration()
      configuration.identity = identities[index]
      configuration.reputation.mode = options.reputation
      configuration.logger = Logs.make(.error)
      if let memory {
        configuration.transport = .memory(memory)
      } else {
        configuration.listen = [try DevNetwork.address(options.port == 0 ? 0 : options.port + index)]
      }
      let mask = role.map { adversary in
        DevMask(
          adversary,
          Plot(
            topic: topic, policy: options.policy, honest: Array(honest),
            begins: .present + DevTroops.beginning(of: adversary)),
          identities[index], configuration.node, addresses, seed: UInt64(index + 1))
      }
      hosts.append(try DevNetwork.makeHost(configuration, mask))
    }
    self.hosts = hosts
    statistics = DevStatistics(nodes: hosts.count)
  }

  private static func makeHost(_ configuration: HostConfiguration, _ mask: DevMask?) throws -> Host {
    guard let mask else { return try Visitor.makeHost(configuration) }
    return try Host(configuration, interposing: mask)
  }

  private static func address(_ port: Int) throws -> Multiaddr { try Multiaddr("/ip4/127.0.0.1/tcp/\(port)") }

  /// Where others can join, without the node's id; nil without sockets.
  func firstAddress() async -> Multiaddr? {
    guard let address = try? await hosts.first?.listening().first, address.tcpEndpoint != nil else {
      return nil
    }
    return address.withoutPeer
  }

  /// Runs every host and a subscriber on each, until cancelled.
  func run() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, host) in hosts.enumerated() {
        group.addTask { try await host.run() }
        group.addTask { try await self.subscribe(index, host) }
      }
      try await group.waitForAll()
    }
  }

  private func subscribe(_ index: Int, _ host: Host) async throws {
    try await host.withSubscription(to: topic, policy, judge: troops.judge) { incoming in
      for await event in incoming {
        switch event {
        case .missed(let count): statistics.missed(count, at: index)
        case .message(let message, _):
          if let published = DevMessage.time(of: message.payload) {
            statistics.delivered(at: index, after: (ContinuousClock.now - start) - published)
          } else {
            let text = String(message.payload.text.prefix(60))
            statistics.deliveredFromOutside(text, by: message.author?.short ?? "somebody", at: index)
          }
        }
      }
    }
  }

  /// Links every node with its successor and some others at random, then waits until all see the topic's members.
  func connect() async throws {
    var addresses: [Multiaddr] = []
    for host in hosts {
      addresses.append(try await host.listening()[0])
      self.addresses.note(host.identity.peer, at: addresses[addresses.count - 1])
    }
    for (index, host) in hosts.enumerated() where hosts.count > 1 {
      var others = Set([(index + 1) % hosts.count])
      while others.count < min(dials, hosts.count - 1) { others.insert(Int.random(in: 0..<hosts.count)) }
      for other in others.sorted() where other != index { _ = try await host.connect(to: addresses[other]) }
    }
    guard hosts.count > 1 else { return }
    for host in hosts.prefix(troops.honest) {
      _ = try await host.waitForPeers(1, on: topic, within: .seconds(10))
    }
  }

  /// Publishes at a steady pace, each honest node in turn.
  func stream(rate: Double, size: Int) async throws {
    let pause = Duration.nanoseconds(Int64(1e9 / rate))
    var next = ContinuousClock.now
    var turn = 0
    while !Task.isCancelled, !statistics.isEnding {
      let index = turn % troops.honest
      let payload = DevMessage.make(size: size, at: .now, since: start)
      _ = try await hosts[index].publish(payload, to: topic)
      statistics.published(by: index)
      turn += 1
      next = max(next + pause, .now - .milliseconds(100))
      try await Task.sleep(until: next)
    }
  }
}
