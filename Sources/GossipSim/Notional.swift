public import GossipCore

/// Names and notional keys of participants.
///
/// A signature here is a mix of author and bytes that only this file can make: enough to tell a genuine message from
/// a forged one, a thousand times cheaper than a real key.
public enum Notional {
  /// A well-formed peer id for participant `index`: the shape of an Ed25519 key's, with the index in its last bytes.
  public static func peer(_ index: Int) -> PeerID {
    var mix = Fingerprint()
    mix.add(UInt64(index))
    mix.add(0x7065_6572)
    let words = [mix.words.0, mix.words.1, mix.words.0 &* 3, UInt64(index)]
    guard let peer = PeerID([0, 36, 8, 1, 18, 32] + bytes(of: words)) else {
      preconditionFailure("participant \(index)")
    }
    return peer
  }

  /// What `author` signs `bytes` with, 64 bytes.
  public static func signature(of author: PeerID, over bytes: [UInt8]) -> [UInt8] {
    var mix = Fingerprint()
    mix.add(author.bytes)
    mix.add(bytes)
    let (a, b) = mix.words
    return Notional.bytes(of: [a, b, a &+ b, a ^ b, a, b, a &* 5, b &* 7])
  }

  /// Whether the message carries its claimed author's signature.
  public static func isAuthentic(_ message: WireMessage) -> Bool {
    guard let author = message.claimedAuthor, let signature = message.signature else { return false }
    return signature.elementsEqual(Notional.signature(of: author, over: message.signedBytes))
  }

  private static func bytes(of words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
  }
}
