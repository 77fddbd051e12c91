import OrderedCollections

/// Heals what the spreading of a topic missed, in any of three ways:
///
/// - *digests*: now and then we ask a few random members what they hold, and fetch what we lack (`Digests`);
/// - *heights*: members say which positions of a sequence they hold, and those behind ask for spans (`Heights`);
/// - *on link*: each new member is asked to tell again what it holds (`Resending`).
///
/// What comes is validated like any other message, delivered, and marked as healed: manners do not push it on.
/// Nobody may bring on these streams what we did not ask of it. This file is the table of contents, and keeps time;
/// nothing rings while no member is there.
///
/// Source: Hyperledger Fabric, "Gossip data dissemination protocol": pull and state transfer. The Internet
/// Computer, "The peer-to-peer layer": retransmission.
/// Bounds: `AntiEntropyParameters`; per topic and peer a few words each; gone with peer or topic.
public struct AntiEntropy: Dissemination {
  let parameters: AntiEntropyParameters
  /// The topics that are healed, in the order of joining.
  var topics: OrderedDictionary<Topic, Healing> = [:]
  /// Our open questions, by their nonce.
  var greetings: [UInt64: Greeting] = [:]
  /// Questions we answered, whose askers may fetch.
  var visits: OrderedDictionary<PeerID, [Visit]> = [:]
  /// Spans served to each peer within the second that began then.
  var served: OrderedDictionary<PeerID, (since: Instant, spans: Int)> = [:]
  /// Names of topics in alarms; of those left, they mean nothing any more.
  private var numbers: [UInt64: Topic] = [:]
  private var nextNumber: UInt64 = 0

  /// One topic.
  struct Healing: Sendable {
    let number: UInt64
    var heal: Heal
    var round: Round?
    var climb = Climb()
    var resending = Resending()
    /// Reminders that are set; looked up only.
    var set: Set<Reminder> = []
  }

  /// What an alarm is for.
  enum Reminder: UInt64, CaseIterable, Sendable {
    case digests, choice, close, heights, spans, resend
  }

  init(_ parameters: AntiEntropyParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {
    switch event {
    case .joined(let topic), .changed(let topic): heal(topic, &commons)
    case .left(let topic): leave(topic)
    case .arrived(let peer, let topic): welcome(peer, on: topic, &commons)
    case .departed(let peer, let topic): depart(peer, from: topic, &commons)
    case .vanished(let peer): forget(peer)
    case .accepted(let accepted):
      if accepted.isHealed { commons.counters.healed += 1 }
      climbed(accepted.message, &commons)
    case .refused(let id, let holders): refused(id, by: holders, &commons)
    case .heard(let words, let peer): for word in words { hear(word, from: peer, &commons) }
    case .rang(.own(.antiEntropy, let number), _): rang(number, &commons)
    case .began, .met, .withdrawn, .echoed, .served, .lost, .gaveUp, .lacked, .told, .rang: break
    }
  }

  private mutating func hear(_ word: Control, from peer: PeerID, _ commons: inout Commons) {
    switch word {
    case .hello(let topic, let nonce): visited(by: peer, topic, nonce, &commons)
    case .digest(let nonce, let ids): heardDigest(ids, nonce, from: peer, &commons)
    case .fetch(let nonce, let ids): serve(ids, nonce, to: peer, &commons)
    case .summary(let topic, let lowest, let next):
      heardSummary(topic, lowest, next, from: peer, &commons)
    case .span(let topic, let first, let end): serve(topic, first, end, to: peer, &commons)
    case .resend(let topic, let filter): resend(topic, filter, to: peer, &commons)
    case .have(let topic, let ids): heardOffer(topic, ids, from: peer, &commons)
    default: break  // other manners' words
    }
  }

  /// Only what we asked this very peer for; what comes too late is refused without blame.
  public mutating func admits(_ message: Message, from peer: PeerID, _ commons: inout Commons) -> Bool {
    guard let healing = topics[message.topic] else { return false }
    return healing.round?.fetched[message.id] == peer || commons.wants.asked(for: message.id) == peer
      || isAwaited(message, from: peer, commons)
  }

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// Questions of others, heights they told, what they may be served and may offer.
  public var perPeerEntries: Int {
    visits.values.reduce(served.count) { $0 + $1.count }
      + topics.values.reduce(0) { $0 + $1.climb.heights.count + $1.resending.entries }
  }

  // MARK: Topics and peers

  private mutating func heal(_ topic: Topic, _ commons: inout Commons) {
    guard let policy = commons.policy(of: topic) else { return }
    if topics[topic] == nil {
      nextNumber += 1
      numbers[nextNumber] = topic
      topics[topic] = Healing(number: nextNumber, heal: policy.heal)
    }
    topics[topic]!.heal = policy.heal
    for peer in commons.members(of: topic) { welcome(peer, on: topic, &commons) }
  }

  private mutating func leave(_ topic: Topic) {
    close(topic)
    if let healing = topics.removeValue(forKey: topic) { numbers[healing.number] = nil }
  }

  private mutating func welcome(_ peer: PeerID, on topic: Topic, _ commons: inout Commons) {
    guard let heal = topics[topic]?.heal else { return }
    if let interval = heal.digestsEvery { start(.digests, interval, topic, &commons) }
    if let interval = heal.heightsEvery {
      start(.heights, interval, topic, &commons)
      tellHeight(of: topic, to: peer, &commons)
    }
    if heal.onLink {
      askToResend(topic, peer, &commons)
      remind(.resend, of: topic, after: parameters.resendPause, &commons)
    }
  }

  private mutating func depart(_ peer: PeerID, from topic: Topic, _ commons: inout Commons) {
    topics[topic]?.climb.heights[peer] = nil
    topics[topic]?.resending.forget(peer)
    visits[peer]?.removeAll { $0.topic == topic }
    if topics[topic]?.climb.transfer?.peer == peer { retry(topic, &commons) }
  }

  private mutating func forget(_ peer: PeerID) {
    visits[peer] = nil
    served[peer] = nil
  }

  // MARK: Time

  /// First after a random part of its interval: nodes that start together do not ask together.
  private mutating func start(
    _ reminder: Reminder, _ interval: Duration, _ topic: Topic, _ commons: inout Commons
  ) {
    guard topics[topic]?.set.contains(reminder) == false else { return }
    let span = parameters.interval(of: reminder, interval).nanoseconds
    let phase = Int64.random(in: 1...span, using: &commons.random)
    remind(reminder, of: topic, after: .nanoseconds(phase), &commons)
  }

  /// One alarm of each kind per topic.
  mutating func remind(
    _ reminder: Reminder, of topic: Topic, after delay: Duration, _ commons: inout Commons
  ) {
    guard topics[topic]?.set.insert(reminder).inserted == true, let number = topics[topic]?.number else {
      return
    }
    commons.ring(.own(.antiEntropy, number << 3 | reminder.rawValue), after: delay)
  }

  private mutating func rang(_ code: UInt64, _ commons: inout Commons) {
    guard let reminder = Reminder(rawValue: code & 7), let topic = numbers[code >> 3] else { return }
    topics[topic]?.set.remove(reminder)
    guard let heal = topics[topic]?.heal else { return }
    let members = commons.members(of: topic)
    switch reminder {
    case .choice: chooseOwners(topic, &commons)
    case .close: closeWhenOver(topic, commons)
    case .spans: lookAfterTransfer(topic, &commons)
    case .digests:
      guard let interval = heal.digestsEvery, !members.isEmpty else { return }
      greet(members, on: topic, &commons)
      remind(.digests, of: topic, after: parameters.interval(of: .digests, interval), &commons)
    case .heights:
      guard let interval = heal.heightsEvery, !members.isEmpty else { return }
      tellHeight(of: topic, to: members, &commons)
      climb(topic, &commons)
      remind(.heights, of: topic, after: parameters.interval(of: .heights, interval), &commons)
    case .resend:
      guard heal.onLink, !members.isEmpty else { return }
      for peer in members { askToResend(topic, peer, &commons) }
      remind(.resend, of: topic, after: parameters.resendPause, &commons)
    }
  }
}
