"""A step's own time stands still while it waits for its model; the run's goes on."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import pytest
from kit.virtual_time import LoopClock, run_virtually

from runner.execute.step_time import StepTime


def time_of(*, timeout=10.0, run=None, limit=None):
    clock = LoopClock()
    deadline = None if run is None else clock.monotonic() + run
    world = SimpleNamespace(clock=clock, deadline=deadline, limits=SimpleNamespace(time=limit or run))
    return StepTime(world, SimpleNamespace(step=SimpleNamespace(timeout=timeout), model=object()))


def play(*moves, **facts):
    """``(wait, seconds)`` or ``(work, seconds)`` one after another; the second at which it was over, and the error."""

    async def whole():
        time, began, done = time_of(**facts), anyio.current_time(), False
        with time.bounded():
            for kind, seconds in moves:
                if kind == "wait":
                    async with time.standing_still():
                        await anyio.sleep(seconds)
                else:
                    await anyio.sleep(seconds)
            done = True
        return anyio.current_time() - began, None if done else str(time.over())

    return run_virtually(whole())


OWN = "the step's timeout of 10s is over"
RUN = "the run's time limit of 30s is over"


@pytest.mark.parametrize(
    ("moves", "run", "end"),
    [
        ([("work", 9)], None, (9, None)),
        ([("work", 11)], None, (10, OWN)),
        ([("wait", 100), ("work", 9)], None, (109, None)),
        ([("wait", 100), ("work", 11)], None, (110, OWN)),
        ([("work", 6), ("wait", 100), ("work", 3)], None, (109, None)),
        ([("work", 6), ("wait", 100), ("work", 5)], None, (110, OWN)),
        ([("wait", 5), ("work", 4), ("wait", 5), ("work", 4)], None, (18, None)),
        ([("wait", 100)], 30.0, (30, RUN)),
        ([("wait", 25), ("work", 9)], 30.0, (30, RUN)),
        ([("work", 11)], 30.0, (10, OWN)),
        ([("wait", 15), ("work", 11)], 30.0, (25, OWN)),
    ],
)
def test_when_it_is_over_and_why(moves, run, end):
    assert play(*moves, run=run) == end
