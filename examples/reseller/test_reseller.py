"""python3 -m unittest: the reseller, as programs use it, in front of a proxy that is faked on loopback."""

import base64
import concurrent.futures
import contextlib
import http.client
import http.server
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import gateway
import ledger
import receipt
import reseller

MOST = 1000
HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parents[1] / "tests/vectors/settle/kept.json"


def cbor(value) -> bytes:
    """Deterministic CBOR, as receipts use it."""

    def head(major: int, number: int) -> bytes:
        for info, size in ((None, 0), (24, 1), (25, 2), (26, 4), (27, 8)):
            if number < (24 if info is None else 1 << 8 * size):
                return bytes([major << 5 | (number if info is None else info)]) + number.to_bytes(size, "big") if size else bytes([major << 5 | number])
        raise ValueError(number)

    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def receipt_for(nano: int) -> bytes:
    return cbor({"job": cbor({"seq": 1, "amount": nano, "units": [10, 0, 20, 0], "end": "stop"}), "signature": bytes(64)})


def receipt_text(nano: int) -> str:
    return base64.urlsafe_b64encode(receipt_for(nano)).decode().rstrip("=")


class Proxy(http.server.ThreadingHTTPServer):
    """Answers by the words of the last message."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.seen: list[http.client.HTTPMessage] = []
        self.go_on = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_):
        pass


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_):
        pass

    def whole(self, status: int, body: dict, headers: dict[str, str]):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, text: str):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text.encode()), text.encode()))

    def do_GET(self):
        self.whole(200, {"object": "list", "data": [{"id": "smol", "object": "model"}]}, {})

    def do_POST(self):
        self.server.seen.append(self.headers)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        words = body["messages"][-1]["content"]
        message = {"role": "assistant", "content": "A pupa."}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "smol", "choices": [
            {"index": 0, "message": message, "finish_reason": "stop"}]}
        if words == "slow":
            self.server.go_on.wait(10)
        if words == "busy":
            error = {"error": {"message": "no", "type": "server_error", "param": None, "code": "engine_unavailable"}}
            return self.whole(503, error, {"retry-after": "7"})
        if words == "short":
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"{")
            self.close_connection = True
            return None
        if not body.get("stream"):
            header = {"spent": {"x-chrysalis-spent": "300"}, "dear": {"x-chrysalis-spent": "1000"}, "unpaid": {}}
            return self.whole(200, answer, header.get(words, {"x-chrysalis-receipt": receipt_text(300)}))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "smol", "choices": [
            {"index": 0, "delta": {"content": "A pupa."}, "finish_reason": None}]}
        event = f"data: {json.dumps(chunk)}\n\n"
        # Events may arrive in any pieces.
        self.chunk(": still here\n\n" + event[:20])
        self.chunk(event[20:])
        if words == "wait":
            self.server.go_on.wait(10)
        if words == "cut":
            self.close_connection = True
            return None
        self.chunk(f"event: receipt\ndata: {receipt_text(300)}\n\n")
        if words == "failed":
            self.chunk('data: {"error": {"message": "no", "code": "engine_failed"}}\n\n')
            self.close_connection = True
            return None
        self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
        return None


class Case(unittest.TestCase):
    """A reseller with one user."""

    budget = 10 * MOST

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)
        self.database = str(self.folder / "reseller.db")
        self.receipts = self.folder / "receipts"
        self.receipts.mkdir()
        self.ledger = ledger.Ledger(self.database)
        self.key = self.ledger.add("ada", self.budget)
        self.proxy = Proxy()
        self.addCleanup(self.proxy.server_close)
        self.addCleanup(self.proxy.shutdown)
        self.addCleanup(self.proxy.go_on.set)
        self.enterContext(unittest.mock.patch.object(gateway, "LATE", 0.3))
        self.start()

    def start(self):
        server = gateway.Gateway(("127.0.0.1", 0), self.ledger, self.proxy.url, MOST, self.receipts)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def ask(self, words: str, stream: bool = False, key: str | None = None, headers: dict | None = None):
        """Status, headers and body of an answer; None for a body that broke off."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.addCleanup(connection.close)
        body = json.dumps({"model": "smol", "stream": stream, "messages": [{"role": "user", "content": words}]})
        headers = {"authorization": f"Bearer {key or self.key}", **(headers or {})}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        try:
            return answer.status, answer.headers, answer.read()
        except http.client.IncompleteRead:
            return answer.status, answer.headers, None

    def left(self) -> int:
        return self.ledger.users()[0][3]

    def until(self, wanted):
        """Waits until something is so."""
        end = time.monotonic() + 10
        while not wanted():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)


class Charges(Case):
    def test_a_whole_answer_costs_what_its_header_or_its_receipt_says(self):
        for words in ("spent", "receipt"):
            before = self.left()
            status, headers, body = self.ask(words)
            self.assertEqual((status, self.left()), (200, before - 300))
            self.assertEqual(headers["x-budget-left"], str(before - 300))
            self.assertEqual(json.loads(body)["choices"][0]["message"]["content"], "A pupa.")

    def test_a_stream_costs_what_its_receipt_says_and_hides_it(self):
        status, _, body = self.ask("stream", stream=True)
        self.assertEqual((status, self.left()), (200, self.budget - 300))
        self.assertTrue(body.endswith(b"data: [DONE]\n\n"))
        self.assertIn(b"A pupa.", body)
        self.assertNotIn(b"receipt", body)

    def test_a_stream_is_paid_before_its_last_event(self):
        real, order = self.ledger.settle, []
        write = gateway.Chunks.write
        record = lambda name, call: lambda *it: order.append((name, it)) or call(*it)
        with (
            unittest.mock.patch.object(self.ledger, "settle", record("settle", real)),
            unittest.mock.patch.object(gateway.Chunks, "write", record("write", write)),
        ):
            self.ask("stream", stream=True)
        names = [name for name, it in order if name == "settle" or b"[DONE]" in it[1]]
        self.assertEqual(names, ["settle", "write", "settle"])

    def test_what_is_refused_costs_nothing_and_is_passed_on(self):
        status, headers, body = self.ask("busy")
        self.assertEqual((status, headers["retry-after"], self.left()), (503, "7", self.budget))
        self.assertEqual(json.loads(body)["error"]["code"], "engine_unavailable")

    def test_a_proxy_that_is_not_there_costs_nothing(self):
        self.proxy.shutdown()
        self.proxy.server_close()
        status, _, body = self.ask("hello")
        self.assertEqual((status, self.left()), (503, self.budget))
        self.assertEqual(json.loads(body)["error"]["code"], "proxy_unreachable")

    def test_without_payment_nothing_is_charged(self):
        self.ask("unpaid")
        self.assertEqual(self.left(), self.budget)

    def test_jobs_are_named_here_and_keys_stay_here(self):
        self.ask("hello", headers={"x-chrysalis-job": "00" * 16})
        seen = self.proxy.seen[0]
        self.assertRegex(seen["x-chrysalis-job"], "^[0-9a-f]{32}$")
        self.assertNotEqual(seen["x-chrysalis-job"], "00" * 16)
        self.assertIsNone(seen["authorization"])

    def test_the_official_client_works(self):
        try:
            import openai
        except ImportError:
            self.skipTest("no openai package")
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=self.key, max_retries=0)
        messages = [{"role": "user", "content": "hello"}]
        self.assertEqual([model.id for model in client.models.list()], ["smol"])
        answer = client.chat.completions.create(model="smol", messages=messages)
        self.assertEqual(answer.choices[0].message.content, "A pupa.")
        chunks = client.chat.completions.create(model="smol", messages=messages, stream=True)
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), "A pupa.")
        self.ledger.reserve("ada", self.left())
        with self.assertRaises(openai.APIStatusError) as refused:
            client.chat.completions.create(model="smol", messages=messages)
        self.assertEqual((refused.exception.status_code, refused.exception.code), (402, "budget_used_up"))


class LastAnswer(Case):
    budget = MOST

    def test_two_requests_at_once_at_the_end_of_a_budget_cannot_both_have_it(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = [pool.submit(self.ask, "slow") for _ in range(8)]
            first = concurrent.futures.wait(asked, timeout=10, return_when=concurrent.futures.FIRST_COMPLETED)
            self.assertTrue(first.done)
            self.until(lambda: sum(it.done() for it in asked) == 7)
            self.proxy.go_on.set()
            statuses = sorted(it.result()[0] for it in asked)
        self.assertEqual(statuses, [200] + [402] * 7)
        self.assertEqual(self.left(), MOST - 300)

    def test_a_budget_that_does_not_cover_a_request_is_refused_before_it_is_sent(self):
        self.ask("dear")
        status, _, body = self.ask("hello")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (402, "budget_used_up"))
        self.assertEqual(len(self.proxy.seen), 1)
        self.ledger.top_up("ada", MOST)
        self.assertEqual(self.ask("hello")[0], 200)


class Breaks(Case):
    def test_a_stream_that_breaks_off_ends_as_one_and_goes_back(self):
        status, _, body = self.ask("cut", stream=True)
        self.assertEqual((status, body, self.left()), (200, None, self.budget))

    def test_a_whole_answer_that_breaks_off_is_an_error(self):
        status, _, body = self.ask("short")
        self.assertEqual((status, self.left()), (502, self.budget))
        self.assertEqual(json.loads(body)["error"]["code"], "incomplete_answer")

    def test_a_stream_that_failed_with_a_receipt_is_charged(self):
        _, _, body = self.ask("failed", stream=True)
        self.assertEqual((body, self.left()), (None, self.budget - 300))

    def test_a_break_is_charged_by_the_receipt_that_the_proxy_kept(self):
        keep = lambda: (self.receipts / f"{self.ledger.running()[0]}.receipt").write_bytes(receipt_for(200))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(self.ask, "cut", True)
            self.until(self.ledger.running)
            keep()
            self.assertIsNone(asked.result()[2])
        self.assertEqual(self.left(), self.budget - 200)

    def test_a_user_who_leaves_pays(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = json.dumps({"model": "smol", "stream": True, "messages": [{"role": "user", "content": "wait"}]})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {self.key}"})
        connection.getresponse().read1(10)
        connection.close()
        self.assertEqual(self.left(), self.budget - MOST)
        self.proxy.go_on.set()
        self.until(lambda: self.left() == self.budget - 300)

    def crash(self):
        """A reseller of its own process, killed in the middle of an answer."""
        command = [sys.executable, HERE / "reseller.py", "--database", self.database, "serve", "--listen", "127.0.0.1:0"]
        command += ["--proxy", self.proxy.url, "--max-job", str(MOST), "--receipts", self.receipts]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(process.stdout.readline().rsplit(":", 1)[1].split("/")[0])
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = pool.submit(self.ask, "wait", True)
            self.until(lambda: self.proxy.seen)
            process.kill()
            process.wait()
            process.stdout.close()
            self.assertIsNone(asked.result()[2])

    def test_what_a_crash_left_reserved_goes_back_at_the_next_start(self):
        self.crash()
        self.assertEqual(self.left(), self.budget - MOST)
        self.start()
        self.assertEqual((self.left(), self.ledger.running()), (self.budget, []))

    def test_what_a_crash_left_is_charged_by_the_receipt_that_the_proxy_kept(self):
        self.crash()
        (self.receipts / f"{self.ledger.running()[0]}.receipt").write_bytes(receipt_for(200))
        self.start()
        self.assertEqual((self.left(), self.ledger.running()), (self.budget - 200, []))

    def test_two_resellers_do_not_share_a_database(self):
        command = [sys.executable, HERE / "reseller.py", "--database", self.database, "serve", "--listen", "127.0.0.1:0", "--max-job", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
            first.stdout.readline()
            second = subprocess.run(command, capture_output=True, text=True)
            first.kill()
        self.assertEqual(second.returncode, 2)
        self.assertIn("another reseller serves from", second.stderr)


class Keys(Case):
    def test_an_unknown_key_is_refused_and_asks_nothing(self):
        for key in ("sk-wrong", self.key[:-1], self.key + "x", self.key.upper(), ""):
            status, _, body = self.ask("hello", headers={"authorization": f"Bearer {key}"})
            self.assertEqual((status, json.loads(body)["error"]["code"]), (401, "invalid_api_key"), key)
        self.assertEqual(self.ask("hello", headers={"authorization": self.key})[0], 401)
        self.assertEqual((self.proxy.seen, self.left()), ([], self.budget))

    def test_the_database_has_no_key_and_no_word(self):
        self.ask("canary")
        for file in self.folder.glob("reseller.db*"):
            self.assertNotIn(self.key.encode(), file.read_bytes())
            self.assertNotIn(b"canary", file.read_bytes())

    def test_keys_are_compared_in_constant_time(self):
        with unittest.mock.patch.object(ledger.hmac, "compare_digest", return_value=False) as compare:
            self.assertEqual(self.ask("hello")[0], 401)
        compare.assert_called_once()

    def test_a_body_has_a_bound(self):
        self.assertEqual(self.ask("x" * gateway.MAX_BODY)[0], 413)
        self.assertEqual(self.proxy.seen, [])


class CommandLine(unittest.TestCase):
    def run_it(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = reseller.main(["--database", self.database, *arguments])
            except SystemExit as ended:
                code = ended.code
        return code, out.getvalue(), err.getvalue()

    def setUp(self):
        self.database = self.enterContext(tempfile.TemporaryDirectory()) + "/reseller.db"

    def test_users_are_made_listed_and_given_more(self):
        code, key, _ = self.run_it("user", "add", "ada", "--budget", "500")
        self.assertEqual((code, key[:3]), (0, "sk-"))
        self.assertEqual(self.run_it("user", "top-up", "ada", "100")[1], "ada has 600 nano left\n")
        self.assertEqual(self.run_it("user", "list")[1], f"{'ada':20} budget 600  spent 0  left 600\n")

    def test_mistakes_are_named(self):
        self.run_it("user", "add", "ada", "--budget", "500")
        code, _, said = self.run_it("user", "add", "ada", "--budget", "500")
        self.assertEqual((code, said), (2, "error: there is a user ada already; to give it more: user top-up ada NANO\n"))
        code, _, said = self.run_it("user", "top-up", "bob", "1")
        self.assertEqual((code, said), (2, "error: there is no user bob; make one: user add bob --budget NANO\n"))
        for amount in ("-1", "0", "0.5", str(2**63)):
            self.assertEqual(self.run_it("user", "add", "eve", "--budget", amount)[0], 2)


class Receipts(unittest.TestCase):
    def test_reads_what_the_runtime_writes(self):
        honest = [it for it in json.loads(VECTORS.read_text())["files"] if it["code"] is None]
        self.assertTrue(honest)
        for vector in honest:
            self.assertIsInstance(receipt.amount_of_bytes(bytes.fromhex(vector["file"])), int)

    def test_what_is_no_receipt_is_a_value_error(self):
        whole = receipt_for(300)
        self.assertEqual(receipt.amount_of_bytes(whole), 300)
        bad = [b"", whole[:-1], whole + b"\0", b"\xff", b"\x9b" + b"\xff" * 8, cbor({"job": cbor({})}), cbor({"job": 1}), cbor([])]
        for data in [*bad, cbor({"job": cbor({"amount": "1"})}), b"\xa1\xa0\x00"]:
            with self.assertRaises(ValueError, msg=data.hex()):
                receipt.amount_of_bytes(data)
        with self.assertRaises(ValueError):
            receipt.amount_of_text("not base64!")


if __name__ == "__main__":
    unittest.main()
