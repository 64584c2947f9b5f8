"""Programs on one server: one at a time loads a model, and the last one that uses it unloads it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
from pathlib import Path

from runner.edges.neighbour import Neighbours

DESK = "http://desk:1"
HOLDER = """\
import asyncio, sys
from runner.edges.neighbour import Neighbours

async def hold():
    async with Neighbours({"XDG_RUNTIME_DIR": sys.argv[1]}).turn("http://desk:1", "big"):
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


def program(folder: Path) -> Neighbours:
    return Neighbours({"XDG_RUNTIME_DIR": str(folder)})


async def is_free(one: Neighbours, endpoint: str, model: str) -> bool:
    async def take() -> None:
        async with one.turn(endpoint, model):
            pass

    try:
        await asyncio.wait_for(take(), 0.3)
    except TimeoutError:
        return False
    return True


def test_one_at_a_time_and_only_for_the_same_model_of_the_same_server(tmp_path: Path) -> None:
    async def story() -> list[bool]:
        one, other = program(tmp_path), program(tmp_path)
        async with one.turn(DESK, "big"):
            held = [
                await is_free(other, endpoint, model)
                for endpoint, model in [(DESK, "big"), (DESK, "BIG"), (DESK, "small"), ("http://rack:1", "big")]
            ]
        return [*held, await is_free(other, DESK, "big")]

    assert asyncio.run(story()) == [False, False, True, True, True]


def test_a_program_that_is_killed_holds_nobody_up(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert asyncio.run(is_free(program(tmp_path), DESK, "big")) is False
        holder.kill()
        holder.wait()
    assert asyncio.run(is_free(program(tmp_path), DESK, "big")) is True


def test_servers_of_our_own_are_nobody_elses(tmp_path: Path) -> None:
    assert asyncio.run(is_free(program(tmp_path), "embedded:big", "big"))
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert asyncio.run(is_free(program(tmp_path / "file"), DESK, "big"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "bridge-run").symlink_to(tmp_path)  # somebody else may have put it there
    assert asyncio.run(is_free(program(tmp_path / "other"), DESK, "big"))
    assert not list(tmp_path.glob("*.lock"))


def test_the_folder_is_the_users_own(tmp_path: Path) -> None:
    assert asyncio.run(is_free(program(tmp_path), DESK, "big"))
    assert (tmp_path / "bridge-run").stat().st_mode & 0o777 == 0o700


def leaves(one: Neighbours, *, ours: bool) -> bool:
    with one.leave(DESK, "big", "big", ours=ours) as last:
        return last


def test_the_last_one_that_uses_a_model_unloads_it(tmp_path: Path) -> None:
    loader, second, third = (program(tmp_path) for _ in range(3))
    assert [one.use(DESK, "big") for one in (loader, second, third, third)] == [True] * 4
    assert [leaves(loader, ours=True), leaves(second, ours=False), leaves(third, ours=False)] == [False, False, True]


def test_what_nobody_of_us_loaded_stays(tmp_path: Path) -> None:
    """A person did."""
    one, other = program(tmp_path), program(tmp_path)
    assert one.use(DESK, "big")
    assert other.use(DESK, "big")
    assert [leaves(one, ours=False), leaves(other, ours=False)] == [False, False]


def test_what_was_left_to_a_program_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    """Somebody may have unloaded it since, and a person loaded it."""
    loader, killed, later = (program(tmp_path) for _ in range(3))
    assert loader.use(DESK, "big")
    assert killed.use(DESK, "big")
    assert leaves(loader, ours=True) is False
    os.close(killed._used.pop((DESK, "big")))  # as the system does
    assert later.use(DESK, "big")
    assert leaves(later, ours=False) is False


def test_nobody_begins_to_use_what_is_being_unloaded(tmp_path: Path) -> None:
    one, other = program(tmp_path), program(tmp_path)
    assert one.use(DESK, "big")
    with one.leave(DESK, "big", "big", ours=True) as last:
        assert last
        assert other.use(DESK, "big") is False
    assert other.use(DESK, "big") is True


async def _waits(one: Neighbours, *, giving_up: asyncio.Event | None = None) -> bool:
    """Wait for the model and use it; whether it is to be unloaded at the end. Or give up, and say the same."""
    waiting = asyncio.ensure_future(_turn(one))
    if giving_up is not None:
        await giving_up.wait()
        waiting.cancel()
    await asyncio.wait((waiting,))
    if not waiting.cancelled():
        assert one.use(DESK, "big:2")
    for model, instance in one.inherited(DESK):
        assert (model, instance) == ("big", "big:2")
    with one.leave(DESK, "big", "big:2", ours=False) as last:
        return last


async def _turn(one: Neighbours) -> None:
    async with one.turn(DESK, "big", wants=True):
        pass


def test_what_is_waited_for_is_not_unloaded_but_left_to_who_waits(tmp_path: Path) -> None:
    async def story() -> tuple[bool, list[bool]]:
        loader, others = program(tmp_path), [program(tmp_path) for _ in range(3)]
        assert loader.use(DESK, "big:2")
        async with loader.turn(DESK, "BIG"):
            waiting = [asyncio.create_task(_waits(one)) for one in others]
            await asyncio.sleep(0.05)
            with loader.leave(DESK, "BIG", "big:2", ours=True) as last:
                pass
        return last, await asyncio.gather(*waiting)

    last, done = asyncio.run(story())
    assert last is False
    assert sorted(done) == [False, False, True]  # the last one that uses it unloads it


def test_who_waits_for_it_last_and_gives_up_unloads_what_was_left_to_him(tmp_path: Path) -> None:
    async def story() -> tuple[bool, bool]:
        loader, other, giving_up = program(tmp_path), program(tmp_path), asyncio.Event()
        assert loader.use(DESK, "big:2")
        async with loader.turn(DESK, "big"):
            waiting = asyncio.create_task(_waits(other, giving_up=giving_up))
            await asyncio.sleep(0.05)
            with loader.leave(DESK, "big", "big:2", ours=True) as last:
                pass
            giving_up.set()
            return last, await waiting

    assert asyncio.run(story()) == (False, True)


def test_who_wants_a_model_himself_does_not_leave_it_to_himself(tmp_path: Path) -> None:
    async def story() -> bool:
        one = program(tmp_path)
        async with one.turn(DESK, "big", wants=True):
            assert one.use(DESK, "big:2")
            with one.leave(DESK, "big", "big:2", ours=True) as last:
                return last

    assert asyncio.run(story()) is True


def test_what_was_left_to_those_who_wait_and_were_killed_is_forgotten(tmp_path: Path) -> None:
    async def story() -> bool:
        loader, killed, later = (program(tmp_path) for _ in range(3))
        assert loader.use(DESK, "big:2")
        wants = killed._opened(DESK, "big", "want")
        assert wants is not None
        fcntl.flock(wants, fcntl.LOCK_SH)
        with loader.leave(DESK, "big", "big:2", ours=True) as last:
            assert last is False
        os.close(wants)  # as the system does
        return await _waits(later)

    assert asyncio.run(story()) is False
