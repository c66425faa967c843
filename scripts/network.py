"""What scripts/demo-network does by the clock: requests from many at once, lies and how they are refused, and rewards to the nano."""

import argparse, collections, concurrent.futures, http.client, json, pathlib, subprocess, sys, threading, time, urllib.parse, urllib.request

from cbor import head, read

PROXY = ("127.0.0.1", 8080)


def say(text):
    print("   " + text, file=sys.stderr, flush=True)


def ask(model, number):
    """One streamed or whole answer: (status or what broke, provider, attempts)."""
    body = json.dumps({"model": model, "max_tokens": 48, "stream": number % 2 == 0,
                       "messages": [{"role": "user", "content": f"Say something about the number {number}."}]})
    connection = http.client.HTTPConnection(*PROXY, timeout=600)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        provider, attempts = answer.getheader("x-chrysalis-provider"), int(answer.getheader("x-chrysalis-attempts") or 1)
        outcome = "answered"
        if answer.status != 200:
            outcome = f"{answer.status} {json.loads(text)['error'].get('code')}"
        elif number % 2 == 0 and "data: [DONE]" not in text:
            broken = [line for line in text.splitlines() if '"error"' in line]
            outcome = "broke off: " + (json.loads(broken[-1].removeprefix("data: "))["error"].get("code") if broken else "nothing said")
        return outcome, provider, attempts, answer.getheader("x-chrysalis-spent"), text
    except (OSError, http.client.HTTPException) as error:
        return f"broke off: {type(error).__name__}", None, 1, None, ""
    finally:
        connection.close()


def load(arguments):
    until = time.monotonic() + arguments.seconds
    outcomes, shares, again, spent = collections.Counter(), collections.Counter(), 0, 0
    lock = threading.Lock()
    numbers = iter(range(1, 1_000_000))
    first = []

    def client(_):
        nonlocal again, spent
        while time.monotonic() < until:
            with lock:
                number = next(numbers)
            outcome, provider, attempts, nano, text = ask(arguments.model, number)
            with lock:
                outcomes[outcome] += 1
                shares[provider] += 1
                again += attempts > 1
                spent += int(nano or 0)
                if not first and outcome == "answered" and nano:
                    first.append((json.loads(text)["choices"][0]["message"]["content"].strip().splitlines()[0], provider, int(nano)))

    with concurrent.futures.ThreadPoolExecutor(arguments.clients) as pool:
        told = pool.map(client, range(arguments.clients))
        list(told)
    if arguments.clients == 1 and first:
        text, provider, nano = first[0]
        say(f"“{text[:60]}” by {provider[:8]}, {nano / 1e9:.6f} GRAM")
        return
    total = sum(shares.values())
    say("requests  " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    say("shares    " + ", ".join(f"{(provider or 'nobody')[:8]} {100 * count // total} %" for provider, count in shares.most_common()))
    say(f"{again} tried again before their first piece")
    lost = [outcome for outcome in outcomes if outcome != "answered" and not outcome.startswith("broke off: ")]
    if lost or outcomes["answered"] == 0:
        say(f"lost: {lost}")
        sys.exit(1)


def upload(listing, evidence):
    fields = [(b"listing", listing), (b"evidence", evidence)]
    return head(5, 2) + b"".join(head(3, len(name)) + name + head(2, len(value)) + value for name, value in fields)


def get(path):
    return urllib.request.urlopen("http://127.0.0.1:8090" + path).read()


def refused(what, code):
    say(f"{what:52}{code}")


def send(method, path, body):
    request = urllib.request.Request("http://127.0.0.1:8090" + path, body, method=method)
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        return json.load(error)["error"]["code"]
    sys.exit("a lie was taken")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def lies(arguments):
    out = pathlib.Path(arguments.out)
    receipts = sorted((out / "receipts").glob("*.receipt"), key=lambda path: path.stat().st_mtime)
    good = bytearray(receipts[-1].read_bytes())
    verify = [arguments.chrysalis, "receipt", "verify", "--policy", str(out / "policy.toml"), "--format", "json"]
    code, told = run(*verify, str(receipts[-1]))
    if code:
        sys.exit(f"a good receipt is refused: {told}")

    def receipt_refused(what, bytes_, evidence=None):
        path = out / "receipts" / "lie.receipt"
        path.write_bytes(bytes_)
        code, told = run(*verify, str(path), *(["--evidence", str(evidence)] if evidence else []))
        path.unlink()
        if code != 1:
            sys.exit(f"{what}: exit {code}: {told}")
        refused(what, json.loads(told)["code"])

    forged = good.copy()
    forged[forged.index(b"signature") + 20] ^= 1
    receipt_refused("a receipt with one bit of its signature changed", forged)
    others = [path for path in (out / "receipts").glob("*.evidence") if read(good)[0]["job"].find(bytes.fromhex(path.stem[-64:])) < 0]
    if others:
        receipt_refused("a receipt with another enclave's evidence", good, others[0])
    now, _ = read(get(f"/now/{arguments.weights}"))
    full, _ = read(get(f"/listings/{arguments.weights}/full-{now['epoch']}"))
    one = full["listings"][0]
    offer = read(read(read(read(one)[0]["listing"])[0]["offer"])[0]["offer"])[0]
    evidence = get(f"/evidence/{offer['evidence'].hex()}")
    changed = bytearray(one)
    changed[changed.index(b"here-") + 5] ^= 1
    refused("a listing that somebody has changed", send("PUT", "/v1/listings", upload(bytes(changed), evidence)))
    minute = sorted((out / "first" / "public" / "reports").iterdir())[-1]
    report = bytearray(read(minute.read_bytes())[0][0])
    report[-1] ^= 1
    refused("a price report that somebody has changed", send("POST", "/v1/reports", bytes(report)))
    mirror = out / "mirror"
    subprocess.run(["cp", "-r", str(out / "first" / "public"), str(mirror)], check=True)
    reports = sorted((mirror / "reports").iterdir())
    reports[len(reports) // 2].write_bytes(b"\x80")
    keys = [word for name in ("ann", "ben", "cleo") for word in ("--network-key", str(out / f"{name}.pub"))]
    code, told = run(arguments.directory, "check", str(mirror), *keys, "--network-at-least", "2")
    if code != 1:
        sys.exit(f"withheld reports: exit {code}: {told}")
    refused("a mirror that withholds a minute's reports", told.strip().splitlines()[0][:60])


def rewards(arguments):
    def ask_chain(method, address, **more):
        query = urllib.parse.urlencode({"address": address, **more})
        return json.load(urllib.request.urlopen(f"{arguments.chain}/{method}?{query}"))["result"]

    out = pathlib.Path(arguments.out)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        _, told = run(arguments.chrysalis, "pay", "status", "--purse", str(out / "purse"), "--json")
        status = json.loads(told)
        by_payee = {lane["payee"]: lane for lane in status["lanes"]}
        states = {}
        for name in "abc":
            _, told = run(arguments.host, "cashier", "status", "--state", str(out / name), "--format", "json")
            states[name] = json.loads(told)
        if all(state["due"] == 0 and state["claimed"] == 0 for name, state in states.items() if name != "c"):
            break
        time.sleep(1)
    wrong, came_in = False, {}
    for name, payee in zip("abc", arguments.payees):
        state, paid = states[name], int(ask_chain("getAddressBalance", payee))
        came_in[state["payee"]] = paid
        say(f"{name.upper()}  owed {state['owed']:>14,}  claimed from the purse {state['paid']:>14,}  came in {paid:>14,} nano")
        wrong |= state["paid"] > state["owed"]
    ledger = json.load(urllib.request.urlopen(arguments.ledger + "/v1/ledger/summary.json"))
    for row in ledger["operators"]:
        # C is dead: what came in there is one nano, with which its purse said that the lane closes.
        wrong |= int(row["paid"]) not in {came_in["0:" + row["payee"]], came_in["0:" + row["payee"]] - 1}
        say(f"the ledger: {row['operator'][:8]}  signed {int(row['signed']):>14,}  paid {int(row['paid']):>14,} nano")
    say("signed = claimed + what is under the least claim, and what C was owed when it died; claimed - fees = came in = paid")
    sys.exit(wrong and "the ledger and the chain do not agree")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("load")
    verb.add_argument("model")
    verb.add_argument("--clients", type=int, required=True)
    verb.add_argument("--seconds", type=int, required=True)
    verb.set_defaults(run=load)
    verb = verbs.add_parser("lies")
    for name in ("chrysalis", "directory", "out", "weights"):
        verb.add_argument("--" + name, required=True)
    verb.set_defaults(run=lies)
    verb = verbs.add_parser("rewards")
    for name in ("chrysalis", "host", "out", "chain", "ledger"):
        verb.add_argument("--" + name, required=True)
    verb.add_argument("payees", nargs=3)
    verb.set_defaults(run=rewards)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
