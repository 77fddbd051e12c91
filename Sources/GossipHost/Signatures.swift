import GossipCore
import GossipLibp2p
import NIOCore
import NIOPosix

/// Signs and checks off the loops: on a thread pool, in batches, at most two per core at a time.
///
/// All checks of a turn travel together, and their answers come back together. When there are more than can be under
/// way, the peers that brought them take turns: one peer's backlog does not hold up another's messages. Own messages are
/// signed one batch after the other, so that they leave in the order they were published.
final class Signatures: @unchecked Sendable {
  // Confined to the host's loop; the pool's threads get values only.
  private let identity: Identity
  private let pool = NIOThreadPool.singleton
  /// Those of this tick.
  private var checks: [Check] = []
  /// Those for which there was no room.
  private var waiting = FairQueue<PeerID, Check>()
  private var drafts: [(ticket: Ticket, bytes: [UInt8])] = []
  private var inFlight = 0
  private var isSigning = false

  private struct Check: Sendable {
    let ticket: Ticket
    let message: WireMessage
    let peer: PeerID
  }

  /// Checks of one batch: about a millisecond of work, so that both cores get some.
  private static let batch = 16
  private static let inFlightMax = 2 * System.coreCount
  /// So few checks are done on the loop itself: a hop to a sleeping thread and back would take as long as one.
  private static let inlineMax = 2

  init(_ identity: Identity) { self.identity = identity }

  func check(_ ticket: Ticket, _ message: WireMessage, from peer: PeerID) {
    checks.append(Check(ticket: ticket, message: message, peer: peer))
  }

  func sign(_ ticket: Ticket, _ bytes: [UInt8]) { drafts.append((ticket, bytes)) }

  /// Sends off what this turn asked for, as far as there is room; the rest goes when answers come back.
  func flush(reportingTo host: Host) {
    if inFlight == 0, (1...Signatures.inlineMax).contains(checks.count) {
      let batch = checks
      checks.removeAll(keepingCapacity: true)
      host.assumeIsolated { $0.handle(Signatures.checked(batch)) }
    }
    if waiting.isEmpty, checks.count <= (Signatures.inFlightMax - inFlight) * Signatures.batch {
      // Room for all: nobody waits for anybody.
      for start in stride(from: 0, to: checks.count, by: Signatures.batch) {
        submit(Array(checks[start..<min(start + Signatures.batch, checks.count)]), host)
      }
    } else {
      for check in checks { waiting.append(check, of: check.peer) }
      while !waiting.isEmpty, inFlight < Signatures.inFlightMax {
        submit(waiting.take(Signatures.batch), host)
      }
    }
    checks.removeAll(keepingCapacity: true)
    guard !drafts.isEmpty, !isSigning else { return }
    let batch = drafts
    drafts = []
    if batch.count <= Signatures.inlineMax {
      return host.assumeIsolated { $0.handle(Signatures.signed(batch, by: identity)) }
    }
    isSigning = true
    submit(host) { [identity] in
      Signatures.signed(batch, by: identity)
    } done: {
      $0.isSigning = false
    }
  }

  private func submit(_ batch: [Check], _ host: Host) {
    inFlight += 1
    submit(host) {
      Signatures.checked(batch)
    } done: {
      $0.inFlight -= 1
    }
  }

  private static func checked(_ batch: [Check]) -> [Node.Input] {
    batch.map { .checked($0.ticket, authentic: isAuthentic($0.message)) }
  }

  private static func signed(_ batch: [(ticket: Ticket, bytes: [UInt8])], by identity: Identity)
    -> [Node.Input]
  {
    batch.map { .signed($0.ticket, signature: identity.sign($0.bytes), key: nil) }
  }

  private func submit(
    _ host: Host, _ work: @escaping @Sendable () -> [Node.Input],
    done: @escaping @Sendable (Signatures) -> Void
  ) {
    pool.submit { state in
      guard state == .active else { return }
      let inputs = work()
      host.loop.execute {
        done(self)
        host.assumeIsolated { $0.handle(inputs) }
      }
    }
  }

  /// Whether the message's author signed it: the key it carries must be the author's, or the author's id embeds it.
  static func isAuthentic(_ message: WireMessage) -> Bool {
    guard let author = message.claimedAuthor, let signature = message.signature else { return false }
    do {
      let key =
        if let carried = message.key { try PublicKey(protobuf: Array(carried)) } else {
          try PublicKey(embeddedIn: author)
        }
      return key.peer == author && key.isValidSignature(Array(signature), over: message.signedBytes)
    } catch {
      return false  // no key we can check with
    }
  }
}
