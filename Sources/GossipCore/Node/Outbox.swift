import OrderedCollections

/// What is said during a turn, gathered so that everything said to one peer on one stream leaves as one frame.
struct Outbox: Sendable {
  private struct Address: Hashable {
    let peer: PeerID
    let manner: Manner
  }

  private var frames: OrderedDictionary<Address, Frame> = [:]

  mutating func say(_ control: Control, to peer: PeerID, _ manner: Manner) {
    frames[Address(peer: peer, manner: manner), default: Frame(manner)].controls.append(control)
  }

  mutating func announce(_ subscription: Subscription, to peer: PeerID, _ manner: Manner) {
    frames[Address(peer: peer, manner: manner), default: Frame(manner)].subscriptions.append(subscription)
  }

  mutating func forward(_ message: WireMessage, to peer: PeerID, _ manner: Manner) {
    frames[Address(peer: peer, manner: manner), default: Frame(manner)].messages.append(message)
  }

  /// Hands out the frames in the order in which their peers were first spoken to.
  mutating func flush(into effects: inout [Node.Effect], _ counters: inout Counters) {
    guard !frames.isEmpty else { return }
    for (address, frame) in frames {
      counters.framesSent += 1
      counters.messagesSent += UInt64(frame.messages.count)
      effects.append(.send(frame, to: address.peer))
    }
    frames.removeAll(keepingCapacity: true)
  }
}
