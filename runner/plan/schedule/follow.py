"""What an agenda comes to: models in the order of its stays, each loaded as soon as its stay is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.plan.agenda import Stay, open_stays
from runner.plan.schedule.jobs import Problem
from runner.plan.schedule.run import Links, Simulation
from runner.plan.schedule.turns import Turns
from runner.words.noun import noun


@noun
class Sojourn:
    """A stay by indexes: of its ``server``, its ``models`` (more than one take turns), its ``jobs``."""

    server: int
    models: tuple[int, ...]
    jobs: tuple[int, ...]


def stays_for(problem: Problem, order: Sequence[int], *, patient: bool = True) -> tuple[Sojourn, ...]:
    """The stays of jobs that come in this order, in which each job is after all it needs.

    A job joins the stay of its model as long as that stay lasts. When another model needs its place, the stay ends
    whose model is wanted again latest, which makes few loads; if not ``patient`` the one that was joined longest ago,
    whose place is free soonest. So no group ever waits for a stay that waits for the group.
    """
    gatherings = [_Gathering(problem, server, order, patient=patient) for server in range(len(problem.servers))]
    for place, number in enumerate(order):
        job = problem.jobs[number]
        for server in {problem.loads[model].server: None for model in job.models}:
            gatherings[server].add(place, number)
    stays = [stay for gathering in gatherings for stay in gathering.stays()]
    return tuple(stay for _, stay in sorted(stays, key=lambda one: one[0]))


class _Gathering:
    """The stays of one server while they are put together."""

    def __init__(self, problem: Problem, server: int, order: Sequence[int], *, patient: bool) -> None:
        self._problem = problem
        self._patient = patient
        self._server = server
        self._there: dict[tuple[int, ...], int] = {}
        """Models → the index of their stay, as long as it lasts; the one that was joined longest ago first."""
        self._made: list[tuple[int, tuple[int, ...], list[int]]] = []
        self._wanted: dict[int, list[int]] = {}
        for place in reversed(range(len(order))):
            for model in problem.jobs[order[place]].models:
                self._wanted.setdefault(model, []).append(place)

    def add(self, place: int, number: int) -> None:
        models = tuple(m for m in self._problem.jobs[number].models if self._problem.loads[m].server == self._server)
        for model in models:
            self._wanted[model].pop()
        if self._problem.swaps(self._problem.jobs[number], self._server):
            self._there.clear()
            self._begin(place, models, number)
            return
        for model in models:
            if (model,) in self._there:
                self._there[(model,)] = self._there.pop((model,))
                self._made[self._there[(model,)]][2].append(number)
            else:
                self._make_room(models, model)
                self._begin(place, (model,), number)

    def stays(self) -> list[tuple[int, Sojourn]]:
        """Each with the place of its first job."""
        return [
            (place, Sojourn(server=self._server, models=models, jobs=tuple(jobs))) for place, models, jobs in self._made
        ]

    def _begin(self, place: int, models: tuple[int, ...], number: int) -> None:
        self._there[models] = len(self._made)
        self._made.append((place, models, [number]))

    def _make_room(self, together: tuple[int, ...], model: int) -> None:
        room = self._problem.rooms[self._server]
        for swapping in [models for models in self._there if len(models) > 1]:
            del self._there[swapping]
        while not room.holds(self._problem.names((*(m for (m,) in self._there), model), self._server)):
            others = [one for one in self._there if one[0] not in together]
            del self._there[max(others, key=self._next) if self._patient else others[0]]

    def _next(self, models: tuple[int, ...]) -> tuple[int, int]:
        wanted = self._wanted[models[0]]
        return (wanted[-1] if wanted else len(self._problem.jobs), -self._there[models])


class Follow(Simulation):
    """Follows ``stays``: a model is loaded when its stay opens, in the place of the idle one that is wanted latest."""

    def __init__(self, problem: Problem, links: Links, ranks: Sequence[int], stays: Sequence[Sojourn]) -> None:
        super().__init__(problem, links, ranks)
        self._halls = [_Hall(problem, server, stays) for server in range(len(problem.servers))]
        for stay in stays:
            for job in stay.jobs:
                self.waits[job] += 1

    def begin(self) -> None:
        """Open what is open from the start."""
        for hall in self._halls:
            self._open(hall)

    def start(self, job: int, units: int, rounds: int) -> None:
        """Work; a job whose models take turns loads them in between."""
        more = 0.0
        turns = self.problem.jobs[job].turns
        if turns is not None:
            for hall in self._halls:
                if self.problem.swaps(self.problem.jobs[job], hall.server):
                    swaps = Turns(self.problem, hall.there, hall.server)
                    swaps.go(turns)
                    hall.there = list(swaps.resident)
                    self.loads += swaps.loads
                    more += swaps.loading
        self.work(job, units, rounds, more)

    def loaded(self, model: int) -> None:
        """Whoever waited for it in an open stay may start."""
        hall = self._halls[self.problem.loads[model].server]
        hall.coming.discard(model)
        for index in hall.open:
            if hall.stays[index].models == (model,):
                self._ready(hall, index)

    def units_over(self, job: int, units: int) -> None:  # noqa: ARG002 - that they are the last is enough
        """The last unit of a stay opens others."""
        if not self.is_over(job):
            return
        for server in {self.problem.loads[model].server: None for model in self.problem.jobs[job].models}:
            if self._halls[server].leave(job):
                self._open(self._halls[server])

    def after(self) -> None:
        """Nothing more."""

    def in_bulk(self, job: int) -> bool:  # noqa: ARG002 - true of all
        """Nothing slips in between: who may start is decided by stays, not by moments of rest."""
        return True

    def _open(self, hall: _Hall) -> None:
        for index in hall.newly_open():
            models = hall.stays[index].models
            if len(models) > 1 or (models[0] in hall.there and models[0] not in hall.coming):
                self._ready(hall, index)
            elif models[0] not in hall.there:
                hall.make_room(models[0])
                self.load(models[0])

    def _ready(self, hall: _Hall, index: int) -> None:
        for job in hall.stays[index].jobs:
            self.waits[job] -= 1
            self.consider(job)


class _Hall:
    """The memory of one server, and who stays in it."""

    def __init__(self, problem: Problem, server: int, stays: Sequence[Sojourn]) -> None:
        self.server = server
        self.stays = [stay for stay in stays if stay.server == server]
        self.open: list[int] = []
        """Stays that are open and not over."""
        self.there: list[int] = []
        """Models in memory or coming, the one that came first first."""
        self.coming: set[int] = set()
        self._problem = problem
        self._left = [len(stay.jobs) for stay in self.stays]
        self._stays_of: dict[int, list[int]] = {}
        self._places: dict[int, list[int]] = {}
        self._room = problem.rooms[server]
        self._named = [_unanswered(problem, stay.models, server) for stay in self.stays]
        self._first = 0
        self._over: set[int] = set()
        for index, stay in enumerate(self.stays):
            for job in stay.jobs:
                self._stays_of.setdefault(job, []).append(index)
            for model in stay.models:
                self._places.setdefault(model, []).append(index)

    def leave(self, job: int) -> bool:
        """The job is over; True if a stay is over with it."""
        ended = False
        for index in self._stays_of[job]:
            self._left[index] -= 1
            if not self._left[index]:
                self.open.remove(index)
                self._over.add(index)
                ended = True
        while self._first in self._over:
            self._first += 1
        return ended

    def newly_open(self) -> list[int]:
        """Which stays are open now that were not before."""
        found = open_stays(self._named, self._over, self._room, self._first)
        new = [index for index in found if index not in self.open]
        self.open += new
        return new

    def make_room(self, model: int) -> None:
        """Put a model in, and out the idle ones that are wanted again latest."""
        kept = {one for index in self.open for one in self.stays[index].models}
        while not self._room.holds(self._problem.names((*self.there, model), self.server)):
            self.there.remove(max((one for one in self.there if one not in kept), key=self._next))
        self.there.append(model)
        self.coming.add(model)

    def _next(self, model: int) -> int:
        """The next stay of the model that is not over."""
        return next((index for index in self._places[model] if index not in self._over), len(self.stays))


def named_stay(problem: Problem, stay: Sojourn) -> Stay:
    """The stay as the agenda says it."""
    groups = tuple(group for job in stay.jobs for group in _groups_of(problem, job, stay))
    return replace(_unanswered(problem, stay.models, stay.server), groups=groups)


def _unanswered(problem: Problem, models: tuple[int, ...], server: int) -> Stay:
    """A stay of these models, as far as who is in memory goes: without its groups."""
    model, *swaps = problem.names(models, server)
    return Stay(endpoint=problem.servers[server], model=model, groups=(), swaps=tuple(swaps))


def _groups_of(problem: Problem, number: int, stay: Sojourn) -> tuple[str, ...]:
    """The groups of the job that a model of the stay answers."""
    job = problem.jobs[number]
    if job.turns is None:
        return job.groups
    return tuple(group for group, model in zip(job.groups, job.answers, strict=True) if model in stay.models)
