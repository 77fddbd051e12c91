/// Encodes frames: sizes first, then one pass of writing, so that no buffer is moved.
extension Frame {
  /// The RPC body.
  public var encoded: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(encodedSize)
    append(to: &out)
    return out
  }

  /// The RPC body with its length in front, as it stands on the stream.
  public var delimited: [UInt8] {
    var out: [UInt8] = []
    let size = encodedSize
    out.reserveCapacity(size + 4)
    Varint.append(UInt64(size), to: &out)
    append(to: &out)
    return out
  }

  /// Bytes of the RPC body.
  public var encodedSize: Int {
    var size = 0
    for subscription in subscriptions { size += Protobuf.size(field: 1, count: subscription.encodedSize) }
    for message in messages { size += Protobuf.size(field: 2, count: message.encodedSize) }
    let controls = controls.reduce(0) { $0 + $1.fieldSize }
    return controls > 0 ? size + Protobuf.size(field: 3, count: controls) : size
  }

  /// Appends the RPC body.
  func append(to out: inout [UInt8]) {
    for subscription in subscriptions {
      Protobuf.append(field: 1, count: subscription.encodedSize, to: &out)
      subscription.append(to: &out)
    }
    for message in messages {
      Protobuf.append(field: 2, count: message.encodedSize, to: &out)
      message.append(to: &out)
    }
    let size = controls.reduce(0) { $0 + $1.fieldSize }
    guard size > 0 else { return }
    Protobuf.append(field: 3, count: size, to: &out)
    for control in controls { control.append(to: &out) }
  }
}

extension Subscription {
  var encodedSize: Int { 2 + Protobuf.size(field: 2, count: topic.name.utf8.count) }

  func append(to out: inout [UInt8]) {
    Protobuf.append(field: 1, varint: joins ? 1 : 0, to: &out)
    Protobuf.append(field: 2, bytes: topic.name.utf8, to: &out)
  }
}

extension Control {
  /// Bytes of the whole field inside the control message.
  var fieldSize: Int { Protobuf.size(field: field, count: contentSize) }

  /// Appends the whole field.
  func append(to out: inout [UInt8]) {
    Protobuf.append(field: field, count: contentSize, to: &out)
    appendContent(to: &out)
  }

  private var field: Int {
    switch self {
    case .have: ControlField.have
    case .want: ControlField.want
    case .graft: ControlField.graft
    case .prune: ControlField.prune
    case .dontWant: ControlField.dontWant
    case .ask: ControlField.ask
    case .reply: ControlField.reply
    case .cancel: ControlField.cancel
    case .held: ControlField.held
    case .lack: ControlField.lack
    case .advert: ControlField.advert
    case .slot: ControlField.slot
    case .hello: ControlField.hello
    case .digest: ControlField.digest
    case .fetch: ControlField.fetch
    case .summary: ControlField.summary
    case .span: ControlField.span
    case .resend: ControlField.resend
    case .retract: ControlField.retract
    }
  }

  private var contentSize: Int {
    func varint(_ field: Int, _ value: UInt64) -> Int {
      Protobuf.size(of: UInt64(field) << 3) + Protobuf.size(of: value)
    }
    func bytes(_ field: Int, _ count: Int) -> Int { Protobuf.size(field: field, count: count) }
    func all(_ ids: [MessageID], _ field: Int) -> Int { ids.reduce(0) { $0 + bytes(field, $1.count) } }
    return switch self {
    case .have(let topic, let ids): bytes(1, topic.name.utf8.count) + all(ids, 2)
    case .want(let ids), .dontWant(let ids): all(ids, 1)
    case .graft(let topic): bytes(1, topic.name.utf8.count)
    case .prune(let topic, let backoff):
      bytes(1, topic.name.utf8.count) + (backoff.map { varint(3, $0) } ?? 0)
    case .ask(let id, let topic, let payload, let patience):
      varint(1, id) + bytes(2, topic.name.utf8.count) + bytes(3, payload.count) + varint(4, patience)
    case .reply(let id, .success(let payload)): varint(1, id) + bytes(3, payload.count)
    case .reply(let id, .failure(let failure)):
      varint(1, id) + varint(5, failure.code) + bytes(6, failure.reason.utf8.count)
    case .cancel(let id): varint(1, id)
    case .held, .lack, .advert, .slot, .hello, .digest, .fetch, .summary, .span, .resend, .retract:
      ControlFields(self)?.encodedSize ?? 0
    }
  }

  private func append(_ id: MessageID, field: Int, to out: inout [UInt8]) {
    Protobuf.append(field: field, count: id.count, to: &out)
    id.append(to: &out)
  }

  private func appendContent(to out: inout [UInt8]) {
    switch self {
    case .have(let topic, let ids):
      Protobuf.append(field: 1, bytes: topic.name.utf8, to: &out)
      for id in ids { append(id, field: 2, to: &out) }
    case .want(let ids), .dontWant(let ids):
      for id in ids { append(id, field: 1, to: &out) }
    case .graft(let topic):
      Protobuf.append(field: 1, bytes: topic.name.utf8, to: &out)
    case .prune(let topic, let backoff):
      Protobuf.append(field: 1, bytes: topic.name.utf8, to: &out)
      if let backoff { Protobuf.append(field: 3, varint: backoff, to: &out) }
    case .ask(let id, let topic, let payload, let patience):
      Protobuf.append(field: 1, varint: id, to: &out)
      Protobuf.append(field: 2, bytes: topic.name.utf8, to: &out)
      Protobuf.append(field: 3, bytes: payload.bytes, to: &out)
      Protobuf.append(field: 4, varint: patience, to: &out)
    case .reply(let id, .success(let payload)):
      Protobuf.append(field: 1, varint: id, to: &out)
      Protobuf.append(field: 3, bytes: payload.bytes, to: &out)
    case .reply(let id, .failure(let failure)):
      Protobuf.append(field: 1, varint: id, to: &out)
      Protobuf.append(field: 5, varint: failure.code, to: &out)
      Protobuf.append(field: 6, bytes: failure.reason.utf8, to: &out)
    case .cancel(let id):
      Protobuf.append(field: 1, varint: id, to: &out)
    case .held, .lack, .advert, .slot, .hello, .digest, .fetch, .summary, .span, .resend, .retract:
      ControlFields(self)?.append(to: &out)
    }
  }
}

extension AskFailure {
  /// The handler's words, cut to what the wire carries.
  fileprivate var reason: String {
    guard case .failed(let reason) = self else { return "" }
    var cut = reason
    while cut.utf8.count > AskFailure.reasonSizeMax { cut.removeLast() }
    return cut
  }
}
