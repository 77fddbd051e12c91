/// Heals what the others missed.
public struct AntiEntropy: Dissemination {
  /// The manner this is.
  public static let manner = Manner.antiEntropy

  private let parameters: AntiEntropyParameters

  init(_ parameters: AntiEntropyParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {}

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// None yet.
  public var perPeerEntries: Int { 0 }
}

/// Parameters of `AntiEntropy`.
public struct AntiEntropyParameters: Hashable, Sendable {
  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {}
}
