public import GossipCore
import NIOPosix

/// Keeps what is known of peers' conduct.
public protocol ScoreStore: Sendable {
  /// What was saved last; nothing if nothing ever was.
  func load() async throws -> [ScoreRecord]
  /// Keeps these, and only these; durable when it returns.
  func save(_ records: [ScoreRecord]) async throws
}

/// Scores in a file of text, a line per peer; lines that begin with `#` are remarks.
///
///     # peer seen left interest speed completed failed good bad application behaviour reports cutOffs disruptions topics
///     12D3KooW… 1751328000 - 0.62 0.9 17.0 0.0 203.5 0.0 0.0 0.0 0.0 0 - -
///     12D3KooW… 1751328000 1751327000 0.5 0.1 0.0 12.0 3.0 32.0 0.0 1.5 -864.0 1 1751326990 74:0.0:1.0
///
/// Times are seconds since 1970; `-` is none. Disruptions are times, topics are name (in hexadecimal digits), failures and
/// invalid messages, with commas between. Numbers out of their range are taken as the nearest that is not.
public struct FileScoreStore: ScoreStore {
  /// Where it is.
  public let path: String
  private static let names = [
    "peer", "seen", "left", "interest", "speed", "completed", "failed", "good", "bad", "application",
    "behaviour", "reports", "cutOffs", "disruptions", "topics",
  ]
  private static let sizeMax = 16 << 20

  /// The store at this path; the file is made after a minute, or when the host leaves.
  public init(path: String) { self.path = path }

  /// - Throws: `StoreError` naming the line that is none.
  public func load() async throws -> [ScoreRecord] {
    let path = path
    return try await NIOThreadPool.singleton.runIfActive {
      let text = try SmallFile.read(path, sizeMax: FileScoreStore.sizeMax) ?? ""
      var records: [ScoreRecord] = []
      for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        if words.isEmpty || words[0].hasPrefix("#") { continue }
        do throws(Wrong) { records.append(try FileScoreStore.record(words)) } catch {
          throw StoreError(path, line: index + 1, error.description)
        }
      }
      return records
    }
  }

  /// - Throws: `StoreError` with the system's reason.
  public func save(_ records: [ScoreRecord]) async throws {
    let path = path
    try await NIOThreadPool.singleton.runIfActive {
      let head = "# " + FileScoreStore.names.joined(separator: " ")
      let lines = [head] + records.map(FileScoreStore.line)
      try SmallFile.replace(path, with: lines.joined(separator: "\n") + "\n")
    }
  }

  private static func line(_ record: ScoreRecord) -> String {
    let topics = record.topics.map {
      "\(Hexadecimal.text(Array($0.topic.name.utf8))):\($0.failures):\($0.invalid)"
    }
    let numbers = [
      record.interest, record.speed, record.completed, record.failed, record.good, record.bad,
      record.application, record.behaviour, record.reports,
    ]
    let words =
      ["\(record.peer)", "\(record.seen)", record.left.map { "\($0)" } ?? "-"] + numbers.map { "\($0)" }
      + ["\(record.cutOffs)", list(record.disruptions.map { "\($0)" }), list(topics)]
    return words.joined(separator: " ")
  }

  private static func list(_ words: [String]) -> String {
    words.isEmpty ? "-" : words.joined(separator: ",")
  }

  /// Why a line is none.
  private struct Wrong: Error {
    let description: String

    init(_ expected: String, _ found: String) {
      description = "expected \(expected), found \"\(found.prefix(80))\""
    }
  }

  private static func record(_ words: [String]) throws(Wrong) -> ScoreRecord {
    guard words.count == names.count else {
      throw Wrong("\(names.count) words (\(names.joined(separator: " ")))", words.joined(separator: " "))
    }
    func value<Value: LosslessStringConvertible>(_ place: Int) throws(Wrong) -> Value {
      guard let value = Value(words[place]) else { throw Wrong("a number for \(names[place])", words[place]) }
      return value
    }
    guard let peer = try? PeerID(parsing: words[0]) else { throw Wrong("a peer id", words[0]) }
    var record = ScoreRecord(peer, seen: try value(1))
    record.left = words[2] == "-" ? nil : try value(2)
    record.interest = try value(3)
    record.speed = try value(4)
    (record.completed, record.failed) = (try value(5), try value(6))
    (record.good, record.bad) = (try value(7), try value(8))
    (record.application, record.behaviour) = (try value(9), try value(10))
    (record.reports, record.cutOffs) = (try value(11), try value(12))
    for word in words[13].split(separator: ",") where word != "-" {
      guard let second = Int64(word) else { throw Wrong("seconds since 1970", String(word)) }
      record.disruptions.append(second)
    }
    for word in words[14].split(separator: ",") where word != "-" {
      let parts = word.split(separator: ":").map(String.init)
      guard parts.count == 3, let name = Hexadecimal.bytes(parts[0]),
        let topic = String(validating: name, as: UTF8.self), let failures = Double(parts[1]),
        let invalid = Double(parts[2])
      else { throw Wrong("a topic's name in hexadecimal digits and two numbers", String(word)) }
      record.topics.append(ScoreRecord.OnTopic(Topic(topic), failures: failures, invalid: invalid))
    }
    return record
  }
}
