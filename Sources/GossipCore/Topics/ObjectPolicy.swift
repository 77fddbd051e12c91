/// Whether a topic carries payloads too large for one message, and how they are cut.
///
/// Such a payload travels as a *manifest*: a message of the topic that names content-addressed pieces, which are
/// fetched from whoever has the object, several at a time. Nobody passes a manifest on before it has all pieces.
/// Source: the Internet Computer's chunked artifacts; Casper's blocks, which wait for what they consist of.
public struct ObjectPolicy: Hashable, Sendable {
  /// Payloads of more bytes than this become objects.
  public var threshold: Int
  /// Bytes of a piece; the last one may be shorter.
  public var pieceSize: Int
  /// Bytes of the largest object taken or published.
  public var sizeMax: Int

  /// - Parameters: bytes each; a frame has room for a piece of 1 MiB less 1 KiB.
  public init(threshold: Int = 256 << 10, pieceSize: Int = 64 << 10, sizeMax: Int = 64 << 20) {
    (self.threshold, self.pieceSize, self.sizeMax) = (threshold, pieceSize, sizeMax)
  }

  /// Pieces of the largest object.
  public static let piecesMax = 16_384

  func validate() throws(ConfigurationError) {
    guard (1_024...(1 << 20) - 1_024).contains(pieceSize) else {
      throw ConfigurationError("objects.pieceSize", expected: "1 KiB to 1 MiB - 1 KiB", found: "\(pieceSize)")
    }
    guard threshold >= 0, sizeMax > threshold, sizeMax <= 1 << 40 else {
      throw ConfigurationError(
        "objects.sizeMax", expected: "more than the threshold (\(threshold)), at most 2^40 bytes",
        found: "\(sizeMax)")
    }
    guard (sizeMax + pieceSize - 1) / pieceSize <= ObjectPolicy.piecesMax else {
      throw ConfigurationError(
        "objects.pieceSize", expected: "pieces so large that \(ObjectPolicy.piecesMax) make an object",
        found: "\(pieceSize)")
    }
  }
}
