public import GossipCore

/// Anything that can be driven like a node: an honest one, or one wearing a mask.
///
/// A mask holds a node, lets it answer, and edits the answers; the product itself knows no malice.
public protocol Participant: Sendable {
  /// When it wants to be woken, if nothing else happens first.
  var deadline: Instant? { get }
  /// One turn: takes in what happened and appends what it asks for.
  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect])
}

extension Node: Participant {}
