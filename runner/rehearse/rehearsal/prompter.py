"""The prompter of a rehearsal: knows which unit is at work, and gives it its next line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from runner.record.events import CommandRan, StepRepeated, StepRetried, StepStarted
from runner.record.parts import unit_of, without_indices
from runner.record.wire import Entry
from runner.rehearse.rehearsal.hints import hints_of, satisfies
from runner.rehearse.rehearsal.value import Hints, made_up
from runner.rehearse.scripted import NO_STUBS, Reply, Stubs, steps_below
from runner.workflow.model import ApproveWork, CallWork, RunWork, Step, TaskWork, Workflow

_AT_WORK: ContextVar[str] = ContextVar("unit at work in a rehearsal", default="")
INJECTED = "a failure that the rehearsal plays"
"""Stands in the message of every failure that no stub asked for, so that it is told from a fault of the workflow."""
Cues = Mapping[str, tuple[Reply, ...]]
"""What units answer in one walk, by the path of their step; the last reply stays."""


class Prompter:
    """The lines of one workflow. The cues of a walk go before the stubs, and these before what is made up.

    ``used`` collects the stubs that were asked for, ``missing`` the steps for which nothing could be made up.
    """

    def __init__(self, workflow: Workflow, stubs: Stubs = NO_STUBS) -> None:
        self.steps: Mapping[str, Step] = {name: step for name, step, _ in steps_below(workflow)}
        self.stubs = stubs
        self.used: set[str] = set()
        self.missing: dict[str, None] = {}
        self._files = {name: file for name, _, file in steps_below(workflow)}
        self._options: dict[str, tuple[Any, ...]] = {}
        self._cues: Cues = {}
        self._asked: dict[str, int] = {}
        self._command_next: set[str] = set()

    def begin(self, cues: Cues) -> None:
        """A walk begins; nothing was said in it yet."""
        self._cues = cues
        self._asked = {}
        self._command_next = set()

    def entry(self, entry: Entry) -> None:
        """Hear the journal, in the task of the unit that wrote it: whoever asks next in that task is this unit."""
        event = entry.event
        unit = unit_of(event)
        if unit is None:
            return
        _AT_WORK.set(unit)
        if isinstance(event, StepStarted | StepRetried | StepRepeated):
            self._command_next.add(unit)
        elif isinstance(event, CommandRan):
            self._command_next.discard(unit)

    @property
    def at_work(self) -> str:
        """The unit that asks."""
        return _AT_WORK.get()

    def step_of(self, unit: str) -> Step:
        """The step that a unit is of."""
        return self.steps[without_indices(unit)]

    def asks_for_work(self, unit: str) -> bool:
        """Whether the next command of the unit is its own; every other one judges what was done."""
        return isinstance(self.step_of(unit).work, RunWork) and unit in self._command_next

    def reply(self, unit: str) -> Reply:
        """The next line of a unit."""
        count = self._asked[unit] = self._asked.get(unit, -1) + 1
        path = without_indices(unit)
        if path in self._cues:
            return _nth(self._cues[path], count)  # each item goes the same rounds
        name = self.stubs.name_for(unit)
        if name is not None:
            self.used.add(name)
            return _nth(self.stubs.of[name].replies, _place(unit, name, count))
        options = self.options(path)
        if not options:
            self.missing[path] = None
            return Reply(fails="invalid_output", message="no answer fits its `output` that could be made up")
        return Reply(value=options[0])

    def options(self, path: str) -> tuple[Any, ...]:
        """Every value that the step of that path might answer with, the most usual first; none for a call."""
        if path not in self._options:
            stub = self.stubs.of.get(path)
            written = [reply.value for reply in stub.replies if reply.fails is None] if stub is not None else []
            made = [value for value in self._made_up(path) if value not in written]
            self._options[path] = (*written, *made)
        return self._options[path]

    def _made_up(self, path: str) -> Iterator[Any]:
        step, file = self.steps[path], self._files[path]
        work = step.work
        if isinstance(work, CallWork):
            return
        if isinstance(work, ApproveWork):
            yield from work.choices
            return
        hints = hints_of(file, step)
        if step.output_schema is not None:
            values = made_up(step.output_schema, step.id, hints)
        elif isinstance(work, RunWork) and work.parse_json:
            values = made_up({"type": ["object", "array", "string"]}, step.id, hints)
        else:
            usual = f"[answer of {step.id}]" if isinstance(work, TaskWork) else f"[output of {step.id}]"
            values = tuple(dict.fromkeys(_texts(usual, hints)))
        yield from sorted(values, key=lambda value: not satisfies(step, value))


def _texts(usual: str, hints: Hints) -> Iterator[str]:
    """Texts that are one of what they are compared with, begin with it, end with it, are as long, or empty."""
    yield usual
    yield from hints.texts
    yield from (f"{text} {usual}" for text in hints.texts)
    yield from (f"{usual} {text}" for text in hints.texts)
    yield from ("x" * length for length in _lengths(hints.numbers))
    yield ""


def _lengths(numbers: tuple[float, ...]) -> Iterator[int]:
    """Lengths of texts on both sides of what one is compared with."""
    for number in numbers:
        if 0 < number <= 10_000 and float(number).is_integer():
            yield from (int(number), int(number) + 1)


def _nth(replies: tuple[Reply, ...], place: int) -> Reply:
    return replies[min(place, len(replies) - 1)]


def _place(unit: str, name: str, count: int) -> int:
    """Which of several replies: by the last index of the unit that its stub's name leaves open, else by ``count``."""
    pairs = zip(unit.split("/"), name.split("/"), strict=True)
    left = [one for one, said in pairs if one.endswith("]") and not said.endswith("]")]
    return int(left[-1][left[-1].rindex("[") + 1 : -1]) if left else count
