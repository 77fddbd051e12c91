import GossipCore

/// A node to which anything may happen, in an order that a seed decides.
///
/// Its limits are small, so that they are reached; its answers come late, twice, or never.
final class RandomLife {
  let lone: Lone
  let company = peers(1...12)
  let topics: [Topic] = ["a", "b", "c"]
  private var dice: Dice
  private var open: [Node.Input] = []
  private var token: UInt64 = 0
  /// How often each publication was answered, by token.
  private(set) var published: [UInt64: Int] = [:]
  /// The same of inquiries.
  private(set) var answered: [UInt64: Int] = [:]

  init(_ seed: UInt64) {
    dice = Dice(seed)
    lone = Lone(seed: [UInt8(truncatingIfNeeded: seed)]) { configuration in
      configuration.limits.topicsPerPeer = 8
      configuration.limits.topicsJoined = 4
      configuration.limits.checksOpen = 16
      configuration.limits.judgementsOpen = 6
      configuration.limits.judgementsOpenPerTopic = 4
      configuration.firewall.allowance = AllowanceParameters(fixed: 4)
      configuration.limits.publicationsOpen = 8
      configuration.limits.seenMax = 64
      configuration.limits.storeCountMax = 32
      configuration.limits.storeSizeMax = 20_000
      configuration.limits.wantsMax = 32
      configuration.limits.reachWatchedMax = 8
      configuration.limits.awaitingMax = 3
      configuration.limits.needsMax = 20
      configuration.limits.objectsSizeMax = 20_000
      configuration.direct.handlersMax = 2
      configuration.direct.requestsMax = 12
      configuration.direct.requestsPerPeer = 3
      configuration.direct.inquiriesMax = 4
      configuration.direct.patienceMax = .seconds(5)
      configuration.digestFirst.digestsPerPeer = 4
      configuration.digestFirst.hashesPerTurn = 20
      (configuration.push.bufferedMax, configuration.push.iterations) = (8, 3)
      (configuration.infection.rumorsMax, configuration.infection.finishedMax) = (8, 8)
      (configuration.infection.asksPerPeer, configuration.infection.pushBelow) = (8, 100)
      configuration.advert.advertsPerPeer = 6
      configuration.advert.receivedPerPeer = 4
      configuration.advert.slotsPerPeer = 3
      configuration.advert.quotaPerPeer = 30
      configuration.slots.slotsPerPeer = 6
      configuration.slots.slotsMax = 6
      configuration.slots.fetchesPerPeer = 2
      configuration.slots.greetingLength = 2
      RandomLife.guardClosely(&configuration, seed)
    }
    lone.signsAtOnce = false
    lone.checksAtOnce = false
    lone.verdict = nil
  }

  /// Tables of the firewall and of examination by lot that are soon full, and trust that is soon earned.
  private static func guardClosely(_ configuration: inout Configuration, _ seed: UInt64) {
    configuration.limits.authorsMax = 3
    configuration.firewall.peersMax = 6
    (configuration.firewall.lot.decline, configuration.firewall.lot.floor) = (0.9, 0.01)
    configuration.firewall.lot.waitingMax = 4
    (configuration.firewall.retractions.openMax, configuration.firewall.retractions.earlyMax) = (
      4, 3
    )
    (configuration.firewall.retractions.peersMax, configuration.firewall.retractions.guiltyMax) = (
      4, 3
    )
    (configuration.firewall.circulation.idsMax, configuration.firewall.circulation.requestsMax) = (
      16, 16
    )
    configuration.firewall.blacklist.countMax = 6
    configuration.firewall.blacklist.first = .seconds(5)
    configuration.firewall.blacklist.most = .seconds(40)
    configuration.firewall.blacklist.rememberedFor = .seconds(100)
    configuration.firewall.budgets.messages.things = Budget(rate: 20, burst: 20)
    configuration.firewall.unwelcome = Budget(rate: 1, burst: 4)
    configuration.digestFirst.repeats.idsMax = 4
    configuration.reputation.mode = [.acting, .watching, .off][Int(seed % 3)]
    if seed % 2 == 0 {
      var gater = GaterParameters()
      (gater.threshold, gater.sourcesMax) = (0.01, 2)
      configuration.firewall.gater = gater
    }
    if seed % 4 < 2 {
      var filter = DuplicateFilterParameters()
      (filter.capacity, filter.suspectsMax, filter.turnAfter) = (16, 3, .seconds(150))
      configuration.duplicates = filter
    }
  }

  /// One thing happens.
  @discardableResult
  func step() -> Told {
    let told = happen()
    for effect in told.effects {
      switch effect {
      case .check(let ticket, let message, _):
        open.append(.checked(ticket, authentic: Notional.isAuthentic(message)))
      case .sign(let ticket, let bytes):
        open.append(
          .signed(ticket, signature: Notional.signature(of: lone.node.me, over: bytes), key: nil))
      case .judge(let ticket, _, _):
        open.append(.judged(ticket, any([.accept, .accept, .reject, .ignore, .await(someIDs())])))
      case .ask(let ticket, _, _, _, _): open.append(.answer(ticket, .success("yes")))
      case .published(let token, _): published[token, default: 0] += 1
      case .answered(let token, _): answered[token, default: 0] += 1
      case .disconnect(let peer, let severance): open.append(.disconnected(peer, severance))
      default: break
      }
    }
    return told
  }

  /// Every question that is still open is answered.
  func settle() {
    lone.signsAtOnce = true
    lone.checksAtOnce = true
    lone.verdict = .accept
    while let answer = open.popLast() { note(lone.tell(answer)) }
  }

  /// Nothing happens for a while.
  func pass(_ duration: Duration) { note(lone.jump(duration)) }

  /// The company leaves.
  func depart() { for peer in company { note(lone.disconnect(peer)) } }

  private func note(_ told: Told) {
    for publication in told.published { published[publication.token, default: 0] += 1 }
    for answer in told.answered { answered[answer.token, default: 0] += 1 }
  }

  private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &dice) < percent }
  private func any<T>(_ choices: [T]) -> T {
    choices[Int.random(in: 0..<choices.count, using: &dice)]
  }
  private func someID() -> MessageID {
    chance(50) ? id(Int.random(in: 0..<200, using: &dice)) : someMessage().authorID
  }
  private func someIDs() -> [MessageID] {
    (0..<Int.random(in: 0..<15, using: &dice)).map { _ in someID() }
  }

  /// Some message, which may have gone on unexamined.
  private func someMessage() -> WireMessage {
    var message = someAuthorsMessage()
    if chance(40) { message.unexaminedHops = any([1, 2, 3, 127]) }
    return message
  }

  /// Some author's message, which may be forged, unsigned, large, for a few, or somebody else's.
  private func someAuthorsMessage() -> WireMessage {
    let author = chance(3) ? peer(0) : peer(Int.random(in: 100...104, using: &dice))
    let number = UInt64.random(in: 0..<40, using: &dice)
    let payload = bytes(any([0, 10, 500, 2_000, 9_000]))
    let plain = WireMessage(topic: any(topics), payload: payload, author: author, sequence: number)
    if chance(10) { return .anonymous(payload, on: any(topics)) }
    if chance(5) {
      return WireMessage(
        topic: any(topics), payload: payload, author: nil, sequence: nil,
        kind: any([.manifest, .piece]))
    }
    if chance(10) { return plain }
    if chance(10) {
      let recipients = Recipients(
        chance(50) ? [peer(0), any(company)] : [any(company)],
        by: any([.direct, .subOverlay, .fullOverlay]))
      return .by(author, number, payload, on: plain.topic, for: recipients)
    }
    if chance(10) { return plain.signed([UInt8(number)]) }
    return .by(author, number, payload, on: plain.topic)
  }

  private func someControl() -> Control {
    let ask = AskID.random(in: 0..<20, using: &dice)
    let number = UInt64.random(in: 0..<20, using: &dice)
    return switch Int.random(in: 0..<19, using: &dice) {
    case 0: .graft(any(topics + ["nowhere"]))
    case 1: .prune(any(topics + ["nowhere"]), backoff: any([nil, 0, 1, 60, .max]))
    case 2: .have(any(topics), someIDs())
    case 3: .want(someIDs())
    case 4: .dontWant(someIDs())
    case 5: .ask(ask, any(topics), "?", patience: any([0, 10, 1_000, .max]))
    case 6: .reply(ask, any([.success("!"), .failure(.failed("no"))]))
    case 7: .cancel(ask)
    case 8: .held(someIDs())
    case 9: .lack(someIDs())
    case 10:
      .advert(
        any(topics),
        someIDs().map { Advert(id: $0, hash: [UInt8](repeating: 1, count: 32), size: number) })
    case 11:
      .slot(
        SlotUpdate(
          version: number, slot: number, topic: any(topics), id: someID(), isPushed: chance(50)))
    case 12: .hello(any(topics), nonce: number)
    case 13: .digest(nonce: number, someIDs())
    case 14: .fetch(nonce: number, someIDs())
    case 15: .summary(any(topics), lowest: number, next: any([0, 5, .max]))
    case 16: .span(any(topics), first: number, end: any([0, 5, .max]))
    case 17: .retract(someIDs())
    default: .resend(any(topics), filter: [])
    }
  }

  private func somePolicy() -> TopicPolicy {
    let signing = any(Signing.allCases)
    let identification: MessageIdentification =
      signing == .strictNoSign || chance(20) ? .contentHash : .author
    var policy = TopicPolicy(
      spread: chance(50) ? .gossipSub : any(Manner.spreading), signing: signing,
      identification: identification, isJudged: chance(40), payloadSizeMax: any([1_000, 100_000]))
    if policy.spread != .direct, chance(50) {
      policy.objects = ObjectPolicy(threshold: 1_000, pieceSize: 1_024, sizeMax: 10_000)
    }
    if policy.spread != .direct, chance(40) {
      policy.heal = Heal(digestsEvery: .seconds(1), heightsEvery: .seconds(1), onLink: chance(50))
    }
    if policy.spread != .direct, policy.spread != .gossipSub, chance(60) {
      policy.examination = .byLot
    }
    policy.wantsRisingSequences = chance(10)
    if signing == .strictSign, chance(30) {
      policy.authorBudget = AuthorBudget(
        messages: Budget(rate: any([1, 10]), burst: any([1, 8])),
        bytes: Budget(rate: 1_000, burst: 10_000))
    }
    policy.retention = any([.heartbeats, .during(.seconds(20)), .last(1_000)])
    policy.meaning.position = { UInt64($0.count) }
    if chance(50) {
      policy.meaning.subject = { Subject([UInt8($0.count & 1)], version: UInt64($0.count / 100)) }
    }
    return policy
  }

  private func someFrame(from peer: PeerID) -> Told {
    func some<T>(_ make: () -> T) -> [T] {
      (0..<Int.random(in: 0...3, using: &dice)).map { _ in make() }
    }
    return lone.hear(
      subscriptions: some { Subscription(any(topics + [Topic("x\(token)")]), joins: chance(75)) },
      messages: some(someMessage), words: some(someControl),
      on: chance(50) ? .gossipSub : any(Manner.allCases), from: peer
    )
  }

  private func someAnswer() -> Told {
    guard !open.isEmpty, chance(80) else {
      let ticket = Ticket(number: UInt64.random(in: 0..<500, using: &dice))
      // A host that answers in the wrong words: only with what cannot sign for us.
      return lone.tell(
        any([.checked(ticket, authentic: false), .answer(ticket, .failure(.overloaded))]))
    }
    let answer = open.remove(at: Int.random(in: 0..<open.count, using: &dice))
    var told = lone.tell(answer)
    if chance(5) { told += lone.tell(answer) }
    return told
  }

  private func somePublication() -> Told {
    token += 1
    published[token] = 0
    return lone.tell(
      .publish(
        Draft(
          token: token, topic: any(topics), payload: bytes(any([1, 10, 5_000])),
          audience: any([.everyone, .everyone, .one(any(company))]), policy: somePolicy())))
  }

  private func someInquiry() -> Told {
    token += 1
    answered[token] = 0
    return lone.tell(
      .ask(
        Inquiry(
          token: token, topic: any(topics), payload: "?",
          audience: any([.everyone, .one(any(company)), .many([any(company), any(company)])]),
          patience: any([.zero, .milliseconds(50), .seconds(3)]))))
  }

  /// The company and the node, with two strangers or without; some are not able to verify what we spread.
  private func someEpoch() -> Told {
    let members = peers(0...(chance(50) ? 14 : 12)).map {
      Epoch.Member($0, verifies: chance(10) ? ["other"] : nil)
    }
    let number = UInt64.random(in: 1...9, using: &dice)
    let beacon = chance(20) ? nil : [UInt8](repeating: UInt8(number), count: 32)
    guard let epoch = try? Epoch(number: number, roster: members, beacon: beacon) else {
      return Told()
    }
    return lone.tell(.epoch(epoch))
  }

  /// An operator, or the application, has an opinion of a peer; it may be the node itself, or an author.
  private func someOpinion() -> Told {
    let peer = any(company + peers(100...104) + [peer(0)])
    return switch Int.random(in: 0..<8, using: &dice) {
    case 0: lone.tell(.bar(peer, for: any([nil, .seconds(1), .seconds(50)])))
    case 1, 2: lone.tell(.unbar(peer))
    case 3:
      lone.tell(
        .restore(
          lone.node.blacklist(wallClock: 1_000), wallClock: any([0, 990, 1_000, 1_010, .max])))
    case 4: lone.tell(.report(peer, any(Misbehaviour.allCases), amount: any([1, 50, 100, .max])))
    case 5:
      lone.tell(.recall(lone.node.scores(wallClock: 1_000), wallClock: any([0, 1_000, 1_500, 9_000, .max])))
    default: lone.tell(.score(peer, any([0, 0, 5, -1, -20, -100, .nan])))
    }
  }

  private func someLink() -> Link {
    Link(
      isOutbound: chance(30), address: "",
      ip: any([[], [10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]]))
  }

  private func happen() -> Told {
    let peer = any(company)
    switch Int.random(in: 0..<103, using: &dice) {
    case 0..<6: return lone.tell(.connected(peer, someLink()))
    case 100..<103: return someOpinion()
    case 6..<9: return lone.disconnect(peer)
    case 9..<15: return lone.open(peer, any(Manner.allCases.flatMap(\.protocols)))
    case 15..<17: return lone.tell(.closed(peer, any(Manner.allCases)))
    case 17..<60: return someFrame(from: peer)
    case 60..<76: return someAnswer()
    case 76..<80: return lone.join(any(topics), policy: somePolicy())
    case 80..<82: return lone.leave(any(topics))
    case 82..<86: return somePublication()
    case 86..<89: return someInquiry()
    case 89: return lone.tell(.shed(peer, any(Lane.allCases), count: 3))
    case 90: return lone.tell(.garbled(.malformed("frame"), from: peer))
    case 91: return lone.tell(.watchReach(someID(), chance(50)))
    case 92: return someEpoch()
    case 93: return lone.jump(any([.seconds(10), .seconds(200), .seconds(4_000)]))
    default: return lone.advance(.milliseconds(Int64.random(in: 1...700, using: &dice)))
    }
  }
}
