import GossipCore

/// A running hash over everything that happens, the same in every process.
///
/// Not meant against attackers: it tells two lives apart.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
  private var a: UInt64 = 0x9e37_79b9_7f4a_7c15
  private var b: UInt64 = 0xc2b2_ae3d_27d4_eb4f

  /// Nothing has happened yet.
  public init() {}

  /// Its 128 bits.
  public var words: (UInt64, UInt64) { (a, b) }

  /// Adds a word.
  public mutating func add(_ word: UInt64) {
    a = (a ^ word) &* 0xff51_afd7_ed55_8ccd
    a ^= a >> 32
    b = (b &+ word) &* 0xc4ce_b9fe_1a85_ec53
    b ^= b >> 29
    b &+= a
  }

  /// Adds bytes, and how many they are.
  public mutating func add(_ bytes: some Collection<UInt8>) {
    add(UInt64(bytes.count))
    var word: UInt64 = 0
    var filled: UInt64 = 0
    for byte in bytes {
      word |= UInt64(byte) << (8 * filled)
      filled += 1
      if filled == 8 {
        add(word)
        (word, filled) = (0, 0)
      }
    }
    if filled > 0 { add(word) }
  }

  /// 32 hexadecimal digits.
  public var description: String {
    func hex(_ word: UInt64) -> String {
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    return hex(a) + hex(b)
  }
}

extension Fingerprint {
  /// Adds what a node is told: its kind, and all it says.
  mutating func add(_ input: Node.Input) {
    switch input {
    case .connected(let peer, let link): add(1, peer, link.isOutbound ? 1 : 0)
    case .disconnected(let peer, let severance):
      add(2, peer)
      add(severance.reason.utf8)
    case .opened(let peer, let manner, let version):
      add(3, peer, UInt64(manner.rawValue))
      add(version.name.utf8)
    case .closed(let peer, let manner): add(4, peer, UInt64(manner.rawValue))
    case .received(let frame, let peer):
      add(5, peer, UInt64(frame.manner.rawValue))
      add(frame.encoded)
    case .garbled(let error, let peer):
      add(6, peer)
      add("\(error)".utf8)
    case .shed(let peer, let lane, let count):
      add(7, peer, UInt64(lane.rawValue))
      add(UInt64(count))
    case .publish(let draft): add(8, draft.token, draft.topic, draft.payload, draft.audience)
    case .subscribe(let topic, let policy):
      add(9)
      add(topic.name.utf8)
      add(UInt64(policy.spread.rawValue))
      add(policy.signing.rawValue.utf8)
    case .unsubscribe(let topic):
      add(10)
      add(topic.name.utf8)
    case .ask(let inquiry):
      add(11, inquiry.token, inquiry.topic, inquiry.payload, inquiry.audience)
      add(UInt64(bitPattern: inquiry.patience.nanoseconds))
    case .withdraw(let token):
      add(12)
      add(token)
    case .answer(let ticket, let answer):
      add(13)
      add(ticket.number)
      switch answer {
      case .success(let payload): add(payload.bytes)
      case .failure(let failure): add("\(failure)".utf8)
      }
    case .checked(let ticket, let authentic):
      add(authentic ? 14 : 15)
      add(ticket.number)
    case .judged(let ticket, let verdict):
      add(verdict == .accept ? 16 : verdict == .reject ? 17 : 18)
      add(ticket.number)
    case .signed(let ticket, let signature, _):
      add(19)
      add(ticket.number)
      add(signature)
    case .watchReach(let id, let isWatched):
      add(isWatched ? 20 : 21)
      add(id.bytes)
    case .wake: add(22)
    }
  }

  private mutating func add(_ kind: UInt64, _ peer: PeerID, _ detail: UInt64 = 0) {
    add(kind << 8 | detail)
    add(peer.bytes)
  }

  private mutating func add(
    _ kind: UInt64, _ token: UInt64, _ topic: Topic, _ payload: Payload, _ audience: Audience
  ) {
    add(kind)
    add(token)
    add(topic.name.utf8)
    add(payload.bytes)
    switch audience {
    case .everyone: add(0)
    case .one(let peer): add(peer.bytes)
    case .many(let peers): for peer in peers { add(peer.bytes) }
    }
  }
}
