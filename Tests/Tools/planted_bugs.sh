#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Plants one bug after the other into a scratch copy of the sources and shows that the simulation catches it.
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

# Runs the simulation in the scratch copy; prints the first violation, or nothing.
simulate() {
    (cd "$scratch" && swift build --build-tests >build.log 2>&1) || { tail -20 "$scratch/build.log" >&2; exit 2; }
    (cd "$scratch" && swift test --skip-build --filter 'SimulationTests.SimulationTests/whatever' >run.log 2>&1) || true
    grep -q 'Test run with' "$scratch/run.log" || { echo "the run did not end" && return; }
    grep -m1 -oE 'seed [0-9]+, step [0-9]+, .*' "$scratch/run.log" || true
}

caught=0 missed=0
for bug in "$@"; do
    fresh
    (cd "$scratch" && patch --quiet -p1 <"$patches/$bug.patch")
    found=$(simulate | cut -c1-160)
    if [[ -n $found ]]; then
        caught=$((caught + 1))
        printf '%-36s %s\n' "$bug" "$found"
    else
        missed=$((missed + 1))
        printf '%-36s NOT CAUGHT by %s seeds\n' "$bug" "$COLDVAULT_SIM_SEEDS"
    fi
done
fresh
echo "$caught caught, $missed missed"
((missed == 0))
