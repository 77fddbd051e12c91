/// What a node tells about itself, for logs, metrics and tests. Nothing depends on anybody listening.
public enum Notice: Hashable, Sendable {
  case connected(PeerID, Link)
  case disconnected(PeerID, Severance)
  case opened(PeerID, ProtocolName)
  case subscribed(PeerID, Topic)
  case unsubscribed(PeerID, Topic)
  case grafted(PeerID, Topic)
  case pruned(PeerID, Topic, by: MeshParty)
  /// A message was not believed.
  case rejected(MessageID?, from: PeerID, Rejection)
  /// A peer did something that counts against it.
  case observed(Observation, of: PeerID, count: Int)
  /// Its outbound queue was full.
  case shed(PeerID, Lane, count: Int)
  case paused(PeerID)
  case resumed(PeerID)
  /// What this author may say on the topic is used up, for so long.
  case spent(author: PeerID, Topic, for: Duration)
  /// Nothing more to do with this peer, for so long.
  case barred(PeerID, BlacklistReason, for: Duration)
  /// Its time is over, or somebody forgave it.
  case unbarred(PeerID)
  /// It would be barred, if peers were not only watched.
  case wouldBar(PeerID, BlacklistReason)
  /// The application reported a peer, which has so many points now.
  case reported(PeerID, Misbehaviour, points: Double)
  /// What should outlive a restart could not be written; said by the host, which tries again.
  case notKept(String)
  /// What was kept over a restart cannot be read; said by the host, which begins anew.
  case notRecalled(String)
  /// A heartbeat came later than a tenth of its interval.
  case lateHeartbeat(by: Duration)
  /// Something about epochs, and the partners they give.
  case epoch(EpochNotice)
  /// Something about the judgement of peers.
  case reputation(ReputationNotice)
}

/// Which side ended a mesh partnership.
public enum MeshParty: Hashable, Sendable { case us, peer }

/// What we saw of a peer that counts against it.
public enum Observation: String, CaseIterable, Hashable, Sendable {
  /// It offered a message and did not give it in time.
  case brokenPromise
  /// It sent a message that is not what its author signed or its sender had advertised, or that the application
  /// rejected.
  case invalidMessage
  /// It grafted us while its backoff ran.
  case earlyGraft
  /// It sent bytes that are not a frame.
  case garbled
  /// It claimed that we wrote a message.
  case selfOrigin
  /// It went beyond a limit: subscriptions, offers, requests.
  case flooded
  /// It does not read: its outbound queue was full.
  case stalled
  /// It sent a message and could not give what that depends on.
  case incomplete
  /// It routed something to us although it is no partner of this epoch.
  case outsider
  /// It sent what nobody had asked it for.
  case unasked
  /// It sent a message that is not what its digest said.
  case falseDigest
  /// It gave the same message again, unasked.
  case circulated
  /// It took back a bad message that it had passed on unexamined.
  case retracted
  /// It did not take one back.
  case unretracted
  /// It offered again and again what it then could not give.
  case emptyOffer
  /// It left while it owed us what it had been asked for.
  case disrupted
}

/// Why a message was not believed (the names of go-libp2p-pubsub's trace).
public enum Rejection: String, Hashable, Sendable {
  case missingSignature = "missing signature"
  case unexpectedSignature = "unexpected signature"
  case unexpectedAuthInfo = "unexpected auth info"
  case invalidSignature = "invalid signature"
  case queueFull = "validation queue full"
  case throttled = "validation throttled"
  case failed = "validation failed"
  case ignored = "validation ignored"
  case selfOrigin = "self originated message"
  /// What it depends on did not come.
  case incomplete = "dependencies missing"
  /// Larger than its topic allows.
  case tooLarge = "message too large"
}
