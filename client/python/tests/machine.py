"""A provider's machine for tests: a real enclave as a plain process, on a simulated platform, with a small model.

CHRYSALIS_TOOLS, CHRYSALIS_BINARIES, CHRYSALIS_IMAGE, CHRYSALIS_DISKS and CHRYSALIS_CONFIGURATION say where `make test` has built everything.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from typing import Optional

import questions

MODEL = "smollm2-135m-instruct"


def built(name: str, default: str) -> pathlib.Path:
    return pathlib.Path(os.environ.get(name, str(questions.ROOT / default)))


class Machine:
    """Booted when made; stopped by `stop`."""

    def __init__(self, epoch: int = 600) -> None:
        tools = built("CHRYSALIS_TOOLS", "target/debug")
        enclave = built("CHRYSALIS_BINARIES", "target/image/x86_64-unknown-linux-gnu/release") / "chrysalis-enclave"
        image = built("CHRYSALIS_IMAGE", "build/cpu")
        configuration = built("CHRYSALIS_CONFIGURATION", "build/demo.toml")
        for needed in (tools / "chrysalis-host", enclave, image / "image.json", configuration):
            if not needed.exists():
                raise unittest.SkipTest(f"{needed} is not there: make test builds it")
        self.folder = pathlib.Path(tempfile.mkdtemp())
        own = self.folder / "configuration.toml"
        own.write_text(configuration.read_text().replace("seconds = 600", f"seconds = {epoch}"))
        self.trouble = self.folder / "trouble"
        # Making a simulated vendor's keys takes seconds: all tests may share them.
        vendor = built("CHRYSALIS_TEST_VENDOR", "build/tests/simulated-amd")
        for kept in (vendor, vendor.with_name("simulated-nvidia")):
            if kept.is_dir():
                shutil.copytree(kept, self.folder / kept.name)
        ready = self.folder / "ready.json"
        self._log = (self.folder / "log").open("wb")
        run = [str(tools / "chrysalis-host"), "run", str(image), "--configuration", str(own)]
        run += ["--disks", str(built("CHRYSALIS_DISKS", "build/disks")), "--state", str(self.folder), "--ready-file", str(ready)]
        run += ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--without-vm", str(enclave), "--simulated-gpu-trouble", str(self.trouble)]
        self.host = subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + 900
        while True:
            try:
                self.ready = json.loads(ready.read_text())
                break
            except (OSError, ValueError):
                if self.host.poll() is not None or time.monotonic() > deadline:
                    said = self.log()
                    self.stop()
                    raise RuntimeError(f"the machine did not come up:\n{said}") from None
                time.sleep(0.1)
        self.url = f"https://{self.ready['listen']}"
        roots = [f"--simulated-root={self.folder / name}" for name in ("simulated-amd/ark.pem", "simulated-nvidia/device-root.pem", "simulated-nvidia/rim-root.pem")]
        init = [str(tools / "chrysalis"), "policy", "init", "--vcpus", "2", "--image", str(image), "--configuration", str(own), *roots]
        init += ["--minimum-tcb", str(questions.ROOT / "measurements" / "releases" / "minimum-tcb.toml")]
        self.policy = subprocess.run(init, check=True, capture_output=True, text=True).stdout
        self.policy_file = self.folder / "policy.toml"
        self.policy_file.write_text(self.policy)

    def receipt(self, body: bytes) -> tuple[pathlib.Path, bytes]:
        """Asks through `chrysalis proxy`: the folder with the answer's receipt, and the answer."""
        kept, port = self.folder / "receipts", free_port()
        line = [questions.chrysalis(), "proxy", self.url, "--policy", str(self.policy_file), "--receipts", str(kept), "--listen", f"127.0.0.1:{port}"]
        proxy = subprocess.Popen(line, stdout=self._log, stderr=self._log)
        try:
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", body, {"content-type": "application/json"})
            deadline = time.monotonic() + 300
            while True:
                try:
                    with urllib.request.urlopen(asked, timeout=300) as answer:
                        return kept, answer.read()
                except urllib.error.HTTPError:
                    raise
                except urllib.error.URLError:
                    if proxy.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"the proxy did not come up:\n{self.log()}") from None
                    time.sleep(0.1)
        finally:
            proxy.terminate()
            proxy.wait()

    def wrong_policy(self) -> str:
        """One that wants another image."""
        digest = self.ready["launch_digest"]
        assert digest in self.policy
        return self.policy.replace(digest, "00" * 48)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        self.host.kill()
        self.host.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Wire:
    """A forwarder in front of a machine, that counts connections and what clients send, and can cut them all."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("https://").rpartition(":") if hasattr(str, "removeprefix") else url[8:].rpartition(":")
        self._to = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.sent = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._to)
            self._open += [client, server]
            threading.Thread(target=self._copy, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, False), daemon=True).start()

    def _copy(self, come: socket.socket, go: socket.socket, counts: bool) -> None:
        try:
            while data := come.recv(65536):
                if counts:
                    self.sent += len(data)
                go.sendall(data)
        except OSError:
            pass
        for end in (come, go):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self) -> None:
        for end in self._open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()
        self.cut()


_machine: Optional[Machine] = None


def machine() -> Machine:
    """One for all tests."""
    global _machine
    if _machine is None:
        _machine = Machine()
        unittest.addModuleCleanup(_machine.stop)
    return _machine
