import Foundation
import GossipCore
import GossipSim

/// The simulator: a whole scenario in a process of its own, its wall time, and how much faster than life it ran.
struct Simulation {
  private var scenario = Scenario()

  init(_ settings: Settings) {
    scenario.nodes = settings.number("nodes", 1_000)
    scenario.messages = settings.number("messages", 100)
    scenario.rate = Double(settings.number("rate", 10))
    scenario.size = settings.number("size", 1_024)
    scenario.seed = UInt64(settings.number("seed", 1))
    scenario.topology = .random(dials: settings.number("dials", 10))
    scenario.publishers = min(scenario.nodes, settings.number("publishers", 1))
  }

  func run() throws -> Line {
    let (cpu, start) = (Usage.now(), ContinuousClock.now)
    let report = try scenario.run()
    let wall = (ContinuousClock.now - start).inSeconds
    let used = Usage.now() - cpu
    var line = Line()
    line.add("mode", "simulate")
    line.add("n", report.nodes)
    line.add("m", report.published)
    line.add("size", scenario.size)
    line.add("wall_s", wall)
    line.add("cpu_s", used.total)
    line.add("simulated_s", report.simulated.inSeconds)
    line.add("simulated_per_real", report.simulated.inSeconds / wall)
    line.add("events", report.events)
    line.add("cpu_us_per_event", used.total * 1e6 / Double(report.events))
    line.add("lat_ms_p50", report.latency(0.5)?.inMilliseconds ?? .nan)
    line.add("lat_ms_p99", report.latency(0.99)?.inMilliseconds ?? .nan)
    line.add("dup_per_delivery", report.duplicatesPerDelivery)
    line.add("bytes_per_node", report.bytesPerNode)
    line.add("incomplete_deliveries", report.owed - report.delivered)
    line.add("violations", report.violations.count)
    line.add("fingerprint", report.fingerprint)
    line.add("rss_mib", Machine.peakMiB)
    line.add("loadavg", Machine.load)
    return line
  }
}
