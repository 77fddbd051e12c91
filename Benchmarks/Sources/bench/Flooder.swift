import Foundation
import GossipCore
import GossipGauge
import GossipLibp2p

/// The hostile process: says prepared messages as fast as the socket takes them, round and round.
struct Flooder {
  private let settings: Settings

  init(_ settings: Settings) { self.settings = settings }

  /// Starts it; when this returns it has prepared its messages, and begins.
  static func start(_ settings: Settings, at address: Multiaddr) throws -> Process {
    let child = Process()
    let pipe = Pipe()
    child.executableURL = URL(filePath: Suite.executable)
    child.arguments = ["flood-sender"] + settings.arguments + ["address=\(address)"]
    child.standardOutput = pipe
    try child.run()
    guard !pipe.fileHandleForReading.availableData.isEmpty else {
      throw Settings.Fault(description: "the flooder ended at once")
    }
    return child
  }

  /// Until it is ended, or whoever started it is gone.
  func run() throws {
    _ = nice(Int32(settings.number("nice", 0)))
    let address = try Multiaddr(settings.text("address", ""))
    let isGenuine = settings.text("kind", "signed") == "signed"
    let (size, count) = (Flood.size(settings), settings.number("prepared", 50_000))
    var key: UInt8 = 100
    let parent = getppid()
    var (peer, frames) = (BarePeer(seed: key, connection: 1, on: Flood.topic), [Frame]())
    while getppid() == parent {
      frames = (0..<count).map { frame(of: peer, $0, size, isGenuine) }
      if key == 100 { FileHandle.standardOutput.write(Data("ready\n".utf8)) }
      flood(&peer, frames, at: address)
      key = key == 255 ? 101 : key + 1
      peer = BarePeer(seed: key, connection: key, on: Flood.topic)
    }
  }

  private func frame(of peer: BarePeer, _ number: Int, _ size: Int, _ isGenuine: Bool) -> Frame {
    var bytes = [UInt8](repeating: 0, count: size)
    for shift in 0..<8 { bytes[8 + shift] = UInt8(truncatingIfNeeded: number >> (8 * shift)) }
    var frame = Frame(.gossipSub)
    frame.messages = [peer.message(UInt64(number + 1), Payload(bytes), isGenuine: isGenuine)]
    return frame
  }

  /// Until it is left.
  private func flood(_ peer: inout BarePeer, _ frames: [Frame], at address: Multiaddr) {
    guard let socket = try? Deaf.dial(address, readBuffer: nil) else {
      usleep(100_000)  // the victim has no room for us at the moment
      return
    }
    defer { close(socket) }
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    var (output, next) = ([UInt8]()[...], 0)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    peer.start(at: Deaf.now)
    while true {
      if output.isEmpty {
        var budget = 64
        while peer.hasJoined, budget > 0, peer.say(frames[next % frames.count]) {
          (next, budget) = (next + 1, budget - 1)
        }
        output = peer.takeOutput()[...]
      }
      var state = pollfd(fd: socket, events: Int16(POLLIN | (output.isEmpty ? 0 : POLLOUT)), revents: 0)
      poll(&state, 1, 1_000)
      if state.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
        let count = read(socket, &buffer, buffer.count)
        if count == 0 || (count < 0 && errno != EAGAIN) { return }
        if count > 0 { peer.receive(Array(buffer[..<count]), at: Deaf.now) }
      }
      if state.revents & Int16(POLLOUT) != 0 {
        let count = output.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count < 0, errno != EAGAIN { return }
        output = output.dropFirst(max(0, count))
      }
      peer.wake(at: Deaf.now)
    }
  }
}
