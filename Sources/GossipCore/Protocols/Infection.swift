/// Offers to random members until enough were infected.
public struct Infection: Dissemination {
  /// The manner this is.
  public static let manner = Manner.infection

  private let parameters: InfectionParameters

  init(_ parameters: InfectionParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {}

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// None yet.
  public var perPeerEntries: Int { 0 }
}

/// Parameters of `Infection`.
public struct InfectionParameters: Hashable, Sendable {
  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {}
}
