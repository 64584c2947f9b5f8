"""How a run stands, step by step, with the parts of steps; every entry costs the same, however many items there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from runner.chat.messages import Usage
from runner.record.events import (
    NO_USAGE,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    StepRepeated,
    StepRetried,
    StepStarted,
    ToolServerDied,
    ToolServerStarted,
)
from runner.record.model_state import ModelKey, ModelState, after
from runner.record.parts import Parts, Tally, item_of, parent_of, unit_of
from runner.record.step_state import StepState, renewed, step_after, unix_seconds
from runner.record.wire import Entry


@dataclass(slots=True, kw_only=True)
class RunState:
    """How a run stands; grows with every entry that is applied.

    ``steps`` are those of the file, in its order; ``parts`` are items and steps of called workflows by unit
    (``fix[3]``, ``call/draft``), ``families`` says which of them belong to which unit. ``seconds`` are those of all
    goes that ended, ``last_at`` is the time of the latest entry, as the entry says it.
    """

    run: str = ""
    workflow: str = ""
    file: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    status: RunStatus | Literal["waiting", "running"] = "waiting"
    exit_code: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    started_at: float | None = None
    last_at: str = ""
    seconds: float = 0.0
    steps: dict[str, StepState] = field(default_factory=dict)
    parts: dict[str, StepState] = field(default_factory=dict)
    families: dict[str, Parts] = field(default_factory=dict)
    servers: dict[str, ToolServerStarted] = field(default_factory=dict)
    models: dict[ModelKey, ModelState] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    asking: dict[str, None] = field(default_factory=dict)
    callees: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of the steps that a step calls, in the order of their file."""

    @property
    def usage(self) -> Usage:
        """Tokens of all steps together."""
        return _total(self.steps.values())

    @property
    def running(self) -> tuple[StepState, ...]:
        """The steps of the file that are at work, in its order."""
        return tuple(step for step in tuple(self.steps.values()) if step.status == "running")

    @property
    def questions(self) -> tuple[StepState, ...]:
        """The units whose question nobody has answered yet, in the order of the file and of its items."""
        return tuple(self.unit(unit) for unit in sorted(self.asking, key=self._place))

    @property
    def so_far(self) -> float:
        """Seconds of work up to the latest entry, in all goes."""
        if self.status != "running" or self.started_at is None:
            return self.seconds
        return self.seconds + max(0.0, unix_seconds(self.last_at) - self.started_at)

    def apply(self, entry: Entry) -> None:
        """Take one more fact into account."""
        event = entry.event
        if isinstance(event, RunResumed):
            self._resume(entry)
        self.last_at = entry.at
        if (unit := unit_of(event)) is not None:
            self._work(unit, entry)
        elif isinstance(event, RunStarted):
            self._start(event, entry)
        elif isinstance(event, RunFinished):
            self._finish(event)
        elif isinstance(event, ToolServerStarted):
            self.servers[event.server] = event
        elif isinstance(event, ToolServerDied):
            then = "it was started again" if event.restarted else "it was not started again"
            self.warnings += (f"tool server `{event.server}` died: {event.message}; {then}",)
        elif (model := after(self.models, event)) is not None:
            self.models[(model.endpoint, model.model)] = model

    def unit(self, unit: str) -> StepState:
        """How a unit stands; one that nothing was heard of waits."""
        found = self.steps.get(unit) if parent_of(unit) is None else self.parts.get(unit)
        return found or StepState(id=unit)

    def model_of(self, step: StepState) -> ModelState | None:
        """How the model of a step stands; None if it has none, or its server loads models as it likes."""
        for model in tuple(self.models.values()):
            if model.endpoint == step.endpoint and step.model in (model.model, model.instance):
                return model
        return None

    def called_by(self, unit: str) -> tuple[str, ...]:
        """The steps of the workflow that a unit calls, in the order of their file; none where it calls none."""
        known = tuple(f"{unit}/{step}" for step in self.callees.get(self._group(unit), ()))
        heard = self.families[unit].units if unit in self.families else {}
        return known + tuple(one for one in heard if one not in known and not one.endswith("]"))

    def tally(self, unit: str) -> Tally | None:
        """How the parts of a unit stand; None for one without."""
        step, family = self.unit(unit), self.families.get(unit, Parts())
        if step.items is not None:
            return family.tally(step.items)
        return family.tally(len(self.called_by(unit))) if step.kind == "workflow" else None

    def freshest(self, unit: str) -> StepState:
        """Of all that is at work below a unit, what did something last; the unit itself if nothing is."""
        while (family := self.families.get(unit)) is not None and family.running:
            unit = next(reversed(family.running))
        return self.unit(unit)

    def _start(self, event: RunStarted, entry: Entry) -> None:
        self.run, self.workflow, self.file, self.inputs = entry.run, event.workflow, event.file, event.inputs
        self.status, self.started_at = "running", unix_seconds(entry.at)
        for step_id in event.steps:
            caller, _, name = step_id.rpartition("/")
            if caller:
                self.callees[caller] = (*self.callees.get(caller, ()), name)
                continue
            model = event.models.get(step_id, {})
            self.steps[step_id] = StepState(id=step_id, model=model.get("model"), endpoint=model.get("endpoint"))

    def _finish(self, event: RunFinished) -> None:
        self.status, self.exit_code = event.status, event.exit_code
        self.outputs, self.error = event.outputs, event.error
        self.seconds += event.seconds

    def _resume(self, entry: Entry) -> None:
        """What is finished stays, all else begins anew, as if the run had never stopped."""
        self.seconds = self.so_far
        self.status, self.exit_code, self.outputs, self.error = "running", None, {}, None
        self.started_at = unix_seconds(entry.at)
        self.asking.clear()
        for unit in self.steps:
            self._renew(unit)

    def _renew(self, unit: str) -> StepState:
        """What stays of the unit: itself, or those of its parts that do."""
        step = self.unit(unit)
        if step.stays:
            return step
        family = self.families.pop(unit, Parts())
        spent = _total(map(self.unit, family.units))
        kept = [one for one in map(self._renew, family.units) if one.stays or one.id in self.families]
        for part in set(family.units) - {one.id for one in kept}:
            self.parts.pop(part, None)
        for one in kept:
            self.families.setdefault(unit, Parts()).note(one.id, "", one.status)
        # What it used beyond its parts was used by those of earlier rounds, which are not done again.
        earlier = _more(spent, step.usage) if step.has_parts else NO_USAGE
        step = renewed(step, earlier + _total(kept))
        self._put(step)
        return step

    def _work(self, unit: str, entry: Entry) -> None:
        event, known = entry.event, self.unit(unit)
        before = known
        if isinstance(event, StepRetried) or (isinstance(event, StepRepeated) and event.number > known.passed):
            self._forget(unit)
        elif isinstance(event, StepStarted):
            if known.finished:  # it stayed when the run was resumed, but what it needs did not
                self._forget(unit)
                before = renewed(known, NO_USAGE)
            before = replace(before, usage=_more(self._trimmed(unit, event.items), before.usage))
        step = step_after(before, entry)
        self._put(step)
        if step.question is not None:
            self.asking[unit] = None
        else:
            self.asking.pop(unit, None)
        self._pass_up(known, step)

    def _put(self, step: StepState) -> None:
        (self.steps if parent_of(step.id) is None else self.parts)[step.id] = step

    def _pass_up(self, before: StepState, step: StepState) -> None:
        """Tell every step that this one is a part of: what stands how, who is at work, and what it used."""
        spent = None if step.usage == before.usage else _more(before.usage, step.usage)
        unit, old, new = step.id, before.status, step.status
        while (parent := parent_of(unit)) is not None:
            self.families.setdefault(parent, Parts()).note(unit, old, new)
            above = self.unit(parent)
            if spent is not None:
                self._put(replace(above, usage=above.usage + spent))
            unit, old, new = parent, above.status, above.status

    def _forget(self, unit: str) -> None:
        """Its work is done again from the start; what its parts used before stays with it."""
        for part in self.families.pop(unit, Parts()).units:
            self._forget(part)
            self.parts.pop(part, None)
            self.asking.pop(part, None)

    def _trimmed(self, unit: str, items: int | None) -> Usage:
        """Forget the items that a fan-out had before the run was resumed, and has no more; what they had used."""
        family = self.families.get(unit)
        if family is None or items is None or len(family.units) <= items:
            return NO_USAGE
        kept = [part for part in family.units if (item_of(part) or 0) < items]
        gone = family.units.keys() - kept
        spent = _total(map(self.unit, gone))
        for part in gone:
            self._forget(part)
            self.parts.pop(part, None)
        self.families[unit] = Parts()
        for part in kept:
            self.families[unit].note(part, "", self.unit(part).status)
        return spent

    def _group(self, unit: str) -> str:
        """The name under which ``callees`` knows a unit: indices are told apart only where callees differ."""
        group = ""
        for segment in unit.split("/"):
            group = f"{group}/{segment}" if group else segment
            if group not in self.callees and item_of(group) is not None:
                group = group[: group.rindex("[")]
        return group

    def _place(self, unit: str) -> tuple[tuple[int, str, int], ...]:
        """Where a unit stands: for each step on the way to it the position in its file, its id, and the item."""
        return tuple(self._places(unit))

    def _places(self, unit: str) -> Iterator[tuple[int, str, int]]:
        above = ""
        for segment in unit.split("/"):
            name, _, index = segment.partition("[")
            siblings = self.called_by(above) if above else tuple(self.steps)
            path = f"{above}/{name}" if above else name
            yield siblings.index(path) if path in siblings else len(siblings), name, int(index[:-1] or -1)
            above = f"{above}/{segment}" if above else segment


def _total(steps: Iterable[StepState]) -> Usage:
    return sum((step.usage for step in steps), NO_USAGE)


def _more(before: Usage, after: Usage) -> Usage:
    return Usage(
        after.prompt_tokens - before.prompt_tokens,
        after.completion_tokens - before.completion_tokens,
        after.reasoning_tokens - before.reasoning_tokens,
        after.cached_tokens - before.cached_tokens,
    )
