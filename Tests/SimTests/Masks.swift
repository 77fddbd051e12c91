import GossipCore
import GossipSim

/// A node that takes part in everything but hears no offers of messages: it stays silent, or lies.
struct Masked: Participant {
  /// How it answers offers.
  enum Answer: Sendable {
    /// Not at all.
    case nothing
    /// It lacks everything, whatever it was given before; and never tells anybody.
    case want
  }

  var node: Node
  let answer: Answer

  var deadline: Instant? { node.deadline }

  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
    guard case .received(var frame, let peer) = input else {
      return node.handle(input, at: now, into: &effects)
    }
    var offered: [MessageID] = []
    for case .have(_, let ids) in frame.controls { offered += ids }
    frame.messages = []
    frame.controls = []
    node.handle(.received(frame, from: peer), at: now, into: &effects)
    guard answer == .want, !offered.isEmpty else { return }
    var reply = Frame(frame.manner)
    reply.controls = [.want(offered)]
    effects.append(.send(reply, to: peer))
  }
}

extension World {
  /// Adds a masked node.
  @discardableResult
  mutating func add(_ configuration: Configuration = Configuration(), answering answer: Masked.Answer) -> Int
  {
    add { id, seed, birth in
      do { return Masked(node: try Node(configuration, as: id, seed: seed, at: birth), answer: answer) } catch
      {
        preconditionFailure("the configuration was not checked: \(error)")
      }
    }
  }
}
