"""Where the work at hand stands, as the journal tells it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runner.record.events import ModelAsked, RunFinished, StepRepeated, StepRetried, StepStarted, ToolCalled
from runner.record.whereabouts import Whereabouts, follow, whereabouts
from runner.record.wire import Entry


def hear(event: Any) -> None:
    follow(Entry(seq=1, at="", run="r", event=event))


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (StepStarted(step="fix", kind="task", item=2), Whereabouts(unit="fix[2]", attempt=1)),
        (StepRetried(step="fix", attempt=1, kind="server", message="", wait=1.0), Whereabouts(unit="fix", attempt=2)),
        (StepRepeated(step="fix", number=2, attempt=3), Whereabouts(unit="fix", attempt=3)),
        (
            ModelAsked(step="fix", attempt=1, round=4, model="m", messages=()),
            Whereabouts(unit="fix", attempt=1, round=4),
        ),
        (
            ToolCalled(step="fix", attempt=1, call="c", server="s", tool="t", arguments={}),
            Whereabouts(unit="fix", attempt=1),
        ),
        (RunFinished(status="failed", exit_code=1, outputs={}, seconds=0.0), Whereabouts()),
    ],
)
def test_an_event_says_where_its_task_stands(event: Any, place: Whereabouts) -> None:
    async def heard() -> Whereabouts:
        hear(event)
        return whereabouts()

    assert asyncio.run(heard()) == place


def test_tasks_side_by_side_stand_each_in_its_place() -> None:
    async def work(step: str) -> str:
        hear(StepStarted(step=step, kind="task"))
        await asyncio.sleep(0)
        return await asyncio.create_task(inner())

    async def inner() -> str:
        return whereabouts().unit

    async def both() -> list[str]:
        return await asyncio.gather(work("a"), work("b"))

    assert asyncio.run(both()) == ["a", "b"]
    assert whereabouts() == Whereabouts()


def test_a_place_in_words() -> None:
    assert str(Whereabouts()) == "the run"
    assert str(Whereabouts(unit="a[0]", attempt=1, round=2)) == "`a[0]` (attempt 1, round 2)"
