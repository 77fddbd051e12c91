import ArgumentParser
import GossipCore
import GossipHost
import GossipLibp2p
import Logging

/// A short-lived node: joins a network, does one thing, leaves in order.
enum Visitor {
  /// Runs `body` with a host that is connected to at least one of the given addresses.
  static func visit<R: Sendable>(
    _ options: VisitorOptions, patience: Duration, _ body: @escaping @Sendable (Host) async throws -> R
  ) async throws -> R {
    var configuration = HostConfiguration()
    configuration.identity = try options.key.map { try KeyFile.read($0) } ?? Identity.random()
    configuration.listen = []
    configuration.node.manners = [options.spread]
    configuration.logger = Logs.make(options.verbose ? .debug : .error)
    let host = try makeHost(configuration)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await host.run() }
      do {
        try await connect(host, to: options.connect, patience)
        let result = try await body(host)
        group.cancelAll()
        try? await group.waitForAll()  // how the host left does not change the result
        return result
      } catch {
        group.cancelAll()
        try? await group.waitForAll()
        throw error
      }
    }
  }

  static func makeHost(_ configuration: HostConfiguration) throws -> Host {
    do { return try Host(configuration) } catch {
      Terminal.say("gossip: \(error)")
      throw Exit.badConfiguration
    }
  }

  /// One reachable address is enough; each failure is told.
  private static func connect(_ host: Host, to addresses: [Multiaddr], _ patience: Duration) async throws {
    let reached = await withTaskGroup(of: Bool.self) { group in
      for address in addresses {
        group.addTask {
          do {
            _ = try await host.connect(to: address)
            return true
          } catch {
            Terminal.say("gossip: \(address): \(error)")
            return false
          }
        }
      }
      var reached = 0
      for await isReached in group where isReached { reached += 1 }
      return reached
    }
    guard reached > 0 else { throw Exit.failed }
  }
}

/// The log of all commands: one line per event on standard error.
enum Logs {
  static func make(_ level: Logger.Level) -> Logger {
    var logger = Logger(label: "gossip", factory: { StreamLogHandler.standardError(label: $0) })
    logger.logLevel = level
    return logger
  }
}
