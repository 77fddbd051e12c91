import OrderedCollections

/// Messages that cannot be judged before others are there: an application's dependencies, and the pieces of an object
/// whose manifest came. Both are the same wait: what is missing is asked of those who sent the message, it is passed
/// on only when complete, and whoever sent what it cannot complete is observed.
///
/// Source: Casper ("an item waits for what it depends on"); the Internet Computer's chunked artifacts.
extension Node {
  /// How often waiting messages are looked at: overdue ones, and requests that found every holder busy.
  private static let awaitingInterval = Duration.milliseconds(250)

  // MARK: Waiting

  /// Lets a message wait for others.
  mutating func park(_ message: Message, for wanted: [MessageID]) {
    let id = message.id
    var missing = OrderedSet<MessageID>()
    for need in wanted where need != id && !commons.store.holds(need) {
      switch commons.seen.fate(of: need, at: commons.now) {
      case .accepted: break
      case .rejected, .ignored: return cannotComplete(id)
      case .pending, nil: missing.append(need)
      }
    }
    if missing.isEmpty { return judgeAgain(id) }
    wait(id, for: missing.elements)
  }

  private mutating func wait(_ id: MessageID, for needs: [MessageID]) {
    guard let examination = commons.validation.examination(of: id) else { return }
    let isTimed = commons.awaiting.isEmpty
    let isParked = commons.awaiting.park(
      id, for: needs, heldBy: examination.holders, until: commons.now + configuration.limits.awaitingFor)
    guard isParked else { return turnAway(id) }
    commons.validation.await(id)
    if let charged = commons.validation.discharge(id) { discharge(charged) }
    if isTimed { commons.ring(.awaiting, after: Node.awaitingInterval) }
    askForNeeds(of: id)
  }

  /// There is no room for it to wait; nobody's fault.
  private mutating func turnAway(_ id: MessageID) {
    commons.objects.abandon(id)
    commons.counters.throttled += 1
    commons.seen.settle(id, .ignored)
    reject(id, Array(commons.validation.examination(of: id)?.holders ?? []), .throttled)
    refuse(id)
  }

  /// Another peer has a message that waits.
  mutating func holds(_ id: MessageID, _ peer: PeerID) {
    commons.awaiting.add(peer, to: id)
    askForNeeds(of: id)
  }

  private mutating func askForNeeds(of id: MessageID) {
    guard let topic = commons.validation.examination(of: id)?.message.topic,
      let policy = commons.joined[topic]
    else { return }
    commons.manner = policy.spread
    for (peer, needs) in commons.awaiting.requests(for: id) {
      var wanted: [MessageID] = []
      for need in needs {
        if commons.version(with: peer) == nil {
          commons.awaiting.failed(need)
        } else if commons.want(need, heldBy: peer, patience: configuration.limits.needPatience) {
          wanted.append(need)
        }  // otherwise somebody else was asked already
      }
      if !wanted.isEmpty { commons.say(.want(wanted), to: peer) }
    }
  }

  // MARK: What comes of it

  /// No holder is left to give this.
  mutating func gaveUp(_ id: MessageID, _ manner: Manner) {
    tell(manner, .gaveUp(id))
    guard commons.awaiting.isNeeded(id) else { return }
    commons.awaiting.failed(id)
    for parent in commons.awaiting.parents(of: id) { askForNeeds(of: parent) }
  }

  /// A message was believed: others may have waited for it.
  mutating func dependencyArrived(_ id: MessageID) {
    guard commons.awaiting.isNeeded(id) else { return }
    let parents = commons.awaiting.parents(of: id)
    for parent in commons.awaiting.arrived(id) { judgeAgain(parent) }
    for parent in parents { askForNeeds(of: parent) }
  }

  /// A message was refused: what depends on it cannot be completed.
  mutating func dependencyFailed(_ id: MessageID) {
    guard commons.awaiting.isNeeded(id) else { return }
    for parent in commons.awaiting.parents(of: id) { cannotComplete(parent) }
  }

  private mutating func judgeAgain(_ id: MessageID) {
    guard let examination = commons.validation.examination(of: id) else { return }
    guard let policy = commons.joined[examination.message.topic] else { return refuse(id) }
    commons.validation.await(id)  // it may have been with the judge
    judge(examination.message, policy)
  }

  /// Gives a message up, and holds it against those who sent it.
  private mutating func cannotComplete(_ id: MessageID) {
    for need in commons.awaiting.end(id) { commons.unwant(need) }
    commons.objects.abandon(id)
    guard let examination = commons.validation.examination(of: id) else { return }
    commons.seen.settle(id, .ignored)
    reject(id, Array(examination.holders), .incomplete)
    refuse(id)
  }

  /// Now and then: who has waited too long, and whether busy holders are free again.
  mutating func lookAtAwaiting() {
    for id in commons.awaiting.overdue(at: commons.now) { cannotComplete(id) }
    for id in commons.awaiting.all { askForNeeds(of: id) }
    if !commons.awaiting.isEmpty { commons.ring(.awaiting, after: Node.awaitingInterval) }
  }

  // MARK: Objects

  /// A manifest is proven: its pieces are fetched.
  mutating func assemble(_ message: Message, _ policy: TopicPolicy) {
    let id = message.id
    guard let examination = commons.validation.examination(of: id) else { return }
    guard let objects = policy.objects, let manifest = Manifest(message.wire.payload, objects) else {
      commons.seen.settle(id, .rejected)
      reject(id, Array(examination.holders), .failed)
      return refuse(id)
    }
    guard let pieces = commons.objects.begin(id, manifest) else { return turnAway(id) }
    wait(id, for: pieces)
  }

  /// A piece is its own proof: only what was asked for by this hash is taken.
  mutating func receivePiece(_ wire: WireMessage, from peer: PeerID) {
    let name = Manifest.name(of: wire.payload.bytes)
    guard commons.awaiting.isNeeded(name) else {
      commons.counters.strays += 1
      return
    }
    let parents = commons.awaiting.parents(of: name)
    for parent in parents where !commons.objects.put(name, wire.payload.bytes, in: parent) {
      cannotComplete(parent)  // its manifest contradicts itself about sizes
    }
    commons.unwant(name)
    for parent in commons.awaiting.arrived(name) { finish(parent) }
    for parent in parents { askForNeeds(of: parent) }
  }

  private mutating func finish(_ id: MessageID) {
    guard let examination = commons.validation.examination(of: id),
      let object = commons.objects.finish(id, on: examination.message.topic, at: commons.now)
    else { return cannotComplete(id) }
    commons.validation.complete(id, with: object)
    judgeAgain(id)
  }
}
