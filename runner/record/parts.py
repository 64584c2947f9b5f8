"""The parts of a step: the items of a fan-out, the steps of a called workflow; what each is named, how many stand how.

Every part is a unit with a name of its own: ``fix[3]`` is an item, ``call/draft`` a step of a called workflow,
``call[3]/draft[1]`` an item of a step that the fourth item of ``call`` calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.words.noun import noun
from runner.workflow.model import CallWork, Workflow

_INDEX = re.compile(r"\[[0-9]+\]")


def unit_of(event: Any) -> str | None:
    """The unit that an event is about: its step, with the index of its item; None for events of the run."""
    step: str | None = getattr(event, "step", None)
    return step if step is None or event.item is None else f"{step}[{event.item}]"


def units_of(workflow: Workflow, before: str = "") -> Iterator[str]:
    """The ids of all steps in file order, those of a called workflow after the call: ``call``, ``call/draft``."""
    for step in workflow.steps:
        yield before + step.id
        if isinstance(step.work, CallWork):
            yield from units_of(step.work.callee, f"{before}{step.id}/")


def without_indices(unit: str) -> str:
    """``call[3]/fix[0]`` → ``call/fix``."""
    return _INDEX.sub("", unit)


def covers(name: str, unit: str) -> bool:
    """Whether a unit is the one that a person names, or a part of it. A step without an index is all of its items, also
    above others: ``call/draft`` covers ``call[3]/draft``.
    """
    named, parts = name.split("/"), unit.split("/")
    return len(named) <= len(parts) and all(
        said in (part, without_indices(part)) for said, part in zip(named, parts, strict=False)
    )


def parent_of(unit: str) -> str | None:
    """The unit that this one is a part of; None for a step of the file."""
    if unit.endswith("]"):
        return unit[: unit.rindex("[")]
    return unit.rpartition("/")[0] or None


def item_of(unit: str) -> int | None:
    """The index of an item; None for other units."""
    return int(unit[unit.rindex("[") + 1 : -1]) if unit.endswith("]") else None


@noun
class Tally:
    """How the parts of a step stand. ``done`` is the number of finished ones, ``failed`` and ``skipped`` among them."""

    total: int
    done: int
    failed: int
    skipped: int
    running: int


@dataclass(slots=True)
class Parts:
    """The parts of one step that were heard of, counted by status so that nobody has to walk them.

    ``running`` are those at work, the one that did something last at the end.
    """

    units: dict[str, None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    running: dict[str, None] = field(default_factory=dict)

    def note(self, unit: str, before: str, after: str) -> None:
        """A part did something, and went from one status to another, or not."""
        if unit not in self.units:
            self.units[unit] = None
            self.counts[after] = self.counts.get(after, 0) + 1
        elif before != after:
            self.counts[before] -= 1
            self.counts[after] = self.counts.get(after, 0) + 1
        self.running.pop(unit, None)
        if after == "running":
            self.running[unit] = None

    def tally(self, total: int) -> Tally:
        """The counts; of ``total`` parts some may not have been heard of."""
        failed, skipped = self.counts.get("failed", 0), self.counts.get("skipped", 0)
        waiting, running = self.counts.get("waiting", 0), self.counts.get("running", 0)
        done = len(self.units) - waiting - running
        return Tally(total=max(total, len(self.units)), done=done, failed=failed, skipped=skipped, running=running)
