"""How a run goes on, while it goes on: nothing, plain lines, or a live picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TextIO

from runner.chat.messages import Delta
from runner.record.events import RunStarted
from runner.record.step_state import unix_seconds
from runner.record.wire import Entry
from runner.show.cell import fit, pad
from runner.show.sentence import sentence
from runner.words.units import show_seconds

_LONGEST_NAME = 24


class Display(Protocol):
    """Who shows a run. It only reads: what it raises ends the display, never the run."""

    def entry(self, entry: Entry) -> None:
        """A fact was written."""

    def delta(self, step: str, delta: Delta) -> None:
        """A piece of an answer came; it is not in the journal yet."""

    def close(self) -> None:
        """Leave the terminal as it was; may be called twice."""


class Silence:
    """Shows nothing."""

    def entry(self, entry: Entry) -> None:
        """Say nothing."""

    def delta(self, step: str, delta: Delta) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing to leave."""


class PlainLines:
    """One line a fact: time since the start, step, what happened. For pipes, logs and dumb terminals."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._start: float | None = None
        self._names = 3

    def entry(self, entry: Entry) -> None:
        """Write the line of the fact, if it has one."""
        now = unix_seconds(entry.at)
        self._start = now if self._start is None else self._start
        if isinstance(entry.event, RunStarted):
            longest = max((len(step) for step in entry.event.steps), default=0)
            self._names = min(max(longest, self._names), _LONGEST_NAME)
        said = sentence(entry.event)
        if said is not None:
            elapsed = show_seconds(max(now - self._start, 0))
            self._stream.write(f"{elapsed:>6}  {pad(fit(said.who, _LONGEST_NAME), self._names)}  {said.text}\n")
            self._stream.flush()

    def delta(self, step: str, delta: Delta) -> None:
        """Lines come whole or not at all."""

    def close(self) -> None:
        """Every line was flushed."""


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
