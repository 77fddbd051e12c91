public import GossipCore
import OrderedCollections

/// What participants ask for happens here: frames go into queues, queues onto links, bytes arrive and are decoded.
extension World {
  // MARK: Effects

  mutating func perform(_ index: Int) {
    let performed = effects
    effects.removeAll(keepingCapacity: true)
    for effect in performed { perform(effect, of: index) }
  }

  /// What only a mask can ask for.
  mutating func performDeeds(of index: Int) {
    for deed in residents[index].body?.takeDeeds() ?? [] {
      switch deed {
      case .dial(let peer):
        guard let other = places[peer] else { continue }
        queue.add(.dial(index, other, life: residents[index].life), at: now)  // dialing here would nest turns
      case .write(let bytes, let manner, let peer):
        guard let other = places[peer], let pipe = residents[index].outgoing[other],
          pipes[pipe].queues.contains(where: { $0.manner == manner })
        else { continue }
        pipes[pipe].inFlight += bytes.count
        traffic.bytes += bytes.count
        sentBytes[index] += bytes.count
        queue.add(.arrive(pipe: pipe, manner, bytes), at: now + pipes[pipe].latency)
      }
    }
  }

  private mutating func perform(_ effect: Node.Effect, of index: Int) {
    let life = residents[index].life
    switch effect {
    case .send(let frame, let peer): send(frame, from: index, to: peer)
    case .speak(let manner): speak(manner, index)
    case .disconnect(let peer, _): if let other = places[peer] { disconnect(index, other) }
    case .pause(let peer): setReading(false, peer, at: index)
    case .resume(let peer): setReading(true, peer, at: index)
    case .check(let ticket, let message, _):
      let isAuthentic = Notional.isAuthentic(message)
      if !residents[index].isHostile { traffic.checks += 1 }
      queue.add(
        .tell(index, life: life, .checked(ticket, authentic: isAuthentic)), at: now + model.checkingTime)
    case .sign(let ticket, let bytes):
      let signature = Notional.signature(of: residents[index].id, over: bytes)
      let input = Node.Input.signed(ticket, signature: signature, key: nil)
      queue.add(.tell(index, life: life, input), at: now + model.signingTime)
    case .judge(let ticket, let message, _):
      queue.add(.tell(index, life: life, .judged(ticket, verdict(on: message, at: index))), at: now)
    case .ask(let ticket, let topic, let payload, _, _):
      queue.add(.tell(index, life: life, .answer(ticket, answer(topic, payload, index))), at: now)
    case .deliver(let message, let source):
      let number = numbers[message.id] ?? messages.count
      if number == messages.count {
        messages.append(message.id)
        numbers[message.id] = number
        hops.append(Array(repeating: 0, count: residents.count))
      }
      let before = places[source].map { $0 < hops[number].count ? hops[number][$0] : 0 } ?? 0
      let distance = before == .max ? before : before + 1
      if index < hops[number].count { hops[number][index] = distance }
      deliveries.append(Delivery(to: index, number: number, at: now, hops: distance))
      inspect(message, number, deliveredTo: index)
      fingerprint.add(message.id.bytes)
    case .published(let token, let result):
      results[token] = result
      if case .success(let publication) = result {
        let publishing = Publishing(participant: index, at: now)
        if publications.updateValue(publishing, forKey: publication.id) == nil {
          publicationOrder.append(publication.id)
        }
      }
    case .answered(let token, let result): answers[token] = result
    case .notice(let notice): noticed(notice, by: index)
    case .reached, .forgetAsk: break
    }
  }

  /// What the application says: it waits for nothing that it has.
  private func verdict(on message: Message, at index: Int) -> Verdict {
    let verdict = judge(message, index)
    guard case .await(let needs) = verdict else { return verdict }
    return needs.allSatisfy { has($0, index) } ? .accept : verdict
  }

  /// Whether a message was delivered to this participant, or published by it, in any of its lives.
  public func has(_ id: MessageID, _ index: Int) -> Bool {
    if let number = numbers[id], index < hops[number].count, hops[number][index] > 0 { return true }
    return publications[id]?.participant == index
  }

  /// Shows a delivery to the checkers.
  private mutating func inspect(_ message: Message, _ number: Int, deliveredTo index: Int) {
    guard checkers != nil, !residents[index].isHostile else { return }
    let policy = residents[index].topics[message.topic]
    let author = message.author.flatMap { places[$0] }
    let sight = Checkers.Sight(
      message: message, number: number, participant: index, policy: policy,
      verdict: policy?.isJudged == true ? verdict(on: message, at: index) : nil,
      publisher: publications[message.id]?.participant, author: author,
      isOfHostile: author.map { residents[$0].isHostile } ?? false)
    checkers?.delivered(sight)
  }

  private mutating func setReading(_ isOn: Bool, _ peer: PeerID, at index: Int) {
    guard let other = places[peer], let pipe = residents[other].outgoing[index] else { return }
    pipes[pipe].isResuming = isOn
    if isOn {
      queue.add(.drain(pipe: pipe), at: now)  // reading here would nest turns
    } else {
      pipes[pipe].isPaused = true
    }
  }

  /// Reads what waited, in the order it came, until the receiver stops reading again.
  mutating func drain(_ pipe: Int) {
    pipes[pipe].isPaused = false
    pipes[pipe].isResuming = false
    while !pipes[pipe].isPaused, pipes[pipe].isOpen, !pipes[pipe].unread.isEmpty {
      let (manner, bytes) = pipes[pipe].unread.removeFirst()
      pipes[pipe].inFlight -= bytes.count
      receive(bytes, manner, pipe)
    }
    pump(pipe)
  }

  // MARK: Frames

  private mutating func send(_ frame: Frame, from index: Int, to peer: PeerID) {
    guard let other = places[peer], let pipe = residents[index].outgoing[other] else { return }
    var frame = frame
    if loss > 0, !frame.messages.isEmpty {
      let loss = loss
      frame.messages.removeAll { _ in Double.random(in: 0..<1, using: &dice) < loss }
      if frame.isEmpty { return }
    }
    guard let place = pipes[pipe].queues.firstIndex(where: { $0.manner == frame.manner }) else { return }
    let shed = pipes[pipe].queues[place].queue.push(frame)
    traffic.messageBytes += frame.messages.reduce(0) { $0 + $1.bytes.count }
    if shed.overflowed { return disconnect(index, other) }
    if !shed.isEmpty {
      traffic.shed += shed.messages + shed.offers
      let (life, id) = (residents[index].life, residents[other].id)
      if shed.messages > 0 {
        queue.add(.tell(index, life: life, .shed(id, .message, count: shed.messages)), at: now)
      }
      if shed.offers > 0 {
        queue.add(.tell(index, life: life, .shed(id, .offer, count: shed.offers)), at: now)
      }
    }
    pump(pipe)
  }

  /// How much is on its way through a slow link at most: what is there already passes as slowly, even if the link is
  /// a fast one again.
  private static let aheadMax = Duration.milliseconds(500)

  /// Hands to the link what its window has room for.
  mutating func pump(_ pipe: Int) {
    guard pipes[pipe].isOpen, !pipes[pipe].isStalled else { return }
    for index in pipes[pipe].queues.indices {
      let manner = pipes[pipe].queues[index].manner
      while pipes[pipe].inFlight < model.windowBytes, pipes[pipe].busyUntil <= now + World.aheadMax,
        !pipes[pipe].queues[index].queue.isEmpty
      {
        var bytes: [UInt8] = []
        pipes[pipe].queues[index].queue.pop(1 << 16, into: &bytes)
        let nanoseconds = Int64(Double(bytes.count) * 1e9 / Double(pipes[pipe].bandwidth))
        pipes[pipe].busyUntil = max(pipes[pipe].busyUntil, now) + .nanoseconds(nanoseconds)
        pipes[pipe].inFlight += bytes.count
        traffic.bytes += bytes.count
        sentBytes[pipes[pipe].from] += bytes.count
        var arrival = pipes[pipe].busyUntil + pipes[pipe].latency
        if model.jitter > .zero {
          arrival = arrival + .nanoseconds(Int64.random(in: 0...model.jitter.nanoseconds, using: &dice))
          arrival = max(arrival, pipes[pipe].lastArrival)
          pipes[pipe].lastArrival = arrival
        }
        queue.add(.arrive(pipe: pipe, manner, bytes), at: arrival)
      }
    }
  }

  /// Cuts bytes into frames, decodes them, and hands them over in order.
  mutating func receive(_ bytes: [UInt8], _ manner: Manner, _ pipe: Int) {
    let (receiver, sender) = (pipes[pipe].to, residents[pipes[pipe].from].id)
    let (isWatched, isHostile) = (!residents[receiver].isHostile, residents[pipes[pipe].from].isHostile)
    receivedBytes[receiver] += bytes.count
    var offset = 0
    while offset < bytes.count, pipes[pipe].isOpen {
      guard case .complete(let length, let size)? = unsafe try? Varint.read(bytes.span.bytes, at: offset),
        offset + size + Int(length) <= bytes.count
      else { preconditionFailure("a queue wrote half a frame") }
      let start = offset + size
      offset = start + Int(length)
      traffic.frames += 1
      let body = unsafe bytes.span.bytes.extracting(start..<offset)
      do {
        let frame = try Frame(decoding: body, on: manner, WireLimits())
        if isWatched {
          if isHostile {
            traffic.hostileCopies += frame.messages.count
          } else {
            traffic.copies += frame.messages.count
          }
        }
        tell(receiver, .received(frame, from: sender))
      } catch {
        tell(receiver, .garbled(error, from: sender))
      }
    }
  }
}
