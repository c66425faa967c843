"""What scripts/test-fleet does by the clock: requests all the time, which host is in the middle of an answer, and whether every receipt is in
exactly one claim."""

import argparse, base64, collections, hashlib, http.client, json, pathlib, random, sqlite3, subprocess, sys, threading, time, urllib.parse, urllib.request

from cbor import read

PROXY = ("127.0.0.1", 8080)
# The least that a claim brings (docs/spec/settle.md), in nano.
FLOOR = 27_235_200


def say(text):
    print("   " + text, file=sys.stderr, flush=True)


class Load:
    """Clients that ask one thing after the other, and what became of it."""

    def __init__(self, arguments):
        self.arguments, self.out = arguments, pathlib.Path(arguments.out)
        self.lock, self.ports, self.under_way, self.records = threading.Lock(), {}, {}, []

    def find(self, provider):
        """The port of a provider: directories say it."""
        if provider and provider not in self.ports:
            listed = subprocess.run([self.arguments.chrysalis, "network", "list", *self.arguments.network, "--format", "json"], capture_output=True)
            for model in json.loads(listed.stdout)["models"]:
                for one in model["providers"]:
                    self.ports[one["id"]] = int(one["endpoints"][0].rsplit(":", 1)[1])

    def show(self, number, begun):
        """Writes down who is in the middle of a stream: {number: [provider's port, when it began]}."""
        with self.lock:
            if begun:
                self.under_way[number] = begun
            else:
                self.under_way.pop(number, None)
            draft = self.out / "under-way.new"
            draft.write_text(json.dumps(self.under_way))
            draft.rename(self.out / "under-way")

    def ask(self, number):
        streamed = number % 4 != 0
        body = json.dumps({"model": self.arguments.model, "max_tokens": 40, "stream": streamed,
                           "messages": [{"role": "user", "content": f"Count from {number} to ten thousand, in words."}]})
        record = {"number": number, "streamed": streamed, "asked": time.time(), "provider": None, "attempts": 1, "first": None}
        connection = http.client.HTTPConnection(*PROXY, timeout=600)
        try:
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            record["provider"] = answer.getheader("x-chrysalis-provider")
            record["attempts"] = int(answer.getheader("x-chrysalis-attempts") or 1)
            self.find(record["provider"])
            text = answer.readline().decode()
            record["first"] = time.time()
            if streamed and answer.status == 200:
                self.show(number, [self.ports.get(record["provider"]), record["first"]])
            text += answer.read().decode()
            record["outcome"] = "answered"
            if answer.status != 200:
                record["outcome"] = f"{answer.status} {json.loads(text)['error'].get('code')}"
            elif streamed and "data: [DONE]" not in text:
                broken = [line for line in text.splitlines() if '"error"' in line]
                record["outcome"] = "broke off: " + (json.loads(broken[-1].removeprefix("data: "))["error"].get("code") if broken else "nothing said")
        except (OSError, http.client.HTTPException) as error:
            record["outcome"] = f"broke off: {type(error).__name__}"
        finally:
            connection.close()
            self.show(number, None)
        record["ended"] = time.time()
        return record

    def run(self):
        numbers = iter(range(1, 1_000_000))

        def client():
            while not (self.out / "enough").exists():
                with self.lock:
                    number = next(numbers)
                record = self.ask(number)
                with self.lock:
                    self.records.append(record)
                    print(f"answered {len(self.records)}" if record["outcome"] == "answered" else record["outcome"], flush=True)
                if record["outcome"] != "answered":
                    time.sleep(1)

        threads = [threading.Thread(target=client) for _ in range(self.arguments.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (self.out / "outcomes.json").write_text(json.dumps({"records": self.records, "ports": self.ports}))


def busy(arguments):
    """Prints the port of a host that began to stream an answer a moment ago: it has some of it left."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        under_way = json.loads((pathlib.Path(arguments.out) / "under-way").read_text())
        now = time.time()
        fresh = [port for port, begun in under_way.values() if port in arguments.ports and now - begun < 0.4]
        if fresh:
            print(random.choice(fresh))
            return
        time.sleep(0.02)
    sys.exit("error: no host of the fleet began to answer for two minutes\nhint: read the logs in build/test-fleet")


def digest(label, *parts):
    return hashlib.sha256(bytes([len(label)]) + label.encode() + b"".join(parts)).digest()


class Tab:
    """A tab: what the client kept of it, what the book has, and its claims."""

    def __init__(self, row):
        self.key, self.branch, self.amount, self.paid = row["receipt_key"], row["branch"], row["amount"], row["paid"]
        self.owed, self.kept, self.claims = min(row["amount"], row["cap"]), [], []
        place = row["purse"] + row["lane"].to_bytes(4, "big") + row["branch"].to_bytes(2, "big")
        self.head = digest("chrysalis/tab/v1", self.key, place)

    def port(self, operator, weights, ports):
        return ports.get(digest("chrysalis/provider/v1", operator, self.key, weights)[:16].hex())


def claims_are_over(arguments, folder):
    """Waits for the cashier: nothing that is worth a claim is left. Its book, as `cashier status` tells it."""
    deadline, said = time.monotonic() + 180, time.monotonic()
    while True:
        told = subprocess.run([arguments.host, "cashier", "status", "--state", str(folder / "cashier"), "--format", "json"], capture_output=True, check=True)
        book = json.loads(told.stdout)
        with sqlite3.connect(f"file:{folder}/cashier/cashier.db?mode=ro", uri=True) as database:
            left = [due for (due,) in database.execute("SELECT min(amount, cap) - paid FROM tabs") if due >= FLOOR]
        if book["claimed"] == 0 and not left:
            return book
        if time.monotonic() > deadline:
            sys.exit(f"error: {len(left)} tabs are worth a claim and not paid\nhint: read {folder}/cashier.log")
        if time.monotonic() - said > 8:
            said = time.monotonic()
            say(f"waiting for the claims on {len(left)} tabs")
        time.sleep(1)


def payouts(arguments):
    """What came in at the payee's account, one by one. Each lane says besides, with one nano, that it closes."""
    values, last = [], {}
    while True:
        query = urllib.parse.urlencode({"address": arguments.payee, "limit": 100, **last})
        page = json.load(urllib.request.urlopen(f"{arguments.chain}/getTransactions?{query}"))["result"]
        values += [int(one["in_msg"]["value"]) for one in page[1 if last else 0:]]
        if len(page) < 100:
            return [value for value in values if value > 1]
        last = {name: page[-1]["transaction_id"][name] for name in ("lt", "hash")}


class Check:
    def __init__(self, arguments):
        self.arguments, self.folder, self.wrong = arguments, pathlib.Path(arguments.out), []
        told = json.loads((self.folder / "outcomes.json").read_text())
        self.records, self.ports = told["records"], told["ports"]
        events = [line.split() for line in (self.folder / "events").read_text().splitlines()]
        self.events = [(float(when), what, int(port)) for when, what, port in events]
        self.killed = {port: when for when, what, port in self.events if what == "killed"}

    def must(self, is_so, why):
        if not is_so:
            self.wrong.append(why)

    def requests(self):
        outcomes, cut, shares = collections.Counter(), collections.Counter(), collections.Counter()
        for record in self.records:
            port = self.ports.get(record["provider"])
            shares[port] += 1
            if record["outcome"] != "answered" and port in self.killed and record["asked"] < self.killed[port] < record["ended"]:
                # The proxy asks three hosts at most; those that had drained count.
                tries = f" at try {record['attempts']}" if record["attempts"] > 1 else ""
                cut[port, record["outcome"] + tries] += 1
                continue
            outcomes[record["outcome"]] += 1
            self.must(record["outcome"] == "answered", f"request {record['number']} to {port}: {record['outcome']}")
        again = sum(record["attempts"] > 1 for record in self.records)
        say(f"requests   {len(self.records)}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()) +
            f", {sum(cut.values())} cut by a kill; {again} were asked again elsewhere before their first piece")
        say(f"hosts      {len(shares)} answered, {min(shares.values())} to {max(shares.values())} times each")
        for when, what, port in self.events:
            during = [record for record in self.records if self.ports.get(record["provider"]) == port and record["asked"] < when < record["ended"]]
            finished = sum(record["outcome"] == "answered" for record in during)
            if what == "killed":
                self.must(during, f"{port} did not answer when it was killed")
                names = ", ".join(f"{count} {outcome}" for (where, outcome), count in cut.items() if where == port)
                say(f"{what:11}{port}: {names or 'no stream was cut'}")
            elif during:
                say(f"{what:11}{port}: {len(during)} under way, {finished} finished")

    def tabs(self):
        """The book's tabs, with each kept receipt in the chain of jobs that it belongs to."""
        with sqlite3.connect(f"file:{self.folder}/cashier/cashier.db?mode=ro", uri=True) as database:
            database.row_factory = sqlite3.Row
            tabs = [Tab(row) for row in database.execute("SELECT * FROM tabs")]
            by_key = {(tab.key, tab.branch): tab for tab in tabs}
            for row in database.execute("SELECT * FROM claims ORDER BY id"):
                by_key[row["receipt_key"], row["branch"]].claims.append(row)
            enclaves = dict(database.execute("SELECT receipt_key, enclave FROM enclaves"))
            slices = {enclave for (enclave,) in database.execute("SELECT DISTINCT enclave FROM slices")}
        # Those that were drained said farewell: what is kept is for the killed.
        kept_for = {key for key, enclave in enclaves.items() if enclave in slices}
        receipts, heads = [], {tab.head: tab for tab in tabs}
        for path in (self.folder / "receipts").glob("*.receipt"):
            kept, _ = read(path.read_bytes())
            job, _ = read(kept["job"])
            receipts.append((job["seq"], job, kept))
        keys, stray = {}, []
        for _, job, kept in sorted(receipts, key=lambda one: one[0]):
            tab = heads.get(kept["before"])
            if tab is None:
                stray.append((job, kept))
                continue
            heads[kept["statement"][51:83]] = tab
            keys[job["claims"]] = tab.key
            tab.kept.append(job)
        for job, kept in stray:
            # The receipt before it is not the client's: an answer that was cut. Its enclave is known by its claims.
            tab = by_key.get((keys.get(job["claims"]), int.from_bytes(kept["statement"][41:43], "big")))
            self.must(tab, f"a receipt of job {job['job'].hex()} is of no tab that the cashier knows")
            if tab:
                tab.kept.append(job)
        self.receipts = len(receipts)
        return tabs, kept_for

    def money(self):
        book = claims_are_over(self.arguments, self.folder)
        tabs, kept_for = self.tabs()
        key, weights = operator_and_weights(self.folder)
        claimed, under, unpassed, lost, more = [], [], [], [], []
        for tab in tabs:
            port = tab.port(key, weights, self.ports)
            where = f"the tab of {port} with branch {tab.branch}"
            self.must(port, f"{where}: no host has this receipt key")
            kept = sorted(tab.kept, key=lambda job: job["seq"])
            self.must(len({job["seq"] for job in kept}) == len(kept), f"{where}: one number of a job is there twice")
            last = kept[-1]["cumulative"] if kept else 0
            if port in self.killed:
                lost += [max(0, last - tab.owed)]
                more += [max(0, tab.owed - last)]
            else:
                self.must(last == tab.owed, f"{where}: the client's last receipt says {last}, the book {tab.owed}")
                self.must(sum(job["amount"] for job in kept) == last, f"{where}: the amounts of the receipts are not the last sum")
            # Claims follow each other from 0 without a gap, so each nano is in one of them at most.
            ends = [0]
            for claim in tab.claims:
                self.must(claim["paid_at"] and claim["paid_before"] == ends[-1], f"{where}: a claim does not begin where the one before it ends")
                ends.append(claim["paid_before"] + (claim["paid"] or 0))
            self.must(ends[-1] == tab.paid, f"{where}: the claims end at {ends[-1]}, the chain says {tab.paid}")
            self.must(tab.owed - tab.paid < FLOOR, f"{where}: {tab.owed - tab.paid} nano are owed and not paid")
            for job in kept:
                begin, end = job["cumulative"] - job["amount"], job["cumulative"]
                within = [number for number in range(len(ends) - 1) if ends[number] <= begin and end <= ends[number + 1]]
                if len(within) == 1:
                    claimed.append(job)
                elif port in self.killed and end > tab.owed:
                    unpassed.append(job)
                elif begin >= ends[-1]:
                    under.append(job)
                else:
                    self.must(False, f"{where}: job {job['seq']} is in {len(within)} claims")
        claims = [claim for tab in tabs for claim in tab.claims]
        paid = sum(tab.paid for tab in tabs)
        owed = sum(tab.owed for tab in tabs)
        hosts = len({tab.key for tab in tabs})
        say(f"receipts   {self.receipts} of {hosts} enclaves, on {len(tabs)} tabs: {len(claimed)} are in exactly one of {len(claims)} claims")
        say(f"floor      receipts in no claim, because their tabs owe less than one brings: {len(under)}; {owed - paid:,} nano")
        self.must(len(claimed) + len(under) + len(unpassed) == self.receipts, "receipts are missing from the count")
        answered = sum(record["outcome"] == "answered" for record in self.records)
        self.must(self.receipts >= answered, f"{answered} answers have {self.receipts} receipts")
        say(f"killed     lost, because it had not been passed on: {sum(lost):,} nano of {len(unpassed)} receipts; owed for answers that were cut: {sum(more):,} nano")
        known = {tab.key for tab in tabs if tab.port(key, weights, self.ports) in self.killed}
        self.must(kept_for == known, f"slices are kept for {len(kept_for)} enclaves, {len(known)} were killed")
        # The book, the purse and the payee's account say the same.
        status = subprocess.run([self.arguments.chrysalis, "pay", "status", "--purse", str(self.folder / "purse"), "--json"], capture_output=True, check=True)
        lanes = json.loads(status.stdout)["lanes"]
        by_purse = sum(int(lane["paid"]) for lane in lanes)
        came_in, fees = payouts(self.arguments), sum(claim["cost"] or 0 for claim in claims)
        say(f"money      owed {owed:,}, paid by the purse {by_purse:,}, came in {sum(came_in):,}, fees {fees:,} nano")
        self.must((book["owed"], book["paid"]) == (owed, paid), f"cashier status says {book['owed']} and {book['paid']}, its book {owed} and {paid}")
        self.must(by_purse == paid, f"the purse paid {by_purse}, the book has {paid}")
        should = [claim["paid"] - (claim["cost"] or 0) for claim in claims if claim["paid"]]
        self.must(sorted(came_in) == sorted(should), f"{len(came_in)} payouts came in, which are not the {len(should)} claims less their fees")

    def run(self):
        self.requests()
        self.money()
        for why in self.wrong[:20]:
            say("wrong: " + why)
        sys.exit(f"error: {len(self.wrong)} things are wrong\nhint: read the logs in {self.folder}" if self.wrong else 0)


def operator_and_weights(folder):
    """The operator's public key and the digest of the weights, which providers' ids are made of."""
    lines = (folder / "operator.pub").read_text().splitlines()
    key = base64.b64decode("".join(line for line in lines if not line.startswith("-")))[-32:]
    weights = [line.split('"')[1] for line in (folder / "network.toml").read_text().splitlines() if line.startswith("weights")]
    return key, bytes.fromhex(weights[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("load")
    for name in ("out", "model", "chrysalis"):
        verb.add_argument("--" + name, required=True)
    verb.add_argument("--clients", type=int, required=True)
    verb.add_argument("network", nargs="*")
    verb.set_defaults(run=lambda arguments: Load(arguments).run())
    verb = verbs.add_parser("busy")
    verb.add_argument("--out", required=True)
    verb.add_argument("ports", nargs="+", type=int)
    verb.set_defaults(run=busy)
    verb = verbs.add_parser("check")
    for name in ("out", "chrysalis", "host", "chain", "payee"):
        verb.add_argument("--" + name, required=True)
    verb.set_defaults(run=lambda arguments: Check(arguments).run())
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
