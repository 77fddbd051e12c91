/// The names under which disseminations meet on the wire, and which manner of spreading each belongs to.

/// A libp2p protocol id, such as `/meshsub/1.2.0`. Compared byte for byte, case-sensitive.
public struct ProtocolName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// The id as it stands on the wire.
  public let name: String

  /// The protocol of this id.
  public init(_ name: String) { self.name = name }
  /// The protocol of this id.
  public init(stringLiteral name: String) { self.name = name }

  /// In words for people.
  public var description: String { name }

  /// Whether the UTF-8 bytes are equal.
  public static func == (a: ProtocolName, b: ProtocolName) -> Bool { a.name.utf8.elementsEqual(b.name.utf8) }

  /// Hashes the UTF-8 bytes.
  public func hash(into hasher: inout Hasher) {
    for byte in name.utf8 { hasher.combine(byte) }
  }
}

/// A manner of spreading: one dissemination, with the protocol ids it answers to.
///
/// Each manner has streams of its own between two peers; a frame belongs to the manner of its stream.
public enum Manner: UInt8, CaseIterable, Hashable, Sendable {
  /// libp2p GossipSub v1.0 to v1.2.
  case gossipSub
  /// One to one, one to many, one to all, with replies (Bamboo v1).
  case direct
  /// Bursts to a few random members (Fabric).
  case push
  /// Offers to random members until enough were infected (Casper).
  case infection
  /// Adverts to all, fetched by priority (the Internet Computer).
  case advert
  /// Numbered slots that show what is current (the Internet Computer's later broadcast).
  case slots
  /// Digests along an epoch's fanout sets, then request and message (Bamboo v2).
  case digestFirst
  /// Heals topics that any of the others spread: digests, heights, resending on new links.
  case antiEntropy

  /// The ids to offer, the most wanted first.
  public var protocols: [ProtocolName] {
    switch self {
    case .gossipSub: ["/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0"]
    case .direct: ["/gossip/direct/1.0.0"]
    case .push: ["/gossip/push/1.0.0"]
    case .infection: ["/gossip/infection/1.0.0"]
    case .advert: ["/gossip/advert/1.0.0"]
    case .slots: ["/gossip/slots/1.0.0"]
    case .digestFirst: ["/gossip/digest-first/1.0.0"]
    case .antiEntropy: ["/gossip/anti-entropy/1.0.0"]
    }
  }

  /// Those whose streams every node opens; the others' are opened when a topic first needs them.
  public static let spokenAlways: [Manner] = [.gossipSub, .direct]

  /// Those that can spread a topic: all but the healer.
  public static let spreading: [Manner] = allCases.filter { $0 != .antiEntropy }
}
