"""Ctrl-C and SIGTERM: the first asks the run to end in good order, the second ends it at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.edges.process_group import Offspring
from runner.words.exits import Exit

if TYPE_CHECKING:
    import asyncio

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(
    task: asyncio.Task[object], offspring: Offspring, stop: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """While the context lives, a signal cancels ``task``; a second one kills all child processes and ends us.

    ``stop`` is asked first, and True if it sees to a good end itself: then one signal more is needed for each.
    """
    loop = task.get_loop()
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            offspring.kill_all_now()
            os._exit(Exit.INTERRUPTED)
        if stop():
            return
        asked = True
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
