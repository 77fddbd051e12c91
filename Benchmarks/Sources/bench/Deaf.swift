import Foundation
import GossipCore
import GossipGauge
import GossipHost
import GossipLibp2p
import Synchronization

/// A peer that never reads: it connects to several hosts by sockets of its own, speaks the whole protocol until it is
/// on the topic and in their meshes, and then takes nothing more out of its kernel's buffers.
///
/// What the hosts do about it is read from their notices: a message is dropped for a peer only while its queue is at
/// its bound, so drops show that the queue got there, and that it stayed there.
final class Deaf: Sendable {
  private struct State {
    var dropped = 0
    var disconnected = 0
  }

  /// All of its connections have the same identity.
  private static let seed: UInt8 = 77

  private let topic: Topic
  private let id: PeerID
  private let sockets = Mutex<[Int32]>([])
  private let state = Mutex(State())

  init(on topic: Topic) {
    self.topic = topic
    id = BarePeer(seed: Deaf.seed, connection: 0, on: topic).id
  }

  /// Joins by way of this host, and reads nothing from it after that. Blocks for the few round trips of an upgrade.
  func connect(to address: Multiaddr) throws {
    let socket = try Deaf.dial(address)
    let number = sockets.withLock { sockets in
      sockets.append(socket)
      return UInt8(sockets.count)
    }
    var peer = BarePeer(seed: Deaf.seed, connection: number, on: topic)
    var buffer = [UInt8](repeating: 0, count: 4_096)
    peer.start(at: Deaf.now)
    while true {
      try Deaf.write(peer.takeOutput(), to: socket)
      if peer.hasJoined { return }
      let count = read(socket, &buffer, buffer.count)
      guard count > 0 else { throw Settings.Fault(description: "the deaf peer was left by \(address)") }
      peer.receive(Array(buffer[..<count]), at: Deaf.now)
    }
  }

  /// Counts what a host tells about this peer.
  func listen(to notices: Notices) async {
    for await notice in notices {
      switch notice {
      case .shed(id, .message, let count): state.withLock { $0.dropped += count }
      case .disconnected(id, _): state.withLock { $0.disconnected += 1 }
      default: break
      }
    }
  }

  func report(to line: inout Line, bound: Int) {
    let state = state.withLock { $0 }
    line.add("deaf_connections", sockets.withLock { $0.count })
    line.add("deaf_queue_bound_kib", Double(bound) / 1_024)
    line.add("deaf_dropped_msgs", state.dropped)
    line.add("deaf_reached_bound", state.dropped > 0)
    line.add("deaf_disconnected", state.disconnected)
  }

  // MARK: Sockets

  static var now: Instant {
    Instant(nanoseconds: Int64(DispatchTime.now().uptimeNanoseconds))
  }

  /// - Parameter readBuffer: what the kernel may keep unread; nil leaves it to the kernel.
  static func dial(_ address: Multiaddr, readBuffer: Int32? = 1) throws -> Int32 {
    let parts = address.description.split(separator: "/")
    guard parts.count >= 4, parts[0] == "ip4", parts[2] == "tcp", let port = UInt16(parts[3]) else {
      throw Settings.Fault(description: "expected /ip4/…/tcp/…, found \(address)")
    }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    // As little as the kernel allows, so that its buffers are full soon.
    if var size = readBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = inet_addr(String(parts[1]))
    let result = withUnsafePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      throw Settings.Fault(description: "\(address): \(String(cString: strerror(errno)))")
    }
    return descriptor
  }

  private static func write(_ bytes: [UInt8], to socket: Int32) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(socket, $0.baseAddress, $0.count) }
      guard count > 0 else { throw Settings.Fault(description: "the deaf peer cannot write") }
      rest = rest.dropFirst(count)
    }
  }
}
