import OrderedCollections

/// Objects that are being put together, and those held for others to fetch.
///
/// Bounds: bytes of all objects, counted as their manifests announce them; a new one displaces the oldest complete
/// ones, never one that is still being fetched. What is complete is forgotten after a while.
struct Objects: Sendable {
  private struct Assembly: Sendable {
    let manifest: Manifest
    /// Who brought the manifest.
    let from: PeerID
    /// Nil while missing.
    var pieces: [[UInt8]?]
    /// Where each piece belongs; equal pieces have one name.
    let places: [MessageID: [Int]]
  }

  private struct Held: Sendable {
    let topic: Topic
    let manifest: Manifest
    let payload: Payload
    var until: Instant
  }

  private var assemblies: [MessageID: Assembly] = [:]
  private var held = OrderedDictionary<MessageID, Held>()
  /// Where each piece of a held object lies; the latest object that has it.
  private var places: [MessageID: (object: MessageID, index: Int)] = [:]
  /// Bytes of all objects, and of those that are not complete, in all and by who brought them.
  private(set) var bytes = 0
  private var assembling = 0
  private var peers: [PeerID: Int] = [:]
  private(set) var evicted: UInt64 = 0
  private let sizeMax: Int
  private let keepFor: Duration

  init(sizeMax: Int, keepFor: Duration) {
    self.sizeMax = sizeMax
    self.keepFor = keepFor
  }

  var isEmpty: Bool { held.isEmpty && assemblies.isEmpty }

  // MARK: Putting together

  /// Starts an object.
  /// - Parameter peer: who brought its manifest; all that it has brought and is not complete takes a quarter of the
  ///   room at most, or is a single object. All that is not complete takes half of it, so that a few manifests can not
  ///   drive out what is held.
  /// - Returns: the names of its pieces, each once; nil if there is no room for it.
  mutating func begin(_ id: MessageID, _ manifest: Manifest, from peer: PeerID) -> [MessageID]? {
    let open = peers[peer, default: 0]
    guard assemblies[id] == nil, open == 0 || open + manifest.size <= sizeMax / 4,
      assembling == 0 || assembling + manifest.size <= sizeMax / 2, makeRoom(manifest.size)
    else { return nil }
    bytes += manifest.size
    assembling += manifest.size
    peers[peer] = open + manifest.size
    let places = Dictionary(grouping: manifest.pieces.indices) { manifest.pieces[$0] }
    assemblies[id] = Assembly(
      manifest: manifest, from: peer, pieces: Array(repeating: nil, count: manifest.pieces.count),
      places: places)
    return OrderedSet(manifest.pieces).elements
  }

  /// Takes a piece in, at all its places.
  /// - Returns: whether it has the size it should have.
  mutating func put(_ piece: MessageID, _ content: ArraySlice<UInt8>, in id: MessageID) -> Bool {
    guard let manifest = assemblies[id]?.manifest else { return false }
    let owned = Array(content)
    for index in assemblies[id]?.places[piece] ?? [] {
      guard owned.count == manifest.size(ofPiece: index) else { return false }
      assemblies[id]!.pieces[index] = owned
    }
    return true
  }

  /// The whole object, once it has all its pieces; it is held from now on. Nil if it does not begin as its manifest
  /// says.
  mutating func finish(_ id: MessageID, on topic: Topic, at now: Instant) -> Payload? {
    guard var assembly = assemblies[id], !assembly.pieces.contains(where: { $0 == nil }) else { return nil }
    abandon(id)
    var whole: [UInt8] = []
    whole.reserveCapacity(assembly.manifest.size)
    for index in assembly.pieces.indices {
      whole.append(contentsOf: assembly.pieces[index] ?? [])
      assembly.pieces[index] = nil  // so that an object never takes twice its size
    }
    guard whole.starts(with: assembly.manifest.head) else { return nil }
    let payload = Payload(whole)
    _ = hold(id, assembly.manifest, payload, on: topic, at: now)
    return payload
  }

  /// Gives an unfinished object up.
  mutating func abandon(_ id: MessageID) {
    guard let assembly = assemblies.removeValue(forKey: id) else { return }
    bytes -= assembly.manifest.size
    assembling -= assembly.manifest.size
    let left = peers[assembly.from, default: 0] - assembly.manifest.size
    peers[assembly.from] = left > 0 ? left : nil
  }

  // MARK: Holding

  /// Keeps a complete object for those who fetch it.
  /// - Returns: whether there is room for it.
  mutating func hold(
    _ id: MessageID, _ manifest: Manifest, _ payload: Payload, on topic: Topic, at now: Instant
  ) -> Bool {
    if held[id] != nil { return true }
    guard makeRoom(manifest.size) else { return false }
    bytes += manifest.size
    held[id] = Held(topic: topic, manifest: manifest, payload: payload, until: now + keepFor)
    for (index, piece) in manifest.pieces.enumerated() { places[piece] = (id, index) }
    return true
  }

  /// Bytes of a piece, if an object that has it is held.
  func size(ofPiece name: MessageID) -> Int? {
    places[name].flatMap { place in held[place.object]?.manifest.size(ofPiece: place.index) }
  }

  /// A piece as a message, if an object that has it is held.
  func piece(_ name: MessageID) -> WireMessage? {
    guard let place = places[name], let object = held[place.object] else { return nil }
    let start = object.payload.bytes.startIndex + place.index * object.manifest.pieceSize
    let content = object.payload.bytes[start..<start + object.manifest.size(ofPiece: place.index)]
    return WireMessage(
      topic: object.topic, payload: Payload(content), author: nil, sequence: nil, kind: .piece)
  }

  /// Forgets what was held long enough, unless the store holds its manifest, which may still be given to somebody.
  mutating func sweep(_ now: Instant, heldBy store: borrowing MessageStore) {
    while let (id, oldest) = held.elements.first, oldest.until <= now {
      guard store.holds(id) else {
        removeOldest()
        continue
      }
      held.remove(at: 0)
      held[id] = Held(
        topic: oldest.topic, manifest: oldest.manifest, payload: oldest.payload, until: now + .seconds(10))
    }
  }

  private mutating func makeRoom(_ size: Int) -> Bool {
    while bytes + size > sizeMax, !held.isEmpty {
      removeOldest()
      evicted += 1
    }
    return bytes + size <= sizeMax
  }

  private mutating func removeOldest() {
    let (id, object) = held.removeFirst()
    bytes -= object.manifest.size
    for piece in object.manifest.pieces where places[piece]?.object == id { places[piece] = nil }
  }
}
