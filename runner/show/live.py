"""The live picture of a run on a terminal: a row for each step at work, what is over scrolls away above.

Imported only when there is a terminal to draw on: it brings rich.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from runner.chat.messages import Delta
from runner.record.events import (
    ApprovalAnswered,
    CircuitChanged,
    HistoryTrimmed,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    RequestDegraded,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRetried,
    StepWarned,
    ToolServerDied,
)
from runner.record.wire import Entry
from runner.show.cell import pad
from runner.show.crowd import Crowds, short_name
from runner.show.live_rows import FRAMES, FRAMES_A_SECOND, FRAMES_ASCII, Rows
from runner.show.sentence import Mood, Sentence

_SIGNS: Mapping[Mood, str] = {"plain": "·", "good": "✓", "warning": "!", "bad": "✗"}
_SIGNS_ASCII: Mapping[Mood, str] = {"plain": "-", "good": "+", "warning": "!", "bad": "x"}
_STYLES: Mapping[Mood, str] = {"plain": "dim", "good": "green", "warning": "yellow", "bad": "bold red"}
_SCROLLED = (
    ApprovalAnswered, CircuitChanged, HistoryTrimmed, ModelFellBack, ModelLoaded, ModelLoadFailed, RequestDegraded,
    StepFinished, StepRetried, StepWarned, ToolServerDied,
)  # fmt: skip


class LivePicture:
    """A ``Display`` for terminals. Times are those of ``clock``, by default the console's own."""

    def __init__(
        self, stream: TextIO, environment: Mapping[str, str], clock: Callable[[], float] | None = None
    ) -> None:
        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=bool(environment.get("NO_COLOR")),
            highlight=False,
            markup=False,
            emoji=False,
            get_time=clock,
            _environ=dict(environment),
        )
        ascii_only = self._console.options.ascii_only
        self._signs = _SIGNS_ASCII if ascii_only else _SIGNS
        # Frames are drawn by a thread of rich. Never print while holding this: rich holds its own lock as it draws.
        self._lock = Lock()
        self._rows = Rows(frames=FRAMES_ASCII if ascii_only else FRAMES)
        self._crowds = Crowds(self._rows.state, progress=False)
        self._aside = False
        self._missed: list[Text] = []
        self._live = self._stage()  # draws a first frame at once, so the rest of this object has to stand

    def entry(self, entry: Entry) -> None:
        """Take the fact into the picture; what is over or went wrong is printed above it."""
        event = entry.event
        self.remember(entry)
        told = self._crowds.said(event)
        if isinstance(event, RunStarted | RunResumed):
            self._live.start(refresh=True)
        elif isinstance(event, RunFinished):
            self.close()
        elif isinstance(event, _SCROLLED):
            for said in told:
                self._print(self._scrolled(said))

    def remember(self, entry: Entry) -> None:
        """Take the fact into the picture, and say nothing of it."""
        with self._lock:
            self._rows.note(entry, self._console.get_time())

    def delta(self, step: str, delta: Delta) -> None:
        """Count the piece and show it as the end of what the model says to the unit ``step``."""
        with self._lock:
            self._rows.say(step, delta, self._console.get_time())

    @contextmanager
    def step_aside(self) -> Iterator[None]:
        """Take the picture off the screen until the context ends; what would be printed meanwhile waits."""
        drawn, self._aside = self._live.is_started, True
        self._live.stop()
        try:
            yield
        finally:
            if self._aside and drawn:  # it was not closed meanwhile
                self._live = self._stage()  # the old one would begin by wiping as many lines as it drew last
                self._live.start(refresh=True)
            self._catch_up()

    def close(self) -> None:
        """Take the picture off the screen and give the cursor back; may be called twice."""
        self._live.stop()
        self._catch_up()

    def _stage(self) -> Live:
        return Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _catch_up(self) -> None:
        self._aside = False
        missed, self._missed = self._missed, []
        for line in missed:
            self._print(line)

    def _print(self, line: Text) -> None:
        if self._aside:
            self._missed.append(line)
        else:
            self._console.print(line)

    def _scrolled(self, said: Sentence) -> Text:
        name = pad(short_name(said.who), self._rows.names)
        return Text.assemble(
            (f" {self._signs[said.mood]} ", _STYLES[said.mood]), (name, "bold"), "  ", (said.text, _mild(said.mood))
        )

    def _picture(self) -> Text:
        size = self._console.size
        with self._lock:
            rows = list(self._rows.rows(size.width - 1, max(size.height - 2, 1), self._console.get_time()))
        return Text("\n", no_wrap=True, overflow="crop", end="").join(rows)


def _mild(mood: Mood) -> str:
    return "" if mood == "good" else _STYLES[mood].removeprefix("bold ")
