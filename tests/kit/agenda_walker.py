"""Follows an agenda one unit at a time, as its rules say in words, and looks at every moment whether they are kept.

Slow and plain on purpose: what the schedule reckons in bulk must come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from runner.plan.agenda import Agenda, open_stays
from runner.plan.schedule_jobs import Problem

Key = TypeVar("Key")
Unit = tuple[int, int]
"""A job and one of its units."""


@dataclass(slots=True)
class Walked:
    """What was seen."""

    seconds: float = 0.0
    loads: int = 0
    started: dict[Unit, float] = field(default_factory=dict)
    ended: dict[Unit, float] = field(default_factory=dict)
    most_at_once: int = 0


def walk(problem: Problem, agenda: Agenda) -> Walked:
    """Follow the agenda to the end of the last unit; only where no models take turns."""
    return _Walk(problem, agenda).walk()


def needed_units(problem: Problem, unit: Unit) -> list[Unit]:
    """All units that must be over before this one."""
    number, index = unit
    found = []
    for need in problem.jobs[number].needs:
        theirs = problem.jobs[need.job].units // need.items
        item = index // (problem.jobs[number].units // need.items)
        found += [(need.job, item * theirs + place) for place in range(theirs)]
    return found


class _Walk:
    def __init__(self, problem: Problem, agenda: Agenda) -> None:
        self.problem = problem
        self.agenda = agenda
        self.seen = Walked()
        self.now = 0.0
        self.running: dict[Unit, float] = {}
        self.coming: dict[tuple[str, str], float] = {}
        self.there: set[tuple[str, str]] = set()
        job_of = {group: number for number, job in enumerate(problem.jobs) for group in job.groups}
        self.left = [
            {
                (number, index)
                for number in map(job_of.__getitem__, stay.groups)
                for index in range(_units(problem, number))
            }
            for stay in agenda.stays
        ]

    def walk(self) -> Walked:
        units = [
            (number, index) for number in range(len(self.problem.jobs)) for index in range(_units(self.problem, number))
        ]
        rank = {number: self.agenda.ranks[job.groups[0]] for number, job in enumerate(self.problem.jobs)}
        waiting = sorted(units, key=lambda unit: (rank[unit[0]], unit[1]))
        while waiting or self.running:
            self._load()
            for unit in list(waiting):
                if self._may_start(unit):
                    waiting.remove(unit)
                    self.running[unit] = self.now + self.problem.jobs[unit[0]].seconds
                    self.seen.started[unit] = self.now
            self._check()
            self._pass_time()
        self.seen.seconds = self.now
        return self.seen

    def _load(self) -> None:
        for place, server in enumerate(self.problem.servers):
            room = self.problem.rooms[place]
            stays = self.agenda.stays_at(server)
            kept = {stays[index].model for index in self._open(server)}
            for index in self._open(server):
                model = stays[index].model
                here = [name for at, name in (*self.there, *self.coming) if at == server]
                if model in here:
                    continue
                idle = [name for name in here if name not in kept]
                while not room.holds((*here, model)):
                    victim = max(idle, key=lambda name: (self._next(server, name), name))
                    idle.remove(victim)
                    here.remove(victim)
                    self.there.remove((server, victim))
                load = next(one for one in self.problem.loads if (one.server, one.name) == (place, model))
                self.coming[server, model] = self.now + load.seconds
                self.seen.loads += 1

    def _open(self, server: str) -> tuple[int, ...]:
        return open_stays(self.agenda.stays_at(server), self._over(server), self.problem.rooms[self._place(server)])

    def _over(self, server: str) -> set[int]:
        left = [left for left, stay in zip(self.left, self.agenda.stays, strict=True) if stay.endpoint == server]
        return {index for index, units in enumerate(left) if not units}

    def _next(self, server: str, model: str) -> int:
        over = self._over(server)
        stays = enumerate(self.agenda.stays_at(server))
        return min((index for index, stay in stays if stay.model == model and index not in over), default=1_000)

    def _place(self, server: str) -> int:
        return self.problem.servers.index(server)

    def _may_start(self, unit: Unit) -> bool:
        job = self.problem.jobs[unit[0]]
        if len(self.running) >= self.problem.parallel or any(self._is_full(cap) for cap in job.caps):
            return False
        if not all(need in self.seen.ended for need in needed_units(self.problem, unit)):
            return False
        for model in job.models:
            load = self.problem.loads[model]
            server = self.problem.servers[load.server]
            stays = self.agenda.stays_at(server)
            mine = {index for index, stay in enumerate(stays) if set(job.groups) & set(stay.groups)}
            if not mine & set(self._open(server)) or (server, load.name) not in self.there:
                return False
        return True

    def _is_full(self, cap: int) -> bool:
        users = sum(cap in self.problem.jobs[number].caps for number, _ in self.running)
        return users >= self.problem.caps[cap]

    def _check(self) -> None:
        """What must hold at every moment."""
        assert self.running or self.coming, "nothing runs, nothing loads, and something is left"
        assert not self.there & self.coming.keys()
        for place, server in enumerate(self.problem.servers):
            assert self.problem.rooms[place].holds([name for at, name in (*self.there, *self.coming) if at == server])
        for number, _ in self.running:
            for model in self.problem.jobs[number].models:
                load = self.problem.loads[model]
                assert (self.problem.servers[load.server], load.name) in self.there
        self.seen.most_at_once = max(self.seen.most_at_once, len(self.running))

    def _pass_time(self) -> None:
        self.now = min((*self.running.values(), *self.coming.values()))
        self.there |= set(self._over_now(self.coming))
        for unit in self._over_now(self.running):
            self.seen.ended[unit] = self.now
            for left in self.left:
                left.discard(unit)

    def _over_now(self, going: dict[Key, float]) -> list[Key]:
        found = [key for key, until in going.items() if until == self.now]
        for key in found:
            del going[key]
        return found


def _units(problem: Problem, number: int) -> int:
    return problem.jobs[number].units
