import Foundation
import GossipCore
import GossipSim
import Testing

@Suite struct `A simulation` {
  private static func scenario(nodes: Int, seed: UInt64) -> Scenario {
    var scenario = Scenario()
    scenario.nodes = nodes
    scenario.messages = 10
    scenario.crashes = nodes / 10
    scenario.restarts = true
    scenario.size = 256
    scenario.seed = seed
    return scenario
  }

  // GS-56
  @Test func `lives the same life twice, and another with another seed`() throws {
    let first = try Self.scenario(nodes: 40, seed: 1).run()
    let again = try Self.scenario(nodes: 40, seed: 1).run()
    let other = try Self.scenario(nodes: 40, seed: 2).run()
    #expect(first.fingerprint == again.fingerprint)
    #expect(first.json == again.json)
    #expect(first.fingerprint != other.fingerprint)
    #expect(first.violations.isEmpty && first.coverage == 1)
  }

  /// Hash seeds differ from process to process: a walk over a `Set` or `Dictionary` would show here.
  @Test func `lives the same life in two processes`() async throws {
    let fingerprints = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<2 { group.addTask { try await Self.fingerprintOfAnotherProcess() } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let here = try Self.scenario(nodes: 300, seed: 7).run().fingerprint
    #expect(fingerprints == [here, here])
  }

  private static func fingerprintOfAnotherProcess() async throws -> String {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardOutputContent]
    ) {
      var scenario = Scenario()
      scenario.nodes = 300
      scenario.messages = 10
      scenario.crashes = 30
      scenario.restarts = true
      scenario.size = 256
      scenario.seed = 7
      FileHandle.standardOutput.write(Data("<\(try scenario.run().fingerprint)>".utf8))
    }
    let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    let start = try #require(output.firstIndex(of: "<"))
    let end = try #require(output[start...].firstIndex(of: ">"))
    return String(output[output.index(after: start)..<end])
  }

  @Test func `refuses settings that cannot work`() {
    for change: (inout Scenario) -> Void in [
      { $0.nodes = 0 }, { $0.rate = 0 }, { $0.size = 7 }, { $0.publishers = 0 }, { $0.crashes = 1_000 },
      { $0.network.bandwidth = 0 }, { $0.policy.signing = .strictNoSign },
    ] {
      var scenario = Scenario()
      change(&scenario)
      #expect(throws: ConfigurationError.self) { try scenario.run() }
    }
  }
}
