"""What cannot go on is told apart from what ends, and never chosen."""

from __future__ import annotations

from math import inf

from runner.plan.agenda import Room
from runner.plan.schedule.follow import Follow, stays_for
from runner.plan.schedule.jobs import Job, Load, Need, Problem, Round, Turn
from runner.plan.schedule.run import Links, Outcome
from runner.plan.schedule.search import search

LOADS = (Load(server=0, name="a", seconds=5.0), Load(server=0, name="b", seconds=5.0))


def problem(*jobs: Job) -> Problem:
    """On one server that holds one model at a time."""
    turns = tuple(Turn(model=model, seconds=job.seconds) for job in jobs for model in job.models)
    naive = Round(times=1, turns=turns)
    return Problem(jobs=jobs, loads=LOADS, servers=("http://one",), rooms=(Room(),), naive=naive, guessed_items={})


def test_stays_in_an_order_that_cannot_go_on_take_for_ever() -> None:
    some = problem(
        Job(groups=("first",), seconds=10.0, models=(0,)),
        Job(groups=("second",), seconds=10.0, models=(1,), needs=(Need(job=0),)),
    )
    stays = stays_for(some, (0, 1))
    links = Links(some.jobs)
    assert Follow(some, links, (0, 1), stays).run() == Outcome(seconds=30.0, loads=2, starts=(0, 1), events=4)
    stuck = Follow(some, links, (0, 1), stays[::-1]).run()
    assert (stuck.seconds, stuck.ends, stuck.starts) == (inf, False, ())


def test_what_ends_beats_what_does_not() -> None:
    ends = Outcome(seconds=1e9, loads=9, starts=(), events=0)
    stuck = Outcome(seconds=inf, loads=0, starts=(), events=0)
    assert ends.beats(stuck)
    assert not stuck.beats(ends)
    assert not stuck.beats(stuck)


def test_where_nothing_else_ends_the_order_of_the_file_remains_and_models_are_loaded_when_they_are_asked_for() -> None:
    """The third unit of the second job waits for an item that the first does not have: no plan is made like that."""
    some = problem(
        Job(groups=("first",), units=2, seconds=10.0, models=(0,)),
        Job(groups=("second",), units=3, seconds=10.0, models=(1,), needs=(Need(job=0, items=2),)),
    )
    found = search(some)
    assert found.best.stays == ()
    assert found.best.ranks == (0, 1)
    assert found.best.outcome == found.on_demand == found.naive
    assert (found.naive.seconds, found.naive.loads) == (30.0, 2)
