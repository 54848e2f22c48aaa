// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
//
// The rooms of Coldvault, floor by floor; an arrow may only point down (Docs/Modules.md, Tests/Tools/check_layers.py).

import PackageDescription

/// House settings: Swift 6 mode, warnings are errors, imports are spelled out and internal unless they are part of an interface.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
/// Rooms that touch C or system calls also mark every unsafe expression.
let unsafeRoom: [SwiftSetting] = house + [.strictMemorySafety()]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird: [Target.Dependency] = [
    .product(name: "Hummingbird", package: "hummingbird"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
]

let package = Package(
    name: "coldvault",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "coldvault", targets: ["coldvault"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: [.defaults, "YAML"]),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        // Linux is contributor-maintained upstream: pinned exactly, and held to our own law suite.
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        // MARK: C
        .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        // Optimised in debug builds too, whose tests would otherwise wait for it.
        .target(name: "CSHA256Lanes", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),

        // MARK: pure core: bytes and values in, bytes, values or actions out
        .target(name: "CanonicalJSON", swiftSettings: house),
        .target(name: "Cryptography", dependencies: ["CLibcrypto", "CSHA256Lanes"], swiftSettings: unsafeRoom),
        .target(name: "Compression", dependencies: ["CLZ4"], swiftSettings: unsafeRoom),
        .target(name: "TreeHash", dependencies: ["Cryptography"], swiftSettings: house),
        .target(name: "VaultModel", dependencies: ["Cryptography", "TreeHash"], swiftSettings: house),
        .target(
            name: "SealedArchive",
            dependencies: ["CanonicalJSON", "Compression", "Cryptography", "TreeHash"], swiftSettings: house),
        .target(name: "RequestSignature", dependencies: ["Cryptography"], swiftSettings: house),
        .target(name: "AccessPolicy", dependencies: ["CanonicalJSON", "VaultModel"], swiftSettings: house),

        // MARK: contracts
        .target(name: "Execution", dependencies: [nioPosix], swiftSettings: house),
        .target(name: "Storage", dependencies: ["Cryptography", "VaultModel", nio], swiftSettings: house),
        .target(name: "Messaging", dependencies: ["VaultModel"], swiftSettings: house),

        // MARK: adapters
        .target(
            name: "PosixDisk", dependencies: ["Storage", "Execution", "Cryptography", "VaultModel", nio], swiftSettings: unsafeRoom),
        .target(name: "FileBlobStore", dependencies: ["Storage", "VaultModel", nio], swiftSettings: house),
        .target(
            name: "MirroredBlobStore", dependencies: ["CanonicalJSON", "Cryptography", "Execution", "Storage", "VaultModel", nio],
            swiftSettings: house),
        .target(name: "FileKeyCustody", dependencies: ["Storage", "Cryptography", "VaultModel", nio], swiftSettings: house),
        .target(
            name: "SQLiteCatalog",
            dependencies: [
                "Storage", "Execution", "VaultModel", "Cryptography", nio, .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: house),

        .target(
            name: "MessageDelivery",
            dependencies: [
                "CanonicalJSON", "Cryptography", "Execution", "Messaging", "Storage", "VaultModel", nio, nioPosix,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ], swiftSettings: house),

        // MARK: engine
        .target(
            name: "VaultEngine",
            dependencies: [
                "AccessPolicy", "CanonicalJSON", "Cryptography", "Execution", "Messaging", "SealedArchive", "Storage", "TreeHash",
                "VaultModel",
                nio, logging, metrics,
            ], swiftSettings: house),

        // MARK: edges
        .target(name: "Observability", dependencies: [logging, metrics, nio], swiftSettings: house),
        .target(
            name: "ServiceConfiguration",
            dependencies: ["VaultModel", .product(name: "Configuration", package: "swift-configuration")],
            swiftSettings: house),
        .target(
            name: "GlacierAPI",
            dependencies: [
                "CanonicalJSON", "Cryptography", "RequestSignature", "TreeHash", "VaultEngine", "VaultModel", nio, logging,
                metrics, lifecycle, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + hummingbird, swiftSettings: house),
        .target(
            name: "AdminAPI",
            dependencies: [
                "AccessPolicy", "CanonicalJSON", "Messaging", "Observability", "Storage", "VaultEngine", "VaultModel", nio, logging, metrics,
                lifecycle,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + hummingbird,
            swiftSettings: house),
        .target(
            name: "VaultClient",
            dependencies: [
                "CanonicalJSON", "Cryptography", "Execution", "RequestSignature", "TreeHash", nio, nioPosix,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ], swiftSettings: house),

        // MARK: executable: the only place that sees adapters and engine together
        .executableTarget(
            name: "coldvault",
            dependencies: [
                "AdminAPI", "CanonicalJSON", "Cryptography", "Execution", "FileBlobStore", "FileKeyCustody", "GlacierAPI",
                "AccessPolicy", "MessageDelivery", "Messaging", "MirroredBlobStore", "Observability", "PosixDisk", "SQLiteCatalog", "SealedArchive",
                "ServiceConfiguration", "Storage", "TreeHash", "VaultClient", "VaultEngine", "VaultModel",
                nio, nioPosix, logging, metrics, lifecycle,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + hummingbird, swiftSettings: house),

        // MARK: tests: each room's own, and the law suites that any adapter runs
        .target(
            name: "StorageLaws", dependencies: ["Storage", "Cryptography", "VaultModel", nio], path: "Tests/StorageLaws",
            swiftSettings: house),
        .testTarget(name: "CanonicalJSONTests", dependencies: ["CanonicalJSON"], swiftSettings: house),
        .testTarget(name: "CryptographyTests", dependencies: ["Cryptography", "CanonicalJSON"], swiftSettings: house),
        .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: house),
        .testTarget(name: "TreeHashTests", dependencies: ["TreeHash", "Cryptography"], swiftSettings: house),
        .testTarget(
            name: "SealedArchiveTests",
            dependencies: ["SealedArchive", "TreeHash", "Cryptography", "CanonicalJSON", "Compression"], swiftSettings: house),
        .testTarget(name: "RequestSignatureTests", dependencies: ["RequestSignature", "Cryptography"], swiftSettings: house),
        .testTarget(name: "AccessPolicyTests", dependencies: ["AccessPolicy", "CanonicalJSON", "VaultModel"], swiftSettings: house),
        .testTarget(
            name: "MessageDeliveryTests",
            dependencies: [
                "MessageDelivery", "CanonicalJSON", "Cryptography", "Execution", "Messaging", "Storage", "StorageLaws", "VaultModel",
                nio, nioPosix,
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ], swiftSettings: house),
        .testTarget(name: "ExecutionTests", dependencies: ["Execution"], swiftSettings: house),
        .testTarget(
            name: "PosixDiskTests",
            dependencies: ["PosixDisk", "Execution", "Storage", "StorageLaws", "VaultModel", "Cryptography", nio],
            swiftSettings: house),
        .testTarget(
            name: "FileBlobStoreTests", dependencies: ["FileBlobStore", "PosixDisk", "Execution", "Storage", "StorageLaws", nio],
            swiftSettings: house),
        .testTarget(
            name: "MirroredBlobStoreTests",
            dependencies: [
                "MirroredBlobStore", "Cryptography", "Execution", "FileBlobStore", "FileKeyCustody", "PosixDisk", "Storage", "StorageLaws",
                "VaultModel", nio,
            ], swiftSettings: house),
        .testTarget(
            name: "FileKeyCustodyTests",
            dependencies: ["FileKeyCustody", "PosixDisk", "Execution", "Storage", "StorageLaws", "Cryptography"],
            swiftSettings: house),
        .testTarget(
            name: "SQLiteCatalogTests",
            dependencies: [
                "SQLiteCatalog", "Execution", "Storage", "StorageLaws", "VaultModel", .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: house),
        .testTarget(
            name: "VaultModelTests", dependencies: ["VaultModel", "Cryptography", "CanonicalJSON"], swiftSettings: house),
        .testTarget(
            name: "VaultEngineTests",
            dependencies: [
                "VaultEngine", "AccessPolicy", "CanonicalJSON", "Cryptography", "Execution", "FileBlobStore", "FileKeyCustody", "GlacierAPI",
                "Messaging", "MirroredBlobStore", "PosixDisk", "RequestSignature", "SQLiteCatalog", "SealedArchive", "Storage", "StorageLaws",
                "TreeHash", "VaultModel", nio, logging, metrics, .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: house),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "VaultEngine", "CanonicalJSON", "Cryptography", "Execution", "FileBlobStore", "FileKeyCustody", "Messaging", "PosixDisk",
                "SQLiteCatalog", "SealedArchive", "Storage", "StorageLaws", "TreeHash", "VaultModel", nio, logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ], exclude: ["planted"], swiftSettings: house),
        .testTarget(name: "ObservabilityTests", dependencies: ["Observability", logging, metrics], swiftSettings: house),
        .testTarget(name: "ServiceConfigurationTests", dependencies: ["ServiceConfiguration"], swiftSettings: house),
        .testTarget(
            name: "VaultClientTests",
            dependencies: [
                "VaultClient", "CanonicalJSON", "Cryptography", "Execution", "RequestSignature", "TreeHash", nio, nioPosix,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ], swiftSettings: house),
        .testTarget(
            name: "GlacierAPITests",
            dependencies: [
                "GlacierAPI", "CanonicalJSON", "Cryptography", "RequestSignature", "TreeHash", "VaultEngine", "VaultModel", nio,
                nioPosix, logging, metrics, lifecycle, .product(name: "NIOHTTP1", package: "swift-nio"),
            ], swiftSettings: house),
        .testTarget(
            name: "AdminAPITests",
            dependencies: [
                "AdminAPI", "AccessPolicy", "CanonicalJSON", "Messaging", "Observability", "Storage", "VaultEngine", "VaultModel", nio,
                nioPosix, logging, metrics, lifecycle,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ], swiftSettings: house),
    ]
)
