#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests need, builds, runs every test, and ends with the totals.
#
#   Deploy/test.sh [RUNNER...]
#
#   RUNNER    swift, layers, tools, blackbox; all of them when none is named
#
# COLDVAULT_VENV    the Python environment for the black-box tests (default: .build/test-venv)
# COLDVAULT_KILLS    rounds of the kill -9 tests (default: slices of 10 and 12; long runs: 200 and 2000)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
# shellcheck source=Deploy/packages.sh
source "$here/packages.sh"
cd "$root"

venv=${COLDVAULT_VENV:-$root/.build/test-venv}
reports=$root/.build/test-reports
requirements=('awscli>=1,<2' 'boto3>=1,<2' 'pytest>=8,<10' 'cryptography>=42' 'lz4>=4,<5')
# A runner that hangs must not hang the build machine.
runner_limit=40m

passed=0 failed=0 skipped=0
lines=()

# count NAME PASSED FAILED SKIPPED STATUS: adds a runner's result. One that ran nothing, or that ended badly without naming
# a failed test, has failed.
count() {
    local name=$1 good=$2 bad=$3 left_out=$4 status=$5 remark=
    if ((good + bad == 0)); then
        bad=1 remark=" (no test ran)"
    elif ((status != 0 && bad == 0)); then
        bad=1 remark=" (ended with status $status)"
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left_out))
    lines+=("$(printf '  %-10s %5d passed, %d failed, %d skipped%s' "$name" "$good" "$bad" "$left_out" "$remark")")
}

# Tests that failed, by name, for the end of a long log.
failures=$reports/failures.txt

# count_report NAME STATUS FILE...: totals from JUnit XML; the failed tests are remembered.
count_report() {
    local name=$1 status=$2 numbers
    shift 2
    numbers=$("$venv/bin/python" - "$failures" "$name" "$@" <<'PYTHON'
import sys
import xml.etree.ElementTree as xml

tests = bad = skipped = 0
failed = []
for path in sys.argv[3:]:
    try:
        suites = list(xml.parse(path).getroot().iter("testsuite"))
    except (OSError, xml.ParseError):
        continue
    for suite in suites:
        tests += int(suite.get("tests", 0))
        bad += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
        for case in suite.iter("testcase"):
            for trouble in [*case.iter("failure"), *case.iter("error")]:
                message = " ".join(trouble.get("message", "").split())
                failed.append(f"{sys.argv[2]}: {case.get('classname')} {case.get('name')}: {message[:300]}")
with open(sys.argv[1], "a", encoding="utf-8") as log:
    log.writelines(line + "\n" for line in failed)
print(max(0, tests - bad - skipped), bad, skipped)
PYTHON
    )
    # shellcheck disable=SC2086  # three numbers, three arguments
    count "$name" $numbers "$status"
}

prepare() {
    install_packages libssl-dev libsqlite3-dev liblz4-dev pkg-config python3 python3-venv python3-boto openssl
    require_swift
    mkdir -p "$reports"
    : >"$failures"
    local wanted="${requirements[*]}"
    if [[ ! -x $venv/bin/python || $(cat "$venv/requirements.stamp" 2>/dev/null || true) != "$wanted" ]]; then
        say "Making the Python environment $venv"
        python3 -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "${requirements[@]}"
        printf '%s\n' "$wanted" >"$venv/requirements.stamp"
    fi
    PATH=$venv/bin:$PATH
}

# One debug build serves the Swift tests and, as .build/debug/coldvault, the black-box tests.
build() {
    say "Building"
    swift build --build-tests || return 1
    binary=$(swift build --show-bin-path)/coldvault
    [[ -x $binary ]] || swift build --product coldvault
}

run_swift() {
    local status=0
    rm -f "$reports"/swift*.xml
    timeout "$runner_limit" swift test --skip-build --xunit-output "$reports/swift.xml" || status=$?
    # The test library of the package writes beside the file that was named for XCTest.
    count_report swift "$status" "$reports/swift-swift-testing.xml"
}

run_layers() {
    local status=0 totals
    Tests/Tools/check_layers.py | tee "$reports/layers.txt" || status=$?
    totals=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$reports/layers.txt")
    # shellcheck disable=SC2086  # two numbers, two arguments
    count layers ${totals:-0 0} 0 "$status"
}

# run_pytest NAME PATH...
run_pytest() {
    local name=$1 status=0
    shift
    rm -f "$reports/$name.xml"
    (cd Tests && COLDVAULT_BINARY=$binary timeout "$runner_limit" "$venv/bin/python" -m pytest -q -p no:cacheprovider \
        --junitxml "$reports/$name.xml" "$@") || status=$?
    count_report "$name" "$status" "$reports/$name.xml"
}

runners=("$@")
((${#runners[@]})) || runners=(layers tools swift blackbox)
for runner in "${runners[@]}"; do
    case $runner in
        swift | layers | tools | blackbox) ;;
        *) complain "Unknown runner $runner: swift, layers, tools, blackbox"; exit 2 ;;
    esac
done

started=$SECONDS
binary=$root/.build/debug/coldvault
prepare
if [[ " ${runners[*]} " == *" swift "* || " ${runners[*]} " == *" blackbox "* ]] && ! build; then
    complain "The build failed."
    say "0 passed, 1 failed"
    exit 1
fi
for runner in "${runners[@]}"; do
    say "== $runner"
    case $runner in
        swift) run_swift ;;
        layers) run_layers ;;
        tools) run_pytest tools Tools ;;
        blackbox) run_pytest blackbox ;;
    esac
done

say ""
head -n 50 "$failures"
printf '%s\n' "${lines[@]}"
say "  skipped    $skipped, in $((SECONDS - started)) s"
say "$passed passed, $failed failed"
((failed == 0))
