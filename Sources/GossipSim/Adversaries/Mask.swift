public import GossipCore
import HeapModule
import OrderedCollections

/// What the hostile of one scenario know, and what they have agreed upon.
public struct Plot: Sendable {
  /// The topic they attack.
  public var topic: Topic
  /// Its policy.
  public var policy: TopicPolicy
  /// Honest participants; all of the network's address book, if somebody likes.
  public var honest: [PeerID]
  /// Whom they aim at, if they aim at one: a publisher.
  public var victim: PeerID
  /// Until then they behave.
  public var begins: Instant

  /// Made of its parts.
  public init(
    topic: Topic, policy: TopicPolicy, honest: [PeerID] = [], victim: PeerID? = nil, begins: Instant = .zero
  ) {
    (self.topic, self.policy, self.honest, self.begins) = (topic, policy, honest, begins)
    self.victim = victim ?? honest.first ?? Notional.peer(0)
  }
}

/// One adversary's habits: what it changes in what the node below hears and says, and what it does of its own accord.
/// Whatever it does not change happens as the node would have it.
protocol Trick: Sendable {
  /// How often `act` is called; nil never.
  var pace: Duration? { get }
  /// What the node below hears of this; nil is nothing.
  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input?
  /// What becomes of a frame that the node below sends.
  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame
  /// What it does of its own accord.
  mutating func act(_ scene: inout Scene)
}

extension Trick {
  var pace: Duration? { nil }
  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? { input }
  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame { frame }
  mutating func act(_ scene: inout Scene) {}
}

/// What a trick sees of the world, and its hands.
struct Scene: Sendable {
  let me: PeerID
  let plot: Plot
  var dice: WorldDice
  private(set) var now: Instant
  /// Peers and the manners of the streams open to them, in the order they came.
  private(set) var streams = OrderedDictionary<PeerID, [Manner]>()
  /// Messages heard lately, each once, the newest last.
  private(set) var memories: [WireMessage] = []
  private var sequence: UInt64
  /// Signs with our own key; nil signs notionally.
  private let key: (@Sendable ([UInt8]) -> [UInt8])?
  fileprivate var effects: [Node.Effect] = []
  fileprivate var deeds: [Deed] = []
  fileprivate var late = Heap<Late>()
  private var lateCount: UInt64 = 0

  struct Late: Comparable, Sendable {
    let at: Instant
    let number: UInt64
    let frame: Frame
    let peer: PeerID

    static func < (a: Late, b: Late) -> Bool { (a.at, a.number) < (b.at, b.number) }
    static func == (a: Late, b: Late) -> Bool { a.number == b.number }
  }

  private static let memoriesMax = 64

  init(
    _ me: PeerID, _ plot: Plot, seed: UInt64, at birth: Instant,
    signing key: (@Sendable ([UInt8]) -> [UInt8])?
  ) {
    (self.me, self.plot, self.key, now) = (me, plot, key, birth)
    dice = WorldDice(seed: seed)
    // Far from the numbers the node below would give its own messages.
    sequence = 1 << 62 &+ UInt64(max(0, birth.nanoseconds))
  }

  // MARK: What is known

  mutating func note(_ input: Node.Input, at instant: Instant) {
    now = instant
    switch input {
    case .connected(let peer, _): streams[peer] = []
    case .disconnected(let peer, _): streams[peer] = nil
    case .opened(let peer, let manner, _): streams[peer, default: []].append(manner)
    case .closed(let peer, let manner): streams[peer]?.removeAll { $0 == manner }
    case .received(let frame, _):
      for message in frame.messages where message.topic == plot.topic {
        if memories.contains(where: { $0.bytes == message.bytes }) { continue }
        memories.append(message)
      }
      if memories.count > Scene.memoriesMax { memories.removeFirst(memories.count - Scene.memoriesMax) }
    default: break
    }
  }

  /// How the topic is spread.
  var manner: Manner { plot.policy.spread }
  /// Peers that the topic's words can be said to.
  var listeners: [PeerID] { streams.filter { $0.value.contains(manner) }.map(\.key) }

  // MARK: What can be done

  mutating func say(_ controls: [Control], to peer: PeerID) {
    var frame = Frame(manner)
    frame.controls = controls
    effects.append(.send(frame, to: peer))
  }

  mutating func give(_ messages: [WireMessage], to peer: PeerID) {
    var frame = Frame(manner)
    frame.messages = messages
    effects.append(.send(frame, to: peer))
  }

  mutating func send(_ frame: Frame, to peer: PeerID, after delay: Duration) {
    lateCount += 1
    late.insert(Late(at: now + delay, number: lateCount, frame: frame, peer: peer))
  }

  mutating func dial(_ peer: PeerID) { if streams[peer] == nil { deeds.append(.dial(peer)) } }
  mutating func cut(_ peer: PeerID) { effects.append(.disconnect(peer, Severance("a mask cut it"))) }
  mutating func stopReading(from peer: PeerID) { effects.append(.pause(peer)) }
  mutating func write(_ bytes: [UInt8], to peer: PeerID) { deeds.append(.write(bytes, manner, to: peer)) }

  mutating func random(_ count: Int, of peers: [PeerID]) -> [PeerID] {
    Array(peers.shuffled(using: &dice).prefix(count))
  }

  mutating func randomBytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &dice) }
  }

  /// A message of our own, as the topic's policy wants it.
  mutating func ownMessage(_ payload: Payload) -> WireMessage {
    sequence += 1
    return signed(payload, sequence)
  }

  /// Our message of this number; whoever signs may sign two of one number.
  func signed(_ payload: Payload, _ number: UInt64) -> WireMessage {
    let signing = plot.policy.signing
    guard signing != .strictNoSign else {
      return WireMessage(topic: plot.topic, payload: payload, author: nil, sequence: nil)
    }
    let plain = WireMessage(topic: plot.topic, payload: payload, author: me, sequence: number)
    guard signing != .laxNoSign else { return plain }
    let bytes = plain.signedBytes
    return plain.signed(key?(bytes) ?? Notional.signature(of: me, over: bytes))
  }

  /// A message in somebody else's name.
  mutating func forged(_ payload: Payload, by author: PeerID) -> WireMessage {
    let plain = WireMessage(
      topic: plot.topic, payload: payload, author: author,
      sequence: UInt64.random(in: 0...(.max), using: &dice))
    return plain.signed(randomBytes(64))
  }

  /// Says that we hold a message of this name, in the words of the topic's manner.
  mutating func offer(_ ids: [MessageID], to peer: PeerID) {
    switch manner {
    case .gossipSub, .infection: say([.have(plot.topic, ids)], to: peer)
    case .advert, .digestFirst:
      let adverts = ids.map { Advert(id: $0, hash: randomBytes(32), size: 1_024) }
      say([.advert(plot.topic, adverts)], to: peer)
    case .slots:
      let words = ids.map { id in
        sequence += 1
        let slot = UInt64.random(in: 0..<100, using: &dice)
        return Control.slot(
          SlotUpdate(version: sequence, slot: slot, topic: plot.topic, id: id, isPushed: false))
      }
      say(words, to: peer)
    case .push, .direct, .antiEntropy: break
    }
  }

  mutating func releaseLate() {
    while let first = late.min, first.at <= now {
      late.removeMin()
      if streams[first.peer] != nil { effects.append(.send(first.frame, to: first.peer)) }
    }
  }
}

/// A mask, to be worn by a node: an adversary's trick decides what the node hears and what becomes of what it says.
public struct Mask: Sendable {
  private var trick: any Trick
  private var scene: Scene
  private var nextAct: Instant?
  private var below: [Node.Effect] = []

  init(
    _ trick: any Trick, of me: PeerID, _ plot: Plot, seed: [UInt8], at birth: Instant,
    signing key: (@Sendable ([UInt8]) -> [UInt8])? = nil
  ) {
    self.trick = trick
    let word = seed.reduce(UInt64(0)) { $0 << 5 ^ $0 >> 59 ^ UInt64($1) }
    scene = Scene(me, plot, seed: word, at: birth, signing: key)
    if let pace = trick.pace {
      let phase = Int64.random(in: 0...max(0, pace.nanoseconds), using: &scene.dice)
      nextAct = max(birth, plot.begins) + .nanoseconds(phase)
    }
  }

  /// When it wants to be woken, besides the node.
  public var deadline: Instant? { [nextAct, scene.late.min?.at].compactMap(\.self).min() }

  /// One turn of the node, as the mask has it.
  public mutating func handle(
    _ input: Node.Input, at now: Instant, into effects: inout [Node.Effect], over node: inout Node
  ) {
    scene.note(input, at: now)
    let isAttacking = now >= scene.plot.begins
    let heard = isAttacking ? trick.hear(input, &scene) ?? .wake : input
    node.handle(heard, at: now, into: &below)
    for effect in below {
      guard isAttacking, case .send(let frame, let peer) = effect else {
        scene.effects.append(effect)
        continue
      }
      let frameSent = trick.send(frame, to: peer, &scene)
      if !frameSent.isEmpty { scene.effects.append(.send(frameSent, to: peer)) }
    }
    below.removeAll(keepingCapacity: true)
    while let act = nextAct, let pace = trick.pace, act <= now {
      trick.act(&scene)
      nextAct = max(act + pace, now + .nanoseconds(1))
    }
    scene.releaseLate()
    effects.append(contentsOf: scene.effects)
    scene.effects.removeAll(keepingCapacity: true)
  }

  /// What the mask did past the node.
  public mutating func takeDeeds() -> [Deed] {
    defer { scene.deeds.removeAll(keepingCapacity: true) }
    return scene.deeds
  }
}

/// An honest node under a mask.
public struct Masked: Participant {
  /// The node below; it keeps the rules.
  public private(set) var node: Node
  private var mask: Mask

  init(_ node: Node, _ mask: Mask) { (self.node, self.mask) = (node, mask) }

  /// When it wants to be woken.
  public var deadline: Instant? { [node.deadline, mask.deadline].compactMap(\.self).min() }

  /// One turn of the node, as the mask has it.
  public mutating func handle(_ input: Node.Input, at now: Instant, into effects: inout [Node.Effect]) {
    mask.handle(input, at: now, into: &effects, over: &node)
  }

  /// What the mask did past the node.
  public mutating func takeDeeds() -> [Deed] { mask.takeDeeds() }
}

extension Frame {
  /// The frame without the messages in it.
  var withoutMessages: Frame {
    var frame = self
    frame.messages = []
    return frame
  }

  /// The frame without words that offer messages.
  var withoutOffers: Frame {
    var frame = self
    frame.controls.removeAll(where: \.isOffer)
    return frame
  }

  /// Names of the messages it offers.
  var offered: [MessageID] { controls.flatMap(\.offered) }
}

extension Control {
  /// Whether it tells of messages its sender holds.
  var isOffer: Bool {
    switch self {
    case .have, .advert, .slot, .digest, .summary: true
    default: false
    }
  }

  /// Names of the messages it tells of.
  var offered: [MessageID] {
    switch self {
    case .have(_, let ids), .digest(_, let ids): ids
    case .advert(_, let adverts): adverts.map(\.id)
    case .slot(let update): [update.id]
    default: []
    }
  }
}
