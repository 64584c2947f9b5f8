"""How many requests a model gets at once, and how much context they fill together."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from kit.virtual_time import run_virtually

from runner.execute.slots import Slots


def play(slots, *requests, seconds=10, cancel=()):
    """``(tokens)`` or ``(tokens, alone)`` in this order; the second at which each got in, None if it never did."""
    entered = [None] * len(requests)

    async def one(number, tokens, alone=False):
        patience = dict(cancel).get(number, 10_000)
        with anyio.move_on_after(patience):
            async with slots.hold(tokens, alone=alone):
                entered[number] = anyio.current_time() - 1000
                await anyio.sleep(seconds)

    async def all_of_them():
        async with anyio.create_task_group() as group:
            for number, request in enumerate(requests):
                group.start_soon(one, number, *(request if isinstance(request, tuple) else (request,)))

    run_virtually(all_of_them())
    assert slots.busy == 0
    return entered


def test_no_bound_at_all():
    assert play(Slots(), *[10**9] * 5) == [0] * 5


def test_so_many_at_once_in_their_order():
    assert play(Slots(2), 1, 1, 1, 1, 1) == [0, 0, 10, 10, 20]


def test_their_tokens_within_the_pool():
    assert play(Slots(9, 100), 60, 40, 1, 99) == [0, 0, 10, 10]
    assert play(Slots(9, 100), 60, 41, 1) == [0, 10, 10]


def test_first_come_first_served_though_a_later_one_would_fit():
    assert play(Slots(9, 100), 60, 60, 10) == [0, 10, 10]


def test_one_that_is_too_large_for_the_pool_goes_alone():
    assert play(Slots(9, 100), 10, 500, 10) == [0, 10, 20]


def test_one_that_wants_to_be_alone():
    assert play(Slots(9, 100), 10, (10, True), 10, 10) == [0, 10, 20, 20]


@pytest.mark.parametrize("first", [(10, True), 10])
def test_after_it_all_goes_on(first):
    assert play(Slots(2), first, (1, True), 1, 1, 1) == [0, 10, 20, 20, 30]


def test_who_gives_up_waiting_makes_way():
    assert play(Slots(9, 100), 60, 60, 10, cancel=[(1, 3)]) == [0, None, 3]


def test_who_gives_up_working_frees_its_slot():
    assert play(Slots(1), 1, 1, cancel=[(0, 4)]) == [0, 4]


def test_who_is_let_in_and_cancelled_in_one_moment_keeps_no_slot():
    slots = Slots(1)

    async def both():
        entered = []

        async def second():
            async with slots.hold(1):
                entered.append("second")

        async with slots.hold(1):
            waiting = asyncio.ensure_future(second())
            await anyio.sleep(1)
        waiting.cancel()  # its turn has come, and it has not run since
        await asyncio.wait([waiting])
        return entered, slots.busy

    assert run_virtually(both()) == ([], 0)


def test_widening_lets_in_who_waits():
    slots = Slots(1)

    async def first_then_all():
        times = []

        async def one():
            async with slots.hold(1):
                times.append(anyio.current_time() - 1000)
                await anyio.sleep(10)

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
            await anyio.sleep(15)
            slots.widen(4)
        return times

    assert run_virtually(first_then_all()) == [0, 10, 15, 15, 15]
