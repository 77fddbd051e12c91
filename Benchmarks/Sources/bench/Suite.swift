import Foundation
import GossipCore

/// Runs the standard set: every run in a process of its own, so that its peak memory is its own, and where the system
/// permits it in a network namespace of its own, so that the loopback counter is.
///
/// The runs of all cases alternate, so that a noisy minute spoils one run of several cases rather than all runs of
/// one; the median of each figure counts, and the worst of what may never be lost.
struct Suite {
  private let settings: Settings
  private let cases: [Case]
  private let runs: Int
  private let namespace: [String]

  /// What a run may take, seconds; a large one twenty times as long.
  private static let patience = 180.0

  init(_ settings: Settings) throws {
    self.settings = settings
    runs = max(1, settings.number("runs", 3))
    let large = settings.text("large", "no")
    let only = settings.text("only", "")
    cases = Case.all.filter { one in
      (only.isEmpty || one.key.hasPrefix(only)) && (one.isLarge ? large != "no" : large != "only")
    }
    guard !cases.isEmpty else {
      let keys = Case.all.map(\.key).joined(separator: ", ")
      throw Settings.Fault(description: "only=: expected the beginning of one of \(keys), found \(only)")
    }
    namespace =
      [["unshare", "-n"], ["unshare", "-rn"]].first { Suite.output(of: $0 + ["true"]) != nil } ?? []
  }

  /// What went wrong, in numbers of cases.
  struct Outcome {
    /// Did not come to their end.
    var failed = 0
    /// Lost messages.
    var lost = 0
  }

  @discardableResult
  func run() throws -> Outcome {
    var done: [String: [Line]] = [:]
    let plan = (0..<runs).flatMap { run in cases.filter { run < min(runs, $0.runs ?? runs) }.map { ($0, run) }
    }
    let start = ContinuousClock.now
    for (place, (one, run)) in plan.enumerated() {
      Progressing.show("[\(place + 1)/\(plan.count)] \(one.title), run \(run + 1)", since: start)
      if let line = measure(one) { done[one.key, default: []].append(line) }
    }
    Progressing.clear()
    let lines = done.mapValues(Suite.median)
    let machine = describe()
    let report = Report(machine: machine, lines: lines, cases: cases)
    print(report.text)
    if case let path = settings.text("json", ""), !path.isEmpty {
      let rows = cases.compactMap { one in lines[one.key].map { Suite.named(one.key, $0).json } }
      let text = ([machine.json] + rows).joined(separator: "\n") + "\n"
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      print("JSON lines: \(path)")
    }
    return Outcome(
      failed: lines.values.count { $0.text("failed") != nil },
      lost: lines.values.count { ($0.number("incomplete_msgs") ?? 0) > 0 })
  }

  // MARK: One run

  /// Nil if this case cannot be measured here.
  private func measure(_ one: Case) -> Line? {
    var environment = ProcessInfo.processInfo.environment
    if one.countsAllocations {
      let counter = settings.text("allocations", "")
      guard FileManager.default.fileExists(atPath: counter) else { return nil }
      environment["LD_PRELOAD"] = counter
    }
    if !namespace.isEmpty { environment[Machine.namespaceVariable] = "1" }
    var arguments = one.arguments
    if arguments[0] == "start" {
      arguments.append("gossip=\(settings.text("gossip", Start.standardPath))")
    }
    let child = Process()
    let pipe = Pipe()
    child.executableURL = URL(filePath: "/usr/bin/env")
    child.arguments = namespace + [Suite.executable] + arguments
    child.environment = environment
    child.standardOutput = pipe
    do { try child.run() } catch { return Suite.failed("\(error)") }
    let process = child.processIdentifier
    let alarm = DispatchWorkItem { kill(process, SIGKILL) }
    let patience = one.isLarge ? 20 * Suite.patience : Suite.patience
    DispatchQueue.global().asyncAfter(deadline: .now() + patience, execute: alarm)
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    child.waitUntilExit()
    alarm.cancel()
    guard child.terminationStatus == 0, let last = output.split(separator: "\n").last,
      let line = Line(parsing: String(last))
    else {
      let isCrash = child.terminationReason == .uncaughtSignal
      return Suite.failed("\(isCrash ? "crashed by signal" : "exit code") \(child.terminationStatus)")
    }
    return line
  }

  private static func failed(_ reason: String) -> Line {
    var line = Line()
    line.add("failed", reason)
    return line
  }

  /// This program's own file.
  static let executable =
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]

  // MARK: Several runs

  /// The median of each number; of what may never happen, the most.
  static func median(_ lines: [Line]) -> Line {
    if let failed = lines.first(where: { $0.text("failed") != nil }) { return failed }
    guard var result = lines.first else { return Line() }
    for (key, _) in result.fields {
      let numbers = lines.compactMap { $0.number(key) }.sorted()
      guard numbers.count == lines.count else { continue }
      let isFault = key.hasPrefix("incomplete") || key == "dropped_rpc" || key == "violations"
      result.add(key, isFault ? numbers[numbers.count - 1] : numbers[numbers.count / 2])
    }
    result.add("runs", lines.count)
    return result
  }

  private static func named(_ key: String, _ line: Line) -> Line {
    var result = Line()
    result.add("case", key)
    for (key, value) in line.fields { result.set(key, value) }
    return result
  }

  // MARK: The machine

  /// Machine, system, compiler, commit and date; the last two as given, or as git and the clock say.
  private func describe() -> Line {
    func said(_ key: String, _ command: [String]) -> String {
      let given = settings.text(key, "")
      return given.isEmpty ? Suite.output(of: command) ?? "unknown" : given
    }
    var line = Line()
    line.add("case", "machine")
    line.add("machine", settings.text("machine", Machine.processor))
    line.add("cores", ProcessInfo.processInfo.activeProcessorCount)
    let system = said("system", ["uname", "-sr"])
    line.add("system", system.firstMatch(of: /^\S+ [0-9]+\.[0-9]+/).map { String($0.0) } ?? system)
    let swift = said("swift", ["swift", "--version"])
    line.add("swift", swift.firstMatch(of: /Swift version (\S+)/).map { "Swift \($0.1)" } ?? swift)
    line.add("commit", said("commit", ["git", "describe", "--always", "--dirty"]))
    line.add("date", said("date", ["date", "-u", "+%Y-%m-%d"]))
    line.add("runs", runs)
    line.add("lo_shared", namespace.isEmpty)
    line.add("loadavg", Machine.load)
    return line
  }

  /// What a command prints, without the last line break; nil if it fails.
  private static func output(of command: [String]) -> String? {
    let child = Process()
    let pipe = Pipe()
    child.executableURL = URL(filePath: "/usr/bin/env")
    child.arguments = command
    child.standardOutput = pipe
    child.standardError = FileHandle.nullDevice
    guard (try? child.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    child.waitUntilExit()
    guard child.terminationStatus == 0 else { return nil }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

/// One line on the terminal that is written over; nothing elsewhere.
enum Progressing {
  private static let isTerminal = isatty(STDERR_FILENO) == 1

  static func show(_ text: String, since start: ContinuousClock.Instant) {
    guard isTerminal else { return }
    let seconds = Int((ContinuousClock.now - start).inSeconds)
    write("\r\u{1b}[K\(text) (\(seconds / 60):\(String(format: "%02d", seconds % 60)))")
  }

  static func clear() { if isTerminal { write("\r\u{1b}[K") } }

  private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
