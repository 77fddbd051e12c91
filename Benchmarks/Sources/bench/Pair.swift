import Foundation
import GossipCore
import GossipHost
import GossipLibp2p

/// W2: publisher and receiver in two processes, one link. The receiver acknowledges through a pipe; CPU is that of both.
enum Pair {
  private static let topic: Topic = "bench"

  static func run(_ settings: Settings) async throws -> Line {
    let (size, m, window) = (
      settings.number("size", 1_024), settings.number("m", 20_000), settings.number("window", 64)
    )
    var configuration = HostConfiguration()
    configuration.listen = [try Multiaddr("/ip4/127.0.0.1/tcp/0")]
    let host = try Host(configuration)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await host.run() }
      let progress = Progress(messages: m + 1, receivers: 1)
      group.addTask { await progress.watch() }
      let address = try await host.listening()[0]
      let child = Process()
      let pipe = Pipe()
      child.executableURL = URL(filePath: CommandLine.arguments[0])
      child.arguments = ["w2-receiver"] + settings.arguments + ["address=\(address)", "m=\(m + 1)"]
      child.standardOutput = pipe
      let childrenBefore = Usage.now(children: true)
      try child.run()
      let reader = Thread {
        while case let data = pipe.fileHandleForReading.availableData, !data.isEmpty {
          for number in Acknowledgement.numbers(in: data) { progress.delivered(number) }
        }
      }
      reader.start()
      _ = try await host.waitForPeers(1, on: topic, within: .seconds(20))
      let publish = { @Sendable (number: Int) async throws in
        await progress.wait(untilFewerThan: window)
        _ = try await host.publish(progress.make(number, size: size), to: topic, policy: settings.policy)
      }
      try await publish(m)  // warm-up
      await progress.settle()
      let (cpu, bytes, start) = (Usage.now(), Machine.loopbackBytes, ContinuousClock.now)
      try await withTaskExecutorPreference(host.executor) {
        for number in 0..<m where !progress.isGivenUp { try await publish(number) }
      }
      await progress.settle()
      let wall = (ContinuousClock.now - start).inSeconds
      let own = Usage.now() - cpu
      let sent = Machine.loopbackBytes - bytes
      group.cancelAll()
      if progress.isGivenUp { child.terminate() }  // it waits for what is lost
      child.waitUntilExit()
      let used = own + (Usage.now(children: true) - childrenBefore)
      var line = Line()
      line.add("mode", "w2")
      line.add("n", 2)
      line.add("size", size)
      line.add("m", m)
      line.add("window", window)
      line.add("sign", settings.isSigned ? "strict" : "none")
      line.add("wall_s", wall)
      line.add("msgs_per_s", Double(m) / wall)
      line.add("both_cpu_us_per_msg", used.total * 1e6 / Double(m))
      line.add("lo_bytes_per_delivery", sent / Double(m))
      line.add("lo_shared", Machine.sharesLoopback)
      line.add("incomplete_msgs", progress.isGivenUp ? max(1, progress.incomplete) : progress.incomplete)
      line.add("rss_mib", Machine.peakMiB)
      line.add("loadavg", Machine.load)
      return line
    }
  }

  /// The receiving process: ends when all messages came.
  static func receive(_ settings: Settings) async throws {
    let m = settings.number("m", 0)
    let host = try Host(HostConfiguration())
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await host.run() }
      try await withTaskExecutorPreference(host.executor) {
        try await host.withSubscription(to: topic, settings.policy) { incoming in
          _ = try await host.connect(to: try Multiaddr(settings.text("address", "")))
          var received = 0
          for await case .message(let message, _) in incoming {
            Acknowledgement.write(message.payload)
            received += 1
            if received == m { return }
          }
        }
      }
      group.cancelAll()
    }
  }
}

/// A message's number and time, the first sixteen bytes of its payload, through a pipe.
enum Acknowledgement {
  static func write(_ payload: Payload) {
    let bytes = Array(payload.bytes.prefix(16))
    _ = bytes.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }

  /// Whole acknowledgements; writes of 16 bytes into a pipe are never torn.
  static func numbers(in data: Data) -> [Payload] {
    let bytes = [UInt8](data)
    return stride(from: 0, to: bytes.count - 15, by: 16).map { Payload(Array(bytes[$0..<$0 + 16])) }
  }
}
