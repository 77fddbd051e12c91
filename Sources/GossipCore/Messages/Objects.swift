import OrderedCollections

/// Objects that are being put together, and those held for others to fetch.
///
/// Bounds: bytes of all objects, counted as their manifests announce them; a new one displaces the oldest complete
/// ones, never one that is still being fetched. What is complete is forgotten after a while.
struct Objects: Sendable {
  private struct Assembly: Sendable {
    let manifest: Manifest
    /// Nil while missing.
    var pieces: [[UInt8]?]
    /// Where each piece belongs; equal pieces have one name.
    let places: [MessageID: [Int]]
  }

  private struct Held: Sendable {
    let topic: Topic
    let manifest: Manifest
    let payload: Payload
    let until: Instant
  }

  private var assemblies: [MessageID: Assembly] = [:]
  private var held = OrderedDictionary<MessageID, Held>()
  /// Where each piece of a held object lies; the latest object that has it.
  private var places: [MessageID: (object: MessageID, index: Int)] = [:]
  private(set) var bytes = 0
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
  /// - Returns: the names of its pieces, each once; nil if there is no room for it.
  mutating func begin(_ id: MessageID, _ manifest: Manifest) -> [MessageID]? {
    guard assemblies[id] == nil, makeRoom(manifest.size) else { return nil }
    bytes += manifest.size
    let places = Dictionary(grouping: manifest.pieces.indices) { manifest.pieces[$0] }
    assemblies[id] = Assembly(
      manifest: manifest, pieces: Array(repeating: nil, count: manifest.pieces.count), places: places)
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

  /// The whole object, once it has all its pieces; it is held from now on.
  mutating func finish(_ id: MessageID, on topic: Topic, at now: Instant) -> Payload? {
    guard var assembly = assemblies[id], !assembly.pieces.contains(where: { $0 == nil }) else { return nil }
    assemblies[id] = nil
    bytes -= assembly.manifest.size
    var whole: [UInt8] = []
    whole.reserveCapacity(assembly.manifest.size)
    for index in assembly.pieces.indices {
      whole.append(contentsOf: assembly.pieces[index] ?? [])
      assembly.pieces[index] = nil  // so that an object never takes twice its size
    }
    let payload = Payload(whole)
    hold(id, assembly.manifest, payload, on: topic, at: now)
    return payload
  }

  /// Gives an unfinished object up.
  mutating func abandon(_ id: MessageID) {
    guard let assembly = assemblies.removeValue(forKey: id) else { return }
    bytes -= assembly.manifest.size
  }

  // MARK: Holding

  /// Keeps a complete object for those who fetch it.
  mutating func hold(
    _ id: MessageID, _ manifest: Manifest, _ payload: Payload, on topic: Topic, at now: Instant
  ) {
    guard held[id] == nil, makeRoom(manifest.size) else { return }
    bytes += manifest.size
    held[id] = Held(topic: topic, manifest: manifest, payload: payload, until: now + keepFor)
    for (index, piece) in manifest.pieces.enumerated() { places[piece] = (id, index) }
  }

  /// A piece as a message, if an object that has it is held.
  func piece(_ name: MessageID) -> WireMessage? {
    guard let place = places[name], let object = held[place.object] else { return nil }
    let start = object.payload.bytes.startIndex + place.index * object.manifest.pieceSize
    let content = object.payload.bytes[start..<start + object.manifest.size(ofPiece: place.index)]
    return WireMessage(
      topic: object.topic, payload: Payload(content), author: nil, sequence: nil, kind: .piece)
  }

  /// Forgets what was held long enough.
  mutating func sweep(_ now: Instant) {
    while let oldest = held.values.first, oldest.until <= now { removeOldest() }
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
