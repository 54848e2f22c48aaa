#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of the house that no compiler checks.

    Tests/Tools/check_layers.py [--package-path DIR]

1. arrows    a target depends only on rooms that its floor may see (FLOORS and the rules below), and not on another's library
2. imports   every import is declared in the manifest, for the very target that imports it
3. words     code holds none of the banned words (strings and comments do not count)
4. licence   the SPDX line stands first in each source file
5. length    no Swift file is longer than 500 lines
6. metrics   every metric made in Sources has a line in Docs/Operations/Metrics.md

An exception stands in EXCEPTIONS with its reason; one that is no longer needed is itself a finding. Exits 1 on findings
and ends with a line `N passed, N failed`, counting rules.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

MAX_LINES = 500

# MARK: the building

PURE = {"AccessPolicy", "CanonicalJSON", "Compression", "Cryptography", "RequestSignature", "SealedArchive", "TreeHash", "VaultModel"}
CONTRACTS = {"Execution", "Messaging", "Storage"}
ADAPTERS = {"FileBlobStore", "FileKeyCustody", "MessageDelivery", "MirroredBlobStore", "PosixDisk", "SQLiteCatalog"}
ENGINE = {"VaultEngine"}
EDGES = {"AdminAPI", "GlacierAPI", "Observability", "ServiceConfiguration", "VaultClient"}
EXECUTABLE = {"coldvault"}
C = {"CLibcrypto", "CLZ4", "CSHA256Lanes"}

# What each floor may use of ours; single rooms are narrower where it matters.
FLOORS = [
    (C, set()),
    (PURE, PURE),
    (CONTRACTS, PURE),
    (ADAPTERS, PURE | CONTRACTS),
    (ENGINE, PURE | CONTRACTS),
    (EDGES, PURE | CONTRACTS | ENGINE),
    (EXECUTABLE, PURE | CONTRACTS | ADAPTERS | ENGINE | EDGES),
]
NARROWER = {
    "Cryptography": {"CLibcrypto", "CSHA256Lanes"},
    "Compression": {"CLZ4"},
    "Observability": set(),
    "ServiceConfiguration": {"VaultModel"},
    "VaultClient": PURE | {"Execution"},
    "AdminAPI": PURE | CONTRACTS | ENGINE | {"Observability"},
}

# Modules that only the named rooms may import. Libraries that are not named here may be used by any room above the core.
ONLY = {
    "CLibcrypto": {"Cryptography"},
    "CLZ4": {"Compression"},
    "CSHA256Lanes": {"Cryptography"},
    "Glibc": {"PosixDisk"},
    "GRDB": {"SQLiteCatalog"},
    "Hummingbird": {"GlacierAPI", "AdminAPI", "coldvault"},
    "HummingbirdCore": {"GlacierAPI", "AdminAPI", "coldvault"},
    "HummingbirdTLS": {"coldvault"},
    "NIOSSL": {"GlacierAPI", "MessageDelivery", "VaultClient", "coldvault"},
    "AsyncHTTPClient": {"AdminAPI", "MessageDelivery", "VaultClient", "coldvault"},
    "ArgumentParser": {"coldvault"},
    "Configuration": {"ServiceConfiguration"},
    "ServiceLifecycle": {"coldvault", "VaultEngine", "GlacierAPI", "AdminAPI"},
}
SYSTEM = {"Swift", "Synchronization", "Foundation", "FoundationEssentials", "Glibc", "Darwin", "Dispatch", "Testing"}
# Products whose modules have other names than the product.
PRODUCT_MODULES = {"Metrics": {"Metrics", "CoreMetrics"}}
CORE_FORBIDDEN = {"Foundation", "FoundationEssentials", "Glibc", "Dispatch"}

# MARK: banned words

Word = namedtuple("Word", "name pattern why but")
WORDS = [
    Word("Task {", r"\bTask\s*(\([^)]*\)\s*)?\{", "unstructured: use a task group or a Service", set()),
    Word("Task.detached", r"\bTask\.(detached|immediateDetached)\b", "unstructured", set()),
    Word("try!", r"\btry!", "crashes", set()),
    Word("as!", r"\bas!", "crashes", set()),
    Word("fatalError(", r"\bfatalError\s*\(", "use a typed error, or preconditionFailure for our own bugs", set()),
    Word("Date()", r"\bDate\s*\(\s*\)|\bDate\.now\b", "take a clock", {"coldvault", "PosixDisk"}),
    Word("UUID()", r"\bUUID\s*\(\s*\)", "take randomness", {"coldvault"}),
    Word("SystemRandomNumberGenerator", r"\bSystemRandomNumberGenerator\b", "take randomness", {"coldvault", "PosixDisk"}),
    Word("ContinuousClock()", r"\b(ContinuousClock|SuspendingClock)\s*\(\s*\)", "take a clock", {"coldvault", "PosixDisk"}),
    Word("print(", r"(?<![.\w])print\s*\(", "only the executable talks to standard output", {"coldvault"}),
    Word("DispatchQueue", r"\bDispatchQueue\b", "use BlockingPool", set()),
    Word("nonisolated(unsafe)", r"\bnonisolated\s*\(\s*unsafe\s*\)", "Sendable is earned", set()),
]

# MARK: exceptions

Exception_ = namedtuple("Exception_", "rule path what reason")
EXCEPTIONS = [
    Exception_("words", "Sources/Execution/CompletionGuaranteed.swift", "Task {",
               "the one place for a write that must outlive its caller's cancellation"),
    Exception_("words", "Sources/Cryptography/Libcrypto.swift", "nonisolated(unsafe)",
               "libcrypto's fetched algorithms are immutable and thread-safe, which Swift cannot know of a C pointer"),
    Exception_("imports", "Sources/SQLiteCatalog/DurableFile.swift", "Glibc",
               "SQLite opens its own files by path, so creating and syncing those cannot go through Disk"),
    Exception_("imports", "Sources/MessageDelivery/ChildProcess.swift", "Glibc",
               "an operator's command is started without a shell and in a process group of its own, which Foundation cannot do"),
]

Finding = namedtuple("Finding", "rule path what text")

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+"
    r"(?:(?:struct|class|enum|protocol|typealias|func|var|let)\s+)?(\w+)", re.M)
METRIC = re.compile(
    r"\b(Counter|FloatingPointCounter|Meter|Gauge|Recorder|Timer)\s*\(\s*label:\s*\"([^\"\\]+)\"")


def code_only(source):
    """The source with comments and the texts of strings blanked, newlines and interpolated code kept."""
    out = []
    position = 0
    # Each open string: (delimiter that closes it, what starts an interpolation, depth of parentheses inside one or None).
    strings = []

    def keep_newlines(text):
        out.append(re.sub(r"[^\n]", " ", text))

    while position < len(source):
        if strings and strings[-1][2] is None:
            closer, interpolation, _ = strings[-1]
            if source.startswith(interpolation, position):
                strings[-1] = (closer, interpolation, 1)
                out.append(" " * len(interpolation))
                position += len(interpolation)
            elif source.startswith(closer, position):
                strings.pop()
                out.append(" " * len(closer))
                position += len(closer)
            elif interpolation == "\\(" and source[position] == "\\":
                keep_newlines(source[position:position + 2])
                position += 2
            elif source[position] == "\n" and '"""' not in closer:
                strings.pop()  # not a string after all, or broken code; never lose the rest of the file
            else:
                keep_newlines(source[position])
                position += 1
            continue
        opening = re.compile(r'(#*)("""|")').match(source, position)
        if source.startswith("//", position):
            end = source.find("\n", position)
            end = len(source) if end < 0 else end
            out.append(" " * (end - position))
            position = end
        elif source.startswith("/*", position):
            end, depth = position + 2, 1
            while depth and end < len(source):
                if source.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif source.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
            keep_newlines(source[position:end])
            position = end
        elif opening:
            hashes, quotes = opening.groups()
            strings.append((quotes + hashes, "\\" + hashes + "(", None))
            out.append(" " * len(opening.group()))
            position = opening.end()
        else:
            character = source[position]
            if strings:
                closer, interpolation, depth = strings[-1]
                depth += {"(": 1, ")": -1}.get(character, 0)
                strings[-1] = (closer, interpolation, depth or None)
            out.append(character)
            position += 1
    return "".join(out)


def imports(source):
    """The names of the modules that a file imports."""
    return sorted(set(IMPORT.findall(code_only(source))))


def may_use(room):
    """Our rooms that `room` may depend on; None for a room on no floor."""
    for floor, below in FLOORS:
        if room in floor:
            return (NARROWER.get(room, below) if room not in PURE else below | NARROWER.get(room, set())) - {room}
    return None


def check_arrows(targets):
    """Declared dependencies against the floors. Test targets may use whatever they test."""
    ours = {target["name"] for target in targets if target["type"] != "test"}
    for target in targets:
        name, path = target["name"], target["path"]
        if path.startswith("Tests/"):
            continue
        allowed = may_use(name)
        if allowed is None:
            yield Finding("arrows", path, name, "stands on no floor: give it one in FLOORS")
            continue
        for dependency in target.get("target_dependencies", []):
            if dependency in ours and dependency not in allowed:
                yield Finding("arrows", path, dependency, f"{name} must not depend on {dependency}")
        if name in PURE:
            for product in target.get("product_dependencies", []):
                yield Finding("arrows", path, product, f"the pure core uses no library, but {name} depends on {product}")


def check_imports(target, path, source):
    name = target["name"]
    declared = set(target.get("target_dependencies", [])) | {name} | SYSTEM
    for product in target.get("product_dependencies", []):
        declared |= PRODUCT_MODULES.get(product, {product})
    is_test = target["path"].startswith("Tests/")
    for module in imports(source):
        if module not in declared:
            yield Finding("imports", path, module, f"import {module} is not declared for {name} in Package.swift")
        if is_test:
            continue
        if module in ONLY and name not in ONLY[module]:
            yield Finding("imports", path, module, f"only {', '.join(sorted(ONLY[module]))} may import {module}")
        if name in PURE and module in CORE_FORBIDDEN:
            yield Finding("imports", path, module, f"the pure core does not import {module}")


def check_words(room, path, code):
    for number, line in enumerate(code.split("\n"), 1):
        for word in WORDS:
            if room not in word.but and re.search(word.pattern, line):
                yield Finding("words", path, word.name, f"line {number}: {word.name} is banned: {word.why}")


def check_licence(path, source):
    head = source.split("\n")[:2]
    first = head[1] if head[0].startswith("#!") and len(head) > 1 else head[0]
    if first not in ("// SPDX-License-Identifier: Apache-2.0", "# SPDX-License-Identifier: Apache-2.0"):
        yield Finding("licence", path, "SPDX", "the first line is not the SPDX line")


def check_length(path, source):
    lines = source.count("\n")
    if lines > MAX_LINES:
        yield Finding("length", path, "lines", f"{lines} lines, more than {MAX_LINES}")


def exposed_name(kind, label):
    """The name on /metrics, as PrometheusRegistry makes it."""
    name = re.sub(r"[^a-zA-Z0-9_:]", "_", label)
    suffix = {"Counter": "_total", "FloatingPointCounter": "_total", "Timer": "_seconds"}.get(kind, "")
    return name if name.endswith(suffix) else name + suffix


def check_metrics(path, source, document):
    for kind, label in METRIC.findall(source):
        name = exposed_name(kind, label)
        if f"`{name}`" not in document:
            yield Finding("metrics", path, name, f"{name} has no line in Docs/Operations/Metrics.md")


def findings(root, targets):
    yield from check_arrows(targets)
    document = root / "Docs/Operations/Metrics.md"
    document = document.read_text() if document.exists() else ""
    for target in targets:
        is_test = target["path"].startswith("Tests/")
        for file in sorted((root / target["path"]).rglob("*.swift")):
            path = str(file.relative_to(root))
            source = file.read_text()
            yield from check_imports(target, path, source)
            yield from check_licence(path, source)
            yield from check_length(path, source)
            if not is_test:
                yield from check_words(target["name"], path, code_only(source))
                yield from check_metrics(path, source, document)
    for pattern in ("Tests/**/*.py", "Tests/**/*.sh", "Deploy/*.sh"):
        for file in sorted(root.glob(pattern)):
            yield from check_licence(str(file.relative_to(root)), file.read_text())


def without_exceptions(found, exceptions):
    used = set()
    for finding in found:
        match = [e for e in exceptions if (e.rule, e.path, e.what) == (finding.rule, finding.path, finding.what)]
        used.update(match)
        if not match:
            yield finding
    for exception in exceptions:
        if exception not in used:
            yield Finding(exception.rule, exception.path, exception.what, "this exception is no longer needed: remove it")


def described_targets(root):
    # The description needs no build and resolves nothing.
    command = ["swift", "package", "--package-path", str(root), "describe", "--type", "json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        sys.exit(f"swift package describe failed:\n{result.stderr}")
    return json.loads(result.stdout[result.stdout.index("{"):])["targets"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package-path", type=Path, default=Path(__file__).resolve().parents[2])
    root = parser.parse_args().package_path
    rules = ["arrows", "imports", "words", "licence", "length", "metrics"]
    found = list(without_exceptions(findings(root, described_targets(root)), EXCEPTIONS))
    for finding in found:
        print(f"{finding.path}: [{finding.rule}] {finding.text}")
    failed = {finding.rule for finding in found}
    print(f"{len(rules) - len(failed)} passed, {len(failed)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
