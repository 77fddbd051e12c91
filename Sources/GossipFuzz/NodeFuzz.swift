import GossipCore

/// A node under arbitrary inputs: the bytes are a program of things that happen to it.
///
/// Whatever they say, it must not trap, and what remote input can fill must stay within its bounds.
enum NodeFuzz {
  static func run(_ program: [UInt8]) {
    var configuration = Configuration()
    configuration.limits.topicsPerPeer = 8
    configuration.limits.checksOpen = 16
    configuration.limits.seenMax = 32
    configuration.limits.storeCountMax = 16
    configuration.limits.wantsMax = 16
    configuration.firewall.allowance = AllowanceParameters(fixed: 4)
    configuration.limits.judgementsOpen = 4
    guardClosely(&configuration)
    let peers = (0..<4).map { Fixtures.peer($0) }
    guard var node = try? Node(configuration, as: Fixtures.peer(99), seed: [1], at: .zero) else {
      preconditionFailure("the configuration is not valid")
    }
    var now = Instant.zero
    var effects: [Node.Effect] = []
    var rest = program[...]
    func take() -> Int { Int(rest.popFirst() ?? 0) }
    while !rest.isEmpty {
      now = now + .milliseconds(take() * 40)
      effects.removeAll(keepingCapacity: true)
      if let input = input(take() % 18, peers, &rest) { node.handle(input, at: now, into: &effects) }
      let sizes = node.snapshot.sizes
      precondition(
        sizes.checks <= 16 && sizes.seen <= 32 && sizes.stored <= 16 && sizes.wants <= 16, "\(sizes)")
      precondition(sizes.guarded <= 6 && sizes.barred <= 3 && sizes.unexamined <= 4 + 3, "\(sizes)")
    }
  }

  /// Tables of the firewall and of examination by lot that are soon full, and trust that is soon earned.
  private static func guardClosely(_ configuration: inout Configuration) {
    configuration.limits.awaitingMax = 3
    configuration.limits.authorsMax = 2
    configuration.firewall.peersMax = 2
    (configuration.firewall.lot.decline, configuration.firewall.lot.floor) = (0.9, 0.01)
    configuration.firewall.lot.waitingMax = 4
    (configuration.firewall.retractions.openMax, configuration.firewall.retractions.guiltyMax) = (2, 2)
    (configuration.firewall.retractions.earlyMax, configuration.firewall.retractions.peersMax) = (2, 2)
    configuration.firewall.blacklist.countMax = 3
    configuration.firewall.blacklist.first = .seconds(2)
    configuration.firewall.budgets.messages.things = Budget(rate: 5, burst: 5)
    var gater = GaterParameters()
    (gater.threshold, gater.sourcesMax) = (0.01, 1)
    configuration.firewall.gater = gater
    var filter = DuplicateFilterParameters()
    (filter.capacity, filter.suspectsMax, filter.turnAfter) = (8, 2, .seconds(2))
    configuration.duplicates = filter
  }

  private static func input(_ kind: Int, _ peers: [PeerID], _ rest: inout ArraySlice<UInt8>) -> Node.Input? {
    let number = Int(rest.popFirst() ?? 0)
    let peer = peers[number % peers.count]
    let manner = Manner.allCases[Int(number >> 3) % Manner.allCases.count]
    let topic = Topic("t\(number % 3)")
    switch kind {
    case 0:
      let ip: [UInt8] = number & 32 == 0 ? [] : [10, 0, 0, UInt8(number & 1)]
      return .connected(peer, Link(isOutbound: number & 16 == 0, address: "", ip: ip))
    case 1: return .disconnected(peer, Severance("fuzz"))
    case 2: return .opened(peer, manner, manner.protocols[number % manner.protocols.count])
    case 3: return .closed(peer, manner)
    case 4, 5, 6:
      let length = min(rest.count, Int(rest.popFirst() ?? 0))
      let body = Array(rest.prefix(length))
      rest = rest.dropFirst(length)
      guard let frame = try? Frame(decoding: body.span.bytes, on: manner, WireLimits()) else {
        return .garbled(.malformed("fuzz"), from: peer)
      }
      return .received(frame, from: peer)
    case 7:
      let signing = Signing.allCases[number % 4]
      return .subscribe(
        topic,
        TopicPolicy(
          spread: manner, signing: signing, identification: .contentHash, isJudged: number & 32 != 0,
          examination: number & 64 != 0 && manner != .gossipSub && manner != .direct
            ? .byLot : .beforeForwarding))
    case 8: return .unsubscribe(topic)
    case 9: return .publish(Draft(token: UInt64(number), topic: topic, payload: Payload([UInt8(number)])))
    case 10:
      return .ask(
        Inquiry(
          token: UInt64(number), topic: topic, payload: [],
          audience: number & 1 == 0 ? .everyone : .one(peer),
          patience: .milliseconds(number * 10)))
    case 11: return .checked(Ticket(number: UInt64(number)), authentic: number & 1 == 0)
    case 12: return .judged(Ticket(number: UInt64(number)), [.accept, .reject, .ignore][number % 3])
    case 13: return .bar(peer, for: number & 1 == 0 ? nil : .seconds(number))
    case 14: return .unbar(peer)
    case 15:
      let record = BlacklistRecord(
        peer: peer, reason: .byHand, evidence: [], since: Int64(number), until: Int64(number) * 2,
        times: number)
      return .restore([record], wallClock: Int64(number))
    case 16: return .score(peer, Double(number) - 128)
    default:
      return number & 1 == 0 ? .wake : .answer(Ticket(number: UInt64(number)), .failure(.failed("fuzz")))
    }
  }
}

extension Fixtures {
  /// A well-formed id of nobody.
  static func peer(_ index: Int) -> PeerID {
    guard let peer = PeerID([0, 36, 8, 1, 18, 32] + [UInt8](repeating: UInt8(index), count: 32)) else {
      preconditionFailure("fixture \(index)")
    }
    return peer
  }
}
