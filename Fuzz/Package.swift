// swift-tools-version: 6.2
import PackageDescription

// A package of its own: fuzz targets link only with a sanitizer. `Scripts/fuzz` builds and runs them.
let targets = [
  "Frame", "Multistream", "Noise", "Yamux", "Identify", "Multiaddr", "Key", "Envelope", "Session", "Node",
]

let package = Package(
  name: "swift-gossip-fuzz",
  platforms: [.macOS(.v15)],
  products: targets.map { .executable(name: "Fuzz\($0)", targets: ["Fuzz\($0)"]) },
  dependencies: [.package(name: "swift-gossip", path: "..")],
  targets: targets.map { name in
    .executableTarget(
      name: "Fuzz\(name)",
      dependencies: [.product(name: "GossipFuzz", package: "swift-gossip")],
      // libFuzzer brings the main function.
      swiftSettings: [.unsafeFlags(["-parse-as-library"])])
  },
  swiftLanguageModes: [.v6]
)
