import Foundation
import GossipCore

/// `key=value` arguments.
struct Settings: Sendable {
  private let values: [String: String]
  /// As they were given, to hand them on.
  let arguments: [String]

  struct Fault: Error, CustomStringConvertible { let description: String }

  init(_ arguments: [String]) throws {
    self.arguments = arguments
    var values: [String: String] = [:]
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw Fault(description: "expected key=value, found \(argument)") }
      values[String(parts[0])] = String(parts[1])
    }
    self.values = values
  }

  func number(_ key: String, _ standard: Int) -> Int { values[key].flatMap { Int($0) } ?? standard }
  func text(_ key: String, _ standard: String) -> String { values[key] ?? standard }
  var isSigned: Bool { text("sign", "strict") == "strict" }

  /// Signed by the author, or anonymous and named by content; `spread` names the manner, `heal` says after how many
  /// milliseconds what is missing is fetched.
  var policy: TopicPolicy {
    var policy = isSigned ? TopicPolicy() : TopicPolicy(signing: .strictNoSign, identification: .contentHash)
    policy.spread = Manner.spreading.first { "\($0)" == text("spread", "gossipSub") } ?? .gossipSub
    let heal = number("heal", 0)
    if heal > 0 { policy.heal = .digests(every: .milliseconds(heal)) }
    return policy
  }

  /// `defence=off`: peers are neither scored nor held to what they may send; `all`: also with what is off unless asked
  /// for.
  func defend(_ configuration: inout Configuration) {
    switch text("defence", "on") {
    case "off":
      configuration.reputation.mode = .off
      configuration.firewall.isOn = false
    case "all":
      configuration.firewall.gater = GaterParameters()
      configuration.duplicates = DuplicateFilterParameters()
    default: break
    }
  }
}
