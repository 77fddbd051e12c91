import GossipCore

/// W3: the router alone. One node, 100 subscribed peers, a mesh of six; every message arrives in `copies` copies from
/// different peers and is forwarded to the rest of the mesh. No sockets, no encryption; unsigned, or with signature
/// checks that are answered at once (their cost is not the router's).
struct Router {
  private let peers, messages, size, copies: Int
  private let isSigned: Bool
  private let policy: TopicPolicy
  private let settings: Settings

  init(_ settings: Settings) {
    self.settings = settings
    peers = settings.number("peers", 100)
    messages = settings.number("m", 20_000)
    size = settings.number("size", 1_024)
    copies = settings.number("copies", 3)
    isSigned = settings.isSigned
    policy = settings.policy
  }

  /// Messages until the store is full, so that it gives back as much memory as it takes.
  private static let warmUp = 30_000

  func run() throws -> Line {
    var configuration = Configuration()
    configuration.gossipSub.degree = 6
    settings.defend(&configuration)
    var node = try Node(configuration, as: peer(0), seed: [7], at: .zero)
    let topic: Topic = "bench"
    var effects: [Node.Effect] = []
    var now = Instant.zero
    node.handle(.subscribe(topic, policy), at: now, into: &effects)
    for index in 1...peers {
      node.handle(
        .connected(peer(index), Link(isOutbound: index % 2 == 0, address: "")), at: now, into: &effects)
      node.handle(.opened(peer(index), .gossipSub, "/meshsub/1.1.0"), at: now, into: &effects)
      var hello = Frame(.gossipSub)
      hello.subscriptions = [Subscription(topic, joins: true)]
      node.handle(.received(hello, from: peer(index)), at: now, into: &effects)
    }
    now = now + .seconds(2)
    node.handle(.wake, at: now, into: &effects)

    let frames = try (0..<Router.warmUp + messages).map { index in try encoded(index, topic) }
    effects.removeAll()
    let mesh = node.snapshot.topics[0].partners
    var (began, before) = (Usage.now(), node.counters)
    for (index, frame) in frames.enumerated() {
      if index == Router.warmUp { (began, before) = (Usage.now(), node.counters) }
      now = now + .microseconds(200)
      for copy in 0..<copies {
        let from = mesh[(index + copy) % mesh.count]
        let decoded = try Frame(decoding: frame.span.bytes, on: .gossipSub, configuration.wire)
        effects.removeAll(keepingCapacity: true)
        node.handle(.received(decoded, from: from), at: now, into: &effects)
        if isSigned, case .check(let ticket, _)? = effects.first {
          effects.removeAll(keepingCapacity: true)
          node.handle(.checked(ticket, authentic: true), at: now, into: &effects)
        }
      }
    }
    let used = Usage.now() - began
    var line = Line()
    line.add("mode", "router")
    line.add("n", peers)
    line.add("size", size)
    line.add("m", messages)
    line.add("copies", copies)
    line.add("defence", settings.text("defence", "on"))
    line.add("sign", isSigned ? "strict" : "none")
    line.add("cpu_us_per_msg", used.total * 1e6 / Double(messages))
    line.add("delivered", Int(node.counters.delivered - before.delivered))
    line.add("sent", Int(node.counters.messagesSent - before.messagesSent))
    line.add("loadavg", Machine.load)
    return line
  }

  private func encoded(_ index: Int, _ topic: Topic) throws -> [UInt8] {
    var payload = [UInt8](repeating: 0, count: size)
    for byte in 0..<8 { payload[byte] = UInt8(truncatingIfNeeded: index >> (8 * byte)) }
    var message = WireMessage(
      topic: topic, payload: Payload(payload), author: isSigned ? peer(1_000) : nil,
      sequence: isSigned ? UInt64(index) : nil)
    if isSigned { message = message.signed([UInt8](repeating: 1, count: 64)) }
    var frame = Frame(.gossipSub)
    frame.messages = [message]
    return frame.encoded
  }

  private func peer(_ index: Int) -> PeerID {
    var bytes: [UInt8] = [0, 36, 8, 1, 18, 32] + [UInt8](repeating: 3, count: 32)
    for byte in 0..<4 { bytes[10 + byte] = UInt8(truncatingIfNeeded: index >> (8 * byte)) }
    return PeerID(bytes)!
  }
}
