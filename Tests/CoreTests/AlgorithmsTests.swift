/// Powers, and binary searches.

import Testing

@testable import GossipCore

@Suite struct `An algorithm` {
  @Test func `multiplies a number with itself alike everywhere`() {
    #expect((0...5).map { power(2, $0) } == [1, 2, 4, 8, 16, 32])
    #expect(power(0.5, -1) == 1 && power(0.999, Int64.max) == 0 && power(1, Int64.max) == 1)
  }

  @Test func `finds the first place from which on something holds`() {
    for count in 0...9 {
      for place in 0...count {
        let sorted = Array(100..<100 + count)
        #expect(sorted.partitioningIndex { $0 >= 100 + place } == place)
        #expect(sorted.dropFirst(place).partitioningIndex { $0 >= 100 + place } == place, "of a slice")
      }
    }
  }
}
