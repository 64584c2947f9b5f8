"""What the schedule saves where a server cannot hold all models: reckoned on its virtual clock, so without any noise.

A workflow whose steps wait for some of those shortly before them, each with one of five models: a load is taken to
last 5 s, a step 10 s, and 8 steps run at once. The floor is the order of the file, one step after the other; "on
demand" is whatever may start, in that order, each model loaded when it is asked for. The time to plan is real.
"""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from figure import Figure, ms

from runner.chat.catalogue import Catalogue, EndpointCatalogue, ModelEntry
from runner.chat.endpoint import Endpoint
from runner.plan.make import make_plan
from runner.plan.plan import Plan
from runner.plan.schedule.schedule import make_forecast
from runner.plan.setting import Setting
from runner.words.units import show_seconds
from runner.workflow.load import load

SERVER = "http://127.0.0.1:1234"
MODELS = tuple(f"model-{letter}" for letter in "abcde")
REACH = 30
"""How far before a step those can be that it waits for."""


def steps_of_models(folder: Path, length: int) -> Path:
    """The workflow file; the same for the same length."""
    dice = random.Random(length)
    lines = ["version: 1", f"name: models-{length}", "steps:"]
    for number in range(length):
        near = range(max(0, number - REACH), number)
        needs = sorted(set(dice.choices(near, k=dice.choice([0, 1, 1, 2, 3])))) if near else []
        model = dice.choice(MODELS)
        names = ", ".join(f"s{need}" for need in needs)
        lines.append(f"  - {{id: s{number}, needs: [{names}], model: {model}, task: 'Step {number}'}}")
    path = folder / f"models-{length}.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def plan_of(path: Path, most: int) -> Plan:
    """The plan for a server that holds ``most`` models at once and has none of them loaded."""
    models = tuple(ModelEntry(key=name, type="llm", loaded=False) for name in MODELS)
    server = EndpointCatalogue(endpoint=SERVER, flavour="lmstudio-v1", models=models, manages=True)
    setting = Setting(servers=(Endpoint(url=SERVER, max_loaded=most),))
    return make_plan(load(str(path)).workflow, Catalogue((server,)), setting=setting)


def bench_schedule(folder: Path, repeat: int) -> list[Figure]:
    """200 steps and 5 models on a server that holds one, then two; and how long it takes to plan them, and 2,000."""
    figures = []
    for most in (1, 2):
        plan = plan_of(steps_of_models(folder, 200), most)
        what = f"200 steps, 5 models, {most} in memory"
        forecast = make_forecast(plan)
        assert forecast is not None, "every step has a model"
        saved = forecast.naive_loads / forecast.loads
        quicker = forecast.naive_seconds / forecast.seconds
        figures += [
            Figure(
                what=f"{what}: loads", floor=f"{forecast.naive_loads}", ours=f"{forecast.loads}",
                compared=f"{saved:.1f} times fewer; on demand {forecast.on_demand_loads}",
                mark="no more than either", holds=forecast.loads <= min(forecast.naive_loads, forecast.on_demand_loads),
            ),
            Figure(
                what=f"{what}: the run, reckoned", floor=show_seconds(forecast.naive_seconds),
                ours=show_seconds(forecast.seconds),
                compared=f"{quicker:.2f} times sooner; on demand {show_seconds(forecast.on_demand_seconds)}",
                mark="no later than either",
                holds=forecast.seconds <= min(forecast.naive_seconds, forecast.on_demand_seconds),
            ),
        ]  # fmt: skip
    for length, most_seconds in ((200, 0.5), (2000, 1.5)):
        plan = plan_of(steps_of_models(folder, length), 1)
        seconds = statistics.median(_planning(plan) for _ in range(min(repeat, 5)))
        figures.append(Figure(
            what=f"scheduling {length:,} steps", floor="–", ours=ms(seconds), compared="–",
            mark=f"at most {most_seconds:g} s", holds=seconds <= most_seconds,
        ))  # fmt: skip
    return figures


def _planning(plan: Plan) -> float:
    started = time.perf_counter()
    make_forecast(plan)
    return time.perf_counter() - started
