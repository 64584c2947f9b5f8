"""A virtual clock on which the units of a problem run: what may start does, the lowest rank first.

How models come into memory is not known here: ``schedule_follow`` does it by an agenda, ``schedule_demand`` when they
are asked for. Units of a job that start together and end together are one event, so that a fan-out of thousands costs
no more than one of a few.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from math import inf, isclose, isfinite
from typing import Final

from runner.plan.schedule.jobs import Job, Problem
from runner.words.noun import noun

_CLOSE: Final = 1e-9
"""Sums of the same seconds in another order differ by less, relatively."""


@noun
class Outcome:
    """What a simulation came to. ``starts`` are the jobs as they started, in order; ``events`` what it cost itself.

    ``seconds`` are infinite if it came to a point from which nothing could go on.
    """

    seconds: float
    loads: int
    starts: tuple[int, ...]
    events: int

    @property
    def ends(self) -> bool:
        """Whether all of the work was done."""
        return isfinite(self.seconds)

    def beats(self, other: Outcome) -> bool:
        """Sooner over, or with fewer loads in the same time."""
        if not isclose(self.seconds, other.seconds, rel_tol=_CLOSE):
            return self.seconds < other.seconds
        return self.loads < other.loads


class Links:
    """Who waits for whom, the other way round; made once for all simulations of a problem."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.whole: list[list[int]] = [[] for _ in jobs]
        """By job: who waits for all of it."""
        self.itemwise: list[list[int]] = [[] for _ in jobs]
        """By job: who waits for the same item of it."""
        self.lacks = [0] * len(jobs)
        """By job: how many others it needs all of."""
        self.pairs: list[list[tuple[int, int, int]]] = [[] for _ in jobs]
        """By job: which others it needs by items, how many units of the other an item has, and how many of its own."""
        for number, job in enumerate(jobs):
            for need in job.needs:
                if need.items == 1:
                    self.whole[need.job].append(number)
                    self.lacks[number] += 1
                else:
                    self.itemwise[need.job].append(number)
                    shares = (need.job, jobs[need.job].units // need.items, job.units // need.items)
                    self.pairs[number].append(shares)


class Simulation(ABC):
    """One run of a problem; ``ranks`` by job. To be run once."""

    def __init__(self, problem: Problem, links: Links, ranks: Sequence[int]) -> None:
        self.problem = problem
        self.now = 0.0
        self.free = problem.parallel
        self.loads = 0
        self.events: list[tuple[float, int, int, int, int]] = []
        """``(when, number, job, units, rounds)`` of units that end; with the job -1 the model ``units`` is loaded."""
        self.started = [0] * len(problem.jobs)
        self.ended = [0] * len(problem.jobs)
        self.waits = [0] * len(problem.jobs)
        """By job: how much must still come into memory before it may start."""
        self._links = links
        self._ranks = ranks
        self._by_rank = sorted(range(len(problem.jobs)), key=ranks.__getitem__)
        self._lacks = list(links.lacks)
        self._caps = list(problem.caps)
        self._able: list[int] = []
        self._queued = [False] * len(problem.jobs)
        self._starts: list[int] = []
        self._count = 0

    def run(self) -> Outcome:
        """Run it to its end, or to where it cannot go on."""
        self.begin()
        for job, lacks in enumerate(self._lacks):
            if not lacks:
                self.consider(job)
        self._dispatch()
        while self.events:
            self.now = self.events[0][0]
            while self.events and self.events[0][0] == self.now:
                _, _, job, units, rounds = heappop(self.events)
                if job < 0:
                    self.loaded(units)
                else:
                    self._end(job, units, rounds)
            self.after()
            self._dispatch()
        seconds = self.now if all(map(self.is_over, range(len(self.ended)))) else inf
        return Outcome(seconds=seconds, loads=self.loads, starts=tuple(self._starts), events=self._count)

    def consider(self, job: int) -> None:
        """Let it start its units as far as it may; nothing happens if it may not."""
        if not self._queued[job] and not self.waits[job] and self._available(job):
            self._queued[job] = True
            heappush(self._able, self._ranks[job])

    def work(self, job: int, units: int, rounds: int, more: float = 0.0) -> None:
        """The units work from now on, ``more`` seconds longer than they take."""
        self._count += 1
        until = self.now + self.problem.jobs[job].seconds * rounds + more
        heappush(self.events, (until, self._count, job, units, rounds))

    def load(self, model: int) -> None:
        """The model comes from now on."""
        self._count += 1
        self.loads += 1
        heappush(self.events, (self.now + self.problem.loads[model].seconds, self._count, -1, model, 0))

    @abstractmethod
    def begin(self) -> None:
        """Before anything starts."""

    @abstractmethod
    def start(self, job: int, units: int, rounds: int) -> None:
        """Units start, and hold their slots: so many at once, so many times in succession. They are to ``work``."""

    @abstractmethod
    def loaded(self, model: int) -> None:
        """A load has ended."""

    @abstractmethod
    def units_over(self, job: int, units: int) -> None:
        """Units have ended; of a job that is over, ``is_over`` says so."""

    @abstractmethod
    def after(self) -> None:
        """All that ends now has ended, and nothing has started yet."""

    @abstractmethod
    def in_bulk(self, job: int) -> bool:
        """Whether several rounds of it may be one event, as far as its models go."""

    def is_over(self, job: int) -> bool:
        """Whether all its units have ended."""
        return self.ended[job] == self.problem.jobs[job].units

    def _available(self, job: int) -> int:
        if self._lacks[job]:
            return 0
        most = self.problem.jobs[job].units
        for other, theirs, mine in self._links.pairs[job]:
            most = min(most, self.ended[other] // theirs * mine)
        return most - self.started[job]

    def _end(self, job: int, units: int, rounds: int) -> None:
        self.free += units
        for cap in self.problem.jobs[job].caps:
            self._caps[cap] += units
        self.ended[job] += units * rounds
        if self.is_over(job):
            for other in self._links.whole[job]:
                self._lacks[other] -= 1
                if not self._lacks[other]:
                    self.consider(other)
        for other in self._links.itemwise[job]:
            self.consider(other)
        self.units_over(job, units)
        self.consider(job)

    def _dispatch(self) -> None:
        aside: list[int] = []
        batches: list[tuple[int, int]] = []
        while self.free and self._able:
            rank = heappop(self._able)
            job = self._by_rank[rank]
            self._queued[job] = False
            units = min(self.free, self._available(job), *(self._caps[cap] for cap in self.problem.jobs[job].caps))
            if units:
                self._take(job, units)
                batches.append((job, units))
            if self._available(job):
                self._queued[job] = True
                aside.append(rank)
        if len(batches) == 1 and not (aside and aside[0] < self._ranks[batches[0][0]]):
            job, units = batches[0]
            batches = []
            rounds = self._rounds(job, units)
            self.started[job] += units * (rounds - 1)
            self.start(job, units, rounds)
        for job, units in batches:
            self.start(job, units, 1)
        self._able += aside
        heapify(self._able)

    def _take(self, job: int, units: int) -> None:
        if not self.started[job]:
            self._starts.append(job)
        self.started[job] += units
        self.free -= units
        for cap in self.problem.jobs[job].caps:
            self._caps[cap] -= units

    def _rounds(self, job: int, units: int) -> int:
        """How many times in succession nothing else can happen than that the same number of its units starts again."""
        more = self._available(job) // units
        if not more or not self.in_bulk(job) or (self.free and self._links.itemwise[job]):
            return 1
        seconds = self.problem.jobs[job].seconds
        if not self.events or not seconds:
            return 1 + more
        return max(1, min(1 + more, int((self.events[0][0] - self.now) / seconds)))
