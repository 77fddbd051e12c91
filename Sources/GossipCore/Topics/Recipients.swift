/// For whom a message is meant that is not for everyone on its topic, and which way it takes to them.
///
/// It stands in the message itself, in front of the author's signature: field 0x200d21, in the range libp2p leaves to
/// experiments, a message of 1 way and 2 recipient, repeated. Nodes that do not know the field pass the message on as
/// one for everyone, and deliver it.
///
/// Source: Bamboo gossip v2, messages for "destinated nodes"; the format is ours.
public struct Recipients: Hashable, Sendable {
  /// The way the author chose.
  public let way: AudienceDecision.Choice
  /// Whom the message is for, each once.
  public let peers: [PeerID]

  /// Made of its parts.
  public init(_ peers: [PeerID], by way: AudienceDecision.Choice) { (self.peers, self.way) = (peers, way) }

  static let field = 0x20_0d21

  /// The field's content.
  var encoded: [UInt8] {
    var out: [UInt8] = []
    Protobuf.append(field: 1, varint: way.number, to: &out)
    for peer in peers { Protobuf.append(field: 2, bytes: peer.bytes, to: &out) }
    return out
  }

  /// Reads the field's content.
  /// - Throws: `WireError` if the way is none, or a recipient is none, or there are too many.
  init(_ span: RawSpan, _ range: Range<Int>, _ limits: WireLimits) throws(WireError) {
    var reader = ProtobufReader(range)
    var way: AudienceDecision.Choice?
    var peers: [PeerID] = []
    while let (field, value) = try reader.next(span, in: "recipients") {
      switch (field, value) {
      case (1, .varint(let number)): way = AudienceDecision.Choice(number)
      case (2, .bytes(let part)):
        guard let peer = PeerID(span.copy(part)[...]) else { throw .malformed("recipients: not a peer id") }
        try WireError.check("recipients", peers.count + 1, limits.recipientsMax)
        peers.append(peer)
      default: continue
      }
    }
    guard let way, !peers.isEmpty else { throw .malformed("recipients: no way, or nobody") }
    (self.way, self.peers) = (way, peers)
  }
}

extension AudienceDecision.Choice {
  fileprivate var number: UInt64 {
    switch self {
    case .direct: 1
    case .subOverlay: 2
    case .fullOverlay: 3
    }
  }

  fileprivate init?(_ number: UInt64) {
    guard let choice = Self.allCases.first(where: { $0.number == number }) else { return nil }
    self = choice
  }
}
