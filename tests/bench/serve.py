#!/usr/bin/env python3
"""Our whole path (client, proxy, relay, TLS, gate, engine in its room) and the same engine bare, taking turns on one machine.

Usage: serve.py OURS BARE ROUNDS [NEIGHBOURS]   (OURS: the proxy's HOST:PORT; BARE: the engine's Unix socket)

Each row is the median of the rounds' ratios, ours ÷ bare: tokens/s of all streams together, and time to the first token in
milliseconds more, once connections are open and before any is. NEIGHBOURS processes that never rest run beside both."""

import json
import socket
import statistics
import subprocess
import sys
import threading
import time

OURS, BARE, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
NEIGHBOURS = int(sys.argv[4]) if len(sys.argv) > 4 else 0
CHAT, EMBEDDER = "smollm2-135m-instruct", "all-minilm-l6-v2"
TOKENS = 96
SENTENCES = [f"Sentence number {number} is about a chrysalis and what comes out of it." for number in range(64)]


def connect(where):
    if where.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(where)
    else:
        host, port = where.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(600)
    return connection


def ask(where, path, body):
    """Sends a request on a connection of its own; returns a file to read the answer from."""
    body = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {where if not where.startswith('/') else 'engine'}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = connect(where)
    connection.sendall(head.encode() + body)
    return connection.makefile("rb")


def stream(where, number, results):
    """One answer: its tokens, and seconds until the first."""
    body = {
        "model": CHAT, "stream": True, "max_tokens": TOKENS, "temperature": 0.8, "seed": number,
        "messages": [{"role": "user", "content": f"Write a long story about the number {number}."}],
    }
    began, first, tokens = time.monotonic(), None, 0
    with ask(where, "/v1/chat/completions", body) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:]).get("choices") or [{}]
                if choices[0].get("delta", {}).get("content"):
                    tokens += 1
                    first = first or time.monotonic() - began
    if not tokens:
        raise SystemExit(f"{where} gave no token")
    results.append((tokens, first))


def streams(where, count):
    results = []
    threads = [threading.Thread(target=stream, args=(where, number, results)) for number in range(count)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    if len(results) != count:
        raise SystemExit(f"{count - len(results)} of {count} streams of {where} failed")
    return sum(tokens for tokens, _ in results) / took, statistics.median(first for _, first in results) * 1000


def embeddings(where):
    began = time.monotonic()
    with ask(where, "/v1/embeddings", {"model": EMBEDDER, "input": SENTENCES}) as answer:
        text = answer.read()
    if text.count(b'"embedding"') < len(SENTENCES):
        raise SystemExit(f"{where} gave no embeddings: {text[-300:]}")
    return len(SENTENCES) / (time.monotonic() - began)


def main():
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(NEIGHBOURS)]
    beside = f", {NEIGHBOURS} busy neighbours" if NEIGHBOURS else ""
    bare_chat, _, bare_embedder = BARE.partition(",")
    try:
        print("| what | ours ÷ bare | bare | first token: ours later by | at the very first |\n|---|---:|---:|---:|---:|")
        for count in (1, 8, 32):
            ratios, later, bare = [], [], []
            # The proxy verifies each new connection before it uses it, and keeps it: what comes first pays for that.
            began_with = streams(OURS, count)[1] - streams(bare_chat, count)[1]
            for turn in range(ROUNDS):
                print(f"{count} streams, round {turn + 1} of {ROUNDS}{beside}", file=sys.stderr, flush=True)
                pair = {where: streams(where, count) for where in ((OURS, bare_chat) if turn % 2 else (bare_chat, OURS))}
                ratios.append(pair[OURS][0] / pair[bare_chat][0])
                later.append(pair[OURS][1] - pair[bare_chat][1])
                bare.append(pair[bare_chat][0])
            print(
                f"| tokens/s, {count} streams{beside} | {statistics.median(ratios):.2f} | {statistics.median(bare):.1f} "
                f"| {statistics.median(later):.1f} ms | {began_with:.1f} ms |",
                flush=True,
            )
        if bare_embedder:
            ratios, bare = [], []
            for turn in range(ROUNDS):
                pair = {where: embeddings(where) for where in ((OURS, bare_embedder) if turn % 2 else (bare_embedder, OURS))}
                ratios.append(pair[OURS] / pair[bare_embedder])
                bare.append(pair[bare_embedder])
            print(f"| embeddings/s{beside} | {statistics.median(ratios):.2f} | {statistics.median(bare):.1f} | | |")
    finally:
        for neighbour in neighbours:
            neighbour.kill()


main()
