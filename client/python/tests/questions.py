"""The vectors of tests/vectors and the evidence of real machines as questions, and what the command line says of each: for tests of
everything that answers questions."""

import base64
import concurrent.futures
import dataclasses
import datetime
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any, Optional

ROOT = pathlib.Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors"
# What the command line has no words for: it draws such a nonce itself when it asks NVIDIA.
WITHOUT_WORDS = {"nvidia/ocsp-nonce-mismatch"}
# What the command line reads no further than its limits, where a bundle that comes without a file has a verdict: that it is too long.
BEYOND = {"bundle/bundle-too-large"}
FILES = {"report", "quote", "chain", "switches", "cert", "crl", "rim", "ocsp", "statement", "collateral", "event_log", "hcl_report"} | {
    "tpm_quote",
    "tpm_signature",
    "tpm_pcrs",
    "bundle",
    "certificate",
    "policy",
    "receipt",
    "evidence",
    "request",
    "answer",
}


@dataclasses.dataclass
class Question:
    """A question: its files and its words by name, each a list, and what is expected if somebody wrote it down."""

    name: str
    kind: str
    at: str
    files: dict[str, list[bytes]]
    words: dict[str, list[str]]
    expected: Optional[dict[str, Any]] = None

    @property
    def moment(self) -> datetime.datetime:
        return datetime.datetime.fromisoformat(self.at.replace("Z", "+00:00"))

    def json(self) -> bytes:
        """For the C library."""
        files = {name: [base64.b64encode(one).decode() for one in several] for name, several in self.files.items()}
        return json.dumps({"kind": self.kind, "now": self.at, "files": files, "words": self.words}).encode()

    def parts(self) -> tuple[str, list[tuple[str, bytes]], list[tuple[str, str]], int]:
        """For the extension of the Python package."""
        files = [(name, one) for name, several in self.files.items() for one in several]
        words = [(name, one) for name, several in self.words.items() for one in several]
        return self.kind, files, words, int(self.moment.timestamp())

    def with_file(self, name: str, content: bytes) -> "Question":
        """The same with other bytes in the place of the first file of this name."""
        files = {**self.files, name: [content, *self.files[name][1:]]}
        return dataclasses.replace(self, files=files, expected=None)


def chrysalis() -> str:
    """The command line's program."""
    return os.path.join(os.environ.get("CHRYSALIS_TOOLS", str(ROOT / "target" / "debug")), "chrysalis")


def vectors() -> Iterator[Question]:
    """Those that are committed, but a publisher's folders."""
    for path in sorted(VECTORS.glob("**/request.json")):
        folder, request = path.parent, json.loads(path.read_text())
        if request["kind"] == "release":
            continue
        question = Question(folder.relative_to(VECTORS).as_posix(), request["kind"], request["at"], {}, {}, json.loads((folder / "expected.json").read_text()))
        for name, value in request.items():
            if name in ("kind", "shows", "at"):
                continue
            several = value if isinstance(value, list) else [value]
            if name in FILES:
                question.files[name] = [bytes(one["zeros"]) if isinstance(one, dict) else (folder / one).read_bytes() for one in several]
            else:
                question.words[name] = several
        yield question


def real() -> Iterator[Question]:
    """Evidence of real machines, with what lies beside it. CHRYSALIS_REAL: a folder with more of it than is committed."""
    for base in (VECTORS / "real", ROOT / os.environ.get("CHRYSALIS_REAL", "../shared/vectors")):
        for at in ("2025-06-20T12:00:00Z", "2026-12-01T12:00:00Z"):
            yield from _snp(base, at)
            yield from _tdx(base, at)
        for folder in sorted(base.glob("nvidia/*")) + sorted(base.glob("cases/*")):
            yield from _gpus(base, folder, "2026-12-01T12:00:00Z")


def _first(folder: pathlib.Path, *names: str) -> list[bytes]:
    found = [folder / name for name in names if (folder / name).is_file()]
    return [found[0].read_bytes()] if found else []


def _snp(base: pathlib.Path, at: str) -> Iterator[Question]:
    for folder in sorted(base.glob("snp/*")):
        report = _first(folder, "hcl-report.bin", "report.bin")
        certificates = [path.read_bytes() for start in ("vcek", "vlek", "auxblob", "ask", "ark") for path in sorted(folder.glob(f"{start}*"))]
        if report and certificates:
            name = f"{base.name}/{folder.relative_to(base)} at {at}"
            files = {"report": report, "cert": certificates}
            yield Question(name, "snp", at, files, {"without": ["crl", "freshness"], "accept_broken": ["milan"]})
            yield Question(f"{name}, explained", "snp", at, files, {"explain": ["true"]})


def _tdx(base: pathlib.Path, at: str) -> Iterator[Question]:
    shared = [path.read_bytes() for path in sorted(base.glob("tdx/collateral/*/collateral.json"))[:3]]
    for folder in sorted(base.glob("tdx/*")) + sorted(base.glob("tdx/quotes/*")):
        quote = _first(folder, "quote.bin")
        log = _first(folder, "event_log.bin", "ccel.bin")
        for place, collateral in enumerate(_first(folder, "collateral.json") or shared if quote else []):
            files = {"quote": quote, "collateral": [collateral], **({"event_log": log} if log else {})}
            yield Question(f"{base.name}/{folder.relative_to(base)} with {place} at {at}", "tdx", at, files, {"explain": ["true"]})


def _gpus(base: pathlib.Path, folder: pathlib.Path, at: str) -> Iterator[Question]:
    nonce = [line.decode().strip() for line in _first(folder, "nonce.txt")] or ["93" * 32]
    rims = [path.read_bytes() for path in sorted(folder.iterdir()) if "rim" in path.name.lower() and path.suffix in (".xml", ".json")][:8] if folder.is_dir() else []
    words = {"nonce": nonce, "without": ["ocsp", "rim", "fwid"], "explain": ["true"]}
    for path in sorted(folder.glob("*.json")):
        if path.name != "expected.json":
            yield Question(f"{base.name}/{path.relative_to(base)}", "nvidia", at, {"report": [path.read_bytes()], "rim": rims}, words)
    report, chain = _first(folder, "report.bin"), _first(folder, "chain.pem")
    if report and chain:
        yield Question(f"{base.name}/{folder.relative_to(base)}", "nvidia", at, {"report": report, "chain": chain, "rim": rims}, words)


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


def _subject(question: Question) -> bytes:
    """The file that `chrysalis verify` takes: with its conversation, a bundle is a saved session."""
    (file,) = question.files.get("bundle", question.files.get("certificate", []))
    if "spki" not in question.words:
        return file
    session: dict[str, Any] = {name: bytes.fromhex(question.words[name][0]) for name in ("spki", "nonce", "exporter")}
    session["bundle"] = file
    if "agreement" in question.words:
        session["agreement"] = question.words["agreement"][0]
    return _cbor(session)


def _command(question: Question, room: pathlib.Path) -> list[str]:
    """The command line that asks the same."""

    def file(content: bytes) -> str:
        path = room / str(len(list(room.iterdir())))
        path.write_bytes(content)
        return str(path)

    if question.kind == "bundle":
        words = ["verify", file(_subject(question))]
    elif question.kind == "receipt":
        words = ["receipt", "verify", file(question.files["receipt"][0])]
    else:
        words = ["verify", question.kind]
    for name, several in question.files.items():
        if name in ("bundle", "certificate", "receipt"):
            continue
        option = "quote-collateral" if (question.kind, name) == ("tdx", "collateral") else name.replace("_", "-")
        for one in several:
            words += [f"--{option}", file(one)]
    for name, texts in question.words.items():
        if name in ("spki", "exporter", "agreement") or (question.kind, name) == ("bundle", "nonce"):
            continue
        option = "tpm-nonce" if name == "nonce" and question.kind != "nvidia" else name.replace("_", "-")
        for one in texts:
            words += ["--explain-only"] if name == "explain" else [f"--{option}", one]
    return [*words, "--at", question.at, "--format", "json"]


def said(question: Question) -> Optional[str]:
    """The verdict as the command line prints it; None if it has none."""
    with tempfile.TemporaryDirectory() as room:
        files = pathlib.Path(room, "files")
        files.mkdir()
        ran = subprocess.run([chrysalis(), *_command(question, files)], capture_output=True, cwd=room, env={**os.environ, "XDG_STATE_HOME": room}, check=False)
    if ran.returncode == 2:
        return None
    assert ran.returncode in (0, 1), ran.stderr.decode()
    return ran.stdout.decode()


@functools.lru_cache(maxsize=None)
def all_said() -> dict[str, Optional[str]]:
    """What the command line says of every vector, and of all real evidence, asked once for each build of it."""
    program = pathlib.Path(chrysalis())
    asked = [*vectors(), *real()]
    assert len({question.name for question in asked}) == len(asked), "two questions have one name"
    names = hashlib.sha256()
    for question in asked:
        names.update(question.name.encode() + question.json())
    mark = hashlib.sha256(f"{program}{program.stat().st_mtime_ns}{program.stat().st_size}{names.hexdigest()}".encode()).hexdigest()[:16]
    kept = pathlib.Path(tempfile.gettempdir()) / f"chrysalis-said-{mark}.json"
    if not kept.exists():
        with concurrent.futures.ThreadPoolExecutor(2) as two:
            answers = two.map(said, asked)
            kept.write_text(json.dumps({question.name: answer for question, answer in zip(asked, answers)}))
    found: dict[str, Optional[str]] = json.loads(kept.read_text())
    return found


def damaged(chance: Any, share: float) -> Iterator[Question]:
    """Vectors, each with one file cut, overwritten or blown up."""
    for question in vectors():
        if chance.random() > share:
            continue
        for name, several in question.files.items():
            for damage in range(4):
                content = bytearray(several[0])[: 1 << 20]
                at = chance.randrange(len(content) + 1)
                if damage == 0:
                    del content[at:]
                elif damage == 1 and content:
                    content[at % len(content)] ^= 1 << chance.randrange(8)
                elif damage == 2:
                    content[at:] = b"\xff" * (len(content) - at)
                else:
                    content[at:at] = b"9" * 100_000
                yield question.with_file(name, bytes(content))
