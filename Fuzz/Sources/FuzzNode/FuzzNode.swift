import GossipFuzz

/// libFuzzer's entry for `FuzzTarget.node`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzTarget.node.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
