#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Plants one bug after the other into a scratch copy of the sources and shows that the tests catch it; without a bug they must pass.
#
#   Tests/Tools/planted_bugs.sh [BUG...]
#
#   BUG    names of Tests/SimulationTests/planted/*.patch without the ending; all of them when none is named
#
# COLDVAULT_SIM_SEEDS  seeds tried for each bug (default 20)
# COLDVAULT_SCRATCH    the scratch copy, kept between runs because its build takes long (default: .build/planted)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=${COLDVAULT_SCRATCH:-$root/.build/planted}
patches=$root/Tests/SimulationTests/planted
export COLDVAULT_SIM_SEEDS=${COLDVAULT_SIM_SEEDS:-20}

if (($# == 0)); then
    for patch in "$patches"/*.patch; do set -- "$@" "$(basename "$patch" .patch)"; done
fi
mkdir -p "$scratch"

fresh() {
    (cd "$root" && git ls-files -z --cached --others --exclude-standard | rsync -a --checksum --files-from=- --from0 ./ "$scratch/")
}

build() {
    (cd "$scratch" && swift build --build-tests >build.log 2>&1) || {
        echo "$1 does not build:" >&2
        grep -m 5 'error:' "$scratch/build.log" >&2
        exit 2
    }
}

# run FILTER: runs the tests and prints the first violation that the simulation names, else the first test that fails, else nothing.
run() {
    (cd "$scratch" && swift test --skip-build --filter "$1" >run.log 2>&1) && ended=yes || ended=no
    grep -q 'Test run with' "$scratch/run.log" || { echo 'the run did not end' && return; }
    grep -m1 -oE 'seed [0-9]+, step [0-9]+, .*' "$scratch/run.log" && return
    [[ $ended == yes ]] || grep -m1 -oE 'Test [A-Za-z]+\(.*failed' "$scratch/run.log" || echo 'a test failed'
}

# The simulation, unless the patch says `Caught-by: FILTER` in its head: some mistakes are out of what a simulated disk can see.
filter_of() {
    local named
    named=$(sed -n 's/^Caught-by: //p' "$patches/$1.patch")
    echo "${named:-$simulation}"
}

simulation=SimulationTests.SimulationTests/whatever
fresh
build 'The tree without a bug'
for filter in $(for bug in "$@"; do filter_of "$bug"; done | sort -u); do
    found=$(run "$filter")
    [[ -z $found ]] || { echo "Without any bug $filter says: $found" >&2; exit 2; }
done

caught=0 missed=0
for bug in "$@"; do
    fresh
    (cd "$scratch" && patch --quiet -p1 <"$patches/$bug.patch") || { echo "$bug.patch does not fit the tree any more." >&2; exit 2; }
    build "$bug"
    found=$(run "$(filter_of "$bug")" | head -n 1 | cut -c1-160)
    if [[ -n $found ]]; then
        caught=$((caught + 1))
        printf '%-36s %s\n' "$bug" "$found"
    else
        missed=$((missed + 1))
        printf '%-36s NOT CAUGHT\n' "$bug"
    fi
done
fresh
echo "$caught caught, $missed missed"
((missed == 0))
