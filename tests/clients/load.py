"""llama-benchy, unchanged, loads the server: load.py BASE_URL

It asks for the numbers of an answer's tokens, which this server does not give; told not to, it counts by `usage`. It tests a model's
sense with a question that small ones fail, so that is left out.
"""

import functools
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

BASE, CHAT = sys.argv[1], "smollm2-135m-instruct"


class Book(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def tokenizer():
    """A byte is a token: here it only decides how long prompts are. The server counts by itself."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


with tempfile.TemporaryDirectory() as folder:
    tokenizer().save(f"{folder}/tokenizer.json")
    docs = sorted((Path(__file__).parents[2] / "docs/guide").glob("*.md"))
    Path(folder, "book.txt").write_text("\n".join(file.read_text() for file in docs))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Book, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [os.path.join(os.path.dirname(sys.executable), "llama-benchy"), "--base-url", BASE, "--model", CHAT]
    command += ["--tokenizer", folder, "--book-url", f"http://127.0.0.1:{server.server_port}/book.txt"]
    command += ["--pp", "512", "--tg", "16", "--concurrency", "1", "4", "--runs", "1"]
    command += ["--skip-coherence", "--extra-body", "return_token_ids=false"]
    command += ["--format", "json", "--save-result", f"{folder}/result.json"]
    env = os.environ | {"HOME": folder, "HF_HUB_OFFLINE": "1"}
    said = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
    assert said.returncode == 0 and "HTTP 4" not in said.stdout + said.stderr, said
    result = json.loads(Path(folder, "result.json").read_text())
    for benchmark in result["benchmarks"]:
        assert benchmark["pp_throughput"]["mean"] > 0 and benchmark["tg_throughput"]["mean"] > 0, benchmark
    assert len(result["benchmarks"]) == 2, result
print("load ok")
