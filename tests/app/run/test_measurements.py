"""What a run measures for later forecasts: loads, and steps from their first question on."""

from __future__ import annotations

import asyncio

from kit.painted_server import PaintedModel, PaintedServer
from kit.virtual_time import LoopClock, run_virtually
from kit.world import Bench

from runner.app.run.measurements import Measurements

CALLEE = """version: 1
name: callee
steps:
  - {id: draft, model: a, task: Draft.}
  - {id: review, model: b, task: Review.}
"""
TEXT = """version: 1
name: whole
steps:
  - {id: call, for_each: [1, 2], workflow: callee.yaml}
  - {id: each, for_each: [1, 2, 3], model: a, task: "{{ item }}"}
  - {id: bad, model: a, task: "fail", retry: {attempts: 1}, on_error: continue}
"""


def test_loads_and_the_mean_of_each_step_without_the_load_before_it(tmp_path):
    async def say(request):
        words = request.messages[-1].content
        await asyncio.sleep({"1": 1, "2": 2, "3": 6}.get(words, 4))
        if words == "fail":
            raise ValueError("no")
        return "done"

    (tmp_path / "callee.yaml").write_text(CALLEE)
    server = PaintedServer({"a": PaintedModel(load=30), "b": PaintedModel(load=20)}, say, parallel=8, shared=False)
    bench = Bench(tmp_path, backend=server, clock=LoopClock(), start=run_virtually)
    plans = []
    bench.plan = lambda plan: plans.append(plan) or plan
    ran = bench.run(TEXT)
    measured = Measurements(plans[0])
    for entry in ran.entries:
        measured.entry(entry)
    assert measured.loads == {("http://painted", "a"): 30.0, ("http://painted", "b"): 20.0}
    assert measured.steps == {"callee/draft": 4.0, "callee/review": 4.0, "whole/each": 3.0}
