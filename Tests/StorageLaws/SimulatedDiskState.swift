// SPDX-License-Identifier: Apache-2.0

import Storage

/// The platters of a ``SimulatedDisk``: what is there, and what would be there after a power cut.
struct SimulatedDiskState {
    enum Node: Hashable, Sendable {
        case file(Int)
        case directory(Int)
    }

    struct File {
        var bytes: [UInt8] = []
        /// What the last sync made durable: a prefix of `bytes`, because files are only appended to.
        var syncedBytes: [UInt8] = []
        var suspect = false
        var handles = 1
        var links = 0
        /// A name, even a removed one, may come back after a power cut; then so must the bytes.
        var wasNamed = false

        mutating func sync() { syncedBytes = bytes }
    }

    struct Directory {
        var names: [String: Node] = [:]
        var syncedNames: [String: Node] = [:]
        /// Changes since the last sync, in order.
        var journal: [(name: String, node: Node?)] = []

        mutating func sync() {
            syncedNames = names
            journal = []
        }
    }

    let capacityBytes: UInt64
    var files: [Int: File] = [:]
    var directories: [Int: Directory] = [0: Directory()]
    var openFiles = 0
    var usedBytes: UInt64 = 0
    /// Goes up with every power cut.
    var epoch = 0
    var operations = 0
    var failures: [Int: StorageError.Code] = [:]
    var powerCut: Int?
    /// The running call is going to fail after it has done what it does.
    var failing = false
    /// How the running call lies about what it reads.
    var misreading: DiskMood.Misreading?
    private var nextID = 1

    init(capacityBytes: UInt64) { self.capacityBytes = capacityBytes }

    static func notFound(_ path: String) -> StorageError { StorageError(.notFound, "no \(path)") }

    // MARK: calls

    var isPowerOff: Bool { powerCut.map { operations > $0 } ?? false }

    mutating func operation<T>(
        _ mood: DiskMood, _ body: (inout SimulatedDiskState) throws(StorageError) -> T
    ) throws(StorageError) -> T {
        let number = operations
        operations += 1
        if let powerCut, number > powerCut { throw StorageError(.transient, "the power is off") }
        var failure = number == powerCut ? StorageError.Code.transient : failures.removeValue(forKey: number)
        if failure == nil, case .fails(let code) = mood { failure = code }
        if case .lies(let how) = mood { misreading = how }
        defer { misreading = nil }
        guard let failure else { return try body(&self) }
        // Every second failing call has had its effect already when it fails, or half of it.
        failing = true
        defer { failing = false }
        if number.isMultiple(of: 2) {
            let before = openFiles
            // The caller learns nothing of the result; a handle in it must not count as the caller's leak.
            _ = try? body(&self)
            openFiles = min(openFiles, before)
        }
        throw StorageError(failure, "simulated failure of call \(number)")
    }

    mutating func restart(_ random: inout SeededGenerator) {
        epoch += 1
        openFiles = 0
        powerCut = nil
        failures = [:]
        for id in directories.keys.sorted() {
            guard var directory = directories[id] else { continue }
            let kept = Int.random(in: 0...directory.journal.count, using: &random)
            // A journal keeps the order; POSIX promises none.
            let isOrdered = Bool.random(using: &random)
            directory.names = directory.syncedNames
            for (place, (name, node)) in directory.journal.enumerated()
            where isOrdered ? place < kept : Bool.random(using: &random) {
                directory.names[name] = node
            }
            directory.sync()
            directories[id] = directory
        }
        for id in files.keys.sorted() {
            guard var file = files[id] else { continue }
            var survivor = file.syncedBytes
            let appended = file.bytes.dropFirst(file.syncedBytes.count)
            let kept = appended.prefix(Int.random(in: 0...appended.count, using: &random))
            // A file may have grown before its bytes arrived, and its pages arrive in any order.
            switch Int.random(in: 0..<3, using: &random) {
            case 0: survivor += kept
            case 1: survivor += [UInt8](repeating: 0, count: kept.count)
            default:
                for start in stride(from: kept.startIndex, to: kept.endIndex, by: 4096) {
                    let page = kept[start..<min(start + 4096, kept.endIndex)]
                    survivor += Bool.random(using: &random) ? Array(page) : [UInt8](repeating: 0, count: page.count)
                }
            }
            file.bytes = survivor
            file.sync()
            file.handles = 0
            file.links = 0
            file.suspect = false
            files[id] = file
        }
        collectUnreachable()
    }

    mutating func restartProcess() {
        epoch += 1
        openFiles = 0
        powerCut = nil
        failures = [:]
        for id in files.keys {
            files[id]?.handles = 0
            files[id]?.suspect = false
        }
        // Nameless files end with their last handle, unless a power cut may bring their name back.
        files = files.filter { $0.value.links > 0 || $0.value.wasNamed }
        usedBytes = files.values.reduce(0) { $0 + ($1.links > 0 ? UInt64($1.bytes.count) : 0) }
    }

    func contents() -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        var pending = [(0, "")]
        while let (id, path) = pending.popLast() {
            for (name, node) in directories[id]?.names ?? [:] {
                switch node {
                case .directory(let inner): pending.append((inner, "\(path)/\(name)"))
                case .file(let file): found["\(path)/\(name)"] = files[file]?.bytes
                }
            }
        }
        return found
    }

    /// What a read gives when the medium lies.
    func misread(_ bytes: [UInt8], of id: Int) -> [UInt8] {
        guard let misreading, !bytes.isEmpty else { return bytes }
        switch misreading {
        case .flipped(let choice):
            var bytes = bytes
            bytes[Int(choice % UInt64(bytes.count))] ^= UInt8(1 << (choice >> 32 & 7))
            return bytes
        case .stale: return [UInt8](repeating: 0, count: bytes.count)
        case .misdirected(let choice):
            let others = files.filter { $0.key != id && $0.value.bytes.count >= bytes.count }.keys.sorted()
            guard !others.isEmpty, let other = files[others[Int(choice % UInt64(others.count))]] else { return bytes }
            return Array(other.bytes.prefix(bytes.count))
        }
    }

    /// Frees what no name leads to any more.
    private mutating func collectUnreachable() {
        var pending = [0]
        var reached: Set<Int> = [0]
        while let id = pending.popLast() {
            for node in directories[id]?.names.values.map(\.self) ?? [] {
                switch node {
                case .directory(let inner): if reached.insert(inner).inserted { pending.append(inner) }
                case .file(let file): files[file]?.links += 1
                }
            }
        }
        directories = directories.filter { reached.contains($0.key) }
        files = files.filter { $0.value.links > 0 }
        usedBytes = files.values.reduce(0) { $0 + UInt64($1.bytes.count) }
    }

    // MARK: names

    func resolve(_ path: String) -> Node? {
        var node = Node.directory(0)
        for name in path.split(separator: "/") where name != "." {
            guard case .directory(let id) = node, let next = directories[id]?.names[String(name)] else { return nil }
            node = next
        }
        return node
    }

    /// The directory and the name that `path` stands for.
    func place(_ path: String) throws(StorageError) -> (directory: Int, name: String) {
        let names = path.split(separator: "/")
        guard let name = names.last, case .directory(let id)? = resolve(names.dropLast().joined(separator: "/")) else {
            throw Self.notFound(path)
        }
        return (id, String(name))
    }

    mutating func makeDirectory(_ path: String) throws(StorageError) {
        var parent = 0
        let names = path.split(separator: "/").map(String.init)
        for (depth, name) in names.enumerated() {
            switch directories[parent]?.names[name] {
            case .directory(let id):
                if depth == names.count - 1 { directories[parent]?.sync() }
                parent = id
            case .file: throw StorageError(.unusable, "\(name) in \(path) is a file")
            case nil:
                let id = nextID
                nextID += 1
                directories[id] = Directory()
                setName(name, in: parent, to: .directory(id))
                if !failing { directories[parent]?.sync() }
                parent = id
            }
        }
    }

    mutating func setName(_ name: String, in directory: Int, to node: Node?) {
        if case .file(let old)? = directories[directory]?.names[name] {
            files[old]?.links -= 1
            freeIfUnused(old)
        }
        if case .file(let new)? = node {
            files[new]?.links += 1
            files[new]?.wasNamed = true
        }
        directories[directory]?.names[name] = node
        directories[directory]?.journal.append((name, node))
    }

    // MARK: files

    mutating func makeFile() -> Int {
        let id = nextID
        nextID += 1
        files[id] = File()
        openFiles += 1
        return id
    }

    func open(_ id: Int, _ epoch: Int) throws(StorageError) -> File {
        guard epoch == self.epoch, let file = files[id], file.handles > 0 else {
            throw StorageError(.unusable, "the file is closed, or was open when the power went")
        }
        return file
    }

    mutating func append(_ bytes: [UInt8], to id: Int) throws(StorageError) {
        let room = capacityBytes - usedBytes
        let fitting = bytes.prefix(failing ? bytes.count / 2 : Int(clamping: min(room, UInt64(bytes.count))))
        files[id]?.bytes += fitting
        usedBytes += UInt64(fitting.count)
        if fitting.count < bytes.count && !failing { throw StorageError(.noSpace, "the simulated disk is full") }
    }

    mutating func release(_ id: Int) {
        guard (files[id]?.handles ?? 0) > 0 else { return }
        files[id]?.handles -= 1
        openFiles -= 1
        freeIfUnused(id)
    }

    /// The room of a file without name and handle is free again.
    private mutating func freeIfUnused(_ id: Int) {
        guard let file = files[id], file.handles == 0, file.links == 0 else { return }
        usedBytes -= UInt64(file.bytes.count)
        if !file.wasNamed { files[id] = nil }
    }
}
