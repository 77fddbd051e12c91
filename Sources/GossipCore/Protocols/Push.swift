/// Bursts to a few random members.
public struct Push: Dissemination {
  /// The manner this is.
  public static let manner = Manner.push

  private let parameters: PushParameters

  init(_ parameters: PushParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {}

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// None yet.
  public var perPeerEntries: Int { 0 }
}

/// Parameters of `Push`.
public struct PushParameters: Hashable, Sendable {
  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {}
}
