"""Whatever the workflow: its agenda can be followed to the end, keeps every bound, and comes to what was reckoned."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.agenda_walker import needed_units, walk
from kit.schedule_case import HERE, choice, plan, step

from runner.plan.agenda import Costs
from runner.plan.plan import Plan, PlannedStep
from runner.plan.schedule.build import make_problem
from runner.plan.schedule.schedule import make_forecast

MODELS = ("a", "b", "c", "d")
THERE = "http://two"
COSTS = Costs(
    loads={(at, model): float(2 + 3 * place) for at in (HERE, THERE) for place, model in enumerate(MODELS)},
    steps={f"{name}/s{number}": float(1 + number * 5 % 7) for name in ("w", "in") for number in range(9)},
)


@st.composite
def steps(draw: st.DrawFn, most: int, deep: int, turns: bool = False) -> tuple[PlannedStep, ...]:
    made: list[PlannedStep] = []
    for number in range(draw(st.integers(2, most))):
        needs = tuple(f"s{need}" for need in sorted(draw(st.sets(st.integers(0, max(number - 1, 0)), max_size=2))))
        needs = needs if number else ()
        items = draw(st.sampled_from([None, None, 1, 2, 5, 23]))
        fan = {"max_parallel": draw(st.sampled_from([None, 2, 3]))} if items else {}
        kind = draw(st.sampled_from(["model", "model", "model", "command", "call", "call", "rows"]))
        if kind == "call" and deep:
            inner = plan(*draw(steps(most=3, deep=deep - 1, turns=turns)), name="in")
            fan |= draw(st.sampled_from([{"in_order": True}, {"max_parallel": 1}, {}])) if turns and items else {}
            repeat = turns and draw(st.booleans())
            made.append(step(f"s{number}", *needs, call=inner, each=items, repeat=repeat, **fan))
        elif kind == "rows":
            rows = tuple(draw(st.lists(st.sampled_from(MODELS), min_size=2, max_size=3)))
            made.append(step(f"s{number}", *needs, rows=rows, max_parallel=draw(st.sampled_from([None, 2]))))
        else:
            endpoint = draw(st.sampled_from([HERE, HERE, THERE]))
            size = MODELS.index(name := draw(st.sampled_from(MODELS))) + 1
            model = choice(name, endpoint, size=size) if kind == "model" else None
            made.append(step(f"s{number}", *needs, model=model, each=items, **fan))
    return tuple(made)


@st.composite
def plans(draw: st.DrawFn, turns: bool = False) -> Plan:
    most, memory = draw(st.sampled_from([(None, None), (1, None), (2, None), (3, None), (None, 5), (2, 6)]))
    return plan(
        *draw(steps(most=7, deep=2, turns=turns)), parallel=draw(st.integers(1, 4)), max_loaded=most, memory=memory
    )


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plans())
def test_an_agenda_can_be_followed_and_comes_to_what_was_reckoned(some: Plan) -> None:
    forecast = make_forecast(some, COSTS)
    if forecast is None:
        return
    problem = make_problem(some, COSTS)
    assert sorted(forecast.agenda.ranks) == sorted(group for job in problem.jobs for group in job.groups)
    assert forecast.seconds <= min(forecast.naive_seconds, forecast.on_demand_seconds) + 1e-6
    for job in problem.jobs:
        for need in job.needs:
            first = problem.jobs[need.job].groups[0]
            assert forecast.agenda.ranks[first] < forecast.agenda.ranks[job.groups[0]]
    if not forecast.agenda.stays:
        return
    walked = walk(problem, forecast.agenda)
    assert (walked.seconds, walked.loads) == (forecast.seconds, forecast.loads)
    assert walked.most_at_once <= problem.parallel
    assert len(walked.ended) == sum(job.units for job in problem.jobs)
    for unit, when in walked.started.items():
        assert all(walked.ended[need] <= when for need in needed_units(problem, unit))


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plans(turns=True))
def test_calls_whose_items_pass_one_by_one_end_too_and_never_worse_than_without_a_plan(some: Plan) -> None:
    forecast = make_forecast(some, COSTS)
    if forecast is None:
        return
    assert forecast.seconds <= min(forecast.naive_seconds, forecast.on_demand_seconds) + 1e-6
    problem = make_problem(some, COSTS)
    groups = [group for job in problem.jobs for group in job.groups]
    assert sorted(forecast.agenda.ranks) == sorted(groups)
    if forecast.agenda.stays:
        walked = walk(problem, forecast.agenda)
        assert (walked.seconds, walked.loads) == (pytest.approx(forecast.seconds), forecast.loads)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plans())
def test_the_same_plan_gives_the_same_forecast(some: Plan) -> None:
    assert make_forecast(some, COSTS) == make_forecast(some, COSTS)
