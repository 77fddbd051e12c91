// swift-tools-version: 6.2
import Foundation
import PackageDescription

// With GOSSIP_STRICT=1, as in CI, every warning in our own targets is an error; dependencies are left alone.
let strict: [SwiftSetting] =
  ProcessInfo.processInfo.environment["GOSSIP_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : []

let toolSettings: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ] + strict

/// For everything that meets remote input.
let settings: [SwiftSetting] = [.strictMemorySafety()] + toolSettings

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let ordered: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
  name: "swift-gossip",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "GossipHost", targets: ["GossipHost"]),
    .library(name: "GossipCore", targets: ["GossipCore"]),
    .library(name: "GossipLibp2p", targets: ["GossipLibp2p"]),
    .library(name: "GossipSim", targets: ["GossipSim"]),
    .library(name: "GossipFuzz", targets: ["GossipFuzz"]),
    .library(name: "GossipGauge", targets: ["GossipGauge"]),
    .executable(name: "gossip", targets: ["gossip"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
  ],
  targets: [
    // Pure: no I/O, clock, keys or dice.
    .target(name: "GossipCore", dependencies: [crypto, deque, heap, ordered], swiftSettings: settings),
    .target(
      name: "GossipLibp2p", dependencies: ["GossipCore", crypto, cryptoExtras, deque, ordered],
      swiftSettings: settings),
    .target(name: "GossipFuzz", dependencies: ["GossipCore", "GossipLibp2p"], swiftSettings: toolSettings),

    .target(
      name: "GossipSim", dependencies: ["GossipCore", heap, ordered], swiftSettings: settings),
    .target(
      name: "GossipGauge", dependencies: ["GossipCore", "GossipLibp2p", "GossipSim"],
      swiftSettings: toolSettings),

    // The only target that knows SwiftNIO.
    .target(
      name: "GossipHost",
      dependencies: [
        "GossipCore", "GossipLibp2p", deque, ordered, logging, nioCore, nioPosix, lifecycle,
        .product(name: "Metrics", package: "swift-metrics"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "gossip",
      dependencies: [
        "GossipCore", "GossipHost", "GossipLibp2p", "GossipSim", logging, lifecycle,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        "Yams",
      ],
      swiftSettings: toolSettings),

    .testTarget(
      name: "CoreTests", dependencies: ["GossipCore", crypto, ordered], swiftSettings: toolSettings),
    .testTarget(name: "NodeTests", dependencies: ["GossipCore", crypto], swiftSettings: toolSettings),
    .testTarget(name: "ArchitectureTests", swiftSettings: toolSettings),
    .testTarget(name: "FuzzTests", dependencies: ["GossipFuzz"], swiftSettings: toolSettings),
    .testTarget(
      name: "GaugeTests", dependencies: ["GossipCore", "GossipGauge", "GossipLibp2p"],
      swiftSettings: toolSettings),
    .testTarget(
      name: "CommandTests", dependencies: ["gossip", "GossipCore", "GossipLibp2p", "GossipSim"],
      swiftSettings: toolSettings),
    .testTarget(name: "SimTests", dependencies: ["GossipCore", "GossipSim"], swiftSettings: toolSettings),
    .testTarget(
      name: "HostTests",
      dependencies: [
        "GossipCore", "GossipHost", "GossipLibp2p", logging, nioCore, nioPosix, lifecycle,
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
      ],
      swiftSettings: toolSettings),
    .testTarget(
      name: "InteropTests",
      dependencies: ["GossipCore", "GossipHost", "GossipLibp2p", crypto, cryptoExtras],
      swiftSettings: toolSettings),
    .testTarget(
      name: "Libp2pTests", dependencies: ["GossipCore", "GossipLibp2p", crypto], swiftSettings: toolSettings),
  ],
  swiftLanguageModes: [.v6]
)
