import DequeModule
public import GossipCore
public import GossipLibp2p
import NIOCore
import OrderedCollections
import Synchronization

/// A host's connections, and the peers behind them: peers are counted, not connections.
///
/// The node sees one link per peer, up from the first connection to the last. Each manner's frames to a peer travel
/// on one connection, the one whose stream opened first; when that stream ends another connection takes over. When
/// two nodes dial each other at once, both keep the connection dialed by the smaller peer id.
struct Links {
  struct Link {
    var connections: [Connection]
    /// Per manner: which connection carries it, and under which name.
    var carriers: [(connection: Connection, name: ProtocolName)?]
    /// Streams open on other connections.
    var spares: [[(connection: Connection, name: ProtocolName)]]
    var info: IdentifyInfo?
    var roundTrip: Duration?
    var isPaused = false
    var faults = Deque<Instant>()
  }

  /// Manners whose streams we open.
  var spoken = Manner.spokenAlways
  private var links = OrderedDictionary<PeerID, Link>()
  /// Every connection, upgraded or not.
  private var connections = OrderedDictionary<UInt64, Connection>()
  private var peers: [UInt64: PeerID] = [:]
  private var endedTraffic = Traffic()
  private var congested = 0
  private var nextID: UInt64 = 1

  var peerCount: Int { links.count }
  /// Whether more than a third of the peers take less than we send. Fewer may be hostile, and slow nobody down.
  var isCongested: Bool { 3 * congested > links.count }
  mutating func congest(_ isOn: Bool) { congested += isOn ? 1 : -1 }
  var count: Int { connections.count }
  var upgrading: Int { connections.count - peers.count }
  var isEmpty: Bool { connections.isEmpty }
  var all: [Connection] { Array(connections.values) }

  func upgrading(from host: String) -> Int {
    connections.values.count { peers[$0.id] == nil && $0.address.tcpEndpoint?.host == host }
  }

  subscript(peer: PeerID) -> Link? { links[peer] }
  var allPeers: [PeerID] { Array(links.keys) }
  func peer(of connection: Connection) -> PeerID? { peers[connection.id] }

  mutating func takeID() -> UInt64 {
    defer { nextID += 1 }
    return nextID
  }

  mutating func add(_ connection: Connection) { connections[connection.id] = connection }

  func carrier(of manner: Manner, to peer: PeerID) -> Connection? {
    links[peer]?.carriers[Int(manner.rawValue)]?.connection
  }

  /// - Returns: whether this is the peer's first connection.
  mutating func establish(_ connection: Connection, _ peer: PeerID) -> Bool {
    peers[connection.id] = peer
    if links[peer] != nil {
      links[peer]!.connections.append(connection)
      return false
    }
    let none = Manner.allCases.map { _ in nil as (connection: Connection, name: ProtocolName)? }
    links[peer] = Link(connections: [connection], carriers: none, spares: none.map { _ in [] })
    return true
  }

  /// - Returns: whether the connection carries the manner from now on.
  mutating func open(_ manner: Manner, _ name: ProtocolName, on connection: Connection, _ peer: PeerID)
    -> Bool
  {
    let index = Int(manner.rawValue)
    guard links[peer]?.carriers[index] == nil else {
      links[peer]?.spares[index].append((connection, name))
      return false
    }
    links[peer]?.carriers[index] = (connection, name)
    return true
  }

  enum Closing { case spare, last, replaced(ProtocolName) }

  /// A stream ended; a spare one takes over if there is one.
  mutating func close(_ manner: Manner, on connection: Connection, _ peer: PeerID) -> Closing {
    let index = Int(manner.rawValue)
    guard links[peer]?.carriers[index]?.connection === connection else {
      links[peer]?.spares[index].removeAll { $0.connection === connection }
      return .spare
    }
    guard let next = links[peer]?.spares[index].first else {
      links[peer]?.carriers[index] = nil
      return .last
    }
    links[peer]?.spares[index].removeFirst()
    links[peer]?.carriers[index] = next
    return .replaced(next.name)
  }

  /// The connection is gone.
  /// - Returns: its peer, and whether that was its last connection.
  mutating func remove(_ connection: Connection) -> (peer: PeerID, isLast: Bool)? {
    guard connections.removeValue(forKey: connection.id) != nil else { return nil }
    endedTraffic.received += connection.received.load(ordering: .relaxed)
    endedTraffic.sent += connection.sent.load(ordering: .relaxed)
    guard let peer = peers.removeValue(forKey: connection.id) else { return nil }
    links[peer]?.connections.removeAll { $0 === connection }
    let isLast = links[peer]?.connections.isEmpty ?? false
    if isLast { links[peer] = nil }
    return (peer, isLast)
  }

  mutating func update(_ peer: PeerID, _ change: (inout Link) -> Void) {
    if links[peer] != nil { change(&links[peer]!) }
  }

  // MARK: Faults

  /// Takes note of a fault; only those of the last minute count.
  mutating func fault(of peer: PeerID, at now: Instant) {
    update(peer) { link in
      link.faults.append(now)
      while let first = link.faults.first, now - first > .seconds(60) { link.faults.removeFirst() }
    }
  }

  func faults(of peer: PeerID) -> Int { links[peer]?.faults.count ?? 0 }

  var traffic: Traffic {
    connections.values.reduce(into: endedTraffic) { sum, connection in
      sum.received += connection.received.load(ordering: .relaxed)
      sum.sent += connection.sent.load(ordering: .relaxed)
    }
  }
}

/// Bytes a host read from and wrote to its connections, encryption included.
public struct Traffic: Hashable, Sendable {
  /// Bytes read.
  public var received: UInt64 = 0
  /// Bytes written.
  public var sent: UInt64 = 0
}

/// What is known of a connected peer.
public struct PeerDetails: Sendable {
  /// Its name.
  public let id: PeerID
  /// Where it is, from our side.
  public let address: String
  /// Whether we dialed it.
  public let isOutbound: Bool
  /// What it says of itself; nil until identify is in.
  public let agent: String?
  /// What it says it speaks.
  public let protocols: [String]
  /// Where it says it can be reached.
  public let listenAddresses: [Multiaddr]
  /// Of the muxer's last ping.
  public let roundTrip: Duration?
  /// Topics it is on.
  public let topics: [Topic]
}

// MARK: - What connections report

extension Host {
  /// Takes one connection's reports and hands the node all that follows in one go.
  func take(_ reports: [Connection.Report], from connection: Connection) {
    var inputs: [Node.Input] = []
    for report in reports {
      switch report {
      case .established(let peer): established(connection, peer, &inputs)
      case .ended(let reason): ended(connection, reason, &inputs)
      case .congested(let isOn):
        links.congest(isOn)
        if !links.isCongested { requests.roomFound() }
      default:
        guard let peer = links.peer(of: connection) else { continue }
        take(report, from: peer, connection, &inputs)
      }
    }
    if !inputs.isEmpty { handle(inputs) }
  }

  private func take(
    _ report: Connection.Report, from peer: PeerID, _ connection: Connection, _ inputs: inout [Node.Input]
  ) {
    switch report {
    case .frame(let frame): inputs.append(.received(frame, from: peer))
    case .garbled(let error):
      telemetry.garbled(peer, error)
      inputs.append(.garbled(error, from: peer))
    case .shed(let lane, let count): inputs.append(.shed(peer, lane, count: count))
    case .opened(let manner, let name):
      if links.open(manner, name, on: connection, peer) { inputs.append(.opened(peer, manner, name)) }
    case .closed(let manner): closed(manner, on: connection, peer, &inputs)
    case .identified(let info): links.update(peer) { $0.info = info }
    case .roundTrip(let time): links.update(peer) { $0.roundTrip = time }
    case .established, .congested, .ended: break
    }
  }

  private func closed(
    _ manner: Manner, on connection: Connection, _ peer: PeerID, _ inputs: inout [Node.Input]
  ) {
    switch links.close(manner, on: connection, peer) {
    case .spare: break
    case .last: inputs.append(.closed(peer, manner))
    case .replaced(let name):
      // The new stream starts with a greeting of its own.
      inputs.append(.closed(peer, manner))
      inputs.append(.opened(peer, manner, name))
    }
  }

  private func established(_ connection: Connection, _ peer: PeerID, _ inputs: inout [Node.Input]) {
    let link = Link(
      isOutbound: connection.role == .dialer, address: connection.address.description,
      ip: connection.address.ip)
    if isBarred(peer) {
      inputs.append(.connected(peer, link))  // which it counts; it has no link for it
      listeners.dialed(connection.id, .failure(DialError(connection.address, "\(peer) is barred")))
      return close(connection, "\(peer) is barred")
    }
    let isFirst = links.establish(connection, peer)
    listeners.dialed(connection.id, .success(peer))
    linkChanged()
    // A paused peer stays paused, however many connections it opens.
    if links[peer]?.isPaused == true { connection.loop.execute { connection.setReading(false) } }
    guard isFirst else { return trim(peer, newest: connection) }
    inputs.append(.connected(peer, link))
  }

  /// Two nodes that dial each other keep the connection dialed by the smaller id, so that both close the same one.
  private func trim(_ peer: PeerID, newest: Connection) {
    guard let connections = links[peer]?.connections else { return }
    let oursFirst = identity.peer < peer
    let kept: Session.Role = oursFirst ? .dialer : .listener
    if connections.contains(where: { $0.role == kept }),
      let other = connections.first(where: { $0.role != kept })
    {
      return close(other, "a second connection of two that were dialed at once")
    }
    if connections.count > configuration.limits.connectionsPerPeer {
      close(newest, "more than \(configuration.limits.connectionsPerPeer) connections of one peer")
    }
  }

  func close(_ connection: Connection, _ reason: String) {
    connection.loop.execute { connection.close(reason) }
  }

  private func ended(_ connection: Connection, _ reason: String, _ inputs: inout [Node.Input]) {
    let known = links.peer(of: connection)
    if let known {
      for manner in Manner.allCases { closed(manner, on: connection, known, &inputs) }
    }
    let gone = links.remove(connection)
    telemetry.connectionEnded(connection, known, reason)
    listeners.dialed(connection.id, .failure(DialError(connection.address, reason)))
    if let gone, gone.isLast { inputs.append(.disconnected(gone.peer, Severance(reason))) }
    linkChanged()
  }

  // MARK: Acting on peers

  func disconnect(_ peer: PeerID, because reason: String) {
    for connection in links[peer]?.connections ?? [] { close(connection, reason) }
  }

  /// Opens streams of this manner on all connections, present and future.
  func speak(_ manner: Manner) {
    guard !links.spoken.contains(manner) else { return }
    links.spoken.append(manner)
    for connection in links.all { connection.loop.execute { connection.speak(manner) } }
  }

  func setReading(_ isOn: Bool, _ peer: PeerID) {
    links.update(peer) { $0.isPaused = !isOn }
    for connection in links[peer]?.connections ?? [] {
      connection.loop.execute { connection.setReading(isOn) }
    }
  }

  /// Closes all connections to a peer.
  public func disconnect(_ peer: PeerID) { disconnect(peer, because: "closed by this node") }

  /// What is known of the connected peers, in the order they came.
  public var peers: [PeerDetails] {
    let topics = Dictionary(uniqueKeysWithValues: snapshot.peers.map { ($0.id, $0.topics) })
    return links.allPeers.compactMap { id in
      guard let link = links[id], let connection = link.connections.first else { return nil }
      return PeerDetails(
        id: id, address: connection.address.description, isOutbound: connection.role == .dialer,
        agent: link.info?.agent, protocols: link.info?.protocols.map(\.name) ?? [],
        listenAddresses: link.info?.listenAddresses ?? [], roundTrip: link.roundTrip, topics: topics[id] ?? []
      )
    }
  }

  /// Bytes read and written so far.
  public var traffic: Traffic { links.traffic }
}
