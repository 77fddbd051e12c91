import GossipCore
import GossipLibp2p
import GossipSim
import Testing

@testable import gossip

@Suite struct `A configuration file` {
  @Test func `says everything a node needs`() throws {
    let file = try NodeFile(
      """
      listen: [/ip4/127.0.0.1/tcp/4001]
      connect:
        - /ip4/192.0.2.7/tcp/4001
      key: node.key
      log: debug
      topics:
        - blocks
        - {name: fast, author-bytes: 500000, author-rate: 300}
        - name: votes
          signing: strictNoSign
          message-id: contentHash
          payload-max: 4096
      gossipsub:
        degree: 8
        degree-high: 14
        heartbeat: 700ms
        gossip-factor: 0.5
      """)
    #expect(file.listen.map(\.description) == ["/ip4/127.0.0.1/tcp/4001"])
    #expect(file.connect.map(\.description) == ["/ip4/192.0.2.7/tcp/4001"])
    #expect(file.key == "node.key" && file.log == "debug")
    #expect(file.topics.map(\.topic) == ["blocks", "fast", "votes"])
    #expect(file.topics[0].policy.authorBudget == nil)
    let budget = AuthorBudget(messagesPerSecond: 300, bytesPerSecond: 500_000)
    #expect(file.topics[1].policy.authorBudget == budget)
    #expect(
      file.topics[2].policy.signing == .strictNoSign
        && file.topics[2].policy.payloadSizeMax == 4_096)
    #expect(file.gossipSub.degree == 8 && file.gossipSub.heartbeatInterval == .milliseconds(700))
  }

  @Test func `may be empty`() throws {
    let file = try NodeFile("")
    #expect(file.listen.isEmpty && file.topics.isEmpty)
  }

  @Test(arguments: [
    ("lisen: []", "unknown key \"lisen\"; did you mean \"listen\"?"),
    ("zzzzzzzz: 1", "known keys: listen, connect"),
    ("gossipsub:\n  degre: 3", "line 2): unknown key \"degre\"; did you mean \"degree\"?"),
    ("topics:\n  - signing: strictSign", "a topic needs a name"),
    ("topics:\n  - {name: t, author-rate: 0}", "authorBudget.messages.rate"),
    (
      "topics:\n  - {name: t, signing: strict}",
      "expected one of strictSign, strictNoSign, laxSign, laxNoSign"
    ),
    ("topics:\n  - {name: t, signing: strictNoSign}", "anonymous messages have no author"),
    ("listen: [/ip4/300.0.0.1/tcp/1]", "listen (line 1)"),
    ("listen: /ip4/127.0.0.1/tcp/1", "expected a list, found"),
    ("gossipsub: {degree: many}", "expected a whole number, found \"many\""),
    ("gossipsub: {heartbeat: 1ms}", "heartbeatInterval"),
    ("a: [", "not YAML"),
  ])
  func `that is wrong says where, what was expected and what was found`(
    text: String, expected: String
  ) {
    let fault = #expect(throws: Reading.Fault.self) { try NodeFile(text) }
    #expect(fault?.description.contains(expected) == true, "\(fault?.description ?? "")")
  }
}

@Suite struct `A scenario file` {
  @Test func `says who attacks, and what goes wrong`() throws {
    let scenario = try ScenarioFile.read(
      """
      nodes: 30
      attack: [dropper:5, graft-flooder, spoofer:2]
      disturb: [loss:0.1@5s-20s, churn:2s@0s-1m]
      messages-after: 3
      chains: true
      author-rate: 50
      patience: 40s
      """)
    #expect(scenario.adversaries.map(\.adversary) == [.dropper, .graftFlooder, .spoofer])
    #expect(scenario.adversaries.map(\.count) == [5, 10, 2] && scenario.honest == 13)
    #expect(scenario.disturbances.map(\.description) == ["loss:0.1@5s-20s", "churn:2s@0s-60s"])
    #expect(scenario.policy.authorBudget == AuthorBudget(messagesPerSecond: 50))
    #expect(scenario.messagesAfter == 3 && scenario.chains && scenario.patience == .seconds(40))
  }

  @Test(arguments: [
    ("attack: [droper:5]", "an adversary and how many"),
    ("disturb: [rain:1@0-1]", "what, how much and when"),
    ("attack: dropper", "a list"), ("atack: []", "did you mean \"attack\"?"),
  ])
  func `that is wrong says what was expected`(text: String, expected: String) {
    let fault = #expect(throws: Reading.Fault.self) { try ScenarioFile.read(text) }
    #expect(fault?.description.contains(expected) == true, "\(fault?.description ?? "")")
  }
}

@Suite struct `An argument` {
  @Test(arguments: [
    ("30s", Duration.seconds(30)), ("500ms", .milliseconds(500)), ("2m", .seconds(120)),
    ("1h", .seconds(3_600)),
    ("1.5", .milliseconds(1_500)), ("0", .zero), ("10us", .microseconds(10)),
  ])
  func `can be a duration`(text: String, duration: Duration) {
    #expect(DurationArgument(argument: text)?.duration == duration)
  }

  @Test(arguments: ["", "s", "-1s", "1d", "soon", "1e99", "nan"])
  func `that is no duration is refused`(text: String) {
    #expect(DurationArgument(argument: text) == nil)
  }

  @Test func `that is misspelt is understood`() {
    #expect(Suggestion.nearest(to: "lisen", among: ["listen", "connect"]) == "listen")
    #expect(Suggestion.nearest(to: "wholly other", among: ["listen", "connect"]) == nil)
    #expect(Suggestion.distance("kitten", "sitting") == 3)
  }
}

@Suite struct `The table of latencies` {
  @Test func `gives percentiles right to a tenth`() throws {
    var table = LatencyTable()
    #expect(table.percentile(0.5) == nil)
    for milliseconds in 1...1_000 { table.add(.milliseconds(milliseconds)) }
    let (median, high) = (try #require(table.percentile(0.5)), try #require(table.percentile(0.99)))
    #expect((450...560).contains(median), "\(median)")
    #expect((890...1_100).contains(high), "\(high)")
  }
}
