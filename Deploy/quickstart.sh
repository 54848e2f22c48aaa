#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds Coldvault, starts it on loopback, archives a file, brings it back, compares, and keeps serving.
#
#   Deploy/quickstart.sh [FILE] [--once]
#
#   FILE      what to archive (default: the executable that was just built)
#   --once    stop after the round trip instead of serving until Ctrl-C
#
# COLDVAULT_QUICKSTART_DIR   where the vault, its keys and the credentials live (default: ~/.coldvault-quickstart). Running
#                            again uses the same vault. To start over: remove the directory.
# COLDVAULT_BINARY           an executable to use instead of building one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
# shellcheck source=Deploy/packages.sh
source "$here/packages.sh"

state=$(realpath -m "${COLDVAULT_QUICKSTART_DIR:-$HOME/.coldvault-quickstart}")
vault=quickstart
start_limit_seconds=30
server=''
work=''

usage() { sed -n '5,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# member NAME FILE: the text or number of a member of a small flat JSON object. No tool needs to be installed for that.
member() { sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"\{0,1\}\([^",}]*\).*/\1/p' "$2" | head -n 1; }

bytes_of() { stat -c %s "$1"; }
# The sizes of all blobs together, without what the file system adds for directories and blocks.
blob_bytes() { find "$state/data/blobs" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }'; }
microseconds() { printf '%s' "${EPOCHREALTIME/[^0-9]/}"; }
# seconds_since MICROSECONDS: with milliseconds.
seconds_since() { local us=$(($(microseconds) - $1)); printf '%d.%03d s' $((us / 1000000)) $((us / 1000 % 1000)); }
mebibytes() { printf '%d.%02d MiB' $(($1 / 1048576)) $(($1 % 1048576 * 100 / 1048576)); }

stop_server() {
    [[ -n $server ]] || return 0
    local pid=$server
    server=''
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

leave() {
    local status=$?
    trap - EXIT INT TERM
    stop_server
    [[ -z $work ]] || rm -rf "$work"
    exit "$status"
}

fail() {
    complain "$1"
    if [[ -s $state/serve.log ]]; then
        complain "The last lines of the service's log ($state/serve.log):"
        tail -n 5 "$state/serve.log" >&2
    fi
    exit 1
}

build() {
    if [[ -n ${COLDVAULT_BINARY:-} ]]; then
        binary=$COLDVAULT_BINARY
        return
    fi
    install_packages libssl-dev libsqlite3-dev liblz4-dev pkg-config
    require_swift
    say "Building (the first time takes some minutes)"
    (cd "$root" && swift build -c release --product coldvault)
    binary=$(cd "$root" && swift build -c release --show-bin-path)/coldvault
}

initialise() {
    chmod 700 "$state"
    if [[ -s $state/init.json ]]; then
        say "Using the vault in $state"
        return
    fi
    if [[ -e $state/data || -e $state/root.key ]]; then
        complain "$state holds a data directory or root key, but not the credentials that a quickstart keeps."
        complain "Remove it to start over, or set COLDVAULT_QUICKSTART_DIR to another place."
        exit 1
    fi
    "$binary" init --data-dir "$state/data" --root-key-file "$state/root.key" --output json >"$work/init.json"
    # What init prints once is kept here, readable by the owner only, so that the quickstart can run again.
    mv "$work/init.json" "$state/init.json"
    say "Made a vault service in $state"
}

write_credentials() {
    local key secret
    key=$(member accessKeyId "$state/init.json")
    secret=$(member secretAccessKey "$state/init.json")
    region=$(member region "$state/init.json")
    [[ -n $key && -n $secret ]] || fail "$state/init.json is not what init prints. Remove $state to start over."
    printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$key" "$secret" >"$state/credentials"
    printf '[default]\nregion = %s\n' "$region" >"$state/config"
}

start_server() {
    : >"$work/serve.out"
    env -u COLDVAULT_QUICKSTART_DIR -u COLDVAULT_BINARY "$binary" serve --data-dir "$state/data" --root-key-file "$state/root.key" \
        --listen 127.0.0.1:0 --operator-listen off >"$work/serve.out" 2>"$state/serve.log" &
    server=$!
    local deadline=$((SECONDS + start_limit_seconds))
    until grep -q '^listening on ' "$work/serve.out"; do
        kill -0 "$server" 2>/dev/null || { server=''; fail "The service ended at once."; }
        ((SECONDS < deadline)) || fail "The service was not ready within $start_limit_seconds seconds."
        sleep 0.1
    done
    endpoint=$(sed -n 's/^listening on //p' "$work/serve.out" | head -n 1)
    [[ $endpoint == http* ]] || endpoint=http://$endpoint
    say "Serving at $endpoint (process $server)"
}

# client VERB...: a client command with the quickstart's credentials and nothing else of the caller's AWS settings.
client() {
    env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_PROFILE -u AWS_ENDPOINT_URL_GLACIER \
        AWS_SHARED_CREDENTIALS_FILE="$state/credentials" AWS_CONFIG_FILE="$state/config" AWS_REGION="$region" \
        AWS_ENDPOINT_URL="$endpoint" "$binary" "$@"
}

# part_size BYTES: the smallest one that leaves at most 1,000 parts, so that any file of more than 1 MiB has several.
part_size() {
    local mebibytes=1
    while (($1 / 1048576 / mebibytes >= 1000 && mebibytes < 4096)); do mebibytes=$((mebibytes * 2)); done
    printf '%dMiB' "$mebibytes"
}

round_trip() {
    local size parts=() before after started upload_time retrieve_time
    size=$(bytes_of "$file")
    ((size > 0)) || fail "$file is empty; an archive has at least one byte."
    if ((size > 1048576)); then parts=(--part-size "$(part_size "$size")"); fi
    client vault create "$vault" >/dev/null
    before=$(blob_bytes)

    say "Uploading $file (${parts[*]:-in one request})"
    started=$(microseconds)
    client archive upload --vault "$vault" --description "quickstart ${file##*/}" "${parts[@]}" --output json "$file" \
        >"$work/upload.json" || fail "The upload failed."
    upload_time=$(seconds_since "$started")
    after=$(blob_bytes)
    archive=$(member ArchiveId "$work/upload.json")

    say "Retrieving it through a job"
    started=$(microseconds)
    client archive retrieve --vault "$vault" --archive-id="$archive" --output-file "$work/retrieved" --output json \
        >"$work/retrieve.json" || fail "The retrieval failed."
    retrieve_time=$(seconds_since "$started")
    cmp "$file" "$work/retrieved" || fail "The retrieved file differs from the original. This must never happen: please report it."

    say ""
    say "The retrieved file is identical to the original."
    say "  archive        $archive"
    say "  size           $size bytes ($(mebibytes "$size"))"
    say "  tree hash      $(member SHA256TreeHash "$work/upload.json")"
    say "  stored         $((after - before)) bytes ($(mebibytes $((after - before)))), compressed and encrypted; $(mebibytes "$after") in all"
    say "  upload         $upload_time"
    say "  job+download   $retrieve_time (job $(member JobId "$work/retrieve.json" | cut -c 1-12)…)"
    say ""
    say "Keys:"
    "$binary" key list --data-dir "$state/data" | sed 's/^/  /'
}

explain() {
    cat <<TEXT

Point the AWS CLI (or any Glacier client) at it:

  export AWS_SHARED_CREDENTIALS_FILE='$state/credentials' AWS_REGION=$region
  export AWS_ENDPOINT_URL=$endpoint
  aws glacier list-vaults --account-id -
  aws glacier describe-vault --account-id - --vault-name $vault

or the client of this program, with the same variables:

  $binary archive upload --vault $vault FILE

Everything is in $state: data/ (the vault), root.key and init.json (secrets; init.json holds the recovery key too,
which a real installation writes down and keeps elsewhere), credentials, config, serve.log.
TEXT
}

file='' once=false
for argument in "$@"; do
    case $argument in
        --once) once=true ;;
        -h | --help) usage; exit 0 ;;
        -*) complain "Unknown option $argument"; usage >&2; exit 2 ;;
        *) [[ -z $file ]] || { complain "Only one FILE"; usage >&2; exit 2; }; file=$argument ;;
    esac
done
if [[ -n $file && ! -r $file ]]; then
    complain "$file cannot be read"
    exit 2
fi

trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build
file=${file:-$binary}
umask 077
mkdir -p "$state"
work=$(mktemp -d "$state/run.XXXXXX")
initialise
write_credentials
start_server
round_trip
explain
if [[ $once == true ]]; then
    say "Stopping (--once)."
    exit 0
fi
say ""
say "Serving until Ctrl-C."
served=$server
wait "$served" || { status=$?; server=''; fail "The service ended with status $status."; }
server=''
