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

  /// Resident memory of this process now, KiB.
  static var residentKiB: Double { field("VmRSS:", in: "/proc/self/status") ?? .nan }

  /// The same of another process.
  static func residentKiB(of process: Int32) -> Double {
    field("VmRSS:", in: "/proc/\(process)/status") ?? .nan
  }
  /// Highest resident memory of another process so far, KiB.
  static func peakKiB(of process: Int32) -> Double { field("VmHWM:", in: "/proc/\(process)/status") ?? .nan }

  /// CPU seconds of another process so far.
  static func cpu(of process: Int32) -> Double {
    let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    // Behind its name, which may have blanks: the third field is the first.
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      return .nan
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// Gives back to the system what the allocator keeps for later.
  static func trim() {
    guard let symbol = dlsym(nil, "malloc_trim") else { return }
    _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
  }

  /// What the processor calls itself.
  static var processor: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
  }

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

  /// Set for a process that was given a network namespace of its own.
  static let namespaceVariable = "GOSSIP_BENCH_NAMESPACE"

  /// Whether other processes' traffic is in `loopbackBytes`.
  static var sharesLoopback: Bool { ProcessInfo.processInfo.environment[namespaceVariable] == nil }

  /// In a fresh network namespace the loopback device is down.
  static func raiseLoopback() throws {
    // struct ifreq: sixteen bytes of name, then the flags.
    var request = [UInt8](repeating: 0, count: 40)
    request.replaceSubrange(0..<2, with: Array("lo".utf8))
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    let isRaised = request.withUnsafeMutableBytes { bytes in
      guard ioctl(descriptor, UInt(SIOCGIFFLAGS), bytes.baseAddress!) == 0 else { return false }
      let flags = bytes.loadUnaligned(fromByteOffset: 16, as: Int16.self) | Int16(IFF_UP)
      bytes.storeBytes(of: flags, toByteOffset: 16, as: Int16.self)
      return ioctl(descriptor, UInt(SIOCSIFFLAGS), bytes.baseAddress!) == 0
    }
    guard isRaised else {
      throw Settings.Fault(
        description: "the loopback device cannot be raised: \(String(cString: strerror(errno)))")
    }
  }

  private static func field(_ name: String, in path: String) -> Double? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix(name) }
      .flatMap { Double($0.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) }
  }
}
