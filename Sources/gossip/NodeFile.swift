import GossipCore
import GossipHost
import GossipLibp2p
import Yams

/// The YAML file of `gossip run`. A key it does not know is an error, with the key that was probably meant.
///
///     listen: [/ip4/0.0.0.0/tcp/4001]
///     connect: [/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…]
///     key: node.key
///     log: info
///     blacklist: blacklist.txt      # who is barred, over restarts
///     sequence: sequence.txt        # sequence numbers given out, over restarts
///     scores: scores.txt            # what is known of peers' conduct, over restarts
///     control: node.sock            # for gossip explain, bar and unbar
///     topics:
///       - name: blocks
///         signing: strictSign
///         message-id: author
///         author-rate: 200          # messages a second that are taken of one author
///         author-bytes: 1048576     # and bytes
///     gossipsub:
///       degree: 8
///       heartbeat: 700ms
struct NodeFile {
  var listen: [Multiaddr] = []
  var connect: [Multiaddr] = []
  var key: String?
  var log: String?
  var blacklist: String?
  var sequence: String?
  var scores: String?
  var control: String?
  var topics: [(topic: Topic, policy: TopicPolicy)] = []
  var gossipSub = GossipSubParameters()

  init(_ text: String) throws(Reading.Fault) {
    let root: Yams.Node?
    do { root = try Yams.compose(yaml: text) } catch {
      throw Reading.Fault(description: "not YAML: \(error)")
    }
    guard let root else { return }
    for (key, value) in try Reading.entries(
      root, "the file",
      [
        "listen", "connect", "key", "log", "blacklist", "sequence", "scores", "control", "topics",
        "gossipsub",
      ])
    {
      switch key {
      case "listen": listen = try Reading.addresses(value, key)
      case "connect": connect = try Reading.addresses(value, key)
      case "key": self.key = try Reading.text(value, key)
      case "log": log = try Reading.text(value, key)
      case "blacklist": blacklist = try Reading.text(value, key)
      case "sequence": sequence = try Reading.text(value, key)
      case "scores": scores = try Reading.text(value, key)
      case "control": control = try Reading.text(value, key)
      case "topics": topics = try NodeFile.topics(value)
      default: gossipSub = try NodeFile.gossipSub(value)
      }
    }
  }

  private static func topics(_ node: Yams.Node) throws(Reading.Fault) -> [(Topic, TopicPolicy)] {
    var topics: [(Topic, TopicPolicy)] = []
    for entry in try Reading.list(node, "topics") {
      if let name = entry.scalar?.string {
        topics.append((Topic(name), TopicPolicy()))
        continue
      }
      var name: String?
      var policy = TopicPolicy()
      for (key, value) in try Reading.entries(
        entry, "topics",
        [
          "name", "signing", "message-id", "spread", "heal", "keep", "payload-max", "objects-above",
          "object-max", "author-rate", "author-bytes",
        ])
      {
        switch key {
        case "name": name = try Reading.text(value, key)
        case "signing": policy.signing = try Reading.choice(value, key, Signing.allCases) { $0.rawValue }
        case "message-id":
          policy.identification = try Reading.choice(value, key, IdentificationArgument.allCases) {
            $0.rawValue
          }
          .identification
        case "spread": policy.spread = try Reading.choice(value, key, Manner.spreading) { $0.argument }
        case "heal": policy.heal.digestsEvery = try Reading.duration(value, key)
        case "keep": policy.retention = .during(try Reading.duration(value, key))
        case "author-rate":
          policy.authorBudget = AuthorBudget(
            messagesPerSecond: try Reading.number(value, key),
            bytesPerSecond: policy.authorBudget?.bytes.rate)
        case "author-bytes":
          policy.authorBudget = AuthorBudget(
            messagesPerSecond: policy.authorBudget?.messages.rate ?? 1_000,
            bytesPerSecond: try Reading.number(value, key))
        case "objects-above":
          policy.objects = policy.objects ?? ObjectPolicy()
          policy.objects?.threshold = try Reading.number(value, key)
        case "object-max":
          policy.objects = policy.objects ?? ObjectPolicy()
          policy.objects?.sizeMax = try Reading.number(value, key)
        default: policy.payloadSizeMax = try Reading.number(value, key)
        }
      }
      guard let name else {
        throw Reading.Fault(description: "topics\(Reading.place(entry)): a topic needs a name")
      }
      do { try policy.validate() } catch {
        throw Reading.Fault(description: "topics\(Reading.place(entry)), \(name): \(error)")
      }
      topics.append((Topic(name), policy))
    }
    return topics
  }

  private static func gossipSub(_ node: Yams.Node) throws(Reading.Fault) -> GossipSubParameters {
    var parameters = GossipSubParameters()
    let keys = [
      "degree", "degree-low", "degree-high", "degree-outbound", "degree-lazy", "gossip-factor", "heartbeat",
      "flood-publish-max", "dont-want-min",
    ]
    for (key, value) in try Reading.entries(node, "gossipsub", keys) {
      switch key {
      case "degree": parameters.degree = try Reading.number(value, key)
      case "degree-low": parameters.degreeLow = try Reading.number(value, key)
      case "degree-high": parameters.degreeHigh = try Reading.number(value, key)
      case "degree-outbound": parameters.degreeOutbound = try Reading.number(value, key)
      case "degree-lazy": parameters.degreeLazy = try Reading.number(value, key)
      case "gossip-factor":
        parameters.gossipFactor = try Reading.number(value, key, in: 0...1)
      case "heartbeat":
        parameters.heartbeatInterval = try Reading.duration(value, key)
      case "flood-publish-max": parameters.floodPublishSize = try Reading.number(value, key)
      default: parameters.dontWantSize = try Reading.number(value, key)
      }
    }
    do { try parameters.validate() } catch {
      throw Reading.Fault(description: "gossipsub\(Reading.place(node)): \(error)")
    }
    return parameters
  }
}
