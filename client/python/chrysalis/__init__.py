"""Know what answers before a byte of prompt leaves.

:func:`verify` gives the verdict on evidence in files, offline. :class:`Enclave` is a machine that has to prove itself; ``chrysalis.OpenAI`` and
``chrysalis.AsyncOpenAI`` are the OpenAI SDK's clients on verified connections to it, and ``chrysalis.httpx`` and ``chrysalis.httpx2`` the
transports that they use. No proxy is needed, and nothing is sent before the enclave has been verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _native
from ._enclave import Enclave
from ._errors import ChrysalisError, Cut, ProtocolError, Rejected, TimedOut, Unreachable, Unusable
from ._verdict import ReceiptVerdict, Verdict, verify

if TYPE_CHECKING:
    from .openai import AsyncOpenAI as AsyncOpenAI, OpenAI as OpenAI

__version__ = _native.VERSION
__all__ = [
    "ChrysalisError",
    "Cut",
    "Enclave",
    "ProtocolError",
    "ReceiptVerdict",
    "Rejected",
    "TimedOut",
    "Unreachable",
    "Unusable",
    "Verdict",
    "verify",
]


def __getattr__(name: str) -> Any:
    """The OpenAI SDK and the transports are imported when they are asked for: verdicts need neither."""
    import importlib

    if name in ("AsyncOpenAI", "OpenAI"):
        try:
            module = importlib.import_module(".openai", __name__)
        except ModuleNotFoundError as error:
            raise ImportError(f"chrysalis.{name} needs the OpenAI SDK: pip install 'chrysalis-verify[openai]'") from error
        return getattr(module, name)
    if name in ("httpx", "httpx2", "openai"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
