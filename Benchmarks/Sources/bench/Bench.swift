import Foundation
import GossipHost

/// Foundation has a `Host` of its own.
typealias Host = GossipHost.Host

/// Benchmarks of the whole path and of its parts; a single one prints one JSON line on standard output.
///
///     bench all [key=value …]       the standard set as tables       json runs only large gossip allocations …
///     bench compare LATEST COMMITTED [strict=1]                      two files of `all` beside each other
///
///     bench w1 [key=value …]        20 hosts in one process          n size m window publishers sign rate dials deaf queue defence=on|off|all
///     bench w2 [key=value …]        two processes, one link          size m window sign
///     bench router [key=value …]    one node, no sockets             size m copies peers sign defence
///     bench flood [key=value …]     a process that floods one host  kind=signed|garbage n size rate seconds budget limited nice
///     bench loss                    W1 at the extremes of window and size; exit code 1 if anything is lost
///     bench idle [key=value …]      resident memory per connection   hosts
///     bench simulate [key=value …]  the simulator                    nodes messages rate size seed dials publishers
///     bench start [key=value …]     the gossip binary, to listening  gossip samples
///     bench micro [NAME]            the fixed small workloads        rounds samples
@main
struct Bench {
  static func main() async {
    do {
      if !Machine.sharesLoopback { try Machine.raiseLoopback() }
      let arguments = Array(CommandLine.arguments.dropFirst())
      // On the first thread, before there are others: an instruction counter does not like them.
      if arguments.first == "micro" { return try Micro.run(Array(arguments.dropFirst())) }
      try await run(arguments)
    } catch {
      FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
      exit(error is Settings.Fault ? 64 : 1)
    }
  }

  private static func run(_ arguments: [String]) async throws {
    let (mode, rest) = (arguments.first ?? "all", Array(arguments.dropFirst()))
    if mode == "compare" { return try compare(rest) }
    let settings = try Settings(rest)
    switch mode {
    case "all": if try Suite(settings).run().failed > 0 { exit(1) }
    case "w1": try await Network(settings).run().print()
    case "w2": try await Pair.run(settings).print()
    case "w2-receiver": try await Pair.receive(settings)
    case "router": try Router(settings).run().print()
    case "flood": try await Flood(settings).run().print()
    case "flood-victim": try await Victim.run(settings)
    case "flood-sender": try Flooder(settings).run()
    case "loss":
      let outcome = try Suite(Settings(rest + ["only=loss"])).run()
      if outcome.failed + outcome.lost > 0 { exit(1) }
    case "idle": try await Idle(settings).run().print()
    case "simulate": try Simulation(settings).run().print()
    case "start": try Start(settings).run().print()
    default:
      throw Settings.Fault(
        description:
          "expected all, compare, w1, w2, router, flood, loss, idle, simulate, start or micro, found \(mode)")
    }
  }

  private static func compare(_ arguments: [String]) throws {
    let files = arguments.filter { !$0.contains("=") }
    guard files.count == 2 else {
      throw Settings.Fault(description: "compare: expected two files, the latest and the committed results")
    }
    let settings = try Settings(arguments.filter { $0.contains("=") })
    let (text, worse) = try Comparison(committed: Line.read(files[1]), now: Line.read(files[0])).result
    print(text)
    if worse > 0, settings.text("strict", "0") == "1" { exit(1) }
  }
}
