import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Synchronization
import Testing

/// A folder of its own for each test.
func withFolder<R: Sendable>(_ body: @Sendable (URL) async throws -> R) async throws -> R {
  let folder = FileManager.default.temporaryDirectory.appending(path: "gossip-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder)
}

/// A store that fails when told to.
final class FickleStore: BlacklistStore, SequenceStore, ScoreStore {
  struct Broken: Error {}

  private struct State {
    var records: [BlacklistRecord] = []
    var scores: [ScoreRecord] = []
    var bound: UInt64 = 0
    var isBroken = false

    func whole() throws -> State {
      if isBroken { throw Broken() }
      return self
    }
  }

  private let state = Mutex(State())

  func load() async throws -> [BlacklistRecord] { try state.withLock { try $0.whole().records } }
  func load() async throws -> [ScoreRecord] { try state.withLock { try $0.whole().scores } }
  func save(_ scores: [ScoreRecord]) async throws {
    try state.withLock {
      $0 = try $0.whole()
      $0.scores = scores
    }
  }
  func load() async throws -> UInt64 { try state.withLock { try $0.whole().bound } }
  func save(_ records: [BlacklistRecord]) async throws {
    try state.withLock {
      $0 = try $0.whole()
      $0.records = records
    }
  }
  func save(_ bound: UInt64) async throws {
    try state.withLock {
      $0 = try $0.whole()
      $0.bound = bound
    }
  }

  var records: [BlacklistRecord] { state.withLock { $0.records } }
  var scores: [ScoreRecord] { state.withLock { $0.scores } }
  var bound: UInt64 { state.withLock { $0.bound } }
  func setBroken(_ isBroken: Bool) { state.withLock { $0.isBroken = isBroken } }
}

@Suite(.timeLimit(.minutes(4))) struct `A bar` {
  // BT-48
  @Test func `ends the connection, and refuses new ones both ways until it is lifted`() async throws {
    try await withHosts(2) { hosts in
      let (a, b) = (hosts[0], hosts[1])
      try await a.connect(to: b.address)
      try await eventually("connected") { await b.snapshot.peers.count == 1 }
      await a.bar(b.identity.peer)
      try await eventually("apart") {
        let counts = await (a.snapshot.peers.count, b.snapshot.peers.count)
        return counts == (0, 0)
      }
      // We do not dial it, whether we know its name beforehand or not.
      let error = await #expect(throws: DialError.self) { try await a.connect(to: b.address) }
      #expect(try #require(error).reason.contains("barred"))
      let nameless = try #require(try await b.address.withoutPeer)
      let second = await #expect(throws: DialError.self) { try await a.connect(to: nameless) }
      #expect(try #require(second).reason.contains("barred"))
      // It may dial us, and is left at once.
      try await eventually("turned away") {
        _ = try? await b.connect(to: a.address)  // at first its end of our own attempt may still be up
        return await a.snapshot.counters.turnedAway >= 2
      }
      try await eventually("gone") { await b.snapshot.peers.isEmpty }
      #expect(await a.snapshot.peers.isEmpty)
      await a.unbar(b.identity.peer)
      try await a.connect(to: b.address)
      try await eventually("together") { await b.snapshot.peers.count == 1 }
      #expect(await a.blacklist.isEmpty)
    }
  }

  // BT-55
  @Test func `survives a restart, and so does its being lifted`() async throws {
    try await withFolder { folder in
      let path = folder.appending(path: "blacklist.txt").path
      let (identity, peer) = (Identity.random(), Identity.random().peer)
      func live(_ body: @escaping @Sendable (Host) async throws -> Void) async throws {
        try await withHosts(1) {
          $0.identity = identity
          $0.blacklistStore = FileBlacklistStore(path: path)
        } _: {
          try await body($0[0])
        }
      }
      try await live { host in
        #expect(await host.blacklist.isEmpty)
        await host.bar(peer, for: .seconds(3_600))
      }
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains("\(peer) byHand"))
      try await live { host in
        let record = try #require(await host.blacklist.first)
        #expect(record.peer == peer && record.reason == .byHand && record.times == 1)
        let left = try #require(record.until) - Int64(Date().timeIntervalSince1970)
        #expect((3_300...3_600).contains(left), "\(left) seconds are left")
        await host.unbar(peer)
      }
      try await live { host in #expect(await host.blacklist.isEmpty) }
    }
  }

  @Test func `that cannot be written is told, and written when it can be`() async throws {
    let (store, book) = (FickleStore(), LogBook())
    let peer = Identity.random().peer
    try await withHosts(1) {
      $0.blacklistStore = store
      $0.logger = book.logger
    } _: { hosts in
      var notices = hosts[0].notices.makeAsyncIterator()
      store.setBroken(true)
      await hosts[0].bar(peer)
      var isTold = false
      while !isTold, let notice = await notices.next() { if case .notKept = notice { isTold = true } }
      #expect(book.contains("not kept for the next start", "Broken"))
      store.setBroken(false)
      await hosts[0].bar(Identity.random().peer)
      try await eventually("both") { store.records.count == 2 }
      #expect(store.records.contains { $0.peer == peer })
    }
  }

  @Test(arguments: [
    ("circulation 5 6 1 -", "expected six words"),
    ("12D3KooWx circulation 5 6 1 -", "expected a peer id"),
    ("PEER temper 5 6 1 -", "expected one of circulation"),
    ("PEER byHand soon 6 1 -", "seconds since 1970, found \"soon\""),
    ("PEER byHand 5 never 1 -", "or ever, found \"never\""),
    ("PEER byHand 5 6 0 -", "1 at least"), ("PEER byHand 5 6 1 abc", "hexadecimal digits"),
  ])
  func `in a damaged file keeps the host from starting, and names the line`(line: String, reason: String)
    async throws
  {
    try await withFolder { folder in
      let path = folder.appending(path: "blacklist.txt").path
      let peer = Identity.random().peer
      let text = "# remark\n\(peer) byHand 5 ever 1 00ff\n" + line.replacing("PEER", with: "\(peer)") + "\n"
      try Data(text.utf8).write(to: URL(filePath: path))
      var configuration = HostConfiguration()
      configuration.blacklistStore = FileBlacklistStore(path: path)
      let host = try Host(configuration)
      let error = await #expect(throws: StoreError.self) { try await host.run() }
      let found = try #require(error)
      #expect(found.line == 3 && found.description.contains(reason), "\(found)")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }
  }
}

@Suite(.timeLimit(.minutes(4))) struct `A host's scores` {
  // BT-39
  @Test func `survive a restart, with what the application reported`() async throws {
    try await withFolder { folder in
      let path = folder.appending(path: "scores.txt").path
      let (identity, peer) = (Identity.random(), Identity.random().peer)
      func one(_ body: @escaping @Sendable (Host) async throws -> Void) async throws {
        try await withHosts(1) {
          $0.identity = identity
          $0.scoreStore = FileScoreStore(path: path)
        } _: {
          try await body($0[0])
        }
      }
      try await one { host in
        #expect(await host.scores.isEmpty)
        for _ in 0..<200 { await host.report(peer, .invalid, amount: 10) }
      }
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.hasPrefix("# peer seen left") && text.contains("\(peer) "))
      try await one { host in
        let record = try #require(await host.scores.first)
        #expect(record.peer == peer && (-1_728_000 ... -1_000_000).contains(record.reports))
      }
    }
  }

  // BT-39
  @Test func `of a peer that was connected are those of before`() async throws {
    let store = FickleStore()
    let (first, second) = (Identity.random(), Identity.random())
    func live(_ body: @escaping @Sendable (Host, Host) async throws -> Void) async throws {
      try await withHosts(1) {
        $0.identity = second
      } _: { others in
        try await withHosts(1) {
          $0.identity = first
          $0.scoreStore = store
        } _: { hosts in
          try await hosts[0].connect(to: others[0].address)
          try await body(hosts[0], others[0])
        }
      }
    }
    try await live { host, _ in
      await host.setApplicationScore(-3, of: second.peer)
      #expect(await host.explain(second.peer)?.score == -3)
    }
    #expect(store.scores.map(\.peer) == [second.peer] && store.scores[0].application == -3)
    try await live { host, _ in
      try await eventually("its score") { await host.explain(second.peer)?.score == -3 }
    }
  }

  @Test(arguments: [
    ("PEER 5 -", "expected 15 words"), ("12D3KooWx 5 - 0 0 0 0 0 0 0 0 0 0 - -", "expected a peer id"),
    ("PEER soon - 0 0 0 0 0 0 0 0 0 0 - -", "a number for seen"),
    ("PEER 5 - 0 fast 0 0 0 0 0 0 0 0 - -", "a number for speed"),
    ("PEER 5 - 0 0 0 0 0 0 0 0 0 0 1,x -", "seconds since 1970"),
    ("PEER 5 - 0 0 0 0 0 0 0 0 0 0 - 7:1:1", "a topic's name"),
  ])
  func `in a damaged file are told of and forgotten, and the host starts`(line: String, reason: String)
    async throws
  {
    try await withFolder { folder in
      let path = folder.appending(path: "scores.txt").path
      let peer = Identity.random().peer
      let text =
        "# remark\n\(peer) 5 - 0.9 0 0 0 0 0 0 0 0 0 - -\n" + line.replacing("PEER", with: "\(peer)") + "\n"
      try Data(text.utf8).write(to: URL(filePath: path))
      let book = LogBook()
      try await withHosts(1) {
        $0.scoreStore = FileScoreStore(path: path)
        $0.logger = book.logger
      } _: { hosts in
        #expect(book.contains("what was kept cannot be read", "line 3"))
        #expect(book.contains("what was kept cannot be read", reason))
        #expect(await hosts[0].scores.isEmpty)
      }
    }
  }

  @Test func `are what was saved, to the last digit`() async throws {
    try await withFolder { folder in
      let store = FileScoreStore(path: folder.appending(path: "scores.txt").path)
      #expect(try await store.load() == [])
      var record = ScoreRecord(Identity.random().peer, seen: 1_751_328_000)
      (record.interest, record.speed, record.completed, record.failed) = (0.1 + 0.2, 1 / 3, 1e-7, 12)
      (record.good, record.bad, record.application, record.behaviour) = (203.5, 32, -1.5, 0.25)
      record.topics = [
        .init("t", failures: 1, invalid: 2), .init("with space, and: colon", failures: 0, invalid: 1),
      ]
      (record.disruptions, record.reports, record.cutOffs) = ([5, 6], -864, 2)
      var other = ScoreRecord(Identity.random().peer, seen: 5)
      other.left = -7
      try await store.save([record, other])
      #expect(try await store.load() == [record, other])
    }
  }
}

@Suite(.timeLimit(.minutes(4))) struct `A host's sequence numbers` {
  /// Publishes so many messages in one life, and tells their numbers.
  private func numbers(
    _ identity: Identity, after clock: UInt64, _ store: any SequenceStore, messages: Int = 3
  ) async throws -> [UInt64] {
    try await withHosts(1) {
      $0.identity = identity
      $0.sequenceStore = store
      $0.node.sequenceStart = clock
    } _: { hosts in
      var numbers: [UInt64] = []
      for index in 0..<messages {
        let published = try await hosts[0].publish(Payload("\(index)"), to: "t")
        numbers.append(published.id.bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) })
      }
      return numbers
    }
  }

  // GS-25
  @Test func `rise over a restart with a clock that was set back`() async throws {
    try await withFolder { folder in
      let store = FileSequenceStore(path: folder.appending(path: "sequence").path)
      let identity = Identity.random()
      let first = try await numbers(identity, after: 1 << 50, store)
      #expect(first == [1 << 50 + 1, 1 << 50 + 2, 1 << 50 + 3])
      let second = try await numbers(identity, after: 1_000, store)
      #expect(second[0] > first[2] && second == second.sorted())
      // A clock that is ahead of what was kept is believed.
      let third = try await numbers(identity, after: 1 << 51, store)
      #expect(third[0] == 1 << 51 + 1)
    }
  }

  // GS-25
  @Test func `are not given out before their bound is kept`() async throws {
    let store = FickleStore()
    let numbers = try await numbers(Identity.random(), after: 100, store)
    #expect(numbers == [101, 102, 103] && store.bound > 103)
    store.setBroken(true)
    var configuration = HostConfiguration()
    configuration.sequenceStore = store
    let host = try Host(configuration)
    let publication = Task { try await host.publish("x", to: "t") }
    await #expect(throws: FickleStore.Broken.self) { try await host.run() }
    await #expect(throws: HostError.self) { _ = try await publication.value }
  }

  @Test func `in a file that has none keep the host from starting`() async throws {
    try await withFolder { folder in
      let path = folder.appending(path: "sequence").path
      try Data("many\n".utf8).write(to: URL(filePath: path))
      var configuration = HostConfiguration()
      configuration.sequenceStore = FileSequenceStore(path: path)
      let host = try Host(configuration)
      let error = await #expect(throws: StoreError.self) { try await host.run() }
      #expect(try #require(error).description.contains("line 1: expected a whole number, found \"many\""))
    }
  }
}
