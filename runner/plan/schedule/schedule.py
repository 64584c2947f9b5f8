"""The order of the work in which models are loaded least and the run is over first, and what it is reckoned to take."""

from __future__ import annotations

from runner.plan.agenda import NO_COSTS, Agenda, Costs, Forecast
from runner.plan.plan import Plan
from runner.plan.schedule.build import TASK_SECONDS, make_problem
from runner.plan.schedule.follow import named_stay
from runner.plan.schedule.jobs import Problem
from runner.plan.schedule.search import Schedule, search


def make_forecast(plan: Plan, costs: Costs = NO_COSTS) -> Forecast | None:
    """The agenda of a plan and what it comes to; None if no server was asked, or no step has a model.

    It takes some tenths of a second at most, whatever the plan, and the same plan and costs give the same agenda.
    """
    if plan.offline or all(planned.model is None for planned in plan.family):
        return None
    problem = make_problem(plan, costs)
    found = search(problem)
    return Forecast(
        agenda=_agenda(problem, found.best),
        loads=found.best.outcome.loads,
        naive_loads=found.naive.loads,
        seconds=found.best.outcome.seconds,
        naive_seconds=found.naive.seconds,
        on_demand_loads=found.on_demand.loads,
        on_demand_seconds=found.on_demand.seconds,
        estimates=problem.estimates,
        step_seconds=TASK_SECONDS if problem.assumes else 0.0,
        guessed_items=problem.guessed_items,
        chain=problem.is_chain,
    )


def _agenda(problem: Problem, schedule: Schedule) -> Agenda:
    groups = [group for job in schedule.ranks for group in problem.jobs[job].groups]
    return Agenda(
        stays=tuple(named_stay(problem, stay) for stay in schedule.stays),
        ranks={group: rank for rank, group in enumerate(groups)},
    )
