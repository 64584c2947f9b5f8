"""Tasks: how they end, and how long they are known."""

from __future__ import annotations

import asyncio

import pytest

from runner.app.bridge.tasks import TaskNotFoundError, Tasks, TooManyTasksError
from runner.chat.offer import Answered, Progress


async def good(_: Progress) -> Answered:
    return Answered(structured={"is": "done"})


async def endless(progress: Progress) -> Answered:
    await progress(1, None, "begun")
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def test_a_task_that_ends_is_kept_and_then_forgotten() -> None:
    async def go() -> None:
        tasks = Tasks(kept=1)
        first = tasks.begin("a", good)
        assert await first.wait(30)
        assert (first.status, first.answer) == ("completed", Answered(structured={"is": "done"}))
        assert tasks.find(first.id) is first
        second = tasks.begin("b", good)
        await second.wait(30)
        assert [task.id for task in tasks.all()] == [second.id]
        with pytest.raises(TaskNotFoundError) as gone:
            tasks.find(first.id)
        assert gone.value.to_dict()["tasks"] == [second.id]

    asyncio.run(go())


def test_a_task_is_forgotten_some_time_after_its_end() -> None:
    async def go() -> None:
        tasks = Tasks(kept_seconds=-1)
        task = tasks.begin("a", good)
        assert tasks.all() == (task,)
        await task.wait(30)
        assert tasks.all() == ()

    asyncio.run(go())


def test_a_cancelled_task_has_no_answer_even_if_it_never_began() -> None:
    async def go() -> None:
        tasks = Tasks()
        task = tasks.begin("a", endless)
        assert await task.cancel(30)
        assert (task.status, task.answer) == ("cancelled", None)
        assert await task.wait(0)
        assert await task.cancel()

    asyncio.run(go())


def test_who_does_not_wait_long_enough_is_told_that_it_goes_on() -> None:
    async def go() -> None:
        tasks = Tasks(at_once=1)
        task = tasks.begin("a", endless)
        assert not await task.wait(0.01)
        row = task.row()
        assert {key: row[key] for key in ("tool", "status", "progress", "message")} == {
            "tool": "a", "status": "working", "progress": 1, "message": "begun",
        }  # fmt: skip
        with pytest.raises(TooManyTasksError) as error:
            tasks.begin("b", good)
        assert error.value.retryable
        await tasks.close()
        assert task.status == "cancelled"

    asyncio.run(go())
