/// What the sources may import and mention.
///
/// Below `GossipHost` everything is pure: what happens in production can then happen in a simulation, because it is
/// the same value doing it. A compiler cannot promise that; these tests read every file.

import Foundation
import Testing

/// One source file.
struct Source: Sendable, CustomTestStringConvertible {
  let target: String
  /// Path below the repository.
  let path: String
  let lines: [String]

  var testDescription: String { path }

  /// The lines without comments; a text that contains `//` is cut, which is good enough here.
  var code: [String] {
    lines.map { line in line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line }
  }

  /// Modules the file imports.
  var imports: [String] {
    code.compactMap { line in
      let words = line.split(separator: " ")
      guard let place = words.firstIndex(of: "import") else { return nil }
      // Only access levels and attributes stand before the word.
      let modifiers = words[..<place]
      let known: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
      guard modifiers.allSatisfy({ known.contains($0) || $0.hasPrefix("@") }) else { return nil }
      let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
      let name = words[(place + 1)...].first { !kinds.contains($0) }
      return name.map { String($0.split(separator: ".")[0]) }
    }
  }

  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The Swift files below a folder of the repository, sorted by path; none if it does not exist.
  static func files(below folder: String) -> [Source] {
    let base = root.appending(path: folder).resolvingSymlinksInPath()
    guard let walk = FileManager.default.enumerator(atPath: base.path(percentEncoded: false)) else {
      return []
    }
    return walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().map { name in
      let text = (try? String(contentsOf: base.appending(path: name), encoding: .utf8)) ?? ""
      let path = "\(folder)/\(name)"
      let target = path.split(separator: "/")[1]
      return Source(
        target: String(target), path: path,
        lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }
  }

  static let all = files(below: "Sources")
}

@Suite struct `The sources` {
  static let containers: Set = ["Crypto", "DequeModule", "HeapModule", "OrderedCollections"]

  /// What each target below the host may import.
  static let allowed: [String: Set<String>] = [
    "GossipCore": containers,
    // swift-crypto's BoringSSL for the cipher in place; where it is hidden, Foundation for the public cipher's `Data`.
    "GossipLibp2p": containers.union([
      "CCryptoBoringSSL", "CryptoExtras", "GossipCore", "FoundationEssentials", "Foundation",
    ]),
    "GossipSim": containers.union(["GossipCore"]),
    "GossipFuzz": ["GossipCore", "GossipLibp2p"],
    "GossipGauge": ["GossipCore", "GossipLibp2p", "GossipSim"],
  ]

  static let pure = Source.all.filter { allowed[$0.target] != nil }

  @Test func `are found`() {
    #expect(Source.all.count { $0.target == "GossipCore" } > 20)
    #expect(Source.all.allSatisfy { !$0.lines.isEmpty && !$0.lines[0].isEmpty })
    let core = Source.all.first { $0.path == "Sources/GossipCore/Messages/Wantlist.swift" }
    #expect(core?.imports == ["DequeModule", "HeapModule", "OrderedCollections"])
  }

  @Test(arguments: pure) func `below the host import what is on the list`(source: Source) {
    let foreign = Set(source.imports).subtracting(Self.allowed[source.target] ?? [])
    #expect(foreign.isEmpty, "\(source.path) imports \(foreign.sorted().joined(separator: ", "))")
  }

  @Test func `import nothing of Foundation or of swift-crypto's inside but in one file`() {
    let users = Self.pure.filter {
      !Set($0.imports).isDisjoint(with: ["Foundation", "FoundationEssentials", "CCryptoBoringSSL"])
    }
    #expect(users.map(\.path) == ["Sources/GossipLibp2p/Aead.swift"])
  }

  /// Whether `word` stands in the line, and not as the end of a longer name.
  static func mentions(_ line: String, _ word: String) -> Bool {
    line.ranges(of: word).contains { range in
      guard let before = line[..<range.lowerBound].last, word.first?.isLetter == true else { return true }
      return !before.isLetter && !before.isNumber && before != "_"
    }
  }

  @Test(arguments: pure) func `below the host know no clock, chance, task or lock`(source: Source) {
    let foreign = [
      "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", "Date(", "Task {", "Task.",
      "Mutex",
      "Atomic<", "DispatchQueue", "NSLock", "EventLoop", "async ", "await ", "actor ", ".randomElement()",
      ".shuffled()", "print(",
    ]
    for (number, line) in source.code.enumerated() {
      for word in foreign where Self.mentions(line, word) {
        Issue.record("\(source.path):\(number + 1) mentions \(word)")
      }
      let isUnseeded = line.contains(".random(in:") && !line.contains("using:")
      #expect(!isUnseeded, "\(source.path):\(number + 1) throws dice of its own")
    }
  }

  @Test(arguments: Source.all) func `know sockets, logs and services in the host only`(source: Source) {
    let reserved = source.imports.filter {
      $0.hasPrefix("NIO") || ["Logging", "Metrics", "ServiceLifecycle", "UnixSignals"].contains($0)
    }
    let isAllowed =
      switch source.target {
      case "GossipHost": true
      case "gossip": !reserved.contains { $0.hasPrefix("NIO") || $0 == "Metrics" }
      default: reserved.isEmpty
      }
    #expect(isAllowed, "\(source.path) imports \(reserved.joined(separator: ", "))")
  }

  @Test func `of the library know no command line and no file format`() {
    for source in Source.all where source.target != "gossip" {
      #expect(
        !source.imports.contains("ArgumentParser") && !source.imports.contains("Yams"), "\(source.path)")
    }
  }

  @Test(arguments: Source.all + Source.files(below: "Tests")) func `are short enough to read`(source: Source)
  {
    #expect(source.lines.count < 700, "\(source.path) has \(source.lines.count) lines")
  }
}
