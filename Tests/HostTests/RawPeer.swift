import GossipCore
import GossipHost
import GossipLibp2p
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A TCP client that says exactly what a test wants, and tells when it was left.
final class RawPeer: Sendable {
  private let channel: any Channel

  private final class Reader: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
  }

  private init(_ channel: any Channel) { self.channel = channel }

  static func connect(to address: Multiaddr) async throws -> RawPeer {
    guard let endpoint = address.tcpEndpoint else { throw NotInTime(description: "no TCP in \(address)") }
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { $0.pipeline.addHandler(Reader()) }
      .connect(host: endpoint.host, port: Int(endpoint.port)).get()
    return RawPeer(channel)
  }

  func write(_ bytes: [UInt8]) async throws {
    try await channel.writeAndFlush(channel.allocator.buffer(bytes: bytes))
  }

  func halfClose() async throws { try await channel.close(mode: .output) }

  /// Ends the connection by RST.
  func reset() async throws {
    guard let options = channel as? any SocketOptionProvider else { return }
    try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    try await channel.close()
  }

  func close() { channel.close(promise: nil) }
}

/// A hostile libp2p peer: upgrades and negotiates like an honest one, then does what a test wants.
///
/// Built from the same session a host uses, so that it comes as far as any peer can.
actor HostilePeer {
  private final class Reader: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    // Confined to the channel's loop. A stream, since what is read has to stay in its order.
    let incoming: AsyncStream<[UInt8]>.Continuation
    init(_ incoming: AsyncStream<[UInt8]>.Continuation) { self.incoming = incoming }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      incoming.yield(Array(unwrapInboundIn(data).readableBytesView))
    }

    func channelInactive(context: ChannelHandlerContext) { incoming.finish() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  nonisolated let identity = Identity.random()
  private var session: Session
  private var channel: (any Channel)?
  /// How often its gossip stream was opened, and whether it is open.
  private(set) var openings = 0
  private(set) var isOpen = false
  private(set) var hasEnded = false
  private var pieces: [[UInt8]] = []

  init() {
    let settings = SessionSettings(identity: identity, gossip: Manner.allCases.map(\.protocols))
    session = Session(
      .dialer, settings, expecting: nil, observed: nil, staticSeed: [UInt8](repeating: 3, count: 32),
      ephemeralSeed: [UInt8](repeating: 4, count: 32), at: HostilePeer.now)
  }

  nonisolated var id: PeerID { identity.peer }

  func connect(to address: Multiaddr) async throws {
    guard let endpoint = address.tcpEndpoint else { throw NotInTime(description: "no TCP in \(address)") }
    let (incoming, continuation) = AsyncStream<[UInt8]>.makeStream()
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { $0.pipeline.addHandler(Reader(continuation)) }
      .connect(host: endpoint.host, port: Int(endpoint.port)).get()
    Task {
      for await bytes in incoming { await received(bytes) }
      hasEnded = true
    }
    session.start(at: HostilePeer.now)
    try await flush()
  }

  private func received(_ bytes: [UInt8]) async {
    session.receive(bytes.span.bytes, at: HostilePeer.now)
    await settle()
  }

  private static var now: Instant { Instant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds)) }

  /// Does what is due, such as opening a stream that was reset again.
  func wake() async {
    session.wake(at: HostilePeer.now)
    await settle()
  }

  private func settle() async {
    while let event = session.nextEvent() {
      switch event {
      case .opened(0, _):
        isOpen = true
        openings += 1
      case .closed(0): isOpen = false
      default: break
      }
    }
    try? await flush()  // the host may have left
  }

  /// Says these bytes on the gossip stream, whatever they are.
  func say(_ bytes: [UInt8]) async throws {
    guard session.send(bytes, on: 0) else { throw NotInTime(description: "no gossip stream") }
    try await flush()
  }

  func say(_ frame: Frame) async throws { try await say(frame.delimited) }

  private func flush() async throws {
    session.flush()
    let bytes = session.takeOutput()
    guard let channel, !bytes.isEmpty else { return }
    // Handed over before anything is awaited, so that what is written stays in its order, too.
    let written = channel.eventLoop.makePromise(of: Void.self)
    channel.writeAndFlush(channel.allocator.buffer(bytes: bytes), promise: written)
    try await written.futureResult.get()
  }

  func stopReading() async throws { try await channel?.setOption(.autoRead, value: false).get() }

  func close() { channel?.close(promise: nil) }
}
