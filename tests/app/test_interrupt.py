"""Ctrl-C and SIGTERM around one task: what is cancelled by it, and that it is never forgotten."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from runner.app.interrupt import SIGNALS, interruptible
from runner.edges.process_group import Offspring

pytestmark = pytest.mark.parametrize("number", SIGNALS)


async def forever() -> str:
    await asyncio.Event().wait()
    return "never"


def test_a_signal_cancels_the_task(number: int) -> None:
    async def story() -> str:
        work = asyncio.ensure_future(forever())
        with interruptible(work, Offspring()):
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
            try:
                return await work
            except asyncio.CancelledError:
                return "cancelled"

    assert asyncio.run(story()) == "cancelled"


def test_a_signal_after_the_task_has_ended_is_not_forgotten(number: int) -> None:
    async def story(*, looks_again: bool) -> str:
        work = asyncio.ensure_future(asyncio.sleep(0, "done"))
        with interruptible(work, Offspring()):
            ended = await work
            os.kill(os.getpid(), number)  # while what was started is closed
            if looks_again:
                await asyncio.sleep(0.01)
        return ended

    for looks_again in (True, False):
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(story(looks_again=looks_again))


def test_who_stops_by_himself_is_not_cancelled(number: int) -> None:
    asked = asyncio.Event()

    def stop() -> bool:
        asked.set()
        return True

    async def story() -> str:
        async def work() -> str:
            await asked.wait()
            return "stopped"

        running = asyncio.ensure_future(work())
        with interruptible(running, Offspring(), stop):
            os.kill(os.getpid(), number)
            return await running

    assert asyncio.run(story()) == "stopped"


def test_an_error_of_the_task_is_told_although_a_signal_came(number: int) -> None:
    async def story() -> None:
        async def work() -> None:
            os.kill(os.getpid(), number)
            raise ValueError("the disk is full")

        running = asyncio.ensure_future(work())
        with interruptible(running, Offspring()):
            await running

    with pytest.raises(ValueError, match="the disk is full"):
        asyncio.run(story())


def test_the_handlers_of_others_are_theirs_again(number: int) -> None:
    async def story() -> object:
        before = signal.getsignal(number)
        with interruptible(asyncio.ensure_future(asyncio.sleep(0)), Offspring()):
            assert signal.getsignal(number) is not before
        return signal.getsignal(number) is before

    assert asyncio.run(story())
