import GossipCore

/// Peers, topics and messages that need no keys.

/// The topic most tests speak about, and others.
let t: Topic = "t"
let u: Topic = "u"

/// A well-formed id, the shape of an Ed25519 key's. The node under test is `peer(0)`.
func peer(_ number: Int) -> PeerID {
  let tail = [UInt8(number >> 8), UInt8(number & 0xff)] + [UInt8](repeating: UInt8(number & 0xff), count: 30)
  guard let peer = PeerID([0, 36, 8, 1, 18, 32] + tail) else { preconditionFailure("peer \(number)") }
  return peer
}

func peers(_ numbers: ClosedRange<Int>) -> [PeerID] { numbers.map(peer) }

/// Which `peer(…)` this is.
func number(of peer: PeerID) -> Int { Int(peer.bytes[6]) << 8 | Int(peer.bytes[7]) }

/// A payload of so many bytes.
func bytes(_ count: Int) -> Payload { Payload([UInt8](repeating: 0x62, count: count)) }

/// Any id.
func id(_ number: Int) -> MessageID { MessageID([0xff, UInt8(number >> 8 & 0xff), UInt8(number & 0xff), 0]) }

func ids(_ numbers: Range<Int>) -> [MessageID] { numbers.map(id) }

/// Signatures that only these tests can make: enough to tell a genuine message from a forged one.
enum Notional {
  static func signature(of author: PeerID, over bytes: [UInt8]) -> [UInt8] {
    var mix: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in author.bytes + bytes { mix = (mix ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return (0..<8).map { UInt8(truncatingIfNeeded: mix >> (8 * UInt64($0))) }
  }

  static func isAuthentic(_ message: WireMessage) -> Bool {
    guard let author = message.claimedAuthor, let signature = message.signature else { return false }
    return Array(signature) == Notional.signature(of: author, over: message.signedBytes)
  }
}

extension WireMessage {
  /// A signed message.
  static func by(
    _ author: PeerID, _ number: UInt64, _ payload: Payload = "hello", on topic: Topic = t,
    for recipients: Recipients? = nil
  ) -> WireMessage {
    let message = WireMessage(
      topic: topic, payload: payload, author: author, sequence: number, for: recipients)
    return message.signed(Notional.signature(of: author, over: message.signedBytes))
  }

  /// A message nobody signed and nobody claims.
  static func anonymous(_ payload: Payload, on topic: Topic = t) -> WireMessage {
    WireMessage(topic: topic, payload: payload, author: nil, sequence: nil)
  }

  /// The default id.
  var authorID: MessageID { MessageIdentification.author.id(of: self) }
  /// The id of its content.
  var contentID: MessageID { MessageIdentification.contentHash.id(of: self) }
}

extension TopicPolicy {
  /// Anonymous messages under the ids of their content.
  static let anonymous = TopicPolicy(signing: .strictNoSign, identification: .contentHash)
  static let judged = TopicPolicy(isJudged: true)
  static let direct = TopicPolicy(spread: .direct)
}

/// Dice for tests (SplitMix64).
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
