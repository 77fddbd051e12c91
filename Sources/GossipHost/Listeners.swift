public import GossipCore
public import GossipLibp2p
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where a host listens, whom it dials, and who waits for either.
struct Listeners {
  fileprivate var channels: [any Channel] = []
  fileprivate var memory: Multiaddr?
  fileprivate var addresses: [Multiaddr]?
  /// Our signed record of these addresses; signed once, not for every stranger that connects.
  fileprivate var record: [UInt8]?
  fileprivate var failure: (any Error)?
  fileprivate var waiting: [CheckedContinuation<[Multiaddr], any Error>] = []
  /// Dials under way, by connection.
  fileprivate var dials: [UInt64: CheckedContinuation<PeerID, any Error>] = [:]
  fileprivate var linkWaiters: [CheckedContinuation<Void, Never>] = []

  mutating func dialed(_ connection: UInt64, _ result: Result<PeerID, any Error>) {
    dials.removeValue(forKey: connection)?.resume(with: result)
  }

  mutating func fail(_ error: any Error) {
    failure = error
    for waiter in waiting { waiter.resume(throwing: error) }
    waiting = []
  }
}

/// An address could not be listened on.
public struct ListenError: Error, CustomStringConvertible {
  /// Which address.
  public let address: Multiaddr
  /// Why not, in words.
  public let reason: String
  /// In words for people.
  public var description: String { "cannot listen on \(address): \(reason)" }
}

/// A peer could not be reached.
public struct DialError: Error, CustomStringConvertible {
  /// Which address.
  public let address: Multiaddr
  /// Why not, in words.
  public let reason: String
  /// In words for people.
  public var description: String { "cannot connect to \(address): \(reason)" }

  init(_ address: Multiaddr, _ reason: String) { (self.address, self.reason) = (address, reason) }
}

// MARK: - Listening

extension Host {
  /// Where this node can be reached, with its id at the end; waits until `run` has opened the addresses.
  public func listening() async throws -> [Multiaddr] {
    if let addresses = listeners.addresses { return addresses }
    if let failure = listeners.failure { throw failure }
    return try await withCheckedThrowingContinuation { listeners.waiting.append($0) }
  }

  func startListening() async throws {
    var addresses: [Multiaddr] = []
    switch configuration.transport {
    case .tcp: for address in configuration.listen { addresses.append(try await listen(on: address)) }
    case .memory(let network):
      let address = network.listen { [weak self] wire in
        guard let self else { return }
        self.loop.execute { self.assumeIsolated { $0.accept(wire) } }
      }
      listeners.memory = address
      addresses.append(address)
    }
    let named = addresses.map { $0.with(identity.peer) }
    listeners.addresses = named
    listeners.record = sealRecord(of: addresses)
    for waiter in listeners.waiting { waiter.resume(returning: named) }
    listeners.waiting = []
    for address in named { telemetry.listening(address) }
  }

  private func listen(on address: Multiaddr) async throws -> Multiaddr {
    guard let endpoint = address.tcpEndpoint else {
      throw ListenError(address: address, reason: "expected /ip4/…/tcp/PORT")
    }
    let bootstrap = ServerBootstrap(group: loop, childGroup: connectionLoops)
      .serverChannelOption(.backlog, value: 1_024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.writeBufferWaterMark, value: .init(low: 1 << 16, high: 1 << 18))
      .childChannelInitializer { [weak self] channel in
        guard let self else { return channel.close() }
        return self.loop.flatSubmit { self.assumeIsolated { $0.accept(channel) } }
      }
    do {
      let channel = try await bootstrap.bind(host: endpoint.host, port: Int(endpoint.port)).get()
      listeners.channels.append(channel)
      let port = channel.localAddress?.port ?? Int(endpoint.port)
      return Multiaddr(ip: endpoint.host, tcp: UInt16(clamping: port)) ?? address
    } catch {
      throw ListenError(address: address, reason: "\(error)")
    }
  }

  func stopListening() async {
    for channel in listeners.channels { try? await channel.close() }  // closing what is closed does no harm
    listeners.channels = []
    if let memory = listeners.memory, case .memory(let network) = configuration.transport {
      network.stopListening(memory)
    }
  }

  /// Half of the descriptors the process may have, or the configured number, whichever is less.
  private static let descriptorsMax: Int = {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return 512 }
    return Int(clamping: limit.rlim_cur / 2)
  }()

  private var connectionsMax: Int { min(configuration.limits.connections, Host.descriptorsMax) }

  /// Whether another connection from this address can be afforded; the reason if not.
  private func refusal(of address: Multiaddr) -> String? {
    if isLeaving { return "this node is leaving" }
    if links.count >= connectionsMax { return "\(links.count) connections are open, the most allowed" }
    if links.upgrading >= configuration.limits.upgrades {
      return "\(links.upgrading) connections are being upgraded"
    }
    guard let host = address.tcpEndpoint?.host, !host.hasPrefix("127."), host != "::1" else { return nil }
    let here = links.upgrading(from: host)
    return here >= configuration.limits.upgradesPerAddress
      ? "\(here) connections from \(host) are being upgraded" : nil
  }

  private var connectionLoops: any EventLoopGroup {
    configuration.spreadsConnections ? configuration.eventLoopGroup : loop
  }

  private func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
    let remote = Multiaddr(remote: channel.remoteAddress)
    if let reason = refusal(of: remote) {
      telemetry.refused(remote, reason)
      return channel.close()
    }
    let connection = makeConnection(on: channel.eventLoop, .listener, expecting: nil, remote)
    return channel.eventLoop.submit { try channel.pipeline.syncOperations.addHandler(SocketWire(connection)) }
  }

  private func accept(_ wire: MemoryWire) {
    let address = Multiaddr.somewhereInMemory
    if let reason = refusal(of: address) {
      telemetry.refused(address, reason)
      return wire.close()
    }
    let connection = makeConnection(
      on: connectionLoops.next(), .listener, expecting: nil, address)
    connection.loop.execute { wire.attach(connection) }
  }

  private func sealRecord(of addresses: [Multiaddr]) -> [UInt8] {
    PeerRecord(
      peer: identity.peer, sequence: UInt64(clamping: Instant.present.nanoseconds), addresses: addresses
    ).sealed(by: identity)
  }

  fileprivate func makeConnection(
    on loop: any EventLoop, _ role: Session.Role, expecting: PeerID?, _ address: Multiaddr
  ) -> Connection {
    var settings = SessionSettings(identity: identity, gossip: Manner.allCases.map(\.protocols))
    settings.opens = links.spoken.map { Int($0.rawValue) }
    settings.agent = configuration.agent
    settings.limits.upgradePatience = configuration.limits.upgradePatience
    settings.limits.frameSizeMax = configuration.node.wire.frameSizeMax
    settings.listenAddresses = (listeners.addresses ?? []).compactMap(\.withoutPeer)
    settings.record = listeners.record ?? sealRecord(of: [])
    let connection = Connection(
      id: links.takeID(), on: loop, role, settings, expecting: expecting, address: address, configuration,
      host: inbox)
    links.add(connection)
    return connection
  }
}

// MARK: - Dialing

extension Host {
  /// Connects to a peer, or finds that it is connected.
  ///
  /// - Parameter address: `/ip4/…/tcp/PORT`, `/ip6/…`, `/dns/…`, or an address in memory; with `/p2p/ID` at its end
  ///   anybody else is refused.
  /// - Returns: who answered.
  /// - Throws: `DialError` with the reason.
  @discardableResult
  public func connect(to address: Multiaddr) async throws -> PeerID {
    let expected = address.peer
    if expected == identity.peer { throw DialError(address, "it is this node's own address") }
    if let expected, isBarred(expected) { throw DialError(address, "the peer is barred") }
    if let expected, links[expected] != nil { return expected }
    if isLeaving { throw DialError(address, "this node is leaving") }
    guard links.count < connectionsMax else {
      throw DialError(address, "\(links.count) connections are open, the most allowed")
    }
    let target = address.withoutPeer ?? address
    return switch configuration.transport {
    case .tcp: try await dialSocket(target, expected)
    case .memory(let network): try await dialMemory(network, target, expected)
    }
  }

  private func dialSocket(_ address: Multiaddr, _ expected: PeerID?) async throws -> PeerID {
    guard let endpoint = address.tcpEndpoint else {
      throw DialError(address, "expected /ip4/…/tcp/PORT, /ip6/… or /dns/…")
    }
    let loop = connectionLoops.next()
    let connection = makeConnection(on: loop, .dialer, expecting: expected, address)
    let patience = configuration.limits.dialPatience
    return try await withCheckedThrowingContinuation { continuation in
      listeners.dials[connection.id] = continuation
      ClientBootstrap(group: loop)
        .connectTimeout(.nanoseconds(patience.nanoseconds))
        .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        .channelOption(.writeBufferWaterMark, value: .init(low: 1 << 16, high: 1 << 18))
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(SocketWire(connection))
          }
        }
        .connect(host: endpoint.host, port: Int(endpoint.port))
        .hop(to: self.loop)
        .whenFailure { error in
          self.assumeIsolated { $0.take([.ended(Host.reason(error))], from: connection) }
        }
    }
  }

  private func dialMemory(_ network: MemoryNetwork, _ address: Multiaddr, _ expected: PeerID?) async throws
    -> PeerID
  {
    guard let wire = network.connect(to: address) else { throw DialError(address, "nobody listens there") }
    let loop = connectionLoops.next()
    let connection = makeConnection(on: loop, .dialer, expecting: expected, address)
    return try await withCheckedThrowingContinuation { continuation in
      listeners.dials[connection.id] = continuation
      loop.execute { wire.attach(connection) }
    }
  }

  /// The innermost reason of a failed dial, in a line.
  private nonisolated static func reason(_ error: any Error) -> String {
    if let failed = error as? NIOConnectionError {
      if let first = failed.connectionErrors.first { return "\(first.error)" }
      if let dns = failed.dnsAError ?? failed.dnsAAAAError { return "\(dns)" }
    }
    return "\(error)"
  }

  /// Keeps a connection to a bootstrap address: redials after 1 s, doubling to a minute.
  func stayConnected(to address: Multiaddr) async {
    var pause = Duration.seconds(1)
    while !Task.isCancelled {
      do {
        let peer = try await connect(to: address)
        pause = .seconds(1)
        while links[peer] != nil, !Task.isCancelled {
          try await waitForLinkChange(until: .present + .seconds(5))
        }
      } catch is CancellationError {
        return
      } catch {
        telemetry.dialFailed(address, "\(error)")
        do { try await Task.sleep(for: pause) } catch { return }  // cancelled
        pause = min(pause * 2, .seconds(60))
      }
    }
  }

  // MARK: Waiting for links

  func linkChanged() {
    let waiters = listeners.linkWaiters
    listeners.linkWaiters = []
    for waiter in waiters { waiter.resume() }
  }

  /// Returns when a connection came or went, at the latest at `instant`.
  func waitForLinkChange(until instant: Instant) async throws {
    let alarm = loop.scheduleTask(deadline: NIODeadline(instant)) { [weak self] in
      self?.assumeIsolated { $0.linkChanged() }
    }
    await withCheckedContinuation { listeners.linkWaiters.append($0) }
    alarm.cancel()
    try Task.checkCancellation()
  }
}

extension Multiaddr {
  /// Where a socket's other end is.
  fileprivate init(remote address: SocketAddress?) {
    let made = address.flatMap { address in
      address.ipAddress.flatMap { ip in
        Multiaddr(ip: ip, tcp: UInt16(clamping: address.port ?? 0))
      }
    }
    self = made ?? .somewhereInMemory
  }

  fileprivate static let somewhereInMemory: Multiaddr = {
    do { return try Multiaddr("/memory/0") } catch { preconditionFailure("\(error)") }
  }()
}
