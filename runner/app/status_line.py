"""How something long goes on: one line that is written over on a terminal, a line now and then everywhere else."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TextIO

from runner.app.console import leave_quietly
from runner.edges.clock import Clock
from runner.show.cell import fit, one_line

FRAME: Final = 0.2
"""Seconds between two pictures on a terminal."""
PLAIN: Final = 15.0
"""Seconds between two lines elsewhere."""


class StatusLine:
    """Writes what ``words`` says, to stderr, from now until it is closed; the first time at once.

    ``words`` is given the seconds since the start. What it says is shown as it is then, so it need not be pushed.
    """

    def __init__(self, words: Callable[[float], str], stream: TextIO, *, moves: bool, clock: Clock) -> None:
        self._words = words
        self._stream = stream
        self._moves = moves
        self._clock = clock
        self._started = clock.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock.monotonic() - self._started

    async def go_on(self) -> None:
        """Write, again and again, until cancelled."""
        while True:
            self._write()
            await self._clock.sleep(FRAME if self._moves else PLAIN)

    def clear(self) -> None:
        """Leave the terminal as it was."""
        if self._moves:
            self._put("\r\x1b[K")

    def _write(self) -> None:
        text = one_line(self._words(self.seconds))
        if not self._moves:
            self._put(f"{text}\n")
            return
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns or 80  # some say 0
        except OSError:
            columns = 80
        self._put(f"\r\x1b[K{fit(text, columns - 1)}")

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            leave_quietly(self._stream)


@contextmanager
def status_line(words: Callable[[float], str], environment: Mapping[str, str]) -> Iterator[StatusLine]:
    """A status line for as long as the block lasts; within an event loop."""
    moves = sys.stderr.isatty() and environment.get("TERM", "dumb") not in ("dumb", "unknown", "")
    line = StatusLine(words, sys.stderr, moves=moves and not environment.get("CI"), clock=Clock())
    writer = asyncio.create_task(line.go_on(), name="status line")
    try:
        yield line
    finally:
        writer.cancel()
        line.clear()
