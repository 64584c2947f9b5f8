"""What is to be scheduled: groups of equal units, what they wait for, and the models that must be loaded for them."""

from __future__ import annotations

from collections.abc import Mapping

from runner.plan.agenda import Group, LoadEstimate, Room
from runner.words.noun import noun


@noun
class Load:
    """A model that the run loads, or has loaded, on the server of that index."""

    server: int
    name: str
    seconds: float


@noun
class Turn:
    """A unit of work in a sequence: its model, by index, None if nothing is loaded for it."""

    model: int | None
    seconds: float


@noun
class Round:
    """Turns that pass one after the other, so many times."""

    times: int
    turns: tuple[Turn | Round, ...]


@noun
class Need:
    """A job that must be over. Of jobs in the same fan-outs, only the same item of it: ``items`` are those in common.

    With 10 items in common, 10 units of the one and 50 of the other, the units 0 to 4 need the unit 0. 1 = all of it.
    """

    job: int
    items: int = 1


@noun
class Job:
    """All work of a group: ``units`` that take ``seconds`` each. ``caps`` are indexes of bounds that it shares.

    Groups of a call whose items pass one by one are one job with one unit; ``turns`` are what it does then, which
    matters where its ``models`` do not fit together. ``answers`` is then the model of each group.
    """

    groups: tuple[Group, ...]
    units: int = 1
    seconds: float = 0.0
    models: tuple[int, ...] = ()
    needs: tuple[Need, ...] = ()
    caps: tuple[int, ...] = ()
    turns: Round | None = None
    answers: tuple[int | None, ...] = ()


@noun
class Problem:
    """``jobs`` are in the order of the file, each after all that it needs. ``rooms`` are the servers' memories.

    ``servers`` are their addresses. ``parallel`` units run at once, of those that share a cap at most that many.
    ``naive`` is all of it, one unit after the other.
    """

    jobs: tuple[Job, ...]
    loads: tuple[Load, ...] = ()
    servers: tuple[str, ...] = ()
    rooms: tuple[Room, ...] = ()
    parallel: int = 8
    caps: tuple[int, ...] = ()
    naive: Round = Round(times=1, turns=())
    estimates: tuple[LoadEstimate, ...] = ()
    guessed_items: Mapping[Group, int]
    assumes: bool = False
    """Whether a task is among the jobs of which nobody knows how long it takes."""

    def names(self, models: tuple[int, ...], server: int) -> tuple[str, ...]:
        """The names of those of the models that are loaded on that server."""
        return tuple(self.loads[model].name for model in models if self.loads[model].server == server)

    def swaps(self, job: Job, server: int) -> bool:
        """Whether the models of the job do not fit together on that server, so that they take turns."""
        return len(job.models) > 1 and not self.rooms[server].holds(self.names(job.models, server))

    @property
    def is_chain(self) -> bool:
        """Whether each job needs the one before, all of it."""
        pairs = zip(self.jobs, self.jobs[1:], strict=False)
        each = [Need(job=index) in job.needs for index, (_, job) in enumerate(pairs)]
        return bool(each) and all(each)
