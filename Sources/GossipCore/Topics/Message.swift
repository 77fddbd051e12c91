/// A pubsub message: as it stands on the wire, and as the node and the application know it.
///
/// The encoded form is kept as it came and forwarded unchanged: one copy when it leaves the read buffer,
/// shared from then on by store, subscriber and every outgoing frame. That also keeps fields we do not know,
/// which the author's signature covers.
///
/// Source: libp2p `pubsub/README.md`; fields 1 from, 2 data, 3 seqno, 4 topic, 5 signature, 6 key.

/// One encoded message and where its fields lie. Made by the decoder or by `WireMessage.init(...)`.
public struct WireMessage: Sendable {
  /// The encoding, without the key and length that stand in front of it inside a frame.
  public private(set) var bytes: [UInt8]
  /// Where it goes.
  public let topic: Topic

  private let author, data, seqno: Extent
  private var signed, keyed: Extent
  /// The signature's and the key's whole fields, key and length included.
  private var signatureField, keyField: Extent

  /// Ordinary, or part of an object too large for one message.
  public private(set) var kind: Kind
  /// Which way it takes if it is not for everyone.
  public let way: AudienceDecision.Choice?
  private let addressed: Extent
  /// How many nodes in a row have passed it on without examining it, as whoever sent it says; 0 to 127.
  ///
  /// Not the author's, and so no part of `bytes`: it stands behind them on the wire, as the last field, 0x200d22.
  public var unexaminedHops: UInt8 = 0

  static let hopsField = 0x20_0d22

  /// Bytes on the wire.
  var encodedSize: Int { bytes.count + (unexaminedHops == 0 ? 0 : 5) }

  /// Appends what goes over the wire.
  func append(to out: inout [UInt8]) {
    out.append(contentsOf: bytes)
    guard unexaminedHops > 0 else { return }
    Protobuf.append(field: WireMessage.hopsField, varint: UInt64(unexaminedHops), to: &out)
  }

  /// The same message, taken for an ordinary one.
  var asPlain: WireMessage {
    var copy = self
    copy.kind = .plain
    return copy
  }

  /// What a message is to an object too large for one message; field 0x200d20, in the range libp2p leaves to
  /// experiments.
  public enum Kind: UInt8, Hashable, Sendable {
    case plain
    /// Names the pieces of an object.
    case manifest
    /// One piece; neither signed nor spread, but asked for by its hash.
    case piece

    static let field = 0x20_0d20
  }

  /// A range that may be missing, in eight bytes.
  struct Extent: Sendable {
    private let lower, upper: Int32

    static let missing = Extent(lower: -1, upper: -1)
    init(_ range: Range<Int>) {
      lower = Int32(range.lowerBound)
      upper = Int32(range.upperBound)
    }
    private init(lower: Int32, upper: Int32) {
      self.lower = lower
      self.upper = upper
    }
    var isMissing: Bool { lower < 0 }
    var range: Range<Int> { lower < 0 ? 0..<0 : Int(lower)..<Int(upper) }
  }

  /// Bytes of the `from` field; empty if it is missing.
  public var authorBytes: ArraySlice<UInt8> { bytes[author.range] }
  /// Who wrote it, as claimed; nil if missing or not a peer id.
  public var claimedAuthor: PeerID? { author.isMissing ? nil : PeerID(bytes[author.range]) }
  /// Bytes of the sequence number; empty if it is missing.
  public var sequence: ArraySlice<UInt8> { bytes[seqno.range] }
  /// The application's bytes; sharing storage with the encoding.
  public var payload: Payload { Payload(bytes[data.range]) }
  /// Bytes of the signature; nil if the field is missing.
  public var signature: ArraySlice<UInt8>? { signed.isMissing ? nil : bytes[signed.range] }
  /// The author's public key, when it travels with the message.
  public var key: ArraySlice<UInt8>? { keyed.isMissing ? nil : bytes[keyed.range] }

  /// For whom it is meant; nil if for everyone.
  public var recipients: Recipients? {
    guard way != nil else { return nil }
    // It was read before, with the limits of the wire.
    var limits = WireLimits()
    limits.recipientsMax = .max
    return unsafe try? Recipients(bytes.span.bytes, addressed.range, limits)
  }

  /// Whether this peer is among those it is meant for.
  public func isFor(_ peer: PeerID) -> Bool { way == nil || recipients?.peers.contains(peer) == true }

  /// Whether this peer may be given it: everyone, unless it runs only among those it is meant for.
  func mayBeGiven(to peer: PeerID) -> Bool {
    way == nil || way == .fullOverlay || claimedAuthor == peer || isFor(peer)
  }

  /// Whether the `from` field is there, whatever it says.
  public var hasAuthor: Bool { !author.isMissing }
  /// Whether the `seqno` field is there, whatever it says.
  public var hasSequence: Bool { !seqno.isMissing }

  /// Whether another encoding has the same bytes.
  func hasSameBytes(as other: [UInt8]) -> Bool {
    unsafe bytes.span.bytes.isEqual(to: other.span.bytes)
  }

  /// What stands in front of the bytes an author signs.
  public static let signaturePrefix = Array("libp2p-pubsub:".utf8)

  /// The bytes the author signs: the prefix and the encoding without signature and key, otherwise as received.
  public var signedBytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(WireMessage.signaturePrefix.count + bytes.count)
    out.append(contentsOf: WireMessage.signaturePrefix)
    var position = 0
    let gaps = [signatureField, keyField].filter { !$0.isMissing }.map(\.range)
    for gap in gaps.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      out.append(contentsOf: bytes[position..<gap.lowerBound])
      position = gap.upperBound
    }
    out.append(contentsOf: bytes[position...])
    return out
  }
}

extension WireMessage.Kind {
  /// The kind of this number; what we do not know is plain.
  fileprivate init(_ number: UInt64) { self = UInt8(exactly: number).flatMap(Self.init(rawValue:)) ?? .plain }
}

extension WireMessage {
  /// Reads the message that fills `range` of `span`, copying it once.
  ///
  /// - Throws: `WireError` if a field is cut off, a topic is missing, too long or not UTF-8, or a signature or
  ///   key is given twice.
  init(_ span: RawSpan, _ range: Range<Int>, _ limits: WireLimits) throws(WireError) {
    guard range.count <= limits.frameSizeMax else {
      throw .tooLong("message", size: range.count, limit: limits.frameSizeMax)
    }
    var reader = ProtobufReader(range)
    var fields = (
      author: Extent.missing, data: Extent.missing, seqno: Extent.missing, topic: nil as Range<Int>?,
      signed: Extent.missing, keyed: Extent.missing, signature: Extent.missing, key: Extent.missing
    )
    var kind = Kind.plain
    var (way, addressed) = (nil as AudienceDecision.Choice?, Extent.missing)
    let base = range.lowerBound
    func inside(_ part: Range<Int>) -> Extent { Extent(part.lowerBound - base..<part.upperBound - base) }
    var start = reader.position
    var end = range.upperBound
    while let (field, value) = try reader.next(span, in: "message") {
      let whole = start..<reader.position
      start = reader.position
      guard case .bytes(let part) = value else {
        guard case .varint(let number) = value else { continue }
        if field == Kind.field { kind = Kind(number) }
        if field == WireMessage.hopsField, whole.upperBound == end {
          unexaminedHops = UInt8(min(number, 127))
          end = whole.lowerBound
        }
        continue
      }
      switch field {
      case 1: fields.author = inside(part)
      case 2: fields.data = inside(part)
      case 3: fields.seqno = inside(part)
      case 4: fields.topic = part
      case 5:
        guard fields.signed.isMissing else { throw .malformed("message: second signature") }
        (fields.signed, fields.signature) = (inside(part), inside(whole))
      case 6:
        guard fields.keyed.isMissing else { throw .malformed("message: second key") }
        (fields.keyed, fields.key) = (inside(part), inside(whole))
      case Recipients.field:
        guard way == nil else { throw .malformed("message: recipients twice") }
        (way, addressed) = (try Recipients(span, part, limits).way, inside(part))
      default: continue
      }
    }
    guard let topicRange = fields.topic else { throw .malformed("message: no topic") }
    self.kind = kind
    (self.way, self.addressed) = (way, addressed)
    topic = try Topic(span, topicRange, limits)
    bytes = span.copy(range.lowerBound..<end)
    (author, data, seqno) = (fields.author, fields.data, fields.seqno)
    (signed, keyed, signatureField, keyField) = (fields.signed, fields.keyed, fields.signature, fields.key)
  }

  /// A message of our own, unsigned. Fields that are nil are left out; `payload` is always present.
  public init(
    topic: Topic, payload: Payload, author: PeerID?, sequence: UInt64?, kind: Kind = .plain,
    for recipients: Recipients? = nil
  ) {
    var out: [UInt8] = []
    out.reserveCapacity(payload.count + topic.name.utf8.count + 160)
    func append(_ field: Int, _ content: some Collection<UInt8>) -> Extent {
      Protobuf.append(field: field, bytes: content, to: &out)
      return Extent(out.count - content.count..<out.count)
    }
    self.author = author.map { append(1, $0.bytes) } ?? .missing
    data = append(2, payload.bytes)
    let digits = sequence.map { number in
      (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
    }
    seqno = digits.map { append(3, $0) } ?? .missing
    _ = append(4, topic.name.utf8)
    if kind != .plain { Protobuf.append(field: Kind.field, varint: UInt64(kind.rawValue), to: &out) }
    self.kind = kind
    way = recipients?.way
    addressed = recipients.map { append(Recipients.field, $0.encoded) } ?? .missing
    bytes = out
    self.topic = topic
    (signed, keyed, signatureField, keyField) = (.missing, .missing, .missing, .missing)
  }

  /// The same message with its author's signature, and the public key where the author's id does not embed it.
  public func signed(_ signature: [UInt8], key: [UInt8]? = nil) -> WireMessage {
    var copy = self
    copy.signatureField = copy.append(field: 5, signature, at: \.signed)
    if let key { copy.keyField = copy.append(field: 6, key, at: \.keyed) }
    return copy
  }

  private mutating func append(
    field: Int, _ content: [UInt8], at place: WritableKeyPath<WireMessage, Extent>
  ) -> Extent {
    let start = bytes.count
    Protobuf.append(field: field, bytes: content, to: &bytes)
    self[keyPath: place] = Extent(bytes.count - content.count..<bytes.count)
    return Extent(start..<bytes.count)
  }
}

/// A message the node believes in or is about to judge, under its name.
public struct Message: Sendable {
  /// The message's name.
  public let id: MessageID
  /// The message as it travels.
  public private(set) var wire: WireMessage
  /// The object whose manifest this is, once it is complete.
  private let object: Object?

  /// On the heap, since hardly any message has one.
  private final class Object: Sendable {
    let payload: Payload
    init(_ payload: Payload) { self.payload = payload }
  }

  /// Names a wire message.
  /// - Parameter object: the object whose manifest it is.
  public init(id: MessageID, wire: WireMessage, object: Payload? = nil) {
    self.id = id
    self.wire = wire
    self.object = object.map { Object($0) }
  }

  /// The same, as somebody passes it on who has examined it.
  var asExamined: Message {
    guard wire.unexaminedHops > 0 else { return self }
    var copy = self
    copy.wire.unexaminedHops = 0
    return copy
  }

  /// Where it goes.
  public var topic: Topic { wire.topic }
  /// The application's bytes; sharing storage with the encoding, unless it came in pieces.
  public var payload: Payload { object?.payload ?? wire.payload }
  /// What its topic's `Meaning` is asked about: the payload, or of an object its first 512 bytes.
  var head: Payload { wire.kind == .manifest ? Manifest.head(in: wire.payload) : wire.payload }
  /// Who wrote it: proven when the topic's policy asks for signatures, a mere claim or nil otherwise.
  public var author: PeerID? { wire.claimedAuthor }
}
