"""``bridge-run models get``: a server downloads a model, and we watch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from runner.app.console import say, tell
from runner.app.models.servers import ModelsRequest, Servers, with_servers
from runner.app.status_line import status_line
from runner.edges.clock import Clock
from runner.words.errors import LLMConnectionError, LLMError, LLMTimeoutError, LLMValidationError
from runner.words.exits import Exit
from runner.words.units import show_bytes, show_seconds

if TYPE_CHECKING:
    from runner.edges.model_server.lmstudio import HttpBackend
    from runner.edges.model_server.management import Download

POLL: Final = 1.0
"""Seconds between two questions how far it is: the server does not say it by itself."""
_FAILURES: Final = 10
"""So many questions in a row may fail; a server that is busy with its disk may be late."""


def get_model(
    name: str, quantization: str | None, request: ModelsRequest, environment: Mapping[str, str], *, poll: float = POLL
) -> int:
    """Have a model downloaded, and wait until it is there; the exit code.

    Raises:
        LLMError: the download failed; BridgeError: as ``with_servers``.
    """

    async def work(servers: Servers) -> int:
        return await _Watched(name, await _backend(servers), servers.environment, poll).get(quantization)

    try:
        return with_servers(request, environment, work)
    except KeyboardInterrupt:
        again = f"`bridge-run models get {name}` watches it again"
        tell(f"interrupted; if the download had begun, the server goes on with it: {again}")
        return Exit.INTERRUPTED


async def _backend(servers: Servers) -> HttpBackend:
    """The first server that can download.

    Raises:
        LLMValidationError: there is none.
    """
    from runner.edges.model_server.lmstudio import HttpBackend

    for one in servers.catalogue.endpoints:
        backend = servers.backends[one.endpoint]
        if one.manages and isinstance(backend, HttpBackend):
            return backend
    asked = ", ".join(one.endpoint for one in servers.catalogue.endpoints)
    raise LLMValidationError(
        f"no server here can be told to download; asked: {asked}",
        hint="LM Studio 0.4 and later can; others fetch models by their own means",
    )


class _Watched:
    """One download, from the question for it to its end."""

    def __init__(self, name: str, backend: HttpBackend, environment: Mapping[str, str], poll: float) -> None:
        self._name = name
        self._backend = backend
        self._environment = environment
        self._poll = poll
        self._clock = Clock()
        self._now: Download | None = None
        self._first: tuple[float, int] | None = None

    async def get(self, quantization: str | None) -> int:
        self._now = now = await self._backend.download(self._name, quantization)
        if now.status == "already_downloaded":
            say(f"`{self._name}` is there already")
            return Exit.OK
        with status_line(self._words, self._environment) as line:
            while not now.over:
                await asyncio.sleep(self._poll)
                self._now = now = await self._progress(now)
        if now.status == "failed":
            raise LLMError(
                f"the download of `{self._name}` failed after {show_bytes(now.bytes)}",
                hint="the server's own log says why; is its disk full, is the network there?",
            )
        size = f", {show_bytes(now.total_bytes)}" if now.total_bytes else ""
        say(f"`{self._name}` is downloaded{size}, in {show_seconds(line.seconds)}")
        return Exit.OK

    async def _progress(self, before: Download) -> Download:
        """How far it is now; a server that says nothing for a while is asked again.

        Raises:
            LLMError: the server cannot say, or was silent too often.
        """
        if before.job is None:
            raise LLMError(f"the server downloads `{self._name}` and does not say under which name to ask for it")
        for failed in range(1, _FAILURES + 1):
            try:
                now = await self._backend.download_status(before.job)
                break
            except (LLMConnectionError, LLMTimeoutError):
                if failed == _FAILURES:
                    raise
                await asyncio.sleep(self._poll)
        if self._first is None:
            self._first = (self._clock.monotonic(), now.bytes)
        return now

    def _words(self, seconds: float) -> str:
        """``qwen/qwen3-8b  1.2 GB of 4.7 GB  26 %  73.0 MB/s  48s left``."""
        now = self._now
        if now is None:
            return f"{self._name}  {show_seconds(seconds)}"
        parts = [self._name, "paused" if now.status == "paused" else "downloading"]
        if now.total_bytes:
            parts += [
                f"{show_bytes(now.bytes)} of {show_bytes(now.total_bytes)}",
                f"{now.bytes * 100 // now.total_bytes} %",
            ]
        speed = self._speed(now)
        if speed:
            parts.append(f"{show_bytes(round(speed))}/s")
        left = now.seconds_left
        if left is None and speed and now.total_bytes:
            left = (now.total_bytes - now.bytes) / speed
        if left is not None:
            parts.append(f"{show_seconds(left)} left")
        return "  ".join(parts)

    def _speed(self, now: Download) -> float | None:
        """Bytes a second since the first answer."""
        if self._first is None:
            return None
        since, had = self._first
        seconds = self._clock.monotonic() - since
        return (now.bytes - had) / seconds if seconds > 0.5 and now.bytes > had else None
