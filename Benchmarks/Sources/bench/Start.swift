import Foundation
import GossipCore

/// From nothing to listening: the release `gossip` binary is started again and again with `run`, until its first line
/// tells the address it listens on. Wall time, the median.
struct Start {
  private let gossip: String
  private let samples: Int

  init(_ settings: Settings) {
    gossip = settings.text("gossip", Start.standardPath)
    samples = max(1, settings.number("samples", 10))
  }

  /// The release build of the package around this one, which is built in Benchmarks/.build/PLATFORM/release.
  static let standardPath: String = {
    var place = URL(filePath: Suite.executable)
    for _ in 0..<5 { place.deleteLastPathComponent() }
    return place.appending(path: ".build/release/gossip").path(percentEncoded: false)
  }()

  func run() throws -> Line {
    guard FileManager.default.isExecutableFile(atPath: gossip) else {
      throw Settings.Fault(description: "no binary at \(gossip): build it (`make build`), or say gossip=PATH")
    }
    // The first start reads the files into memory; it is not counted.
    _ = try once()
    let times = try (0..<samples).map { _ in try once() }.sorted()
    var line = Line()
    line.add("mode", "start")
    line.add("samples", samples)
    line.add("start_ms", times[times.count / 2])
    line.add("start_ms_min", times[0])
    line.add("start_ms_max", times[times.count - 1])
    line.add("loadavg", Machine.load)
    return line
  }

  /// Milliseconds.
  private func once() throws -> Double {
    let child = Process()
    let pipe = Pipe()
    child.executableURL = URL(filePath: gossip)
    child.arguments = ["run", "--listen", "/ip4/127.0.0.1/tcp/0", "--log", "error"]
    child.standardOutput = pipe
    let start = ContinuousClock.now
    try child.run()
    let first = pipe.fileHandleForReading.availableData
    let spent = (ContinuousClock.now - start).inSeconds * 1e3
    child.terminate()
    child.waitUntilExit()
    guard String(decoding: first, as: UTF8.self).contains("/tcp/") else {
      throw Settings.Fault(description: "expected an address from \(gossip) run, found \(first.count) bytes")
    }
    return spent
  }
}
