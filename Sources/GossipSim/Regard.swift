import GossipCore

/// What honest nodes think of those they are linked with, as the checkers look at it.
extension World {
  /// Honest nodes that shut out honest ones.
  struct Injustice: Sendable {
    var blocked: [(observer: Int, other: Int)] = []
    var barred: [(observer: Int, other: Int, reason: BlacklistReason)] = []
  }

  /// Participants that honest nodes are linked with, and what they are worth on the average.
  struct Worth: Sendable {
    struct Peer: Sendable {
      let place: Int
      let isHostile: Bool
      /// Whether some honest node has seen it do something.
      var isAccused = false
      var observers = 0.0
      var score = 0.0
    }

    var peers: [Peer]
  }

  private var second: String { "\(Report.rounded((now - .zero).inSeconds)) s" }
  private var honest: [Int] { (0..<count).filter { isAlive($0) && !isHostile($0) } }

  /// Whom honest nodes block or bar now although they keep the rules.
  func injustice(_ standing: Checkers.Standing) -> Injustice {
    var injustice = Injustice()
    for observer in honest {
      for other in linked(with: observer) where !isHostile(other) {
        if standing(self, observer, peer(other))?.isBlocked == true {
          injustice.blocked.append((observer, other))
        }
      }
      for record in node(observer)?.blacklist(wallClock: 0) ?? [] {
        guard let other = place(of: record.peer), !isHostile(other) else { continue }
        injustice.barred.append((observer, other, record.reason))
      }
    }
    return injustice
  }

  /// What everybody is worth to the honest nodes linked with it; an attacker to those of them that have seen it doing
  /// something, for the others cannot think worse of it than of anybody.
  func worth(_ standing: Checkers.Standing) -> Worth {
    var peers = (0..<count).map { Worth.Peer(place: $0, isHostile: isHostile($0)) }
    for observer in honest {
      for other in linked(with: observer) {
        guard let regard = standing(self, observer, peer(other)) else { continue }
        if isHostile(other) {
          guard node(observer)?.explain(peer(other)).sightings.isEmpty == false else { continue }
          peers[other].isAccused = true
        }
        peers[other].observers += 1
        peers[other].score += regard.score
      }
    }
    peers.removeAll { $0.observers == 0 }
    for index in peers.indices {
      peers[index].score /= peers[index].observers
    }
    return Worth(peers: peers)
  }

  /// Hears what an honest node tells of its judgement.
  mutating func noticed(_ notice: Notice, by observer: Int) {
    guard checkers != nil, !residents[observer].isHostile else { return }
    switch notice {
    case .reputation(.standing(let peer, let standing, from: _, isActing: true)):
      guard let other = places[peer], !residents[other].isHostile else { return }
      let why = standing == .blocked ? reasons(of: observer, against: peer) : ""
      checkers?.judged(other, standing, by: observer, why)
    case .barred(let peer, let reason, for: _):
      guard let other = places[peer], !residents[other].isHostile else { return }
      let why = "\(reason.text), at \(second)"
      checkers?.barred(other, by: observer, why)
    default: break
    }
  }

  /// What a node has seen of a peer, in words.
  private func reasons(of observer: Int, against peer: PeerID) -> String {
    let sightings = node(observer)?.explain(peer).sightings ?? []
    return "at \(second), after "
      + sightings.map { "\($0.observation.rawValue) (\($0.count))" }.joined(separator: ", ")
  }
}
