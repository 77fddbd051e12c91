import OrderedCollections

/// Messages that cannot be judged before others are there: an application's dependencies, and the pieces of an object
/// whose manifest came. Both are the same wait: what is missing is asked of those who sent the message, it is passed
/// on only when complete, and whoever sent what it cannot complete is observed.
///
/// Source: Casper ("an item waits for what it depends on"); the Internet Computer's chunked artifacts.
extension Node {
  /// How often waiting messages are looked at: overdue ones, and requests that found every holder busy.
  private static let awaitingInterval = Duration.milliseconds(250)
  /// After so many looks all holders are tried again.
  private static let looksPerTry: UInt64 = 20
  /// How long who only says that it has the message may take to give something.
  private static let unprovenPatience = Duration.seconds(2)
  /// Bytes of pieces asked of one holder at a time, but for a single piece that is larger.
  private static let pieceBytesPerHolder = 1 << 20

  // MARK: Waiting

  /// Lets a message wait for others.
  mutating func park(_ message: Message, for wanted: [MessageID]) {
    let id = message.id
    var missing = OrderedSet<Awaiting.Need>()
    for need in wanted where need != id && !commons.isBelieved(need) {
      switch commons.seen.fate(of: need, at: commons.now) {
      case .accepted: break
      case .rejected: return giveUp([id], blamesSenders: true)
      case .ignored: return giveUp([id], blamesSenders: false)
      case .pending, nil: missing.append(.message(need))
      }
    }
    if missing.isEmpty { return judgeAgain(id) }
    wait(id, for: missing.elements, perHolder: configuration.limits.needsPerHolder)
  }

  private mutating func wait(_ id: MessageID, for needs: [Awaiting.Need], perHolder: Int) {
    guard let examination = commons.validation.examination(of: id) else { return }
    let manner = commons.joined[examination.message.topic]?.spread
    let isParked = commons.awaiting.park(
      id, for: needs, heldBy: examination.holders,
      offeredBy: manner.map { disseminations[$0.index].holders(of: id) } ?? [], perHolder: perHolder,
      until: commons.now + configuration.limits.awaitingFor)
    guard isParked else { return turnAway(id) }
    commons.validation.await(id)
    commons.unexamined.excuse(id, at: commons.now)
    if let charged = commons.validation.discharge(id) { discharge(charged, examination.message) }
    watchAwaiting()
    askForNeeds(of: id)
  }

  private mutating func watchAwaiting() {
    guard !commons.awaiting.isWatched, !commons.awaiting.isEmpty else { return }
    commons.awaiting.isWatched = true
    commons.ring(.awaiting, after: Node.awaitingInterval)
  }

  /// There is no room for it to wait: nobody's fault, and it may come again.
  private mutating func turnAway(_ id: MessageID) {
    commons.objects.abandon(id)
    commons.counters.throttled += 1
    if let examination = commons.validation.examination(of: id) {
      reject(id, on: examination.message.topic, Array(examination.holders), .throttled)
    }
    refuse(id)
    commons.seen.expire(id)
  }

  /// Another peer has a message that waits.
  mutating func holds(_ id: MessageID, _ peer: PeerID) {
    if commons.awaiting.add(peer, to: id, isProven: true) { askForNeeds(of: id) }
  }

  /// A peer says that it has messages; some may wait here.
  mutating func offered(_ control: Control, by peer: PeerID) {
    let ids: [MessageID] =
      switch control {
      case .have(_, let ids), .held(let ids), .digest(_, let ids): ids
      case .advert(_, let adverts): adverts.map(\.id)
      case .slot(let update): [update.id]
      default: []
      }
    for id in ids where commons.awaiting.waits(id) && commons.awaiting.add(peer, to: id, isProven: false) {
      askForNeeds(of: id)
    }
  }

  private mutating func askForNeeds(of id: MessageID) {
    guard let topic = commons.validation.examination(of: id)?.message.topic,
      let policy = commons.joined[topic]
    else { return }
    commons.manner = policy.spread
    let (peers, manner) = (commons.peers, commons.manner)
    let start = configuration.pace.allowanceStart
    let unreliable = commons.awaiting.holders(of: id).filter { commons.isUnreliable($0) }
    let requests = commons.awaiting.requests(for: id, unreliable: unreliable) { peer, most in
      guard let entry = peers.entry(peer), entry.speaks[manner.index] != nil else { return 0 }
      // Who is slower than is assumed of a stranger is asked for as much less at a time.
      let allowance = min(entry.pace?.allowance ?? start, start)
      return max(1, Int(Double(most) * Double(allowance) / Double(start)))
    }
    for (peer, needs) in requests {
      let patience =
        commons.awaiting.isProven(peer, for: id) ? configuration.limits.needPatience : Node.unprovenPatience
      let wanted = needs.filter { need in
        let isPiece = if case .piece = need { true } else { false }
        // If somebody else was asked already, its answer serves as well.
        return commons.want(
          need.id, heldBy: peer, patience: patience, size: isPiece ? policy.objects?.pieceSize : nil,
          mayWait: false)
      }.map(\.id)
      if !wanted.isEmpty { commons.say(.want(wanted), to: peer) }
    }
  }

  // MARK: What comes of it

  /// No holder is left to give this.
  mutating func gaveUp(_ id: MessageID, _ manner: Manner) {
    tell(manner, .gaveUp(id))
    for need in [Awaiting.Need.message(id), .piece(id)] where commons.awaiting.isNeeded(need) {
      commons.awaiting.failed(need)
      for parent in commons.awaiting.parents(of: need) { askForNeeds(of: parent) }
    }
  }

  /// A message was believed: others may have waited for it.
  mutating func dependencyArrived(_ id: MessageID) {
    let need = Awaiting.Need.message(id)
    guard commons.awaiting.isNeeded(need) else { return }
    let parents = commons.awaiting.parents(of: need)
    for parent in commons.awaiting.arrived(need) { judgeAgain(parent) }
    for parent in parents { askForNeeds(of: parent) }
  }

  /// A message was refused: what depends on it cannot be completed. A mere forgery of it changes nothing.
  mutating func dependencyRefused(_ id: MessageID) {
    let need = Awaiting.Need.message(id)
    guard commons.awaiting.isNeeded(need) else { return }
    switch commons.seen.fate(of: id, at: commons.now) {
    case .rejected: giveUp(commons.awaiting.parents(of: need), blamesSenders: true)
    case .ignored: giveUp(commons.awaiting.parents(of: need), blamesSenders: false)
    case .accepted, .pending, nil: break
    }
  }

  private mutating func judgeAgain(_ id: MessageID) {
    guard let examination = commons.validation.examination(of: id) else { return }
    guard let policy = commons.joined[examination.message.topic] else { return refuse(id) }
    commons.validation.await(id)  // it may have been with the judge
    judge(examination.message, policy)
  }

  /// Gives messages up, and with them all that depend on them.
  /// - Parameter mayReturn: whether they may come again: what we waited for in vain, behind a partition or with a clock
  ///   that leapt, another will have.
  private mutating func giveUp(_ ids: [MessageID], blamesSenders: Bool, mayReturn: Bool = false) {
    var failing = ids
    while let id = failing.popLast() {
      for need in commons.awaiting.end(id) { commons.unwant(need.id) }
      commons.objects.abandon(id)
      guard let examination = commons.validation.examination(of: id) else { continue }
      commons.seen.settle(id, .ignored)
      if blamesSenders { reject(id, on: examination.message.topic, Array(examination.holders), .incomplete) }
      failing += commons.awaiting.parents(of: .message(id))
      endRefused(id)
      if mayReturn { commons.seen.expire(id) }
    }
  }

  /// We leave a topic: what waits on it is given up, and nobody is to blame.
  mutating func stopAwaiting(on topic: Topic) {
    giveUp(
      commons.awaiting.all.filter { commons.validation.examination(of: $0)?.message.topic == topic },
      blamesSenders: false)
  }

  /// Now and then: who has waited too long, and whether busy holders are free again.
  mutating func lookAtAwaiting() {
    commons.awaiting.isWatched = false
    giveUp(commons.awaiting.overdue(at: commons.now), blamesSenders: true, mayReturn: true)
    looks &+= 1
    for id in commons.awaiting.all {
      // A want that another owner has taken back is asked anew.
      for need in commons.awaiting.asked(by: id) where !commons.wants.isWanted(need.id) {
        commons.awaiting.failed(need)
      }
      if looks % Node.looksPerTry == 0 { commons.awaiting.tryAgain(id) }
      askForNeeds(of: id)
    }
    watchAwaiting()
  }

  // MARK: Objects

  /// A manifest is proven: its pieces are fetched.
  mutating func assemble(_ message: Message, _ policy: TopicPolicy) {
    let id = message.id
    guard let examination = commons.validation.examination(of: id) else { return }
    guard let objects = policy.objects, let manifest = Manifest(message.wire.payload, objects) else {
      commons.seen.settle(id, .rejected)
      reject(id, on: message.topic, Array(examination.holders), .failed)
      return refuse(id)
    }
    guard let pieces = commons.objects.begin(id, manifest, from: examination.holders[0]) else {
      return turnAway(id)
    }
    let perHolder = min(
      configuration.limits.needsPerHolder, max(1, Node.pieceBytesPerHolder / manifest.pieceSize))
    wait(id, for: pieces.map { .piece($0) }, perHolder: perHolder)
  }

  /// A piece is its own proof: only what was asked for by this hash is taken.
  mutating func receivePiece(_ wire: WireMessage, from peer: PeerID) {
    let name = Manifest.name(of: wire.payload.bytes)
    let need = Awaiting.Need.piece(name)
    let parents = commons.awaiting.parents(of: need)
    guard !parents.isEmpty,
      parents.allSatisfy({ commons.validation.examination(of: $0)?.message.topic == wire.topic })
    else {
      commons.counters.strays += 1
      return
    }
    for parent in parents where !commons.objects.put(name, wire.payload.bytes, in: parent) {
      giveUp([parent], blamesSenders: true)  // its manifest contradicts itself about sizes
    }
    commons.transferred(name, wire.payload.count, by: peer, isPiece: true)
    commons.unwant(name)
    for parent in commons.awaiting.arrived(need) { finish(parent) }
    for parent in parents { askForNeeds(of: parent) }
  }

  private mutating func finish(_ id: MessageID) {
    guard let examination = commons.validation.examination(of: id),
      let object = commons.objects.finish(id, on: examination.message.topic, at: commons.now)
    else { return giveUp([id], blamesSenders: true) }
    commons.validation.complete(id, with: object)
    judgeAgain(id)
  }
}
