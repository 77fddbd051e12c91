public import GossipCore

/// Everybody who does not keep the rules, by the heading under which the sources know them.
///
/// An adversary is a mask over an honest node: it does what the node would do, but for its habits. No part of the
/// product knows of it.
public enum Adversary: String, CaseIterable, Hashable, Sendable {
  // Those who harm by what they leave undone.
  /// Takes part in everything and passes nothing on (Bamboo, "Dropping").
  case dropper
  /// Passes everything on, 2.5 s late (Bamboo, "Delaying").
  case delayer
  /// Offers what it never gives (GossipSub v1.1, "Spam protection").
  case promiseBreaker
  /// Claims to have whatever it is offered, and tells nobody (Casper, "already infected").
  case liar
  /// Wants whatever it is offered, however often it got it, and tells nobody (Casper).
  case craver
  /// Is on the topic and says nothing (Casper, Bamboo).
  case silent
  /// Passes on messages without what they depend on (Casper, the Internet Computer).
  case withholder
  /// Passes on everything but one publisher's messages (GossipSub evaluation).
  case censor
  /// Behaves, and drops all from half of the stream on (GossipSub evaluation, "covert flash").
  case covertFlash
  /// Reads nothing.
  case slowReader

  // Those who harm by what they say.
  /// Cuts links in the middle of exchanges (Bamboo, "Disrupting").
  case disrupter
  /// Publishes ten valid messages a second (Bamboo, "Flooding").
  case flooder
  /// Gives its peers again what they have (Bamboo, "Circulating").
  case circulator
  /// Writes in others' names (Bamboo, "Spoofing").
  case spoofer
  /// Alters what it passes on (Bamboo, "Spamming").
  case spammer
  /// Signs what no application accepts (GossipSub evaluation, P4).
  case invalidSender
  /// Tells old messages again once others have forgotten them (Bamboo, "Replaying").
  case replayer
  /// Writes bytes that are no frames.
  case garbler
  /// Signs two messages of one number (Fabric's and Casper's records).
  case equivocator

  // Those who harm by where they stand.
  /// Grafts and prunes without end (GossipSub v1.1).
  case graftFlooder
  /// Grafts again while the backoff runs (GossipSub v1.1).
  case earlyRegrafter
  /// Offers what does not exist (GossipSub v1.1, IHAVE spam).
  case ihaveSpammer
  /// Asks for everything without end (GossipSub v1.1, IWANT spam).
  case iwantSpammer
  /// Surrounds one publisher (GossipSub evaluation, "eclipse").
  case eclipser
  /// A crowd from one address that passes nothing on (GossipSub evaluation, "sybil").
  case colocatedCrowd
  /// Is there before the honest, with many links, and passes nothing on (GossipSub evaluation, "cold boot").
  case coldBoot

  /// Whether the attack means anything where topics spread in this manner.
  public func attacks(_ manner: Manner) -> Bool {
    switch self {
    case .graftFlooder, .earlyRegrafter: manner == .gossipSub
    case .promiseBreaker, .ihaveSpammer, .liar, .craver: manner != .push && manner != .direct
    default: manner != .direct
    }
  }

  /// Whether somebody honest can tell that a rule was broken, or a duty neglected, from what this peer did to it.
  ///
  /// What is left undone is seen only where something was promised: a neighbour that never passes anything on may be
  /// one that always gets it from us. Delay is no fault, a flood of valid messages is none either, and a cut link may be
  /// the network's doing (who cuts many, or offers what never comes, is asked for less and last before its score falls);
  /// a liar claims what could be true; who reads nothing may be slow; an eclipser is kind to all but its victim; and of
  /// those who equivocate only whoever meets both messages knows. Where messages come only when asked for, forgeries that nobody asked for are not even looked at; and
  /// an offer that nobody needs breaks no promise.
  public func isObservable(in manner: Manner) -> Bool {
    switch self {
    case .iwantSpammer, .spammer, .garbler, .graftFlooder, .earlyRegrafter: true
    case .withholder: manner == .gossipSub
    case .promiseBreaker: manner != .gossipSub && manner != .digestFirst
    case .spoofer, .invalidSender: manner != .advert && manner != .infection
    case .circulator: manner != .push  // a burst may come again
    case .dropper, .delayer, .disrupter, .flooder, .liar, .equivocator, .craver, .silent, .censor,
      .covertFlash, .ihaveSpammer, .slowReader, .replayer, .eclipser, .colocatedCrowd, .coldBoot:
      false
    }
  }

  /// Whether the topic needs a judge for the attack to mean anything (`Judging.verdict`).
  public var needsJudge: Bool { self == .invalidSender || self == .withholder }

  /// Whether it comes to a network that stands, instead of being there from the beginning.
  var comesLate: Bool { self == .eclipser || self == .colocatedCrowd }

  /// The address its members share, if they do.
  var sharedIP: [UInt8]? { self == .colocatedCrowd ? [192, 0, 2, 1] : nil }

  /// Its mask, for whoever drives a node.
  /// - Parameters:
  ///   - me: the node's id.
  ///   - configuration: the node's.
  ///   - key: signs in the node's name; nil signs notionally, which only a `World` believes.
  public func mask(
    _ plot: Plot, of me: PeerID, _ configuration: Configuration, seed: [UInt8], at birth: Instant,
    signing key: (@Sendable ([UInt8]) -> [UInt8])? = nil
  ) -> Mask {
    Mask(trick(plot, configuration), of: me, plot, seed: seed, at: birth, signing: key)
  }

  private func trick(_ plot: Plot, _ configuration: Configuration) -> any Trick {
    switch self {
    case .dropper, .covertFlash: Dropping()
    case .delayer: Delaying()
    case .promiseBreaker: BreakingPromises()
    case .liar: Answering.liar
    case .craver: Answering.craver
    case .silent: Silence()
    case .withholder: Withholding()
    case .censor: Censoring()
    case .slowReader: SlowReading()
    case .disrupter: Disrupting()
    case .flooder: Flooding()
    case .circulator: Circulating()
    case .spoofer: Spoofing()
    case .spammer: Corrupting()
    case .invalidSender: SendingInvalid()
    case .replayer: Replaying(memory: configuration.limits.seenFor)
    case .garbler: Garbling()
    case .equivocator: Equivocating()
    case .graftFlooder: FloodingGrafts()
    case .earlyRegrafter: GraftingEarly()
    case .ihaveSpammer: OfferingNothing()
    case .iwantSpammer: WantingEverything()
    case .eclipser: Eclipsing()
    case .colocatedCrowd, .coldBoot: Squatting(dials: max(4, plot.honest.count / 2))
    }
  }
}

extension World {
  /// Adds a node that wears this mask.
  @discardableResult
  public mutating func add(
    _ adversary: Adversary, _ plot: Plot, _ configuration: Configuration = Configuration(),
    speaking protocols: [[ProtocolName]] = Manner.allCases.map(\.protocols)
  ) -> Int {
    add(speaking: protocols, isHostile: true, ip: adversary.sharedIP) { id, seed, birth in
      var configuration = configuration
      configuration.sequenceStart += UInt64(max(0, birth.nanoseconds))
      do {
        let node = try Node(configuration, as: id, seed: seed, at: birth)
        return Masked(node, adversary.mask(plot, of: id, configuration, seed: seed, at: birth))
      } catch { preconditionFailure("the configuration was not checked: \(error)") }
    }
  }
}
