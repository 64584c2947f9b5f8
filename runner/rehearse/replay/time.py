"""Time for a replay: it passes only when nothing else can happen, so waits that were recorded are not waited again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
_BEGAN = 946_684_800.0
"""Unix seconds of 2000-01-01: so a replay begins of which nobody knows when it was recorded."""
_WAITS = (0.001, 1.0, 10.0, 60.0)
"""Seconds, the shortest first: the longer ones are for who waits between two attempts, and end more time limits."""
_GLANCE = 0.5
"""Seconds between two looks at threads that work."""


class _Selector(selectors.DefaultSelector):
    """Asks the system without waiting for a timer; that waiting is pretended."""

    loop: JumpingLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # no timer: only a thread or a signal can go on
            return super().select(None)
        ready = super().select(0)
        if ready or timeout <= 0:
            return ready
        if self.loop.threads:
            return super().select(min(timeout, _GLANCE))
        self.loop.seconds += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Timers fire in their order; between them time jumps, except while a thread works."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.threads = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self.seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]  # as it is called
        """As ever; no time passes while a thread works."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._ended)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As ever; its time limit does not jump."""
        self.threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.threads -= 1

    def _ended(self, _: Any) -> None:
        self.threads -= 1


class JumpingClock:
    """The clock of the loop that runs; ``began`` is what it shows at first, in Unix seconds."""

    def __init__(self, began: float | None = None) -> None:
        self._began = _BEGAN if began is None else began

    def now(self) -> float:
        """Unix seconds."""
        return self._began + self.monotonic()

    def monotonic(self) -> float:
        """The loop's seconds; 0 outside of it."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    async def sleep(self, seconds: float) -> None:
        """Let the others go first."""
        await asyncio.sleep(max(seconds, 0))


async def give_way(to_come: Callable[[], int]) -> None:
    """Let all others have what they had when it was recorded, as long as they ask for it.

    ``to_come`` counts the answers that came then and that nobody has asked for yet.
    """
    for wait in _WAITS:
        before = to_come() + 1
        while 0 < to_come() < before:
            before = to_come()
            await asyncio.sleep(wait)


def run_jumping(work: Coroutine[Any, Any, Result]) -> Result:
    """As ``asyncio.run``, in time that jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
