/// A stretch of time with one roster, in which everybody's partners follow from one random beacon.
///
/// The roster must be settled before anybody knows the beacon; otherwise identities could be made until they fall
/// beside a victim. So a roster can be announced alone, and an announced roster binds the beacon that follows.
///
/// Source: Bamboo gossip v2, "Dropping": fanout sets are drawn anew each epoch from the consensus' randomness.
public struct Epoch: Sendable {
  /// One node of the network.
  public struct Member: Hashable, Sendable {
    /// Who.
    public let peer: PeerID
    /// The classes it is able to verify, and so to route; nil if all.
    public let verifies: [MessageClass]?

    /// Made of its parts.
    public init(_ peer: PeerID, verifies: [MessageClass]? = nil) {
      (self.peer, self.verifies) = (peer, verifies)
    }

    /// Whether it may route messages of this class.
    public func isCapable(of kind: MessageClass) -> Bool { verifies?.contains(kind) ?? true }
  }

  /// Rises from epoch to epoch.
  public let number: UInt64
  /// Everybody, in the order of their ids.
  public let roster: [Member]
  /// 32 bytes nobody could foresee; nil while they are not known.
  public let beacon: [UInt8]?
  /// Sets that were computed beforehand.
  private var prepared: [MessageClass: FanoutSets] = [:]

  /// Bytes of a beacon.
  public static let beaconSize = 32

  /// - Throws: `ConfigurationError` if a member is named twice or the beacon has not 32 bytes.
  public init(number: UInt64, roster: [Member], beacon: [UInt8]? = nil) throws(ConfigurationError) {
    if let beacon, beacon.count != Epoch.beaconSize {
      throw ConfigurationError(
        "epoch.beacon", expected: "\(Epoch.beaconSize) bytes", found: "\(beacon.count)")
    }
    let sorted = roster.sorted { $0.peer < $1.peer }
    if let twice = zip(sorted, sorted.dropFirst()).first(where: { $0.0.peer == $0.1.peer }) {
      throw ConfigurationError("epoch.roster", expected: "each member once", found: "\(twice.0.peer) twice")
    }
    (self.number, self.roster, self.beacon) = (number, sorted, beacon)
  }

  /// Computes all sets of these classes now, so that nodes given this epoch need not.
  ///
  /// For one who can spare the time: a host beside its loop, or a simulator for all its nodes at once.
  /// - Parameter failure: must be `DigestFirstParameters.failure` of the nodes; otherwise they compute their own.
  /// - Complexity: O(N²) hashes per class; 1,000 members take about a second.
  public mutating func prepare(_ classes: [MessageClass] = [.any], failure: Double = FanoutSets.failure) {
    guard beacon != nil else { return }
    for kind in classes {
      var sets = FanoutSets(of: self, for: kind, failure: failure)
      sets.complete()
      prepared[kind] = sets
    }
  }

  /// The fanout sets of a class; nothing is computed yet unless it was prepared.
  func sets(for kind: MessageClass, failure: Double) -> FanoutSets {
    if let sets = prepared[kind], sets.failure == failure { return sets }
    return FanoutSets(of: self, for: kind, failure: failure)
  }
}

/// Messages of the same class are verified by the same nodes.
///
/// Source: Bamboo gossip v2, "no blind routing": who cannot verify a message must not route it.
public struct MessageClass: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  /// What it is called, at most 255 bytes.
  public let name: String

  /// The class of this name; a longer one is cut at 255 bytes.
  public init(_ name: String) { self.name = String(decoding: name.utf8.prefix(255), as: UTF8.self) }
  /// The class of this name.
  public init(stringLiteral name: String) { self.init(name) }

  /// The class of topics for which nothing is said.
  public static let any = MessageClass("")
  /// The name.
  public var description: String { name }
}

/// What a node tells about epochs and its partners in them.
public enum EpochNotice: Hashable, Sendable {
  /// It began: from now on its partners count.
  case began(UInt64)
  /// This epoch has lasted longer than epochs do, and no beacon has come for another. Its partners stay.
  case overdue(UInt64)
  /// What was told of an epoch was not taken, and why.
  case refused(UInt64, String)
  /// So few partners of a topic can be reached that the others may be cut off from us.
  case fewPartners(Topic, usable: Int)
}
