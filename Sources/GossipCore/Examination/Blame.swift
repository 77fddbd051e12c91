/// What follows for whom when a message turns out to be bad.
///
///     it cannot be read                                    the sender is blacklisted
///     the examination may rest on another epoch's keys     nothing: honest peers would be hit
///     its author's signature holds, its content cannot be  the author is blacklisted, the message is evidence
///     the sender wrote it, or says it examined it          the sender is blacklisted
///     an honest victim may have passed it on unexamined    the sender may take it back; see `Retractions`
///
/// In all cases but the second and the third the lot of the sender begins anew at 1 and its allowance at 0.
/// Source: Bamboo gossip v2, "Blacklist on failed signature / corrupt content"; the order of the rules is ours.
struct BadMessage: Hashable, Sendable {
  /// Whether the sender says it examined the message before it passed it on.
  var isExamined: Bool
  /// Whether the sender wrote it, by its own claim.
  var isFromAuthor: Bool
  /// Whether it can be read at all.
  var isDecodable: Bool
  /// Whether its author's signature holds, although the content cannot be right.
  var isProven: Bool
  /// Whether it was examined while keys of two epochs are in use.
  var isInHandOver: Bool

  init(
    isExamined: Bool = false, isFromAuthor: Bool = false, isDecodable: Bool = true, isProven: Bool = false,
    isInHandOver: Bool = false
  ) {
    (self.isExamined, self.isFromAuthor, self.isDecodable) = (isExamined, isFromAuthor, isDecodable)
    (self.isProven, self.isInHandOver) = (isProven, isInHandOver)
  }

  /// What follows.
  var blame: Blame {
    if !isDecodable { return .barSender(.undecodable) }
    if isInHandOver { return .nobody }
    // Who passed it on could not know unless it examined it; then it lied as well.
    if isProven { return isExamined && !isFromAuthor ? .barBoth : .barAuthor }
    if isExamined || isFromAuthor { return .barSender(.examinedBad) }
    return .awaitRetraction
  }
}

/// Who is to blame for a bad message.
enum Blame: Hashable, Sendable {
  /// Nobody.
  case nobody
  /// The sender is blacklisted.
  case barSender(BlacklistReason)
  /// Who signed it is blacklisted (`corruptContent`).
  case barAuthor
  /// Both: who signed it, and who said it had examined it.
  case barBoth
  /// The sender may still take it back; `Retractions` decides.
  case awaitRetraction

  /// Whether the sender's lot and allowance begin anew.
  var resetsSender: Bool {
    switch self {
    case .nobody, .barAuthor: false
    case .barSender, .barBoth, .awaitRetraction: true
    }
  }
}
