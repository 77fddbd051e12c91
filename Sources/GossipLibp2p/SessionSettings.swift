/// What a session is configured with, what it tells, and why it ends.
///
/// Values only. Defaults name their source; the limits stand together in `SessionLimits`.

package import GossipCore

/// One side's configuration of its connections.
package struct SessionSettings: Sendable {
  /// Who we are.
  package var identity: Identity
  /// Gossip families, each a list of protocol ids, the most wanted first. A session keeps one outbound
  /// stream per family and reads one inbound stream per family.
  package var gossip: [[ProtocolName]]
  /// Families whose streams we open as soon as the connection is up; the peer may open any.
  package var opens: [Int]
  /// Identify's `agentVersion`, for people.
  package var agent = "swift-gossip/0.1.0"
  /// Identify's `protocolVersion`: names the network; not compared by anybody we know.
  package var protocolVersion = "gossip/1.0.0"
  /// Where others can reach us, without `/p2p`.
  package var listenAddresses: [Multiaddr] = []
  /// Our encoded signed peer record, if we have one.
  package var record: [UInt8]?
  package var limits = SessionLimits()

  package init(identity: Identity, gossip: [[ProtocolName]]) {
    self.identity = identity
    self.gossip = gossip
    opens = Array(gossip.indices)
  }
}

/// What a peer may cost us on one connection.
package struct SessionLimits: Hashable, Sendable {
  /// From the first byte to a running muxer, all steps together. Go allows 15 s.
  package var upgradePatience: Duration = .seconds(10)
  /// For negotiating a stream, and for a whole identify exchange. Go: 10 s.
  package var streamPatience: Duration = .seconds(10)
  /// How long we wait after the peer's go away for its streams to end.
  package var farewellPatience: Duration = .seconds(10)
  /// Bytes of one RPC. Go and Nim: 1 MiB.
  package var frameSizeMax = 1 << 20
  /// Bytes queued to be sent: beyond them `writable` is zero, and a peer that makes us answer more without
  /// reading is left.
  package var queuedBytesMax = 4 << 20
  /// Inbound ping streams. Go: 2.
  package var pingStreamsMax = 2
  /// Pushes of identify we read: one per second, this many at once.
  package var pushBurst = 5
  /// Attempts to reopen a gossip stream that died. Go's pubsub: 4, forgotten after ten minutes.
  package var reopenAttemptsMax = 4
  package var negotiation = NegotiationLimits()
  package var yamux = YamuxLimits()
  package var identify = IdentifyLimits()

  package init() {}
}

extension Session {
  package enum Role: Sendable, Hashable {
    /// We opened the connection: initiator of every negotiation, client of the muxer.
    case dialer
    case listener
  }

  /// How far a connection has come.
  package enum Stage: Sendable, Hashable, CustomStringConvertible {
    /// Agreeing on the security protocol.
    case greeting
    /// The Noise handshake.
    case securing
    /// Agreeing on the muxer inside the secure channel.
    case muxing
    /// Streams.
    case running

    package var description: String {
      switch self {
      case .greeting: "security negotiation"
      case .securing: "Noise handshake"
      case .muxing: "muxer negotiation"
      case .running: "streams"
      }
    }
  }

  /// What a session tells, in order.
  package enum Event: Sendable {
    /// The peer proved who it is and the muxer runs.
    case established(PeerID, security: ProtocolName, muxer: ProtocolName)
    /// The peer told about itself, at first or by a later push: everything known by now.
    case identified(IdentifyInfo)
    /// Our outbound stream of `family` is open under this name.
    case opened(family: Int, ProtocolName)
    /// The peer speaks none of the family, or our stream could not be opened after several attempts.
    case refused(family: Int)
    /// Our outbound stream died. The session opens another by itself.
    case closed(family: Int)
    /// The peer opened its stream of `family`; an older one was replaced.
    case inboundOpened(family: Int, ProtocolName)
    /// The peer's stream of `family` ended or was reset.
    case inboundClosed(family: Int)
    /// One complete RPC body, without its length. May share storage with others of its read.
    case frame(ArraySlice<UInt8>, ProtocolName, family: Int)
    /// The peer's gossip stream carried what no peer should send; that stream was reset.
    case garbled(WireError, family: Int)
    /// A muxer ping came back after this time.
    case roundTrip(Duration)
    /// An `/ipfs/ping/1.0.0` asked for with `ping` was echoed; nil if it failed.
    case echoed(Duration?)
    /// Nothing follows. Write what `takeOutput` has, then close the transport.
    case ended(SessionEnd)
  }
}

/// Why a connection ended.
package enum SessionEnd: Error, Hashable, Sendable {
  /// Not upgraded in time; it was in this stage.
  case timedOut(Session.Stage)
  /// The transport ended during the upgrade, or inside a frame.
  case truncated(Session.Stage)
  /// The transport ended between frames: how most peers say goodbye.
  case remoteClosed
  /// The peer broke multistream-select.
  case negotiation(Session.Stage, NegotiationError)
  /// The peer has none of the protocols we offered.
  case nothingInCommon(Session.Stage, offered: [ProtocolName])
  /// The secure channel: bad identity, bad tag, wrong peer.
  case noise(NoiseError)
  /// The muxer: violations and unanswered pings.
  case yamux(YamuxError)
  /// The peer said go away, with this code.
  case wentAway(code: UInt32)
  /// The peer makes us answer, but does not read the answers.
  case unread(bytes: Int, limit: Int)
  /// We decided so; for what reason.
  case local(String)
}

extension SessionEnd: CustomStringConvertible {
  package var description: String {
    switch self {
    case .timedOut(let stage): "\(stage): not finished in time"
    case .truncated(let stage): "\(stage): the transport ended in the middle"
    case .remoteClosed: "closed by the peer"
    case .negotiation(let stage, let error): "\(stage): \(error)"
    case .nothingInCommon(let stage, let offered):
      "\(stage): nothing in common, expected one of \(offered.map(\.name).joined(separator: ", "))"
    case .noise(let error): "noise: \(error)"
    case .yamux(let error): "yamux: \(error)"
    case .wentAway(let code): "the peer said go away with code \(code)"
    case .unread(let bytes, let limit): "\(bytes) bytes of answers are unread, the limit is \(limit)"
    case .local(let reason): reason
    }
  }
}
