import GossipCore
import GossipLibp2p
import Logging
import Metrics

/// What a host says to logs and metrics: rare things as log lines, everything else as numbers once a second.
///
/// | metric | kind | what |
/// |---|---|---|
/// | `gossip_messages_published` | counter | own messages |
/// | `gossip_messages_delivered` | counter | messages of others that were accepted |
/// | `gossip_messages_duplicate` | counter | copies of known messages |
/// | `gossip_messages_rejected` | counter | messages that were not believed |
/// | `gossip_frames_garbled` | counter | frames that were no frames |
/// | `gossip_items_shed` | counter | items dropped from full outbound queues |
/// | `gossip_promises_broken` | counter | offers that were not kept |
/// | `gossip_bytes_received`, `gossip_bytes_sent` | counter | bytes on all connections |
/// | `gossip_messages_missed` | counter | messages dropped because a subscriber lagged |
/// | `gossip_peers` | gauge | connected peers |
///
/// No label has an unbounded set of values: peers and topics are in the logs, not in metrics.
final class Telemetry: @unchecked Sendable {
  // Used on the host's loop only.
  private let logger: Logger
  private var last = Counters()
  private var lastTraffic = Traffic()
  private let published = Counter(label: "gossip_messages_published")
  private let delivered = Counter(label: "gossip_messages_delivered")
  private let duplicates = Counter(label: "gossip_messages_duplicate")
  private let rejected = Counter(label: "gossip_messages_rejected")
  private let garbled = Counter(label: "gossip_frames_garbled")
  private let shed = Counter(label: "gossip_items_shed")
  private let brokenPromises = Counter(label: "gossip_promises_broken")
  private let received = Counter(label: "gossip_bytes_received")
  private let sent = Counter(label: "gossip_bytes_sent")
  private let missed = Counter(label: "gossip_messages_missed")
  private var lastMissed: UInt64 = 0
  private let peers = Gauge(label: "gossip_peers")

  init(_ logger: Logger, _ me: PeerID) {
    var logger = logger
    logger[metadataKey: "node"] = "\(me.short)"
    self.logger = logger
  }

  // MARK: Metrics

  func record(_ now: Counters, peers count: Int, _ traffic: Traffic, missed missedNow: UInt64) {
    func add(_ counter: Counter, _ value: UInt64, _ before: UInt64) {
      if value > before { counter.increment(by: Int64(clamping: value - before)) }
    }
    add(published, now.published, last.published)
    add(delivered, now.delivered, last.delivered)
    add(duplicates, now.duplicates, last.duplicates)
    add(rejected, now.rejected, last.rejected)
    add(garbled, now.garbled, last.garbled)
    add(shed, now.shed, last.shed)
    add(brokenPromises, now.brokenPromises, last.brokenPromises)
    add(received, traffic.received, lastTraffic.received)
    add(sent, traffic.sent, lastTraffic.sent)
    add(missed, missedNow, lastMissed)
    peers.record(count)
    (last, lastTraffic, lastMissed) = (now, traffic, missedNow)
  }

  // MARK: Logs

  func log(_ notice: Notice) {
    switch notice {
    case .connected(let peer, let link):
      logger.info("connected", metadata: ["peer": "\(peer)", "address": "\(link.address)"])
    case .disconnected(let peer, let severance):
      logger.info("disconnected", metadata: ["peer": "\(peer)", "reason": "\(severance)"])
    case .subscribed(let peer, let topic):
      logger.debug("peer joined", metadata: ["peer": "\(peer)", "topic": "\(topic)"])
    case .unsubscribed(let peer, let topic):
      logger.debug("peer left", metadata: ["peer": "\(peer)", "topic": "\(topic)"])
    case .opened(let peer, let name):
      logger.debug("stream open", metadata: ["peer": "\(peer)", "protocol": "\(name)"])
    case .grafted(let peer, let topic):
      logger.debug("grafted", metadata: ["peer": "\(peer)", "topic": "\(topic)"])
    case .pruned(let peer, let topic, let party):
      logger.debug("pruned", metadata: ["peer": "\(peer)", "topic": "\(topic)", "by": "\(party)"])
    case .reported(let peer, let misbehaviour, let points):
      logger.debug(
        "peer reported",
        metadata: ["peer": "\(peer)", "misbehaviour": "\(misbehaviour.rawValue)", "points": "\(points)"])
    case .notRecalled(let reason):
      logger.error("what was kept cannot be read; beginning anew", metadata: ["reason": "\(reason)"])
    case .notKept(let reason):
      logger.error("not kept for the next start", metadata: ["reason": "\(reason)"])
    case .lateHeartbeat(let delay):
      logger.warning("a heartbeat came late; is the machine overloaded?", metadata: ["by": "\(delay)"])
    case .paused(let peer): logger.debug("reading paused", metadata: ["peer": "\(peer)"])
    case .spent(let author, let topic, let duration):
      logger.debug(
        "an author's budget is used up",
        metadata: ["author": "\(author)", "topic": "\(topic)", "for": "\(duration)"])
    case .barred(let peer, let reason, let duration):
      logger.warning(
        "peer barred", metadata: ["peer": "\(peer)", "reason": "\(reason.text)", "for": "\(duration)"])
    case .unbarred(let peer): logger.notice("peer no longer barred", metadata: ["peer": "\(peer)"])
    case .wouldBar(let peer, let reason):
      logger.notice("peer would be barred", metadata: ["peer": "\(peer)", "reason": "\(reason.text)"])
    case .resumed(let peer): logger.debug("reading resumed", metadata: ["peer": "\(peer)"])
    case .epoch(.began(let number)): logger.info("epoch began", metadata: ["epoch": "\(number)"])
    case .epoch(.overdue(let number)):
      logger.warning("no beacon has come; its partners stay", metadata: ["epoch": "\(number)"])
    case .epoch(.refused(let number, let reason)):
      logger.warning("epoch not taken", metadata: ["epoch": "\(number)", "reason": "\(reason)"])
    case .epoch(.fewPartners(let topic, let usable)):
      logger.warning("too few partners", metadata: ["topic": "\(topic)", "usable": "\(usable)"])
    case .reputation(.standing(let peer, let standing, let former, let isActing)):
      logger.notice(
        "a peer's standing changed",
        metadata: [
          "peer": "\(peer)", "standing": "\(standing.rawValue)", "was": "\(former.rawValue)",
          "acting": "\(isActing)",
        ])
    case .reputation(.selfBlame(let suspects, let connected)):
      logger.warning(
        "most peers look bad at once; is our network at fault?",
        metadata: ["suspects": "\(suspects)", "connected": "\(connected)"])
    case .rejected, .observed, .shed:
      break  // as frequent as messages can be: counted, and seen by whoever listens to notices
    }
  }

  func listening(_ address: Multiaddr) { logger.info("listening", metadata: ["address": "\(address)"]) }

  func garbled(_ peer: PeerID, _ error: WireError) {
    logger.debug("not a frame", metadata: ["peer": "\(peer)", "reason": "\(error)"])
  }

  func refused(_ address: Multiaddr, _ reason: String) {
    logger.info("connection refused", metadata: ["address": "\(address)", "reason": "\(reason)"])
  }

  func dialFailed(_ address: Multiaddr, _ reason: String) {
    logger.info("dial failed", metadata: ["address": "\(address)", "reason": "\(reason)"])
  }

  /// Connections that never became a peer's are told here; the others are told as peers.
  func connectionEnded(_ connection: Connection, _ peer: PeerID?, _ reason: String) {
    let metadata: Logger.Metadata = ["address": "\(connection.address)", "reason": "\(reason)"]
    if peer == nil {
      logger.info("connection dropped before it was a peer", metadata: metadata)
    } else {
      logger.debug("connection ended", metadata: metadata)
    }
  }
}
