import DequeModule

/// What waits to be written to one peer on one stream: three lanes, bounded, shedding by rule.
///
/// Control first, then messages, then offers, then pieces. While nothing is congested a frame passes through as it came;
/// when the peer is slow, words are merged into fewer frames, offers are shed first, then messages (the newest), and a
/// peer that cannot even take control is to be severed. A queued GRAFT or PRUNE that its opposite overtakes is
/// dropped. Used by the host and the simulator alike.
///
/// No flood of one kind silences another: whatever waits gets a frame of its own after a number of bytes went past it,
/// so that each kind has a share that no other can take (`Bounds.messagesAfter` and its like).
///
/// Order inside a lane is kept, so a GRAFT follows the SUBSCRIBE of its topic; `dontWant` leaves before payloads.
public struct SendQueue: Sendable {
  /// How many bytes may wait, per lane.
  public struct Bounds: Hashable, Sendable {
    /// Bytes of control words.
    public var control = 1 << 20
    /// Bytes of messages.
    public var messages = 4 << 20
    /// Bytes of requests and replies.
    public var letters = 4 << 20
    /// Bytes of offers and wants.
    public var offers = 512 << 10
    /// Bytes of pieces of objects.
    public var pieces = 4 << 20
    /// After so many bytes that went past messages, or past requests and replies, those get a frame: half of what is
    /// written, if control never ends.
    public var messagesAfter = 64 << 10
    /// The same for offers and wants: a seventeenth.
    public var offersAfter = 256 << 10
    /// The same for pieces: a seventeenth.
    public var piecesAfter = 1 << 20

    /// The defaults.
    public init() {}
  }

  /// What did not fit.
  public struct Shed: Hashable, Sendable {
    /// Messages, requests and replies dropped.
    public var messages = 0
    /// Offers and wants dropped.
    public var offers = 0
    /// Not even control fitted: this peer is lost.
    public var overflowed = false

    /// The defaults.
    public init() {}
    /// Whether nothing was dropped.
    public var isEmpty: Bool { messages == 0 && offers == 0 && !overflowed }
  }

  private enum Word: Sendable {
    case subscription(Subscription)
    case control(Control)

    var size: Int {
      switch self {
      case .subscription(let subscription): Protobuf.size(field: 1, count: subscription.encodedSize)
      case .control(let control): control.fieldSize
      }
    }
  }

  private let manner: Manner
  private let bounds: Bounds
  private let wire: WireLimits
  private var words = Deque<Word>()
  private var messages = Deque<WireMessage>()
  /// Pieces of objects: they leave when nothing else waits, one per frame.
  private var pieces = Deque<WireMessage>()
  /// `ask` and `reply`: as large as messages, and shed like them, but not for them.
  private var letters = Deque<Control>()
  private var offers = Deque<Control>()
  private var wordBytes = 0
  private var messageBytes = 0
  private var letterBytes = 0
  private var offerBytes = 0
  private var pieceBytes = 0
  /// Bytes that went past what waits in each lane since it was served.
  private var passed = Passed()

  /// One number per lane. Nothing goes past control.
  private struct Passed: Sendable {
    var words = 0
    var letters = 0
    var messages = 0
    var offers = 0
    var pieces = 0
  }

  /// An empty queue for one stream of this manner.
  public init(_ manner: Manner, _ bounds: Bounds, _ wire: WireLimits) {
    self.manner = manner
    self.bounds = bounds
    self.wire = wire
  }

  /// Whether nothing waits.
  public var isEmpty: Bool {
    words.isEmpty && messages.isEmpty && letters.isEmpty && offers.isEmpty && pieces.isEmpty
  }

  /// Bytes that wait, as they will be encoded (without the frames' own keys and lengths).
  public var queuedBytes: Int { wordBytes + messageBytes + letterBytes + offerBytes + pieceBytes }

  /// Whether messages, or requests and replies, fill half of their lane: whoever publishes or asks should wait.
  public var isHalfFull: Bool { messageBytes > bounds.messages / 2 || letterBytes > bounds.letters / 2 }

  /// Forgets what waits: what was said on a stream that died is not said on the next.
  public mutating func removeAll() { self = SendQueue(manner, bounds, wire) }

  // MARK: In

  /// Takes in what a frame says.
  /// - Returns: what was dropped because its lane was full.
  public mutating func push(_ frame: Frame) -> Shed {
    var shed = Shed()
    for subscription in frame.subscriptions { push(.subscription(subscription), &shed) }
    for control in frame.controls {
      switch control {
      case .graft(let topic), .prune(let topic, _):
        dropQueuedMeshWords(of: topic)
        push(.control(control), &shed)
      case .dontWant(let ids):
        for part in ids.chunks(of: wire.dontWantIDsSent) { push(.control(.dontWant(part)), &shed) }
      case .cancel, .slot, .hello, .summary, .span, .resend: push(.control(control), &shed)
      case .retract(let ids):
        for part in ids.chunks(of: wire.advertsSent) { push(.control(.retract(part)), &shed) }
      case .ask, .reply: push(letter: control, &shed)
      case .have(let topic, let ids): push(offers: ids, &shed) { .have(topic, $0) }
      case .want(let ids): push(offers: ids, &shed) { .want($0) }
      case .held(let ids): push(offers: ids, &shed) { .held($0) }
      case .lack(let ids): push(offers: ids, &shed) { .lack($0) }
      case .digest(let nonce, let ids): push(offers: ids, &shed) { .digest(nonce: nonce, $0) }
      case .fetch(let nonce, let ids): push(offers: ids, &shed) { .fetch(nonce: nonce, $0) }
      case .advert(let topic, let adverts):
        for part in adverts.chunks(of: wire.advertsSent) {
          push(parts: part, size: { $0.fieldSize }, &shed) { .advert(topic, $0) }
        }
      }
    }
    for message in frame.messages { push(message, &shed) }
    return shed
  }

  private mutating func push(_ word: Word, _ shed: inout Shed) {
    guard wordBytes + word.size <= bounds.control else {
      shed.overflowed = true
      return
    }
    wordBytes += word.size
    words.append(word)
  }

  private mutating func push(_ message: WireMessage, _ shed: inout Shed) {
    guard message.kind != .piece else { return push(piece: message, &shed) }
    // A message larger than the whole lane still passes when the lane is empty.
    guard messageBytes == 0 || messageBytes + message.encodedSize <= bounds.messages else {
      shed.messages += 1
      return
    }
    messageBytes += message.encodedSize
    messages.append(message)
  }

  private mutating func push(piece: WireMessage, _ shed: inout Shed) {
    guard pieceBytes == 0 || pieceBytes + piece.bytes.count <= bounds.pieces else {
      shed.offers += 1  // whoever asked for it asks another
      return
    }
    pieceBytes += piece.bytes.count
    pieces.append(piece)
  }

  private mutating func push(letter: Control, _ shed: inout Shed) {
    guard letterBytes == 0 || letterBytes + letter.fieldSize <= bounds.letters else {
      shed.messages += 1
      return
    }
    letterBytes += letter.fieldSize
    letters.append(letter)
  }

  /// Offers are cut so that a frame's controls stay within what others accept.
  private mutating func push(offers ids: [MessageID], _ shed: inout Shed, _ word: ([MessageID]) -> Control) {
    push(parts: ids, size: { Protobuf.size(field: 1, count: $0.count) }, &shed, word)
  }

  private mutating func push<Item>(
    parts items: [Item], size sizeOf: (Item) -> Int, _ shed: inout Shed, _ word: ([Item]) -> Control
  ) {
    var part: [Item] = []
    var size = 0
    for item in items {
      let itemSize = sizeOf(item)
      if !part.isEmpty, size + itemSize > wire.controlSizeSent - wire.topicSizeMax {
        push(offer: word(part), &shed)
        (part, size) = ([], 0)
      }
      part.append(item)
      size += itemSize
    }
    if !part.isEmpty { push(offer: word(part), &shed) }
  }

  private mutating func push(offer: Control, _ shed: inout Shed) {
    guard offerBytes + offer.fieldSize <= bounds.offers else {
      shed.offers += 1
      return
    }
    offerBytes += offer.fieldSize
    offers.append(offer)
  }

  /// What a queued GRAFT or PRUNE said is overtaken by a newer word on the same topic.
  private mutating func dropQueuedMeshWords(of topic: Topic) {
    guard !words.isEmpty else { return }
    words.removeAll { word in
      switch word {
      case .control(.graft(let other)), .control(.prune(let other, _)):
        guard other == topic else { return false }
        wordBytes -= word.size
        return true
      default: return false
      }
    }
  }

  // MARK: Out

  /// Appends whole frames, each with its length in front, until more than `budget` bytes were written or nothing
  /// is left. Writes at least one frame if any is queued.
  public mutating func pop(_ budget: Int, into out: inout [UInt8]) {
    let start = out.count
    while !isEmpty {
      let before = Passed(
        words: words.count, letters: letters.count, messages: messages.count, offers: offers.count,
        pieces: pieces.count)
      let frame = overdue() ?? next()
      let size = frame.encodedSize
      note(size, before)
      out.reserveCapacity(out.count + size + 4)
      Varint.append(UInt64(size), to: &out)
      frame.append(to: &out)
      if out.count - start > budget { return }
    }
  }

  /// A frame of so many bytes goes past whatever stands behind it and got nothing of it. What comes from behind does not
  /// count, or two lanes that are overdue by turns would shut out control.
  private mutating func note(_ size: Int, _ before: Passed) {
    var isPassing = words.count != before.words
    func pass(_ passed: inout Int, _ count: Int, _ countBefore: Int) {
      let isServed = count != countBefore
      passed = isServed || count == 0 ? 0 : isPassing ? passed + size : passed
      if isServed { isPassing = true }
    }
    pass(&passed.letters, letters.count, before.letters)
    pass(&passed.messages, messages.count, before.messages)
    pass(&passed.offers, offers.count, before.offers)
    pass(&passed.pieces, pieces.count, before.pieces)
  }

  /// A frame of the first lane that too much went past.
  private mutating func overdue() -> Frame? {
    var frame = Frame(manner)
    var size = Self.controlKey
    if passed.letters >= bounds.messagesAfter {
      takeLetters(&frame, &size)
    } else if passed.messages >= bounds.messagesAfter {
      takeMessages(&frame, &size)
    } else if passed.offers >= bounds.offersAfter {
      takeOffers(&frame, &size)
    } else if passed.pieces >= bounds.piecesAfter {
      takePiece(&frame)
    }
    return frame.isEmpty ? nil : frame
  }

  /// Key and length of a frame's control message, bytes.
  private static let controlKey = 4

  /// The next frame: control as far as it fits, then messages, then offers.
  private mutating func next() -> Frame {
    var frame = Frame(manner)
    var size = Self.controlKey
    var hasDontWant = false
    while let word = words.first, frame.isEmpty || size + word.size <= wire.controlSizeSent {
      if case .control(.dontWant) = word {
        if hasDontWant { break }  // receivers read a limited number of ids per frame
        hasDontWant = true
      }
      words.removeFirst()
      wordBytes -= word.size
      size += word.size
      switch word {
      case .subscription(let subscription): frame.subscriptions.append(subscription)
      case .control(let control): frame.controls.append(control)
      }
    }
    // Words before payloads: a receiver reads a frame's messages first, so `dontWant` gets a frame of its own.
    guard words.isEmpty, !(hasDontWant && !messages.isEmpty) else { return frame }
    takeLetters(&frame, &size)
    guard letters.isEmpty else { return frame }
    takeMessages(&frame, &size)
    guard messages.isEmpty else { return frame }
    takeOffers(&frame, &size)
    if frame.isEmpty { takePiece(&frame) }
    return frame
  }

  private mutating func takeLetters(_ frame: inout Frame, _ size: inout Int) {
    while let letter = letters.first, frame.isEmpty || size + letter.fieldSize <= wire.frameSizeSent {
      letters.removeFirst()
      letterBytes -= letter.fieldSize
      size += letter.fieldSize
      frame.controls.append(letter)
    }
  }

  private mutating func takeMessages(_ frame: inout Frame, _ size: inout Int) {
    while let message = messages.first, frame.messages.count < wire.messagesSent,
      case let whole = Protobuf.size(field: 2, count: message.encodedSize),
      frame.isEmpty || size + whole <= wire.frameSizeSent
    {
      messages.removeFirst()
      messageBytes -= message.encodedSize
      size += whole
      frame.messages.append(message)
    }
  }

  private mutating func takeOffers(_ frame: inout Frame, _ size: inout Int) {
    var adverts = 0
    while let offer = offers.first, frame.isEmpty || size + offer.fieldSize <= wire.controlSizeSent {
      if case .advert(_, let more) = offer {
        adverts += more.count
        if adverts > wire.advertsSent { break }
      }
      offers.removeFirst()
      offerBytes -= offer.fieldSize
      size += offer.fieldSize
      frame.controls.append(offer)
    }
  }

  private mutating func takePiece(_ frame: inout Frame) {
    guard let piece = pieces.popFirst() else { return }
    pieceBytes -= piece.bytes.count
    frame.messages.append(piece)
  }
}

extension Array {
  /// The array cut into parts of at most `size` elements.
  func chunks(of size: Int) -> [[Element]] {
    guard count > size else { return isEmpty ? [] : [self] }
    return stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
