"""Signs of life: what a host hears while work goes on."""

from __future__ import annotations

import asyncio

from runner.app.bridge.heartbeat import heartbeat

Told = list[tuple[float, float | None, str]]


def test_work_that_is_silent_gives_signs_of_life_whose_numbers_grow() -> None:
    told: Told = []

    three, later = asyncio.Event(), asyncio.Event()

    async def hear(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))
        if len(told) == 3:
            three.set()
        if done > 1.6:
            later.set()

    async def go() -> None:
        async with heartbeat(hear, every=0.01) as tell:
            await three.wait()
            await tell(1, 3, "one is done")
            await later.wait()
            await tell(2, 3, "two are done")

    asyncio.run(go())
    numbers = [done for done, _, _ in told]
    assert numbers == sorted(set(numbers))
    assert all(done < 1 for done, _, message in told if "done" not in message)
    assert [message for _, _, message in told if message in ("one is done", "two are done")] == [
        "one is done",
        "two are done",
    ]
    assert any(message.startswith("working for ") and message.endswith("; one is done") for _, _, message in told)
    assert told[-1] == (2, 3, "two are done")


def test_numbers_that_fall_back_are_told_as_growing_ones() -> None:
    told: Told = []

    async def hear(done: float, total: float | None, message: str) -> None:
        told.append((done, total, message))

    async def go() -> None:
        async with heartbeat(hear, every=100) as tell:
            for done in (2, 2, 1, 5):
                await tell(done, None, "step")

    asyncio.run(go())
    numbers = [done for done, _, _ in told]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (2, 5)


def test_a_host_that_does_not_read_stops_no_work() -> None:
    async def never(done: float, total: float | None, message: str) -> None:
        await asyncio.Event().wait()

    async def go() -> str:
        async with asyncio.timeout(30), heartbeat(never, every=0.01) as tell:
            for number in range(200):
                await tell(number, None, "on")
            return "done"

    assert asyncio.run(go()) == "done"


def test_a_host_that_is_gone_stops_no_work() -> None:
    async def gone(done: float, total: float | None, message: str) -> None:
        raise ConnectionError

    async def go() -> str:
        async with heartbeat(gone, every=0.01) as tell:
            await tell(1, None, "on")
            await asyncio.sleep(0.05)
            return "done"

    assert asyncio.run(go()) == "done"
