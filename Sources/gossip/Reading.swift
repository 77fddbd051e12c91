import GossipLibp2p
import Yams

/// Reading values from YAML: each mistake is told with its line and what was expected there.
enum Reading {
  /// What is wrong with a file, and where.
  struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  static func entries(_ node: Yams.Node, _ what: String, _ known: [String]) throws(Fault) -> [(
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

  static func list(_ node: Yams.Node, _ key: String) throws(Fault) -> [Yams.Node] {
    guard let sequence = node.sequence else { throw wrong(node, key, "a list") }
    return Array(sequence)
  }

  static func addresses(_ node: Yams.Node, _ key: String) throws(Fault) -> [Multiaddr] {
    var addresses: [Multiaddr] = []
    for entry in try list(node, key) {
      do { addresses.append(try Multiaddr(try text(entry, key))) } catch {
        throw Fault(description: "\(key)\(place(entry)): \(error)")
      }
    }
    return addresses
  }

  static func text(_ node: Yams.Node, _ key: String) throws(Fault) -> String {
    guard let text = node.string else { throw wrong(node, key, "text") }
    return text
  }

  static func number(_ node: Yams.Node, _ key: String) throws(Fault) -> Int {
    guard let number = node.int else { throw wrong(node, key, "a whole number") }
    return number
  }

  static func choice<T>(
    _ node: Yams.Node, _ key: String, _ choices: [T], _ name: (T) -> String
  ) throws(Fault) -> T {
    let word = try text(node, key)
    guard let choice = choices.first(where: { name($0) == word }) else {
      throw wrong(node, key, "one of \(choices.map(name).joined(separator: ", "))")
    }
    return choice
  }

  static func wrong(_ node: Yams.Node, _ key: String, _ expected: String) -> Fault {
    let found = node.string.map { "\"\($0)\"" } ?? (node.sequence != nil ? "a list" : "keys and values")
    return Fault(description: "\(key)\(place(node)): expected \(expected), found \(found)")
  }

  static func place(_ node: Yams.Node) -> String {
    node.mark.map { " (line \($0.line))" } ?? ""
  }

  static func number(_ node: Yams.Node, _ key: String, in range: ClosedRange<Double>) throws(Fault) -> Double
  {
    guard let number = node.float, range.contains(number) else {
      throw wrong(node, key, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  static func duration(_ node: Yams.Node, _ key: String) throws(Fault) -> Duration {
    guard let duration = DurationArgument(argument: try text(node, key)) else {
      throw wrong(node, key, "a duration such as 700ms")
    }
    return duration.duration
  }

  static func flag(_ node: Yams.Node, _ key: String) throws(Fault) -> Bool {
    guard let flag = node.bool else { throw wrong(node, key, "true or false") }
    return flag
  }
}
