import DequeModule
public import GossipCore
import Synchronization

/// What a host's node tells about itself, as it happens. A listener that lags loses the oldest notices.
public struct Notices: AsyncSequence, Sendable {
  let stream: AsyncStream<Notice>

  /// Reads one after the other.
  public struct Iterator: AsyncIteratorProtocol {
    var iterator: AsyncStream<Notice>.Iterator

    /// The next notice; nil when the host has stopped.
    public mutating func next() async -> Notice? { await iterator.next() }
    /// The next notice; nil when the host has stopped.
    public mutating func next(isolation actor: isolated (any Actor)?) async -> Notice? {
      await iterator.next(isolation: actor)
    }
  }

  /// Starts reading.
  public func makeAsyncIterator() -> Iterator { Iterator(iterator: stream.makeAsyncIterator()) }
}

/// Hands notices to whoever listens; costs nothing while nobody does.
final class NoticeBoard: Sendable {
  private struct State {
    var listeners: [(number: UInt64, continuation: AsyncStream<Notice>.Continuation)] = []
    var next: UInt64 = 1
    var isClosed = false
  }

  private static let bufferMax = 4_096
  private let state = Mutex(State())
  private let count = Atomic<Int>(0)

  func listen() -> Notices {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Notice.self, bufferingPolicy: .bufferingNewest(NoticeBoard.bufferMax))
    let number = state.withLock { state -> UInt64? in
      guard !state.isClosed else { return nil }
      state.next += 1
      state.listeners.append((state.next, continuation))
      return state.next
    }
    guard let number else {
      continuation.finish()
      return Notices(stream: stream)
    }
    count.add(1, ordering: .relaxed)
    continuation.onTermination = { [weak self] _ in self?.remove(number) }
    return Notices(stream: stream)
  }

  private func remove(_ number: UInt64) {
    let wasThere = state.withLock { state in
      guard let place = state.listeners.firstIndex(where: { $0.number == number }) else { return false }
      state.listeners.remove(at: place)
      return true
    }
    if wasThere { count.subtract(1, ordering: .relaxed) }
  }

  func post(_ notice: Notice) {
    guard count.load(ordering: .relaxed) > 0 else { return }
    for listener in state.withLock({ $0.listeners }) { listener.continuation.yield(notice) }
  }

  func close() {
    let listeners = state.withLock { state in
      state.isClosed = true
      return state.listeners
    }
    for listener in listeners { listener.continuation.finish() }
  }
}
