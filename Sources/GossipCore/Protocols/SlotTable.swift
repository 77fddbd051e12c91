/// Numbered slots that show what is current.
public struct SlotTable: Dissemination {
  /// The manner this is.
  public static let manner = Manner.slots

  private let parameters: SlotParameters

  init(_ parameters: SlotParameters) { self.parameters = parameters }

  /// Everything it reacts to.
  public mutating func handle(_ event: DisseminationEvent, _ commons: inout Commons) {}

  /// Nobody in particular.
  public func partners(on topic: Topic) -> [PeerID] { [] }
  /// None yet.
  public var perPeerEntries: Int { 0 }
}

/// Parameters of `SlotTable`.
public struct SlotParameters: Hashable, Sendable {
  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {}
}
