import Foundation
import Synchronization
import Testing

/// The binary as its user meets it: arguments in, two streams and an exit code out.
struct Command {
  let status: Int32
  let output: String
  let errors: String

  private static let binary = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: ".build/debug/gossip")

  /// Starts the binary; its output is read while it runs.
  static func start(_ arguments: [String], input: String? = nil) throws -> Running {
    let process = Process()
    process.executableURL = binary
    process.arguments = arguments
    let running = try Running(process)
    let stdin = Pipe()
    process.standardInput = stdin
    try process.run()
    if let input { stdin.fileHandleForWriting.write(Data(input.utf8)) }
    try stdin.fileHandleForWriting.close()
    return running
  }

  static func run(_ arguments: [String], input: String? = nil) async throws -> Command {
    try await start(arguments, input: input).finish()
  }

  /// A started command; its streams go to files, which nobody else can hold open.
  final class Running: Sendable {
    private let process: Mutex<Process>
    private let folder = FileManager.default.temporaryDirectory.appending(
      path: "gossip-test-\(UUID().uuidString)")

    init(_ process: Process) throws {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for name in ["output", "errors"] {
        _ = FileManager.default.createFile(atPath: folder.appending(path: name).path, contents: nil)
      }
      process.standardOutput = try FileHandle(forWritingTo: folder.appending(path: "output"))
      process.standardError = try FileHandle(forWritingTo: folder.appending(path: "errors"))
      self.process = Mutex(process)
    }

    deinit {
      kill()
      try? FileManager.default.removeItem(at: folder)  // a left-over in the temporary folder does no harm
    }

    private func read(_ name: String) -> String {
      FileManager.default.contents(atPath: folder.appending(path: name).path)
        .map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    var text: String { read("output") }
    var errorText: String { read("errors") }
    var isRunning: Bool { process.withLock { $0.isRunning } }

    func interrupt() { process.withLock { $0.interrupt() } }

    /// Waits for its end, for at most a minute.
    func finish() async throws -> Command {
      try await eventually("the command's end") { !self.isRunning }
      return Command(status: process.withLock { $0.terminationStatus }, output: text, errors: errorText)
    }

    func kill() { process.withLock { if $0.isRunning { $0.terminate() } } }
  }
}

struct NotInTime: Error, CustomStringConvertible { let description: String }

func eventually(_ what: String, _ holds: @escaping @Sendable () -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while !holds() {
    guard ContinuousClock.now < deadline else { throw NotInTime(description: "\(what): not within a minute") }
    try await Task.sleep(for: .milliseconds(10))
  }
}

@Suite(.serialized, .timeLimit(.minutes(3))) struct `The command` {
  /// A running node and its address.
  private func withNode(_ body: (String) async throws -> Void) async throws {
    let node = try Command.start(["run", "--topic", "t", "--listen", "/ip4/127.0.0.1/tcp/0"])
    defer { node.kill() }
    try await eventually("an address") { node.text.contains("/p2p/") }
    try await body(node.text.trimmingCharacters(in: .whitespacesAndNewlines))
    node.interrupt()
    let ended = try await node.finish()
    #expect(ended.status == 0, "\(ended.errors)")
  }

  @Test func `publishes, and a subscriber gets it`() async throws {
    try await withNode { address in
      let subscriber = try Command.start(
        ["subscribe", "t", "--connect", address, "--count", "3", "--json", "--timeout", "30s"])
      defer { subscriber.kill() }
      try await eventually("ready") { subscriber.errorText.contains("ready on t") }
      let published = try await Command.run(["publish", "t", "hello", "--connect", address, "--json"])
      #expect(published.status == 0, "\(published.errors)")
      #expect(
        published.output.contains(#""event":"published""#) && published.output.contains(#""reached":1"#))
      let lines = try await Command.run(
        ["publish", "t", "--lines", "--connect", address], input: "one\ntwo\n")
      #expect(lines.status == 0 && lines.output.split(separator: "\n").count == 2, "\(lines.errors)")
      let received = try await subscriber.finish()
      #expect(received.status == 0, "\(received.errors)")
      let texts = received.output.split(separator: "\n")
      #expect(texts.count == 3)
      for (line, text) in zip(texts, ["hello", "one", "two"]) {
        #expect(line.contains(#""text":"\#(text)""#))
      }
    }
  }

  @Test func `shows what a node is`() async throws {
    try await withNode { address in
      let peers = try await Command.run(["peers", "--connect", address, "--json"])
      #expect(peers.status == 0, "\(peers.errors)")
      #expect(peers.output.contains(#""agent":"swift-gossip/"#) && peers.output.contains(#""topics":["t"]"#))
    }
  }

  @Test func `says by its exit code that nobody came in time`() async throws {
    try await withNode { address in
      let nobody = try await Command.run(
        ["publish", "other", "x", "--connect", address, "--timeout", "200ms"])
      #expect(nobody.status == 2 && nobody.output.isEmpty)
      #expect(nobody.errors.contains("expected 1 peer on \"other\""))
      let silence = try await Command.run(
        ["subscribe", "t", "--connect", address, "--count", "1", "--timeout", "500ms"])
      #expect(silence.status == 2)
    }
  }

  @Test func `fails with a reason when there is nobody to connect to`() async throws {
    let failed = try await Command.run(["publish", "t", "x", "--connect", "/ip4/127.0.0.1/tcp/1"])
    #expect(failed.status == 1 && failed.errors.lowercased().contains("refused"))
  }

  @Test func `refuses what it does not understand`() async throws {
    #expect(try await Command.run(["publish", "t", "x"]).status == 64)
    #expect(try await Command.run(["publish", "t", "x", "--connect", "nonsense"]).status == 64)
    #expect(try await Command.run(["dev", "--nodes", "0"]).status == 64)
    #expect(try await Command.run(["simulate", "--nodes", "0"]).status == 3)
    let file = FileManager.default.temporaryDirectory.appending(path: "gossip-\(UUID().uuidString).yaml")
    try Data("lisen: []\n".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let wrong = try await Command.run(["run", "--config", file.path])
    #expect(wrong.status == 3 && wrong.errors.contains("did you mean \"listen\"?"))
  }

  @Test func `makes keys that only their owner can read, and keeps identities`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "gossip-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "node.key").path
    let made = try await Command.run(["keygen", "--output", path])
    #expect(made.status == 0 && made.output.hasPrefix("12D3KooW"))
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try await Command.run(["keygen", "--output", path]).status == 1)
    let node = try Command.start(["run", "--key", path])
    defer { node.kill() }
    let id = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    try await eventually("the same identity") { node.text.contains(id) }
  }

  // BT-55, GS-25
  @Test func `explains a running node's peers, and bars one over a restart`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "gossip-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (socket, config) = (folder.appending(path: "s").path, folder.appending(path: "node.yaml").path)
    try Data(
      """
      topics: [t]
      blacklist: \(folder.appending(path: "blacklist.txt").path)
      sequence: \(folder.appending(path: "sequence.txt").path)
      control: \(socket)
      """.utf8
    ).write(to: URL(filePath: config))
    let node = try Command.start(["run", "--config", config])
    defer { node.kill() }
    try await eventually("an address") { node.text.contains("/p2p/") }
    let address = node.text.trimmingCharacters(in: .whitespacesAndNewlines)
    let subscriber = try Command.start(["subscribe", "t", "--connect", address, "--timeout", "60s"])
    defer { subscriber.kill() }
    try await eventually("ready") { subscriber.errorText.contains("ready on t") }

    let mode = try FileManager.default.attributesOfItem(atPath: socket)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let all = try await Command.run(["explain", "--control", socket])
    #expect(all.status == 0 && all.output.contains("partner score"), "\(all.errors)")
    let peer = try #require(all.output.split(separator: "\n").last?.split(separator: " ").first).description
    let one = try await Command.run(["explain", String(peer.suffix(6)), "--control", socket])
    #expect(one.output.hasPrefix("\(peer): welcome\npeer score"), "\(one.output)\(one.errors)")
    let barred = try await Command.run(["bar", peer, "--for", "1h", "--control", socket])
    #expect(barred.status == 0 && barred.output.contains("\(peer) is barred: by hand, until 20"))
    node.interrupt()
    #expect(try await node.finish().status == 0)
    #expect(!FileManager.default.fileExists(atPath: socket))

    let again = try Command.start(["run", "--config", config])
    defer { again.kill() }
    try await eventually("an address") { again.text.contains("/p2p/") }
    try await eventually("a socket") { FileManager.default.fileExists(atPath: socket) }
    let list = try await Command.run(["bar", "--control", socket, "--json"])
    #expect(list.output.contains(#""peer_id":"\#(peer)","reason":"byHand""#), "\(list.errors)")
    #expect(try await Command.run(["unbar", peer, "--control", socket]).status == 0)
    let unknown = try await Command.run(["unbar", peer, "--control", socket])
    #expect(unknown.status == 1 && unknown.errors.contains("is not barred"))
    let second = try await Command.run(["run", "--control", socket])
    #expect(second.status == 1 && second.errors.contains("another node answers"))
  }

  @Test func `says where nobody answers`() async throws {
    let socket = FileManager.default.temporaryDirectory.appending(path: "gossip-\(UUID().uuidString)")
    let nobody = try await Command.run(["explain", "--control", socket.path])
    #expect(nobody.status == 1 && nobody.errors.contains("gossip run"))
  }

  @Test func `shows an attack on real connections, and who saw through it`() async throws {
    let shown = try await Command.run([
      "dev", "--nodes", "6", "--attack", "spoofer", "--for", "8s", "--port", "0", "--json", "--explain",
    ])
    #expect(shown.status == 0, "\(shown.errors)")
    #expect(shown.errors.contains("2 of them attack: 2 spoofer"))
    let summary = try #require(
      shown.errors.firstMatch(of: /among the 4 honest, against 2 spoofer: ([0-9.]+) %/))
    #expect((Double(summary.1) ?? 0) > 95, "\(summary.0)")
    #expect(shown.errors.contains("and 0 honest"))
    #expect(shown.output.contains("P4 invalid messages on dev"))
    #expect(try await Command.run(["dev", "--nodes", "3", "--attack", "dropper:2"]).status == 64)
  }

  @Test func `simulates alike for the same seed`() async throws {
    let arguments = ["simulate", "--nodes", "20", "--messages", "5", "--json", "--seed", "3"]
    let (first, again) = (try await Command.run(arguments), try await Command.run(arguments))
    #expect(first.status == 0 && first.output == again.output)
    #expect(first.output.contains(#""coverage":1.0"#) && first.output.contains(#""fingerprint":""#))
  }

  @Test func `repeats a scenario of a swarm from its seed`() async throws {
    let arguments = ["simulate", "--swarm", "--seed", "4", "--json"]
    let (first, again) = (try await Command.run(arguments), try await Command.run(arguments))
    #expect(first.status == 0 && first.output == again.output, "\(first.errors)")
    #expect(first.output.contains(#""fingerprint":""#))
  }

  @Test func `simulates attacks, and shows what they cost`() async throws {
    let one = try await Command.run([
      "simulate", "--attack", "dropper:3", "--disturb", "loss:0.1@0s-1s", "--nodes", "12", "--messages", "5",
      "--heal", "1s", "--check",
    ])
    #expect(one.status == 0 && one.output.contains("hostile"), "\(one.errors)")
    let table = try await Command.run([
      "simulate", "--attacks", "--attack", "spoofer", "--spread", "gossipSub", "--nodes", "12", "--messages",
      "5",
      "--publishers", "2", "--runs", "1", "--check",
    ])
    #expect(table.status == 0 && table.output.contains("spoofer"), "\(table.errors)")
    #expect(try await Command.run(["simulate", "--attack", "droper"]).status == 64)
    #expect(try await Command.run(["simulate", "--attack", "dropper:100"]).status == 3)
    #expect(try await Command.run(["simulate", "--swarm", "--compare"]).status == 64)
  }

  @Test func `explains how some of the nodes are best reached`() async throws {
    let arguments = [
      "explain-audience", "--recipients", "100", "--nodes", "1000", "--fanout", "12", "--size",
    ]
    let small = try await Command.run(arguments + ["1024", "--json"])
    #expect(small.status == 0 && small.output.contains(#""choice":"direct""#), "\(small.output)")
    let large = try await Command.run(arguments + ["102400"])
    #expect(large.output.contains("sub-overlay: the least cost"))
    #expect(try await Command.run(["explain-audience", "--recipients", "0", "--size", "1"]).status == 64)
  }

  @Test(arguments: [[], ["--memory"], ["--json"]])
  func `shows a network, also where nobody looks`(extra: [String]) async throws {
    let shown = try await Command.run(["dev", "--nodes", "5", "--for", "3s", "--port", "0"] + extra)
    #expect(shown.status == 0, "\(shown.errors)")
    #expect(shown.output.split(separator: "\n").count >= 2)
    #expect(shown.errors.contains("messages published"))
    #expect(
      extra == ["--memory"] || shown.errors.contains("gossip subscribe dev --connect /ip4/127.0.0.1/tcp/"))
  }

  @Test func `ends a network on Ctrl-C with a summary`() async throws {
    let network = try Command.start(["dev", "--nodes", "3", "--port", "0"])
    try await eventually("a line") { network.text.contains(" s ") }
    network.interrupt()
    let ended = try await network.finish()
    #expect(ended.status == 0 && ended.errors.contains("messages published"), "\(ended.errors)")
  }
}
