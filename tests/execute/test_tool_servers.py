"""Deaths of tool servers: one is survived, callers of one death share one restart, the second is final."""

from __future__ import annotations

import asyncio

import pytest
from kit.world import PaintedBox

from runner.chat.toolbox import Tool
from runner.edges.run_folder import RunFolder
from runner.execute.tool_servers import ToolServers
from runner.record.events import ToolServerDied
from runner.record.journal import Journal
from runner.words.errors import ToolServerError

TOOLS = (Tool(name="act"),)


class Room:
    """One server that dies when ``alive`` is false; a restart makes it live again after some turns of the loop."""

    def __init__(self, folder, *, lives=1, slow=5):
        self.alive = True
        self.lives = lives
        self.slow = slow
        self.entries = []
        journal = Journal(RunFolder.open(run_id="r", parent=str(folder)).journal, "r", lambda: 0.0, lambda event: event)
        journal.listen(self.entries.append)
        self.box = PaintedBox("box", TOOLS, self.answer, self.rise)
        self.servers = ToolServers({"box": self.box}, journal)

    async def answer(self, tool, arguments):
        await asyncio.sleep(0)
        if not self.alive:
            raise ToolServerError("box", "it died", stderr="last words")
        return "alive"

    async def rise(self):
        for _ in range(self.slow):
            await asyncio.sleep(0)
        if self.lives == 0:
            raise ToolServerError("box", "it does not start")
        self.lives -= 1
        self.alive = True

    async def call(self):
        try:
            return (await self.servers.call("box", "act", {})).text
        except ToolServerError as error:
            return f"{error.message}, {'started again' if error.revived else 'gone'}"

    @property
    def deaths(self):
        return [e.event.restarted for e in self.entries if isinstance(e.event, ToolServerDied)]


@pytest.fixture
def room(tmp_path):
    return lambda **settings: Room(tmp_path, **settings)


def test_tools_are_those_of_the_box(room):
    assert room().servers.tools("box") == TOOLS


def test_callers_that_were_cut_off_by_one_death_share_one_restart(room):
    it = room()
    it.alive = False

    async def work():
        told = await asyncio.gather(*(it.call() for _ in range(5)))
        return told, await it.call()

    assert asyncio.run(work()) == (["it died, started again"] * 5, "alive")
    assert (it.box.restarts, it.deaths) == (1, [True])


def test_the_second_death_is_final(room):
    it = room(lives=9)

    async def work():
        it.alive = False
        first = await it.call()
        it.alive = False
        return first, await it.call(), await it.call()

    assert asyncio.run(work()) == ("it died, started again", "it died, gone", "it died, gone")
    assert (it.box.restarts, it.deaths, len(it.box.calls)) == (1, [True, False], 2)


def test_a_server_that_does_not_start_again_is_gone(room):
    it = room(lives=0)
    it.alive = False
    assert asyncio.run(it.call()) == "it died, gone"
    assert it.deaths == [False]


def test_what_is_said_of_a_server_that_is_gone_is_what_it_died_of(room):
    it = room(lives=0)
    it.alive = False

    async def work():
        await it.call()
        with pytest.raises(ToolServerError) as caught:
            await it.servers.call("box", "act", {})
        return caught.value

    error = asyncio.run(work())
    assert (error.message, error.stderr, error.server) == ("it died", "last words", "box")


def test_a_call_during_the_restart_waits_for_it(room):
    it = room(slow=50)

    async def work():
        it.alive = False
        first = asyncio.create_task(it.call())
        while it.box.restarts == 0:  # noqa: ASYNC110  a few turns of the loop
            await asyncio.sleep(0)
        return await it.call(), await first

    assert asyncio.run(work()) == ("alive", "it died, started again")


def test_a_restart_whose_caller_is_cancelled_is_done_by_the_next(room):
    it = room(slow=50)

    async def work():
        it.alive = False
        impatient = asyncio.create_task(it.call())
        patient = asyncio.create_task(it.call())
        while it.box.restarts == 0:  # noqa: ASYNC110  a few turns of the loop
            await asyncio.sleep(0)
        impatient.cancel()
        return await patient, await it.call()

    assert asyncio.run(work()) == ("it died, started again", "alive")
    assert it.deaths == [True]
