/// What most settings must obey. NaN and infinity never pass.
enum Rule {
  /// Large enough for every use, small enough that no product overflows.
  private static let magnitude = 1e12

  static func require(
    _ holds: Bool, _ setting: String, _ expected: String, _ found: some Sendable
  ) throws(ConfigurationError) {
    guard holds else { throw ConfigurationError(setting, expected: expected, found: "\(found)") }
  }

  /// - Parameter most: a power of two.
  static func count(_ value: Int, atMost most: Int, _ setting: String) throws(ConfigurationError) {
    try require((1...most).contains(value), setting, "1 to 2^\(most.trailingZeroBitCount)", value)
  }

  static func budget(_ budget: Budget, _ setting: String) throws(ConfigurationError) {
    try count(budget.rate, atMost: 1 << 40, "\(setting).rate")
    try count(budget.burst, atMost: 1 << 40, "\(setting).burst")
    try require(
      Duration.settings.contains(budget.burstTime), "\(setting).burst", "at most ten years of its rate",
      budget.burst)
  }

  static func finite(_ value: Double, _ setting: String) throws(ConfigurationError) {
    try require((-magnitude...magnitude).contains(value), setting, "-1e12 to 1e12", value)
  }

  static func notNegative(_ value: Double, _ setting: String, unless isUnused: Bool = false)
    throws(ConfigurationError)
  {
    try finite(value, setting)
    try require(isUnused || value >= 0, setting, "0 to 1e12", value)
  }

  static func positive(_ value: Double, _ setting: String, unless isUnused: Bool = false)
    throws(ConfigurationError)
  {
    try finite(value, setting)
    try require(isUnused || value > 0, setting, "above 0, at most 1e12", value)
  }

  static func penalty(_ value: Double, _ setting: String) throws(ConfigurationError) {
    try require((-magnitude...0).contains(value), setting, "-1e12 to 0", value)
  }

  static func decay(_ value: Double, _ setting: String, unless isUnused: Bool = false)
    throws(ConfigurationError)
  {
    try finite(value, setting)
    try require(isUnused || (value > 0 && value < 1), setting, "above 0, below 1", value)
  }

  static func duration(_ value: Duration, _ setting: String, unless isUnused: Bool = false)
    throws(ConfigurationError)
  {
    try require(
      isUnused || Duration.settings.contains(value), setting, "more than 0, at most ten years", value)
  }
}
