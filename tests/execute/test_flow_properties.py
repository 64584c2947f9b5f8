"""Whatever a workflow looks like: it ends, nothing starts too early, bounds hold, and the order of the work changes
nothing in what comes of it.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.flows import MODELS, Made, flows
from kit.painted_server import PaintedModel, PaintedServer
from kit.virtual_time import LoopClock, run_virtually
from kit.world import Bench

from runner.chat.endpoint import Endpoint
from runner.plan.agenda import Agenda, Forecast, Stay
from runner.plan.setting import Setting
from runner.record.events import StepFinished, StepStarted
from runner.words.errors import LLMAuthenticationError

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Watched:
    """A server whose answers take a time that depends on a seed; ``most`` is how many asked it at once."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = self.most = 0
        self.server = PaintedServer({name: PaintedModel(load=5) for name in MODELS}, self.say)

    async def say(self, request):
        words = request.messages[-1].content
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(crc32(f"{self.seed} {words}".encode()) % 40 / 4)
        self.now -= 1
        if words.startswith("fail"):
            raise LLMAuthenticationError("it was to fail")
        return f"{words}: done"


def run(made: Made, seed: int, *, shuffled: int | None = None, max_loaded: int = 1):
    watched = Watched(seed)
    setting = Setting(servers=(Endpoint(url=watched.server.endpoint, max_loaded=max_loaded),))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "callee.yaml").write_text(made.callee)
        bench = Bench(Path(folder), backend=watched.server, clock=LoopClock(), start=run_virtually, setting=setting)
        if shuffled is not None:
            bench.plan = lambda plan: replace(plan, forecast=upside_down(plan.forecast, shuffled))
        return bench.run(made.text), watched


def upside_down(forecast: Forecast | None, seed: int) -> Forecast | None:
    """The same work in a senseless order: stays and ranks shuffled, groups torn from their stays."""
    if forecast is None:
        return None
    chance = random.Random(seed)
    groups = list(forecast.agenda.ranks)
    chance.shuffle(groups)
    stays = [Stay(endpoint=s.endpoint, model=s.model, groups=(g,)) for s in forecast.agenda.stays for g in s.groups]
    chance.shuffle(stays)
    return replace(forecast, agenda=Agenda(stays=tuple(stays), ranks={g: n for n, g in enumerate(groups)}))


def without_times(result):
    if isinstance(result, dict):
        return {k: without_times(v) for k, v in result.items() if k not in ("seconds", "run", "models", "file")}
    return [without_times(one) for one in result] if isinstance(result, list) else result


@SLOW
@given(flows(), st.integers(0, 1000), st.integers(1, 2))
def test_it_ends_starts_nothing_too_early_and_keeps_its_bounds(made, seed, max_loaded):
    ran, watched = run(made, seed, max_loaded=max_loaded)
    assert watched.most <= made.parallel
    assert watched.server.harm == []
    assert set(ran.end.finished) == set(made.needs)
    assert [entry.seq for entry in ran.entries] == list(range(1, len(ran.entries) + 1))
    ended: dict[str, StepFinished] = {}
    at_work: dict[str, int] = dict.fromkeys(made.needs, 0)
    for entry in ran.entries:
        event = entry.event
        if isinstance(event, StepStarted) and event.step in made.needs:
            needs = made.needs[event.step]
            assert set(needs) <= set(ended)
            if made.joins[event.step] == "all_succeeded":
                assert all(ended[n].status in ("succeeded", "recovered") or ended[n].tolerated for n in needs)
            if event.item is not None:
                at_work[event.step] += 1
                assert at_work[event.step] <= (made.caps.get(event.step) or 99)
        elif isinstance(event, StepFinished) and event.step in made.needs:
            if event.item is None:
                assert event.step not in ended
                ended[event.step] = event
            elif event.status != "skipped":
                at_work[event.step] -= 1


@SLOW
@given(flows(), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_the_result_is_the_same_to_the_byte_in_whatever_order_the_work_is_done(made, one, other, shuffled):
    first, _ = run(made, one)
    second, _ = run(made, other, shuffled=shuffled, max_loaded=2)
    assert json.dumps(without_times(first.result)) == json.dumps(without_times(second.result))
    assert json.dumps(first.outputs) == json.dumps(second.outputs)
