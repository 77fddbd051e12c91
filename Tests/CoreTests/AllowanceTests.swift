/// How long a peer's queue of unchecked messages may be, and when we stop reading.

import Testing

@testable import GossipCore

@Suite struct `An allowance` {
  let parameters = AllowanceParameters()

  // BB-9, BT-40
  @Test(
    arguments: [
      (0, 16), (1, 32), (2, 41), (3, 48), (15, 80), (63, 112), (255, 144), (1_023, 176), (65_535, 272),
      (1 << 31 - 1, 512), (1 << 40, 512), (.max, 512),
    ] as [(UInt64, Int)]) func `grows with the logarithm of the good messages`(good: UInt64, places: Int)
  {
    #expect(parameters.places(good: good) == places)
  }

  // BT-40
  @Test func `rounds down exactly`() {
    // ⌊16 · log₂ x⌋ = n if 2^n ≤ x^16 < 2^(n + 1): x^16 fits 128 bits below 2⁸.
    for x in 1...255 as ClosedRange<UInt64> {
      let power = (1...16).reduce(1 as UInt128) { product, _ in product * UInt128(x) }
      #expect(AllowanceParameters.sixteenthsOfLog2(x) == 127 - power.leadingZeroBitCount, "\(x)")
    }
    for exponent in 0..<64 as Range<UInt64> {
      #expect(AllowanceParameters.sixteenthsOfLog2(1 << exponent) == 16 * Int(exponent))
      if exponent > 4 {
        #expect(AllowanceParameters.sixteenthsOfLog2(1 << exponent - 1) == 16 * Int(exponent) - 1)
      }
    }
    #expect(AllowanceParameters.sixteenthsOfLog2(.max) == 1_023)
    #expect(AllowanceParameters.sixteenthsOfLog2(0) == 0)
  }

  @Test func `may count whole doublings only`() {
    var coarse = parameters
    (coarse.base, coarse.placesPerDoubling) = (4, 1)
    #expect([0, 1, 2, 3, 6, 7, 1_023].map { coarse.places(good: $0) } == [4, 5, 5, 6, 6, 7, 14])
  }

  // BT-41, BT-42
  @Test func `pauses a new peer at its sixteenth unchecked message, and reads on when one is settled`() {
    var allowance = Allowance(parameters)
    for _ in 0..<15 {
      let mustPause = allowance.charge(100, parameters)
      #expect(!mustPause)
    }
    let mustPause = allowance.charge(100, parameters)
    #expect(mustPause && allowance.isPaused)
    let again = allowance.charge(100, parameters)  // it was on its way
    #expect(!again && allowance.count == 17 && allowance.pauses == 1)
    let isEnough = allowance.discharge(100, parameters)
    #expect(!isEnough && allowance.count == 16)
    let mayResume = allowance.discharge(100, parameters)
    #expect(mayResume && !allowance.isPaused && allowance.bytes == 1_500)
  }

  @Test func `waits for an eighth of the queue if told to`() {
    var lazy = parameters
    lazy.hysteresisEighths = 2
    var allowance = Allowance(lazy)
    for _ in 0..<16 { _ = allowance.charge(1, lazy) }
    let resumes = (0..<6).map { _ in allowance.discharge(1, lazy) }
    #expect(resumes == [false, false, false, false, true, false], "4 of 16 places are free")
  }

  // BT-45
  @Test func `pauses at the bytes its places stand for`() {
    var allowance = Allowance(parameters)
    let large = allowance.charge(16 * 65_536 - 1, parameters)
    let mustPause = allowance.charge(1, parameters)
    #expect(!large && mustPause && allowance.count == 2)
    let mayResume = allowance.discharge(1, parameters)
    #expect(mayResume)
  }

  // BT-44
  @Test func `grows by what was verified only, and begins anew after a failure`() {
    var allowance = Allowance(parameters)
    for _ in 0..<100 { _ = allowance.charge(1, parameters) }
    for _ in 0..<100 { _ = allowance.discharge(1, parameters) }
    #expect(allowance.places == 16)
    for _ in 0..<255 { _ = allowance.verified(parameters) }
    #expect(allowance.places == 144 && allowance.good == 255)
    for _ in 0..<100 { _ = allowance.charge(1, parameters) }
    #expect(!allowance.isPaused)
    allowance.failed(parameters)
    #expect(allowance.places == 16 && allowance.count == 100, "what is in the queue stays there")
    #expect(!allowance.isPaused, "and what is full by that pauses with the next message")
    let mustPause = allowance.charge(1, parameters)
    #expect(mustPause)
    let resumes = (0..<86).map { _ in allowance.discharge(1, parameters) }
    #expect(resumes.firstIndex(of: true) == 85)
  }

  // BT-42
  @Test func `reads on when the queue became longer`() {
    var allowance = Allowance(parameters)
    for _ in 0..<16 { _ = allowance.charge(1, parameters) }
    #expect(allowance.isPaused)
    let mayResume = allowance.verified(parameters)
    #expect(mayResume && !allowance.isPaused)
  }

  // BT-41, BT-44
  @Test(arguments: 0..<6 as Range<UInt64>) func `is never paused with room nor open when full`(seed: UInt64) {
    var dice = Dice(seed)
    var parameters = AllowanceParameters()
    (parameters.base, parameters.placesMax, parameters.bytesPerPlace) = (3, 40, 50)
    var allowance = Allowance(parameters)
    var queue: [Int] = []
    for _ in 0..<4_000 {
      switch dice.number(0...9) {
      case 0...4:
        let size = dice.number(0...120)
        queue.append(size)
        _ = allowance.charge(size, parameters)
      case 5...7: if !queue.isEmpty { _ = allowance.discharge(queue.removeFirst(), parameters) }
      case 8: _ = allowance.verified(parameters)
      default: if dice.chance(1, in: 20) { allowance.failed(parameters) }
      }
      let bytes = queue.reduce(0, +)
      let isFull = queue.count >= allowance.places || bytes >= allowance.places * 50
      guard allowance.count == queue.count, allowance.bytes == bytes, !allowance.isPaused || isFull else {
        Issue.record("\(queue.count) of \(allowance.places), \(bytes) bytes, paused \(allowance.isPaused)")
        return
      }
    }
  }

  @Test func `refuses parameters that cannot work`() {
    func refused(_ change: (inout AllowanceParameters) -> Void) -> String? {
      var changed = AllowanceParameters()
      change(&changed)
      return settingRefused(changed.validate)
    }
    #expect(refused { _ in } == nil)
    #expect(refused { $0.base = 0 } == "allowance.base")
    #expect(refused { $0.placesMax = 15 } == "allowance.placesMax")
    #expect(refused { $0.placesMax = 16 } == nil)
    #expect(refused { $0.bytesPerPlace = 0 } == "allowance.bytesPerPlace")
    #expect(refused { $0.placesPerDoubling = 3 } == "allowance.placesPerDoubling")
    #expect(refused { $0.hysteresisEighths = 8 } == "allowance.hysteresisEighths")
    #expect(refused { $0.hysteresisEighths = -1 } == "allowance.hysteresisEighths")
  }
}
