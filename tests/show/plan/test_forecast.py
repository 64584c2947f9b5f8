"""What the schedule comes to, in words."""

from __future__ import annotations

import json
from dataclasses import replace

from runner.plan.agenda import Agenda, Forecast, LoadEstimate, Stay
from runner.show.plan.forecast import forecast_json, forecast_text

ONE = "http://one:1234"
AGENDA = Agenda(
    stays=(
        Stay(endpoint=ONE, model="qwen/qwen3-8b", groups=("call/draft",)),
        Stay(endpoint=ONE, model="b", groups=("call/review", "end")),
    ),
    ranks={"call/draft": 0, "call/review": 1, "end": 2},
)
FORECAST = Forecast(
    agenda=AGENDA,
    loads=2,
    naive_loads=20,
    seconds=125.0,
    naive_seconds=320.0,
    on_demand_loads=3,
    on_demand_seconds=130.0,
    estimates=(
        LoadEstimate(endpoint=ONE, model="qwen/qwen3-8b", seconds=3.1, measured=True),
        LoadEstimate(endpoint=ONE, model="b", seconds=18.0, measured=False),
        LoadEstimate(endpoint=ONE, model="c", seconds=5.0, measured=False, sized=False),
    ),
    step_seconds=10.0,
    guessed_items={"call": 10, "other": 10},
)


def text(forecast: Forecast, room: int = 200) -> str:
    return "\n".join(forecast_text(forecast, room))


def test_the_loads_the_order_and_the_numbers_are_told() -> None:
    assert text(FORECAST) == (
        "loads: 2 (naive order: 20), estimated 2m05s (naive order: 5m20s)\n"
        "order: first qwen/qwen3-8b: call/draft; then b: call/review, end\n"
        "reckoned with: qwen/qwen3-8b 3.1s to load, measured; b 18s to load, by its size; c 5s to load, assumed;"
        " a task 10s, assumed; 10 items of each, assumed: call, other"
    )


def test_long_lines_are_broken_between_words() -> None:
    assert forecast_text(FORECAST, 44) == [
        "loads: 2 (naive order: 20), estimated 2m05s",
        "  (naive order: 5m20s)",
        "order: first qwen/qwen3-8b: call/draft; then",
        "  b: call/review, end",
        "reckoned with: qwen/qwen3-8b 3.1s to load,",
        "  measured; b 18s to load, by its size; c 5s",
        "  to load, assumed; a task 10s, assumed; 10",
        "  items of each, assumed: call, other",
    ]
    assert max(map(len, forecast_text(FORECAST, 12))) == 12


def test_a_chain_is_told_that_no_order_saves_anything() -> None:
    chain = replace(FORECAST, chain=True, loads=4, naive_loads=4, naive_seconds=125.0)
    told = "loads: 4; a chain: every step waits for the one before, so no order saves anything; estimated 2m05s"
    assert forecast_text(chain, 200)[0] == told
    assert forecast_text(replace(chain, naive_seconds=130.0), 200)[0] == f"{told} (naive order: 2m10s)"
    prefetched = replace(chain, naive_loads=5)
    assert forecast_text(prefetched, 200)[0] == "loads: 4 (naive order: 5), estimated 2m05s (naive order: 2m05s)"


def test_nothing_is_promised_where_the_naive_order_is_as_good() -> None:
    same = replace(FORECAST, naive_loads=2, naive_seconds=125.4)
    assert forecast_text(same, 200)[0] == "loads: 2, estimated 2m05s; the naive order is as good"
    slower = replace(FORECAST, naive_loads=2)
    assert forecast_text(slower, 200)[0] == "loads: 2 (naive order too), estimated 2m05s (naive order: 5m20s)"


def test_without_an_agenda_models_are_loaded_when_they_are_asked_for() -> None:
    bare = replace(FORECAST, agenda=Agenda(), estimates=(), step_seconds=0.0, guessed_items={})
    assert forecast_text(bare, 200)[1:] == ["order: that of the file; each model is loaded when it is asked for"]
    assert len(forecast_text(replace(bare, loads=0), 200)) == 1


def test_each_server_has_its_order_and_long_ones_are_cut() -> None:
    stays = [Stay(endpoint=ONE, model=f"m{n}", groups=(f"s{n}",)) for n in range(11)]
    stays.append(Stay(endpoint="http://two", model="x", groups=tuple("abcdefg"), swaps=("y",)))
    told = forecast_text(replace(FORECAST, agenda=Agenda(stays=tuple(stays))), 300)
    assert told[1:3] == [
        "order on http://one:1234: first m0: s0; then m1: s1; then m2: s2; then m3: s3; then m4: s4; then m5: s5;"
        " then m6: s6; then m7: s7; and 3 more",
        "order on http://two: x and y in turns: a, b, c, d and 3 more",
    ]


def test_machines_are_told_all_of_it() -> None:
    told = forecast_json(FORECAST)
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "loads": 2,
        "naive_loads": 20,
        "on_demand_loads": 3,
        "seconds": 125.0,
        "naive_seconds": 320.0,
        "on_demand_seconds": 130.0,
        "chain": False,
        "stays": [
            {"endpoint": ONE, "model": "qwen/qwen3-8b", "swaps": [], "groups": ["call/draft"]},
            {"endpoint": ONE, "model": "b", "swaps": [], "groups": ["call/review", "end"]},
        ],
        "estimates": [
            {"endpoint": ONE, "model": "qwen/qwen3-8b", "seconds": 3.1, "by": "measurement"},
            {"endpoint": ONE, "model": "b", "seconds": 18.0, "by": "size"},
            {"endpoint": ONE, "model": "c", "seconds": 5.0, "by": "assumption"},
        ],
        "step_seconds": 10.0,
        "guessed_items": {"call": 10, "other": 10},
    }
