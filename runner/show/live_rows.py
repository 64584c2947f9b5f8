"""The rows of the live picture: models that load, questions that stand, steps at work, and how far the run is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from rich.text import Text

from runner.chat.messages import Delta
from runner.record.events import (
    ModelAnswered,
    ModelAsked,
    ModelFellBack,
    ModelLoadStarted,
    RunResumed,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
)
from runner.record.model_state import ModelKey, ModelState, expected_seconds
from runner.record.parts import parent_of, unit_of
from runner.record.state import RunState
from runner.record.step_state import StepState
from runner.record.wire import Entry
from runner.show.cell import fit, fit_tail, one_line, pad
from runner.show.cell import width as cell_width
from runner.show.crowd import LONGEST_NAME, also, short_name
from runner.show.sentence import show_choices, show_tokens
from runner.words.units import show_bytes, show_seconds

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_ASCII = "|/-\\"
FRAMES_A_SECOND = 8
_TAIL = 400  # characters of an answer that are kept to show its end
_LONG = 1.0  # seconds without a step, after which the picture says what it waits for
_QUESTIONS = 3  # of more open questions than this, the rest is counted


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

    def rate(self, now: float) -> float:
        """Pieces a second; 0 as long as it is too early to say."""
        if self.first is None or now - self.first < 0.5:
            return 0.0
        return self.pieces / (now - self.first)


_NOTHING = _Stream()


@dataclass(slots=True, kw_only=True)
class Rows:
    """What the picture shows of a run; ``begun`` are moments of the clock whose readings are given as ``now``."""

    frames: str = FRAMES
    state: RunState = field(default_factory=RunState)
    streams: dict[str, _Stream] = field(default_factory=dict)
    begun: dict[str | ModelKey, float] = field(default_factory=dict)

    def note(self, entry: Entry, now: float) -> None:
        """Take a fact into account."""
        event = entry.event
        self.state.apply(entry)
        unit = unit_of(event)
        if isinstance(event, RunStarted | RunResumed):
            self.begun[""] = now
        elif isinstance(event, ModelLoadStarted):
            self.begun[event.endpoint, event.model] = now
        elif unit is None:
            return
        elif isinstance(event, StepStarted) and parent_of(unit) is None:
            self.begun[unit] = now
        elif isinstance(event, ModelAsked):
            self.streams[unit] = _Stream(asked=True)
        elif isinstance(event, ModelAnswered | ModelFellBack | StepRetried | StepFinished):
            self.streams.pop(unit, None)

    def say(self, unit: str, delta: Delta, now: float) -> None:
        """Count a piece of an answer and keep its end."""
        self.streams.setdefault(unit, _Stream()).add(delta.text, now)

    @property
    def names(self) -> int:
        """The cells of the column of names."""
        return min(max((len(step) for step in tuple(self.state.steps)), default=0), LONGEST_NAME)

    def rows(self, width: int, height: int, now: float) -> Iterator[Text]:
        """At most ``height`` rows of at most ``width`` cells."""
        frame = self.frames[int(now * FRAMES_A_SECOND) % len(self.frames)]
        loading = self._loading[: max(height - 2, 0)]
        height -= len(loading)
        for model in loading:
            yield self._loading_row(model, frame, now, width)
        asked = list(self._questions(width))[: max(height - 2, 0)]
        height -= len(asked)
        yield from asked
        running = tuple(step for step in self.state.running if step.question is None)
        shown = running if len(running) < height else running[: max(height - 2, 0)]
        models = max((cell_width(_model(step)) for step in shown), default=0) if width >= 55 else 0
        if any(step.has_parts for step in shown):  # how many are done is worth more than the end of a model's name
            models = min(models, max(width // 4, 12))
        for step in shown:
            yield self._row(step, frame, now, width, models)
        if len(shown) < len(running) and height > 1:
            yield Text(fit(f"   and {len(running) - len(shown)} more at work", width), style="dim")
        yield Text(fit(self._summary(now), width), style="bold")

    def _loading_row(self, model: ModelState, frame: str, now: float, width: int) -> Text:
        elapsed = show_seconds(now - self.begun.get((model.endpoint, model.model), now))
        expected = expected_seconds(self.state.models, model)
        row = Text.assemble((f" {frame} ", "cyan"), (pad(one_line(model.model), self.names), "bold"))
        row.append(f"  {elapsed:>5}" + (f" of about {show_seconds(expected)}" if expected else ""), "dim")
        row.append("  is being loaded" + (f", {show_bytes(model.size_bytes)}" if model.size_bytes else ""), "dim")
        row.truncate(width, overflow="ellipsis")
        return row

    def _questions(self, width: int) -> Iterator[Text]:
        asking = self.state.asking
        for step in map(self.state.unit, islice(asking, _QUESTIONS)):
            assert step.question is not None
            row = Text.assemble((" ? ", "bold yellow"), (pad(short_name(step.id), self.names), "bold"))
            row.append(f"  {one_line(step.question.question)} ({one_line(show_choices(step.question))})", "yellow")
            row.truncate(width, overflow="ellipsis")
            yield row
        if len(asking) > _QUESTIONS:
            yield Text(fit(f"   and {len(asking) - _QUESTIONS:,} more questions", width), style="yellow")

    def _row(self, step: StepState, frame: str, now: float, width: int, models: int) -> Text:
        elapsed = show_seconds(now - self.begun.get(step.id, now))
        facts = [
            pad(fit(_model(step), models), models) if models else "",
            self._parts(step),
            f"repeat {step.repeats}" if step.repeats else "",
            f"round {step.round}" if step.round and width >= 45 else "",
            f"attempt {step.attempt}" if step.attempt > 1 and not step.repeats else "",
            self._rate(step, now),
        ]
        row = Text.assemble((f" {frame} ", "cyan"), (pad(one_line(step.id), self.names), "bold"))
        row.append(f"  {elapsed:>5}", "dim")
        for fact in filter(None, facts):
            row.append(f"  {fact}")
        room = width - row.cell_len - 2
        if room >= 8:
            row.append("  ").append(self._doing(step, room), "dim")
        row.rstrip()
        row.truncate(width, overflow="ellipsis")
        return row

    def _parts(self, step: StepState) -> str:
        """``120/5,000 items, 3 failed, 4 at work``; ``1/3 steps``."""
        tally = self.state.tally(step.id)
        if tally is None:
            return ""
        if step.items is None:
            return f"{tally.done:,}/{tally.total:,} steps" + also(failed=tally.failed)
        done = f"{tally.done:,}/{tally.total:,} items"
        return done + also(failed=tally.failed, skipped=tally.skipped, at_work=tally.running)

    def _rate(self, step: StepState, now: float) -> str:
        """Of a step with parts the tokens a second of all of them."""
        below = (f"{step.id}[", f"{step.id}/")
        mine = (stream for unit, stream in self.streams.items() if unit == step.id or unit.startswith(below))
        rate = sum(stream.rate(now) for stream in mine)
        return f"{rate:.0f} tok/s" if rate else ""

    def _doing(self, step: StepState, room: int) -> str:
        """What the step is at right now; of one with parts, what the freshest of them is at."""
        leaf = self.state.freshest(step.id)
        if leaf.id == step.id:
            return self._at(step, room)
        name = leaf.id[len(step.id) :].removeprefix("/")
        return fit(f"{name} {self._at(leaf, max(room - cell_width(name) - 1, 0))}".rstrip(), room)

    def _at(self, step: StepState, room: int) -> str:
        """Its tools, else the end of what its model says."""
        stream = self.streams.get(step.id, _NOTHING)
        if step.calls:
            return fit(one_line(", ".join(dict.fromkeys(step.calls.values()))), room)
        if stream.tail:
            return fit_tail(one_line(stream.tail), room)
        model = self.state.model_of(step)
        if model is not None and model.status == "loading":
            return fit("waiting for its model to load", room)
        return fit("waiting for the model", room) if stream.asked else ""

    def _summary(self, now: float) -> str:
        steps = tuple(self.state.steps.values())
        counts = f"{sum(step.finished for step in steps)} of {len(steps)} steps done"
        counts += also(failed=sum(step.status == "failed" for step in steps))
        questions, total = len(self.state.asking), self.state.usage.total
        if questions:
            counts += f", waiting for {questions:,} answer" + "s" * (questions != 1)
        if total:
            counts += f", {show_tokens(total)}"
        since = now - self.begun.get("", now)
        idle = all(step.status == "waiting" for step in steps) and not self._loading
        if since >= _LONG and idle:  # nothing else takes so long
            counts += ", waiting for tool servers"
        return f" {one_line(self.state.workflow)}  {counts}, {show_seconds(since)}"

    @property
    def _loading(self) -> tuple[ModelState, ...]:
        return tuple(model for model in tuple(self.state.models.values()) if model.status == "loading")


def _model(step: StepState) -> str:
    return fit(one_line(step.model or step.kind or ""), 32)
