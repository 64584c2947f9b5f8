"""An event loop whose time passes only when nothing else can happen: five minutes of waiting take no time at all."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
START = 1000.0
STUCK = 10.0
"""Real seconds after which a loop that has nothing to wait for is taken for stuck."""


class _Selector(selectors.DefaultSelector):
    """Asks the system without waiting; the waiting is pretended."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self.loop.threads:  # only a thread or a socket can go on
            ready = super().select(STUCK)
            assert ready, "everybody waits, and nothing will ever happen"
            return ready
        self.loop.seconds += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers fire in their order; between them time jumps."""

    def __init__(self) -> None:
        self.seconds = START
        self.threads = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """As ever; no time passes while a thread works."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._ended)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As ever; its time limit, which Python has since 3.12, does not jump."""
        self.threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.threads -= 1

    def _ended(self, future: Any) -> None:
        self.threads -= 1


class LoopClock:
    """The clock of whatever loop runs."""

    def now(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return START

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtually(work: Coroutine[Any, Any, Result]) -> Result:
    """As ``asyncio.run``, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
