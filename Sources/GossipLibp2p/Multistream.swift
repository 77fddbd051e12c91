/// Agreeing on a protocol: multistream-select 1.0 (libp2p `connections/README.md`).
///
/// Each side sends a header; the initiator proposes, the responder echoes the proposal or says `na`. A token is
/// its length (libp2p varint), its text and a newline. Both machines consume exactly the bytes of the
/// negotiation: what follows the accepted proposal, perhaps in the same segment, belongs to the protocol.

package import GossipCore

/// What one negotiation may cost.
package struct NegotiationLimits: Hashable, Sendable {
  /// Bytes of a token with its newline. Go: 1024.
  package var tokenSizeMax = 1_024
  /// Proposals we read before giving up. Go has no limit.
  package var proposalsMax = 64

  package init() {}
}

/// How a peer broke the negotiation.
package enum NegotiationError: Error, Hashable, Sendable, CustomStringConvertible {
  case malformed(String)
  case tokenTooLong(Int, limit: Int)
  case wrongHeader(found: String)
  case tooManyProposals(limit: Int)
  /// The answer is neither what we proposed nor `na`.
  case wrongAnswer(expected: String, found: String)

  package var description: String {
    switch self {
    case .malformed(let what): "malformed token: \(what)"
    case .tokenTooLong(let size, let limit): "token of \(size) bytes, the limit is \(limit)"
    case .wrongHeader(let found): "expected the header \(Multistream.header), found \"\(found)\""
    case .tooManyProposals(let limit): "more than \(limit) proposals"
    case .wrongAnswer(let expected, let found): "expected an answer to \(expected), found \"\(found)\""
    }
  }
}

package enum Multistream {
  package static let header: ProtocolName = "/multistream/1.0.0"
  static let na: ProtocolName = "na"

  /// Appends a token: length, text, newline.
  package static func append(_ name: ProtocolName, to out: inout [UInt8]) {
    Varint.append(UInt64(name.name.utf8.count + 1), to: &out)
    out.append(contentsOf: name.name.utf8)
    out.append(0x0a)
  }

  /// Reads tokens from any split of the bytes.
  struct TokenReader: Sendable {
    private var held: [UInt8] = []
    /// Bytes of the token being read, newline included, once its length is known.
    private var length: Int?

    /// The next token without its newline, or nil if the bytes end first.
    mutating func next(_ bytes: RawSpan, _ offset: inout Int, _ limits: NegotiationLimits)
      throws(NegotiationError) -> String?
    {
      while offset < bytes.byteCount {
        if let length {
          let taken = min(length - held.count, bytes.byteCount - offset)
          held.append(contentsOf: bytes.copy(offset..<offset + taken))
          offset += taken
          if held.count == length { return try token() }
        } else {
          held.append(bytes.octet(at: offset))
          offset += 1
          try readLength(limits)
        }
      }
      return nil
    }

    private mutating func readLength(_ limits: NegotiationLimits) throws(NegotiationError) {
      let reading: Varint.Reading
      do { reading = try unsafe Varint.read(held.span.bytes) } catch {
        throw .malformed("its length: \(error)")
      }
      guard case .complete(let value, _) = reading else { return }
      guard value > 0 else { throw .malformed("empty") }
      guard value <= UInt64(limits.tokenSizeMax) else {
        throw .tokenTooLong(Int(value), limit: limits.tokenSizeMax)
      }
      length = Int(value)
      held.removeAll(keepingCapacity: true)
    }

    private mutating func token() throws(NegotiationError) -> String {
      guard held.popLast() == 0x0a else { throw .malformed("no newline at its end") }
      guard let text = String(validating: held, as: UTF8.self) else { throw .malformed("not UTF-8") }
      held.removeAll(keepingCapacity: true)
      length = nil
      return text
    }
  }

  /// The side that is asked.
  package struct Responder: Sendable {
    private var reader = TokenReader()
    private var headerRead = false
    private var proposals = 0

    package init() {}

    /// The responder's header goes out at once: two sides that wait for each other never start.
    package func start(into out: inout [UInt8]) { Multistream.append(header, to: &out) }

    /// Reads proposals, answers each into `out`, and returns the first that is in `accepted`, with `offset`
    /// behind it; nil if the bytes end before.
    package mutating func receive(
      _ bytes: RawSpan, _ offset: inout Int, accepting accepted: [ProtocolName], _ limits: NegotiationLimits,
      into out: inout [UInt8]
    ) throws(NegotiationError) -> ProtocolName? {
      while let token = try reader.next(bytes, &offset, limits) {
        guard headerRead else {
          guard token == header.name else { throw .wrongHeader(found: String(token.prefix(64))) }
          headerRead = true
          continue
        }
        proposals += 1
        let name = ProtocolName(token)
        if accepted.contains(name) {
          Multistream.append(name, to: &out)
          return name
        }
        guard proposals < limits.proposalsMax else { throw .tooManyProposals(limit: limits.proposalsMax) }
        // `ls` and simultaneous-open are proposals we do not know, like any other.
        Multistream.append(na, to: &out)
      }
      return nil
    }
  }

  /// The side that asks.
  package struct Initiator: Sendable {
    package enum Outcome: Hashable, Sendable {
      case waiting
      case agreed(ProtocolName)
      /// Every proposal was answered with `na`.
      case refused
    }

    private var reader = TokenReader()
    private var headerRead = false
    private let proposals: [ProtocolName]
    private var proposed = 0

    /// - Parameter proposals: at least one, the most wanted first.
    package init(_ proposals: [ProtocolName]) {
      precondition(!proposals.isEmpty, "0 proposals")
      self.proposals = proposals
    }

    /// Header and first proposal in one go; the rest only after `na`.
    package func start(into out: inout [UInt8]) {
      Multistream.append(header, to: &out)
      Multistream.append(proposals[0], to: &out)
    }

    /// Reads answers, proposes the next protocol into `out` where one was refused.
    package mutating func receive(
      _ bytes: RawSpan, _ offset: inout Int, _ limits: NegotiationLimits, into out: inout [UInt8]
    ) throws(NegotiationError) -> Outcome {
      while let token = try reader.next(bytes, &offset, limits) {
        guard headerRead else {
          guard token == header.name else { throw .wrongHeader(found: String(token.prefix(64))) }
          headerRead = true
          continue
        }
        let proposal = proposals[proposed]
        if token == proposal.name { return .agreed(proposal) }
        guard token == na.name else {
          throw .wrongAnswer(expected: proposal.name, found: String(token.prefix(64)))
        }
        proposed += 1
        guard proposed < proposals.count else { return .refused }
        Multistream.append(proposals[proposed], to: &out)
      }
      return .waiting
    }
  }
}
