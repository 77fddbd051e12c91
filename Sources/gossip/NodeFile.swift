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
///     topics:
///       - name: blocks
///         signing: strictSign
///         message-id: author
///     gossipsub:
///       degree: 8
///       heartbeat: 700ms
struct NodeFile {
  var listen: [Multiaddr] = []
  var connect: [Multiaddr] = []
  var key: String?
  var log: String?
  var topics: [(topic: Topic, policy: TopicPolicy)] = []
  var gossipSub = GossipSubParameters()

  /// What is wrong with a file, and where.
  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  init(_ text: String) throws(Fault) {
    let root: Yams.Node?
    do { root = try Yams.compose(yaml: text) } catch { throw Fault(description: "not YAML: \(error)") }
    guard let root else { return }
    for (key, value) in try NodeFile.entries(
      root, "the file", ["listen", "connect", "key", "log", "topics", "gossipsub"])
    {
      switch key {
      case "listen": listen = try NodeFile.addresses(value, key)
      case "connect": connect = try NodeFile.addresses(value, key)
      case "key": self.key = try NodeFile.text(value, key)
      case "log": log = try NodeFile.text(value, key)
      case "topics": topics = try NodeFile.topics(value)
      default: gossipSub = try NodeFile.gossipSub(value)
      }
    }
  }

  private static func topics(_ node: Yams.Node) throws(Fault) -> [(Topic, TopicPolicy)] {
    var topics: [(Topic, TopicPolicy)] = []
    for entry in try list(node, "topics") {
      if let name = entry.scalar?.string {
        topics.append((Topic(name), TopicPolicy()))
        continue
      }
      var name: String?
      var policy = TopicPolicy()
      for (key, value) in try entries(
        entry, "topics", ["name", "signing", "message-id", "spread", "payload-max"])
      {
        switch key {
        case "name": name = try text(value, key)
        case "signing": policy.signing = try choice(value, key, Signing.allCases) { $0.rawValue }
        case "message-id":
          policy.identification = try choice(value, key, IdentificationArgument.allCases) { $0.rawValue }
            .identification
        case "spread": policy.spread = try choice(value, key, Manner.spreading) { "\($0)" }
        default: policy.payloadSizeMax = try number(value, key)
        }
      }
      guard let name else { throw Fault(description: "topics\(place(entry)): a topic needs a name") }
      do { try policy.validate() } catch {
        throw Fault(description: "topics\(place(entry)), \(name): \(error)")
      }
      topics.append((Topic(name), policy))
    }
    return topics
  }

  private static func gossipSub(_ node: Yams.Node) throws(Fault) -> GossipSubParameters {
    var parameters = GossipSubParameters()
    let keys = [
      "degree", "degree-low", "degree-high", "degree-outbound", "degree-lazy", "gossip-factor", "heartbeat",
      "flood-publish-max", "dont-want-min",
    ]
    for (key, value) in try entries(node, "gossipsub", keys) {
      switch key {
      case "degree": parameters.degree = try number(value, key)
      case "degree-low": parameters.degreeLow = try number(value, key)
      case "degree-high": parameters.degreeHigh = try number(value, key)
      case "degree-outbound": parameters.degreeOutbound = try number(value, key)
      case "degree-lazy": parameters.degreeLazy = try number(value, key)
      case "gossip-factor":
        guard let share = value.float else { throw wrong(value, key, "a number from 0 to 1") }
        parameters.gossipFactor = share
      case "heartbeat":
        guard let interval = DurationArgument(argument: try text(value, key)) else {
          throw wrong(value, key, "a duration such as 700ms")
        }
        parameters.heartbeatInterval = interval.duration
      case "flood-publish-max": parameters.floodPublishSize = try number(value, key)
      default: parameters.dontWantSize = try number(value, key)
      }
    }
    do { try parameters.validate() } catch { throw Fault(description: "gossipsub\(place(node)): \(error)") }
    return parameters
  }

  // MARK: Reading values

  private static func entries(_ node: Yams.Node, _ what: String, _ known: [String]) throws(Fault) -> [(
    String, Yams.Node
  )] {
    guard let mapping = node.mapping else {
      throw Fault(
        description: "\(what)\(place(node)): expected keys and values (\(known.joined(separator: ", ")))")
    }
    var entries: [(String, Yams.Node)] = []
    for (key, value) in mapping {
      let name = key.string ?? ""
      guard known.contains(name) else {
        let meant = Suggestion.nearest(to: name, among: known).map { "; did you mean \"\($0)\"?" }
        let known = "; known keys: \(known.joined(separator: ", "))"
        throw Fault(description: "\(what)\(place(key)): unknown key \"\(name)\"\(meant ?? known)")
      }
      entries.append((name, value))
    }
    return entries
  }

  private static func list(_ node: Yams.Node, _ key: String) throws(Fault) -> [Yams.Node] {
    guard let sequence = node.sequence else { throw wrong(node, key, "a list") }
    return Array(sequence)
  }

  private static func addresses(_ node: Yams.Node, _ key: String) throws(Fault) -> [Multiaddr] {
    var addresses: [Multiaddr] = []
    for entry in try list(node, key) {
      do { addresses.append(try Multiaddr(try text(entry, key))) } catch {
        throw Fault(description: "\(key)\(place(entry)): \(error)")
      }
    }
    return addresses
  }

  private static func text(_ node: Yams.Node, _ key: String) throws(Fault) -> String {
    guard let text = node.string else { throw wrong(node, key, "text") }
    return text
  }

  private static func number(_ node: Yams.Node, _ key: String) throws(Fault) -> Int {
    guard let number = node.int else { throw wrong(node, key, "a whole number") }
    return number
  }

  private static func choice<T>(
    _ node: Yams.Node, _ key: String, _ choices: [T], _ name: (T) -> String
  ) throws(Fault) -> T {
    let word = try text(node, key)
    guard let choice = choices.first(where: { name($0) == word }) else {
      throw wrong(node, key, "one of \(choices.map(name).joined(separator: ", "))")
    }
    return choice
  }

  private static func wrong(_ node: Yams.Node, _ key: String, _ expected: String) -> Fault {
    let found = node.string.map { "\"\($0)\"" } ?? (node.sequence != nil ? "a list" : "keys and values")
    return Fault(description: "\(key)\(place(node)): expected \(expected), found \(found)")
  }

  private static func place(_ node: Yams.Node) -> String {
    node.mark.map { " (line \($0.line))" } ?? ""
  }
}
