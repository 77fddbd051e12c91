public import GossipCore
import OrderedCollections

/// Participants on a virtual clock, linked by pipes that carry encoded frames.
///
/// Everything that happens is an event; events happen in the order of (instant, sequence). The same seed, the same
/// calls: the same life, to the last byte, which `fingerprint` shows.
public struct World: Sendable {
  /// How links behave.
  public let model: NetworkModel
  /// The virtual clock.
  public private(set) var now = Instant.zero
  /// Hash over everything that happened.
  public private(set) var fingerprint = Fingerprint()
  /// Events so far.
  public private(set) var events = 0
  /// What was delivered to applications.
  public private(set) var deliveries: [Delivery] = []
  /// The ids of what was delivered, in the order of first deliveries.
  public private(set) var messages: [MessageID] = []
  /// What was published, and by whom.
  public private(set) var publications: [MessageID: Publishing] = [:]
  /// Answers of `publish`, by token.
  public private(set) var results: [UInt64: Result<Publication, PublishFailure>] = [:]
  /// Answers of `ask`, by token.
  public private(set) var answers: [UInt64: Result<[Reply], AskRefusal>] = [:]
  /// What went over all links.
  public private(set) var traffic = Traffic()

  /// Judges messages of judged topics; a pure function.
  public var judge: @Sendable (Message, Int) -> Verdict = { _, _ in .accept }
  /// Answers requests; a pure function.
  public var answer: @Sendable (Topic, Payload, Int) -> Answer = { _, payload, _ in .success(payload) }

  /// Bytes each participant handed to its links so far.
  public private(set) var sentBytes: [Int] = []
  /// Bytes each participant got from its links so far.
  public private(set) var receivedBytes: [Int] = []

  private var residents: [Resident] = []
  /// Per message, by number, the hops to each participant; 0 where it is not, or was published.
  private var hops: [[UInt8]] = []
  private var numbers: [MessageID: Int] = [:]
  private var places: [PeerID: Int] = [:]
  private var pipes: [Pipe] = []
  private var queue = EventQueue<Event>()
  private var dice: WorldDice
  private var nextToken: UInt64 = 1
  private var effects: [Node.Effect] = []

  /// A message that reached an application; small, for there are millions.
  public struct Delivery: Sendable {
    /// The participant in the upper three bytes, the hops in the lowest.
    private let place: UInt32
    /// Which message, by the order of first deliveries; `World.messages` has its id.
    public let number: Int32
    /// When.
    public let at: Instant

    /// Which participant.
    public var participant: Int { Int(place >> 8) }
    /// How many links the message went over to get there, 1 for the publisher's neighbours; 255 or more count as 255.
    public var hops: Int { Int(place & 0xff) }

    fileprivate init(to participant: Int, number: Int, at: Instant, hops: UInt8) {
      (place, self.number, self.at) = (UInt32(participant) << 8 | UInt32(hops), Int32(number), at)
    }
  }

  /// Who published a message, and when.
  public struct Publishing: Sendable {
    /// Which participant.
    public let participant: Int
    /// When.
    public let at: Instant
  }

  /// Bytes and frames on all links.
  public struct Traffic: Hashable, Sendable {
    /// Bytes of all frames.
    public var bytes = 0
    /// Frames that arrived.
    public var frames = 0
    /// Bytes of the messages among them.
    public var messageBytes = 0
    /// Items dropped from full queues.
    public var shed = 0
  }

  /// What went over the links so far, in all and per participant.
  struct Meter: Sendable {
    let traffic: Traffic
    let sent: [Int]
    let received: [Int]
  }

  /// A reading of the meter.
  var meter: Meter { Meter(traffic: traffic, sent: sentBytes, received: receivedBytes) }

  private struct Resident: Sendable {
    let id: PeerID
    /// What it speaks, per manner; mixed networks differ here.
    let protocols: [[ProtocolName]]
    let make: @Sendable (PeerID, [UInt8], Instant) -> any Participant
    var body: (any Participant)?
    /// Manners whose streams it opens.
    var spoken = Manner.spokenAlways
    /// Which life this is: events of earlier ones are void.
    var life = 0
    /// Peer to outgoing pipe.
    var outgoing = OrderedDictionary<Int, Int>()
    var wakeAt: Instant?

    func names(of manner: Manner) -> [ProtocolName] {
      let index = Int(manner.rawValue)
      return index < protocols.count ? protocols[index] : []
    }
  }

  private enum Event: Sendable {
    case arrive(pipe: Int, Manner, [UInt8])
    case drain(pipe: Int)
    case wake(Int, life: Int)
    case tell(Int, life: Int, Node.Input)
    case open(Manner, Int, life: Int)
  }

  /// An empty world.
  public init(_ model: NetworkModel = NetworkModel(), seed: UInt64) {
    self.model = model
    dice = WorldDice(seed: seed)
  }

  // MARK: Participants

  /// Participants, dead ones included.
  public var count: Int { residents.count }
  /// A participant's name.
  public func peer(_ index: Int) -> PeerID { residents[index].id }
  /// Whether it has a body.
  public func isAlive(_ index: Int) -> Bool { residents[index].body != nil }
  /// The honest node of this participant; nil if it is dead or masked.
  public func node(_ index: Int) -> Node? { residents[index].body as? Node }
  /// How often this participant has crashed.
  public func life(of index: Int) -> Int { residents[index].life }
  /// The participant of this name.
  public func place(of peer: PeerID) -> Int? { places[peer] }

  /// Adds an honest node.
  /// - Parameter protocols: what it speaks per manner, the most wanted first.
  /// - Returns: its index.
  @discardableResult
  public mutating func add(
    _ configuration: Configuration = Configuration(),
    speaking protocols: [[ProtocolName]] = Manner.allCases.map(\.protocols)
  ) -> Int {
    add(speaking: protocols) { id, seed, birth in
      // Numbers rise across restarts, as a host's do by its wall clock.
      var configuration = configuration
      configuration.sequenceStart += UInt64(birth.nanoseconds)
      do { return try Node(configuration, as: id, seed: seed, at: birth) } catch {
        preconditionFailure("the configuration was not checked: \(error)")
      }
    }
  }

  /// Adds any participant; `make` gives it a body, at first and after each crash.
  @discardableResult
  public mutating func add(
    speaking protocols: [[ProtocolName]] = Manner.allCases.map(\.protocols),
    _ make: @escaping @Sendable (PeerID, [UInt8], Instant) -> any Participant
  ) -> Int {
    let index = residents.count
    let id = Notional.peer(index)
    places[id] = index
    residents.append(Resident(id: id, protocols: protocols, make: make))
    sentBytes.append(0)
    receivedBytes.append(0)
    restart(index)
    return index
  }

  /// Ends a participant: its state is lost, its links are cut.
  public mutating func crash(_ index: Int) {
    guard residents[index].body != nil else { return }
    for other in Array(residents[index].outgoing.keys) { disconnect(index, other) }
    residents[index].body = nil
    residents[index].life += 1
  }

  /// Gives a dead participant a new life under its old name; it has no links yet.
  public mutating func restart(_ index: Int) {
    guard residents[index].body == nil else { return }
    residents[index].body = residents[index].make(residents[index].id, dice.seed(), now)
    residents[index].spoken = Manner.spokenAlways
    residents[index].wakeAt = nil
    scheduleWake(index)
  }

  // MARK: Links

  /// Whether the two are linked.
  public func isLinked(_ a: Int, _ b: Int) -> Bool { residents[a].outgoing[b] != nil }

  /// Links two living participants; the streams of every manner both speak open at once.
  public mutating func connect(_ dialer: Int, _ other: Int) {
    guard dialer != other, isAlive(dialer), isAlive(other), !isLinked(dialer, other) else { return }
    let span = model.latency.upperBound - model.latency.lowerBound
    let latency =
      model.latency.lowerBound + .nanoseconds(Int64.random(in: 0...max(0, span.nanoseconds), using: &dice))
    for (from, to) in [(dialer, other), (other, dialer)] {
      residents[from].outgoing[to] = pipes.count
      pipes.append(Pipe(from: from, to: to, latency: latency, busyUntil: now))
    }
    tell(dialer, .connected(peer(other), Link(isOutbound: true, address: "world/\(other)")))
    tell(other, .connected(peer(dialer), Link(isOutbound: false, address: "world/\(dialer)")))
    for (mine, theirs) in [(dialer, other), (other, dialer)] {
      for manner in residents[mine].spoken { open(manner, from: mine, to: theirs) }
    }
  }

  /// Opens a stream, if both speak its manner.
  private mutating func open(_ manner: Manner, from mine: Int, to theirs: Int) {
    guard let pipe = residents[mine].outgoing[theirs],
      !pipes[pipe].queues.contains(where: { $0.manner == manner }),
      let common = residents[mine].names(of: manner).first(
        where: residents[theirs].names(of: manner).contains)
    else { return }
    pipes[pipe].queues.append((manner, SendQueue(manner, model.queue, WireLimits())))
    tell(mine, .opened(peer(theirs), manner, common))
  }

  /// A participant needs streams of another manner.
  private mutating func speak(_ manner: Manner, _ index: Int) {
    guard !residents[index].spoken.contains(manner) else { return }
    residents[index].spoken.append(manner)
    let life = residents[index].life
    queue.add(.open(manner, index, life: life), at: now)  // opening here would nest turns
  }

  /// Cuts a link; what was under way is lost.
  public mutating func disconnect(_ a: Int, _ b: Int) {
    guard isLinked(a, b) else { return }
    for (from, to) in [(a, b), (b, a)] {
      guard let pipe = residents[from].outgoing.removeValue(forKey: to) else { continue }
      pipes[pipe].isOpen = false
      pipes[pipe].queues = []
      pipes[pipe].unread = []
    }
    tell(a, .disconnected(peer(b), Severance("the link was cut")))
    tell(b, .disconnected(peer(a), Severance("the link was cut")))
  }

  // MARK: Doing things

  /// Tells a participant something now.
  public mutating func tell(_ index: Int, _ input: Node.Input) {
    guard residents[index].body != nil else { return }
    residents[index].body!.handle(input, at: now, into: &effects)
    perform(index)
    scheduleWake(index)
  }

  /// Publishes, and returns the token under which `results` will have the outcome.
  @discardableResult
  public mutating func publish(
    _ payload: Payload, to topic: Topic, by index: Int, for audience: Audience = .everyone,
    policy: TopicPolicy = TopicPolicy()
  ) -> UInt64 {
    let token = takeToken()
    tell(
      index,
      .publish(Draft(token: token, topic: topic, payload: payload, audience: audience, policy: policy)))
    return token
  }

  /// Asks, and returns the token under which `answers` will have the replies.
  @discardableResult
  public mutating func ask(
    _ audience: Audience, _ payload: Payload, on topic: Topic, by index: Int, within patience: Duration
  ) -> UInt64 {
    let token = takeToken()
    tell(
      index,
      .ask(Inquiry(token: token, topic: topic, payload: payload, audience: audience, patience: patience)))
    return token
  }

  private mutating func takeToken() -> UInt64 {
    defer { nextToken += 1 }
    return nextToken
  }

  // MARK: Time

  /// Runs for so long.
  public mutating func run(for span: Duration) { run(until: now + span) }

  /// Runs until the clock shows `end`.
  public mutating func run(until end: Instant) {
    while let (at, event) = queue.next(until: end) {
      now = max(now, at)
      happen(event)
    }
    now = max(now, end)
  }

  /// Runs until `holds`, looking after every `step`, at most for `span`.
  /// - Returns: whether it held.
  @discardableResult
  public mutating func run(
    for span: Duration, every step: Duration = .milliseconds(100), until holds: (World) -> Bool
  ) -> Bool {
    let end = now + span
    while now < end {
      if holds(self) { return true }
      run(until: min(end, now + step))
    }
    return holds(self)
  }

  private mutating func happen(_ event: Event) {
    events += 1
    fingerprint.add(UInt64(bitPattern: now.nanoseconds))
    switch event {
    case .wake(let index, let life):
      guard residents[index].life == life, residents[index].wakeAt.map({ $0 <= now }) ?? false else { return }
      residents[index].wakeAt = nil
      fingerprint.add(UInt64(index) << 8 | 1)
      tell(index, .wake)
    case .tell(let index, let life, let input):
      guard residents[index].life == life else { return }
      fingerprint.add(UInt64(index) << 8 | 2)
      tell(index, input)
    case .open(let manner, let index, let life):
      guard residents[index].life == life else { return }
      fingerprint.add(UInt64(index) << 8 | 5)
      for other in Array(residents[index].outgoing.keys) { open(manner, from: index, to: other) }
    case .drain(let pipe):
      guard pipes[pipe].isOpen, pipes[pipe].isResuming else { return }  // cut, or paused again
      fingerprint.add(UInt64(pipe) << 8 | 4)
      drain(pipe)
    case .arrive(let pipe, let manner, let bytes):
      guard pipes[pipe].isOpen else { return }
      fingerprint.add(UInt64(pipe) << 8 | 3)
      fingerprint.add(bytes)
      if pipes[pipe].isPaused {
        pipes[pipe].unread.append((manner, bytes))
      } else {
        pipes[pipe].inFlight -= bytes.count
        receive(bytes, manner, pipe)
        pump(pipe)
      }
    }
  }

  private mutating func scheduleWake(_ index: Int) {
    guard let deadline = residents[index].body?.nextDeadline() else { return }
    if let wakeAt = residents[index].wakeAt, wakeAt <= deadline { return }
    residents[index].wakeAt = max(deadline, now)
    queue.add(.wake(index, life: residents[index].life), at: max(deadline, now))
  }

  // MARK: Effects

  private mutating func perform(_ index: Int) {
    let performed = effects
    effects.removeAll(keepingCapacity: true)
    for effect in performed { perform(effect, of: index) }
  }

  private mutating func perform(_ effect: Node.Effect, of index: Int) {
    let life = residents[index].life
    switch effect {
    case .send(let frame, let peer): send(frame, from: index, to: peer)
    case .speak(let manner): speak(manner, index)
    case .disconnect(let peer, _): if let other = places[peer] { disconnect(index, other) }
    case .pause(let peer): setReading(false, peer, at: index)
    case .resume(let peer): setReading(true, peer, at: index)
    case .check(let ticket, let message):
      let isAuthentic = Notional.isAuthentic(message)
      queue.add(
        .tell(index, life: life, .checked(ticket, authentic: isAuthentic)), at: now + model.checkingTime)
    case .sign(let ticket, let bytes):
      let signature = Notional.signature(of: residents[index].id, over: bytes)
      let input = Node.Input.signed(ticket, signature: signature, key: nil)
      queue.add(.tell(index, life: life, input), at: now + model.signingTime)
    case .judge(let ticket, let message, _):
      queue.add(.tell(index, life: life, .judged(ticket, judge(message, index))), at: now)
    case .ask(let ticket, let topic, let payload, _, _):
      queue.add(.tell(index, life: life, .answer(ticket, answer(topic, payload, index))), at: now)
    case .deliver(let message, let source):
      let number = numbers[message.id] ?? messages.count
      if number == messages.count {
        messages.append(message.id)
        numbers[message.id] = number
        hops.append(Array(repeating: 0, count: residents.count))
      }
      let before = places[source].map { $0 < hops[number].count ? hops[number][$0] : 0 } ?? 0
      let distance = before == .max ? before : before + 1
      if index < hops[number].count { hops[number][index] = distance }
      deliveries.append(Delivery(to: index, number: number, at: now, hops: distance))
      fingerprint.add(message.id.bytes)
    case .published(let token, let result):
      results[token] = result
      if case .success(let publication) = result {
        publications[publication.id] = Publishing(participant: index, at: now)
      }
    case .answered(let token, let result): answers[token] = result
    case .reached, .forgetAsk, .notice: break
    }
  }

  private mutating func setReading(_ isOn: Bool, _ peer: PeerID, at index: Int) {
    guard let other = places[peer], let pipe = residents[other].outgoing[index] else { return }
    pipes[pipe].isResuming = isOn
    if isOn {
      queue.add(.drain(pipe: pipe), at: now)  // reading here would nest turns
    } else {
      pipes[pipe].isPaused = true
    }
  }

  /// Reads what waited, in the order it came, until the receiver stops reading again.
  private mutating func drain(_ pipe: Int) {
    pipes[pipe].isPaused = false
    pipes[pipe].isResuming = false
    while !pipes[pipe].isPaused, pipes[pipe].isOpen, !pipes[pipe].unread.isEmpty {
      let (manner, bytes) = pipes[pipe].unread.removeFirst()
      pipes[pipe].inFlight -= bytes.count
      receive(bytes, manner, pipe)
    }
    pump(pipe)
  }

  // MARK: Frames

  private mutating func send(_ frame: Frame, from index: Int, to peer: PeerID) {
    guard let other = places[peer], let pipe = residents[index].outgoing[other] else { return }
    var frame = frame
    if model.loss > 0, !frame.messages.isEmpty {
      frame.messages.removeAll { _ in Double.random(in: 0..<1, using: &dice) < model.loss }
      if frame.isEmpty { return }
    }
    guard let place = pipes[pipe].queues.firstIndex(where: { $0.manner == frame.manner }) else { return }
    let shed = pipes[pipe].queues[place].queue.push(frame)
    traffic.messageBytes += frame.messages.reduce(0) { $0 + $1.bytes.count }
    if shed.overflowed { return disconnect(index, other) }
    if !shed.isEmpty {
      traffic.shed += shed.messages + shed.offers
      let (life, id) = (residents[index].life, residents[other].id)
      if shed.messages > 0 {
        queue.add(.tell(index, life: life, .shed(id, .message, count: shed.messages)), at: now)
      }
      if shed.offers > 0 {
        queue.add(.tell(index, life: life, .shed(id, .offer, count: shed.offers)), at: now)
      }
    }
    pump(pipe)
  }

  /// Hands to the link what its window has room for.
  private mutating func pump(_ pipe: Int) {
    guard pipes[pipe].isOpen else { return }
    for index in pipes[pipe].queues.indices {
      let manner = pipes[pipe].queues[index].manner
      while pipes[pipe].inFlight < model.windowBytes, !pipes[pipe].queues[index].queue.isEmpty {
        var bytes: [UInt8] = []
        pipes[pipe].queues[index].queue.pop(1 << 16, into: &bytes)
        let nanoseconds = Int64(Double(bytes.count) * 1e9 / Double(model.bandwidth))
        pipes[pipe].busyUntil = max(pipes[pipe].busyUntil, now) + .nanoseconds(nanoseconds)
        pipes[pipe].inFlight += bytes.count
        traffic.bytes += bytes.count
        sentBytes[pipes[pipe].from] += bytes.count
        var arrival = pipes[pipe].busyUntil + pipes[pipe].latency
        if model.jitter > .zero {
          arrival = arrival + .nanoseconds(Int64.random(in: 0...model.jitter.nanoseconds, using: &dice))
          arrival = max(arrival, pipes[pipe].lastArrival)
          pipes[pipe].lastArrival = arrival
        }
        queue.add(.arrive(pipe: pipe, manner, bytes), at: arrival)
      }
    }
  }

  /// Cuts bytes into frames, decodes them, and hands them over in order.
  private mutating func receive(_ bytes: [UInt8], _ manner: Manner, _ pipe: Int) {
    let (receiver, sender) = (pipes[pipe].to, residents[pipes[pipe].from].id)
    receivedBytes[receiver] += bytes.count
    var offset = 0
    while offset < bytes.count, pipes[pipe].isOpen {
      guard case .complete(let length, let size)? = unsafe try? Varint.read(bytes.span.bytes, at: offset),
        offset + size + Int(length) <= bytes.count
      else { preconditionFailure("a queue wrote half a frame") }
      let start = offset + size
      offset = start + Int(length)
      traffic.frames += 1
      let body = unsafe bytes.span.bytes.extracting(start..<offset)
      do {
        tell(receiver, .received(try Frame(decoding: body, on: manner, WireLimits()), from: sender))
      } catch {
        tell(receiver, .garbled(error, from: sender))
      }
    }
  }
}
