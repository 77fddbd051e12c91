import GossipCore
import GossipGauge
import GossipLibp2p
import Testing

@Suite struct `A workload` {
  @Test(arguments: Workload.all.map(\.name)) func `does its rounds, and the same each time`(name: String)
    throws
  {
    let workload = try #require(Workload.all.first { $0.name == name })
    let units = workload.run(4)
    #expect(units >= 4 && units == workload.run(4))
    #expect(workload.run(2) < units)
  }

  @Test func `has a name of its own`() {
    #expect(Set(Workload.all.map(\.name)).count == Workload.all.count)
  }
}

@Suite struct `A bare peer` {
  @Test func `subscribes and grafts, once its stream is open`() throws {
    let settings = SessionSettings(
      identity: try Identity(seed: [UInt8](repeating: 4, count: 32)), gossip: Manner.allCases.map(\.protocols)
    )
    var listener = Session(
      .listener, settings, expecting: nil, observed: nil, staticSeed: [UInt8](repeating: 5, count: 32),
      ephemeralSeed: [UInt8](repeating: 6, count: 32), at: .zero)
    var peer = BarePeer(seed: 1, connection: 2, on: "t")
    listener.start(at: .zero)
    peer.start(at: .zero)
    var heard: [Frame] = []
    var isSilent = false
    while !isSilent {
      listener.flush()
      let (there, back) = (peer.takeOutput(), listener.takeOutput())
      isSilent = there.isEmpty && back.isEmpty
      listener.receive(there.span.bytes, at: .zero)
      peer.receive(back, at: .zero)
      while let event = listener.nextEvent() {
        guard case .frame(let body, _, family: 0) = event else { continue }
        heard.append(try Frame(decoding: Array(body).span.bytes, on: .gossipSub, WireLimits()))
      }
    }
    #expect(peer.hasJoined && heard.count == 1)
    #expect(heard.first?.subscriptions == [Subscription("t", joins: true)])
    #expect(heard.first?.controls == [.graft("t")])
    #expect(listener.peer == peer.id)
  }
}
