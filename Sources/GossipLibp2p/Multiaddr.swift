/// Self-describing addresses: `/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW…`.
///
/// Source: multiformats `multiaddr` and its protocol table. Held and compared in binary form; both forms are
/// read strictly, so one address has one text and one encoding. We dial TCP, and know the other codes peers
/// use in order to skip their addresses. An unknown code makes *that* address unreadable, never the list
/// around it.

public import GossipCore

/// Why a text or some bytes are not an address we know.
public enum MultiaddrError: Error, Hashable, Sendable {
  case empty
  /// More bytes or parts than an address needs.
  case tooLong(Int, limit: Int)
  /// The bytes or the text end where `part` expects its value.
  case missingValue(part: String)
  /// A protocol we do not know, by name or code.
  case unknown(String)
  /// What was found where a value of `part` was expected.
  case badValue(part: String, found: String)
  /// Something follows `part`, which ends every address it is in.
  case notLast(part: String)
}

extension MultiaddrError: CustomStringConvertible {
  /// In words for people.
  public var description: String {
    switch self {
    case .empty: "address: empty, expected /name/value…"
    case .tooLong(let size, let limit): "address: \(size) bytes or parts, the limit is \(limit)"
    case .missingValue(let part): "address: /\(part) lacks its value"
    case .unknown(let what): "address: unknown protocol \(what)"
    case .badValue(let part, let found): "address: \"\(found)\" is no value for /\(part)"
    case .notLast(let part): "address: nothing can follow /\(part) and its path"
    }
  }
}

/// Where a peer is, as libp2p writes it: `/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW…`.
public struct Multiaddr: Hashable, Sendable {
  /// The binary form.
  public let bytes: [UInt8]

  /// Bytes of an address: the longest unix path and a peer id fit.
  public static let sizeMax = 512
  static let partsMax = 16

  /// The protocols an address may be made of, by their code.
  public enum Part: UInt16, CaseIterable, Sendable, Hashable {
    case ip4 = 4
    case tcp = 6
    case ip6 = 41
    case ip6zone = 42
    case dns = 53
    case dns4 = 54
    case dns6 = 55
    case dnsaddr = 56
    case udp = 273
    case p2pCircuit = 290
    case unix = 400
    case p2p = 421
    case tls = 448
    case noise = 454
    case quicV1 = 461
    case ws = 477
    case wss = 478
    /// Inside one process (rust-libp2p's memory transport): a number of 64 bits.
    case memory = 777

    /// Its name in the text form.
    public var name: String {
      switch self {
      case .p2pCircuit: "p2p-circuit"
      case .quicV1: "quic-v1"
      default: String(describing: self)
      }
    }

    init?(named name: Substring) {
      // `ipfs` is the older name of `p2p`.
      guard let part = Part.allCases.first(where: { $0.name == (name == "ipfs" ? "p2p" : name) }) else {
        return nil
      }
      self = part
    }

    /// Bytes of the value; nil if it is preceded by its length.
    fileprivate var fixedSize: Int? {
      switch self {
      case .ip4: 4
      case .ip6: 16
      case .tcp, .udp: 2
      case .memory: 8
      case .p2pCircuit, .tls, .noise, .quicV1, .ws, .wss: 0
      case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .unix, .p2p: nil
      }
    }
  }

  /// One `/name/value` of an address.
  public struct Component: Hashable, Sendable {
    /// Which part.
    public let part: Part
    /// The value in binary form, without its length.
    public let value: [UInt8]
  }

  /// Reads the text form.
  public init(_ text: String) throws(MultiaddrError) {
    guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count > 1 else { throw .empty }
    guard text.utf8.count <= 2 * Multiaddr.sizeMax else {
      throw .tooLong(text.utf8.count, limit: 2 * Multiaddr.sizeMax)
    }
    // By bytes: a mark that combines with the slash before it would make another Character of the two.
    var words = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .map { Substring($0) }[...]
    var bytes: [UInt8] = []
    var parts = 0
    while let name = words.popFirst() {
      guard let part = Part(named: name) else { throw .unknown(String(name)) }
      parts += 1
      guard parts <= Multiaddr.partsMax else { throw .tooLong(parts, limit: Multiaddr.partsMax) }
      var value: [UInt8] = []
      if part.fixedSize != 0 {
        // A path takes the rest of the text, slashes included.
        let found = part == .unix ? words.joined(separator: "/")[...] : words.first
        guard let found, !found.isEmpty else { throw .missingValue(part: part.name) }
        if part == .unix { words.removeAll() } else { words.removeFirst() }
        value = try Multiaddr.value(of: part, found)
      }
      Multiaddr.append(part, value[...], to: &bytes)
    }
    try self.init(bytes: bytes)
  }

  /// Reads the binary form.
  public init(bytes: [UInt8]) throws(MultiaddrError) {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= Multiaddr.sizeMax else { throw .tooLong(bytes.count, limit: Multiaddr.sizeMax) }
    var offset = 0
    var parts = 0
    while offset < bytes.count {
      let (part, range) = try Multiaddr.next(bytes, &offset)
      parts += 1
      guard parts <= Multiaddr.partsMax else { throw .tooLong(parts, limit: Multiaddr.partsMax) }
      guard Multiaddr.isValid(bytes[range], for: part) else {
        throw .badValue(part: part.name, found: Multiaddr.hex(bytes[range]))
      }
      // Its text takes all that follows, so nothing may.
      guard part != .unix || offset == bytes.count else { throw .notLast(part: part.name) }
    }
    self.bytes = bytes
  }

  private init(checked bytes: [UInt8]) { self.bytes = bytes }

  /// The parts in order.
  public var components: [Component] {
    var offset = 0
    var components: [Component] = []
    while offset < bytes.count, let (part, range) = try? Multiaddr.next(bytes, &offset) {
      components.append(Component(part: part, value: Array(bytes[range])))
    }
    return components
  }

  /// The peer that lives here: the last `/p2p` part.
  public var peer: PeerID? {
    components.last { $0.part == .p2p }.flatMap { PeerID($0.value) }
  }

  /// This address followed by another.
  /// - Throws: `MultiaddrError.tooLong`.
  public func encapsulating(_ inner: Multiaddr) throws(MultiaddrError) -> Multiaddr {
    try Multiaddr(bytes: bytes + inner.bytes)
  }

  /// This address with `/p2p/peer` at its end; after a path nothing can follow, so one of those stays as it is.
  public func with(_ peer: PeerID) -> Multiaddr {
    guard components.last?.part != .unix else { return self }
    var bytes = withoutPeer?.bytes ?? []
    Multiaddr.append(.p2p, peer.bytes[...], to: &bytes)
    return Multiaddr(checked: bytes)
  }

  /// This address without a `/p2p` part at its end; nil if nothing else is there.
  public var withoutPeer: Multiaddr? {
    guard components.last?.part == .p2p else { return self }
    var kept: [UInt8] = []
    for component in components.dropLast() {
      Multiaddr.append(component.part, component.value[...], to: &kept)
    }
    return kept.isEmpty ? nil : Multiaddr(checked: kept)
  }

  // MARK: Values

  private static func next(_ bytes: [UInt8], _ offset: inout Int) throws(MultiaddrError) -> (Part, Range<Int>)
  {
    let code = try number(bytes, &offset, "code")
    guard code <= UInt64(UInt16.max), let part = Part(rawValue: UInt16(code)) else {
      throw .unknown("code \(code)")
    }
    let size = part.fixedSize.map { UInt64($0) }
    let length = if let size { size } else { try number(bytes, &offset, part.name) }
    guard length <= UInt64(bytes.count - offset) else { throw .missingValue(part: part.name) }
    defer { offset += Int(length) }
    return (part, offset..<offset + Int(length))
  }

  private static func number(_ bytes: [UInt8], _ offset: inout Int, _ part: String) throws(MultiaddrError)
    -> UInt64
  {
    do {
      guard case .complete(let value, let size) = try unsafe Varint.read(bytes.span.bytes, at: offset) else {
        throw MultiaddrError.missingValue(part: part)
      }
      offset += size
      return value
    } catch let error as MultiaddrError {
      throw error
    } catch {
      throw .badValue(part: part, found: "\(error)")
    }
  }

  private static func append(_ part: Part, _ value: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    Varint.append(UInt64(part.rawValue), to: &bytes)
    if part.fixedSize == nil { Varint.append(UInt64(value.count), to: &bytes) }
    bytes.append(contentsOf: value)
  }

  private static func value(of part: Part, _ text: Substring) throws(MultiaddrError) -> [UInt8] {
    let value: [UInt8]? =
      switch part {
      case .ip4: IPText.v4(text)
      case .ip6: IPText.v6(text)
      case .tcp, .udp:
        IPText.decimal(text, max: 65_535).map { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
      case .memory:
        IPText.decimal(text, max: .max).map { number in
          (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
        }
      case .p2p: try? PeerID(parsing: String(text)).bytes
      default: Array(text.utf8)
      }
    guard let value else { throw .badValue(part: part.name, found: String(text)) }
    return value
  }

  private static func isValid(_ value: ArraySlice<UInt8>, for part: Part) -> Bool {
    switch part {
    case .p2p: (try? PeerID(multihash: Array(value))) != nil
    case .dns, .dns4, .dns6, .dnsaddr, .ip6zone:
      // Visible ASCII or beyond; a slash would make another address of its text.
      !value.isEmpty && value.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != 0x2f } && isText(value)
    case .unix: !value.isEmpty && !value.contains(0) && isText(value)
    default: true
    }
  }

  private static func isText(_ value: ArraySlice<UInt8>) -> Bool {
    String(validating: value, as: UTF8.self) != nil
  }

  private static func hex(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.prefix(32).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  fileprivate static func text(of component: Component) -> String {
    let value = component.value
    return switch component.part {
    case .ip4: IPText.text(v4: value[...])
    case .ip6: IPText.text(v6: value[...])
    case .tcp, .udp, .memory: String(value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    case .p2p: Base58.encode(value)
    default: String(decoding: value, as: UTF8.self)
    }
  }
}

extension Multiaddr: CustomStringConvertible {
  /// In words for people.
  public var description: String {
    components.map { component in
      let name = "/" + component.part.name
      return component.part.fixedSize == 0 ? name : name + "/" + Multiaddr.text(of: component)
    }.joined()
  }
}

extension Multiaddr {
  /// The IP address it begins with, 4 or 16 bytes; empty if it begins with anything else.
  public var ip: [UInt8] {
    guard let first = components.first, first.part == .ip4 || first.part == .ip6 else { return [] }
    return Array(first.value)
  }

  /// Where a TCP connection can be made to.
  public struct TCPEndpoint: Hashable, Sendable {
    /// What names the host.
    public enum Kind: Sendable, Hashable {
      case ip4
      case ip6
      /// A name with addresses of either family.
      case dns
      /// A name to resolve to IPv4 addresses.
      case dns4
      /// A name to resolve to IPv6 addresses.
      case dns6
    }

    /// What names the host.
    public let kind: Kind
    /// The address or name as text; an IPv6 zone is appended after `%`.
    public let host: String
    /// The TCP port; 0 lets the system choose when listening.
    public let port: UInt16
  }

  /// The endpoint of `/{ip4,ip6,dns…}/…/tcp/N`, with nothing but `/p2p` behind it; nil for other addresses.
  public var tcpEndpoint: TCPEndpoint? {
    var rest = components[...]
    var zone = ""
    if rest.first?.part == .ip6zone, let component = rest.popFirst() {
      zone = "%" + Multiaddr.text(of: component)
    }
    guard let host = rest.popFirst(), let tcp = rest.popFirst(), tcp.part == .tcp,
      rest.isEmpty || (rest.count == 1 && rest.first?.part == .p2p)
    else { return nil }
    let kind: TCPEndpoint.Kind
    switch host.part {
    case .ip4: kind = .ip4
    case .ip6: kind = .ip6
    case .dns: kind = .dns
    case .dns4: kind = .dns4
    case .dns6: kind = .dns6
    default: return nil
    }
    guard zone.isEmpty || kind == .ip6 else { return nil }
    let port = UInt16(tcp.value[0]) << 8 | UInt16(tcp.value[1])
    return TCPEndpoint(kind: kind, host: Multiaddr.text(of: host) + zone, port: port)
  }

  /// The address of a TCP endpoint given as IP text; nil if `ip` is neither IPv4 nor IPv6.
  public init?(ip: String, tcp port: UInt16) {
    let address = ip.utf8.split(separator: UInt8(ascii: "%"), maxSplits: 1).map { Substring($0) }
    guard let host = address.first else { return nil }
    var bytes: [UInt8] = []
    if let value = IPText.v4(host) {
      Multiaddr.append(.ip4, value[...], to: &bytes)
    } else if let value = IPText.v6(host) {
      if address.count == 2 { Multiaddr.append(.ip6zone, Array(address[1].utf8)[...], to: &bytes) }
      Multiaddr.append(.ip6, value[...], to: &bytes)
    } else {
      return nil
    }
    Multiaddr.append(.tcp, [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)], to: &bytes)
    guard let address = try? Multiaddr(bytes: bytes) else { return nil }
    self = address
  }
}
