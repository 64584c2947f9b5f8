"""The live picture of a run on a terminal: a row for each step at work, what is over scrolls away above.

The one door to rich. Imported only when there is a terminal to draw on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from runner.chat.messages import Delta
from runner.record.events import (
    CircuitChanged,
    HistoryTrimmed,
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    ModelLoaded,
    ModelLoadFailed,
    ModelLoadStarted,
    RequestDegraded,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
    StepWarned,
    ToolServerDied,
)
from runner.record.model_state import ModelKey, ModelState, expected_seconds
from runner.record.state import RunState
from runner.record.step_state import StepState
from runner.record.wire import Entry
from runner.show.cell import fit, fit_tail, one_line, pad
from runner.show.cell import width as cell_width
from runner.show.sentence import Mood, Sentence, sentence, show_tokens
from runner.words.units import show_bytes, show_seconds

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_ASCII = "|/-\\"
_SIGNS: Mapping[Mood, str] = {"plain": "·", "good": "✓", "warning": "!", "bad": "✗"}
_SIGNS_ASCII: Mapping[Mood, str] = {"plain": "-", "good": "+", "warning": "!", "bad": "x"}
_STYLES: Mapping[Mood, str] = {"plain": "dim", "good": "green", "warning": "yellow", "bad": "bold red"}
_SCROLLED = (
    CircuitChanged, HistoryTrimmed, ModelFellBack, ModelLoaded, ModelLoadFailed, RequestDegraded, StepFinished,
    StepRetried, StepWarned, ToolServerDied,
)  # fmt: skip
_TAIL = 400  # characters of an answer that are kept to show its end
_FRAMES_A_SECOND = 8
_LONG = 1.0  # seconds without a step, after which the picture says what it waits for


@dataclass(slots=True, kw_only=True)
class _Stream:
    """An answer while it comes: how many pieces (a token each, on the servers we know), and how it ends."""

    asked: bool = False
    first: float | None = None
    pieces: int = 0
    tail: str = ""

    def add(self, text: str, now: float) -> None:
        self.first = now if self.first is None else self.first
        self.pieces += 1
        self.tail = (self.tail + text)[-_TAIL:]

    def rate(self, now: float) -> str:
        if self.first is None or now - self.first < 0.5:
            return ""
        return f"{self.pieces / (now - self.first):.0f} tok/s"


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
        self._frames = _FRAMES_ASCII if ascii_only else _FRAMES
        self._signs = _SIGNS_ASCII if ascii_only else _SIGNS
        # Frames are drawn by a thread of rich. Never print while holding this: rich holds its own lock as it draws.
        self._lock = Lock()
        self._state = RunState()
        self._streams: dict[str, _Stream] = {}
        self._begun: dict[str | ModelKey, float] = {}
        self._live = Live(  # draws a first frame at once, so the rest of this object has to stand
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def entry(self, entry: Entry) -> None:
        """Take the fact into the picture; what is over or went wrong is printed above it."""
        event = entry.event
        with self._lock:
            self._note(entry)
        if isinstance(event, RunStarted):
            self._live.start()
        elif isinstance(event, RunFinished):
            self.close()
        elif isinstance(event, _SCROLLED):
            said = sentence(event)
            if said is not None:
                self._console.print(self._scrolled(said))

    def delta(self, step: str, delta: Delta) -> None:
        """Count the piece and show it as the end of what the step's model says."""
        with self._lock:
            self._streams.setdefault(step, _Stream()).add(delta.text, self._console.get_time())

    def close(self) -> None:
        """Take the picture off the screen and give the cursor back; may be called twice."""
        self._live.stop()

    def _note(self, entry: Entry) -> None:
        event = entry.event
        self._state.apply(entry)
        if isinstance(event, RunStarted):
            self._begun[""] = self._console.get_time()
        elif isinstance(event, StepStarted):
            self._begun[event.step] = self._console.get_time()
        elif isinstance(event, ModelLoadStarted):
            self._begun[event.endpoint, event.model] = self._console.get_time()
        elif isinstance(event, ModelAsked):
            self._streams[event.step] = _Stream(asked=True)
        elif isinstance(event, ModelAnswered | ModelFellBack | StepRetried | StepFinished):
            self._streams.pop(event.step, None)

    def _scrolled(self, said: Sentence) -> Text:
        name = pad(one_line(said.who), self._names())
        return Text.assemble(
            (f" {self._signs[said.mood]} ", _STYLES[said.mood]), (name, "bold"), "  ", (said.text, _mild(said.mood))
        )

    def _picture(self) -> Text:
        size = self._console.size
        with self._lock:
            rows = list(self._rows(size.width - 1, max(size.height - 2, 1)))
        return Text("\n", no_wrap=True, overflow="crop", end="").join(rows)

    def _rows(self, width: int, height: int) -> Iterator[Text]:
        now = self._console.get_time()
        frame = self._frames[int(now * _FRAMES_A_SECOND) % len(self._frames)]
        loading = self._loading[: max(height - 2, 0)]
        height -= len(loading)
        for model in loading:
            yield self._loading_row(model, frame, now, width)
        running = self._state.running
        shown = running if len(running) < height else running[: max(height - 2, 0)]
        models = max((cell_width(_model(step)) for step in shown), default=0) if width >= 55 else 0
        for step in shown:
            yield self._row(step, frame, now, width, models)
        if len(shown) < len(running) and height > 1:
            yield Text(fit(f"   and {len(running) - len(shown)} more at work", width), style="dim")
        yield Text(fit(self._summary(now), width), style="bold")

    def _loading_row(self, model: ModelState, frame: str, now: float, width: int) -> Text:
        elapsed = show_seconds(now - self._begun.get((model.endpoint, model.model), now))
        expected = expected_seconds(self._state.models, model)
        row = Text.assemble((f" {frame} ", "cyan"), (pad(one_line(model.model), self._names()), "bold"))
        row.append(f"  {elapsed:>5}" + (f" of about {show_seconds(expected)}" if expected else ""), "dim")
        row.append("  is being loaded" + (f", {show_bytes(model.size_bytes)}" if model.size_bytes else ""), "dim")
        row.truncate(width, overflow="ellipsis")
        return row

    def _row(self, step: StepState, frame: str, now: float, width: int, models: int) -> Text:
        stream = self._streams.get(step.id, _Stream())
        elapsed = show_seconds(now - self._begun.get(step.id, now))
        facts = [
            pad(_model(step), models) if models else "",
            f"round {step.round}" if step.round and width >= 45 else "",
            f"attempt {step.attempt}" if step.attempt > 1 else "",
            stream.rate(now),
        ]
        row = Text.assemble((f" {frame} ", "cyan"), (pad(one_line(step.id), self._names()), "bold"))
        row.append(f"  {elapsed:>5}", "dim")
        for fact in filter(None, facts):
            row.append(f"  {fact}")
        room = width - row.cell_len - 2
        if room >= 8:
            row.append("  ").append(self._doing(step, stream, room), "dim")
        row.rstrip()
        row.truncate(width, overflow="ellipsis")
        return row

    def _doing(self, step: StepState, stream: _Stream, room: int) -> str:
        """What the step is at right now: its tools, else the end of what its model says."""
        if step.calls:
            return fit(one_line(", ".join(dict.fromkeys(step.calls.values()))), room)
        if stream.tail:
            return fit_tail(one_line(stream.tail), room)
        model = self._state.model_of(step)
        if model is not None and model.status == "loading":
            return fit("waiting for its model to load", room)
        return fit("waiting for the model", room) if stream.asked else ""

    def _summary(self, now: float) -> str:
        state = self._state
        steps = tuple(state.steps.values())
        counts = [f"{sum(step.finished for step in steps)} of {len(steps)} steps done"]
        failed = sum(step.status == "failed" for step in steps)
        if failed:
            counts.append(f"{failed} failed")
        total = state.usage.total
        if total:
            counts.append(show_tokens(total))
        since = now - self._begun.get("", now)
        if (
            since >= _LONG and all(step.status == "waiting" for step in steps) and not self._loading
        ):  # nothing else takes so long
            counts.append("waiting for tool servers")
        elapsed = show_seconds(since)
        return f" {one_line(state.workflow)}  {', '.join(counts)}, {elapsed}"

    @property
    def _loading(self) -> tuple[ModelState, ...]:
        return tuple(model for model in tuple(self._state.models.values()) if model.status == "loading")

    def _names(self) -> int:
        return min(max((len(step) for step in tuple(self._state.steps)), default=0), 24)


def _model(step: StepState) -> str:
    return fit(one_line(step.model or step.kind or ""), 32)


def _mild(mood: Mood) -> str:
    return "" if mood == "good" else _STYLES[mood].removeprefix("bold ")
