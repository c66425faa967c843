"""An enclave, for the transports: verified connections, shared by threads and event loops."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Optional, TypeVar, Union

from . import _native
from ._errors import Unusable
from ._verdict import Verdict

T = TypeVar("T")


class Enclave:
    """An enclave at ``url`` (https://HOST:PORT), that has to satisfy ``policy``: TOML, or the path of a file with it.

    Nothing is connected until something is asked. Every new connection is verified before anything is sent over it, all of them again after
    each ``reverify`` seconds, and earlier where an epoch of the enclave or the verdict ends. Trust ends as in ``chrysalis proxy``: what is under
    way then ends in :class:`Rejected`, and the next request begins with a new verification.

    ``collateral`` is a folder that ``chrysalis fetch`` filled. ``relay`` is the address of a relay (RFC 9458), ``socks`` that of a SOCKS proxy,
    socks5://HOST:PORT. ``evidence`` is how many seconds an enclave may take to prove itself. ``connections`` is the most connections that are
    in use at once. ``at`` fixes the clock, for tests.

    May be shared by threads and event loops, and survives a fork.
    """

    def __init__(
        self,
        url: str,
        policy: Union[str, "os.PathLike[str]"],
        *,
        collateral: Optional[Union[str, "os.PathLike[str]"]] = None,
        relay: Optional[str] = None,
        socks: Optional[str] = None,
        connections: int = 100,
        evidence: float = 60.0,
        reverify: float = 300.0,
        at: Optional[datetime.datetime] = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._native = _native.Enclave(
            self.url,
            _policy(policy),
            collateral=collateral,
            relay=relay,
            socks=socks,
            at=None if at is None else int(at.timestamp()),
            connections=connections,
            evidence=evidence,
            reverify=reverify,
        )

    def verify(self, *, timeout: Optional[float] = None) -> Verdict:
        """Has a verified connection ready, and gives the verdict on the enclave. Raises Rejected if it is not trusted."""
        return Verdict(self._native.ready(timeout).wait())

    async def verify_async(self, *, timeout: Optional[float] = None) -> Verdict:
        """The same, for event loops: asyncio's, or trio's."""
        return Verdict(await ended(self._native.ready(timeout)))

    def close(self) -> None:
        """Closes idle connections. A later request opens new ones."""
        self._native.close()

    def __enter__(self) -> Enclave:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Enclave {self.url}>"

    def is_at(self, scheme: str, host: str, port: Optional[int]) -> bool:
        """Whether a request to there is one to this enclave."""
        from urllib.parse import urlsplit

        own = urlsplit(self.url)
        return scheme == "https" and host.strip("[]") == (own.hostname or "") and (port or 443) == (own.port or 443)

    def send(self, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, waits: dict[str, Any]) -> "_native.Task[_native.Answer]":
        """Begins to send a request. ``waits`` has httpx's connect, read and pool."""
        return self._native.send(method, path, headers, body, connect=waits.get("connect"), read=waits.get("read"), pool=waits.get("pool"))


def _policy(policy: Union[str, "os.PathLike[str]"]) -> str:
    """TOML has line breaks; the name of a file has none."""
    if isinstance(policy, str) and "\n" in policy:
        return policy
    try:
        with open(policy, encoding="utf-8") as file:
            return file.read(256 * 1024 + 1)
    except (OSError, ValueError) as error:
        hint = "`chrysalis policy init --release FILE --key FILE --configuration FILE` prints one"
        raise Unusable(f"cannot read the policy {os.fspath(policy)}: {error}", code="policy_unreadable", hint=hint) from error


async def ended(task: "_native.Task[T]") -> T:
    """Waits for a task with whatever event loop is running. Called off with its caller."""
    wake, event = _event()
    task.on_done(wake)
    try:
        await event()
    except BaseException:
        task.cancel()
        raise
    return task.result()


def _event() -> tuple[Callable[[], None], Callable[[], Any]]:
    """Something to call from any thread, and what to wait for meanwhile."""
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            token = trio.lowlevel.current_trio_token()
        except RuntimeError:
            pass
        else:
            happened = trio.Event()

            def wake_trio() -> None:
                try:
                    token.run_sync_soon(happened.set)
                except trio.RunFinishedError:
                    pass

            return wake_trio, happened.wait
    import asyncio

    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(done.set)
        except RuntimeError:
            # The loop was closed, and nobody waits.
            pass

    return wake, done.wait


def made(enclave: Union[Enclave, str], policy: Any, settings: dict[str, Any]) -> Enclave:
    """What a transport was given, or made for it."""
    if isinstance(enclave, Enclave):
        if policy is not None or settings:
            raise TypeError("an Enclave brings its policy and its settings: give the enclave alone")
        return enclave
    if policy is None:
        raise TypeError("a policy is missing: Transport(url, policy)")
    return Enclave(enclave, policy, **settings)


def pieces(answer: "_native.Answer", read: Optional[float]) -> Iterator[bytes]:
    """An answer's body, piece by piece."""
    while (piece := answer.next(read).wait()) is not None:
        yield piece


async def pieces_async(answer: "_native.Answer", read: Optional[float]) -> AsyncIterator[bytes]:
    """The same, for event loops."""
    while (piece := await ended(answer.next(read))) is not None:
        yield piece
