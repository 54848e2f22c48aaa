import ArgumentParser
struct AccountCommand: AsyncParsableCommand {}
struct AccessKeyCommand: AsyncParsableCommand {}
struct KeyCommand: AsyncParsableCommand {}
struct BackupCommand: AsyncParsableCommand {}
struct VaultSettingsCommand: AsyncParsableCommand {}
