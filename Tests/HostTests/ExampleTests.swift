import Foundation
import GossipCore
import GossipHost
import GossipLibp2p
import Testing

// The example of README.md, as it stands there below `import GossipHost`.
// example begins
func chat(with address: Multiaddr) async throws {
  let host = try Host()
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await host.run() }
    try await host.withSubscription(to: "chat") { messages in
      try await host.connect(to: address)
      try await messages.waitForPeers(1, within: .seconds(5))
      let published = try await host.publish("hello", to: "chat")
      print("on its way to", published.sentTo, "peers")
      for await case .message(let message, let peer) in messages { print(peer, message.payload.text) }
    }
  }
}
// example ends

@Suite(.timeLimit(.minutes(4))) struct `The README's example` {
  @Test func `is the one that is compiled here`() throws {
    let here = URL(filePath: #filePath)
    let source = try String(contentsOf: here, encoding: .utf8)
    let start = try #require(source.range(of: "// example begins\n"))
    let end = try #require(source.range(of: "// example ends", range: start.upperBound..<source.endIndex))
    let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    for line in source[start.upperBound..<end.lowerBound].split(separator: "\n") {
      #expect(readme.contains("\n    \(line)\n"), "not in README.md: \(line)")
    }
  }

  @Test func `says hello`() async throws {
    try await withHosts(1) { hosts in
      try await withInboxes(hosts, on: "chat") { inboxes in
        let address = try await hosts[0].address
        let chatting = Task { try await chat(with: address) }
        try await eventually("hello") { inboxes[0].texts == ["hello"] }
        chatting.cancel()
        _ = try? await chatting.value
      }
    }
  }
}
