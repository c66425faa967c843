from collections.abc import Callable
from os import PathLike
from typing import Any, Generic, Optional, TypeVar, Union, final

T = TypeVar("T")

VERSION: str

def verdict(kind: str, files: list[tuple[str, bytes]], words: list[tuple[str, str]], at: Optional[int] = None) -> str: ...

@final
class Task(Generic[T]):
    def wait(self) -> T: ...
    def on_done(self, callback: Callable[[], Any]) -> None: ...
    def result(self) -> T: ...
    def cancel(self) -> None: ...

@final
class Answer:
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...
    def next(self, read: Optional[float] = None) -> Task[Optional[bytes]]: ...
    def close(self) -> None: ...

@final
class Enclave:
    def __new__(
        cls,
        url: str,
        policy: str,
        *,
        collateral: Optional[Union[str, PathLike[str]]] = None,
        relay: Optional[str] = None,
        socks: Optional[str] = None,
        at: Optional[int] = None,
        connections: int = 100,
        evidence: float = 60.0,
        reverify: float = 300.0,
    ) -> Enclave: ...
    def ready(self, connect: Optional[float] = None) -> Task[str]: ...
    def send(
        self,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        connect: Optional[float] = None,
        read: Optional[float] = None,
        pool: Optional[float] = None,
    ) -> Task[Answer]: ...
    def close(self) -> None: ...
