"""httpx to a verified enclave: a transport for ``httpx.Client``, and one for ``httpx.AsyncClient``.

Errors are chrysalis's and httpx's at once: ``except httpx.ConnectError`` and ``except chrysalis.Unreachable`` both catch an enclave that
cannot be reached. A refusal is :class:`chrysalis.Rejected` alone, so nothing that tries again after errors of the network does after a verdict.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union

import httpx

from . import _errors, _native
from ._enclave import Enclave, ended, made, pieces, pieces_async

__all__ = ["AsyncTransport", "Transport"]


class ConnectError(_errors.Unreachable, httpx.ConnectError):
    """No connection could be made."""


class ConnectTimeout(_errors.TimedOut, httpx.ConnectTimeout):
    """No verified connection in time."""


class ReadTimeout(_errors.TimedOut, httpx.ReadTimeout):
    """Nothing of the answer in time."""


class PoolTimeout(_errors.TimedOut, httpx.PoolTimeout):
    """All connections were in use for too long."""


class ReadError(_errors.Cut, httpx.ReadError):
    """The answer was cut short."""


class RemoteProtocolError(_errors.ProtocolError, httpx.RemoteProtocolError):
    """The peer does not behave like an enclave."""


class UnsupportedProtocol(_errors.Unusable, httpx.UnsupportedProtocol):
    """The request is for somebody else than the enclave."""


def _translated(error: _errors.ChrysalisError) -> _errors.ChrysalisError:
    """As an error of httpx, too, if it has one for that."""
    text: tuple[str] = error.args
    if isinstance(error, _errors.TimedOut):
        if error.waited_for == "connect":
            return ConnectTimeout(*text, code=error.code, hint=error.hint, waited_for="connect")
        if error.waited_for == "pool":
            return PoolTimeout(*text, code=error.code, hint=error.hint, waited_for="pool")
        return ReadTimeout(*text, code=error.code, hint=error.hint, waited_for="read")
    if isinstance(error, _errors.Unreachable):
        return ConnectError(*text, code=error.code, hint=error.hint)
    if isinstance(error, _errors.Cut):
        return ReadError(*text, code=error.code, hint=error.hint)
    if isinstance(error, _errors.ProtocolError):
        return RemoteProtocolError(*text, code=error.code, hint=error.hint)
    return error


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _errors.ChrysalisError as error:
        translated = _translated(error)
        if translated is error:
            raise
        raise translated from None


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: _native.Answer, read: Optional[float]) -> None:
        self._answer = answer
        self._read = read

    def __iter__(self) -> Iterator[bytes]:
        with _told():
            yield from pieces(self._answer, self._read)

    def close(self) -> None:
        self._answer.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, answer: _native.Answer, read: Optional[float]) -> None:
        self._answer = answer
        self._read = read

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told():
            async for piece in pieces_async(self._answer, self._read):
                yield piece

    async def aclose(self) -> None:
        self._answer.close()


def _begun(enclave: Enclave, request: httpx.Request, body: bytes) -> tuple[_native.Task[_native.Answer], Optional[float]]:
    url = request.url
    if not enclave.is_at(url.scheme, url.host, url.port):
        raise UnsupportedProtocol(
            f"{url.scheme}://{url.netloc.decode()} is not the enclave {enclave.url}",
            code="another_host",
            hint="give the client base_url=..., and follow no redirects",
        )
    waits = request.extensions.get("timeout", {})
    task = enclave.send(request.method, url.raw_path.decode("ascii"), list(request.headers.raw), body, waits)
    return task, waits.get("read")


class Transport(httpx.BaseTransport):
    """Requests to one enclave, verified before anything of them leaves.

    ``enclave`` is an :class:`chrysalis.Enclave`, or its address, with a policy and the settings of :class:`chrysalis.Enclave`. Closing the
    transport closes the enclave's connections, unless the enclave was given.

    httpx's ``connect`` timeout is how long a verified connection may take, ``read`` how long the head of the answer and each piece of it, ``pool``
    how long a request waits for a free connection. ``write`` has no effect: the waits above bound every request. A request's body is read whole
    before it is sent; an answer that is no event stream is handed out once it has come whole.
    """

    def __init__(self, enclave: Union[Enclave, str], policy: Any = None, **settings: Any) -> None:
        self.enclave = made(enclave, policy, settings)
        self._owned = self.enclave is not enclave

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _told():
            task, read = _begun(self.enclave, request, request.read())
            answer = task.wait()
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer, read), extensions={"http_version": b"HTTP/1.1"})

    def close(self) -> None:
        if self._owned:
            self.enclave.close()


class AsyncTransport(httpx.AsyncBaseTransport):
    """The same for ``httpx.AsyncClient``, on asyncio or trio."""

    def __init__(self, enclave: Union[Enclave, str], policy: Any = None, **settings: Any) -> None:
        self.enclave = made(enclave, policy, settings)
        self._owned = self.enclave is not enclave

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _told():
            task, read = _begun(self.enclave, request, await request.aread())
            answer = await ended(task)
        return httpx.Response(answer.status, headers=answer.headers, stream=_AsyncBody(answer, read), extensions={"http_version": b"HTTP/1.1"})

    async def aclose(self) -> None:
        if self._owned:
            self.enclave.close()
