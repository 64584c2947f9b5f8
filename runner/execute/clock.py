"""Time, as the executor sees it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time. ``monotonic`` in seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
