/// Digests along fanout sets, then request and message.
public struct DigestFirst: Dissemination {
  /// The manner this is.
  public static let manner = Manner.digestFirst

  private let parameters: DigestFirstParameters

  init(_ parameters: DigestFirstParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {}

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// None yet.
  public var perPeerEntries: Int { 0 }
}

/// Parameters of `DigestFirst`.
public struct DigestFirstParameters: Hashable, Sendable {
  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {}
}
