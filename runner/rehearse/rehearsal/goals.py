"""What a rehearsal is to see: every step at work, and every way that a step may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from runner.execute.step import UNWANTED
from runner.record.events import ApprovalAnswered, StepFinished, StepRepeated, StepStarted
from runner.record.parts import unit_of, without_indices
from runner.record.wire import Entry
from runner.rehearse.rehearsal.value import least, made_up
from runner.rehearse.scripted import steps_below
from runner.words.noun import noun
from runner.workflow.fan_out import ForEach
from runner.workflow.model import ApproveWork, CallWork, Step, Workflow

Way = Literal["runs", "skipped", "some items", "no items", "choice", "at once", "after a round", "fails", "least"]


@noun
class Goal:
    """One thing to see of the step at ``path``; ``choice`` is that of a question."""

    path: str
    way: Way
    choice: str = ""

    @property
    def label(self) -> str:
        """In words, for a report."""
        return _LABELS[self.way].format(self.choice)


_LABELS: dict[Way, str] = {
    "runs": "runs",
    "skipped": "`when` false",
    "some items": "some items",
    "no items": "no items",
    "choice": "answer {}",
    "at once": "`until` at once",
    "after a round": "`until` after a round",
    "fails": "it fails",
    "least": "only what `output` requires",
}


def goals_of(workflow: Workflow) -> tuple[Goal, ...]:
    """Everything to see, in the order of the file; below a call what the called file has."""
    return tuple(goal for path, step, file in steps_below(workflow) for goal in _goals(path, step, file))


def _goals(path: str, step: Step, file: Workflow) -> Iterator[Goal]:
    yield Goal(path=path, way="runs")
    if step.when is not None and step.when not in ("true", "false"):
        yield Goal(path=path, way="skipped")
    if step.fan_out is not None and isinstance(step.fan_out.over, ForEach) and isinstance(step.fan_out.over.items, str):
        yield Goal(path=path, way="some items")
        yield Goal(path=path, way="no items")
    if isinstance(step.work, ApproveWork):
        yield from (Goal(path=path, way="choice", choice=choice) for choice in step.work.choices)
    if step.repeat is not None:
        yield Goal(path=path, way="at once")
        if step.repeat.most > 1:
            yield Goal(path=path, way="after a round")
    if not isinstance(step.work, ApproveWork) and _failure_matters(step, file):
        yield Goal(path=path, way="fails")
    if not isinstance(step.work, CallWork | ApproveWork) and _has_least(step):
        yield Goal(path=path, way="least")


def _failure_matters(step: Step, file: Workflow) -> bool:
    """Whether the file says what is to happen when the step fails."""
    goes_on = any(step.id in other.needs and other.join in ("any_succeeded", "all_finished") for other in file.steps)
    return step.on_error.do != "fail" or goes_on


def _has_least(step: Step) -> bool:
    if step.output_schema is None:
        return False
    usual = next(iter(made_up(step.output_schema, step.id)), None)
    return usual is not None and bool(least(step.output_schema, usual) != usual)


def goals_seen(entries: Iterable[Entry]) -> set[Goal]:
    """What a walk has shown, from its journal. ``least`` shows in no journal: whoever cued it knows."""
    seen: set[Goal] = set()
    rounds: set[str] = set()
    for entry in entries:
        event = entry.event
        path = without_indices(unit_of(event) or "")
        if isinstance(event, StepStarted):
            ways: tuple[Way, ...] = ("runs",) if event.items is None else ("some items" if event.items else "no items",)
            seen |= {Goal(path=path, way=way) for way in ways}
        elif isinstance(event, ApprovalAnswered):
            seen.add(Goal(path=path, way="choice", choice=event.choice))
        elif isinstance(event, StepRepeated):
            rounds.add(unit_of(event) or "")
        elif isinstance(event, StepFinished):
            seen |= {Goal(path=path, way=way) for way in _ways_of_end(event, unit_of(event) in rounds)}
    return seen


def _ways_of_end(event: StepFinished, was_repeated: bool) -> Iterator[Way]:  # noqa: FBT001  a fact, not an option
    if event.status == "skipped" and event.reason == UNWANTED:
        yield "skipped"
    if event.status in ("failed", "recovered"):
        yield "fails"
    if event.status == "succeeded":
        yield "after a round" if was_repeated else "at once"
