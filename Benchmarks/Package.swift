// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that building and testing swift-gossip does not pay for it.
let package = Package(
  name: "swift-gossip-benchmarks",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "swift-gossip", path: "..")
  ],
  targets: [
    .executableTarget(
      name: "bench",
      dependencies: [
        .product(name: "GossipCore", package: "swift-gossip"),
        .product(name: "GossipGauge", package: "swift-gossip"),
        .product(name: "GossipHost", package: "swift-gossip"),
        .product(name: "GossipLibp2p", package: "swift-gossip"),
        .product(name: "GossipSim", package: "swift-gossip"),
      ],
      swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
      ])
  ],
  swiftLanguageModes: [.v6]
)
