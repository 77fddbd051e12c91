import Foundation
import GossipHost
import GossipLibp2p

/// What a connection costs while nothing is said: hosts in one process, each linked with each, both ends counted.
///
/// Some links first, so that what is allocated once per host is there already; then the rest. The resident memory
/// gained between the two states, after things have settled, divided by the links gained.
struct Idle {
  private let hosts: Int

  init(_ settings: Settings) { hosts = max(3, settings.number("hosts", 32)) }

  func run() async throws -> Line {
    var all: [Host] = []
    for _ in 0..<hosts {
      var configuration = HostConfiguration()
      configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
      all.append(try Host(configuration))
    }
    return try await withThrowingTaskGroup(of: Void.self) { [all] group in
      for host in all { group.addTask { try await host.run() } }
      var addresses: [Multiaddr] = []
      for host in all { addresses.append(try await host.listening()[0]) }
      for dialer in all.indices { _ = try await all[dialer].connect(to: addresses[(dialer + 1) % hosts]) }
      try await settle()
      let (before, linksBefore) = (Machine.residentKiB, await links(of: all))
      for dialer in all.indices {
        for other in all.indices.dropFirst(dialer + 2) where (other + 1) % hosts != dialer {
          _ = try await all[dialer].connect(to: addresses[other])
        }
      }
      try await settle()
      let (after, cpu) = (Machine.residentKiB, Usage.now())
      let gained = await links(of: all) - linksBefore
      try await Task.sleep(for: .seconds(2))
      let idling = (Usage.now() - cpu).total / 2
      Machine.trim()
      var line = Line()
      line.add("mode", "idle")
      line.add("n", hosts)
      line.add("connections", gained)
      line.add("kib_per_connection", (after - before) / Double(gained))
      line.add("kib_per_connection_trimmed", (Machine.residentKiB - before) / Double(gained))
      line.add("idle_cpu_percent", idling * 100)
      line.add("rss_mib", Machine.peakMiB)
      line.add("loadavg", Machine.load)
      group.cancelAll()
      return line
    }
  }

  /// Identify has been exchanged and buffers of the upgrade are given back.
  private func settle() async throws { try await Task.sleep(for: .seconds(2)) }

  private func links(of hosts: [Host]) async -> Int {
    var ends = 0
    for host in hosts { ends += await host.snapshot.peers.count }
    return ends / 2
  }
}
