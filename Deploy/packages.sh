# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sourced by quickstart.sh and test.sh: makes sure that the machine has what a build needs.

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

# install_packages PACKAGE...: installs what is missing with apt-get, or says what is missing and fails.
install_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        complain "This is not a Debian-like system. Please make sure that you have what these Debian packages provide: $*"
        return 0
    fi
    for package in "$@"; do
        # shellcheck disable=SC2016  # the dollar is dpkg-query's
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    local as_root=()
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            complain "These packages are missing: ${missing[*]}"
            complain "Please have them installed:  apt-get install ${missing[*]}"
            return 1
        fi
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    # Lists may be old or absent; when they cannot be fetched, the install below tells what is wrong.
    "${as_root[@]}" apt-get update -qq || true
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
        complain "apt-get could not install: ${missing[*]}"
        return 1
    fi
}

# require_swift: the toolchain is the one thing that is not installed for you.
require_swift() {
    if ! command -v swift >/dev/null; then
        complain "There is no swift on the PATH. Install a Swift 6.2 (or newer) toolchain: https://www.swift.org/install/linux/"
        return 1
    fi
}
