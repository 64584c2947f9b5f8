"""What all steps of a run share while it is carried out: turns, answers, and what an earlier session has done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field

from runner.chat.messages import Usage
from runner.execute.halt import Halt
from runner.execute.questions import Answers
from runner.execute.stays import Work
from runner.execute.turns import Cap, Strand, Turns
from runner.execute.world import World
from runner.plan.agenda import Group
from runner.plan.plan import Plan, PlannedStep
from runner.record.events import StepFinished
from runner.record.seeds import Seeds
from runner.words.noun import noun


class Paused(Exception):  # noqa: N818 - not an error: a step waits for a person
    """A step waits for an answer that nobody can give now; what does not depend on it goes on."""


class CalledOff(Exception):  # noqa: N818 - not an error: the work was stopped
    """What a step called was stopped before its end."""


@noun
class FlowEnd:
    """How the steps of a file have ended, by id; ``paused`` are those that wait for answers, and what needs them."""

    finished: Mapping[str, StepFinished]
    paused: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[StepFinished, ...]:
        """The failures that nothing tolerates, in file order."""
        return tuple(end for end in self.finished.values() if end.status == "failed" and not end.tolerated)

    @property
    def usage(self) -> Usage:
        """Tokens of all steps together."""
        return sum((end.usage for end in self.finished.values()), Usage())


@noun
class Hall:
    """``seeds`` are the ends of what earlier goes have done: it is not done again.

    ``follow`` carries out the plan of a called file, as it is seen from the unit that calls it.
    """

    turns: Turns
    work: Work
    answers: Answers
    follow: Callable[[Hall, World, Plan, Unit], Awaitable[FlowEnd]]
    seeds: Seeds = field(default_factory=Seeds)


@noun
class Unit:
    """One piece of work: a step, or an item of one, and where it stands in the run.

    ``group`` as in the agenda, ``order`` its place among the units of the group, ``cap`` the bound it counts for,
    ``halt`` calls it off, ``strand`` is its line of work.
    """

    planned: PlannedStep
    group: Group
    order: tuple[int, ...]
    cap: Cap | None
    halt: Halt
    strand: Strand
    item: int | None = None
