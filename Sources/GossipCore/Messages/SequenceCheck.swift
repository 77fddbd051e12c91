import DequeModule

/// Whether each author's sequence numbers rise: a message with a lower or equal one is a replay, and ignored. Nobody is
/// blamed, for honest peers pass on old messages too.
///
/// Optional: messages of one author that overtake one another on different paths are ignored as well.
///
/// Bound: `authorsMax` authors, of which the one heard of longest ago is forgotten, and counted; of a forgotten author
/// any number is fresh.
/// Source: go-libp2p-pubsub, `BasicSeqnoValidator`.
struct SequenceCheck: Sendable {
  private struct Author: Sendable {
    var highest: UInt64
    var turn: UInt64
  }

  private var authors: [PeerID: Author] = [:]
  /// By last use, the longest ago first; where `turn` differs the author was heard of since.
  private var order = Deque<(peer: PeerID, turn: UInt64)>()
  private var turn: UInt64 = 0
  private let authorsMax: Int
  /// Authors forgotten.
  private(set) var forgotten: UInt64 = 0
  /// Messages ignored.
  private(set) var replays: UInt64 = 0

  init(authorsMax: Int) { self.authorsMax = max(1, authorsMax) }

  /// Authors that are remembered.
  var count: Int { authors.count }

  /// Whether the number is higher than all that were taken; changes nothing.
  func isFresh(_ number: UInt64, by author: PeerID) -> Bool {
    authors[author].map { number > $0.highest } ?? true
  }

  /// The message is about to be believed. Of two that were examined at the same time one is.
  /// - Returns: whether its number is higher than all before; if not it is to be ignored.
  mutating func take(_ number: UInt64, by author: PeerID) -> Bool {
    guard isFresh(number, by: author) else {
      replays &+= 1
      return false
    }
    turn += 1
    if authors[author] == nil { makeRoom() }
    authors[author] = Author(highest: number, turn: turn)
    order.append((author, turn))
    if order.count > 2 * authorsMax + 16 {
      order.removeAll { authors[$0.peer]?.turn != $0.turn }
    }
    return true
  }

  private mutating func makeRoom() {
    while authors.count >= authorsMax, let oldest = order.popFirst() {
      guard authors[oldest.peer]?.turn == oldest.turn else { continue }
      authors[oldest.peer] = nil
      forgotten += 1
    }
  }
}
