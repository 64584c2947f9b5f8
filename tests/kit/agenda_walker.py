"""Follows an agenda one unit at a time, as its rules say in words, and looks at every moment whether they are kept.

Slow and plain on purpose: what the schedule reckons in bulk must come to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from runner.plan.agenda import Agenda, open_stays
from runner.plan.schedule.jobs import Problem, Round, Turn

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
    """Follow the agenda to the end of the last unit."""
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
        self.memory: list[tuple[str, str]] = []
        """Models that are there or coming, the one that came first, or was unused for longest, first."""
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
                    self.running[unit] = self.now + self.problem.jobs[unit[0]].seconds + self._take_turns(unit[0])
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
                if model in self._here(server) or stays[index].swaps:
                    continue
                while not room.holds((*self._here(server), model)):
                    idle = [name for name in self._here(server) if name not in kept]
                    self.memory.remove((server, max(idle, key=lambda name: self._next(server, name))))
                self.memory.append((server, model))
                self.coming[server, model] = self.now + self._load_seconds(place, model)
                self.seen.loads += 1

    def _take_turns(self, number: int) -> float:
        """A job whose models do not fit together loads them when it comes to them; returns what that takes."""
        job = self.problem.jobs[number]
        seconds = 0.0
        for place, server in enumerate(self.problem.servers):
            if not self.problem.swaps(job, place):
                continue
            assert job.turns is not None
            for load in (self.problem.loads[model] for model in _asked(job.turns)):
                if load.server != place:
                    continue
                if load.name in self._here(server):
                    self.memory.remove((server, load.name))
                else:
                    self.seen.loads += 1
                    seconds += load.seconds
                while not self.problem.rooms[place].holds((*self._here(server), load.name)):
                    self.memory.remove((server, self._here(server)[0]))
                self.memory.append((server, load.name))
        return seconds

    def _here(self, server: str) -> list[str]:
        return [name for at, name in self.memory if at == server]

    def _load_seconds(self, place: int, model: str) -> float:
        return next(one.seconds for one in self.problem.loads if (one.server, one.name) == (place, model))

    def _open(self, server: str) -> tuple[int, ...]:
        return open_stays(self.agenda.stays_at(server), self._over(server), self.problem.rooms[self._place(server)])

    def _over(self, server: str) -> set[int]:
        left = [left for left, stay in zip(self.left, self.agenda.stays, strict=True) if stay.endpoint == server]
        return {index for index, units in enumerate(left) if not units}

    def _next(self, server: str, model: str) -> int:
        over = self._over(server)
        stays = enumerate(self.agenda.stays_at(server))
        wanted = (index for index, stay in stays if model in (stay.model, *stay.swaps) and index not in over)
        return min(wanted, default=1_000)

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
            mine = {
                index
                for index, stay in enumerate(stays)
                if load.name in (stay.model, *stay.swaps) and set(job.groups) & set(stay.groups)
            }
            assert len(mine) == 1, "a model answers a group in one stay"
            if not mine & set(self._open(server)):
                return False
            if not self.problem.swaps(job, load.server) and not self._is_there(server, load.name):
                return False
        return True

    def _is_there(self, server: str, model: str) -> bool:
        return (server, model) in self.memory and (server, model) not in self.coming

    def _is_full(self, cap: int) -> bool:
        users = sum(cap in self.problem.jobs[number].caps for number, _ in self.running)
        return users >= self.problem.caps[cap]

    def _check(self) -> None:
        """What must hold at every moment."""
        assert self.running or self.coming, "nothing runs, nothing loads, and something is left"
        assert len(set(self.memory)) == len(self.memory)
        for place, server in enumerate(self.problem.servers):
            assert self.problem.rooms[place].holds(self._here(server))
            at_work = [number for number, _ in self.running if self._uses(number, place)]
            assert len(at_work) == 1 or not any(self.problem.swaps(self.problem.jobs[one], place) for one in at_work)
        for number, _ in self.running:
            for model in self.problem.jobs[number].models:
                load = self.problem.loads[model]
                if not self.problem.swaps(self.problem.jobs[number], load.server):
                    assert self._is_there(self.problem.servers[load.server], load.name)
        self.seen.most_at_once = max(self.seen.most_at_once, len(self.running))

    def _uses(self, number: int, place: int) -> bool:
        return any(self.problem.loads[model].server == place for model in self.problem.jobs[number].models)

    def _pass_time(self) -> None:
        self.now = min((*self.running.values(), *self.coming.values()))
        self._over_now(self.coming)
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


def _asked(turn: Turn | Round) -> Iterator[int]:
    """The models of all turns, one after the other."""
    if isinstance(turn, Turn):
        if turn.model is not None:
            yield turn.model
        return
    for _ in range(turn.times):
        for one in turn.turns:
            yield from _asked(one)
