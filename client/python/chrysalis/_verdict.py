"""Verdicts on evidence in files: what ``chrysalis verify`` says of the same bytes, to the byte. No network, no file, no state."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Optional, Union, overload

from . import _native

Kind = Literal["bundle", "snp", "tdx", "nvidia", "receipt"]
File = Union[bytes, bytearray, memoryview]
Hex = Union[str, bytes]


class _Said:
    """What any verdict has."""

    __slots__ = ("json", "_fields")

    def __init__(self, text: str) -> None:
        self.json = text
        self._fields: dict[str, Any] = json.loads(text)

    @property
    def code(self) -> Optional[str]:
        """The first rejection (docs/reference/rejections.md); None if nothing was refused."""
        code: Optional[str] = self._fields["code"]
        return code

    @property
    def detail(self) -> Optional[str]:
        """What is wrong."""
        detail: Optional[str] = self._fields["detail"]
        return detail

    @property
    def hint(self) -> Optional[str]:
        """What to do next."""
        hint: Optional[str] = self._fields["hint"]
        return hint

    def as_dict(self) -> dict[str, Any]:
        """All of it."""
        fields: dict[str, Any] = json.loads(self.json)
        return fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.json == other.json

    def __hash__(self) -> int:
        return hash(self.json)


class Verdict(_Said):
    """What was found.

    ``json`` is the text that ``chrysalis verify --format json`` prints, without the end of the line; the rest is read from it
    (docs/spec/verdict.schema.json). A verdict is true exactly if it is not a refusal: with a policy, if it is ``trusted``; without one, if it
    is ``genuine``. Where only trust will do, compare ``verdict`` with ``"trusted"``, or ask :meth:`trusted`.
    """

    __slots__ = ()

    @property
    def verdict(self) -> Literal["trusted", "genuine", "rejected"]:
        """The verdict in a word. ``genuine``: real hardware, and there was no policy to say whether it is wanted."""
        word: Literal["trusted", "genuine", "rejected"] = self._fields["verdict"]
        return word

    @property
    def trusted(self) -> bool:
        """Whether it is what the policy wants."""
        return self.verdict == "trusted"

    @property
    def simulated(self) -> bool:
        """Whether any of the hardware is simulated."""
        simulated: bool = self._fields["simulated"]
        return simulated

    @property
    def until(self) -> Optional[str]:
        """RFC 3339: when the first thing that this rests on ends."""
        until: Optional[str] = self._fields["until"]
        return until

    @property
    def claims(self) -> Optional[dict[str, Any]]:
        """What the evidence says."""
        claims: Optional[dict[str, Any]] = self._fields["claims"]
        return claims

    @property
    def checks(self) -> list[dict[str, str]]:
        """Every check, in order."""
        checks: list[dict[str, str]] = self._fields["checks"]
        return checks

    def __bool__(self) -> bool:
        return self.verdict != "rejected"

    def __repr__(self) -> str:
        code = f": {self.code}" if self.code else ""
        mark = " (simulated)" if self.simulated else ""
        return f"<Verdict {self.verdict}{code}{mark}>"


class ReceiptVerdict(_Said):
    """What was found of a receipt.

    ``json`` is the text that ``chrysalis receipt verify --format json`` prints, without the end of the line; the rest is read from it. It is
    true exactly if the receipt is ``verified``.
    """

    __slots__ = ()

    @property
    def verdict(self) -> Literal["verified", "rejected"]:
        """The verdict in a word."""
        word: Literal["verified", "rejected"] = self._fields["verdict"]
        return word

    @property
    def receipt(self) -> Optional[dict[str, Any]]:
        """What the enclave signed about the job, and which bodies were compared with it; None if it is refused."""
        receipt: Optional[dict[str, Any]] = self._fields["receipt"]
        return receipt

    @property
    def evidence(self) -> Optional[dict[str, Any]]:
        """The verdict on the enclave that signed it (docs/spec/verdict.schema.json); None if the receipt is refused."""
        evidence: Optional[dict[str, Any]] = self._fields["evidence"]
        return evidence

    def __bool__(self) -> bool:
        return self.verdict == "verified"

    def __repr__(self) -> str:
        code = f": {self.code}" if self.code else ""
        return f"<ReceiptVerdict {self.verdict}{code}>"


@overload
def verify(
    file: File,
    /,
    *,
    policy: Optional[str] = None,
    kind: Literal["bundle"] = "bundle",
    at: Optional[datetime.datetime] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    accept_broken: Sequence[str] = (),
    spki: Optional[Hex] = None,
    nonce: Optional[Hex] = None,
    exporter: Optional[Hex] = None,
    agreement: Optional[str] = None,
    cert: Sequence[File] = (),
    crl: Sequence[File] = (),
    collateral: Optional[File] = None,
    rim: Sequence[File] = (),
    ocsp: Sequence[File] = (),
    ocsp_nonce: Optional[Hex] = None,
    statement: Sequence[File] = (),
) -> Verdict: ...
@overload
def verify(
    file: File,
    /,
    *,
    policy: Optional[str] = None,
    kind: Literal["snp"],
    at: Optional[datetime.datetime] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    accept_broken: Sequence[str] = (),
    cert: Sequence[File] = (),
    crl: Sequence[File] = (),
    statement: Sequence[File] = (),
    report_data: Optional[Hex] = None,
    tpm_quote: Optional[File] = None,
    tpm_signature: Optional[File] = None,
    tpm_pcrs: Optional[File] = None,
    nonce: Optional[Hex] = None,
) -> Verdict: ...
@overload
def verify(
    file: File,
    /,
    *,
    policy: Optional[str] = None,
    kind: Literal["tdx"],
    collateral: File,
    at: Optional[datetime.datetime] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    event_log: Optional[File] = None,
    hcl_report: Optional[File] = None,
    statement: Sequence[File] = (),
    report_data: Optional[Hex] = None,
    tpm_quote: Optional[File] = None,
    tpm_signature: Optional[File] = None,
    tpm_pcrs: Optional[File] = None,
    nonce: Optional[Hex] = None,
) -> Verdict: ...
@overload
def verify(
    file: File,
    /,
    *,
    policy: Optional[str] = None,
    kind: Literal["nvidia"],
    nonce: Hex,
    at: Optional[datetime.datetime] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    chain: Optional[File] = None,
    switches: Optional[File] = None,
    rim: Sequence[File] = (),
    ocsp: Sequence[File] = (),
    ocsp_nonce: Optional[Hex] = None,
) -> Verdict: ...
@overload
def verify(
    file: File,
    /,
    *,
    policy: str,
    kind: Literal["receipt"],
    at: Optional[datetime.datetime] = None,
    evidence: Optional[File] = None,
    request: Optional[File] = None,
    answer: Optional[File] = None,
    cert: Sequence[File] = (),
    crl: Sequence[File] = (),
    collateral: Optional[File] = None,
    rim: Sequence[File] = (),
    ocsp: Sequence[File] = (),
    ocsp_nonce: Optional[Hex] = None,
    statement: Sequence[File] = (),
) -> ReceiptVerdict: ...
def verify(
    file: File,
    /,
    *,
    policy: Optional[str] = None,
    kind: Kind = "bundle",
    at: Optional[datetime.datetime] = None,
    explain: bool = False,
    **more: Any,
) -> Union[Verdict, ReceiptVerdict]:
    """The verdict on evidence, offline.

    ``file`` is what a file holds: with ``kind`` "bundle" whatever ``chrysalis verify FILE`` takes (a saved session, a certificate, a bundle),
    else a report ("snp"), a quote ("tdx"), a report of GPUs ("nvidia"), in every form that the command line takes, or a receipt ("receipt").
    The other arguments are those of the command line under the same names: files are bytes, ``policy`` is TOML, what was asked is hex or
    bytes, and ``at`` is the moment of the verdict in place of the clock.

    Raises Unusable where there is no verdict. The interpreter's lock is not held meanwhile.
    """
    files = [(_FIRST.get(kind, "report"), _file("the first argument", file))]
    if policy is not None:
        files.append(("policy", policy.encode()))
    words = [("explain", "true")] if explain else []
    for name, value in more.items():
        for one in _each(name, value):
            if name in _WORDS:
                words.append((name, one if isinstance(one, str) else bytes(one).hex()))
            else:
                files.append((name, _file(f"`{name}`", one)))
    text = _native.verdict(kind, files, words, None if at is None else _moment(at))
    return ReceiptVerdict(text) if kind == "receipt" else Verdict(text)


# What the file itself is called, where it is not a report.
_FIRST = {"bundle": "bundle", "tdx": "quote", "receipt": "receipt"}
# What is no file.
_WORDS = frozenset({"spki", "nonce", "exporter", "agreement", "report_data", "ocsp_nonce", "without", "accept_broken"})
# Of what there may be several.
_LISTS = frozenset({"cert", "crl", "rim", "ocsp", "statement", "without", "accept_broken"})


def _each(name: str, value: Any) -> Iterable[Any]:
    if name not in _LISTS:
        return () if value is None else (value,)
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"`{name}` is a list")
    each: Iterator[Any] = iter(value)
    return each


def _file(name: str, value: File) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name} is bytes, not {type(value).__name__}: read a file with open(path, 'rb')")
    return bytes(value)


def _moment(at: datetime.datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("`at` has no time zone: write datetime.datetime(..., tzinfo=datetime.timezone.utc)")
    return int(at.timestamp() // 1)
