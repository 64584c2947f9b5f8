"""Orders of jobs worth trying: model after model, with everything that can be done while a model is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

from runner.plan.schedule.jobs import Problem
from runner.plan.schedule.run import Links

Order = tuple[int, ...]
"""Jobs, each after all it needs."""


def tails(problem: Problem, links: Links) -> list[float]:
    """By job: the seconds from its start to the end of all that follows from it, if nothing ever waits."""
    found = [0.0] * len(problem.jobs)
    for number in reversed(range(len(problem.jobs))):
        job = problem.jobs[number]
        after = max((found[other] for other in (*links.whole[number], *links.itemwise[number])), default=0.0)
        found[number] = after + job.seconds * -(-job.units // problem.parallel)
    return found


def longest_first(problem: Problem, links: Links, tail: Sequence[float]) -> Order:
    """Of those that may come next the one from which most follows, models apart."""
    walk = Walk(problem, links, tail)
    while walk.ready:
        walk.take(min(walk.ready, key=lambda job: (-tail[job], job)))
    return tuple(walk.order)


Choice = Callable[["Walk", int], tuple[float, ...]]
"""What speaks for a model that may be next; the largest wins."""


def by_model(problem: Problem, links: Links, tail: Sequence[float], choice: Choice) -> Order:
    """Model after model: all that can be done with those that are there, then the model that the choice favours."""
    walk = Walk(problem, links, tail)
    walk.drain()
    while walk.ready:
        models = walk.next_models()
        walk.bring(max(models, key=lambda model: (choice(walk, model), -model)))
        walk.drain()
    return tuple(walk.order)


def ready_work(walk: Walk, model: int) -> tuple[float, ...]:
    """The most work that is ready for it."""
    return (sum(walk.work(job) for job in walk.ready if model in walk.problem.jobs[job].models),)


def longest_path(walk: Walk, model: int) -> tuple[float, ...]:
    """The longest way to the end from what is ready for it."""
    return (max(walk.tail[job] for job in walk.ready if model in walk.problem.jobs[job].models),)


def file_order(walk: Walk, model: int) -> tuple[float, ...]:
    """The first of the file."""
    return (-min(job for job in walk.ready if model in walk.problem.jobs[job].models),)


def all_of_it(walk: Walk, model: int) -> tuple[float, ...]:
    """One that need never come again; of those the longest way to the end."""
    fork = walk.fork()
    fork.bring(model)
    fork.drain()
    left = walk.left[model] - (len(fork.order) - len(walk.order))
    return (-min(1, fork.left[model]), -fork.left[model], -max(left, 0), *longest_path(walk, model))


CHOICES: tuple[Choice, ...] = (longest_path, all_of_it, ready_work, file_order)


def every_sequence(problem: Problem, links: Links, tail: Sequence[float], most: int) -> Iterator[Order]:
    """The orders of all sequences of models, at most so many."""
    start = Walk(problem, links, tail)
    start.drain()
    stack = [start]
    while stack and most:
        walk = stack.pop()
        if not walk.ready:
            most -= 1
            yield tuple(walk.order)
            continue
        for model in reversed(walk.next_models()):
            fork = walk.fork()
            fork.bring(model)
            fork.drain()
            stack.append(fork)


class Walk:
    """An order in the making. ``ready`` may come next; ``left`` is how many jobs each model still has to do."""

    def __init__(self, problem: Problem, links: Links, tail: Sequence[float]) -> None:
        self.problem = problem
        self.tail = tail
        self.order: list[int] = []
        self.ready: set[int] = set()
        self.left = [0] * len(problem.loads)
        self._links = links
        self._there: dict[int, list[int]] = {server: [] for server in range(len(problem.servers))}
        self._lacks = [len(job.needs) for job in problem.jobs]
        self._doable: list[tuple[float, int]] = []
        for number, job in enumerate(problem.jobs):
            for model in job.models:
                self.left[model] += 1
            if not job.needs:
                self._found(number)

    def fork(self) -> Walk:
        """A copy that goes its own way."""
        other = object.__new__(Walk)
        other.problem, other.tail, other._links = self.problem, self.tail, self._links
        other.order, other.ready, other.left = list(self.order), set(self.ready), list(self.left)
        other._there = {server: list(models) for server, models in self._there.items()}
        other._lacks, other._doable = list(self._lacks), list(self._doable)
        return other

    def work(self, job: int) -> float:
        """Seconds of all its units."""
        return self.problem.jobs[job].seconds * self.problem.jobs[job].units

    def next_models(self) -> list[int]:
        """Models that are not there and have something ready."""
        there = {model for models in self._there.values() for model in models}
        return sorted({model for job in self.ready for model in self.problem.jobs[job].models} - there)

    def bring(self, model: int) -> None:
        """Put the model into memory, and out those that came first, as far as it must."""
        server = self.problem.loads[model].server
        there = self._there[server]
        room = self.problem.rooms[server]
        while not room.holds(self.problem.names((*there, model), server)):
            there.pop(0)
        there.append(model)
        for job in self.ready:
            self._offer(job)

    def drain(self) -> None:
        """Take all that can be done with the models that are there, that first from which most follows."""
        while self._doable:
            self.take(heappop(self._doable)[1])

    def take(self, job: int) -> None:
        """The job comes next."""
        self.ready.discard(job)
        self.order.append(job)
        for model in self.problem.jobs[job].models:
            self.left[model] -= 1
        for other in (*self._links.whole[job], *self._links.itemwise[job]):
            self._lacks[other] -= 1
            if not self._lacks[other]:
                self._found(other)

    def _found(self, job: int) -> None:
        self.ready.add(job)
        self._offer(job)

    def _offer(self, job: int) -> None:
        if self._may(job):
            heappush(self._doable, (-self.tail[job], job))

    def _may(self, job: int) -> bool:
        """Whether one of its models is there: what takes turns brings the others itself."""
        models = self.problem.jobs[job].models
        return not models or any(model in self._there[self.problem.loads[model].server] for model in models)
