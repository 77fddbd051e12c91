// The example of README.md, as it stands there.
// example begins
import GossipCore
import GossipHost
import GossipLibp2p
import Testing

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
