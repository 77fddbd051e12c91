/// One peer's queue of unchecked messages: how long it may be, how full it is, and when we stop reading.
///
/// Trust is cheap to start with and dear to inflate. With `good` messages of the peer that proved right, it may have
///
///     places(good) = min(placesMax, base + ⌊placesPerDoubling · log₂(1 + good)⌋)
///
///     good      0    1    3    15    63   255   1,023   65,535   2³¹
///     places   16   32   48    80   112   144     176      272   512
///
/// unchecked messages with us, and so many times `bytesPerPlace`. Who fills the queue is not read from until there is
/// room again: his bytes wait in his own kernel. Being full is no offence; a message that failed sets `good` back to 0.
/// What is in the queue stays there, also when the queue has become shorter than it is full.
///
/// Source: Bamboo gossip v2, "Flooding": the queue "grows logarithmically upon each good gossip message", and the
/// firewall blocks a partner while it is full.
struct Allowance: Sendable {
  /// Messages of this peer that were verified for good, since one failed.
  private(set) var good: UInt64 = 0
  /// Unchecked messages the peer may have with us.
  private(set) var places: Int
  /// Unchecked messages it has.
  private(set) var count = 0
  /// Their bytes.
  private(set) var bytes = 0
  /// Whether we do not read from it.
  private(set) var isPaused = false
  /// How often we stopped reading.
  private(set) var pauses: UInt64 = 0

  init(_ parameters: AllowanceParameters) { places = parameters.places(good: 0) }

  /// A message came in and is unchecked.
  /// - Returns: whether we have to stop reading from this peer.
  mutating func charge(_ size: Int, _ parameters: AllowanceParameters) -> Bool {
    count += 1
    bytes += max(0, size)
    guard !isPaused, isFull(parameters) else { return false }
    isPaused = true
    pauses &+= 1
    return true
  }

  /// A message that was charged left the queue, whatever became of it.
  /// - Returns: whether we may read again.
  mutating func discharge(_ size: Int, _ parameters: AllowanceParameters) -> Bool {
    count = max(0, count - 1)  // the peer may have come back since it was charged
    bytes = count == 0 ? 0 : max(0, bytes - max(0, size))
    return mayResume(parameters)
  }

  /// A message of this peer was verified for good.
  /// - Returns: whether we may read again, since the queue may be longer now.
  mutating func verified(_ parameters: AllowanceParameters) -> Bool {
    good = good == .max ? .max : good + 1
    places = parameters.places(good: good)
    return mayResume(parameters)
  }

  /// A message of this peer failed: it has to earn its places anew.
  mutating func failed(_ parameters: AllowanceParameters) {
    good = 0
    places = parameters.places(good: 0)
  }

  private func isFull(_ parameters: AllowanceParameters) -> Bool {
    count >= places || bytes >= parameters.bytesMax(places: places)
  }

  private mutating func mayResume(_ parameters: AllowanceParameters) -> Bool {
    guard isPaused else { return false }
    let bytesMax = parameters.bytesMax(places: places)
    // Without hysteresis one free place is enough.
    let countLow = places - places / 8 * parameters.hysteresisEighths
    let bytesLow = bytesMax - bytesMax / 8 * parameters.hysteresisEighths
    guard count < max(1, countLow), bytes < max(1, bytesLow) else { return false }
    isPaused = false
    return true
  }
}

/// Parameters of a peer's queue of unchecked messages.
public struct AllowanceParameters: Hashable, Sendable {
  /// Places of a peer we know nothing of.
  public var base = 16
  /// Places more each time the good messages double: 1, 2, 4, 8 or 16.
  public var placesPerDoubling = 16
  /// Places at most.
  public var placesMax = 512
  /// Bytes a queue may hold, per place.
  public var bytesPerPlace = 64 << 10
  /// How many eighths of a full queue have to be free before its peer is read again; 0: a single place.
  public var hysteresisEighths = 0

  /// The defaults.
  public init() {}

  /// So many places, whatever a peer has shown.
  public init(fixed places: Int) { (base, placesMax) = (places, places) }

  /// How many unchecked messages a peer may have with so many good ones. Exact: nothing is rounded but at the end.
  /// - Complexity: O(1).
  public func places(good: UInt64) -> Int {
    let steps = AllowanceParameters.sixteenthsOfLog2(good == .max ? .max : good + 1)
    return min(placesMax, base + steps / (16 / placesPerDoubling))
  }

  func bytesMax(places: Int) -> Int { places * bytesPerPlace }

  /// ⌈2^(j/16) · 2⁶³⌉ for j = 1…15. A number reaches the j-th sixteenth of its doubling if its highest 64 bits reach
  /// this: the roots are irrational, so that no number meets one exactly.
  private static let roots: [UInt64] = [
    0x85aa_c367_cc48_7b15, 0x8b95_c1e3_ea8b_d6e7, 0x91c3_d373_ab11_c337, 0x9837_f051_8db8_a970,
    0x9ef5_3260_91a1_11ae, 0xa5fe_d6a9_b151_38eb, 0xad58_3eea_42a1_4ac7, 0xb504_f333_f9de_6485,
    0xbd08_a39f_580c_36bf, 0xc567_2a11_5506_dade, 0xce24_8c15_1f84_80e4, 0xd744_fcca_d69d_6af5,
    0xe0cc_deec_2a94_e112, 0xeac0_c6e7_dd24_392f, 0xf525_7d15_2486_cc2d,
  ]

  /// ⌊16 · log₂ x⌋ for x ≥ 1.
  static func sixteenthsOfLog2(_ x: UInt64) -> Int {
    let zeros = max(x, 1).leadingZeroBitCount
    let highest = max(x, 1) << UInt64(zeros)
    let sixteenths = roots.firstIndex { highest < $0 } ?? roots.count
    return 16 * (63 - zeros) + sixteenths
  }

  func validate() throws(ConfigurationError) {
    for (name, value, range) in [
      ("base", base, 1...1 << 20), ("placesMax", placesMax, max(1, base)...max(1 << 20, base)),
      ("bytesPerPlace", bytesPerPlace, 1...1 << 30), ("hysteresisEighths", hysteresisEighths, 0...7),
    ] where !range.contains(value) {
      throw ConfigurationError(
        "allowance.\(name)", expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
    }
    guard [1, 2, 4, 8, 16].contains(placesPerDoubling) else {
      throw ConfigurationError(
        "allowance.placesPerDoubling", expected: "1, 2, 4, 8 or 16", found: "\(placesPerDoubling)")
    }
  }
}
