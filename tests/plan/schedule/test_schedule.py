"""The order of the work: which models are in memory when, what goes first, and what it is reckoned to take."""

from __future__ import annotations

from typing import Any

import pytest
from kit.schedule_case import HERE, choice, plan, step

from runner.plan.agenda import Costs, Forecast, LoadEstimate, Room, Stay, open_stays
from runner.plan.plan import Plan
from runner.plan.schedule.schedule import make_forecast
from runner.workflow.fan_out import Matrix

COSTS = Costs(loads={(HERE, model): 5.0 for model in "abcd"})


def forecast_of(some: Plan, costs: Costs = COSTS) -> Forecast:
    forecast = make_forecast(some, costs)
    assert forecast is not None
    return forecast


def stays(forecast: Forecast) -> list[str]:
    """``a: draft, review`` a stay."""
    return [f"{' and '.join((s.model, *s.swaps))}: {', '.join(s.groups)}" for s in forecast.agenda.stays]


def loads(forecast: Forecast) -> tuple[int, int]:
    return forecast.loads, forecast.naive_loads


def draft_and_review(**bounds: Any) -> Plan:
    return plan(step("draft", model="a"), step("review", "draft", model="b"), name="callee", **bounds)


def test_there_is_no_forecast_without_a_model_or_without_servers() -> None:
    assert make_forecast(plan(step("a"))) is None
    assert make_forecast(plan(step("a", model="a"), offline=True)) is None


def test_steps_of_one_model_go_together() -> None:
    forecast = forecast_of(plan(*(step(f"s{n}", model="ab"[n % 2]) for n in range(6)), parallel=1))
    assert stays(forecast) == ["a: s0, s2, s4", "b: s1, s3, s5"]
    assert loads(forecast) == (2, 6)
    assert (forecast.seconds, forecast.naive_seconds) == (70.0, 90.0)
    assert not forecast.chain


def test_ten_items_drafted_by_one_model_and_reviewed_by_another_take_two_loads() -> None:
    forecast = forecast_of(plan(step("call", each=10, call=draft_and_review())))
    assert loads(forecast) == (2, 20)
    assert stays(forecast) == ["a: call/draft", "b: call/review"]
    assert forecast.agenda.ranks == {"call/draft": 0, "call/review": 1}
    assert (forecast.seconds, forecast.naive_seconds) == (50.0, 300.0)
    assert forecast.guessed_items == {}


def test_where_both_fit_the_second_model_loads_beside_the_first_and_items_flow_through() -> None:
    call = step("call", each=3, call=draft_and_review())
    forecast = forecast_of(plan(call, parallel=1, max_loaded=2))
    assert loads(forecast) == (2, 2)
    assert (forecast.seconds, forecast.naive_seconds) == (65.0, 70.0)
    by_items = Costs(loads=COSTS.loads, steps={"callee/draft": 1.0, "callee/review": 10.0})
    assert forecast_of(plan(call, parallel=2, max_loaded=2), by_items).seconds == 26.0


def test_a_group_goes_after_all_it_needs_and_a_call_is_over_when_all_its_steps_are() -> None:
    some = plan(step("call", call=draft_and_review()), step("c", "call", model="a"), step("d", model="b"))
    forecast = forecast_of(some)
    assert stays(forecast) == ["a: call/draft", "b: d, call/review", "a: c"]
    assert loads(forecast) == (3, 4)
    ranks = forecast.agenda.ranks
    assert ranks["call/draft"] < ranks["call/review"] < ranks["c"]


@pytest.mark.parametrize("one_by_one", [{"in_order": True}, {"max_parallel": 1}], ids=["order: items", "max_parallel"])
def test_items_that_pass_one_by_one_cost_their_loads_each(one_by_one: dict[str, Any]) -> None:
    forecast = forecast_of(plan(step("call", each=10, call=draft_and_review(), **one_by_one)))
    assert loads(forecast) == (20, 20)
    assert stays(forecast) == ["a and b: call/draft, call/review"]
    assert forecast.seconds == forecast.naive_seconds == 300.0


def test_items_that_pass_one_by_one_load_nothing_twice_where_their_models_fit_together() -> None:
    forecast = forecast_of(plan(step("call", each=10, call=draft_and_review(), in_order=True), max_loaded=2))
    assert loads(forecast) == (2, 2)
    assert stays(forecast) == ["a: call/draft", "b: call/review"]
    assert (forecast.seconds, forecast.naive_seconds) == (205.0, 210.0)


def test_models_that_take_turns_have_the_server_to_themselves_and_begin_with_what_is_there() -> None:
    call = step("call", "first", each=10, call=draft_and_review(), in_order=True)
    some = plan(step("first", model="a"), call, step("last", "call", model="b"), step("aside", model="c"))
    forecast = forecast_of(some)
    assert stays(forecast) == ["a: first", "a and b: call/draft, call/review", "b: last", "c: aside"]
    assert loads(forecast) == (21, 21)


def test_two_calls_that_each_want_two_models_at_once_do_not_push_out_each_other_s() -> None:
    other = plan(step("draft", model="c"), step("review", "draft", model="d"), name="callee")
    calls = [step(f"call{n}", each=10, call=call, in_order=True) for n, call in enumerate((draft_and_review(), other))]
    forecast = forecast_of(plan(*calls, max_loaded=2))
    assert loads(forecast) == (4, 4)
    assert (forecast.on_demand_loads, forecast.on_demand_seconds) == (4, 410.0)
    assert forecast.seconds == 410.0


def test_without_a_plan_items_wait_until_a_call_no_longer_has_the_server_for_itself() -> None:
    """They come while it works, and their model is in memory; it is not theirs before the call is over."""
    call = step("call", each=3, call=draft_and_review(), in_order=True)
    some = plan(call, step("first"), step("many", "first", each=4, model="b", max_parallel=1))
    forecast = forecast_of(some)
    assert (forecast.on_demand_loads, forecast.on_demand_seconds) == (6, 3 * 30.0 + 4 * 10.0)


def test_the_rounds_of_a_repeated_call_pass_one_by_one() -> None:
    forecast = forecast_of(plan(step("call", call=draft_and_review(), repeat=True), step("c", model="a")))
    assert "a and b: call/draft, call/review" in stays(forecast)
    assert loads(forecast) == (2, 3)


def test_within_an_item_that_passes_alone_the_items_of_a_step_go_side_by_side() -> None:
    rows = step("rate", "draft", rows=("a", "b"), max_parallel=1)
    inner = plan(
        step("draft", model="a", each=4, max_parallel=2), rows, step("sum", call=draft_and_review()), name="in"
    )
    forecast = forecast_of(plan(step("call", each=2, call=inner, in_order=True), parallel=8))
    assert set(forecast.agenda.ranks) == {
        "call/draft", "call/rate[0]", "call/rate[1]", "call/sum/draft", "call/sum/review",
    }  # fmt: skip
    assert forecast.seconds == 2 * (2 + 2 + 2) * 10.0 + forecast.loads * 5.0
    assert forecast.naive_seconds == 2 * (4 + 2 + 2) * 10.0 + forecast.naive_loads * 5.0


def test_rows_that_differ_in_model_are_groups_of_their_own() -> None:
    forecast = forecast_of(plan(step("probe", rows=("a", "b", "a")), step("end", "probe", model="b")))
    assert stays(forecast) == ["a: probe[0], probe[2]", "b: probe[1], end"]
    assert loads(forecast) == (2, 4)


def test_rows_of_a_call_that_pass_one_by_one_wait_for_each_other() -> None:
    call = step("probe", rows=("a", "b"), call=draft_and_review(), in_order=True)
    forecast = forecast_of(plan(call))
    assert [name for name, _ in sorted(forecast.agenda.ranks.items(), key=lambda one: one[1])] == [
        "probe[0]/draft", "probe[0]/review", "probe[1]/draft", "probe[1]/review",
    ]  # fmt: skip
    assert forecast.chain
    assert loads(forecast) == (4, 4)


@pytest.mark.parametrize(
    ("each", "items", "guessed"),
    [
        (3, 3, {}),
        ("[1, 2]", 2, {}),
        ("steps.a.output", 10, {"s": 10}),
        ('{"no": "list"}', 10, {"s": 10}),
        (Matrix(axes={"x": (1, 2), "y": (1, 2)}), 4, {}),
    ],
)
def test_how_many_items_are_reckoned_with(each: Any, items: int, guessed: dict[str, int]) -> None:
    forecast = forecast_of(plan(step("s", model="a", each=each), parallel=1))
    assert forecast.seconds == 5 + 10 * items
    assert forecast.guessed_items == guessed


def test_an_empty_list_costs_nothing_and_keeps_its_place() -> None:
    some = plan(
        step("none", model="b", each=0),
        step("call", "none", each=0, call=draft_and_review()),
        step("c", "call", model="a"),
    )
    forecast = forecast_of(some)
    assert stays(forecast) == ["a: c"]
    assert forecast.seconds == forecast.naive_seconds == 15.0
    assert set(forecast.agenda.ranks) == {"none", "call/draft", "call/review", "c"}


def test_bounds_of_a_call_hold_for_all_of_its_steps_together() -> None:
    call = step("call", each=4, call=draft_and_review(), max_parallel=2)
    assert forecast_of(plan(call, max_loaded=2)).seconds == 45.0
    assert forecast_of(plan(step("s", model="a", each=5, max_parallel=2))).seconds == 35.0


def test_a_model_that_is_there_costs_nothing_and_takes_no_place() -> None:
    there = choice("mine", loaded=True)
    some = plan(step("s0", model=there), step("s1", model="a"), step("s2", model=there), parallel=1)
    forecast = forecast_of(some)
    assert stays(forecast) == ["a: s1"]
    assert loads(forecast) == (1, 1)
    assert forecast.seconds == 30.0  # it loads while the others work
    assert [one.model for one in forecast.estimates] == ["a"]


def test_memory_bounds_what_is_there_together() -> None:
    big, small, tiny = choice("a", size=6), choice("b", size=3), choice("c", size=2)
    steps = [step(f"s{n}", model=(big, small, tiny)[n % 3]) for n in range(6)]
    forecast = forecast_of(plan(*steps, memory=9))
    assert loads(forecast) == (3, 6)
    assert forecast_of(plan(*steps, memory=11)).seconds == 15.0
    assert loads(forecast_of(plan(*steps, memory=1))) == (3, 6)


def test_two_servers_work_at_the_same_time() -> None:
    other = choice("b", "http://two")
    forecast = forecast_of(plan(step("s0", model="a"), step("s1", model=other)), Costs(steps={"w/s0": 4.0}))
    assert forecast.seconds == 15.0
    assert {stay.endpoint for stay in forecast.agenda.stays} == {HERE, "http://two"}
    assert forecast.agenda.stays_at("http://two") == (Stay(endpoint="http://two", model="b", groups=("s1",)),)


def test_what_was_measured_goes_before_the_size_and_that_before_habit() -> None:
    gigabyte = 1024**3
    some = plan(
        step("s0", model=choice("a", size=gigabyte)),
        step("s1", model=choice("b", size=2 * gigabyte)),
        step("s2", model=choice("c")),
        step("s3"),
    )
    costs = Costs(loads={(HERE, "a"): 3.25}, steps={"w/s0": 1.0, "w/s1": 2.0, "w/s2": 3.0})
    forecast = forecast_of(some, costs)
    assert forecast.estimates == (
        LoadEstimate(endpoint=HERE, model="a", seconds=3.25, measured=True),
        LoadEstimate(endpoint=HERE, model="b", seconds=3.0, measured=False),
        LoadEstimate(endpoint=HERE, model="c", seconds=5.0, measured=False, sized=False),
    )
    assert forecast.step_seconds == 0.0
    assert forecast.naive_seconds == 3.25 + 3 + 5 + 1 + 2 + 3 + 1


def test_a_chain_is_told_and_nothing_else_is_one() -> None:
    links = [step(f"s{n}", *([f"s{n - 1}"] if n else []), model="ab"[n % 2]) for n in range(4)]
    forecast = forecast_of(plan(*links))
    assert forecast.chain
    assert loads(forecast) == (4, 4)
    assert forecast.seconds == forecast.naive_seconds == 60.0
    assert not forecast_of(plan(*links[:3], step("s3", "s0", "s1", model="b"))).chain
    assert not forecast_of(plan(step("one", model="a"))).chain


def test_in_a_chain_too_the_next_model_loads_while_this_one_works_where_both_fit() -> None:
    links = [step(f"s{n}", *([f"s{n - 1}"] if n else []), model="abc"[n]) for n in range(3)]
    assert forecast_of(plan(*links, max_loaded=2)).seconds == 35.0


def test_a_list_that_ends_later_than_no_list_is_thrown_away() -> None:
    """With two slots `b` is best waited for on one of them, which no order of starts says."""
    costs = Costs(
        loads={(HERE, "a"): 2.0, (HERE, "b"): 5.0}, steps={"w/s0": 2.0, "w/s1": 7.0, "w/s2": 2.0, "w/s3": 6.0}
    )
    some = plan(
        step("s0", model="a"), step("s1", model="b"), step("s2", model="a"), step("s3"), parallel=2, max_loaded=2
    )
    forecast = forecast_of(some, costs)
    assert forecast.agenda.stays == ()
    assert list(forecast.agenda.ranks) == ["s0", "s1", "s2", "s3"]
    assert (forecast.seconds, forecast.loads) == (forecast.on_demand_seconds, forecast.on_demand_loads) == (12.0, 2)


@pytest.mark.parametrize(
    ("over", "room", "opened"),
    [
        ((), Room(), (0,)),
        ((0,), Room(), (1,)),
        ((), Room(most=2), (0, 1, 2)),
        ((1,), Room(most=2), (0, 2, 3)),
        ((0, 2), Room(most=2), (1, 3)),
        ((0, 1, 2, 3), Room(most=2), (4,)),
        ((0, 1, 2, 3, 4), Room(), (5,)),
        ((), Room(most=None, memory=10, sizes={"a": 5, "b": 6}), (0,)),
        ((), Room(most=None, memory=11, sizes={"a": 5, "b": 6, "c": 1}), (0, 1, 2)),
        ((), Room(most=None), (0, 1, 2, 3)),
        ((0, 1, 2, 3, 4, 5), Room(), ()),
    ],
)
def test_which_stays_are_open(over: tuple[int, ...], room: Room, opened: tuple[int, ...]) -> None:
    models = ("a", "b", "a", "c", "d", "a")
    some = [
        Stay(endpoint=HERE, model=model, groups=(f"g{n}",), swaps=("e",) if model == "d" else ())
        for n, model in enumerate(models)
    ]
    assert open_stays(some, over, room) == opened


def test_thousands_of_items_are_reckoned_as_a_few_are() -> None:
    two = plan(step("x", each=5000, model="a"), step("y", "x", each=5000, model="b"))
    forecast = forecast_of(two)
    assert forecast.seconds == 5 + 625 * 10 + 5 + 625 * 10
    assert loads(forecast) == (2, 2)
    assert loads(forecast_of(plan(step("call", each=5000, call=draft_and_review())))) == (2, 10_000)


def test_of_a_hundred_steps_and_five_models_hardly_any_are_loaded_twice() -> None:
    steps = [step(f"s{n}", *([f"s{n - 10}"] if n >= 10 else []), model="abcde"[n * 7 % 5]) for n in range(100)]
    forecast = forecast_of(plan(*steps))
    assert forecast.naive_loads == 100
    assert forecast.loads < 20
    assert forecast.seconds < forecast.naive_seconds / 2.5
