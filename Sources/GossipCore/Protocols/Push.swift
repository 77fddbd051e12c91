import OrderedCollections

/// Fabric's push: what is new is gathered for a moment and goes, as one burst, to a few random members.
///
/// Infect and die: a message is pushed when it is believed first, and never again. With a fanout of 3 this reaches
/// about 94 % of a hundred members; those who were missed wait for the healer (`Heal`), whose finds are not pushed on.
///
/// Source: Hyperledger Fabric, "Gossip data dissemination protocol", "Gossip messaging", and its emitter.
/// Bounds: per topic `burstSize + iterations` messages, since a full buffer is flushed; in all `bufferedMax`.
public struct Push: Dissemination {
  private let parameters: PushParameters
  /// What waits for its flush; the topic that waits longest comes first.
  private var buffers: OrderedDictionary<Topic, Buffer> = [:]
  /// In whose buffer a message waits; looked up only.
  private var topics: [MessageID: Topic] = [:]
  private var isWatching = false

  private struct Buffer: Sendable {
    var copies: OrderedDictionary<MessageID, Copy> = [:]
    /// When it is flushed, unless it is full before.
    let due: Instant
  }

  private struct Copy: Sendable {
    let message: Message
    /// Who has it, as far as we know: those who sent it or got it from us, and its author.
    var holders: OrderedSet<PeerID>
    var flushesLeft: Int
  }

  init(_ parameters: PushParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .accepted(let accepted): buffer(accepted, &commons)
    case .rang: flushDue(&commons)
    case .echoed(let id, let peer): note(id, heldBy: peer)
    case .withdrawn(let id): withdraw(id)
    case .left(let topic): flush(topic, isLast: true, &commons)
    case .began, .joined, .changed, .arrived, .departed, .vanished, .met, .refused, .served, .lost, .gaveUp,
      .lacked, .heard, .told:
      break
    }
  }

  /// Nobody in particular: each flush draws anew.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// Messages that wait for a flush.
  public var perPeerEntries: Int { topics.count }

  // MARK: Gathering

  private mutating func buffer(_ accepted: Acceptance, _ commons: inout Commons) {
    guard !accepted.isHealed, parameters.iterations > 0 else { return }
    let message = accepted.message
    var copy = Copy(
      message: message, holders: OrderedSet(accepted.holders), flushesLeft: parameters.iterations)
    if !parameters.drawsHolders, let author = message.author { copy.holders.append(author) }
    let due = commons.now + parameters.burstLatency
    buffers[message.topic, default: Buffer(due: due)].copies[message.id] = copy
    topics[message.id] = message.topic
    let isFull = buffers[message.topic]!.copies.count >= parameters.burstSize
    if isFull || parameters.burstLatency == .zero { flush(message.topic, &commons) }
    // Too many topics at once: the one that has waited longest waits no longer.
    while topics.count > parameters.bufferedMax, let oldest = buffers.keys.first {
      flush(oldest, isLast: true, &commons)
    }
    watch(&commons)
  }

  private mutating func note(_ id: MessageID, heldBy peer: PeerID) {
    guard !parameters.drawsHolders, let topic = topics[id] else { return }
    buffers[topic]?.copies[id]?.holders.append(peer)
  }

  private mutating func withdraw(_ id: MessageID) {
    guard let topic = topics.removeValue(forKey: id) else { return }
    buffers[topic]?.copies[id] = nil
    if buffers[topic]?.copies.isEmpty == true { buffers[topic] = nil }
  }

  // MARK: Flushing

  /// One alarm for all topics: each buffer waits equally long, so the first is due first.
  private mutating func watch(_ commons: inout Commons) {
    guard !isWatching, let first = buffers.values.first else { return }
    isWatching = true
    commons.ring(.own(.push, 0), after: first.due - commons.now)
  }

  private mutating func flushDue(_ commons: inout Commons) {
    isWatching = false
    while let (topic, buffer) = buffers.elements.first, buffer.due <= commons.now { flush(topic, &commons) }
    watch(&commons)
  }

  /// Sends a topic's burst; what is to be sent again waits for the next flush, unless this is the last one.
  private mutating func flush(_ topic: Topic, isLast: Bool = false, _ commons: inout Commons) {
    guard let buffer = buffers.removeValue(forKey: topic) else { return }
    let copies = Array(buffer.copies.values)
    let fanout = fanout(on: topic, commons)
    let drawn = draw(fanout, for: copies, on: topic, &commons)
    var again = Buffer(due: commons.now + parameters.burstLatency)
    for var copy in copies {
      for peer in receivers(of: copy, fanout, among: drawn) {
        commons.forward(copy.message, to: peer)
        if !parameters.drawsHolders { copy.holders.append(peer) }  // the next flush looks for others
      }
      copy.flushesLeft -= 1
      if copy.flushesLeft > 0, !isLast {
        again.copies[copy.message.id] = copy
      } else {
        topics[copy.message.id] = nil
        if copy.flushesLeft > 0 { commons.counters.evicted += 1 }
      }
    }
    if !again.copies.isEmpty { buffers[topic] = again }
  }

  /// A random few of very few would miss somebody.
  private func fanout(on topic: Topic, _ commons: Commons) -> Int {
    let members = commons.members(of: topic).count
    let areFew = members <= parameters.everyoneUpTo && !parameters.drawsHolders
    return areFew ? max(members, parameters.fanout) : parameters.fanout
  }

  /// The burst's members in random order: enough that each message finds `fanout` that lack it.
  private func draw(_ fanout: Int, for copies: [Copy], on topic: Topic, _ commons: inout Commons) -> [PeerID]
  {
    let holders = parameters.drawsHolders ? 0 : copies.map(\.holders.count).max() ?? 0
    return commons.random.sample(
      fanout + holders, of: commons.members(of: topic, atLeast: .gossipOnly))
  }

  /// The first of those drawn. Whoever has the message is left out before they are counted, or, if the draw may fall
  /// on holders, afterwards.
  private func receivers(of copy: Copy, _ fanout: Int, among drawn: [PeerID]) -> [PeerID] {
    let others = drawn.lazy.filter { !copy.holders.contains($0) }
    return Array(parameters.drawsHolders ? others.prefix(.max) : others.prefix(fanout))
  }
}

/// Parameters of `Push`. Defaults are those of Fabric's `core.yaml`.
public struct PushParameters: Hashable, Sendable {
  /// How many random members get each burst (`propagatePeerNum`).
  public var fanout = 3
  /// With at most so many other members on a topic, all of them get each burst. Fabric: 0, and so its pull has to find
  /// whom three of five left out. Not where draws may fall on holders.
  public var everyoneUpTo = 5
  /// How many flushes a message takes part in (`propagateIterations`); 0 is no push at all.
  public var iterations = 1
  /// How long a burst is gathered after its first message (`maxPropagationBurstLatency`); 0 gathers nothing.
  public var burstLatency: Duration = .milliseconds(10)
  /// How many messages of a topic make a burst at once (`maxPropagationBurstSize`).
  public var burstSize = 10
  /// Messages that may wait, over all topics; beyond, the topic that has waited longest is flushed.
  public var bufferedMax = 4_096
  /// Whether a draw may fall on peers known to have the message. Fabric draws first and leaves out whoever a message
  /// came from afterwards, so that a forwarder may reach only `fanout - 1`; ours draws among those that may lack it,
  /// which costs nothing and lets small networks be reached as a whole.
  public var drawsHolders = false

  /// The defaults.
  public init() {}

  /// - Throws: `ConfigurationError` for the first parameter out of range.
  func validate() throws(ConfigurationError) {
    for (name, value, range) in [
      ("fanout", fanout, 0...1 << 20), ("everyoneUpTo", everyoneUpTo, 0...1 << 20),
      ("iterations", iterations, 0...1 << 20),
      ("burstSize", burstSize, 1...1 << 20), ("bufferedMax", bufferedMax, 1...1 << 20),
    ] where !range.contains(value) {
      throw ConfigurationError(
        "push.\(name)", expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
    }
    guard burstLatency == .zero || Duration.settings.contains(burstLatency) else {
      throw ConfigurationError(
        "push.burstLatency", expected: "0, or at most ten years", found: "\(burstLatency)")
    }
  }
}
