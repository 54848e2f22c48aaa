// SPDX-License-Identifier: Apache-2.0

import NIOCore
public import Storage
import Synchronization

/// A disk in memory that forgets like a real one: the place to fail the k-th call, to run out of room and to cut the
/// power.
///
/// What survives a power cut, chosen by seed: of each file the synced bytes and any (perhaps garbled or torn) part of what was
/// appended since;
/// of each directory the synced names and, of the changes since, the first n as a journal does it, or any as no order was
/// promised. Nameless files are gone. With a ``DiskWeather`` it also fails, dawdles and lies in between.
public final class SimulatedDisk: Disk {
    private let state: Mutex<SimulatedDiskState>
    private let weather = Mutex<DiskWeather?>(nil)

    public init(capacityBytes: UInt64 = .max) { state = Mutex(SimulatedDiskState(capacityBytes: capacityBytes)) }

    // MARK: what a test may do to it

    /// Calls so far; the next one has this number.
    public var operationCount: Int { state.withLock { $0.operations } }
    /// Handles that are not closed.
    public var openFileCount: Int { state.withLock { $0.openFiles } }
    public var usedBytes: UInt64 { state.withLock { $0.usedBytes } }

    /// Fails the call with this number (counted like ``operationCount``), half done if that is possible.
    public func fail(operation: Int, with code: StorageError.Code) { state.withLock { $0.failures[operation] = code } }

    /// Takes back the failures that have not happened.
    public func heal() { state.withLock { $0.failures = [:] } }

    /// Cuts the power in the middle of the call with this number: it and all later ones fail until
    /// ``restorePower(seed:)``.
    public func cutPower(atOperation operation: Int) { state.withLock { $0.powerCut = operation } }

    /// Cuts the power between two calls: from now on all fail until ``restorePower(seed:)``.
    public func cutPower() { state.withLock { $0.powerCut = $0.operations - 1 } }

    /// Whether a cut has happened and the power is not back.
    public var isPowerOff: Bool { state.withLock { $0.isPowerOff } }

    /// The process has ended and another begins, with the power on all the time: open files are void, nameless ones gone, everything else is
    /// as it was, and what was not synced still is not.
    public func restartProcess() { state.withLock { $0.restartProcess() } }

    /// What calls meet from now on; nil for good weather.
    public func set(weather: DiskWeather?) { self.weather.withLock { $0 = weather } }

    /// Every file that has a name, by path, as a look at the platters would find it: no call, never fails.
    public var contents: [String: [UInt8]] { state.withLock { $0.contents() } }

    /// Cuts the power now, if it is still on, and comes back with what survived; open files are void.
    public func restorePower(seed: UInt64) {
        state.withLock { state in
            var random = SeededGenerator(seed: seed)
            state.restart(&random)
        }
    }

    /// Flips one bit of a stored file: rot.
    public func corrupt(_ path: String, at offset: Int) {
        state.withLock { state in
            guard case .file(let id)? = state.resolve(path) else {
                preconditionFailure("nothing to corrupt at \(path)")
            }
            state.files[id]?.bytes[offset] ^= 1
            state.files[id]?.sync()
        }
    }

    // MARK: Disk

    public func createDirectory(_ path: String) async throws(StorageError) {
        try await perform(.makeDirectory) { (state) throws(StorageError) in try state.makeDirectory(path) }
    }

    public func syncDirectory(_ path: String) async throws(StorageError) {
        try await perform(.syncDirectory) { (state) throws(StorageError) in
            guard case .directory(let id)? = state.resolve(path) else { throw SimulatedDiskState.notFound(path) }
            state.directories[id]?.sync()
        }
    }

    public func createTemporary(in directory: String) async throws(StorageError) -> any DiskFile {
        let (id, epoch) = try await perform(.create) { (state) throws(StorageError) in
            guard case .directory? = state.resolve(directory) else { throw SimulatedDiskState.notFound(directory) }
            return (state.makeFile(), state.epoch)
        }
        return SimulatedFile(disk: self, id: id, epoch: epoch)
    }

    public func openFile(_ path: String) async throws(StorageError) -> any DiskFile {
        let (id, epoch) = try await perform(.open) { (state) throws(StorageError) in
            guard case .file(let id)? = state.resolve(path) else { throw SimulatedDiskState.notFound(path) }
            state.files[id]?.handles += 1
            state.openFiles += 1
            return (id, state.epoch)
        }
        return SimulatedFile(disk: self, id: id, epoch: epoch)
    }

    public func publish(_ file: any DiskFile, at path: String) async throws(StorageError) {
        guard let file = file as? SimulatedFile else { preconditionFailure("a disk publishes its own files only") }
        try await perform(.publish) { (state) throws(StorageError) in
            _ = try state.open(file.id, file.epoch)
            let (directory, name) = try state.place(path)
            guard state.directories[directory]?.names[name] == nil else {
                throw StorageError(.alreadyExists, "\(path) exists")
            }
            state.setName(name, in: directory, to: .file(file.id))
        }
    }

    public func replace(_ path: String, with bytes: [UInt8]) async throws(StorageError) {
        try await perform(.replace) { (state) throws(StorageError) in
            let (directory, name) = try state.place(path)
            let id = state.makeFile()
            defer { state.release(id) }
            try state.append(bytes, to: id)
            state.files[id]?.sync()
            state.setName(name, in: directory, to: .file(id))
            state.directories[directory]?.sync()
        }
    }

    public func readAll(_ path: String, limit: Int) async throws(StorageError) -> [UInt8] {
        try await perform(.read) { (state) throws(StorageError) in
            guard case .file(let id)? = state.resolve(path), let file = state.files[id] else {
                throw SimulatedDiskState.notFound(path)
            }
            guard file.bytes.count <= limit else {
                throw StorageError(.integrity, "\(path) is larger than \(limit) bytes")
            }
            return state.misread(file.bytes, of: id)
        }
    }

    public func link(_ path: String, to newPath: String) async throws(StorageError) {
        try await perform(.publish) { (state) throws(StorageError) in
            guard case .file(let id)? = state.resolve(path) else { throw SimulatedDiskState.notFound(path) }
            let (newDirectory, newName) = try state.place(newPath)
            guard state.directories[newDirectory]?.names[newName] == nil else {
                throw StorageError(.alreadyExists, "\(newPath) exists")
            }
            state.setName(newName, in: newDirectory, to: .file(id))
        }
    }

    public func remove(_ path: String) async throws(StorageError) {
        try await perform(.remove) { (state) throws(StorageError) in
            guard case .file? = state.resolve(path) else { return }
            let (directory, name) = try state.place(path)
            state.setName(name, in: directory, to: nil)
        }
    }

    public func size(of path: String) async throws(StorageError) -> UInt64? {
        try await perform(.look) { (state) throws(StorageError) in
            guard case .file(let id)? = state.resolve(path) else { return nil }
            return state.files[id].map { UInt64($0.bytes.count) }
        }
    }

    public func entries(of directory: String) async throws(StorageError) -> [DiskEntry] {
        try await perform(.look) { (state) throws(StorageError) in
            guard case .directory(let id)? = state.resolve(directory), let names = state.directories[id]?.names else {
                return []
            }
            return names.map { name, node in
                switch node {
                case .directory: DiskEntry(name: name, isDirectory: true, bytes: 0)
                case .file(let file):
                    DiskEntry(name: name, isDirectory: false, bytes: UInt64(state.files[file]?.bytes.count ?? 0))
                }
            }.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        }
    }

    public func availableBytes(at path: String) async throws(StorageError) -> UInt64 {
        try await perform(.look) { (state) throws(StorageError) in state.capacityBytes - state.usedBytes }
    }

    /// One call: lets other tasks in between, counts, and fails or loses power if that is due.
    func perform<T: Sendable>(
        _ call: DiskCall, _ body: @Sendable (inout SimulatedDiskState) throws(StorageError) -> T
    ) async throws(StorageError) -> T {
        await Task.yield()
        let weather = weather.withLock { $0 }
        let mood = weather?.mood(call) ?? .good
        if case .slow(let duration) = mood { await weather?.pause(duration) }
        let result: Result<T, StorageError> = state.withLock { state in
            do throws(StorageError) {
                return .success(try state.operation(mood, body))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    func markSuspect(_ id: Int, _ epoch: Int) {
        state.withLock { state in
            if epoch == state.epoch { state.files[id]?.suspect = true }
        }
    }

    /// Not a call that can fail: what `close` and the end of a handle do.
    func closeHandle(_ id: Int, _ epoch: Int) {
        state.withLock { state in
            if epoch == state.epoch { state.release(id) }
        }
    }
}

/// A handle of a ``SimulatedDisk``; void after a power cut.
final class SimulatedFile: DiskFile {
    let id: Int
    let epoch: Int
    private let disk: SimulatedDisk
    private let closed = Atomic(false)

    init(disk: SimulatedDisk, id: Int, epoch: Int) {
        self.disk = disk
        self.id = id
        self.epoch = epoch
    }

    func write(_ bytes: ByteBuffer) async throws(StorageError) {
        try await disk.perform(.write) { [id, epoch] (state) throws(StorageError) in
            _ = try state.open(id, epoch)
            try state.append(Array(bytes.readableBytesView), to: id)
        }
    }

    func read(_ range: Range<UInt64>) async throws(StorageError) -> ByteBuffer {
        try await disk.perform(.read) { [id, epoch] (state) throws(StorageError) in
            let file = try state.open(id, epoch)
            guard range.upperBound <= UInt64(file.bytes.count) else {
                throw StorageError(.integrity, "the file ends at \(file.bytes.count), before the end of \(range)")
            }
            let bytes = Array(file.bytes[Int(range.lowerBound)..<Int(range.upperBound)])
            return ByteBuffer(bytes: state.misread(bytes, of: id))
        }
    }

    func size() async throws(StorageError) -> UInt64 {
        try await disk.perform(.look) { [id, epoch] (state) throws(StorageError) in
            UInt64(try state.open(id, epoch).bytes.count)
        }
    }

    func sync() async throws(StorageError) {
        do throws(StorageError) {
            try await disk.perform(.sync) { [id, epoch] (state) throws(StorageError) in
                guard !(try state.open(id, epoch).suspect) else {
                    throw StorageError(.integrity, "a sync of the file has failed before")
                }
                if !state.failing { state.files[id]?.sync() }
            }
        } catch {
            disk.markSuspect(id, epoch)
            throw error
        }
    }

    func close() async {
        if !closed.exchange(true, ordering: .acquiringAndReleasing) { disk.closeHandle(id, epoch) }
    }

    deinit {
        if !closed.load(ordering: .acquiring) { disk.closeHandle(id, epoch) }
    }
}
