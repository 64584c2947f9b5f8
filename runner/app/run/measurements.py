"""What a run measures on its way, for the forecasts of later runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.plan.plan import Plan
from runner.record.events import ModelAsked, ModelLoaded, StepFinished
from runner.record.parts import unit_of
from runner.record.step_state import unix_seconds
from runner.record.wire import Entry


class Measurements:
    """A listener of a journal. Seconds of a step with a model count from its first question: the load before it, and
    the wait for its turn, are not its own.
    """

    def __init__(self, plan: Plan) -> None:
        self._names = dict(_names(plan, ""))
        self._asked: dict[str, float] = {}
        self._loads: dict[tuple[str, str], float] = {}
        self._units: dict[str, list[float]] = {}

    def entry(self, entry: Entry) -> None:
        """Take the fact into account."""
        event = entry.event
        if isinstance(event, ModelLoaded) and not event.reused:
            self._loads[event.endpoint, event.model] = event.seconds
        elif isinstance(event, ModelAsked):
            self._asked.setdefault(str(unit_of(event)), unix_seconds(entry.at))
        elif isinstance(event, StepFinished) and event.status == "succeeded" and event.attempts:
            asked = self._asked.pop(str(unit_of(event)), None)
            name = self._names.get((_plain(event.step), event.item is not None))
            if name is not None:
                seconds = event.seconds if asked is None else unix_seconds(entry.at) - asked
                self._units.setdefault(name, []).append(seconds)

    @property
    def loads(self) -> Mapping[tuple[str, str], float]:
        """Seconds that the last load of each model took, by ``(endpoint, model)``."""
        return self._loads

    @property
    def steps(self) -> Mapping[str, float]:
        """Mean seconds of a unit of each step, by ``workflow/step``."""
        return {name: sum(seconds) / len(seconds) for name, seconds in self._units.items()}


def _names(plan: Plan, before: str) -> Iterator[tuple[tuple[str, bool], str]]:
    """``workflow/step`` by the step's place in the run without indices, and whether it is an item that counts."""
    for planned in plan.steps:
        own = before + planned.step.id
        if planned.callee is None:
            yield (own, planned.step.fan_out is not None), f"{plan.workflow.name}/{planned.step.id}"
        for row in planned.rows or (planned,):
            if row.callee is not None:
                yield from _names(row.callee, f"{own}/")


def _plain(step: str) -> str:
    """``call[3]/draft`` → ``call/draft``."""
    return "/".join(part.partition("[")[0] for part in step.split("/"))
