"""A start that is cancelled at any of its steps: nobody waits for ever, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import anyio
import pytest
from kit.project import processes_with, wait_until

from runner.edges.command import CommandRunner
from runner.edges.process_group import Offspring
from runner.edges.stdio_pipe import Launch, start_process

STEPS = 12
"""Turns of the event loop; a start takes five of them on Python 3.11."""


def marked(path: Path) -> str:
    """A text that only the processes of this test have in their command line."""
    return f"marker-{path.name}-{os.getpid()}"


def group_of_two(mark: str) -> tuple[str, ...]:
    """A shell and what it has started."""
    return ("/bin/sh", "-c", f"{sys.executable} -c 'import time; time.sleep(300)' {mark}; true")


def nothing_left(mark: str) -> None:
    wait_until(lambda: processes_with(mark) == [], "every process is gone")


def cancelled_after(turns, work):
    async def play():
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.current_task().cancelling() == 0

    asyncio.run(play())


@pytest.mark.parametrize("turns", range(STEPS))
def test_a_command(turns: int, tmp_path: Path):
    mark, offspring = marked(tmp_path), Offspring()
    cancelled_after(turns, lambda: CommandRunner(dict(os.environ), offspring).run(group_of_two(mark), env={}))
    assert len(offspring) == 0
    nothing_left(mark)


@pytest.mark.parametrize("turns", range(STEPS))
def test_a_tool_server(turns: int, tmp_path: Path):
    mark, offspring = marked(tmp_path), Offspring()
    launch = Launch(argv=group_of_two(mark), environment=dict(os.environ), folder=str(tmp_path))

    async def use():
        pipe = await start_process(launch, offspring=offspring)
        try:
            await asyncio.Event().wait()
        finally:
            await pipe.end(grace=0.0)

    cancelled_after(turns, use)
    assert len(offspring) == 0
    nothing_left(mark)


@pytest.mark.parametrize("turns", range(STEPS))
def test_a_scope_that_is_cancelled_ends_there_and_its_task_goes_on(turns: int, tmp_path: Path):
    """A step that is called off while its command starts has an end like any other."""
    mark, offspring, ended = marked(tmp_path), Offspring(), []

    async def work(scope):
        with scope:
            await CommandRunner(dict(os.environ), offspring).run(group_of_two(mark), env={})
        ended.append(asyncio.current_task().cancelling())

    async def play():
        scope = anyio.CancelScope()
        async with anyio.create_task_group() as group:
            group.start_soon(work, scope)
            for _ in range(turns):
                await asyncio.sleep(0)
            scope.cancel()

    asyncio.run(play())
    assert ended == [0]
    assert len(offspring) == 0
    nothing_left(mark)


def test_two_cancellations_at_once_count_as_two(tmp_path: Path):
    """What ``asyncio.timeout`` and task groups count by stays right."""
    mark, offspring = marked(tmp_path), Offspring()
    launch = Launch(argv=group_of_two(mark), environment=dict(os.environ), folder=str(tmp_path))
    seen = []

    async def use():
        pipe = await start_process(launch, offspring=offspring)
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(asyncio.current_task().cancelling())
            await pipe.end(grace=0.0)

    async def play():
        task = asyncio.create_task(use())
        for _ in range(2):
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play())
    assert seen == [2]
    nothing_left(mark)
