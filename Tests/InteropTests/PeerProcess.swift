import Foundation
import GossipLibp2p
import Synchronization
import Testing

/// A real Go or Python libp2p node from `Interop/`, in a process of its own that ends with the test.
///
/// Its JSON lines are collected as they come; `event` waits for one, with a deadline.
final class PeerProcess: Sendable {
  enum Kind: String, Sendable, CustomTestStringConvertible {
    case go = "p2pd_peer.py"
    case python = "py_peer.py"

    var testDescription: String { self == .go ? "Go" : "Python" }
  }

  typealias Event = [String: any Sendable]

  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  private struct State {
    var events: [Event] = []
    var rest = Data()
    var hasEnded = false
    var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter = 0
  }

  let kind: Kind
  fileprivate let process = Mutex(Process())
  private let state = Mutex(State())

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let python = root.appending(path: ".venv-interop/bin/python").path

  /// Whether `Interop/setup` has made the peers' environment. In CI it must have.
  static var isAvailable: Bool { FileManager.default.isExecutableFile(atPath: python) }

  init(_ kind: Kind, _ arguments: [String]) throws {
    self.kind = kind
    let pipe = Pipe()
    try process.withLock { process in
      process.executableURL = URL(filePath: PeerProcess.python)
      process.arguments = [PeerProcess.root.appending(path: "Interop/\(kind.rawValue)").path] + arguments
      process.standardOutput = pipe
      process.standardError = FileHandle.nullDevice
      process.standardInput = FileHandle.nullDevice
      try process.run()
    }
    pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
      let data = handle.availableData
      if data.isEmpty { handle.readabilityHandler = nil }
      self?.read(data)
    }
  }

  deinit { stop() }

  func stop() {
    process.withLock { if $0.isRunning { $0.terminate() } }
  }

  private func read(_ data: Data) {
    let waiters = state.withLock { state in
      if data.isEmpty { state.hasEnded = true }
      state.rest.append(data)
      while let end = state.rest.firstIndex(of: 0x0a) {
        let line = state.rest[state.rest.startIndex..<end]
        state.rest = Data(state.rest[state.rest.index(after: end)...])
        if let event = PeerProcess.parse(line) { state.events.append(event) }
      }
      defer { state.waiters = [:] }
      return state.waiters
    }
    for waiter in waiters.values { waiter.resume() }
  }

  private static func parse(_ line: Data) -> Event? {
    guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
      return nil
    }
    return object.compactMapValues { value -> (any Sendable)? in
      if let text = value as? String { return text }
      if let number = value as? NSNumber { return number.doubleValue }
      return nil
    }
  }

  /// All events so far of this name.
  func events(_ name: String) -> [Event] {
    state.withLock { $0.events.filter { $0["event"] as? String == name } }
  }

  /// Waits until `find` gives something, looking again whenever the peer says something.
  func wait<R: Sendable>(
    _ what: String, within patience: Duration = .seconds(60), _ find: @escaping @Sendable (PeerProcess) -> R?
  ) async throws -> R {
    try await withThrowingTaskGroup(of: R.self) { group in
      group.addTask {
        while true {
          let (heard, hasEnded) = self.state.withLock { ($0.events.count, $0.hasEnded) }
          if let found = find(self) { return found }
          if hasEnded {
            throw Missing(
              description: "\(self.kind.testDescription) ended before \(what); it said \(self.said)")
          }
          try Task.checkCancellation()
          await self.nextEvent(after: heard)
        }
      }
      group.addTask {
        try await Task.sleep(for: patience)
        throw Missing(
          description: "\(self.kind.testDescription): no \(what) in \(patience); it said \(self.said)")
      }
      defer { group.cancelAll() }
      return try await group.next()!
    }
  }

  private var said: String { state.withLock { "\($0.events.suffix(3))" } }

  /// Returns when more than `heard` events were said, when the process ended, or when the waiting task is cancelled.
  private func nextEvent(after heard: Int) async {
    let number = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isLate = state.withLock { state in
          if Task.isCancelled || state.hasEnded || state.events.count > heard { return true }
          state.waiters[number] = continuation
          return false
        }
        if isLate { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
    }
  }

  /// The address it listens on, with its id.
  func address() async throws -> Multiaddr {
    let text = try await wait("ready line") { $0.events("ready").first?["addr"] as? String }
    return try Multiaddr(text)
  }

  /// Hashes of the messages it received, in hex, with how often each came.
  var receivedHashes: [String] { events("message").compactMap { $0["data_sha256"] as? String } }
  var publishedHashes: [String] { events("published").compactMap { $0["data_sha256"] as? String } }
}

extension PeerProcess {
  /// Ends it without a word.
  func kill() {
    let pid = process.withLock { $0.processIdentifier }
    Foundation.kill(pid, SIGKILL)
  }
}
