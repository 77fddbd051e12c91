/// Fixed small workloads, one per step of a message's way, for counting the instructions a step takes.
///
/// Each is deterministic to the last bit: no clock, no dice, no input but the number of rounds. What prepares a
/// workload does not depend on that number, so the instructions of `2n` rounds minus those of `n` are those of `n`
/// rounds alone. `Scripts/instructions` counts them and compares with Benchmarks/instructions.tsv.
///
/// A workload checks its own outcome by `precondition`: what was counted has really happened.

/// One step of a message's way, done again and again.
public struct Workload: Sendable {
  /// How the command line calls it.
  public let name: String
  /// Rounds that take some tens of millions of instructions; `run` takes up to twice as many.
  public let rounds: Int
  /// Does so many rounds.
  /// - Returns: how many units were done: rounds, unless one round does many.
  public let run: @Sendable (_ rounds: Int) -> Int

  init(_ name: String, rounds: Int, _ run: @escaping @Sendable (Int) -> Int) {
    self.name = name
    self.rounds = rounds
    self.run = { [capacity = 2 * rounds] rounds in
      precondition(
        (0...capacity).contains(rounds), "\(rounds) rounds of \(name), it takes \(capacity) at most")
      return run(rounds)
    }
  }

  /// All workloads, from the wire inwards.
  public static let all: [Workload] = [
    decodeMessage, decodeOffer, encodeMessage, nodeDuplicate, nodeForward, nodeForwardSigned, noise, yamux,
    session, simulator,
  ]
}
