import Crypto

/// The overlay of one message's recipients: fanout sets of their own, drawn by the message's name.
///
/// Nobody can foresee a name that depends on a signature or a number, and everybody who has the message can check who
/// is whose partner. Digests of such messages say so, since whoever hears one cannot know yet whether its sender is a
/// partner: the message itself shows it. Recipients that cannot verify its class have no part in routing it, and get
/// their copies from the author.
///
/// Source: Bamboo gossip v2, one-to-many: fanout sets "among the recipients", with the message as salt.
extension DigestFirst {
  /// More recipients would take more hashes than a turn has: 128² = 16,384, about 10 ms.
  static let subOverlayMax = 127

  /// The partners within reach that this node has for one message, and if it is our own, those who get it straight.
  mutating func among(_ message: Message, isOwn: Bool, _ commons: inout Commons) -> [PeerID] {
    guard let (drawn, unable) = overlay(of: message) else { return [] }
    var sets = drawn
    if isOwn { for peer in unable { commons.forward(message, to: peer) } }
    return sets.partners(of: commons.me).filter { commons.isMember($0, of: message.topic) }
  }

  /// What a peer is to us in the overlay of one message.
  enum Part {
    /// Its author, who gives it to us since we have no part in routing it.
    case giver
    case partner
    case none
  }

  func part(of peer: PeerID, in message: Message, _ me: PeerID) -> Part {
    guard let (drawn, unable) = overlay(of: message) else { return .none }
    if message.author == peer, unable.contains(me) { return .giver }
    var sets = drawn
    return sets.arePartners(me, peer) ? .partner : .none
  }

  /// The fanout sets of author and recipients, and those of them who only receive.
  private func overlay(of message: Message) -> (FanoutSets, unable: [PeerID])? {
    guard let author = message.author, let recipients = message.wire.recipients,
      recipients.peers.count <= DigestFirst.subOverlayMax
    else { return nil }
    let kind = kind(of: message.topic)
    let members = ([author] + recipients.peers).map { partners.member($0) }
    let salt = Array(SHA256.hash(data: message.id.bytes))
    guard let epoch = try? Epoch(number: 0, roster: members, beacon: salt) else { return nil }  // named twice
    let unable = members.filter { !$0.isCapable(of: kind) }.map(\.peer)
    return (FanoutSets(of: epoch, for: kind, failure: parameters.failure), unable)
  }
}

extension Advert {
  /// Marks the digest of a message that runs among its recipients.
  static let amongRecipients: [UInt8] = [1]

  /// Whether the message runs among its recipients only.
  var isAmongRecipients: Bool { attribute == Advert.amongRecipients }
}
