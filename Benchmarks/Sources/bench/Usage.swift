import Foundation

/// What a process used, as the system counts it.
struct Usage {
  var user: Double
  var system: Double
  var total: Double { user + system }

  /// This process so far, or all children that have ended.
  static func now(children: Bool = false) -> Usage {
    var usage = rusage()
    getrusage(children ? -1 : 0, &usage)
    return Usage(user: seconds(usage.ru_utime), system: seconds(usage.ru_stime))
  }

  /// CPU seconds of this thread so far.
  static func thread() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

  static func - (a: Usage, b: Usage) -> Usage { Usage(user: a.user - b.user, system: a.system - b.system) }
  static func + (a: Usage, b: Usage) -> Usage { Usage(user: a.user + b.user, system: a.system + b.system) }
}

/// The machine around a run.
enum Machine {
  /// Highest resident memory of this process, MiB.
  static var peakMiB: Double { field("VmHWM:", in: "/proc/self/status").map { $0 / 1_024 } ?? .nan }

  /// Load average over a minute.
  static var load: Double {
    (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))
      .flatMap { $0.split(separator: " ").first }.flatMap { Double($0) } ?? .nan
  }

  /// Bytes the loopback device has transmitted; other processes' too, unless this one has a network namespace.
  static var loopbackBytes: Double {
    let text = (try? String(contentsOfFile: "/proc/net/dev", encoding: .utf8)) ?? ""
    guard let line = text.split(separator: "\n").first(where: { $0.contains("lo:") }) else { return .nan }
    let fields = line.split(separator: ":")[1].split(separator: " ")
    return fields.count > 8 ? Double(fields[8]) ?? .nan : .nan
  }

  private static func field(_ name: String, in path: String) -> Double? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix(name) }
      .flatMap { Double($0.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) }
  }
}
