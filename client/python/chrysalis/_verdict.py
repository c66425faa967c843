"""Verdicts on evidence in files: what ``chrysalis verify`` says of the same bytes, to the byte. No network, no file, no state."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Sequence
from typing import Any, Literal, Optional, Union, overload

from . import _native

Kind = Literal["bundle", "snp", "tdx", "nvidia"]
File = Union[bytes, bytearray, memoryview]
Hex = Union[str, bytes]


class Verdict:
    """What was found.

    ``json`` is the text that ``chrysalis verify --format json`` prints, without the end of the line; the rest is read from it
    (docs/spec/verdict.schema.json). A verdict is true exactly if it is not a refusal: with a policy, if it is ``trusted``; without one, if it
    is ``genuine``. Where only trust will do, compare ``verdict`` with ``"trusted"``, or ask :meth:`trusted`.
    """

    __slots__ = ("json", "_fields")

    def __init__(self, text: str) -> None:
        self.json = text
        self._fields: dict[str, Any] = json.loads(text)

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

    def as_dict(self) -> dict[str, Any]:
        """All of it."""
        fields: dict[str, Any] = json.loads(self.json)
        return fields

    def __bool__(self) -> bool:
        return self.verdict != "rejected"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdict) and self.json == other.json

    def __hash__(self) -> int:
        return hash(self.json)

    def __repr__(self) -> str:
        code = f": {self.code}" if self.code else ""
        mark = " (simulated)" if self.simulated else ""
        return f"<Verdict {self.verdict}{code}{mark}>"


@overload
def verify(
    evidence: File,
    *,
    policy: Optional[str] = None,
    kind: Literal["bundle"] = "bundle",
    at: Optional[Union[datetime.datetime, str]] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    accept_broken: Sequence[str] = (),
    spki: Optional[Hex] = None,
    nonce: Optional[Hex] = None,
    exporter: Optional[Hex] = None,
    agreement: Optional[str] = None,
    cert: Sequence[File] = (),
    crl: Sequence[File] = (),
    rim: Sequence[File] = (),
    ocsp: Sequence[File] = (),
    statement: Sequence[File] = (),
) -> Verdict: ...
@overload
def verify(
    evidence: File,
    *,
    policy: Optional[str] = None,
    kind: Literal["snp"],
    at: Optional[Union[datetime.datetime, str]] = None,
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
    evidence: File,
    *,
    policy: Optional[str] = None,
    kind: Literal["tdx"],
    at: Optional[Union[datetime.datetime, str]] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    collateral: Optional[File] = None,
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
    evidence: File,
    *,
    policy: Optional[str] = None,
    kind: Literal["nvidia"],
    nonce: Hex,
    at: Optional[Union[datetime.datetime, str]] = None,
    explain: bool = False,
    without: Sequence[str] = (),
    chain: Optional[File] = None,
    switches: Optional[File] = None,
    rim: Sequence[File] = (),
    ocsp: Sequence[File] = (),
) -> Verdict: ...
def verify(
    evidence: File,
    *,
    policy: Optional[str] = None,
    kind: Kind = "bundle",
    at: Optional[Union[datetime.datetime, str]] = None,
    **more: Any,
) -> Verdict:
    """The verdict on evidence, offline.

    ``evidence`` is what a file holds: with ``kind`` "bundle" whatever ``chrysalis verify FILE`` takes (a saved session, a certificate, a
    bundle), else a report ("snp"), a quote ("tdx") or a report of GPUs ("nvidia"), in every form that the command line takes. The other
    arguments are those of the command line under the same names: files are bytes, ``policy`` is TOML, what was asked is hex or bytes, and ``at``
    is the moment of the verdict in place of the clock.

    Raises Unusable where there is no verdict. The interpreter's lock is not held meanwhile.
    """
    question: dict[str, Any] = {"kind": kind, {"bundle": "evidence", "tdx": "quote"}.get(kind, "report"): _file(evidence)}
    if policy is not None:
        question["policy"] = policy
    if at is not None:
        question["at"] = at if isinstance(at, str) else _moment(at)
    for name, value in more.items():
        if value is None or (isinstance(value, (list, tuple)) and not value):
            continue
        question[name] = _value(name, value)
    return Verdict(_native.verdict(json.dumps(question).encode()))


# In hex, where bytes are not a file.
_HEX = frozenset({"spki", "nonce", "exporter", "report_data"})


def _value(name: str, value: Any) -> Any:
    if name in _HEX:
        return value if isinstance(value, str) else bytes(value).hex()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _file(value)
    if isinstance(value, (list, tuple)):
        return [_value("", item) for item in value]
    return value


def _file(value: File) -> str:
    if isinstance(value, str):
        raise TypeError("evidence and collateral are bytes: read the file with open(path, 'rb')")
    return base64.b64encode(value).decode()


def _moment(at: datetime.datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("`at` has no time zone: write datetime.datetime(..., tzinfo=datetime.timezone.utc)")
    return at.astimezone(datetime.timezone.utc).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
