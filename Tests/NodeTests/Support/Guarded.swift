import Crypto
import GossipCore

/// What tests of the firewall and of examination by lot have in common: a topic spread by digest first.

extension TopicPolicy {
  static let digests = TopicPolicy(spread: .digestFirst)
  static let byLot = TopicPolicy(spread: .digestFirst, isJudged: true, examination: .byLot)
}

extension WireMessage {
  /// The same after so many hops that did not examine it.
  func after(_ hops: UInt8) -> WireMessage {
    var copy = self
    copy.unexaminedHops = hops
    return copy
  }

  /// Claims an author who did not sign it.
  static func forged(_ number: UInt64, by author: PeerID = peer(90), _ payload: Payload = "forged")
    -> WireMessage
  {
    WireMessage(topic: t, payload: payload, author: author, sequence: number).signed([6, 6, 6])
  }

  /// What a holder says of it.
  var advert: Advert {
    Advert(id: authorID, hash: Array(SHA256.hash(data: bytes)), size: UInt64(bytes.count))
  }
}

extension Epoch {
  /// Everybody is everybody's partner.
  static func of(_ number: UInt64, _ members: [PeerID]) -> Epoch {
    do {
      return try Epoch(
        number: number, roster: members.map { Epoch.Member($0) },
        beacon: [UInt8](repeating: UInt8(number), count: 32))
    } catch { preconditionFailure("\(error)") }
  }
}

extension Told {
  struct Barred: Hashable {
    let peer: PeerID
    let reason: BlacklistReason

    init(_ peer: PeerID, _ reason: BlacklistReason) { (self.peer, self.reason) = (peer, reason) }
  }

  var barred: [Barred] {
    notices.compactMap { if case .barred(let peer, let reason, _) = $0 { Barred(peer, reason) } else { nil } }
  }
  var wouldBar: [Barred] {
    notices.compactMap { if case .wouldBar(let peer, let reason) = $0 { Barred(peer, reason) } else { nil } }
  }
  var unbarred: [PeerID] {
    notices.compactMap { if case .unbarred(let peer) = $0 { peer } else { nil } }
  }
  var disconnected: [PeerID] {
    effects.compactMap { if case .disconnect(let peer, _) = $0 { peer } else { nil } }
  }
  /// Who was told that a message is taken back.
  func retracted(_ id: MessageID) -> Set<PeerID> {
    Set(said.compactMap { if case .word(.retract([id])) = $0.thing { $0.to } else { nil } })
  }
  /// Who was told of a message.
  func advertised(_ id: MessageID) -> Set<PeerID> {
    Set(
      said.compactMap {
        if case .word(.advert(_, let adverts)) = $0.thing, adverts.contains(where: { $0.id == id }) {
          $0.to
        } else {
          nil
        }
      })
  }
  /// What each copy of a message said of hops that did not examine it.
  func hops(of id: MessageID) -> [UInt8] {
    frames.flatMap { $0.frame.messages.filter { $0.authorID == id }.map(\.unexaminedHops) }
  }
}

extension Lone {
  /// A node on `t`, spread by digest first, with members 1 to `count`.
  static func withDigests(
    _ count: Int, policy: TopicPolicy = .digests, _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(change)
    lone.join(t, policy: policy)
    if count > 0 { lone.meet(peers(1...count), speaking: Manner.digestFirst.protocols[0]) }
    return lone
  }

  /// The same, examined by lot: members have earned that their messages practically always go on first. The test judges.
  static func trusting(
    _ count: Int = 3, as me: PeerID = peer(0), policy: TopicPolicy = .byLot,
    _ change: (inout Configuration) -> Void = { _ in }
  ) -> Lone {
    let lone = Lone(as: me) {
      ($0.firewall.lot.decline, $0.firewall.lot.floor) = (0.999, 1e-9)
      change(&$0)
    }
    lone.join(t, policy: policy)
    let others = (0...count).map(peer).filter { $0 != me }
    lone.meet(others, speaking: Manner.digestFirst.protocols[0])
    for other in others { for number in 1...3 { lone.push(.by(other, UInt64(number)), from: other) } }
    lone.verdict = nil
    return lone
  }

  /// A message small enough to come unasked.
  @discardableResult
  func push(_ messages: WireMessage..., from peer: PeerID) -> Told {
    hear(messages: messages, on: .digestFirst, from: peer)
  }
  /// What a peer has.
  @discardableResult
  func offer(of messages: WireMessage..., from peer: PeerID) -> Told {
    hear(words: [.advert(t, messages.map(\.advert))], on: .digestFirst, from: peer)
  }
  @discardableResult
  func ask(for message: WireMessage, from peer: PeerID) -> Told {
    hear(.want([message.authorID]), on: .digestFirst, from: peer)
  }
  @discardableResult
  func judge(_ told: Told, _ verdict: Verdict) -> Told {
    told.toJudge.reduce(into: Told()) { $0 += tell(.judged($1.ticket, verdict)) }
  }
  @discardableResult
  func bar(_ peer: PeerID, for duration: Duration? = nil) -> Told { tell(.bar(peer, for: duration)) }

  /// A member comes and is dropped, as its host does when told to disconnect.
  func isTurnedAway(_ peer: PeerID) -> Bool {
    let told = connect(peer)
    if told.disconnected.isEmpty { disconnect(peer) }
    return told.disconnected == [peer]
  }
}
