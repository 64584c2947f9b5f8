"""The loads and circuits of calls, told to those who watch runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from runner.record.journal import Journal, Listener

RUN: Final = "bridge"
"""Under which watchers hear of what belongs to no run."""


class _Nowhere:
    """A journal that is only listened to."""

    def write(self, line: bytes) -> None:
        """Nobody reads it again."""

    def sync(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def heard(watchers: Iterable[Listener], now: Callable[[], float]) -> Journal:
    """A journal that nobody reads again; ``now`` gives Unix seconds."""
    journal = Journal(_Nowhere(), RUN, now, None)
    for watcher in watchers:
        journal.listen(watcher)
    return journal
