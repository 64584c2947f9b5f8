"""Orders that differ from one by the place of a single job."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.plan.schedule.jobs import Problem
from runner.plan.schedule.orders import Order

Moves = Callable[[Problem, Order], Iterator[Order]]


def all_moves(problem: Problem, order: Order) -> Iterator[Order]:
    """Each job to every place that it can have."""
    for place, job in enumerate(order):
        least, most = _window(problem, order, place)
        for to in range(least, most + 1):
            if to != place:
                yield _moved(order, place, to, job)


def near_moves(problem: Problem, order: Order) -> Iterator[Order]:
    """Each job that has a model to the nearest ones of the same model before and after it that it does not adjoin."""
    for place, job in enumerate(order):
        models = problem.jobs[job].models
        if not models:
            continue
        least, most = _window(problem, order, place)
        for way, end in ((-1, least), (1, most)):
            met = False
            for to in range(place + way, end + way, way):
                other = problem.jobs[order[to]].models
                if other == models and met:
                    yield _moved(order, place, to if way > 0 else to + 1, job)
                    break
                met |= bool(other) and other != models


def _window(problem: Problem, order: Order, place: int) -> tuple[int, int]:
    """The first and the last place that the job of that place can have."""
    needs = {need.job for need in problem.jobs[order[place]].needs}
    least = place
    while least and order[least - 1] not in needs:
        least -= 1
    most = place
    while most + 1 < len(order) and all(need.job != order[place] for need in problem.jobs[order[most + 1]].needs):
        most += 1
    return least, most


def _moved(order: Order, place: int, to: int, job: int) -> Order:
    rest = order[:place] + order[place + 1 :]
    return (*rest[:to], job, *rest[to:])
