import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import ServiceLifecycle

/// The control socket of `gossip run`: a Unix-domain socket through which the node's owner asks it something.
///
/// One request per connection, a line of words; the answer is `ok` or `error`, a line break, then text or one JSON object
/// per line, until the end. The file can be opened by its owner only. A request has 1 KiB at most and five seconds to
/// come, and one is answered at a time.
///
///     → explain 12D3KooW…
///     ← ok
///     ← 12D3KooW…: welcome
///     ← peer score 4.2
///     ← …
struct ControlServer: Service {
  let host: Host
  let path: String

  func run() async throws {
    let socket = try ControlSocket.listen(at: path)
    let queue = DispatchQueue(label: "gossip.control")
    let source = DispatchSource.makeReadSource(fileDescriptor: socket, queue: queue)
    source.setEventHandler { [host] in
      let client = accept(socket, nil, nil)
      guard client >= 0 else { return }
      ControlSocket.setPatience(client)
      guard let request = ControlSocket.readLine(from: client) else {
        close(client)
        return
      }
      Task {
        ControlSocket.send(await Control(host).answer(request), to: client)
        close(client)
      }
    }
    source.setCancelHandler { [path] in
      close(socket)
      unlink(path)
    }
    source.activate()
    defer { source.cancel() }
    try await gracefulShutdown()
  }
}

/// What the control socket understands.
struct Control {
  private let host: Host

  init(_ host: Host) { self.host = host }

  struct Refusal: Error { let reason: String }

  /// - Returns: the whole answer.
  func answer(_ request: String) async -> String {
    var words = request.split(separator: " ").map(String.init)
    let isJSON = words.last == "json"
    if isJSON { words.removeLast() }
    do {
      let lines = try await lines(words, isJSON)
      return (["ok"] + lines).joined(separator: "\n") + "\n"
    } catch { return "error\n\(error.reason)\n" }
  }

  private func lines(_ words: [String], _ isJSON: Bool) async throws(Refusal) -> [String] {
    switch (words.first, words.count) {
    case ("explain", 1): return await standings(isJSON)
    case ("explain", 2):
      let peer = try await peer(words[1])
      let bars = await barred(isJSON, only: peer)
      guard let explanation = await host.explain(peer) else {
        if !bars.isEmpty { return bars }
        throw Refusal(reason: "nothing is known of \(peer): it was never connected, or is forgotten")
      }
      return [isJSON ? json(explanation) : explanation.description] + bars
    case ("bar", 2), ("bar", 3):
      let peer = try await peer(words[1])
      let duration = words.count == 3 ? DurationArgument(argument: words[2]) : nil
      guard words.count == 2 || duration != nil else {
        throw Refusal(reason: "expected a duration such as 1h, found \(words[2])")
      }
      await host.bar(peer, for: duration?.duration)
      return await barred(isJSON, only: peer)
    case ("unbar", 2):
      let peer = try await peer(words[1])
      guard await host.blacklist.contains(where: { $0.peer == peer }) else {
        throw Refusal(reason: "\(peer) is not barred")
      }
      await host.unbar(peer)
      return []
    case ("barred", 1): return await barred(isJSON)
    default:
      throw Refusal(
        reason: "expected explain [PEER], bar PEER [DURATION], unbar PEER or barred, found "
          + words.joined(separator: " "))
    }
  }

  /// A peer by its id, or by the end of it if only one known peer has this end.
  private func peer(_ text: String) async throws(Refusal) -> PeerID {
    if let peer = try? PeerID(parsing: text) { return peer }
    let known = Set(await host.snapshot.peers.map(\.id) + host.blacklist.map(\.peer))
    let meant = known.filter { $0.description.hasSuffix(text.drop { $0 == "…" }) }
    guard meant.count == 1, let peer = meant.first, text.count >= 4 else {
      throw Refusal(
        reason: meant.isEmpty || text.count < 4
          ? "expected a peer id, or the last four or more characters of a known one, found \(text)"
          : "\(meant.count) peers end with \(text)")
    }
    return peer
  }

  private func standings(_ isJSON: Bool) async -> [String] {
    let peers = await host.snapshot.peers
    guard !isJSON else {
      return peers.map { peer in
        var line = JSONLine()
        line.add("peer_id", peer.id.description)
        line.add("address", peer.link.address)
        line.add("standing", peer.standing.rawValue)
        line.add("score", peer.score)
        line.add("partner_score", peer.partnerScore)
        return line.text
      }
    }
    let rows = peers.map { peer in
      [
        peer.id.description, peer.standing.rawValue, Figures.score(peer.score),
        String(format: "%.2f", peer.partnerScore), peer.link.address,
      ]
    }
    return Table.render([["peer", "standing", "score", "partner score", "address"]] + rows)
  }

  private func barred(_ isJSON: Bool, only peer: PeerID? = nil) async -> [String] {
    let now = Int64(Date().timeIntervalSince1970)
    let records = await host.blacklist.filter { record in
      (record.until.map { $0 > now } ?? true) && (peer == nil || record.peer == peer)
    }
    return records.map { record in
      let end = record.until.map { Date(timeIntervalSince1970: Double($0)).ISO8601Format() }
      guard isJSON else {
        return "\(record.peer) is barred: \(record.reason.text), until \(end ?? "it is lifted")"
      }
      var line = JSONLine()
      line.add("peer_id", record.peer.description)
      line.add("reason", record.reason.rawValue)
      line.add("since", record.since)
      if let until = record.until { line.add("until", until) }
      line.add("times", record.times)
      return line.text
    }
  }

  private func json(_ explanation: Explanation) -> String {
    var line = JSONLine()
    line.add("peer_id", explanation.peer.description)
    line.add("standing", explanation.standing.rawValue)
    line.add("verdict", explanation.verdict.rawValue)
    line.add("score", explanation.score)
    for term in explanation.terms {
      line.add(term.kind.rawValue + (term.topic.map { " on \($0.name)" } ?? ""), term.contribution)
    }
    line.add("partner_score", explanation.partnerScore)
    for factor in explanation.factors { line.add(factor.name, factor.value) }
    for sighting in explanation.sightings {
      line.add(
        "seen \(sighting.observation.rawValue)" + (sighting.topic.map { " on \($0.name)" } ?? ""),
        sighting.count)
    }
    return line.text
  }
}

/// Asks a running node.
enum ControlClient {
  /// - Returns: the answer's lines.
  /// - Throws: exit code 1, with the reason on standard error.
  static func ask(_ request: String, at path: String) throws -> [String] {
    let socket: Int32
    do { socket = try ControlSocket.connect(to: path) } catch {
      Terminal.say("gossip: \(error); does `gossip run` run with `control: \(path)`?")
      throw Exit.failed
    }
    defer { close(socket) }
    ControlSocket.send(request + "\n", to: socket)
    var lines = ControlSocket.readAll(from: socket).split(separator: "\n").map(String.init)
    guard !lines.isEmpty, lines.removeFirst() == "ok" else {
      Terminal.say("gossip: \(lines.isEmpty ? "the node gave no answer" : lines.joined(separator: "\n"))")
      throw Exit.failed
    }
    return lines
  }
}

/// Unix-domain sockets.
private enum ControlSocket {
  struct Fault: Error, CustomStringConvertible { let description: String }

  /// A listening socket that its owner alone can open. What a node that was killed left behind is replaced.
  static func listen(at path: String) throws -> Int32 {
    if let other = try? connect(to: path) {
      close(other)
      throw Fault(description: "control: another node answers at \(path)")
    }
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unlink(path) }
    let socket = try make()
    let mask = umask(0o177)
    let result = try withAddress(path) { bind(socket, $0, $1) }
    let reason = String(cString: strerror(errno))
    umask(mask)
    guard result == 0, Foundation.listen(socket, 16) == 0 else {
      close(socket)
      throw Fault(description: "control: cannot listen at \(path): \(reason)")
    }
    return socket
  }

  static func connect(to path: String) throws -> Int32 {
    let socket = try make()
    guard try withAddress(path, { Foundation.connect(socket, $0, $1) }) == 0 else {
      let reason = String(cString: strerror(errno))
      close(socket)
      throw Fault(description: "cannot connect to \(path): \(reason)")
    }
    return socket
  }

  private static func make() throws -> Int32 {
    #if canImport(Glibc)
      let socket = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    #else
      let socket = Foundation.socket(AF_UNIX, SOCK_STREAM, 0)
    #endif
    guard socket >= 0 else { throw Fault(description: String(cString: strerror(errno))) }
    return socket
  }

  private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32)
    throws
    -> Int32
  {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard !bytes.isEmpty, bytes.count < room else {
      throw Fault(description: "a socket's path has 1 to \(room - 1) bytes, found \(bytes.count): \(path)")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  /// Whoever asks has five seconds for each step.
  static func setPatience(_ socket: Int32) {
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(socket, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    #if !canImport(Glibc)
      var isOn: Int32 = 1
      setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
    #endif
  }

  /// A request's line; nil if it does not come in time, or is too long.
  static func readLine(from socket: Int32) -> String? {
    var line: [UInt8] = []
    while line.count < 1_024 {
      var byte: UInt8 = 0
      guard read(socket, &byte, 1) == 1 else { return nil }
      if byte == UInt8(ascii: "\n") { return String(validating: line, as: UTF8.self) }
      line.append(byte)
    }
    return nil
  }

  static func readAll(from socket: Int32) -> String {
    var (bytes, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
    while case let count = read(socket, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Sends all of it, unless the other end has gone; that is its own affair.
  static func send(_ text: String, to socket: Int32) {
    #if canImport(Glibc)
      let flags = Int32(MSG_NOSIGNAL)
    #else
      let flags: Int32 = 0
    #endif
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.send(socket, $0.baseAddress, $0.count, flags) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
