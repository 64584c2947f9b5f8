"""Looks for the order of jobs that is over first, within a budget that does not depend on any clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runner.plan.schedule.demand import OnDemand
from runner.plan.schedule.follow import Follow, Sojourn, stays_for
from runner.plan.schedule.jobs import Problem
from runner.plan.schedule.moves import Moves, all_moves, near_moves
from runner.plan.schedule.orders import CHOICES, Order, by_model, every_sequence, longest_first, tails
from runner.plan.schedule.run import Links, Outcome
from runner.plan.schedule.turns import Turns, seconds_of
from runner.words.noun import noun

BUDGET: Final = 48_000
"""Events of simulations, a job counting as one more: some tenths of a second for 200 jobs, half a second for 2,000.

Where there are fewer, so many ``BUDGET_A_JOB``, but not below ``LEAST_BUDGET``: a small plan is made in no time."""
BUDGET_A_JOB: Final = 220
LEAST_BUDGET: Final = 3_000
SEQUENCES: Final = 300
"""Sequences of models that are tried where there are few jobs."""
SMALL: Final = 16
"""Jobs up to which all sequences of models and all moves are tried."""
FINALISTS: Final = 4
"""Schedules from which better ones are looked for in their neighbourhood."""
_CLOSE: Final = 1e-9


@noun
class Schedule:
    """``stays`` follow from ``order``, ``patient`` as in ``stays_for``; ``ranks`` are the jobs in the order of theirs.

    ``outcome`` is its worth. Without stays models are loaded when they are asked for.
    """

    order: Order
    ranks: Order
    patient: bool
    stays: tuple[Sojourn, ...]
    outcome: Outcome


@noun
class Found:
    """The best schedule; what comes of it if nobody plans; and if one unit follows the other."""

    best: Schedule
    on_demand: Outcome
    naive: Outcome


def search(problem: Problem) -> Found:
    """The best schedule that is found; never worse than loading on demand, nor than the order of the file.

    Of equals the one that was tried first: what is near to the order of the file.
    """
    return _Search(problem).found()


class _Search:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._links = Links(problem.jobs)
        self._tails = tails(problem, self._links)
        self._longest = longest_first(problem, self._links, self._tails)
        self._ideal = _ideal(problem)
        self._least = len({model for job in problem.jobs for model in job.models})
        self._budget = min(BUDGET, max(LEAST_BUDGET, BUDGET_A_JOB * len(problem.jobs)))
        self._tried: dict[tuple[Order, Order, bool], Schedule] = {}
        self._outcomes: dict[tuple[Order, tuple[tuple[Order, Order], ...]], Outcome] = {}
        """By the ranks, and the models and jobs of each stay."""
        self._patience = (True,) if all(room.most == 1 for room in problem.rooms) else (True, False)

    def found(self) -> Found:
        naive = _naive(self._problem)
        on_demand = OnDemand(self._problem, self._links).run()
        if not on_demand.ends:  # one unit after the other always does
            on_demand = naive
        first = tuple(range(len(self._problem.jobs)))
        best = self._try(first, first, patient=True)
        if not self._problem.is_chain:
            best = self._searched(best, on_demand)
        if on_demand.beats(best.outcome):  # a unit that starts sooner may end the whole later: no list is free of that
            best = Schedule(order=first, ranks=first, patient=True, stays=(), outcome=on_demand)
        return Found(best=best, on_demand=on_demand, naive=naive)

    def _searched(self, best: Schedule, on_demand: Outcome) -> Schedule:
        for order in self._candidates(on_demand):
            if self._ideally(best) or self._budget <= 0:
                return best
            for ranks in (order, self._longest):
                for patient in self._patience:
                    best = _better(best, self._try(order, ranks, patient=patient))
        finalists: dict[tuple[Sojourn, ...], Schedule] = {}
        for schedule in sorted(self._tried.values(), key=lambda one: (one.outcome.seconds, one.outcome.loads)):
            finalists.setdefault(schedule.stays, schedule)
        for left, schedule in zip(range(FINALISTS, 0, -1), finalists.values(), strict=False):
            if self._ideally(best):
                break
            best = _better(best, self._climb(schedule, self._budget - self._budget // left))
        return best

    def _candidates(self, on_demand: Outcome) -> Iterator[Order]:
        yield on_demand.starts
        yield self._longest
        for choice in CHOICES:
            yield by_model(self._problem, self._links, self._tails, choice)
        if len(self._problem.jobs) <= SMALL:
            yield from every_sequence(self._problem, self._links, self._tails, SEQUENCES)

    def _climb(self, schedule: Schedule, floor: int) -> Schedule:
        """Move one job after the other to where it helps, until none does or the budget is at its floor."""
        moves = all_moves if len(self._problem.jobs) <= SMALL else near_moves
        moved = True
        while moved:
            moved = False
            for order, ranks in self._neighbours(schedule, moves):
                if self._budget <= floor:
                    return schedule
                other = self._try(order, ranks, patient=schedule.patient)
                if other.outcome.beats(schedule.outcome):
                    schedule, moved = other, True
                    break
        return schedule

    def _neighbours(self, schedule: Schedule, moves: Moves) -> Iterator[tuple[Order, Order]]:
        for order in moves(self._problem, schedule.order):
            yield order, order
        for order in moves(self._problem, schedule.order):
            yield order, schedule.ranks
        for ranks in moves(self._problem, schedule.ranks):
            yield schedule.order, ranks

    def _try(self, order: Order, ranks: Order, *, patient: bool) -> Schedule:
        known = self._tried.get((order, ranks, patient))
        if known is not None:
            return known
        stays = stays_for(self._problem, order, patient=patient)
        self._budget -= len(order)
        schedule = Schedule(
            order=order, ranks=ranks, patient=patient, stays=stays, outcome=self._followed(ranks, stays)
        )
        self._tried[order, ranks, patient] = schedule
        return schedule

    def _followed(self, ranks: Order, stays: tuple[Sojourn, ...]) -> Outcome:
        """What it comes to; many orders have the same stays."""
        key = (ranks, tuple([(stay.models, stay.jobs) for stay in stays]))
        known = self._outcomes.get(key)
        if known is None:
            rank_of = [0] * len(ranks)
            for rank, job in enumerate(ranks):
                rank_of[job] = rank
            known = self._outcomes[key] = Follow(self._problem, self._links, rank_of, stays).run()
            self._budget -= known.events
        return known

    def _ideally(self, schedule: Schedule) -> bool:
        """Whether no schedule can be better."""
        outcome = schedule.outcome
        return outcome.loads == self._least and outcome.seconds <= self._ideal * (1 + _CLOSE)


def _naive(problem: Problem) -> Outcome:
    """One unit after the other, in the order of the file."""
    turns = Turns(problem)
    turns.go(problem.naive)
    seconds = seconds_of(problem.naive) + turns.loading
    return Outcome(seconds=seconds, loads=turns.loads, starts=tuple(range(len(problem.jobs))), events=0)


def _better(one: Schedule, other: Schedule) -> Schedule:
    return other if other.outcome.beats(one.outcome) else one


def _ideal(problem: Problem) -> float:
    """No schedule is over sooner: not than its longest path, than all work shared out, than what one server holds."""
    heads: list[float] = []
    for job in problem.jobs:
        loads = max((problem.loads[model].seconds for model in job.models), default=0.0)
        before = [
            heads[need.job]
            if need.items == 1
            else heads[need.job] - _whole(problem, need.job) + _one(problem, need.job)
            for need in job.needs
        ]
        heads.append(max([loads, *before]) + _whole(problem, len(heads)))
    shared = sum(job.units * job.seconds for job in problem.jobs) / problem.parallel
    return max([shared, *heads, *_busy(problem)])


def _busy(problem: Problem) -> Iterator[float]:
    """By server that holds one model at a time: all of its loads, and all of its work."""
    for server, room in enumerate(problem.rooms):
        if room.most == 1:
            models = [number for number, load in enumerate(problem.loads) if load.server == server]
            loading = sum(problem.loads[model].seconds for model in models)
            works = (job for job in problem.jobs if any(model in models for model in job.models))
            yield loading + sum(job.units * job.seconds for job in works) / problem.parallel


def _whole(problem: Problem, number: int) -> float:
    job = problem.jobs[number]
    at_once = min([problem.parallel, *(problem.caps[cap] for cap in job.caps)])
    return job.seconds * -(-job.units // at_once)


def _one(problem: Problem, number: int) -> float:
    return problem.jobs[number].seconds
