import GossipFuzz

/// libFuzzer's entry for `FuzzTarget.identify`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzTarget.identify.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
