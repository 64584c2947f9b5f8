"""Small schedules beside the true optimum, which an exhaustive search finds that shares nothing with ours."""

from __future__ import annotations

from statistics import median

import pytest
from kit.schedule_case import Case, random_case
from kit.schedule_oracle import best_seconds

from runner.plan.agenda import Forecast
from runner.plan.schedule.schedule import make_forecast

CASES = 300


@pytest.mark.parametrize(
    ("case", "best"),
    [
        (Case(steps=(((), "a", 3),), loads={"a": 4}), 7),
        (Case(steps=(((), "a", 3), ((), "b", 3), ((), "a", 3)), loads={"a": 4, "b": 5}), 18),
        (Case(steps=(((), "a", 3), ((), "b", 3), ((), "a", 3)), loads={"a": 4, "b": 5}, most=2, parallel=2), 10),
        (Case(steps=(((), None, 7), ((), "b", 1), ((1,), "a", 9)), loads={"a": 10, "b": 1}), 21),
        (Case(steps=(((), None, 2), ((0,), None, 2), ((), None, 3)), parallel=2), 4),
    ],
    ids=["one", "swapped once", "both at once", "waiting is better", "no models"],
)
def test_the_oracle_knows_what_can_be_reckoned_by_hand(case: Case, best: int) -> None:
    assert best_seconds(case) == best


def test_schedules_of_small_workflows_are_as_good_as_the_optimum() -> None:
    """The middle one is the optimum, of 20 all but one are within a tenth of it; and none is worse than no plan."""
    ratios = []
    for seed in range(CASES):
        case = random_case(seed)
        forecast = make_forecast(case.plan, case.costs)
        if forecast is None:
            continue
        best = best_seconds(case)
        assert forecast.seconds >= best, case
        assert not _worse(forecast.seconds, forecast.loads, forecast.naive_seconds, forecast.naive_loads), case
        assert not _worse(forecast.seconds, forecast.loads, forecast.on_demand_seconds, forecast.on_demand_loads), case
        ratios.append(forecast.seconds / best)
    ratios.sort()
    assert len(ratios) > CASES * 0.95
    assert median(ratios) == 1.0
    assert ratios[int(len(ratios) * 0.95)] <= 1.1
    assert sum(ratio > 1 for ratio in ratios) <= len(ratios) * 0.05


def _worse(seconds: float, loads: int, other_seconds: float, other_loads: int) -> bool:
    return (round(seconds, 6), loads) > (round(other_seconds, 6), other_loads)


def test_a_model_that_is_wanted_again_may_still_leave_early() -> None:
    """`a` leaves before its last step, so that `b` comes while `c` works."""
    steps = (
        ((), "a", 4), ((0,), "a", 4), ((1,), "c", 7), ((0, 1), "b", 1), ((0, 2, 3), "a", 8), ((1, 2, 3, 4), "b", 2),
    )  # fmt: skip
    case = Case(steps=steps, loads={"a": 5, "b": 11, "c": 9}, most=2, parallel=3)
    forecast = make_forecast(case.plan, case.costs)
    assert isinstance(forecast, Forecast)
    assert forecast.seconds == best_seconds(case) == 35
