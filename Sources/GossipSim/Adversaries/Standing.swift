import GossipCore
import OrderedCollections

/// Those who harm by where they stand: in meshes they do nothing for, around a victim, in front of the queue.

/// Grafts and prunes every peer over and over.
///
/// Source: GossipSub v1.1, "Prune backoff": GRAFT floods.
/// Observable: grafts while the backoff runs.
struct FloodingGrafts: Trick {
  private var isGrafting = false

  var pace: Duration? { .milliseconds(100) }

  mutating func act(_ scene: inout Scene) {
    isGrafting.toggle()
    let topic = scene.plot.topic
    for peer in scene.listeners {
      scene.say([isGrafting ? .graft(topic) : .prune(topic, backoff: 1)], to: peer)
    }
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    frame.withoutMessages.withoutOffers
  }
}

/// Grafts everybody, and whoever prunes it at once and again each second, without waiting for the backoff to end.
///
/// Source: GossipSub v1.1, "Prune backoff".
/// Observable: each graft before its time.
struct GraftingEarly: Trick {
  private var grafted: [PeerID] = []
  private var prunedBy: [PeerID] = []

  var pace: Duration? { .seconds(1) }

  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    guard case .received(let frame, let peer) = input else { return input }
    let topic = scene.plot.topic
    let wasPruned = frame.controls.contains { if case .prune(topic, _) = $0 { true } else { false } }
    if wasPruned {
      if !prunedBy.contains(peer) { prunedBy.append(peer) }
      scene.say([.graft(topic)], to: peer)
    }
    return input
  }

  mutating func act(_ scene: inout Scene) {
    for peer in scene.listeners where !grafted.contains(peer) {
      grafted.append(peer)
      scene.say([.graft(scene.plot.topic)], to: peer)
    }
    for peer in prunedBy where scene.streams[peer] != nil { scene.say([.graft(scene.plot.topic)], to: peer) }
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    frame.withoutMessages.withoutOffers
  }
}

/// Offers messages that do not exist, hundreds at a time.
///
/// Source: GossipSub v1.1, "Spam protection", IHAVE; the same in the words of other manners.
/// Observable: too many offers, and none of them kept.
struct OfferingNothing: Trick {
  var pace: Duration? { .milliseconds(200) }

  mutating func act(_ scene: inout Scene) {
    let ids = (0..<64).map { _ in MessageID(scene.randomBytes(32)) }
    for peer in scene.listeners { scene.offer(ids, to: peer) }
  }
}

/// Asks for everything, again and again, and for what nobody has.
///
/// Source: GossipSub v1.1, "Spam protection", IWANT.
/// Observable: wants of what it was given.
struct WantingEverything: Trick {
  var pace: Duration? { .milliseconds(200) }

  mutating func act(_ scene: inout Scene) {
    let known = scene.memories.suffix(32).map { scene.plot.policy.identification.id(of: $0) }
    let invented = (0..<32).map { _ in MessageID(scene.randomBytes(32)) }
    for peer in scene.listeners { scene.say([.want(known + invented)], to: peer) }
  }
}

/// All the hostile link with one victim, take its mesh, and pass on nothing to it and nothing of it. To others they
/// are kind.
///
/// Source: GossipSub evaluation, "eclipse".
/// Observable: by the victim alone: partners that bring nothing.
struct Eclipsing: Trick {
  var pace: Duration? { .seconds(1) }

  mutating func act(_ scene: inout Scene) {
    let victim = scene.plot.victim
    guard scene.streams[victim] != nil else { return scene.dial(victim) }
    if scene.manner == .gossipSub { scene.say([.graft(scene.plot.topic)], to: victim) }
  }

  mutating func hear(_ input: Node.Input, _ scene: inout Scene) -> Node.Input? {
    guard case .received(let frame, scene.plot.victim) = input else { return input }
    return .received(frame.withoutMessages.withoutOffers, from: scene.plot.victim)
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    peer == scene.plot.victim ? frame.withoutMessages.withoutOffers : frame
  }
}

/// Links with many more than its share, takes places in their meshes, and passes nothing on.
///
/// As the crowd of one address it comes to a network that stands; as cold boot it is there before the honest have
/// found one another.
/// Source: GossipSub evaluation, "sybil" and "cold boot"; v1.1, IP colocation.
/// Observable: many peers of one address; partners that bring nothing.
struct Squatting: Trick {
  let dials: Int
  private var hasDialed = false
  private var grafted: [PeerID] = []

  init(dials: Int) { self.dials = dials }

  var pace: Duration? { .seconds(1) }

  mutating func act(_ scene: inout Scene) {
    if !hasDialed {
      for peer in scene.random(dials, of: scene.plot.honest) { scene.dial(peer) }
      hasDialed = true
    }
    guard scene.manner == .gossipSub else { return }
    for peer in scene.listeners where !grafted.contains(peer) {
      grafted.append(peer)
      scene.say([.graft(scene.plot.topic)], to: peer)
    }
  }

  mutating func send(_ frame: Frame, to peer: PeerID, _ scene: inout Scene) -> Frame {
    frame.withoutMessages.withoutOffers
  }
}
