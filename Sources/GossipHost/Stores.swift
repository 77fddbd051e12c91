public import GossipCore
import GossipLibp2p
import NIOPosix

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What has to outlive a restart, and the files it is usually kept in.
///
/// A host reads its stores once, before it listens, and writes them in tasks of their own; its loop never waits for
/// them. A file is replaced whole: written beside the old one, then renamed over it, so that a crash leaves the one
/// or the other. A file that cannot be understood is an error and is left as it is.

/// Keeps who is barred.
public protocol BlacklistStore: Sendable {
  /// What was saved last; nothing if nothing ever was.
  func load() async throws -> [BlacklistRecord]
  /// Keeps these, and only these; durable when it returns.
  func save(_ records: [BlacklistRecord]) async throws
}

/// Keeps how far sequence numbers were given out (`SequenceReserve`).
public protocol SequenceStore: Sendable {
  /// What was saved last; 0 if nothing ever was.
  func load() async throws -> UInt64
  /// Keeps this bound; durable when it returns.
  func save(_ bound: UInt64) async throws
}

/// A store could not be read or written.
public struct StoreError: Error, Hashable, CustomStringConvertible {
  /// Which file.
  public let path: String
  /// Which line of it, from 1; nil if it is not about one.
  public let line: Int?
  /// Why, in words.
  public let reason: String
  /// In words for people.
  public var description: String { "\(path)\(line.map { ", line \($0)" } ?? ""): \(reason)" }

  init(_ path: String, line: Int? = nil, _ reason: String) {
    (self.path, self.line, self.reason) = (path, line, reason)
  }
}

/// The blacklist in a file of text, a line per peer; lines that begin with `#` are remarks.
///
///     # peer reason since until times evidence
///     12D3KooW… circulation 1751328000 1751414400 1 9f86d081…
///     12D3KooW… byHand 1751328000 ever 1 -
///
/// Times are seconds since 1970; the evidence is in hexadecimal digits.
public struct FileBlacklistStore: BlacklistStore {
  /// Where it is.
  public let path: String
  private static let head = "# peer reason since until times evidence"
  private static let sizeMax = 16 << 20

  /// The store at this path; the file is made when somebody is barred.
  public init(path: String) { self.path = path }

  /// - Throws: `StoreError` naming the line that is none.
  public func load() async throws -> [BlacklistRecord] {
    let path = path
    return try await NIOThreadPool.singleton.runIfActive {
      let text = try SmallFile.read(path, sizeMax: FileBlacklistStore.sizeMax) ?? ""
      return try FileBlacklistStore.records(in: text, path)
    }
  }

  /// - Throws: `StoreError` with the system's reason.
  public func save(_ records: [BlacklistRecord]) async throws {
    let path = path
    try await NIOThreadPool.singleton.runIfActive {
      let lines = [FileBlacklistStore.head] + records.map(FileBlacklistStore.line)
      try SmallFile.replace(path, with: lines.joined(separator: "\n") + "\n")
    }
  }

  private static func line(_ record: BlacklistRecord) -> String {
    [
      "\(record.peer)", record.reason.rawValue, "\(record.since)", record.until.map { "\($0)" } ?? "ever",
      "\(record.times)", Hexadecimal.text(record.evidence),
    ].joined(separator: " ")
  }

  private static func records(in text: String, _ path: String) throws(StoreError) -> [BlacklistRecord] {
    var records: [BlacklistRecord] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      if words.isEmpty || words[0].hasPrefix("#") { continue }
      func wrong(_ expected: String, _ found: String) -> StoreError {
        StoreError(path, line: index + 1, "expected \(expected), found \"\(found)\"")
      }
      guard words.count == 6 else {
        throw wrong("six words (\(head.dropFirst(2)))", String(line.prefix(80)))
      }
      guard let peer = try? PeerID(parsing: words[0]) else { throw wrong("a peer id", words[0]) }
      guard let reason = BlacklistReason(rawValue: words[1]) else {
        throw wrong("one of \(BlacklistReason.allCases.map(\.rawValue).joined(separator: ", "))", words[1])
      }
      guard let since = Int64(words[2]) else { throw wrong("seconds since 1970", words[2]) }
      let until = words[3] == "ever" ? nil : Int64(words[3])
      guard until != nil || words[3] == "ever" else { throw wrong("seconds since 1970, or ever", words[3]) }
      guard let times = Int(words[4]), times > 0 else { throw wrong("how often, 1 at least", words[4]) }
      guard let evidence = Hexadecimal.bytes(words[5]) else {
        throw wrong("hexadecimal digits, or -", words[5])
      }
      records.append(
        BlacklistRecord(
          peer: peer, reason: reason, evidence: evidence, since: since, until: until, times: times))
    }
    return records
  }
}

/// Bytes as two digits each; none are `-`.
enum Hexadecimal {
  static func text(_ bytes: [UInt8]) -> String {
    bytes.isEmpty
      ? "-" : bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  static func bytes(_ text: String) -> [UInt8]? {
    if text == "-" { return [] }
    let digits = text.map(\.hexDigitValue)
    guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
    let values = digits.map { UInt8($0 ?? 0) }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
  }
}

/// The bound of the sequence numbers given out, in a file with this one number.
public struct FileSequenceStore: SequenceStore {
  /// Where it is.
  public let path: String

  /// The store at this path; the file is made when the host runs.
  public init(path: String) { self.path = path }

  /// - Throws: `StoreError` if the file has something else than a number.
  public func load() async throws -> UInt64 {
    let path = path
    return try await NIOThreadPool.singleton.runIfActive {
      guard let text = try SmallFile.read(path, sizeMax: 64) else { return 0 }
      let word = text.filter { !$0.isWhitespace }
      guard let bound = UInt64(word) else {
        throw StoreError(path, line: 1, "expected a whole number, found \"\(word)\"")
      }
      return bound
    }
  }

  /// - Throws: `StoreError` with the system's reason.
  public func save(_ bound: UInt64) async throws {
    let path = path
    try await NIOThreadPool.singleton.runIfActive { try SmallFile.replace(path, with: "\(bound)\n") }
  }
}

/// Files that are read and replaced whole; every call blocks.
enum SmallFile {
  /// - Returns: what is in it; nil if there is none.
  static func read(_ path: String, sizeMax: Int) throws(StoreError) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw failed(path, "read")
    }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe systemRead(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failed(path, "read") }
      if count == 0 { break }
      bytes += buffer[..<count]
      guard bytes.count <= sizeMax else {
        throw StoreError(path, "it has more than \(sizeMax) bytes, the most it could have")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw StoreError(path, "it is not text")
    }
    return text
  }

  /// Writes a new file beside the old one, then puts it in its place.
  static func replace(_ path: String, with text: String) throws(StoreError) {
    let next = path + ".new"
    let file = unsafe open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failed(next, "written") }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let error = failed(next, "written")
        close(file)
        throw error
      }
      rest = rest.dropFirst(count)
    }
    let isDurable = fsync(file) == 0
    let error = failed(next, "written")
    close(file)
    guard isDurable else { throw error }
    guard unsafe rename(next, path) == 0 else { throw failed(path, "replaced") }
    // The new name, too, has to outlive a crash; where folders cannot be synchronised it does without.
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let directory = unsafe open(folder, O_RDONLY | O_CLOEXEC)
    guard directory >= 0 else { return }
    _ = fsync(directory)
    close(directory)
  }

  private static func failed(_ path: String, _ what: String) -> StoreError {
    StoreError(path, "cannot be \(what): \(unsafe String(cString: strerror(errno)))")
  }
}

/// The system's `read`, which has a namesake in `SmallFile`.
private func systemRead(_ file: Int32, _ place: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  unsafe read(file, place, count)
}
