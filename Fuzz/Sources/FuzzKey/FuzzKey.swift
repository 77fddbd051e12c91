import GossipFuzz

/// libFuzzer's entry for `FuzzTarget.key`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzTarget.key.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
