/// Everything the wire's reader and writer refuse to exceed, on one page.
public struct WireLimits: Hashable, Sendable {
  /// Bytes of one frame, and so of one message with its fields. Go and Nim: 1 MiB; Rust: 64 KiB by default.
  public var frameSizeMax = 1 << 20
  /// Messages in one frame. Rust accepts 500; senders with small messages pack more.
  public var messagesPerFrame = 4_096
  /// Subscriptions in one frame.
  public var subscriptionsPerFrame = 4_096
  /// Control words in one frame; repeats of a word are cheap, so this is wide.
  public var controlsPerFrame = 20_000
  /// Message ids in one frame, over all its words. Go sends up to 5,000 per IHAVE.
  public var idsPerFrame = 20_000
  /// Bytes of a message id; the longest default in use is 72 (Rust's, as text).
  public var idSizeMax = 128
  /// Bytes of a topic's name.
  public var topicSizeMax = 512
  /// Whom a message for some may name; each takes about 40 bytes of it.
  public var recipientsMax = 1_024

  /// Bytes of control words we put into one frame: Rust refuses 16 KiB of them, or more.
  public var controlSizeSent = 16_000
  /// Bytes of messages we gather into one frame, unless a single one is larger: what Rust accepts.
  public var frameSizeSent = 65_536
  /// Messages we gather into one frame: what Rust accepts.
  public var messagesSent = 500
  /// Ids in one `dontWant` we send: Go reads ten per frame and ignores the rest.
  public var dontWantIDsSent = 10
  /// Adverts we put into one frame: what Bamboo's digests may be.
  public var advertsSent = 256

  /// The defaults.
  public init() {}

  func validate() throws(ConfigurationError) {
    for (name, value) in [
      ("frameSizeMax", frameSizeMax), ("messagesPerFrame", messagesPerFrame),
      ("subscriptionsPerFrame", subscriptionsPerFrame), ("controlsPerFrame", controlsPerFrame),
      ("idsPerFrame", idsPerFrame), ("idSizeMax", idSizeMax), ("topicSizeMax", topicSizeMax),
      ("controlSizeSent", controlSizeSent), ("frameSizeSent", frameSizeSent), ("messagesSent", messagesSent),
      ("dontWantIDsSent", dontWantIDsSent), ("advertsSent", advertsSent), ("recipientsMax", recipientsMax),
    ] { try Rule.count(value, atMost: 1 << 30, "wire.\(name)") }
    guard frameSizeMax >= 2_048, frameSizeSent <= frameSizeMax else {
      throw ConfigurationError(
        "wire.frameSizeMax", expected: "at least 2048 bytes and frameSizeSent (\(frameSizeSent))",
        found: "\(frameSizeMax)")
    }
    guard controlSizeSent <= frameSizeSent, controlSizeSent > topicSizeMax else {
      throw ConfigurationError(
        "wire.controlSizeSent",
        expected: "more than topicSizeMax (\(topicSizeMax)), at most frameSizeSent (\(frameSizeSent))",
        found: "\(controlSizeSent)")
    }
  }
}

extension Duration {
  /// What a setting may be: long enough to be counted, short enough to be added up.
  static let settings = Duration.nanoseconds(1)...Duration.seconds(10 * 365 * 86_400)
}
