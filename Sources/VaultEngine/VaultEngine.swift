// SPDX-License-Identifier: Apache-2.0

public import Cryptography
public import Execution
public import Logging
public import Messaging
import Metrics
public import Storage
import Synchronization
public import VaultModel

/// The service without its wire: vaults, uploads, archives, retrieval jobs, keys.
///
/// Invariants, kept by all rooms of this module:
///  1. Acknowledged means durable: data, then manifest or state record, then catalog commit, then the answer.
///  2. A blob is deleted only when a durable record names it; when a commit's outcome is unknown, everything is kept.
///  3. No plaintext leaves memory except to the client that asked; what is handed out has been verified.
///  4. A request takes its whole working memory from the budget once, before it reads its body.
///  5. Time, randomness, disk and catalog come in through the initialiser; CPU work runs on `compute`.
///
/// The three flows, each entering a room once:
///     part:      UploadPart → Uploads/PartIntake (frames, seal, cold blob) → catalog
///     retrieval: InitiateJob → Jobs/JobRunner → Archives/ArchiveReader (recall, verify) → catalog; GetJobOutput → Retrievals
///     rotation:  Keys/VaultEngine+Keys → Keyring (new version) → state records → catalog
public final class VaultEngine: Sendable {
    let configuration: EngineConfiguration
    let catalog: any Catalog
    let cold: any BlobStore
    /// The cold store with its space reserve open: for the small records without which nothing could be deleted on a full disk.
    let reserve: any BlobStore
    let warm: any BlobStore
    let spaceReserve: (any SpaceReserve)?
    let keyring: Keyring
    let compute: BlockingPool
    let budget: MemoryBudget
    /// For provisioned jobs alone, beside ``budget``: they never wait behind others for memory.
    let provisionedBudget: MemoryBudget
    let clock: any TimeSource
    let random: any RandomByteSource
    let logger: Logger
    let transport: (any MessageTransport)?
    let backupPlace: BackupPlace?
    let backupDesk = BackupDesk()
    let wake = WakeUp()
    let deliveries = DeliveryDesk()
    let keyDesk = KeyDesk()
    let scratch = ScratchPool()
    let scheduler: JobScheduler
    let identityPolicyCache = IdentityPolicyCache()
    let gate = VaultGate(maxWaiters: 4096)
    let accountGate = AccountGate(maxWaiters: 4096)
    let settingsCache = SettingsCache()
    let sessionPolicies = SessionPolicies()
    let clockKeeper: ClockKeeper
    let isPrepared = Atomic(false)
    /// Vaults that could not be compared with their records at start.
    let missedVaults = Mutex<Set<VaultUID>>([])
    let openUploads = OpenUploads()
    let scrubDesk = ScrubDesk()
    /// The key files, per copy, the one that decides first; for the scrub.
    let keyCopies: [any KeyFileStore]
    let denials = Counter(label: "coldvault.access.denied")
    let denialDesk = DenialDesk()
    /// A failure when the keyring was opened without its audit key.
    let auditCipher: Result<AuditCipher, any Error>
    /// One export, verification or checkpoint at a time.
    let auditGate = KeyedGate<AuditWork>(maxWaiters: 64)
    let checkpoints = CheckpointKeeper()

    /// - Parameters:
    ///   - cold: where archives live.
    ///   - reserve: the same store, allowed to use the room that `cold` leaves alone; nil when it leaves none alone.
    ///   - warm: where staged outputs and inventories live.
    ///   - spaceReserve: room given up when the medium is full, so that deletions still go through.
    ///   - compute: for hashing, compression and sealing; as many threads as there are cores.
    ///   - transport: delivers notifications; nil: they wait in the outbox.
    ///   - backupPlace: what backups need of the data directory; nil: none can be made.
    public init(
        configuration: EngineConfiguration, catalog: any Catalog, cold: any BlobStore, reserve: (any BlobStore)? = nil,
        warm: any BlobStore, spaceReserve: (any SpaceReserve)? = nil, keyring: Keyring, compute: BlockingPool,
        clock: any TimeSource, random: any RandomByteSource, transport: (any MessageTransport)? = nil,
        keyCopies: [any KeyFileStore] = [], backupPlace: BackupPlace? = nil, logger: Logger
    ) {
        self.configuration = configuration
        self.catalog = catalog
        self.cold = cold
        self.reserve = reserve ?? cold
        self.warm = warm
        self.spaceReserve = spaceReserve
        self.keyring = keyring
        self.compute = compute
        self.clock = clock
        self.random = random
        self.transport = transport
        self.keyCopies = keyCopies
        self.backupPlace = backupPlace
        self.logger = logger
        budget = MemoryBudget(capacityBytes: configuration.memoryBudgetBytes, maxWaiters: 4096)
        provisionedBudget = MemoryBudget(
            capacityBytes: min(configuration.memoryBudgetBytes, JobRunner.maxProvisionedBytes), maxWaiters: 64)
        auditCipher = Result { try AuditCipher(keyring) }
        scheduler = JobScheduler(sharedLanes: configuration.concurrentJobs)
        clockKeeper = ClockKeeper(catalog: catalog, clock: clock, logger: logger)
    }

    /// Whether finished archive retrievals are staged.
    var stagesOutput: Bool {
        switch configuration.outputMode {
        case .staged: true
        case .inPlace: false
        case nil: cold.readsNeedRecall
        }
    }

    /// The vault for a request that needs it, or the documented refusal.
    func activeVault(_ location: VaultLocation) async throws(VaultError) -> VaultRow {
        let found = try await vaultErrors("looking up a vault") { try await catalog.vault(at: location) }
        guard let vault = found, vault.state == .active else { throw Messages.vaultNotFound(location) }
        return vault
    }
}
