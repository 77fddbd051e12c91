import GossipFuzz

/// libFuzzer's entry for `FuzzTarget.multistream`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzTarget.multistream.run(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
