import Foundation
import GossipCore
import GossipHost
import GossipLibp2p

/// The host that is flooded, in a process of its own, so that its memory and its time are its own.
///
/// It tells its address in a line, acknowledges what the honest publish (`Acknowledgement`), and when its input ends,
/// it tells its counters in a last line.
struct Victim {
  let address: Multiaddr
  private let process: Process
  private let input: Pipe
  private let lines: AsyncStream<Line>

  var id: Int32 { process.processIdentifier }
  var residentKiB: Double { Machine.residentKiB(of: id) }
  var peakKiB: Double { Machine.peakKiB(of: id) }

  // MARK: From outside

  static func start(
    _ settings: Settings, dialing others: [Multiaddr], acknowledgingTo progress: Progress
  ) throws -> Victim {
    let process = Process()
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(filePath: Suite.executable)
    let dialed = others.map(\.description).joined(separator: ",")
    process.arguments = ["flood-victim"] + settings.arguments + ["dial=\(dialed)"]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let first = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let address = try Multiaddr(first.trimmingCharacters(in: .newlines))
    let (lines, said) = AsyncStream<Line>.makeStream()
    let reader = Thread {
      var buffer = Data()
      while case let data = output.fileHandleForReading.availableData, !data.isEmpty {
        buffer += data
        while buffer.count >= 16, !buffer.starts(with: Victim.lastLine) {
          for number in Acknowledgement.numbers(in: buffer.prefix(16)) { progress.delivered(number) }
          buffer = Data(buffer.dropFirst(16))
        }
      }
      if let line = Line(parsing: String(decoding: buffer, as: UTF8.self)) { said.yield(line) }
      said.finish()
    }
    reader.start()
    return Victim(address: address, process: process, input: input, lines: lines)
  }

  /// How the last line begins; an acknowledgement would have a very high number.
  private static let lastLine = Data("{\"victim_".utf8)

  /// Ends it.
  /// - Returns: what it counted.
  func end() async -> Line {
    try? input.fileHandleForWriting.close()
    defer { process.waitUntilExit() }
    for await line in lines { return line }
    return Line()
  }

  // MARK: Inside

  static func run(_ settings: Settings) async throws {
    let host = try Host(try Flood.configuration(settings, isVictim: true))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await host.run() }
      group.addTask {
        try await host.withSubscription(to: Flood.topic, Flood.policy(settings)) { incoming in
          for await case .message(let message, _) in incoming where Flood.isHonest(message.payload) {
            Acknowledgement.write(message.payload)
          }
        }
      }
      FileHandle.standardOutput.write(Data("\(try await host.listening()[0])\n".utf8))
      for address in settings.text("dial", "").split(separator: ",") {
        _ = try await host.connect(to: try Multiaddr(String(address)))
      }
      await inputEnds()
      await report(host).print()
      group.cancelAll()
    }
  }

  private static func inputEnds() async {
    await withCheckedContinuation { continuation in
      let reader = Thread {
        while !FileHandle.standardInput.availableData.isEmpty {}
        continuation.resume()
      }
      reader.start()
    }
  }

  private static func report(_ host: Host) async -> Line {
    let snapshot = await host.snapshot
    var line = Line()
    line.add("victim_received_mib", Double(await host.traffic.received) / 1_048_576)
    line.add("victim_delivered", Int(snapshot.counters.delivered))
    line.add("victim_rejected", Int(snapshot.counters.rejected))
    line.add("victim_unheard", Int(snapshot.counters.unheard))
    line.add("victim_barred", Int(snapshot.counters.barred))
    line.add("victim_stored_kib", snapshot.sizes.storedBytes / 1_024)
    return line
  }
}
