"""Progress for a host that waits: what the work tells, and signs of life in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from runner.chat.offer import Progress
from runner.words.units import show_seconds

EVERY: Final = 4.0
"""Seconds between two signs of life; hosts are promised one every 5 s."""
_AHEAD: Final = 50
"""So much of what the work tells is kept for a host that is slow to hear; of more, the oldest is left out."""
_FLUSH_SECONDS: Final = 1.0
_STEP: Final = 1e-6


class Heartbeat:
    """What is told is sent on by a task of its own, so that a host that does not read stops no work.

    The numbers that are sent only grow, as MCP wants it. Signs of life stay below the next whole number.
    """

    def __init__(self, progress: Progress, every: float = EVERY) -> None:
        self._progress = progress
        self._every = every
        self._waiting: deque[tuple[float, float | None, str]] = deque(maxlen=_AHEAD)
        self._told = asyncio.Event()
        self._sent = -1.0
        self._base = 0.0
        self._total: float | None = None
        self._message = ""
        self._beats = 0
        self._begun = asyncio.get_running_loop().time()

    async def tell(self, done: float, total: float | None, message: str) -> None:
        """What the work tells; never waits."""
        self._waiting.append((done, total, message))
        self._told.set()

    async def send(self) -> None:
        """Send on what is told, for ever."""
        while True:
            try:
                async with asyncio.timeout(self._every):
                    await self._told.wait()
            except TimeoutError:
                await self._beat()
                continue
            await self.flush()

    async def flush(self) -> None:
        """Send what waits."""
        self._told.clear()
        while self._waiting:
            done, self._total, self._message = self._waiting.popleft()
            self._base, self._beats = done, 0
            await self._send(done, self._message)

    async def _beat(self) -> None:
        """A sign of life: the work has told nothing for a while."""
        self._beats += 1
        room = 1.0 if self._total is None else max(0.0, min(1.0, self._total - self._base))
        waited = show_seconds(round(asyncio.get_running_loop().time() - self._begun))
        words = f"working for {waited}" + (f"; {self._message}" if self._message else "")
        await self._send(self._base + room * self._beats / (self._beats + 1), words)

    async def _send(self, done: float, message: str) -> None:
        self._sent = max(done, self._sent + _STEP)
        await self._progress(self._sent, self._total, message)


@asynccontextmanager
async def heartbeat(progress: Progress, every: float = EVERY) -> AsyncIterator[Progress]:
    """Who works in the context tells what it yields; ``progress`` hears of it, and a sign of life every so often."""
    beat = Heartbeat(progress, every)
    sending = asyncio.create_task(beat.send(), name="tell a host that work goes on")
    try:
        yield beat.tell
    finally:
        sending.cancel()
        await asyncio.wait((sending,))
        if not sending.cancelled():
            sending.exception()  # who hears no more harms no work
    with suppress(Exception):
        async with asyncio.timeout(_FLUSH_SECONDS):
            await beat.flush()
