/// Spares the hash of a copy: if the same bytes came before, their id is known.
///
/// A few words of each encoding say where to look, a comparison of all bytes decides; 1 KiB takes a twentieth of its
/// SHA-256. Bound: `placesMax` messages of at most `sizeMax` bytes, each of which gives way to the next one in its
/// place; while a message is in the store its bytes are the same ones.
struct Twins: Sendable {
  private static let placesMax = 128
  private static let sizeMax = 128 << 10
  /// How often there was no twin.
  private(set) var hashed: UInt64 = 0
  private var places = [(bytes: [UInt8], id: MessageID)?](repeating: nil, count: placesMax)

  /// The id of `wire` by its content.
  mutating func id(of wire: WireMessage) -> MessageID {
    guard wire.bytes.count <= Twins.sizeMax else { return MessageIdentification.contentHash.id(of: wire) }
    let place = Twins.place(of: wire.bytes)
    if let twin = places[place], wire.hasSameBytes(as: twin.bytes) { return twin.id }
    let id = MessageIdentification.contentHash.id(of: wire)
    places[place] = (wire.bytes, id)
    hashed += 1
    return id
  }

  /// Mixes bytes of the beginning, the middle and the end.
  private static func place(of bytes: [UInt8]) -> Int {
    var mix = UInt64(bytes.count) &* 0x9e37_79b9_7f4a_7c15
    let step = max(1, bytes.count / 16)
    for index in stride(from: 0, to: bytes.count, by: step) {
      mix = (mix ^ UInt64(bytes[index])) &* 0xff51_afd7_ed55_8ccd
      mix ^= mix >> 32
    }
    return Int(mix % UInt64(placesMax))
  }
}
