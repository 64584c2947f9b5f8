"""The clock of the machine."""

from __future__ import annotations

import asyncio
import time

from runner.edges.clock import Clock


def test_now_is_unix_time():
    before = time.time()
    assert before <= Clock().now() <= time.time()


def test_a_sleep_lasts_and_monotonic_measures_it():
    clock = Clock()
    start = clock.monotonic()
    asyncio.run(clock.sleep(0.02))
    assert clock.monotonic() - start >= 0.02


def test_a_sleep_of_less_than_nothing_lets_others_run():
    clock, order = Clock(), []

    async def other():
        order.append("other")

    async def story():
        task = asyncio.create_task(other())
        await clock.sleep(-1)
        order.append("sleeper")
        await task

    asyncio.run(story())
    assert order == ["other", "sleeper"]
