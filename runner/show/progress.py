"""How a run goes on, while it goes on: nothing, plain lines, or a live picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from runner.chat.messages import Delta
from runner.record.events import RunStarted
from runner.record.state import RunState
from runner.record.step_state import unix_seconds
from runner.record.wire import Entry
from runner.show.cell import pad
from runner.show.crowd import LONGEST_NAME, Crowds, short_name
from runner.words.units import show_seconds


class Display(Protocol):
    """Who shows a run. It only reads: what it raises ends the display, never the run."""

    def entry(self, entry: Entry) -> None:
        """A fact was written."""

    def remember(self, entry: Entry) -> None:
        """A fact of an earlier go of a run that was resumed: it is known, and not told again."""

    def delta(self, step: str, delta: Delta) -> None:
        """A piece of an answer came; it is not in the journal yet. ``step`` is a unit: ``fix``, ``call[3]/draft``."""

    def step_aside(self) -> AbstractContextManager[None]:
        """While the context lives, write nothing and leave the screen to others; afterwards say what was missed."""

    def close(self) -> None:
        """Leave the terminal as it was; may be called twice."""


class Silence:
    """Shows nothing."""

    def entry(self, entry: Entry) -> None:
        """Say nothing."""

    def remember(self, entry: Entry) -> None:
        """Remember nothing."""

    def delta(self, step: str, delta: Delta) -> None:
        """Say nothing."""

    def step_aside(self) -> AbstractContextManager[None]:
        """Nothing stands in the way."""
        return nullcontext()

    def close(self) -> None:
        """Nothing to leave."""


class PlainLines:
    """One line a fact: time since the start, step, what happened. For pipes, logs and dumb terminals.

    Of fan-outs with many items only failures, warnings and the progress get lines (``crowd``).
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._start: float | None = None
        self._state = RunState()
        self._crowds = Crowds(self._state, progress=True)
        self._names = 3
        self._aside = False
        self._missed: list[str] = []

    def entry(self, entry: Entry) -> None:
        """Write the lines of the fact, if it has any."""
        now = unix_seconds(entry.at)
        self._start = now if self._start is None else self._start
        self.remember(entry)
        for said in self._crowds.said(entry.event):
            elapsed = show_seconds(max(now - self._start, 0))
            self._write(f"{elapsed:>6}  {pad(short_name(said.who), self._names)}  {said.text}\n")

    def remember(self, entry: Entry) -> None:
        """Take the fact into account."""
        self._state.apply(entry)
        if isinstance(entry.event, RunStarted):
            longest = max((len(step) for step in entry.event.steps), default=0)
            self._names = min(max(longest, self._names), LONGEST_NAME)

    def delta(self, step: str, delta: Delta) -> None:
        """Lines come whole or not at all."""

    @contextmanager
    def step_aside(self) -> Iterator[None]:
        """Lines wait until the context ends."""
        self._aside = True
        try:
            yield
        finally:
            self._aside = False
            self.close()

    def close(self) -> None:
        """Write what waited; every other line was flushed."""
        missed, self._missed = self._missed, []
        for line in missed:
            self._write(line)

    def _write(self, line: str) -> None:
        if self._aside:
            self._missed.append(line)
            return
        self._stream.write(line)
        self._stream.flush()


def make_display(stream: TextIO, environment: Mapping[str, str], *, quiet: bool, is_tty: bool) -> Display:
    """Nothing if ``quiet``; live on a terminal that can move its cursor; plain lines in a pipe, in CI, elsewhere.

    ``environment`` is asked for ``CI``, ``TERM`` and ``NO_COLOR`` (no-color.org: set and not empty).
    """
    if quiet:
        return Silence()
    if not is_tty or environment.get("CI") or environment.get("TERM", "dumb") in ("dumb", "unknown", ""):
        return PlainLines(stream)
    from runner.show.live import LivePicture  # brings rich, for which no pipe should pay

    return LivePicture(stream, environment)
