import ArgumentParser
import Foundation
import GossipCore
import GossipHost
import GossipLibp2p

/// `gossip keygen`: makes an identity.
struct Keygen: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an Ed25519 identity: print its peer id, write its private key to a file.",
    discussion: "The file holds libp2p's PrivateKey message in base64, readable by its owner only.")

  @Option(name: .shortAndLong, help: "File to write the private key to; without it the key is printed.")
  var output: String?

  @Flag(name: .long, help: "Replace the file if it exists.")
  var force = false

  @Flag(name: .long, help: "One JSON object per line.")
  var json = false

  func run() async throws {
    let identity = Identity.random()
    if let output { try KeyFile.write(identity, to: output, replacing: force) }
    if json || output == nil {
      var line = JSONLine()
      line.add("peer_id", identity.peer.description)
      if output == nil { line.add("private_key", KeyFile.text(of: identity)) }
      if let output { line.add("file", output) }
      Terminal.print(line.text)
    } else {
      Terminal.print(identity.peer.description)
    }
  }
}

/// Private keys in files.
enum KeyFile {
  static func text(of identity: Identity) -> String {
    Data(identity.privateKeyProtobuf).base64EncodedString()
  }

  /// - Throws: `ExitCode` 3 with an explanation on standard error if the file is no key, 1 if it cannot be read.
  static func read(_ path: String) throws -> Identity {
    let text: String
    do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
      Terminal.say("gossip: cannot read the key file \(path): \(error.localizedDescription)")
      throw Exit.failed
    }
    guard let bytes = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
      Terminal.say("gossip: \(path): expected one line of base64, as `gossip keygen --output` writes it")
      throw Exit.badConfiguration
    }
    do { return try Identity(privateKeyProtobuf: [UInt8](bytes)) } catch {
      Terminal.say("gossip: \(path): \(error)")
      throw Exit.badConfiguration
    }
  }

  /// Creates the file readable by its owner alone, before anything is in it.
  static func write(_ identity: Identity, to path: String, replacing: Bool) throws {
    let flags = O_WRONLY | O_CREAT | O_TRUNC | (replacing ? 0 : O_EXCL)
    let file = open(path, flags, 0o600)
    guard file >= 0 else {
      let reason =
        errno == EEXIST ? "it exists already; --force replaces it" : String(cString: strerror(errno))
      Terminal.say("gossip: cannot write \(path): \(reason)")
      throw Exit.failed
    }
    defer { close(file) }
    fchmod(file, 0o600)
    Terminal.write(text(of: identity) + "\n", to: file)
  }
}
