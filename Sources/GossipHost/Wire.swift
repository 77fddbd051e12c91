import GossipCore
import NIOCore

/// What carries a connection's bytes: a socket, or memory. Used on the connection's loop only.
protocol Wire: AnyObject {
  /// Whether more bytes should be written now.
  var isWritable: Bool { get }
  /// Sends so many bytes, which `fill` writes where they leave from; never waits, and tells `writabilityChanged` when
  /// it has room again.
  func write(_ size: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void)
  /// Stops or starts reading; unread bytes stay where they are.
  func setReading(_ isOn: Bool)
  /// Closes after what was written.
  func close()
}

/// A socket's end of a connection: a channel handler that copies nothing on its way in.
final class SocketWire: ChannelInboundHandler, Wire {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let connection: Connection
  private var context: ChannelHandlerContext?

  init(_ connection: Connection) { self.connection = connection }

  // MARK: From the channel

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { connection.start(on: self) }
  }

  func channelActive(context: ChannelHandlerContext) { connection.start(on: self) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    connection.receive(buffer.readableBytesSpan)
  }

  func channelReadComplete(context: ChannelHandlerContext) { connection.readComplete() }

  func channelWritabilityChanged(context: ChannelHandlerContext) { connection.writabilityChanged() }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    connection.transportEnded()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    connection.transportFailed(error)
    context.close(promise: nil)
  }

  // MARK: To the channel

  var isWritable: Bool { context?.channel.isWritable ?? false }

  func write(_ size: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
    guard let context else { return }
    var buffer = context.channel.allocator.buffer(capacity: size)
    unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { place in
      unsafe fill(.init(rebasing: place[..<size]))
      return size
    }
    context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  func setReading(_ isOn: Bool) {
    guard let context else { return }
    context.channel.setOption(.autoRead, value: isOn).whenFailure { _ in }  // the channel has just closed
  }

  func close() { context?.close(promise: nil) }
}
