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
  public internal(set) var now = Instant.zero
  /// Hash over everything that happened.
  public internal(set) var fingerprint = Fingerprint()
  /// Events so far.
  public internal(set) var events = 0
  /// What was delivered to applications.
  public internal(set) var deliveries: [Delivery] = []
  /// The ids of what was delivered, in the order of first deliveries.
  public internal(set) var messages: [MessageID] = []
  /// What was published, and by whom.
  public internal(set) var publications: [MessageID: Publishing] = [:]
  /// Answers of `publish`, by token.
  public internal(set) var results: [UInt64: Result<Publication, PublishFailure>] = [:]
  /// Answers of `ask`, by token.
  public internal(set) var answers: [UInt64: Result<[Reply], AskRefusal>] = [:]
  /// What went over all links.
  public internal(set) var traffic = Traffic()

  /// Judges messages of judged topics; a pure function.
  public var judge: @Sendable (Message, Int) -> Verdict = { _, _ in .accept }
  /// Answers requests; a pure function.
  public var answer: @Sendable (Topic, Payload, Int) -> Answer = { _, payload, _ in .success(payload) }

  /// Share of the copies of messages that are lost on their way, 0…1; the model's at first.
  public var loss: Double
  /// How long after a link was lost whoever had dialed it dials again; nil never does.
  public var redialAfter: Duration?
  /// Who watches what honest nodes do, if anybody.
  public var checkers: Checkers?
  /// After so many events time passes without any: a world in which causes and effects chase one another would never
  /// let it pass.
  public var eventsMax = Int.max

  /// Bytes each participant handed to its links so far.
  public internal(set) var sentBytes: [Int] = []
  /// Bytes each participant got from its links so far.
  public internal(set) var receivedBytes: [Int] = []

  /// The names of what was published, in that order.
  var publicationOrder: [MessageID] = []
  var residents: [Resident] = []
  /// Per message, by number, the hops to each participant; 0 where it is not, or was published.
  var hops: [[UInt8]] = []
  var numbers: [MessageID: Int] = [:]
  var places: [PeerID: Int] = [:]
  var pipes: [Pipe] = []
  /// Partitions in force, a bit each: links that are cut between the two sides, and those that only bring nothing from
  /// one side to the other.
  var cuts: UInt64 = 0
  var stalls: UInt64 = 0
  var queue = EventQueue<Event>()
  var dice: WorldDice
  private var nextToken: UInt64 = 1
  var effects: [Node.Effect] = []

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

    init(to participant: Int, number: Int, at: Instant, hops: UInt8) {
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
    /// Copies of messages that honest participants got from honest ones.
    public var copies = 0
    /// Copies of messages that honest participants got from hostile ones.
    public var hostileCopies = 0
    /// Signatures that honest participants checked.
    public var checks = 0
  }

  /// What went over the links so far, in all and per participant.
  struct Meter: Sendable {
    let traffic: Traffic
    let sent: [Int]
    let received: [Int]
  }

  /// A reading of the meter.
  var meter: Meter { Meter(traffic: traffic, sent: sentBytes, received: receivedBytes) }

  struct Resident: Sendable {
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
    /// When this life began.
    var birth = Instant.zero
    /// Whether it may break every rule; nobody inside the world can tell.
    let isHostile: Bool
    /// Where it says to be; several may share one.
    let ip: [UInt8]
    /// Topics its application is on.
    var topics = OrderedDictionary<Topic, TopicPolicy>()
    /// Whom it dials, and dials again.
    var dials = OrderedSet<Int>()
    /// Whom it will dial again before long; one attempt at a time, however often a link is lost.
    var dialsDue = OrderedSet<Int>()
    /// The side it is on, per partition.
    var side: UInt64 = 0
    /// Bytes per second of its links, if that is less than usual.
    var bandwidth = Int.max
    /// What its clock shows.
    var clock = Clock()

    func names(of manner: Manner) -> [ProtocolName] {
      let index = Int(manner.rawValue)
      return index < protocols.count ? protocols[index] : []
    }
  }

  enum Event: Sendable {
    case arrive(pipe: Int, Manner, [UInt8])
    case drain(pipe: Int)
    case wake(Int, life: Int)
    case tell(Int, life: Int, Node.Input)
    case open(Manner, Int, life: Int)
    case dial(Int, Int, life: Int)
  }

  /// An empty world.
  public init(_ model: NetworkModel = NetworkModel(), seed: UInt64) {
    self.model = model
    loss = model.loss
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
  /// The node of this participant, under its mask if it wears one; nil if it is dead, or was never a node.
  public func nodeWithin(_ index: Int) -> Node? {
    node(index) ?? (residents[index].body as? Masked)?.node
  }
  /// Its body, whatever it is; nil if it is dead.
  public func participant(_ index: Int) -> (any Participant)? { residents[index].body }
  /// Whether it may break every rule.
  public func isHostile(_ index: Int) -> Bool { residents[index].isHostile }
  /// How often this participant has crashed.
  public func life(of index: Int) -> Int { residents[index].life }
  /// When its present life began.
  public func birth(of index: Int) -> Instant { residents[index].birth }
  /// Its IP address; several participants may share one.
  public func ip(of index: Int) -> [UInt8] { residents[index].ip }
  /// Those it is linked with, in the order the links were made.
  public func linked(with index: Int) -> [Int] { Array(residents[index].outgoing.keys) }
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
  /// - Parameters:
  ///   - isHostile: whether it may break rules; checkers do not watch it.
  ///   - ip: its address; one of its own if nil.
  @discardableResult
  public mutating func add(
    speaking protocols: [[ProtocolName]] = Manner.allCases.map(\.protocols), isHostile: Bool = false,
    ip: [UInt8]? = nil, _ make: @escaping @Sendable (PeerID, [UInt8], Instant) -> any Participant
  ) -> Int {
    let index = residents.count
    let id = Notional.peer(index)
    places[id] = index
    let ip = ip ?? [10] + [16, 8, 0].map { UInt8(truncatingIfNeeded: index >> $0) }
    residents.append(Resident(id: id, protocols: protocols, make: make, isHostile: isHostile, ip: ip))
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
    residents[index].topics = [:]
    residents[index].dialsDue = []
    checkers?.died(index)
  }

  /// Gives a dead participant a new life under its old name; it has no links yet, but dials those it had dialed if
  /// the world redials.
  public mutating func restart(_ index: Int) {
    guard residents[index].body == nil else { return }
    let birth = residents[index].clock.reading(at: now)
    residents[index].body = residents[index].make(residents[index].id, dice.seed(), birth)
    residents[index].birth = now
    residents[index].spoken = Manner.spokenAlways
    residents[index].wakeAt = nil
    scheduleWake(index)
    for other in Array(residents[index].dials) { dialAgain(index, other) }
  }

  private mutating func dialAgain(_ dialer: Int, _ other: Int) {
    guard let redialAfter, residents[dialer].dialsDue.append(other).inserted else { return }
    queue.add(.dial(dialer, other, life: residents[dialer].life), at: now + redialAfter)
  }

  // MARK: Links

  /// Whether the two are linked.
  public func isLinked(_ a: Int, _ b: Int) -> Bool { residents[a].outgoing[b] != nil }

  /// Links two living participants; the streams of every manner both speak open at once.
  public mutating func connect(_ dialer: Int, _ other: Int) {
    guard dialer != other, isAlive(dialer) else { return }
    if redialAfter != nil { residents[dialer].dials.append(other) }
    guard isAlive(other), !isLinked(dialer, other) else { return }
    guard (residents[dialer].side ^ residents[other].side) & cuts == 0 else { return }
    let span = model.latency.upperBound - model.latency.lowerBound
    let latency =
      model.latency.lowerBound + .nanoseconds(Int64.random(in: 0...max(0, span.nanoseconds), using: &dice))
    for (from, to) in [(dialer, other), (other, dialer)] {
      residents[from].outgoing[to] = pipes.count
      pipes.append(Pipe(from: from, to: to, latency: latency, busyUntil: now))
      setWeather(of: pipes.count - 1)
    }
    tell(
      dialer,
      .connected(peer(other), Link(isOutbound: true, address: address(of: other), ip: residents[other].ip)))
    tell(
      other,
      .connected(
        peer(dialer), Link(isOutbound: false, address: address(of: dialer), ip: residents[dialer].ip)))
    for (mine, theirs) in [(dialer, other), (other, dialer)] {
      for manner in residents[mine].spoken { open(manner, from: mine, to: theirs) }
    }
  }

  private func address(of index: Int) -> String {
    residents[index].ip.map { String($0) }.joined(separator: ".")
  }

  /// Opens a stream, if both speak its manner.
  mutating func open(_ manner: Manner, from mine: Int, to theirs: Int) {
    guard let pipe = residents[mine].outgoing[theirs],
      !pipes[pipe].queues.contains(where: { $0.manner == manner }),
      let common = residents[mine].names(of: manner).first(
        where: residents[theirs].names(of: manner).contains)
    else { return }
    pipes[pipe].queues.append((manner, SendQueue(manner, model.queue, WireLimits())))
    tell(mine, .opened(peer(theirs), manner, common))
  }

  /// A participant needs streams of another manner.
  mutating func speak(_ manner: Manner, _ index: Int) {
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
    for (dialer, other) in [(a, b), (b, a)] where residents[dialer].dials.contains(other) {
      dialAgain(dialer, other)
    }
  }

  // MARK: Doing things

  /// Tells a participant something now.
  public mutating func tell(_ index: Int, _ input: Node.Input) {
    guard residents[index].body != nil else { return }
    switch input {
    case .subscribe(let topic, let policy): residents[index].topics[topic] = policy
    case .unsubscribe(let topic): residents[index].topics[topic] = nil
    default: break
    }
    residents[index].body!.handle(input, at: residents[index].clock.reading(at: now), into: &effects)
    perform(index)
    if residents[index].isHostile { performDeeds(of: index) }
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
    while events < eventsMax, let (at, event) = queue.next(until: end) {
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
    case .dial(let dialer, let other, let life):
      guard residents[dialer].life == life else { return }
      residents[dialer].dialsDue.remove(other)
      guard !isLinked(dialer, other) else { return }
      fingerprint.add(UInt64(dialer) << 8 | 6)
      connect(dialer, other)
      if isAlive(dialer), !isLinked(dialer, other) { dialAgain(dialer, other) }
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

  mutating func scheduleWake(_ index: Int) {
    guard let reading = residents[index].body?.nextDeadline() else { return }
    let deadline = residents[index].clock.instant(of: reading)
    if let wakeAt = residents[index].wakeAt, wakeAt <= deadline { return }
    residents[index].wakeAt = max(deadline, now)
    queue.add(.wake(index, life: residents[index].life), at: max(deadline, now))
  }
}
