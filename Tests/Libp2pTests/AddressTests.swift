import GossipCore
import Testing

@testable import GossipLibp2p

@Suite struct `A varint of libp2p` {
  // LP-1
  @Test(
    arguments: [
      (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16_384, "808001"),
    ] as [(UInt64, String)])
  func `encodes and decodes at the borders`(value: UInt64, text: String) throws {
    var bytes: [UInt8] = []
    Varint.append(value, to: &bytes)
    #expect(bytes == hex(text))
    #expect(try unsafe Varint.read(bytes.span.bytes) == .complete(value, size: bytes.count))
  }

  // LP-2
  @Test func `that is not minimal, over-long or cut off is refused`() throws {
    for text in ["8000", "818000", "ffffffffffffffffff01"] {
      let bytes = hex(text)
      #expect(throws: WireError.self) { try unsafe Varint.read(bytes.span.bytes) }
    }
    let cut = hex("80")
    #expect(try unsafe Varint.read(cut.span.bytes) == .incomplete)
  }
}

@Suite struct `An address` {
  // LP-9
  @Test(arguments: Vectors.multiaddrs) func `has one text and one encoding`(text: String, encoded: String)
    throws
  {
    let address = try Multiaddr(text)
    #expect(address.bytes == hex(encoded))
    #expect(address.description == text)
    #expect(try Multiaddr(bytes: hex(encoded)) == address)
  }

  @Test(arguments: [
    ("/ip6/::/tcp/0", "/ip6/::/tcp/0"), ("/ip6/1:0:0:2:0:0:0:3", "/ip6/1:0:0:2::3"),
    ("/ip6/::ffff:1.2.3.4", "/ip6/::ffff:102:304"), ("/ip6/ABCD::", "/ip6/abcd::"),
    ("/ip6/1:2:3:4:5:6:7:8", "/ip6/1:2:3:4:5:6:7:8"), ("/ip6/1:0:2:3:4:5:6:7", "/ip6/1:0:2:3:4:5:6:7"),
    ("/memory/18446744073709551615", "/memory/18446744073709551615"),
  ])
  func `is written in canonical form`(text: String, canonical: String) throws {
    #expect(try Multiaddr(text).description == canonical)
  }

  // LP-10
  @Test(arguments: [
    "", "/", "ip4/1.2.3.4", "/ip4", "/ip4/", "/ip4/1.2.3", "/ip4/1.2.3.256", "/ip4/01.2.3.4",
    "/ip4/1.2.3.4.5",
    "/ip6/1::2::3", "/ip6/12345::", "/ip6/1:2:3:4:5:6:7", "/ip6/1:2:3:4:5:6:7:8:9", "/ip6/:1:2:3:4:5:6:7",
    "/ip6/:::", "/ip6/g::", "/ip4/1.2.3.4/tcp", "/ip4/1.2.3.4/tcp/65536", "/ip4/1.2.3.4/tcp/-1",
    "/ip4/1.2.3.4/tcp/080", "/ip4/1.2.3.4/tcp/1/", "/nonsense/1", "/p2p/abc", "/dns//tcp/1",
    "/dns/a b/tcp/1", "/unix", "/ip4/127.0.0.1/tcp/1/ws/x",
  ])
  func `of malformed text is refused`(text: String) {
    #expect(throws: MultiaddrError.self) { try Multiaddr(text) }
  }

  // LP-10
  @Test func `of malformed bytes is refused`() {
    let refused = [
      "", "04", "047f0000", "0600", "2900", "35", "3505616263", "3500", "3503612f62", "a503", "a5030100",
      "a50322122000", "ffff03", "e703", "8400" + "7f000001", "047f000001" + "04",
    ]
    for text in refused { #expect(throws: MultiaddrError.self) { try Multiaddr(bytes: hex(text)) } }
    let long = [UInt8](repeating: 0, count: Multiaddr.sizeMax + 1)
    #expect(throws: MultiaddrError.self) { try Multiaddr(bytes: long) }
    let many = (0..<17).flatMap { _ in hex("c603") }
    #expect(throws: MultiaddrError.self) { try Multiaddr(bytes: many) }
  }

  // LP-10
  @Test func `has nothing behind a path, whose text would swallow it`() throws {
    let path = hex("90030a72756e2f782e736f636b")
    let socket = try Multiaddr(bytes: path)
    #expect(throws: MultiaddrError.notLast(part: "unix")) { try Multiaddr(bytes: path + path) }
    #expect(throws: MultiaddrError.notLast(part: "unix")) { try socket.encapsulating(Multiaddr("/ws")) }
    #expect(socket.with(someone(1).peer) == socket)
    #expect(try Multiaddr("/ip4/1.2.3.4/unix/a/ws").description == "/ip4/1.2.3.4/unix/a/ws")
  }

  @Test func `whose name begins with a combining mark is read back from its text`() throws {
    // The mark and the slash before it are one Character; only their bytes tell them apart.
    for name in ["\u{34a}", "\u{301}x", "\u{200d}", "\u{fe0f}"] {
      let value = Array(name.utf8)
      let address = try Multiaddr(bytes: [54, UInt8(value.count)] + value + [6, 0, 80])
      #expect(try Multiaddr(address.description) == address)
    }
  }

  @Test func `tells its TCP endpoint, whatever names the host`() throws {
    func endpoint(_ text: String) throws -> Multiaddr.TCPEndpoint? { try Multiaddr(text).tcpEndpoint }
    let peer = someone(1).peer
    #expect(try endpoint("/ip4/1.2.3.4/tcp/80/p2p/\(peer)") == .init(kind: .ip4, host: "1.2.3.4", port: 80))
    #expect(try endpoint("/ip6/::1/tcp/80") == .init(kind: .ip6, host: "::1", port: 80))
    #expect(
      try endpoint("/ip6zone/eth0/ip6/fe80::1/tcp/1") == .init(kind: .ip6, host: "fe80::1%eth0", port: 1))
    #expect(try endpoint("/dns4/a.example/tcp/443") == .init(kind: .dns4, host: "a.example", port: 443))
    for other in ["/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/80/ws", "/dnsaddr/a", "/unix/a", "/tcp/1"] {
      #expect(try endpoint(other) == nil)
    }
    #expect(Multiaddr(ip: "fe80::1%eth0", tcp: 1)?.description == "/ip6zone/eth0/ip6/fe80::1/tcp/1")
    #expect(Multiaddr(ip: "nonsense", tcp: 1) == nil)
  }

  @Test func `gains and loses its peer`() throws {
    let (bare, peer) = (try Multiaddr("/ip4/1.2.3.4/tcp/80"), someone(1).peer)
    let full = bare.with(peer)
    #expect(full.description == "/ip4/1.2.3.4/tcp/80/p2p/\(peer)")
    #expect(full.peer == peer && bare.peer == nil)
    #expect(full.withoutPeer == bare && bare.with(someone(2).peer).with(peer) == full)
    #expect(try Multiaddr("/ipfs/\(peer)") == Multiaddr("/p2p/\(peer)"))
    #expect(try Multiaddr("/p2p/\(peer)").withoutPeer == nil)
    #expect(try bare.encapsulating(Multiaddr("/ws")).description == "/ip4/1.2.3.4/tcp/80/ws")
  }

  @Test func `with a peer in CID form shows base58`() throws {
    let peer = someone(1).peer
    #expect(try Multiaddr("/p2p/\(peer.cid)").description == "/p2p/\(peer)")
  }

  // LP-10
  @Test func `that nobody knows leaves the others of a list`() {
    let peer = someone(1).peer
    let listed = [hex("ffff0301"), hex("047f000001060fa1")].compactMap { Multiaddr(listed: $0, of: peer) }
    #expect(listed.map(\.description) == ["/ip4/127.0.0.1/tcp/4001"])
  }

  @Test func `begins with an IP address, or has none`() throws {
    #expect(try Multiaddr("/ip4/10.0.0.1/tcp/1").ip == [10, 0, 0, 1])
    #expect(try Multiaddr("/ip6/::1/tcp/1").ip == [UInt8](repeating: 0, count: 15) + [1])
    #expect(try Multiaddr("/dns4/example.org/tcp/1").ip == [])
    #expect(try Multiaddr("/memory/7").ip == [])
  }
}
