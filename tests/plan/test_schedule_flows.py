"""Whatever a workflow file says: planning ends, and its agenda can be carried out, never worse than without one."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kit.agenda_walker import walk
from kit.flows import MODELS, Made, flows
from kit.painted_server import PaintedModel, PaintedServer

from runner.chat.catalogue import Catalogue
from runner.chat.endpoint import Endpoint
from runner.plan.agenda import NO_COSTS
from runner.plan.make import make_plan
from runner.plan.plan import Plan
from runner.plan.schedule.build import make_problem
from runner.plan.schedule.schedule import make_forecast
from runner.plan.setting import Setting
from runner.workflow.load import load

WHOLE = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""A failing example is told as it was found: to make it smaller takes minutes."""
ADDRESSES = ("http://one", "http://two")


@cache
def catalogue(servers: int) -> Catalogue:
    """All models on one server; or the last on a second one."""
    shared = (MODELS,) if servers == 1 else (MODELS[:-1], MODELS[-1:])
    painted = [
        PaintedServer({name: PaintedModel(load=5) for name in models}, endpoint=address)
        for models, address in zip(shared, ADDRESSES, strict=False)
    ]
    return Catalogue(tuple(asyncio.run(server.catalogue()) for server in painted))


def plan_of(made: Made, servers: int, max_loaded: int) -> Plan:
    setting = Setting(servers=tuple(Endpoint(url=address, max_loaded=max_loaded) for address in ADDRESSES[:servers]))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "callee.yaml").write_text(made.callee)
        (Path(folder) / "flow.yaml").write_text(made.text)
        return make_plan(load(f"{folder}/flow.yaml").workflow, catalogue(servers), inputs={}, setting=setting)


@WHOLE
@given(flows(), st.integers(1, 2), st.integers(1, 2))
def test_every_workflow_has_an_agenda_that_can_be_carried_out_to_its_end(
    made: Made, servers: int, max_loaded: int
) -> None:
    some = plan_of(made, servers, max_loaded)
    forecast = make_forecast(some)
    if forecast is None:
        return
    ours = (round(forecast.seconds, 6), forecast.loads)
    assert ours <= (round(forecast.naive_seconds, 6), forecast.naive_loads)
    assert ours <= (round(forecast.on_demand_seconds, 6), forecast.on_demand_loads)
    problem = make_problem(some, NO_COSTS)
    assert sorted(forecast.agenda.ranks) == sorted(group for job in problem.jobs for group in job.groups)
    if forecast.agenda.stays:
        walked = walk(problem, forecast.agenda)
        assert (walked.seconds, walked.loads) == (pytest.approx(forecast.seconds), forecast.loads)
        assert len(walked.ended) == sum(job.units for job in problem.jobs)
