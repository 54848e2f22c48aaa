# SPDX-License-Identifier: Apache-2.0
"""The checker of the house rules finds what it is for, and nothing in comments and strings."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_layers as layers  # noqa: E402


def words(source, room="VaultEngine"):
    return [finding.what for finding in layers.check_words(room, "f.swift", layers.code_only(source))]


@pytest.mark.parametrize("line, word", [
    ("Task { await x() }", "Task {"), ("Task(priority: .low) { x() }", "Task {"), ("Task.detached { }", "Task.detached"),
    ("let a = try! f()", "try!"), ("let b = x as! Int", "as!"), ('fatalError("x")', "fatalError("),
    ("let now = Date()", "Date()"), ("let id = UUID()", "UUID()"), ('let s = "now \\(Date()) then"', "Date()"),
    ("print(1)", "print("), ("nonisolated(unsafe) var x = 1", "nonisolated(unsafe)"),
])
def test_banned_words_are_found(line, word):
    assert words(line) == [word]


@pytest.mark.parametrize("source", [
    "// Task { }\n", "/* try! /* as! */ Date() */\n", 'let s = "Task { try! Date()"\n', '#"\\(UUID()) as! "#\n',
    '"""\n fatalError( " Date()\n"""\n', 'let q = "\\"as! "\n', "withTaskGroup(of: Void.self) { group in }\n",
    "Date(timeIntervalSinceNow: 1)\n", "group.addTask { }\n", "log.print(x)\n", "struct Task2 {}\n",
])
def test_comments_strings_and_lookalikes_are_left_alone(source):
    assert words(source) == []


def test_code_after_a_string_with_nested_quotes_is_still_code():
    assert words('let s = "a \\(d["k"] ?? "try!") b"; let t = try! f()\n') == ["try!"]


def test_the_executable_may_read_the_clock():
    assert words("let now = Date()", room="coldvault") == []


def test_imports_of_every_spelling_are_found():
    source = "public import A\n@testable import B\n  import struct C.D\n@_spi(X) internal import E\n// import F\n"
    assert layers.imports(source) == ["A", "B", "C", "E"]


def target(name, targets=(), products=(), folder="Sources"):
    return {"name": name, "type": "library", "path": f"{folder}/{name}", "target_dependencies": list(targets),
            "product_dependencies": list(products)}


@pytest.mark.parametrize("room, dependency", [
    ("VaultEngine", "SQLiteCatalog"), ("SQLiteCatalog", "VaultEngine"), ("FileBlobStore", "SQLiteCatalog"),
    ("GlacierAPI", "FileBlobStore"), ("TreeHash", "Storage"), ("VaultModel", "CLibcrypto"), ("VaultClient", "VaultEngine"),
    ("GlacierAPI", "AdminAPI"), ("Storage", "VaultEngine"), ("Observability", "VaultEngine"),
])
def test_arrows_upwards_and_sideways_are_found(room, dependency):
    both = [target(room, [dependency]), target(dependency)]
    assert [finding.what for finding in layers.check_arrows(both)] == [dependency]


@pytest.mark.parametrize("room, dependency", [
    ("coldvault", "SQLiteCatalog"), ("SQLiteCatalog", "Storage"), ("VaultEngine", "SealedArchive"),
    ("Cryptography", "CLibcrypto"), ("AdminAPI", "Observability"), ("SealedArchive", "TreeHash"),
])
def test_arrows_downwards_are_fine(room, dependency):
    both = [target(room, [dependency]), target(dependency)]
    assert list(layers.check_arrows(both)) == []


def test_the_core_uses_no_library_and_unknown_rooms_have_no_floor():
    found = layers.check_arrows([target("TreeHash", products=["NIOCore"]), target("Attic")])
    assert [finding.what for finding in found] == ["NIOCore", "Attic"]


def test_undeclared_and_reserved_imports_are_found():
    source = "import NIOCore\nimport Glibc\nimport Storage\nimport Synchronization\n"
    found = layers.check_imports(target("FileBlobStore", ["Storage"]), "f.swift", source)
    assert sorted(finding.what for finding in found) == ["Glibc", "NIOCore"]


def test_the_core_does_not_import_foundation():
    found = layers.check_imports(target("TreeHash"), "f.swift", "import Foundation\n")
    assert [finding.what for finding in found] == ["Foundation"]


def test_licence_and_length():
    line = "// SPDX-License-Identifier: Apache-2.0\n"
    assert list(layers.check_licence("f", line)) == []
    assert list(layers.check_licence("f", "#!/bin/sh\n" + line.replace("//", "#"))) == []
    assert len(list(layers.check_licence("f", "\n" + line))) == 1
    assert list(layers.check_length("f", line * layers.MAX_LINES)) == []
    assert len(list(layers.check_length("f", line * (layers.MAX_LINES + 1)))) == 1


def test_metrics_need_a_line_in_the_document():
    source = 'Counter(label: "coldvault.log.lines.dropped")\nTimer(\n  label: "coldvault.job", dimensions: [])\n'
    assert list(layers.check_metrics("f", source, "`coldvault_log_lines_dropped_total` `coldvault_job_seconds`")) == []
    assert len(list(layers.check_metrics("f", source, "`coldvault_log_lines_dropped`"))) == 2


def test_an_exception_silences_one_finding_and_must_be_needed():
    finding = layers.Finding("words", "a.swift", "try!", "")
    exception = layers.Exception_("words", "a.swift", "try!", "why")
    assert list(layers.without_exceptions([finding], [exception])) == []
    assert len(list(layers.without_exceptions([], [exception]))) == 1
