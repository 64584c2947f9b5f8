"""Time, as the only place that reads it tells it."""

from __future__ import annotations

import time


class Clock:
    """The clock of this machine; a test brings another with the same three methods."""

    def now(self) -> float:
        """Unix seconds, for what people read; may jump when the machine's clock is set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, for durations and deadlines; never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less lets others run once."""
        import asyncio

        await asyncio.sleep(max(seconds, 0))
