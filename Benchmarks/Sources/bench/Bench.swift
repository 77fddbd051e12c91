import Foundation
import GossipHost

/// Foundation has a `Host` of its own.
typealias Host = GossipHost.Host

/// Benchmarks of the whole path and of the router alone; one JSON line per run on standard output.
///
///     bench                     the standard set
///     bench w1 [key=value …]    20 hosts in one process     n size m window publishers sign rate dials
///     bench w2 [key=value …]    two processes, one link     size m window sign
///     bench router [key=value …]  one node, no sockets      size m copies peers sign
///     bench micro [NAME]        the fixed small workloads   rounds samples
@main
struct Bench {
  static func main() async throws {
    var arguments = Array(CommandLine.arguments.dropFirst())
    let mode = arguments.isEmpty ? "all" : arguments.removeFirst()
    if mode == "micro" { return try Micro.run(arguments) }
    let settings = try Settings(arguments)
    switch mode {
    case "w1": try await Network(settings).run().print()
    case "w2": try await Pair.run(settings).print()
    case "w2-receiver": try await Pair.receive(settings)
    case "router": try Router(settings).run().print()
    case "all": try await standardSet()
    default:
      FileHandle.standardError.write(Data("bench: expected w1, w2, router or nothing, found \(mode)\n".utf8))
      exit(64)
    }
  }

  /// The cases that are compared from version to version.
  static func standardSet() async throws {
    for arguments in [
      ["size=1024", "window=64", "sign=strict", "m=2000"], ["size=1024", "window=64", "sign=none", "m=4000"],
      ["size=1024", "window=4", "sign=strict", "m=1000"], ["size=65536", "window=2", "sign=strict", "m=200"],
      ["size=1024", "rate=20", "sign=strict", "m=200"],
    ] { try await Network(Settings(arguments)).run().print() }
    for arguments in [
      ["size=1024", "sign=strict", "m=20000"], ["size=1024", "sign=none", "m=50000"],
      ["size=65536", "sign=strict", "m=2000"],
    ] { try await Pair.run(Settings(arguments)).print() }
    for arguments in [["sign=none"], ["sign=strict"]] { try Router(Settings(arguments)).run().print() }
  }
}

/// `key=value` arguments.
struct Settings: Sendable {
  private let values: [String: String]
  /// As they were given, to hand them on.
  let arguments: [String]

  struct Fault: Error, CustomStringConvertible { let description: String }

  init(_ arguments: [String]) throws {
    self.arguments = arguments
    var values: [String: String] = [:]
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { throw Fault(description: "expected key=value, found \(argument)") }
      values[String(parts[0])] = String(parts[1])
    }
    self.values = values
  }

  func number(_ key: String, _ standard: Int) -> Int { values[key].flatMap { Int($0) } ?? standard }
  func text(_ key: String, _ standard: String) -> String { values[key] ?? standard }
  var isSigned: Bool { text("sign", "strict") == "strict" }
}

/// One run's figures, printed as one JSON object with the keys in the order they were added.
struct Line {
  private var fields: [(String, String)] = []

  mutating func add(_ key: String, _ text: String) { fields.append((key, "\"\(text)\"")) }
  mutating func add(_ key: String, _ number: Int) { fields.append((key, "\(number)")) }
  mutating func add(_ key: String, _ number: Double) {
    fields.append((key, number.isFinite ? String(format: "%.4g", number) : "null"))
  }

  func print() {
    let text = "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
