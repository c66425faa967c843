"""The vectors of tests/vectors as questions, and what the command line says of each: for tests of everything that answers questions."""

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
from typing import Any, Iterator, Optional

ROOT = pathlib.Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors"
KINDS = ("snp", "tdx", "nvidia", "bundle")
# What the command line reads no further than its limits, and so has no verdict on: it asks for a shorter file.
BEYOND = {"bundle/bundle-too-large", "tdx/event-log-too-large"}
# Names of files, one or several.
FILES = {"report", "quote", "chain", "switches", "cert", "crl", "rim", "ocsp", "statement", "collateral", "event_log", "hcl_report"} | {
    "tpm_quote",
    "tpm_signature",
    "tpm_pcrs",
    "bundle",
    "certificate",
}
HEX = {"report_data", "nonce", "exporter", "spki"}


def chrysalis() -> str:
    """The command line's program."""
    return os.path.join(os.environ.get("CHRYSALIS_TOOLS", str(ROOT / "target" / "debug")), "chrysalis")


def vectors() -> Iterator[tuple[str, pathlib.Path, dict[str, Any]]]:
    for path in sorted(VECTORS.glob("*/*/request.json")):
        request = json.loads(path.read_text())
        if request["kind"] in KINDS:
            yield f"{path.parent.parent.name}/{path.parent.name}", path.parent, request


def content(folder: pathlib.Path, value: Any) -> bytes:
    return bytes(value["zeros"]) if isinstance(value, dict) else (folder / value).read_bytes()


def question(folder: pathlib.Path, request: dict[str, Any]) -> dict[str, Any]:
    """What a request asks, with files in base64 in place of their names."""
    asked: dict[str, Any] = {}
    for name, value in request.items():
        if name in ("shows", "ocsp_nonce"):
            continue
        if name == "policy":
            asked[name] = content(folder, value).decode()
        elif name in FILES and isinstance(value, list):
            asked[name] = [base64.b64encode(content(folder, one)).decode() for one in value]
        elif name in FILES:
            asked[name] = base64.b64encode(content(folder, value)).decode()
        else:
            asked[name] = value
    return asked


def _cbor(value: Any) -> bytes:
    """Enough of deterministic CBOR for a saved session."""

    def head(major: int, length: int) -> bytes:
        for width, mark in ((1, 24), (2, 25), (4, 26)):
            if length < 24:
                return bytes([major << 5 | length])
            if length < 1 << 8 * width:
                return bytes([major << 5 | mark]) + length.to_bytes(width, "big")
        raise ValueError(length)

    if isinstance(value, dict):
        entries = sorted((_cbor(key), _cbor(item)) for key, item in value.items())
        return head(5, len(entries)) + b"".join(key + item for key, item in entries)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(2, len(value)) + bytes(value)


def command(folder: pathlib.Path, request: dict[str, Any], room: pathlib.Path) -> list[str]:
    """The command line that asks the same."""

    def file(value: Any) -> str:
        if not isinstance(value, dict):
            return str(folder / value)
        path = room / "zeros"
        path.write_bytes(content(folder, value))
        return str(path)

    kind = request["kind"]
    words = ["verify"] if kind == "bundle" else ["verify", kind]
    if kind == "bundle":
        if "spki" in request:
            session: dict[str, Any] = {name: bytes.fromhex(request[name]) for name in ("spki", "nonce", "exporter")}
            session["bundle"] = content(folder, request["bundle"])
            if "agreement" in request:
                session["agreement"] = request["agreement"]
            path = room / "session.cbor"
            path.write_bytes(_cbor(session))
            words.append(str(path))
        else:
            words.append(file(request.get("certificate", request.get("bundle"))))
    for name, value in request.items():
        if name in ("kind", "shows", "ocsp_nonce", "bundle", "certificate", "spki", "exporter", "agreement"):
            continue
        if name == "nonce":
            if kind == "bundle":
                continue
            name = "nonce" if kind == "nvidia" else "tpm_nonce"
        if name == "collateral":
            name = "quote_collateral"
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", file(one) if name in FILES | {"policy", "quote_collateral"} else one]
    return [*words, "--format", "json"]


def said(folder: pathlib.Path, request: dict[str, Any]) -> Optional[str]:
    """The verdict as the command line prints it; None if it has none."""
    with tempfile.TemporaryDirectory() as room:
        words = command(folder, request, pathlib.Path(room))
        ran = subprocess.run([chrysalis(), *words], capture_output=True, cwd=room, check=False)
    if ran.returncode == 2:
        return None
    assert ran.returncode in (0, 1), ran.stderr.decode()
    return ran.stdout.decode()


def all_said() -> dict[str, Optional[str]]:
    """What the command line says of every vector, asked once for each build of it."""
    program = pathlib.Path(chrysalis())
    mark = hashlib.sha256(f"{program}{program.stat().st_mtime_ns}{program.stat().st_size}".encode()).hexdigest()[:16]
    kept = pathlib.Path(tempfile.gettempdir()) / f"chrysalis-said-{mark}.json"
    if not kept.exists():
        found = {name: said(folder, request) for name, folder, request in vectors()}
        kept.write_text(json.dumps(found))
    answers: dict[str, Optional[str]] = json.loads(kept.read_text())
    return answers
