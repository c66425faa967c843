# Shared by the scripts: where things are kept, and how long steps report progress.
# Source it; do not run it.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${CHRYSALIS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chrysalis}
tools=$cache/tools/bin
export CHRYSALIS_CACHE=$cache
export CHRYSALIS_VHOST_DEVICE_VSOCK=${CHRYSALIS_VHOST_DEVICE_VSOCK:-$tools/vhost-device-vsock}
# Builds can outlive a clone: the next one starts warm.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
debug=$CARGO_TARGET_DIR/debug
mkdir -p "$cache/logs"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $1"
    shift
    for hint in "$@"; do say "hint: $hint"; done
    exit 1
}

# The base of the Debian archive that this machine's apt knows.
debian_archive() {
    local archive
    archive=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
        sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' |
        grep -v security | grep -m 1 '/debian/\{0,1\}$' || true)
    [ -n "$archive" ] || die "no Debian archive among apt's sources" "${1:-add one to /etc/apt/sources.list}"
    printf '%s\n' "$archive"
}

# step WHAT COMMAND...: runs the command with its output in a log; after two seconds says which step is running, then
# prints the newest line of the log from time to time. On failure prints the end of the log.
step() {
    local what=$1 log started last='' line pid status=0
    shift
    log=$cache/logs/$(printf '%s' "$what" | tr -c 'A-Za-z0-9' '-').log
    started=$SECONDS
    "$@" >"$log" 2>&1 &
    pid=$!
    local ticks=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        ticks=$((ticks + 1))
        [ "$ticks" -eq 10 ] && say "  $what ..."
        if [ "$ticks" -gt 10 ] && [ $((ticks % 50)) -eq 0 ]; then
            line=$(tr '\r' '\n' <"$log" | grep -av '^[[:space:]]*$' | tail -n 1 | cut -c1-100 || true)
            [ "$line" != "$last" ] && say "    $((SECONDS - started)) s: $line"
            last=$line
        fi
    done
    wait "$pid" || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$log" >&2
        die "$what failed (exit $status)" "read the whole log: $log"
    fi
    [ "$ticks" -ge 10 ] && say "  $what: done in $((SECONDS - started)) s"
    return 0
}
