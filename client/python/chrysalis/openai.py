"""The OpenAI SDK's clients, on verified connections to one enclave.

They are the SDK's own classes and take all its arguments. What differs: the enclave and its policy come first, ``api_key`` need not be given and
stays on this machine, and a refusal is raised as :class:`chrysalis.Rejected`, at once and not as ``APIConnectionError`` after retries.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional, Union

import openai

from ._enclave import Enclave
from ._errors import ChrysalisError, Rejected, Unusable

__all__ = ["AsyncOpenAI", "OpenAI"]

# What an enclave may take to prove itself: with GPUs it is seconds, and the SDK's own limit of five is for TCP.
_CONNECT = 60.0


def _http() -> str:
    """The HTTP library of the SDK that is installed: httpx2 since its release 3."""
    base = importlib.import_module("openai._base_client")
    return "httpx2" if hasattr(base, "httpx2") else "httpx"


def _settings(kind: str, enclave: Union[Enclave, str], policy: Any, of_enclave: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    name = _http()
    http, ours = importlib.import_module(name), importlib.import_module(f".{name}", __package__)
    if given.get("base_url") is not None or given.get("http_client") is not None:
        raise TypeError("base_url and http_client follow from the enclave: leave them out")
    transport = getattr(ours, "AsyncTransport" if kind == "Async" else "Transport")(enclave, policy, **of_enclave)
    timeout = given.pop("timeout", None)
    if timeout is None:
        timeout = http.Timeout(600.0, connect=_CONNECT)
    client = getattr(http, f"{kind}Client")(transport=transport, timeout=timeout)
    client.enclave = transport.enclave
    given.setdefault("api_key", "unused")
    # What the SDK sends over WebSockets would go around the transport: there is no address for it.
    given["websocket_base_url"] = "wss://no-websockets-to-enclaves.invalid"
    return {**given, "base_url": f"{transport.enclave.url}/v1", "http_client": client, "timeout": timeout}


def _cause(error: Optional[BaseException]) -> Optional[ChrysalisError]:
    """Ours, behind the SDK's."""
    while error is not None:
        if isinstance(error, ChrysalisError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _unwrapped(error: openai.APIConnectionError) -> BaseException:
    """A refusal instead of an error of the network; errors of the network stay what the SDK makes of them."""
    cause = _cause(error)
    return cause if isinstance(cause, (Rejected, Unusable)) else error


def _enclave_of(settings: dict[str, Any]) -> Enclave:
    """That of the connections with which a client was made. Without them, nothing would be verified."""
    enclave = getattr(settings.get("http_client"), "enclave", None)
    if not isinstance(enclave, Enclave):
        raise TypeError("an enclave and a policy come first: OpenAI(url, policy); another http_client would not verify it")
    return enclave


_OF_ENCLAVE = ("collateral", "relay", "socks", "connections", "evidence", "reverify", "at")


def _divided(given: dict[str, Any]) -> dict[str, Any]:
    """Takes the settings of the enclave out."""
    return {name: given.pop(name) for name in _OF_ENCLAVE if name in given}


class OpenAI(openai.OpenAI):
    """``openai.OpenAI`` on verified connections: ``OpenAI("https://llm.example", "policy.toml")``.

    ``enclave`` and ``policy`` are as for :class:`chrysalis.httpx.Transport`; the settings of :class:`chrysalis.Enclave` and those of
    ``openai.OpenAI`` follow by name.
    """

    def __init__(self, enclave: Union[Enclave, str, None] = None, policy: Any = None, **settings: Any) -> None:
        if enclave is None:
            # `with_options` copies a client by its settings: the connections are in its `http_client`.
            self.enclave: Enclave = _enclave_of(settings)
            super().__init__(**settings)
            return
        settings = _settings("", enclave, policy, _divided(settings), settings)
        self.enclave = _enclave_of(settings)
        super().__init__(**settings)

    def request(self, *arguments: Any, **settings: Any) -> Any:
        # Before the SDK's own retries: a verdict is not tried again, but the next request begins anew.
        connect = getattr(self.timeout, "connect", None)
        try:
            self.enclave.verify(timeout=connect)
        except (Rejected, Unusable):
            raise
        except ChrysalisError:
            # The network's: for the SDK to try again.
            pass
        try:
            return super().request(*arguments, **settings)
        except openai.APIConnectionError as error:
            raise _unwrapped(error) from error.__cause__


class AsyncOpenAI(openai.AsyncOpenAI):
    """The same for event loops."""

    def __init__(self, enclave: Union[Enclave, str, None] = None, policy: Any = None, **settings: Any) -> None:
        if enclave is None:
            self.enclave: Enclave = _enclave_of(settings)
            super().__init__(**settings)
            return
        settings = _settings("Async", enclave, policy, _divided(settings), settings)
        self.enclave = _enclave_of(settings)
        super().__init__(**settings)

    async def request(self, *arguments: Any, **settings: Any) -> Any:
        connect = getattr(self.timeout, "connect", None)
        try:
            await self.enclave.verify_async(timeout=connect)
        except (Rejected, Unusable):
            raise
        except ChrysalisError:
            pass
        try:
            return await super().request(*arguments, **settings)
        except openai.APIConnectionError as error:
            raise _unwrapped(error) from error.__cause__
