/// Many streams over one connection: a yamux session of either side, as a machine.
///
/// Source: `yamux/README.md`; where implementations differ, go-yamux. Bytes are read with `read`, which returns
/// what they mean one signal at a time and hands out payload as ranges of the bytes given; what we have to say
/// is gathered by `drain`. Guarantees: never sends beyond the peer's credit; takes no more than it granted;
/// answers before data; takes turns between streams; holds nothing for a stream that is gone.
///
/// Credit is granted as payload is handed out: whoever reads takes everything at once, so a stream that is
/// never read to the end cannot exist.

import DequeModule
package import GossipCore

package struct Yamux: Sendable {
  /// What the peer's bytes mean to the owner of the streams.
  package enum Signal: Hashable, Sendable {
    /// The peer opened a stream; it is already acknowledged.
    case opened(UInt32)
    /// Payload of a stream, as a range of the bytes just read.
    case data(UInt32, Range<Int>)
    /// The peer will send no more on this stream.
    case ended(UInt32)
    /// The stream is gone, both ways.
    case reset(UInt32)
    /// The peer takes leave, with this code.
    case wentAway(UInt32)
    /// Our ping came back.
    case roundTrip(Duration)
  }

  private struct Stream: Sendable {
    /// Bytes the peer lets us send.
    var credit = 262_144
    /// Bytes we still let the peer send.
    var window: Int
    /// What waits to be sent, and how much that is.
    var pending: Deque<[UInt8]> = []
    var pendingBytes = 0
    /// Bytes of the first pending piece that are sent already.
    var sentOfFirst = 0
    /// Waits for its turn in `turns`.
    var isQueued = false
    var isOurs: Bool
    var isAcknowledged = false
    /// We send nothing after what is pending.
    var isFinished = false
    var isFinSent = false
    var isEnded = false
  }

  /// Payload of one data frame we send: with its header and a tag it fits one sealed message.
  private static let payloadMax: Int = 16_372
  private static let creditMax = 1 << 31

  private let limits: YamuxLimits
  private let isClient: Bool
  // Looked up, never walked.
  private var streams: [UInt32: Stream] = [:]
  private var nextID: UInt32
  private var inboundCount = 0
  private var unacknowledged = 0
  private var remoteIDs = RemoteIDs()
  private var isClosing = false

  // What we have to say: answers and grants first, then data in turns.
  private var control: [UInt8] = []
  private var turns: Deque<UInt32> = []
  /// Payload waiting on all streams.
  package private(set) var pendingBytes = 0

  // What is being read.
  private var header: [UInt8] = []
  private var bodyLeft = 0
  /// The stream of the body; nil if it is thrown away.
  private var bodyOf: UInt32?
  private var endsAfterBody: UInt32?

  // Pings.
  private var nextPing: Instant?
  private var pingSent: (value: UInt32, at: Instant)?
  private var pongDue: Instant?
  private var isPaused = false
  private var pingCounter: UInt32 = 0
  private var pingWindow = (start: Instant.zero, count: 0)
  private var strays = 0

  package init(isClient: Bool, _ limits: YamuxLimits) {
    self.isClient = isClient
    self.limits = limits
    nextID = isClient ? 1 : 2
  }

  /// Streams open at present, of either side.
  package var streamCount: Int { streams.count }
  /// Everything that waits to be sent.
  package var queuedBytes: Int { pendingBytes + control.count }

  // MARK: Our streams

  /// Opens a stream, or returns nil while too many are unacknowledged, or the session is closing.
  package mutating func open() -> UInt32? {
    guard !isClosing, unacknowledged < limits.unacknowledgedMax, nextID < UInt32.max - 2 else { return nil }
    let id = nextID
    nextID += 2
    unacknowledged += 1
    streams[id] = Stream(window: limits.window, isOurs: true)
    say(.windowUpdate, .syn, id, 0)
    return id
  }

  /// Queues bytes on a stream. Without effect if it is gone or finished.
  package mutating func send(_ bytes: [UInt8], on id: UInt32) {
    guard !bytes.isEmpty, let index = streams.index(forKey: id), !streams.values[index].isFinished else {
      return
    }
    streams.values[index].pending.append(bytes)
    streams.values[index].pendingBytes += bytes.count
    pendingBytes += bytes.count
    takeTurn(id, index)
  }

  /// Bytes the peer would take now beyond what is pending: zero or less if none.
  package func room(on id: UInt32) -> Int {
    guard let stream = streams[id], !stream.isFinished else { return 0 }
    return stream.credit - stream.pendingBytes
  }

  /// Ends our side of a stream after what is pending.
  package mutating func finish(_ id: UInt32) {
    guard let index = streams.index(forKey: id), !streams.values[index].isFinished else { return }
    streams.values[index].isFinished = true
    takeTurn(id, index, evenIfEmpty: true)
  }

  /// Ends both sides of a stream at once; the peer's further data is thrown away.
  package mutating func reset(_ id: UInt32) {
    guard forget(id) else { return }
    say(.windowUpdate, .rst, id, 0)
  }

  private mutating func takeTurn(
    _ id: UInt32, _ index: Dictionary<UInt32, Stream>.Index, evenIfEmpty: Bool = false
  ) {
    let stream = streams.values[index]
    guard !stream.isQueued, stream.pendingBytes > 0 ? stream.credit > 0 : evenIfEmpty else { return }
    streams.values[index].isQueued = true
    turns.append(id)
  }

  @discardableResult
  private mutating func forget(_ id: UInt32) -> Bool {
    guard let stream = streams.removeValue(forKey: id) else { return false }
    pendingBytes -= stream.pendingBytes
    if stream.isOurs {
      if !stream.isAcknowledged { unacknowledged -= 1 }
    } else {
      inboundCount -= 1
    }
    if bodyOf == id { bodyOf = nil }
    if endsAfterBody == id { endsAfterBody = nil }
    return true
  }

  // MARK: Writing

  private mutating func say(
    _ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags, _ stream: UInt32, _ length: UInt32
  ) {
    YamuxHeader(kind, flags, stream: stream, length: length).append(to: &control)
  }

  /// Appends everything that may be sent now: first answers, then each stream's data in turns.
  package mutating func drain(into out: inout [UInt8]) {
    out.append(contentsOf: control)
    control.removeAll(keepingCapacity: true)
    while let id = turns.popFirst() {
      guard let index = streams.index(forKey: id) else { continue }
      streams.values[index].isQueued = false
      let sent = Yamux.write(&streams.values[index], id, into: &out)
      pendingBytes -= sent
      takeTurn(id, index)
      if streams.values[index].isFinSent, streams.values[index].isEnded { forget(id) }
    }
  }

  /// Writes one frame of `stream`: payload, the end, or both.
  private static func write(_ stream: inout Stream, _ id: UInt32, into out: inout [UInt8]) -> Int {
    let size = min(payloadMax, stream.credit, stream.pendingBytes)
    let isLast = stream.isFinished && size == stream.pendingBytes && !stream.isFinSent
    guard size > 0 || isLast else { return 0 }
    YamuxHeader(
      size > 0 ? .data : .windowUpdate, isLast ? .fin : [], stream: id, length: UInt32(size)
    ).append(to: &out)
    var left = size
    while left > 0 {
      let piece = stream.pending[0]
      let part = piece[stream.sentOfFirst..<min(piece.count, stream.sentOfFirst + left)]
      out.append(contentsOf: part)
      left -= part.count
      stream.sentOfFirst += part.count
      if stream.sentOfFirst == piece.count {
        stream.pending.removeFirst()
        stream.sentOfFirst = 0
      }
    }
    stream.credit -= size
    stream.pendingBytes -= size
    if isLast { stream.isFinSent = true }
    return size
  }

  /// Takes leave: opens and accepts nothing from now on.
  package mutating func goAway(code: UInt32, into out: inout [UInt8]) {
    isClosing = true
    YamuxHeader(.goAway, [], stream: 0, length: code).append(to: &out)
  }

  // MARK: Reading

  /// Reads from `offset` on, and returns the next thing the owner must know; nil when the bytes are used up.
  package mutating func read(_ bytes: RawSpan, _ offset: inout Int, at now: Instant) throws(YamuxError)
    -> Signal?
  {
    while true {
      if bodyLeft > 0 {
        let taken = min(bodyLeft, bytes.byteCount - offset)
        guard taken > 0 else { return nil }
        let range = offset..<offset + taken
        offset += taken
        bodyLeft -= taken
        if let id = bodyOf {
          grant(id)
          return .data(id, range)
        }
        continue
      }
      if let id = endsAfterBody {
        endsAfterBody = nil
        if let signal = end(id) { return signal }
      }
      guard let next = try nextHeader(bytes, &offset) else { return nil }
      if let signal = try handle(next, at: now) { return signal }
    }
  }

  private mutating func nextHeader(_ bytes: RawSpan, _ offset: inout Int) throws(YamuxError) -> YamuxHeader? {
    if header.isEmpty, bytes.byteCount - offset >= YamuxHeader.size {
      defer { offset += YamuxHeader.size }
      return try YamuxHeader(bytes, at: offset)
    }
    let taken = min(YamuxHeader.size - header.count, bytes.byteCount - offset)
    header.append(bytes.extracting(offset..<offset + taken))
    offset += taken
    guard header.count == YamuxHeader.size else { return nil }
    defer { header.removeAll(keepingCapacity: true) }
    return try unsafe YamuxHeader(header.span.bytes, at: 0)
  }

  private mutating func handle(_ frame: YamuxHeader, at now: Instant) throws(YamuxError) -> Signal? {
    switch frame.kind {
    case .ping: return try handlePing(frame, at: now)
    case .goAway:
      isClosing = true
      return .wentAway(frame.length)
    case .data, .windowUpdate: return try handleStream(frame)
    }
  }

  private mutating func handleStream(_ frame: YamuxHeader) throws(YamuxError) -> Signal? {
    let id = frame.stream
    // No stream of ours ever grants more than this, whatever became of it.
    if frame.kind == .data {
      guard frame.length <= UInt32(limits.window) else {
        throw .overrun(stream: id, bytes: frame.length, window: streams[id]?.window ?? limits.window)
      }
      bodyLeft = Int(frame.length)
      bodyOf = nil
    }
    if frame.flags.contains(.syn) {
      guard !frame.flags.contains(.rst) else { return nil }
      guard try accept(id) else { return nil }
      try continueStream(frame)
      return .opened(id)
    }
    guard streams.index(forKey: id) != nil else {
      strays += 1
      guard strays <= limits.strayFramesMax else { throw .strayFlood(frames: strays) }
      return nil
    }
    guard !frame.flags.contains(.rst) else {
      forget(id)
      return .reset(id)
    }
    return try continueStream(frame)
  }

  /// Payload, credit, acknowledgement and end on an open stream.
  @discardableResult
  private mutating func continueStream(_ frame: YamuxHeader) throws(YamuxError) -> Signal? {
    let id = frame.stream
    guard let index = streams.index(forKey: id) else { return nil }
    if frame.flags.contains(.ack), streams.values[index].isOurs, !streams.values[index].isAcknowledged {
      streams.values[index].isAcknowledged = true
      unacknowledged -= 1
    }
    switch frame.kind {
    case .data:
      let window = streams.values[index].window
      guard Int(frame.length) <= window else {
        throw .overrun(stream: id, bytes: frame.length, window: window)
      }
      if streams.values[index].isEnded, frame.length > 0 {
        reset(id)
        return .reset(id)
      }
      streams.values[index].window -= Int(frame.length)
      bodyOf = id
    default:
      let credit = streams.values[index].credit + Int(frame.length)
      guard credit <= Yamux.creditMax else { throw .creditOverflow(stream: id) }
      streams.values[index].credit = credit
      takeTurn(id, index)
    }
    if frame.flags.contains(.fin), !streams.values[index].isEnded { endsAfterBody = id }
    return nil
  }

  /// Takes a stream the peer opens, or resets it if there are too many.
  private mutating func accept(_ id: UInt32) throws(YamuxError) -> Bool {
    guard id != 0, (id % 2 == 1) != isClient, remoteIDs.use(id / 2) else { throw .streamID(id) }
    guard !isClosing, inboundCount < limits.inboundStreamsMax else {
      say(.windowUpdate, .rst, id, 0)
      return false
    }
    inboundCount += 1
    streams[id] = Stream(window: limits.window, isOurs: false)
    say(.windowUpdate, .ack, id, 0)
    return true
  }

  private mutating func end(_ id: UInt32) -> Signal? {
    guard let index = streams.index(forKey: id) else { return nil }
    streams.values[index].isEnded = true
    if streams.values[index].isFinSent { forget(id) }
    return .ended(id)
  }

  /// Grants what was taken, at the end of the frame that used up half of the window.
  private mutating func grant(_ id: UInt32) {
    guard bodyLeft == 0, endsAfterBody != id, let index = streams.index(forKey: id) else { return }
    let used = limits.window - streams.values[index].window
    guard used >= limits.window / 2 else { return }
    streams.values[index].window += used
    say(.windowUpdate, [], id, UInt32(used))
  }

  // MARK: Pings

  /// The first ping: measures the round trip.
  package mutating func start(at now: Instant) { ping(at: now) }

  private mutating func ping(at now: Instant) {
    say(.ping, .syn, 0, pingCounter)
    pingSent = (pingCounter, now)
    pongDue = isPaused ? nil : now + limits.pongPatience
    pingCounter &+= 1
    nextPing = now + limits.pingInterval
    strays = 0
  }

  private mutating func handlePing(_ frame: YamuxHeader, at now: Instant) throws(YamuxError) -> Signal? {
    if frame.flags.contains(.syn) {
      if now - pingWindow.start >= .seconds(1) { pingWindow = (now, 0) }
      pingWindow.count += 1
      guard pingWindow.count <= 10 * limits.pingsPerSecond else {
        throw .pingFlood(perSecond: pingWindow.count)
      }
      if pingWindow.count <= limits.pingsPerSecond { say(.ping, .ack, 0, frame.length) }
      return nil
    }
    guard frame.flags.contains(.ack), let sent = pingSent, sent.value == frame.length else { return nil }
    pingSent = nil
    pongDue = nil
    return .roundTrip(now - sent.at)
  }

  /// When `wake` wants to be called.
  package var deadline: Instant? {
    guard let pongDue else { return nextPing }
    return min(pongDue, nextPing ?? .distantFuture)
  }

  package mutating func wake(at now: Instant) throws(YamuxError) {
    if let due = pongDue, now >= due { throw .pingUnanswered(limits.pongPatience) }
    guard let next = nextPing, now >= next else { return }
    if pingSent == nil { ping(at: now) } else { nextPing = now + limits.pingInterval }
  }

  /// While we do not read, an unanswered ping says nothing about the peer.
  package mutating func pause() {
    isPaused = true
    pongDue = nil
  }

  package mutating func resume(at now: Instant) {
    guard isPaused else { return }
    isPaused = false
    if pingSent != nil { pongDue = now + limits.pongPatience }
  }
}

/// Which of the peer's stream numbers were used: all below a window of 64, and those marked in it.
///
/// Concurrent openers swap neighbours on the wire, so a number below the highest can still be new.
private struct RemoteIDs: Sendable {
  private var highest: UInt32?
  /// Bit n: `highest - n` was used.
  private var used: UInt64 = 0

  /// Marks a number as used; false if it was before, or is too old to tell.
  mutating func use(_ number: UInt32) -> Bool {
    guard let top = highest else {
      highest = number
      used = 1
      return true
    }
    if number > top {
      let step = number - top
      used = step < 64 ? used << UInt64(step) | 1 : 1
      highest = number
      return true
    }
    let back = top - number
    guard back < 64, used & (1 << UInt64(back)) == 0 else { return false }
    used |= 1 << UInt64(back)
    return true
  }
}
