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

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(
    task: asyncio.Task[object], offspring: Offspring, stop: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """While the context lives, a signal cancels ``task``; a second one kills all child processes and ends us.

    ``stop`` is asked first, and True if it sees to a good end itself: then one signal more is needed for each.

    Raises:
        KeyboardInterrupt: a signal came when ``task`` had nothing left that could be cancelled. Whoever began it must
            not go on with the next one.
    """
    loop = task.get_loop()
    came = asked = stopped = False

    def on_signal() -> None:
        nonlocal asked, stopped
        if asked:
            offspring.kill_all_now()
            os._exit(Exit.INTERRUPTED)
        if stop():
            stopped = True
            return
        asked = True
        task.cancel()

    def heard(*_: object) -> None:
        nonlocal came
        came = True
        loop.call_soon_threadsafe(on_signal)

    # Not `loop.add_signal_handler`: it forgets what comes after the loop has looked for the last time.
    before = {number: signal.signal(number, heard) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if came and not stopped and not task.cancelled():
        raise KeyboardInterrupt


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """While the context lives, SIGTERM is a ``KeyboardInterrupt`` like Ctrl-C, so that everything is left in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
