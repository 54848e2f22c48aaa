#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes the parsers of what strangers send.
#
#   Tests/Fuzz/run.sh SECONDS [TARGET…]     each target that long; all targets when none is named
#
# Builds with swiftc and libFuzzer into FUZZ_BUILD (default: .build-fuzz beside the sources, git-ignored). Corpora are in
# Tests/Fuzz/Corpus/TARGET: read, never written. Finds and new inputs go to FUZZ_BUILD/found/TARGET and
# FUZZ_BUILD/corpus/TARGET; an input worth keeping is copied into the corpus by hand. Exits 1 when a target failed.
set -eu

seconds=${1:?usage: run.sh SECONDS [TARGET…]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${FUZZ_BUILD:-$root/.build-fuzz}
mkdir -p "$build"

all="policy decision authorization request target body marker json timestamp identifier names range"
[ $# -gt 0 ] || set -- $all

flags="-O -wmo -swift-version 6 -parse-as-library -sanitize=fuzzer -I $build
  -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
  -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature NonisolatedNonsendingByDefault"
maps="-Xcc -fmodule-map-file=$root/Sources/CLibcrypto/module.modulemap -Xcc -fmodule-map-file=$build/lanes.modulemap"

printf 'module CSHA256Lanes { header "%s" export * }\n' "$root/Sources/CSHA256Lanes/include/CSHA256Lanes.h" > "$build/lanes.modulemap"
clang -O2 -c -I "$root/Sources/CSHA256Lanes/include" "$root/Sources/CSHA256Lanes/sha256_lanes.c" -o "$build/lanes.o"

objects="$build/lanes.o"
# compile MODULE FILE…: into an object and a module, unless they are newer than every file
compile() {
    module=$1
    shift
    object="$build/$module.o"
    objects="$objects $object"
    if [ ! -e "$object" ] || [ -n "$(find -L "$@" -name '*.swift' -newer "$object" | head -n 1)" ]; then
        echo "compiling $module"
        # shellcheck disable=SC2086,SC2046
        swiftc $flags $maps -enable-testing -module-name "$module" -emit-module -emit-module-path "$build/$module.swiftmodule" \
            -c -o "$object" $(find -L "$@" -name '*.swift')
    fi
}

sources=$root/Sources
for module in CanonicalJSON Cryptography TreeHash VaultModel RequestSignature AccessPolicy; do
    compile "$module" "$sources/$module"
done
# Of the rooms that stand on NIO, the files that read a client's text and need nothing else.
compile Storage "$sources/Storage/ArchivePosition.swift"
engine=$sources/VaultEngine
compile VaultEngine "$engine/Retrievals/JobRequest.swift" "$engine/Inventory/InventoryMarker.swift" "$engine/Access/RefusedRequest.swift"
edge=$sources/GlacierAPI
compile GlacierAPI "$edge/Wire/WireError.swift" "$edge/Wire/RequestTarget.swift" "$edge/Wire/RangeTexts.swift" \
    "$edge/Wire/PrintableText.swift" "$edge/Routing/Route.swift" "$edge/Documents/RequestMembers.swift" \
    "$edge/Documents/JobParameters.swift" "$edge/Documents/SettingParameters.swift" "$edge/Documents/TagParameters.swift"
# shellcheck disable=SC2086
swiftc $flags $maps -module-name FuzzTargets -o "$build/fuzz" "$root/Tests/Fuzz/FuzzTargets.swift" $objects -lcrypto

failed=0
for target in "$@"; do
    mkdir -p "$build/corpus/$target" "$build/found/$target"
    log="$build/$target.log"
    # libFuzzer passes over options that begin with two dashes.
    status=0
    "$build/fuzz" "--target=$target" -max_total_time="$seconds" -max_len=24576 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$build/found/$target/" -print_final_stats=1 -dict="$root/Tests/Fuzz/words.dict" \
        "$build/corpus/$target" "$root/Tests/Fuzz/Corpus/$target" > "$log" 2>&1 || status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "$status" -eq 0 ]; then
        echo "$target: ${executions:-0} executions, nothing found"
    else
        failed=1
        echo "$target: FAILED after ${executions:-?} executions; see $log and $build/found/$target"
        grep -E 'ERROR|SUMMARY|Fatal error|Precondition' "$log" | head -n 5
    fi
done
exit "$failed"
