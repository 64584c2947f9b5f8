"""What every kind of tool box does for us: the built-in files, a painted server, and real ones over both wires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kit.servers import Everything, Workbench, node_server, python_server

from runner.chat.toolbox import ToolBox, ToolResult
from runner.words.errors import ToolServerError
from runner.workflow.model import Server

Call = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Wall:
    """A kind of tool box, and calls of which we know what must come of them."""

    name: str
    make: Callable[[Workbench], ToolBox]
    good: Call
    text: str
    """What the answer of the good call holds."""
    fails: Call
    """A call that fits the tool's schema, and that the tool cannot fulfil; the same as ``wrong`` where all can be."""
    wrong: Call
    """A call that does not fit the tool's schema."""
    slow: Call
    patience: float = 0.0
    """Seconds after which ``slow`` is at work and not done yet; 0: it is cancelled before it goes out."""
    lives: bool = True
    """Whether something runs that can be ended."""


@dataclass
class Http:
    """server-everything over HTTP, started when it is first needed."""

    servers: list[Everything] = field(default_factory=list)

    def box(self, bench: Workbench) -> ToolBox:
        if not self.servers:
            self.servers.append(Everything("streamableHttp"))
        url = f"http://127.0.0.1:{self.servers[0].port}/mcp"
        return bench.box(Server(name="srv", path=("mcp_servers", "srv"), url=url))

    def close(self) -> None:
        for server in self.servers:
            server.kill()


def files(bench: Workbench) -> ToolBox:
    (bench.folder / "a.txt").write_text("hello\n", encoding="utf-8")
    return bench.box(Server(name="srv", path=("mcp_servers", "srv"), builtin="files", root=".", write=True))


ECHO: Call = ("echo", {"message": "hello"})
SUM: Call = ("get-sum", {"a": "one"})
LONG: Call = ("trigger-long-running-operation", {"duration": 30, "steps": 30})
TIME: Call = ("get_current_time", {"timezone": "Europe/Berlin"})
HTTP = Http()
WALLS = [
    Wall("files", files, ("read", {"path": "a.txt"}), "hello", ("read", {"path": "b.txt"}), ("read", {"path": 3}),
         ("search", {"pattern": "hello"}), lives=False),
    Wall("painted", lambda bench: bench.odd("slow", "0.5"), ECHO, "hello", ("echo", {"message": 3}),
         ("echo", {"message": 3}), ("echo", {"message": "slow"}), patience=0.1),
    Wall("mcp-server-time", lambda bench: bench.stdio(python_server("mcp-server-time"), "--local-timezone", "UTC"),
         TIME, "Europe/Berlin", ("get_current_time", {"timezone": "Nowhere/Land"}), ("get_current_time", {}), TIME),
    Wall("everything over stdio", lambda bench: bench.stdio(node_server("mcp-server-everything")),
         ECHO, "Echo: hello", SUM, SUM, LONG, patience=0.2),
    Wall("everything over http", HTTP.box, ECHO, "Echo: hello", SUM, SUM, LONG, patience=0.2),
]  # fmt: skip
ALL = pytest.mark.parametrize("wall", WALLS, ids=lambda wall: wall.name, scope="module")


@pytest.fixture(scope="module", autouse=True)
def far() -> Iterator[None]:
    """What HTTP needs ends with the module."""
    yield
    HTTP.close()


@dataclass
class Open:
    """A started box and the loop that it lives in."""

    wall: Wall
    box: ToolBox
    bench: Workbench
    runner: asyncio.Runner

    def call(self, call: Call) -> ToolResult:
        """One call, from its beginning to its end."""
        return self.runner.run(self.box.call(*call))


@pytest.fixture(scope="module")
def opened(wall: Wall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """One box for all tests of a wall: what a test does to it, the next must be able to live with."""
    bench = Workbench(tmp_path_factory.mktemp("box"))
    box = wall.make(bench)
    with asyncio.Runner() as runner:
        try:
            facts = runner.run(box.start())
            assert facts.name
            yield Open(wall, box, bench, runner)
            runner.run(box.close())
        finally:
            bench.offspring.kill_all_now()


@ALL
def test_its_tools_are_sorted_described_and_have_schemas_of_objects(opened: Open) -> None:
    tools = opened.box.tools
    assert [tool.name for tool in tools] == sorted(tool.name for tool in tools)
    assert opened.wall.good[0] in {tool.name for tool in tools}
    assert opened.box.name == "srv"
    for tool in tools:
        assert tool.description
        assert tool.input_schema["type"] == "object"
        assert tool.effect in ("none", "idempotent", "unsafe")


@ALL
def test_a_call_is_answered_with_text(opened: Open) -> None:
    result = opened.call(opened.wall.good)
    assert not result.is_error
    assert opened.wall.text in result.text


@ALL
def test_a_tool_that_fails_is_a_result_that_says_why(opened: Open) -> None:
    result = opened.call(opened.wall.fails)
    assert result.is_error
    assert result.text


@ALL
def test_arguments_that_do_not_fit_are_a_result_that_says_so(opened: Open) -> None:
    result = opened.call(opened.wall.wrong)
    assert result.is_error
    assert result.text


@ALL
def test_a_tool_that_is_not_there_is_a_result_that_names_it(opened: Open) -> None:
    result = opened.call(("no_such_tool", {}))
    assert result.is_error
    assert "no_such_tool" in result.text


@ALL
def test_calls_at_the_same_time_each_get_their_own_answer(opened: Open) -> None:
    async def several() -> list[ToolResult]:
        calls = [opened.wall.good, ("no_such_tool", {})] * 3
        return list(await asyncio.gather(*(opened.box.call(*call) for call in calls)))

    results = opened.runner.run(several())
    assert [result.is_error for result in results] == [False, True] * 3


@ALL
def test_a_cancelled_call_ends_at_once_and_the_box_lives_on(opened: Open) -> None:
    async def cancelled() -> bool:
        call = asyncio.create_task(opened.box.call(*opened.wall.slow))
        await asyncio.sleep(opened.wall.patience)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        return call.cancelled()

    assert opened.runner.run(cancelled())
    assert opened.wall.text in opened.call(opened.wall.good).text


@ALL
def test_a_restart_leaves_a_box_that_lives_alone(opened: Open) -> None:
    before, tools = opened.bench.groups(), opened.box.tools
    opened.runner.run(opened.box.restart())
    assert (opened.bench.groups(), opened.box.tools) == (before, tools)
    assert opened.wall.text in opened.call(opened.wall.good).text


@ALL
def test_it_may_be_closed_before_during_and_after_its_life_and_started_anew(wall: Wall, tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    box = wall.make(bench)

    async def lives() -> None:
        await box.close()
        await box.start()
        await box.close()
        await box.close()
        assert bench.groups() == ()
        if wall.lives:
            with pytest.raises(ToolServerError, match="MCP server `srv` was closed"):
                await box.call(*wall.good)
        await box.restart()
        assert wall.text in (await box.call(*wall.good)).text
        await box.close()

    asyncio.run(lives())
    assert bench.groups() == ()


@pytest.mark.parametrize("wall", [wall for wall in WALLS if wall.lives], ids=lambda wall: wall.name, scope="module")
def test_before_its_start_a_call_is_refused(wall: Wall, tmp_path: Path) -> None:
    with pytest.raises(ToolServerError, match="MCP server `srv` was not started"):
        asyncio.run(wall.make(Workbench(tmp_path)).call(*wall.good))
