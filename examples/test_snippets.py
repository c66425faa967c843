"""python3 -m unittest: the ten lines in each language, as they stand, against a proxy that is faked on loopback.

CHRYSALIS_PYTHON is a Python with the openai package. CHRYSALIS_EXAMPLES_NODE is a folder with what typescript/package.json names; CHRYSALIS_CHAT
is the built Rust program. What is not given is skipped.
"""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).parent
PIECES = ["A chrysalis ", "is a ", "pupa. 🦋"]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Streams PIECES, as the proxy does: with comments between events. The model `broken` breaks off after the first."""

    protocol_version = "HTTP/1.1"
    asked: list[dict] = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append({"path": self.path, **body})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in PIECES:
            choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "smol", "choices": choices}
            self.send(f": filled\n\ndata: {json.dumps(chunk)}\n\n")
            if body["model"] == "broken":
                error = {"message": "the answer is incomplete", "type": "upstream_error", "param": None, "code": "incomplete_answer"}
                self.send(f"data: {json.dumps({'error': error})}\n\n")
                self.close_connection = True
                return
        self.send("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def send(self, text: str):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text.encode()), text.encode()))

    def log_message(self, *_):
        pass


class Snippets(unittest.TestCase):
    def setUp(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.base = f"http://127.0.0.1:{server.server_address[1]}/v1"
        Proxy.asked = []

    def answers(self, *command):
        """Runs a program against the proxy: it prints the answer as it comes, and one that breaks off is its failure."""
        self.run_it(*command, "smol", wanted=True)
        asked = {"path": "/v1/chat/completions", "model": "smol", "stream": True}
        asked["messages"] = [{"role": "user", "content": "What is a chrysalis?"}]
        self.assertEqual(Proxy.asked, [asked])
        self.run_it(*command, "broken", wanted=False)

    def run_it(self, *command, wanted: bool):
        environment = {**os.environ, "OPENAI_BASE_URL": self.base, "NO_PROXY": "127.0.0.1"}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.returncode == 0, wanted, ran.stderr)
        if wanted:
            self.assertEqual(ran.stdout, "".join(PIECES) + "\n")
        else:
            self.assertIn("the answer is incomplete", ran.stdout + ran.stderr)

    def test_python(self):
        python = os.environ.get("CHRYSALIS_PYTHON")
        if not python:
            self.skipTest("no CHRYSALIS_PYTHON")
        self.answers(python, HERE / "python/chat.py")

    def test_typescript(self):
        installed = os.environ.get("CHRYSALIS_EXAMPLES_NODE")
        if not installed:
            self.skipTest("no CHRYSALIS_EXAMPLES_NODE")
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("chat.ts", "package.json"):
            shutil.copy(HERE / "typescript" / name, folder)
        (folder / "node_modules").symlink_to(pathlib.Path(installed) / "node_modules")
        checked = subprocess.run(["npm", "run", "-s", "check"], cwd=folder, capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.answers(folder / "node_modules/.bin/tsx", folder / "chat.ts")

    def test_rust(self):
        program = os.environ.get("CHRYSALIS_CHAT")
        if not program:
            self.skipTest("no CHRYSALIS_CHAT")
        self.answers(program)

    def test_each_has_about_ten_lines(self):
        for name, most in (("python/chat.py", 10), ("typescript/chat.ts", 10), ("rust/src/main.rs", 24)):
            lines = [line.strip() for line in (HERE / name).read_text().splitlines()]
            code = [line for line in lines if line and not line.startswith(("#", "//", '"""'))]
            self.assertLessEqual(len(code), most, name)


if __name__ == "__main__":
    unittest.main()
