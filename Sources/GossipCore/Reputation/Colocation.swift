import OrderedCollections

/// Which connected peers share an address (P6).
///
/// An IPv6 peer counts for its address and for its /64, which one subscriber usually has. Loopback and exempt ranges
/// count for nobody. Source: libp2p `gossipsub-v1.1.md` "P₆"; /64 as in go-libp2p-pubsub.
/// Bound: two entries per connected peer.
struct Colocation: Sendable {
  private var sharers: [[UInt8]: OrderedSet<PeerID>] = [:]
  private let threshold: Int
  private let exempt: [AddressRange]

  init(threshold: Int, exempt: [AddressRange]) { (self.threshold, self.exempt) = (threshold, exempt) }

  /// The peer is at this address (4 or 16 bytes).
  /// - Returns: whose values change.
  mutating func add(_ peer: PeerID, at address: [UInt8]) -> OrderedSet<PeerID> {
    var changed: OrderedSet<PeerID> = []
    for key in keys(address) {
      sharers[key, default: []].append(peer)
      changed.formUnion(sharers[key]!)
    }
    return changed
  }

  mutating func remove(_ peer: PeerID, from address: [UInt8]) -> OrderedSet<PeerID> {
    var changed: OrderedSet<PeerID> = []
    for key in keys(address) {
      sharers[key]?.remove(peer)
      guard let rest = sharers[key] else { continue }
      if rest.isEmpty { sharers[key] = nil } else { changed.formUnion(rest) }
    }
    return changed
  }

  /// Σ (n − threshold)² over addresses with n > threshold peers.
  func value(at address: [UInt8]) -> Double {
    keys(address).reduce(0) { sum, key in
      let excess = Double(max(0, (sharers[key]?.count ?? 0) - threshold))
      return sum + excess * excess
    }
  }

  private func keys(_ address: [UInt8]) -> [[UInt8]] {
    let address = AddressRange.plain(address)
    guard address.count == 4 || address.count == 16,
      !AddressRange.loopback.contains(where: { $0.contains(address) }),
      !exempt.contains(where: { $0.contains(address) })
    else { return [] }
    return address.count == 4 ? [address] : [address, Array(address.prefix(8))]
  }
}

/// A range of IP addresses, such as 10.0.0.0/8.
public struct AddressRange: Hashable, Sendable {
  /// 4 or 16 bytes.
  public let bytes: [UInt8]
  /// How many leading bits an address must share.
  public let bits: Int

  /// Made of its parts.
  public init(_ bytes: [UInt8], bits: Int) { (self.bytes, self.bits) = (bytes, bits) }

  static let loopback = [
    AddressRange([127, 0, 0, 0], bits: 8), AddressRange([UInt8](repeating: 0, count: 15) + [1], bits: 128),
  ]

  var isValid: Bool { (bytes.count == 4 || bytes.count == 16) && (0...bytes.count * 8).contains(bits) }

  /// Whether the address is in the range; an IPv4 address is not in a range of IPv6.
  public func contains(_ address: [UInt8]) -> Bool {
    let address = AddressRange.plain(address)
    guard isValid, address.count == bytes.count else { return false }
    let (whole, rest) = (bits / 8, bits % 8)
    guard address.prefix(whole).elementsEqual(bytes.prefix(whole)) else { return false }
    return rest == 0 || (address[whole] ^ bytes[whole]) >> (8 - rest) == 0
  }

  /// An IPv4 address in IPv6's clothes is an IPv4 address.
  static func plain(_ address: [UInt8]) -> [UInt8] {
    let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
    return address.count == 16 && address.starts(with: mapped) ? Array(address.suffix(4)) : address
  }
}
