"""What goes wrong, with a stable code and what to do next."""

from __future__ import annotations

import json
from typing import Any, Optional


class ChrysalisError(Exception):
    """Anything that keeps an answer from coming, or from being trusted.

    ``code`` is stable, such as ``launch_digest_unknown`` (docs/reference/rejections.md) or ``stalled``. ``hint`` says what to do next, and
    is empty where the message says it.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

    def __str__(self) -> str:
        message = f"{super().__str__()} ({self.code})"
        return f"{message}\nhint: {self.hint}" if self.hint else message


class Unusable(ChrysalisError, ValueError):
    """What was asked makes no sense, so there is no verdict: the message says what to hand over instead."""


class Rejected(ChrysalisError):
    """A verdict, and it is no: the enclave is not what the policy wants, or is not any more. No byte of the request was sent to it after that.

    ``verdict`` is the whole verdict on its evidence (docs/spec/verdict.schema.json), or None where it is not the evidence that is wrong.
    """

    def __init__(self, message: str, *, code: str, hint: str = "", verdict: Optional[dict[str, Any]] = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.verdict = verdict


class Unreachable(ChrysalisError):
    """No connection could be made."""


class TimedOut(ChrysalisError):
    """It took longer than the caller waits, or the host keeps everybody waiting. ``waited_for`` is connect, read or pool."""

    def __init__(self, message: str, *, code: str, hint: str = "", waited_for: str) -> None:
        super().__init__(message, code=code, hint=hint)
        self.waited_for = waited_for


class Cut(ChrysalisError):
    """The connection ended before the answer was whole: treat what has come as cut short."""


class ProtocolError(ChrysalisError):
    """The peer does not behave like an enclave."""


def raised(kind: str, code: str, message: str, hint: str, verdict: Optional[str]) -> ChrysalisError:
    """The exception for what ``chrysalis._native`` says."""
    if kind == "unusable":
        return Unusable(message, code=code, hint=hint)
    if kind == "rejected":
        found = None if verdict is None else json.loads(verdict)
        return Rejected(message, code=code, hint=hint, verdict=found)
    if kind == "unreachable":
        return Unreachable(message, code=code, hint=hint)
    if kind == "stalled":
        return TimedOut(message, code=code, hint=hint, waited_for="connect")
    if kind in ("connect", "read", "pool"):
        what = {"connect": "verified connection", "read": "answer, or next piece of it,", "pool": "free connection"}[kind]
        message = message.replace(f"no {kind} ", f"no {what} ", 1)
        return TimedOut(message, code=code, hint=hint, waited_for=kind)
    if kind == "cut":
        return Cut(message, code=code, hint=hint)
    if kind == "protocol":
        return ProtocolError(message, code=code, hint=hint)
    return ChrysalisError(message, code=code, hint=hint)
