import GossipCore
import GossipHost
import GossipLibp2p
import Logging
import Synchronization
import Testing

/// Foundation has a `Host` of its own.
typealias Host = GossipHost.Host

/// Something that was waited for did not happen.
struct NotInTime: Error, CustomStringConvertible {
  let description: String
}

/// Looks again and again until `holds`, at most for `patience`.
func eventually(
  _ what: String, within patience: Duration = .seconds(40),
  _ holds: @escaping @Sendable () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + patience
  while try await !holds() {
    guard ContinuousClock.now < deadline else {
      throw NotInTime(description: "\(what): not within \(patience)")
    }
    try await Task.sleep(for: .milliseconds(5))
  }
}

let loopback: Multiaddr = {
  do { return try Multiaddr("/ip4/127.0.0.1/tcp/0") } catch { preconditionFailure("\(error)") }
}()

/// How hosts of a test reach each other.
enum Reach: CaseIterable, Sendable { case tcp, memory }

/// Runs hosts for as long as `body` does; each is on its feet before it begins.
@discardableResult
func withHosts<R: Sendable>(
  _ count: Int, _ reach: Reach = .tcp, _ change: (inout HostConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable ([Host]) async throws -> R
) async throws -> R {
  let network = MemoryNetwork()
  var hosts: [Host] = []
  for _ in 0..<count {
    var configuration = HostConfiguration()
    switch reach {
    case .tcp: configuration.listen = [loopback]
    case .memory: configuration.transport = .memory(network)
    }
    change(&configuration)
    hosts.append(try Host(configuration))
  }
  return try await withThrowingTaskGroup(of: Void.self) { [hosts] group in
    for host in hosts { group.addTask { try await host.run() } }
    for host in hosts { _ = try await host.listening() }
    defer { group.cancelAll() }
    return try await body(hosts)
  }
}

extension Host {
  var address: Multiaddr { get async throws { try await listening()[0] } }
}

/// Collects what a subscription brings.
final class Inbox: Sendable {
  private struct State {
    var texts: [String] = []
    var missed = 0
  }

  private let state = Mutex(State())

  var texts: [String] { state.withLock { $0.texts } }
  var count: Int { state.withLock { $0.texts.count } }
  var missed: Int { state.withLock { $0.missed } }

  /// Reads until the subscription or the task ends.
  func read(_ incoming: Incoming) async {
    for await received in incoming {
      state.withLock { state in
        switch received {
        case .message(let message, _): state.texts.append(message.payload.text)
        case .missed(let count): state.missed += count
        }
      }
    }
  }
}

/// Subscribes hosts to a topic, each with an inbox, for as long as `body` runs.
func withInboxes(
  _ hosts: [Host], on topic: Topic, _ policy: TopicPolicy = TopicPolicy(), judge: Judge? = nil,
  _ body: @escaping @Sendable ([Inbox]) async throws -> Void
) async throws {
  let inboxes = hosts.map { _ in Inbox() }
  try await withThrowingTaskGroup(of: Void.self) { group in
    for (host, inbox) in zip(hosts, inboxes) {
      group.addTask {
        try await host.withSubscription(to: topic, policy, judge: judge) { await inbox.read($0) }
      }
    }
    for host in hosts {
      try await eventually("joined") { await host.snapshot.topics.contains { $0.topic == topic } }
    }
    defer { group.cancelAll() }
    try await body(inboxes)
  }
}

/// Keeps log lines, to be looked at.
final class LogBook: Sendable {
  struct Entry: Sendable {
    let level: Logger.Level
    let text: String
  }

  private let lines = Mutex<[Entry]>([])

  var logger: Logger {
    var logger = Logger(label: "test", factory: { _ in Handler(book: self) })
    logger.logLevel = .trace
    return logger
  }

  func contains(_ parts: String...) -> Bool {
    lines.withLock { $0.contains { line in parts.allSatisfy { line.text.contains($0) } } }
  }

  var text: String { lines.withLock { $0.map(\.text).joined(separator: "\n") } }

  private struct Handler: LogHandler {
    let book: LogBook
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let all = metadata.merging(event.metadata ?? [:]) { $1 }.map { "\($0)=\($1)" }.sorted()
      let entry = Entry(level: event.level, text: "\(event.message) \(all.joined(separator: " "))")
      book.lines.withLock { $0.append(entry) }
    }
  }
}
