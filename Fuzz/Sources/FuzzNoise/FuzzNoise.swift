import GossipFuzz

/// libFuzzer's entry for `FuzzTarget.noise`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzTarget.noise.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
