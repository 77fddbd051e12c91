public import GossipCore

/// Anything that can be driven like a node: an honest one, or one wearing a mask.
public protocol Participant: Sendable {
  /// When it wants to be woken, if nothing else happens first.
  var deadline: Instant? { get }
  mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect])
  /// What it did in its last turn that no node could ask for; asked of hostile participants only.
  mutating func takeDeeds() -> [Deed]
}

/// What a node cannot ask for, and a hostile participant does all the same.
public enum Deed: Hashable, Sendable {
  /// Dial this peer, and again whenever the link is lost.
  case dial(PeerID)
  /// Write these bytes to its stream of this manner, past the queue; frames with their lengths in front.
  case write([UInt8], Manner, to: PeerID)
}

extension Participant {
  /// Nothing, for those who keep the rules.
  public mutating func takeDeeds() -> [Deed] { [] }
  /// Its deadline. Mutating, so that asking what is in a table does not copy the whole participant first.
  mutating func nextDeadline() -> Instant? { deadline }
}

extension Node: Participant {}

/// Names and notional keys of participants.
///
/// A signature here is a mix of author and bytes that only this file can make: enough to tell a genuine message from
/// a forged one, a thousand times cheaper than a real key.
public enum Notional {
  /// A well-formed peer id for participant `index`: the shape of an Ed25519 key's.
  public static func peer(_ index: Int) -> PeerID {
    var mix = Fingerprint()
    mix.add(UInt64(index))
    mix.add(0x7065_6572)
    let words = [mix.words.0, mix.words.1, mix.words.0 &* 3, UInt64(index)]
    let key = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    guard let peer = PeerID([0, 36, 8, 1, 18, 32] + key) else { preconditionFailure("participant \(index)") }
    return peer
  }

  /// What `author` signs `bytes` with, 64 bytes.
  public static func signature(of author: PeerID, over bytes: [UInt8]) -> [UInt8] {
    var mix = Fingerprint()
    mix.add(author.bytes)
    mix.add(bytes)
    let (a, b) = mix.words
    return [a, b, a &+ b, a ^ b, a, b, a &* 5, b &* 7].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }
  }

  /// Whether the message carries its claimed author's signature.
  public static func isAuthentic(_ message: WireMessage) -> Bool {
    guard let author = message.claimedAuthor, let signature = message.signature else { return false }
    return Array(signature) == Notional.signature(of: author, over: message.signedBytes)
  }
}

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
  public mutating func add(_ bytes: [UInt8]) {
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

/// Reproducible dice for the world itself (SplitMix64).
public struct WorldDice: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Dice that fall alike for one seed.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// 32 bytes to seed a node with.
  mutating func seed() -> [UInt8] {
    (0..<4).flatMap { _ in
      let word = next()
      return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }
  }
}
