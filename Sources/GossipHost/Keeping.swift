public import GossipCore
import NIOCore

/// What a host keeps over restarts: who is barred, which sequence numbers were given out, and peers' scores.
///
/// The stores are read before the host listens; if one cannot be, `run` fails, rather than to forget. Scores are less
/// dear: what cannot be read is told (`Notice.notRecalled`) and forgotten. From then on the blacklist is saved whenever
/// it has changed, one write at a time, the newest state last; numbers are reserved in blocks, and the next block is asked
/// for when half of one is used; scores are saved every minute, and when the host leaves. What could not be written is
/// logged and told (`Notice.notKept`), and tried again.
struct Keeping {
  /// Our own numbers, once they were read; nil before, and without a store.
  fileprivate var reserve: SequenceReserve?
  fileprivate var isReserving = false
  /// Publications that wait for a number.
  fileprivate var waiting: [CheckedContinuation<Void, any Error>] = []
  /// Whether somebody was barred or forgiven since the last write began.
  fileprivate var hasChanged = false
  fileprivate(set) var isSaving = false
  fileprivate(set) var isSavingScores = false
  /// The scores at the end, before everybody was left.
  fileprivate var lastScores: [ScoreRecord]?

  fileprivate static let savingAgainAfter = TimeAmount.seconds(5)
  fileprivate static let scoresEvery = TimeAmount.seconds(60)

  mutating func failAll() { release(.failure(HostError.leaving)) }

  fileprivate mutating func release(_ result: Result<Void, any Error>) {
    let released = waiting
    waiting = []
    for continuation in released { continuation.resume(with: result) }
  }
}

extension Host {
  // MARK: Starting

  /// Takes in what was kept.
  func recall() async throws {
    if let store = configuration.blacklistStore {
      handle(.restore(try await store.load(), wallClock: Host.wallClockSeconds))
    }
    if let store = configuration.scoreStore {
      do { handle(.recall(try await store.load(), wallClock: Host.wallClockSeconds)) } catch {
        noticed(.notRecalled("scores: \(error)"))
      }
    }
    guard let store = configuration.sequenceStore else { return }
    let (clock, overflow) = sequenceStart.addingReportingOverflow(1)
    let (stored, start) = (try await store.load(), overflow ? .max : clock)
    var reserve = SequenceReserve(stored: stored, clock: start)
    if let bound = reserve.wanted {
      try await store.save(bound)
      reserve.stored(bound)
    }
    skipSequences(to: max(stored, start) - 1)
    keeping.reserve = reserve
    keeping.release(.success(()))
  }

  // MARK: Numbers

  /// Waits until there is a number for one more message of ours; at once, but before `run` and while the store cannot
  /// be written.
  func takeNumber() async throws {
    guard configuration.sequenceStore != nil else { return }
    while true {
      if isLeaving { throw HostError.leaving }
      let hasNumber = keeping.reserve?.next() != nil
      reserveMore()
      if hasNumber { return }
      try await withCheckedThrowingContinuation { keeping.waiting.append($0) }
    }
  }

  private func reserveMore() {
    guard !keeping.isReserving, let bound = keeping.reserve?.wanted, let store = configuration.sequenceStore
    else { return }
    keeping.isReserving = true
    Task {
      do {
        try await store.save(bound)
        keeping.reserve?.stored(bound)
        keeping.release(.success(()))
      } catch {
        noticed(.notKept("sequence numbers: \(error)"))
        keeping.release(.failure(HostError.noSequenceNumber("\(error)")))
      }
      keeping.isReserving = false
    }
  }

  // MARK: Who is barred

  /// Has nothing to do with a peer any more: its connections end, further ones are refused, and nothing it wrote is
  /// taken from others.
  /// - Parameter duration: how long; nil for as long as the number of times says: a day, then two, then four.
  public func bar(_ peer: PeerID, for duration: Duration? = nil) { handle(.bar(peer, for: duration)) }

  /// Forgives a peer, and forgets that it was ever barred.
  public func unbar(_ peer: PeerID) { handle(.unbar(peer)) }

  /// Who is barred or was lately, why, and until when by the wall clock.
  public var blacklist: [BlacklistRecord] { blacklist(wallClock: Host.wallClockSeconds) }

  func blacklistChanged() {
    keeping.hasChanged = true
    saveBlacklist()
  }

  private func saveBlacklist() {
    guard keeping.hasChanged, !keeping.isSaving, let store = configuration.blacklistStore else { return }
    keeping.hasChanged = false
    keeping.isSaving = true
    let records = blacklist
    Task {
      var hasFailed = false
      do { try await store.save(records) } catch {
        hasFailed = true
        keeping.hasChanged = true
        noticed(.notKept("blacklist: \(error)"))
      }
      keeping.isSaving = false
      linkChanged()  // for who waits for this when leaving
      guard hasFailed else { return saveBlacklist() }
      guard !isLeaving else { return }
      loop.scheduleTask(in: Keeping.savingAgainAfter) { [weak self] in
        self?.assumeIsolated { $0.saveBlacklist() }
      }
    }
  }

  // MARK: Scores

  /// Saves scores now and then, for as long as the task is not cancelled; nil without a store.
  func scoreTicks() -> RepeatedTask? {
    guard configuration.scoreStore != nil else { return nil }
    return loop.scheduleRepeatedTask(initialDelay: Keeping.scoresEvery, delay: Keeping.scoresEvery) {
      [weak self] _ in self?.assumeIsolated { $0.save($0.scores) }
    }
  }

  /// What is known now is saved at the end: that everybody is left then is nobody's fault.
  func saveLastScores() {
    guard configuration.scoreStore != nil else { return }
    keeping.lastScores = scores
    saveLastScoresNext()
  }

  private func saveLastScoresNext() {
    guard !keeping.isSavingScores, let last = keeping.lastScores else { return }
    keeping.lastScores = nil
    save(last)
  }

  /// One write at a time; what comes meanwhile is of the next minute.
  private func save(_ records: [ScoreRecord]) {
    guard !keeping.isSavingScores, let store = configuration.scoreStore else { return }
    keeping.isSavingScores = true
    Task {
      do { try await store.save(records) } catch { noticed(.notKept("scores: \(error)")) }
      keeping.isSavingScores = false
      linkChanged()  // for who waits for this when leaving
      saveLastScoresNext()
    }
  }

  /// What is known of peers' conduct, as it is kept over restarts.
  public var scores: [ScoreRecord] { scores(wallClock: Host.wallClockSeconds) }

  /// Waits for the last writes, for as long as leaving may take.
  func finishSaving(by deadline: Instant) async {
    saveBlacklist()
    while keeping.isSaving || keeping.isSavingScores, Instant.present < deadline {
      try? await waitForLinkChange(until: deadline)
    }
  }
}
