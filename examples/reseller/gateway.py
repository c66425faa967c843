"""The HTTP side: chat completions for users with a key, passed to `chrysalis proxy` and paid from their budgets."""

import http.client
import http.server
import json
import pathlib
import sys
import time
import urllib.parse

from ledger import Ledger, UsedUp
from receipt import amount_of_bytes, amount_of_text

MAX_BODY = 4 * 1024 * 1024
"""The most bytes of a request."""
SILENCE = 60
"""Seconds without a byte from the proxy: the enclave sends a comment every 10 s while it computes."""

LATE = 3
"""Seconds that a receipt may come after a break."""


class Gateway(http.server.ThreadingHTTPServer):
    """Serves until it is shut down. `most` is what a request may cost, in nano: the proxy's `--max-job`."""

    daemon_threads = True

    def __init__(self, listen: tuple[str, int], ledger: Ledger, proxy: str, most: int, receipts: pathlib.Path | None):
        self.ledger, self.most, self.receipts = ledger, most, receipts
        self.proxy = urllib.parse.urlsplit(proxy)
        for job in ledger.running():
            # A crash left these.
            self.settle(job, None)
        super().__init__(listen, Handler)

    def handle_error(self, request, client_address):
        """A user who leaves is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def settle(self, job: str, amount: int | None) -> int:
        """Charges a job by its receipt: `amount`, or where that is not known, the one in the proxy's folder. Without a receipt nothing is
        charged: the reservation goes back to its user. What the user has left, in nano."""
        if amount is None and self.receipts:
            amount = kept(self.receipts / f"{job}.receipt")
        if amount is None:
            return self.ledger.settle(job, 0, "no_receipt")
        if amount > self.most:
            print(f"job {job} cost {amount} nano, over --max-job: give the proxy the same limit", file=sys.stderr)
        return self.ledger.settle(job, amount, "receipt")


def kept(receipt: pathlib.Path) -> int | None:
    """The amount of a receipt that the proxy keeps, or None if it comes too late. After a break the proxy asks the enclave for it."""
    until = time.monotonic() + LATE
    while True:
        try:
            return amount_of_bytes(receipt.read_bytes())
        except (OSError, ValueError):
            if time.monotonic() > until:
                return None
            time.sleep(0.1)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a user."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Gateway

    def do_GET(self):
        """The models, for those with a key."""
        if self.user() is None:
            return
        if self.path != "/v1/models":
            self.refuse(404, "unknown_url", "there are /v1/models and /v1/chat/completions")
            return
        with Asked(self, "GET", "/models", None, {}) as answer:
            if answer:
                self.pass_on(answer, answer.read(), {})
            else:
                self.unreachable()

    def do_POST(self):
        """A chat completion."""
        body = self.body()
        user = None if body is None else self.user()
        if user is None:
            return
        if self.path != "/v1/chat/completions":
            self.refuse(404, "unknown_url", "there are /v1/models and /v1/chat/completions")
            return
        try:
            job = self.server.ledger.reserve(user, self.server.most)
        except UsedUp as used_up:
            self.refuse(
                402,
                "budget_used_up",
                f"{used_up.left} nano are left, and a request may cost up to {self.server.most}; ask for more",
            )
            return
        headers = {"content-type": "application/json", "x-chrysalis-job": job}
        with Asked(self, "POST", "/chat/completions", body, headers) as answer:
            if not answer:
                # What was reserved is back before the user reads why, and asks again.
                self.server.ledger.settle(job, 0, "refused")
                self.unreachable()
            elif answer.status >= 400:
                self.server.ledger.settle(job, 0, "refused")
                self.pass_on(answer, answer.read(), {})
            elif (answer.getheader("content-type") or "").startswith("text/event-stream"):
                self.stream(answer, job)
            else:
                self.whole(answer, job)

    def whole(self, answer: http.client.HTTPResponse, job: str):
        """A whole answer: settled before it is passed on."""
        amount = None
        try:
            body = answer.read()
            spent, receipt = answer.getheader("x-chrysalis-spent"), answer.getheader("x-chrysalis-receipt")
            amount = int(spent) if spent else amount_of_text(receipt) if receipt else None
        except (OSError, ValueError, http.client.HTTPException):
            self.server.settle(job, None)
            self.refuse(502, "incomplete_answer", "the answer broke off; ask again")
            return
        left = self.server.settle(job, amount)
        self.pass_on(answer, body, {"x-budget-left": str(left)})

    def stream(self, answer: http.client.HTTPResponse, job: str):
        """A stream, event by event. It is read to its end even if the user leaves, because its receipt comes last."""
        user = Chunks(self)
        amount, buffered, done = None, b"", False
        try:
            while piece := answer.read1(65536):
                *events, buffered = (buffered + piece).split(b"\n\n")
                for event in events:
                    if event.startswith(b"event: receipt\n"):
                        amount = amount_of_text(_data(event).decode())
                        # Before the last event, so that a user who has all of an answer has paid for it.
                        self.server.settle(job, amount)
                        continue
                    done |= _data(event) == b"[DONE]"
                    user.write(event + b"\n\n")
        except (OSError, ValueError, http.client.HTTPException):
            done = False
        finally:
            self.server.settle(job, amount)
        # A stream that broke off ends as one that broke off.
        user.end(done)

    def unreachable(self):
        """The proxy gave no answer at all."""
        self.refuse(503, "proxy_unreachable", "the service cannot reach its proxy; ask again later")

    def user(self) -> str | None:
        """Who asks. Unless that is known, the answer is 401."""
        scheme, _, key = (self.headers.get("authorization") or "").partition(" ")
        user = self.server.ledger.user_of(key.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            self.refuse(401, "invalid_api_key", "this is not a key of this service; send yours: Authorization: Bearer KEY")
        return user

    def body(self) -> bytes | None:
        """The request's body; None if it was refused."""
        length = self.headers.get("content-length") or ""
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            # A program that is cut off while it sends would not read why.
            for _ in range(int(length) // MAX_BODY if length.isdecimal() and int(length) < 16 * MAX_BODY else 0):
                self.rfile.read(MAX_BODY)
            self.refuse(413, "body_too_large", f"send Content-Length, of {MAX_BODY} bytes at most")
            return None
        return self.rfile.read(int(length))

    def refuse(self, status: int, code: str, message: str):
        """Answers with an error in OpenAI's form."""
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self.answer(status, json.dumps({"error": error}).encode(), {"content-type": "application/json"})

    def pass_on(self, answer: http.client.HTTPResponse, body: bytes, more: dict[str, str]):
        """Answers as the proxy did."""
        kept = {name: answer.getheader(name) for name in ("content-type", "retry-after", "x-chrysalis-verdict")}
        self.answer(answer.status, body, {name: value for name, value in kept.items() if value} | more)

    def answer(self, status: int, body: bytes, headers: dict[str, str]):
        """Sends a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Who asked when is nobody's business."""


class Asked:
    """A request to the proxy, as a context: its answer, or None if there is none."""

    def __init__(self, handler: Handler, method: str, path: str, body: bytes | None, headers: dict[str, str]):
        self.request = (method, handler.server.proxy.path.rstrip("/") + path, body, headers)
        proxy = handler.server.proxy
        self.connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=SILENCE)

    def __enter__(self) -> http.client.HTTPResponse | None:
        try:
            self.connection.request(*self.request)
            return self.connection.getresponse()
        except (OSError, http.client.HTTPException):
            return None

    def __exit__(self, *_):
        self.connection.close()


class Chunks:
    """A body that is sent in chunks, for as long as its reader is there."""

    def __init__(self, handler: Handler):
        self.handler, self.gone = handler, False
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()

    def write(self, data: bytes):
        """Sends a piece, if the reader has not left."""
        if self.gone:
            return
        try:
            self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError:
            self.gone = True

    def end(self, whole: bool):
        """Ends the body, or cuts it off."""
        if whole and not self.gone:
            self.handler.wfile.write(b"0\r\n\r\n")
        else:
            self.handler.close_connection = True


def _data(event: bytes) -> bytes:
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)
