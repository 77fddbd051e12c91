import GossipCore
import GossipLibp2p
import NIOCore
import Synchronization

/// Hosts in one process, connected without sockets: the same sessions and bytes, carried by memory.
///
/// Like a socket it holds a bounded number of unread bytes, after which its writer has to wait.
public final class MemoryNetwork: Sendable {
  private struct State {
    var listeners: [Multiaddr: @Sendable (MemoryWire) -> Void] = [:]
    var next = 1
  }

  private let state = Mutex(State())

  /// A network nobody is on yet.
  public init() {}

  /// Opens a new address; `accept` is called on any thread with the far end of each connection to it.
  func listen(_ accept: @escaping @Sendable (MemoryWire) -> Void) -> Multiaddr {
    state.withLock { state in
      guard let address = try? Multiaddr("/memory/\(state.next)") else {
        preconditionFailure("memory address \(state.next)")
      }
      state.next += 1
      state.listeners[address] = accept
      return address
    }
  }

  func stopListening(_ address: Multiaddr) {
    state.withLock { $0.listeners[address] = nil }
  }

  /// One end of a new connection to `address`; nil if nobody listens there.
  func connect(to address: Multiaddr) -> MemoryWire? {
    guard let accept = state.withLock({ $0.listeners[address] }) else { return nil }
    let (near, far) = (MemoryWire(), MemoryWire())
    near.far = far
    far.far = near
    accept(far)
    return near
  }
}

/// One end of a connection in memory. Each end lives on the loop of its connection.
final class MemoryWire: Wire, @unchecked Sendable {
  /// Unread bytes at which the writer has to wait, as in a socket's buffers.
  private static let unreadMax = 1 << 18

  // Confined to `loop` once attached; `unread`, `isClosed` and `attached` cross between the two ends.
  fileprivate var far: MemoryWire?
  private var connection: Connection?
  private var isReading = true
  private var arrived: [[UInt8]] = []
  private let attached = Mutex<(any EventLoop)?>(nil)
  /// Bytes on their way to this end and not yet read by it.
  private let unread = Atomic<Int>(0)
  private let waiting = Mutex<[[UInt8]?]>([])

  fileprivate init() {}

  /// Gives this end to a connection; on the connection's loop.
  func attach(_ connection: Connection) {
    self.connection = connection
    attached.withLock { $0 = connection.loop }
    connection.start(on: self)
    takeWaiting()
  }

  var isWritable: Bool { (far?.unread.load(ordering: .relaxed) ?? .max) < MemoryWire.unreadMax }

  func write(_ size: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard let far else { return }
    var bytes = [UInt8](repeating: 0, count: size)
    unsafe bytes.withUnsafeMutableBytes { unsafe fill($0) }
    far.deliver(bytes)
  }

  func close() {
    far?.deliver(nil)
    end()
  }

  func setReading(_ isOn: Bool) {
    isReading = isOn
    if isOn { drain() }
  }

  /// Called by the other end, on its loop. nil is the end.
  private func deliver(_ bytes: [UInt8]?) {
    unread.add(bytes?.count ?? 0, ordering: .relaxed)
    waiting.withLock { $0.append(bytes) }
    attached.withLock { $0 }?.execute { self.takeWaiting() }
  }

  private func takeWaiting() {
    let pieces = waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    guard !pieces.isEmpty else { return }
    var hasEnded = false
    for piece in pieces {
      if let piece { arrived.append(piece) } else { hasEnded = true }
    }
    drain()
    if hasEnded {
      let connection = connection
      end()
      connection?.transportEnded()
    }
  }

  private func drain() {
    guard isReading, !arrived.isEmpty, let connection else { return }
    let pieces = arrived
    arrived = []
    var read = 0
    for piece in pieces {
      unsafe connection.receive(piece.span.bytes)
      read += piece.count
    }
    connection.readComplete()
    let before = unread.subtract(read, ordering: .relaxed).oldValue
    if before >= MemoryWire.unreadMax, before - read < MemoryWire.unreadMax { far?.becameWritable() }
  }

  private func becameWritable() {
    attached.withLock { $0 }?.execute { self.connection?.writabilityChanged() }
  }

  private func end() {
    connection = nil
    far = nil
    arrived = []
  }
}
