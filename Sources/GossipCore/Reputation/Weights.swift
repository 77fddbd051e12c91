/// How much each observation counts, in one table.
///
/// What a peer can only have done itself counts at once and in full. What may as well be the fault of the network
/// between us, or of our own state, is *ambiguous*: it counts little, only so much per decay interval, and not at all
/// while most peers look the same (self-blame).
struct Weights: Hashable, Sendable {
  /// Adds to P7, GossipSub's behaviour counter.
  var behaviour = 0.0
  /// Adds to P4, the invalid messages of its topic; to P7 if it has none.
  var invalid = 0.0
  /// Adds to the count of full outbound queues and broken promises.
  var slow = 0.0
  /// Weight of the bad sample for Bamboo's integrity. 32: one bad message undoes a hundred good ones.
  var integrity = 0.0
  /// Weight of the bad sample for Bamboo's reliability. 4: one failure undoes four successes.
  var reliability = 0.0
  /// Whether it is a bad sample for Bamboo's speed.
  var isTimeOut = false
  var isAmbiguous = false

  /// Most that the time-outs of one peer add to P7 per decay interval. With the default decay P7 stays below its
  /// threshold: nobody is shut out for being slow.
  static let timeOutsPerTick = 0.25
  /// Most that all ambiguous observations of one peer add to P7, and to its slowness, per decay interval.
  static let ambiguousPerTick = 1.0
}

extension Observation {
  /// How much it counts.
  var weights: Weights {
    switch self {
    case .brokenPromise: Weights(behaviour: 0.1, slow: 1, isTimeOut: true, isAmbiguous: true)
    case .disrupted: Weights(reliability: 4, isAmbiguous: true)
    case .stalled: Weights(slow: 1, isAmbiguous: true)
    case .incomplete: Weights(behaviour: 0.5, reliability: 4, isAmbiguous: true)
    case .emptyOffer: Weights(behaviour: 0.5, reliability: 1, isAmbiguous: true)
    // After a pause of ours the offers of many heartbeats come at once.
    case .flooded: Weights(behaviour: 0.5, isAmbiguous: true)
    // Its epoch may have begun before ours.
    case .outsider: Weights(behaviour: 0.25, isAmbiguous: true)
    // After a restart our own older messages come back, and we do not know them.
    case .selfOrigin: Weights(behaviour: 0.25, isAmbiguous: true)
    case .earlyGraft: Weights(behaviour: 1)
    // Who restarts forgets what it gave; only where nothing comes unasked it is barred for it.
    case .circulated: Weights(behaviour: 0.2, isAmbiguous: true)
    // An honest victim of somebody else takes back in time.
    case .retracted: Weights(integrity: 4)
    case .unretracted: Weights(invalid: 1, integrity: 32)
    case .unasked: Weights(behaviour: 0.5, integrity: 8)
    case .garbled: Weights(behaviour: 3, integrity: 32)
    case .invalidMessage, .falseDigest: Weights(invalid: 1, integrity: 32)
    }
  }
}
