/// The words of our own manners on the wire: all share one set of fields, of which each uses some.
///
/// 1 nonce or version, 2 topic, 3 ids, 4 and 5 a range of positions or slot and flags, 6 filter, 7 adverts. Inside an
/// advert: 1 id, 2 size, 3 hash, 4 attribute.
struct ControlFields {
  var number: UInt64?
  var topic: Topic?
  var ids: [MessageID] = []
  var lower: UInt64?
  var upper: UInt64?
  var filter: [UInt8] = []
  var adverts: [Advert] = []

  static let filterSizeMax = 1_024
}

// MARK: Reading

extension Control {
  /// Reads a word of our own manners.
  init?(
    telling field: Int, _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits,
    _ budget: inout FrameBudget
  ) throws(WireError) {
    let fields = try ControlFields(bytes, range, limits, &budget)
    switch (field, fields.topic) {
    case (ControlField.held, _): self = .held(fields.ids)
    case (ControlField.lack, _): self = .lack(fields.ids)
    case (ControlField.retract, _): self = .retract(fields.ids)
    case (ControlField.digest, _): self = .digest(nonce: fields.number ?? 0, fields.ids)
    case (ControlField.fetch, _): self = .fetch(nonce: fields.number ?? 0, fields.ids)
    case (ControlField.advert, let topic?): self = .advert(topic, fields.adverts)
    case (ControlField.hello, let topic?): self = .hello(topic, nonce: fields.number ?? 0)
    case (ControlField.summary, let topic?):
      self = .summary(topic, lowest: fields.lower ?? 0, next: fields.upper ?? 0)
    case (ControlField.span, let topic?):
      self = .span(topic, first: fields.lower ?? 0, end: fields.upper ?? 0)
    case (ControlField.resend, let topic?): self = .resend(topic, filter: fields.filter)
    case (ControlField.slot, let topic?):
      guard let id = fields.ids.first else { return nil }
      self = .slot(
        SlotUpdate(
          version: fields.number ?? 0, slot: fields.lower ?? 0, topic: topic, id: id,
          isPushed: fields.upper == 1))
    default: return nil
    }
  }
}

extension ControlFields {
  fileprivate init(
    _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits, _ budget: inout FrameBudget
  ) throws(WireError) {
    var reader = ProtobufReader(range)
    while let (field, value) = try reader.next(bytes, in: "control word") {
      switch (field, value) {
      case (1, .varint(let value)): number = value
      case (2, .bytes(let part)): topic = try Topic(bytes, part, limits)
      case (3, .bytes(let part)): ids.append(try MessageID(bytes, part, limits, &budget))
      case (4, .varint(let value)): lower = value
      case (5, .varint(let value)): upper = value
      case (6, .bytes(let part)):
        try WireError.check("filter", part.count, ControlFields.filterSizeMax)
        filter = bytes.copy(part)
      case (7, .bytes(let part)):
        if let advert = try Advert(bytes, part, limits, &budget) { adverts.append(advert) }
      default: continue
      }
    }
  }
}

extension MessageID {
  /// Reads an id, within what the frame may still contain.
  init(_ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits, _ budget: inout FrameBudget)
    throws(WireError)
  {
    budget.ids -= 1
    guard budget.ids >= 0 else {
      throw .tooLong("message ids", size: limits.idsPerFrame + 1, limit: limits.idsPerFrame)
    }
    try WireError.check("message id", range.count, limits.idSizeMax)
    self.init(bytes, range)
  }
}

extension Advert {
  /// Reads an advert; nil if it names no message or its hash is none.
  fileprivate init?(
    _ bytes: RawSpan, _ range: Range<Int>, _ limits: WireLimits, _ budget: inout FrameBudget
  ) throws(WireError) {
    var reader = ProtobufReader(range)
    var id: MessageID?
    var (hash, attribute, size) = ([UInt8](), [UInt8](), UInt64(0))
    while let (field, value) = try reader.next(bytes, in: "advert") {
      switch (field, value) {
      case (1, .bytes(let part)): id = try MessageID(bytes, part, limits, &budget)
      case (2, .varint(let value)): size = value
      case (3, .bytes(let part)) where part.count == 32: hash = bytes.copy(part)
      case (4, .bytes(let part)):
        try WireError.check("attribute", part.count, Advert.attributeSizeMax)
        attribute = bytes.copy(part)
      default: continue
      }
    }
    guard let id, hash.count == 32 else { return nil }
    self.init(id: id, hash: hash, size: size, attribute: attribute)
  }

  fileprivate var encodedSize: Int {
    Protobuf.size(field: 1, count: id.count) + 1 + Protobuf.size(of: size)
      + Protobuf.size(field: 3, count: hash.count)
      + (attribute.isEmpty ? 0 : Protobuf.size(field: 4, count: attribute.count))
  }

  fileprivate func append(to out: inout [UInt8]) {
    Protobuf.append(field: 1, count: id.count, to: &out)
    id.append(to: &out)
    Protobuf.append(field: 2, varint: size, to: &out)
    Protobuf.append(field: 3, bytes: hash, to: &out)
    if !attribute.isEmpty { Protobuf.append(field: 4, bytes: attribute, to: &out) }
  }

  /// Bytes of the whole field inside its word.
  var fieldSize: Int { Protobuf.size(field: 7, count: encodedSize) }
}

// MARK: Writing

extension ControlFields {
  /// What a word of our own manners says; nil for the others.
  init?(_ control: Control) {
    switch control {
    case .held(let ids), .lack(let ids), .retract(let ids): self.init(ids: ids)
    case .advert(let topic, let adverts): self.init(topic: topic, adverts: adverts)
    case .slot(let update):
      self.init(
        number: update.version, topic: update.topic, ids: [update.id], lower: update.slot,
        upper: update.isPushed ? 1 : nil)
    case .hello(let topic, let nonce): self.init(number: nonce, topic: topic)
    case .digest(let nonce, let ids), .fetch(let nonce, let ids): self.init(number: nonce, ids: ids)
    case .summary(let topic, let lower, let upper), .span(let topic, let lower, let upper):
      self.init(topic: topic, lower: lower, upper: upper)
    case .resend(let topic, let filter): self.init(topic: topic, filter: filter)
    case .have, .want, .graft, .prune, .dontWant, .ask, .reply, .cancel: return nil
    }
  }

  var encodedSize: Int {
    func varint(_ value: UInt64?) -> Int { value.map { 1 + Protobuf.size(of: $0) } ?? 0 }
    var size = varint(number) + varint(lower) + varint(upper)
    if let topic { size += Protobuf.size(field: 2, count: topic.name.utf8.count) }
    for id in ids { size += Protobuf.size(field: 3, count: id.count) }
    if !filter.isEmpty { size += Protobuf.size(field: 6, count: filter.count) }
    for advert in adverts { size += advert.fieldSize }
    return size
  }

  func append(to out: inout [UInt8]) {
    if let number { Protobuf.append(field: 1, varint: number, to: &out) }
    if let topic { Protobuf.append(field: 2, bytes: topic.name.utf8, to: &out) }
    for id in ids {
      Protobuf.append(field: 3, count: id.count, to: &out)
      id.append(to: &out)
    }
    if let lower { Protobuf.append(field: 4, varint: lower, to: &out) }
    if let upper { Protobuf.append(field: 5, varint: upper, to: &out) }
    if !filter.isEmpty { Protobuf.append(field: 6, bytes: filter, to: &out) }
    for advert in adverts {
      Protobuf.append(field: 7, count: advert.encodedSize, to: &out)
      advert.append(to: &out)
    }
  }
}
