import Foundation
import GossipFuzz
import Testing

/// Every input the fuzzer was ever given a reason to keep, and some it was not, through every decoder.
@Suite struct `A decoder` {
  private static let corpora = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fuzz/Corpus")

  private static func corpus(of target: FuzzTarget) throws -> [[UInt8]] {
    let folder = corpora.appending(
      path: "Fuzz\(target.rawValue.prefix(1).uppercased())\(target.rawValue.dropFirst())")
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .sorted { $0.path < $1.path }.map { [UInt8](try Data(contentsOf: $0)) }
  }

  @Test(arguments: FuzzTarget.allCases)
  func `survives its corpus`(target: FuzzTarget) throws {
    let inputs = try Self.corpus(of: target)
    #expect(!inputs.isEmpty)
    for input in inputs { target.run(input) }
  }

  @Test(arguments: FuzzTarget.allCases)
  func `survives mutations of its corpus`(target: FuzzTarget) throws {
    var state: UInt64 = 42
    func dice(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % max(1, bound)
    }
    for input in try Self.corpus(of: target).prefix(50) {
      for _ in 0..<5 {
        var mutated = input
        for _ in 0...dice(4) where !mutated.isEmpty {
          switch dice(3) {
          case 0: mutated[dice(mutated.count)] = UInt8(dice(256))
          case 1: mutated.remove(at: dice(mutated.count))
          default: mutated.insert(UInt8(dice(256)), at: dice(mutated.count))
          }
        }
        target.run(mutated)
      }
    }
  }
}
