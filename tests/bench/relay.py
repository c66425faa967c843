#!/usr/bin/env python3
"""The host's relay, compared with socat and HAProxy: TCP to a Unix socket, all on this machine, one after the other in each
round. Ratios are of the same round; the table has their medians. Usage: relay.py CHRYSALIS-HOST [ROUNDS]"""

import multiprocessing
import os
import resource
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = 256 << 20
CHUNK = bytes(256 << 10)
IDLE = 10_000
# What one client may have: so idle ones come from many addresses of this machine.
PER_ADDRESS = 32
ROUND_TRIPS = 2000
# What the relay keeps for everything but connections.
RESERVED = 384
HAPROXY = """
global
    maxconn 100
defaults
    mode tcp
    option splice-auto
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen relay
    bind 127.0.0.1:{port}
    server sink unix@{sink}
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def send_all(connection, total):
    sent, chunk = 0, memoryview(CHUNK)
    while sent < total:
        sent += connection.send(chunk[: total - sent])


def receive_all(connection):
    total, room = 0, bytearray(1 << 20)
    while count := connection.recv_into(room):
        total += count
    return total


def sink(path):
    """Does what a connection's first byte says: [u]p takes 256 MiB, [d]own gives them, [e]cho answers each byte."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4096)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            connection = key.fileobj
            if connection is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            said = connection.recv(1 << 16)
            if said[:1] == b"e":
                connection.send(said)
                continue
            selector.unregister(connection)
            try:
                if said[:1] == b"u":
                    receive_all(connection)
                elif said[:1] == b"d":
                    send_all(connection, SIZE)
            except OSError:
                pass
            connection.close()


def connect(port, address="127.0.0.1"):
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.bind((address, 0))
    connection.connect(("127.0.0.1", port))
    return connection


def gigabits(port, way):
    connection = connect(port)
    started = time.monotonic()
    connection.send(way)
    if way == b"u":
        send_all(connection, SIZE)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    else:
        count = receive_all(connection)
        assert count == SIZE, f"only {count} bytes came"
    took = time.monotonic() - started
    connection.close()
    return 8 * SIZE / took / 1e9


def p99(port):
    """Milliseconds of a round trip of 512 bytes."""
    connection = connect(port, "127.9.0.1")
    times = []
    for _ in range(ROUND_TRIPS):
        started = time.monotonic()
        connection.send(b"e" * 512)
        connection.recv(512, socket.MSG_WAITALL)
        times.append(1000 * (time.monotonic() - started))
    connection.close()
    return sorted(times)[ROUND_TRIPS * 99 // 100]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(command, port):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
    for _ in range(100):
        time.sleep(0.1)
        try:
            connect(port).close()
            return child
        except OSError:
            if child.poll() is not None:
                break
    sys.exit(f"error: {command[0]} did not start")


def cpu_seconds(child):
    """Its own and its children's: socat has one for each connection."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def memory_kib(child):
    status = Path(f"/proc/{child.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def idle_connections(port, count):
    """Each has said something and was answered, and says nothing more."""
    held = []
    for number in range(count):
        address = number // PER_ADDRESS
        connection = connect(port, f"127.8.{address >> 8}.{address & 255}")
        connection.send(b"e")
        assert connection.recv(1) == b"e", f"connection {number} was refused"
        held.append(connection)
        if number % 2000 == 1999:
            say(f"  {number + 1} idle connections")
    return held


def still_there(held):
    alive = 0
    for connection in held:
        connection.send(b"e")
        alive += connection.recv(1) == b"e"
    return alive


def compare(ports, children, rounds):
    """Gb/s of each round, and seconds of CPU time of all rounds, by way and name."""
    gained = {(way, name): [] for way in (b"u", b"d") for name in ports}
    used = dict.fromkeys(gained, 0.0)
    for number in range(rounds):
        for way in (b"u", b"d"):
            for (name, port), child in zip(ports.items(), children):
                before = cpu_seconds(child)
                gained[way, name].append(gigabits(port, way))
                time.sleep(0.02)
                used[way, name] += cpu_seconds(child) - before
        ours = [f"{gained[way, 'chrysalis-host'][-1]:.1f}" for way in (b"u", b"d")]
        if number % 5 == 4 or number + 1 == rounds:
            say(f"  round {number + 1} of {rounds}: chrysalis-host {ours[0]} Gb/s to the guest, {ours[1]} from it")
    return gained, used


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 25
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    idle = IDLE if files == resource.RLIM_INFINITY else min(IDLE, (files - RESERVED) // 2 - 8)
    if idle < IDLE:
        say(f"{idle} idle connections instead of {IDLE}: this user may open {files} files, and the relay needs two for each")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/tls.sock"
        server = multiprocessing.Process(target=sink, args=(path,), daemon=True)
        server.start()
        time.sleep(0.5)
        children, ports = [], {}

        def start(name, command, port):
            children.append(started(command, port))
            ports[name] = port

        try:
            port = free_port()
            start("chrysalis-host", [program, "relay", folder, "--listen", f"127.0.0.1:{port}"], port)
            relay, relay_port = children[0], port
            if shutil.which("socat"):
                for name, options in [("socat", []), ("socat -b 65536", ["-b", "65536"])]:
                    port = free_port()
                    listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,backlog=128"
                    start(name, ["socat", *options, listen, f"UNIX-CONNECT:{path}"], port)
            else:
                say("without socat: `apt install socat` adds it to the comparison")
            haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
            if haproxy:
                port = free_port()
                Path(f"{folder}/haproxy.cfg").write_text(HAPROXY.format(port=port, sink=path))
                start("HAProxy", [haproxy, "-f", f"{folder}/haproxy.cfg"], port)
            else:
                say("without HAProxy: `apt install haproxy` adds it to the comparison")
            gained, used = compare(ports, children, rounds)
            before = memory_kib(relay)
            alone = [p99(relay_port) for _ in range(5)]
            opened = time.monotonic()
            held = idle_connections(relay_port, idle)
            opened = time.monotonic() - opened
            crowded = [p99(relay_port) for _ in range(5)]
            kib = (memory_kib(relay) - before) / idle
            alive = still_there(held)
        finally:
            for child in children:
                os.killpg(child.pid, signal.SIGKILL)
            server.terminate()
    print("| chrysalis-host ÷ | Gb/s to the guest | from it | CPU time to the guest | from it |\n|---|---:|---:|---:|---:|")
    for name in ports:
        if name != "chrysalis-host":
            ratios = []
            for way in (b"u", b"d"):
                pairs = zip(gained[way, "chrysalis-host"], gained[way, name])
                ratios.append(statistics.median(ours / theirs for ours, theirs in pairs))
                ratios.append(used[way, "chrysalis-host"] / used[way, name])
            speed, cpu = ratios[::2], ratios[1::2]
            print(f"| {name} | {speed[0]:.2f} | {speed[1]:.2f} | {cpu[0]:.2f} | {cpu[1]:.2f} |")
    ours = [statistics.median(gained[way, "chrysalis-host"]) for way in (b"u", b"d")]
    print(f"\nchrysalis-host itself: {ours[0]:.1f} Gb/s to the guest, {ours[1]:.1f} from it")
    print(f"idle connections held: {alive} of {idle}, opened in {opened:.0f} s, {kib:.1f} KiB of the relay's memory each")
    later = statistics.median(crowded) - statistics.median(alone)
    print(
        f"p99 of a round trip: {statistics.median(alone):.2f} ms alone, {statistics.median(crowded):.2f} ms with them: "
        f"{later:+.2f} ms"
    )


if __name__ == "__main__":
    main()
