# A network on this machine, for the scripts that source this after lib.sh and name a folder in $out: processes that end with the script,
# keys, and the descriptor, signed by two of its three keys.

rm -rf "$out" && mkdir -p "$out"
logs=$out
# What is remembered of this network is of this run alone: the next one has other keys.
export XDG_STATE_HOME=$root/$out/seen
children=()
trap 'kill -- "${children[@]}" 2>/dev/null || true; wait' EXIT
echo "a demonstration's passphrase" >"$out/passphrase"
by=(--passphrase-file "$out/passphrase")

# start LOG COMMAND…: in a process group of its own, so that it can be killed with all that it started.
start() {
    setsid "${@:2}" >"$out/$1.log" 2>&1 &
    children+=("-$!")
}
# stop: ends what was started last.
stop() { kill -- "${children[-1]}" && wait "${children[-1]#-}" 2>/dev/null || true; }
answers() { curl -sf "$1" -o /dev/null; }

# host NAME PORT OPTIONS…: a machine that serves $out/configuration.toml, as "${how[@]}" says.
host() {
    start "host-$1" "$debug/chrysalis-host" run build/cpu --configuration "$out/configuration.toml" --disks build/disks "${how[@]}" \
        --listen "127.0.0.1:$2" --metrics 127.0.0.1:0 --state "$out/$1" --ready-file "$out/$1.json" "${@:3}"
}

# policy NAME PORT: the simulated vendor, whose keys this host's first run makes, and a policy for its machines.
policy() {
    host "$1" "$2"
    await "the simulated vendor" test -s "$out/$1/simulated-roots.pem"
    stop
    rm -f "$out/$1.json"
    "$debug/chrysalis" policy init --image build/cpu --vcpus 2 --configuration "$out/configuration.toml" \
        --minimum-tcb measurements/releases/minimum-tcb.toml --simulated-root "$out/$1/simulated-roots.pem" >"$out/policy.toml"
}

# describe GLOBAL_ID DIRECTORY:PORT… -- MODEL…: writes and signs the descriptor; "${network[@]}" names it.
describe() {
    local chain=$1 name
    shift
    for name in ann ben cleo; do "$debug/chrysalis-image" key release --key "$out/$name.pem" "${by[@]}" >/dev/null 2>&1; done
    cat >"$out/network.toml" <<T
name = "demo.example"
version = 1
expires = "$(date -ud '+1 day' +%Y-%m-%dT%H:%M:%SZ)"
policy = "$(sha256sum "$out/policy.toml" | cut -d' ' -f1)"

[chain]
symbol = "GRAM"
global_id = $chain
purse = "$(cat settle/contracts/purse.hash)"
T
    while [ "$1" != -- ]; do
        name=${1%:*}
        "$debug/chrysalis-image" key log --key "$out/$name.pem" "${by[@]}" >/dev/null 2>&1
        printf '\n[[directory]]\nurl = "http://127.0.0.1:%s"\nkey = "%s"\n' "${1#*:}" "$(openssl pkey -pubin -in "$out/$name.pub" -pubout -outform DER |
            tail -c 32 | od -An -vtx1 | tr -d ' \n')"
        shift
    done >>"$out/network.toml"
    shift
    for name; do
        printf '\n[[class]]\nname = "%s"\nweights = "%s"\n' "$name" "$(sed -n 's/^weights *= *"\(.*\)"/\1/p' "build/disks/$name.toml")"
    done >>"$out/network.toml"
    "$debug/chrysalis-image" network sign "$out/network.toml" --key "$out/ann.pem" "${by[@]}" --out "$out/network.json" 2>&1 | sed -n 's/^signed/   signed/p'
    "$debug/chrysalis-image" network sign "$out/network.toml" --key "$out/cleo.pem" "${by[@]}" --add --out "$out/network.json" 2>&1 | sed -n 's/^signed/   signed/p'
    network=(--network "$out/network.json" --network-at-least 2 --allow-private)
    for name in ann ben cleo; do network+=(--network-key "$out/$name.pub"); done
}

# directory NAME PORT OPTIONS…
directory() {
    start "$1" "$debug/chrysalis-directory" serve "${network[@]}" --policy "$out/policy.toml" --key "$out/$1.pem" "${by[@]}" \
        --data "$out/$1" --listen "127.0.0.1:$2" "${@:3}"
}
