/// Adverts to all, fetched by priority.
public struct AdvertGossip: Dissemination {
  /// The manner this is.
  public static let manner = Manner.advert

  private let parameters: AdvertParameters

  init(_ parameters: AdvertParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {}

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// None yet.
  public var perPeerEntries: Int { 0 }
}

/// Parameters of `AdvertGossip`.
public struct AdvertParameters: Hashable, Sendable {
  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {}
}
