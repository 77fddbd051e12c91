import Foundation
import GossipGauge

/// The fixed small workloads of GossipGauge: one for an instruction counter, or all of them timed.
///
///     bench micro                     all, timed
///     bench micro NAME                one, timed
///     bench micro NAME rounds=N       one run of N rounds, untimed: for callgrind, see Scripts/instructions
///     bench micro list                name and rounds of each, one a line
enum Micro {
  static func run(_ arguments: [String]) throws {
    var arguments = arguments
    let name = arguments.first.flatMap { $0.contains("=") ? nil : $0 }
    if name != nil { arguments.removeFirst() }
    let settings = try Settings(arguments)
    if name == "list" {
      for workload in Workload.all { print(workload.name, workload.rounds) }
      return
    }
    let chosen = Workload.all.filter { name == nil || $0.name == name }
    guard !chosen.isEmpty else {
      let names = Workload.all.map(\.name).joined(separator: ", ")
      throw Settings.Fault(description: "expected a workload (\(names)), found \(name ?? "nothing")")
    }
    let rounds = settings.number("rounds", 0)
    for workload in chosen {
      if rounds > 0 {
        count(workload, rounds)
      } else {
        time(workload, samples: settings.number("samples", 7))
      }
    }
  }

  /// One run; the units done are printed, so that whoever counts can divide.
  private static func count(_ workload: Workload, _ rounds: Int) {
    var line = Line()
    line.add("mode", "micro")
    line.add("workload", workload.name)
    line.add("rounds", rounds)
    line.add("units", workload.run(rounds))
    line.print()
  }

  /// The difference between runs of 2n and n rounds, so that what prepares them is left out; CPU time, the median.
  private static func time(_ workload: Workload, samples: Int) {
    var nanoseconds: [Double] = []
    for _ in 0..<max(1, samples) {
      let start = Usage.thread()
      let single = workload.run(workload.rounds)
      let middle = Usage.thread()
      let double = workload.run(2 * workload.rounds)
      let spent = (Usage.thread() - middle) - (middle - start)
      nanoseconds.append(spent * 1e9 / Double(double - single))
    }
    nanoseconds.sort()
    var line = Line()
    line.add("mode", "micro")
    line.add("workload", workload.name)
    line.add("ns_per_unit", nanoseconds[nanoseconds.count / 2])
    line.add("ns_min", nanoseconds[0])
    line.add("ns_max", nanoseconds[nanoseconds.count - 1])
    line.add("loadavg", Machine.load)
    line.print()
  }
}
