import OrderedCollections

/// Our own messages: draft → sequence number → signature → judgement → kept and told on.
extension Node {
  /// A draft that waits for the outside.
  struct Publishing: Sendable {
    let draft: Draft
    let policy: TopicPolicy
    var wire: WireMessage
    /// What the object consists of, if the payload is too large for one message.
    let manifest: Manifest?

    /// The message as our judge and our peers will know it.
    func message(_ id: MessageID) -> Message {
      Message(id: id, wire: wire, object: manifest == nil ? nil : draft.payload)
    }
  }

  mutating func publish(_ draft: Draft) {
    let policy = commons.joined[draft.topic] ?? draft.policy
    if let failure = fault(of: draft, under: policy) { return failed(draft, failure) }
    let isAnonymous = policy.signing.isAnonymous
    nextSequence &+= 1
    let manifest = policy.objects.flatMap { objects in
      draft.payload.count > objects.threshold ? Manifest(of: draft.payload, objects) : nil
    }
    let recipients = recipients(of: draft, under: policy)
    let size = (manifest?.encoded.count ?? draft.payload.count) + (recipients?.encoded.count ?? 0)
    guard recipients == nil || size <= payloadSizeMax else {
      return failed(draft, .tooLarge(bytes: size, limit: payloadSizeMax))
    }
    let wire = WireMessage(
      topic: draft.topic, payload: manifest?.encoded ?? draft.payload, author: isAnonymous ? nil : me,
      sequence: isAnonymous ? nil : nextSequence, kind: manifest == nil ? .plain : .manifest,
      for: recipients)
    let publishing = Publishing(draft: draft, policy: policy, wire: wire, manifest: manifest)
    if let failure = spend(wire, manifest?.size ?? 0, under: policy) { return failed(draft, failure) }
    guard policy.signing.attaches else { return judgeOwn(publishing) }
    let ticket = takeTicket()
    drafts[ticket] = publishing
    commons.surface(.sign(ticket, wire.signedBytes))
  }

  /// What fits into a frame beside signature, key and the frame itself.
  private var payloadSizeMax: Int { configuration.wire.frameSizeMax - 1_024 }

  /// What is wrong with a draft before it is signed.
  private func fault(of draft: Draft, under policy: TopicPolicy) -> PublishFailure? {
    let limit =
      policy.objects?.sizeMax ?? min(policy.payloadSizeMax, payloadSizeMax)
    if draft.payload.count > limit { return .tooLarge(bytes: draft.payload.count, limit: limit) }
    let name = draft.topic.name.utf8.count
    if name == 0 || name > configuration.wire.topicSizeMax {
      return .topic("a topic's name has 1 to \(configuration.wire.topicSizeMax) bytes, found \(name)")
    }
    if drafts.count >= configuration.limits.publicationsOpen { return .overloaded(limit: drafts.count) }
    do { try policy.validate() } catch { return .topic("\(error)") }
    return fault(of: draft.audience, on: draft.topic, under: policy)
  }

  /// Charges ourselves with a little less than others take of us.
  /// - Parameter size: bytes of the object the message stands for.
  /// - Returns: why not, if there is nothing left.
  private mutating func spend(_ wire: WireMessage, _ size: Int, under policy: TopicPolicy) -> PublishFailure?
  {
    guard let budget = policy.authorBudget else { return nil }
    let closing = commons.authors.charge(
      me, nextSequence, wire.bytes.count + size, on: wire.topic, budget.own, at: commons.now)
    return closing.map { .overBudget(budget, retryAfter: $0.until - commons.now) }
  }

  /// Our next message has a higher number than this. A host says so that keeps numbers over restarts.
  package mutating func skipSequences(to number: UInt64) { nextSequence = max(nextSequence, number) }

  private mutating func failed(_ draft: Draft, _ failure: PublishFailure) {
    commons.surface(.published(token: draft.token, .failure(failure)))
  }

  mutating func signed(_ ticket: Ticket, _ signature: [UInt8], _ key: [UInt8]?) {
    guard var publishing = drafts.removeValue(forKey: ticket) else { return }
    publishing.wire = publishing.wire.signed(signature, key: key)
    judgeOwn(publishing)
  }

  /// The topic's judge sees our messages too, so that we do not send what others would refuse.
  private mutating func judgeOwn(_ publishing: Publishing) {
    let id = publishing.policy.identification.id(of: publishing.wire)
    guard id.count <= configuration.wire.idSizeMax else {
      let limit = configuration.wire.idSizeMax
      return failed(
        publishing.draft, .topic("its ids have \(id.count) bytes, a frame carries \(limit)"))
    }
    guard !commons.hasMet(id) else { return failed(publishing.draft, .duplicate(id)) }
    guard publishing.policy.isJudged else { return spread(publishing, id) }
    let ticket = takeTicket()
    drafts[ticket] = publishing
    commons.surface(.judge(ticket, publishing.message(id), from: me))
  }

  mutating func judgedOwn(_ ticket: Ticket, _ verdict: Verdict) {
    guard let publishing = drafts.removeValue(forKey: ticket) else { return }
    let id = publishing.policy.identification.id(of: publishing.wire)
    guard !commons.hasMet(id) else { return failed(publishing.draft, .duplicate(id)) }
    guard verdict == .accept else {
      if verdict == .reject || verdict == .ignore {
        commons.seen.insert(id, verdict == .reject ? .rejected : .ignored, at: commons.now)
      }
      return failed(publishing.draft, .judged(verdict))
    }
    spread(publishing, id)
  }

  private mutating func spread(_ publishing: Publishing, _ id: MessageID) {
    let policy = publishing.policy
    let message = publishing.message(id)
    guard !commons.store.isStale(message, policy) else { return failed(publishing.draft, .stale(id)) }
    if let manifest = publishing.manifest,
      !commons.objects.hold(id, manifest, publishing.draft.payload, on: message.topic, at: commons.now)
    {
      let limit = configuration.limits.objectsSizeMax
      return failed(publishing.draft, .tooLarge(bytes: manifest.size, limit: limit))
    }
    commons.seen.insert(id, .accepted, at: commons.now)
    commons.duplicates?.insert(id, at: commons.now)
    commons.wants.forget(id)
    for manner in policy.manners { speak(manner) }
    if message.wire.way != .direct { keep(message, policy) }
    commons.reach.begin(id, countMax: configuration.limits.reachWatchedMax)
    commons.counters.published += 1
    let before = commons.forwarded
    if message.wire.way == .direct {
      sendStraight(message, under: policy)
    } else {
      tell(
        policy,
        .accepted(
          Acceptance(message: message, holders: [], audience: publishing.draft.audience, isHealed: false)))
    }
    let publication = Publication(
      id: id, sentTo: commons.forwarded - before,
      subscribers: commons.peers.members(of: message.topic, by: policy.spread).count, way: message.wire.way)
    commons.surface(.published(token: publishing.draft.token, .success(publication)))
    dependencyArrived(id)
  }
}
