/// What one peer says to another in one write: subscriptions, messages, controls.
///
/// On the wire it is the pubsub `RPC` message of libp2p, length-delimited on a stream of its manner:
/// fields 1 subscriptions, 2 publish, 3 control. Fields we do not know are skipped.
public struct Frame: Sendable {
  /// Whose stream it travels on.
  public var manner: Manner
  /// Topics joined and left.
  public var subscriptions: [Subscription] = []
  /// Messages, encoded.
  public var messages: [WireMessage] = []
  /// What else is said.
  public var controls: [Control] = []

  /// An empty frame.
  public init(_ manner: Manner) { self.manner = manner }

  /// What else is said.
  public var isEmpty: Bool { subscriptions.isEmpty && messages.isEmpty && controls.isEmpty }
}

/// A peer joins or leaves a topic.
public struct Subscription: Hashable, Sendable {
  /// Which topic.
  public let topic: Topic
  /// Whether the peer joins or leaves it.
  public let joins: Bool

  /// The announcement that a topic is joined or left.
  public init(_ topic: Topic, joins: Bool) {
    self.topic = topic
    self.joins = joins
  }
}

/// Field numbers of the control message.
enum ControlField {
  static let have = 1
  static let want = 2
  static let graft = 3
  static let prune = 4
  static let dontWant = 5
  static let ask = 0x20_0d01
  static let reply = 0x20_0d02
  static let cancel = 0x20_0d03
  static let held = 0x20_0d04
  static let lack = 0x20_0d05
  static let advert = 0x20_0d06
  static let slot = 0x20_0d07
  static let hello = 0x20_0d08
  static let digest = 0x20_0d09
  static let fetch = 0x20_0d0a
  static let summary = 0x20_0d0b
  static let span = 0x20_0d0c
  static let resend = 0x20_0d0d
  static let retract = 0x20_0d0e
}

extension Topic {
  /// Reads the name in `range`.
  init(_ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits) throws(WireError) {
    guard range.count <= limits.topicSizeMax else {
      throw .tooLong("topic", size: range.count, limit: limits.topicSizeMax)
    }
    // Decoding repairs what is not UTF-8, so that its bytes differ; this is much faster than a validating decoder.
    let name = unsafe bytes.extracting(range).withUnsafeBytes { raw -> String? in
      var name = unsafe String(decoding: raw, as: UTF8.self)
      let isSame = name.withUTF8 { text in unsafe text.count == raw.count && text.elementsEqual(raw) }
      return isSame ? name : nil
    }
    guard let name else { throw .malformed("topic: not UTF-8") }
    self.init(name)
  }
}

extension Frame {
  /// Reads one RPC body that fills `bytes`.
  ///
  /// - Throws: `WireError` if it does not parse or passes a limit; nothing of it is kept then.
  /// - Complexity: O(bytes); each message is copied once, ids are copied, nothing else is.
  public init(decoding bytes: RawSpan, on manner: Manner, _ limits: WireLimits) throws(WireError) {
    guard bytes.byteCount <= limits.frameSizeMax else {
      throw .tooLong("frame", size: bytes.byteCount, limit: limits.frameSizeMax)
    }
    self.init(manner)
    var budget = FrameBudget(ids: limits.idsPerFrame, controls: limits.controlsPerFrame)
    var reader = ProtobufReader(0..<bytes.byteCount)
    while let (field, value) = try reader.next(bytes, in: "frame") {
      guard case .bytes(let range) = value else { continue }
      switch field {
      case 1:
        try WireError.check("subscriptions", subscriptions.count + 1, limits.subscriptionsPerFrame)
        if let subscription = try Subscription(bytes, range, limits) { subscriptions.append(subscription) }
      case 2:
        try WireError.check("messages", messages.count + 1, limits.messagesPerFrame)
        messages.append(try WireMessage(bytes, range, limits))
      case 3:
        try readControls(bytes, range, limits, &budget)
      default: continue
      }
    }
  }

  private mutating func readControls(
    _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits, _ budget: inout FrameBudget
  ) throws(WireError) {
    var reader = ProtobufReader(range)
    while let (field, value) = try reader.next(bytes, in: "control") {
      guard case .bytes(let part) = value else { continue }
      budget.controls -= 1
      guard budget.controls >= 0 else {
        throw .tooLong("controls", size: limits.controlsPerFrame + 1, limit: limits.controlsPerFrame)
      }
      if let control = try Control(field, bytes, part, limits, &budget) { controls.append(control) }
    }
  }
}

/// What a frame may still contain.
struct FrameBudget {
  var ids: Int
  var controls: Int
}

extension WireError {
  static func check(_ what: String, _ size: Int, _ limit: Int) throws(WireError) {
    guard size <= limit else { throw .tooLong(what, size: size, limit: limit) }
  }
}

extension Subscription {
  fileprivate init?(_ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits) throws(WireError) {
    var reader = ProtobufReader(range)
    var joins = false
    var topic: Topic?
    while let (field, value) = try reader.next(bytes, in: "subscription") {
      switch (field, value) {
      case (1, .varint(let flag)): joins = flag != 0
      case (2, .bytes(let part)): topic = try Topic(bytes, part, limits)
      default: continue
      }
    }
    guard let topic else { return nil }
    self.init(topic, joins: joins)
  }
}

extension Control {
  /// Reads the word of `field`, or nil if we do not know it or it says nothing.
  init?(
    _ field: Int, _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits, _ budget: inout FrameBudget
  ) throws(WireError) {
    switch field {
    case ControlField.have, ControlField.want, ControlField.dontWant:
      try self.init(naming: field, bytes, range, limits, &budget)
    case ControlField.graft, ControlField.prune:
      try self.init(mesh: field, bytes, range, limits)
    case ControlField.ask, ControlField.reply, ControlField.cancel:
      try self.init(asking: field, bytes, range, limits)
    case ControlField.held...ControlField.retract:
      try self.init(telling: field, bytes, range, limits, &budget)
    default: return nil
    }
  }

  /// IHAVE has its topic in field 1 and ids in 2; IWANT and IDONTWANT have ids in 1.
  private init?(
    naming field: Int, _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits,
    _ budget: inout FrameBudget
  ) throws(WireError) {
    let idField = field == ControlField.have ? 2 : 1
    var reader = ProtobufReader(range)
    var topic: Topic?
    var ids: [MessageID] = []
    while let (number, value) = try reader.next(bytes, in: "control ids") {
      guard case .bytes(let part) = value else { continue }
      if number == idField {
        ids.append(try MessageID(bytes, part, limits, &budget))
      } else if number == 1 {
        topic = try Topic(bytes, part, limits)
      }
    }
    switch (field, topic) {
    case (ControlField.have, let topic?): self = .have(topic, ids)
    case (ControlField.want, _): self = .want(ids)
    case (ControlField.dontWant, _): self = .dontWant(ids)
    default: return nil
    }
  }

  private init?(mesh field: Int, _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits)
    throws(WireError)
  {
    var reader = ProtobufReader(range)
    var topic: Topic?
    var backoff: UInt64?
    while let (number, value) = try reader.next(bytes, in: "control mesh") {
      switch (number, value) {
      case (1, .bytes(let part)): topic = try Topic(bytes, part, limits)
      case (3, .varint(let seconds)): backoff = seconds
      default: continue
      }
    }
    guard let topic else { return nil }
    self = field == ControlField.graft ? .graft(topic) : .prune(topic, backoff: backoff)
  }

  /// ask: 1 id, 2 topic, 3 payload, 4 patience. reply: 1 id, 3 payload, 5 failure, 6 reason. cancel: 1 id.
  private init?(asking field: Int, _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits)
    throws(WireError)
  {
    var reader = ProtobufReader(range)
    var id: AskID = 0
    var topic: Topic?
    var content: Range<Int>?
    var (patience, failure) = (UInt64(0), UInt64(0))
    var reason = ""
    while let (number, value) = try reader.next(bytes, in: "control ask") {
      switch (number, value) {
      case (1, .varint(let number)): id = number
      case (2, .bytes(let part)): topic = try Topic(bytes, part, limits)
      case (3, .bytes(let part)): content = part
      case (4, .varint(let number)): patience = number
      case (5, .varint(let number)): failure = number
      case (6, .bytes(let part)):
        try WireError.check("reason", part.count, AskFailure.reasonSizeMax)
        reason = String(decoding: bytes.copy(part), as: UTF8.self)
      default: continue
      }
    }
    let payload = Payload(content.map { bytes.copy($0) } ?? [])
    switch (field, topic) {
    case (ControlField.ask, let topic?): self = .ask(id, topic, payload, patience: patience)
    case (ControlField.cancel, _): self = .cancel(id)
    case (ControlField.reply, _):
      self = .reply(id, failure == 0 ? .success(payload) : .failure(AskFailure(code: failure, reason)))
    default: return nil
    }
  }
}

extension AskFailure {
  /// Numbers on the wire; 0 is success.
  var code: UInt64 {
    switch self {
    case .failed: 1
    case .unknownTopic: 2
    case .overloaded: 3
    case .deadlineExceeded: 4
    case .cancelled: 5
    case .notConnected, .disconnected: 6
    }
  }

  init(code: UInt64, _ reason: String) {
    switch code {
    case 2: self = .unknownTopic
    case 3: self = .overloaded
    case 4: self = .deadlineExceeded
    case 5: self = .cancelled
    case 6: self = .disconnected
    default: self = .failed(reason)
    }
  }
}
