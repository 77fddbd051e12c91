public import GossipCore

/// What the simulator's application thinks of a message: its payload says.
public enum Judging {
  /// What the payload of a message begins with that no application accepts.
  public static let invalidPayload = Array("invalid ".utf8)
  private static let awaitingPayload = Array("awaits ".utf8)

  /// The payload of a message that cannot be judged before another one is there.
  /// - Parameter rest: further bytes.
  public static func payload(awaiting id: MessageID, _ rest: [UInt8] = []) -> Payload {
    Payload(awaitingPayload + [UInt8(truncatingIfNeeded: id.count)] + id.bytes + rest)
  }

  /// A pure function of the message, the same at everybody.
  public static func verdict(_ message: Message, at participant: Int) -> Verdict {
    let bytes = message.payload.bytes
    if bytes.starts(with: invalidPayload) { return .reject }
    guard bytes.starts(with: awaitingPayload) else { return .accept }
    let rest = bytes.dropFirst(awaitingPayload.count)
    guard let count = rest.first, rest.count > Int(count) else { return .reject }
    return .await([MessageID(Array(rest.dropFirst().prefix(Int(count))))])
  }
}
