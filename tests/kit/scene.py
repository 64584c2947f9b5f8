"""Scenes: a simulator on a socket, a house of the bridge, and what the server heard."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kit.simulator import simulator

from runner.app.bridge.autonomous.autonomous import TaskEnd, run_autonomous
from runner.app.bridge.autonomous.task import AutonomousTask, TaskServer
from runner.app.bridge.house import BridgeHouse, BridgeSettings
from runner.record.journal import Listener


class Scene:
    """One LM Studio for one test. ``url`` is set by ``studio``."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.url = "http://127.0.0.1:9"

    def studio(self, models: Mapping[str, Any], *, faults: Any = (), **settings: Any) -> str:
        """Serve these models until the test ends."""
        script = {"settings": settings, "faults": list(faults), "models": dict(models)}
        self.url = self._stack.enter_context(simulator(script, log="log"))
        return self.url

    def gone(self) -> None:
        """The server is no more; who waits for an answer of it hears so."""
        self._stack.close()

    def heard(self, end: str = "/chat/completions") -> list[Any]:
        """The bodies of the requests to such a path, in the order in which they were answered."""
        return [line["request"] for line in self._lines() if line["path"].endswith(end)]

    def counted(self) -> Counter[str]:
        """How often each verb was asked: ``load``, ``unload``, ``completions``, ``models``…"""
        return Counter(line["path"].rpartition("/")[2] for line in self._lines())

    def _lines(self) -> list[Any]:
        log = Path("log")  # a line may hold what `splitlines` would take for the end of one
        return [json.loads(line) for line in log.read_text("utf-8").split("\n") if line] if log.exists() else []

    def house(self, **settings: Any) -> BridgeHouse:
        return BridgeHouse(BridgeSettings(endpoints=(self.url,), **settings), dict(os.environ))

    def in_house(self, story: Callable[[BridgeHouse], Awaitable[Any]], **settings: Any) -> Any:
        """Tell a story in a house, and close it."""

        async def whole() -> Any:
            house = self.house(**settings)
            try:
                return await story(house)
            finally:
                await house.close()

        return asyncio.run(whole())

    def do(self, task: str = "Hello", **given: Any) -> TaskEnd:
        """One task in a house of its own."""
        end: TaskEnd = self.in_house(lambda house: ask(house, task, **given))
        return end


async def ask(house: BridgeHouse, task: str = "Hello", *, listener: Listener | None = None, **given: Any) -> TaskEnd:
    return await run_autonomous(house, AutonomousTask(task=task, **given), mcp_label="scene", listener=listener)


def servers(**entries: Mapping[str, Any]) -> tuple[TaskServer, ...]:
    """MCP servers out of a file of a host."""
    file = Path("mcp.json").absolute()
    file.write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")
    return tuple(TaskServer(name=name, file=str(file)) for name in entries)


def tool_server(name: str, calling: str, *arguments: str, tools: str = "[ECHO]") -> dict[str, Any]:
    """An entry of an MCP server of a few lines: ``calling`` is run in each call, before it is answered."""
    path = Path(f"{name}.py").absolute()
    path.write_text(_TOOL_SERVER.format(calling=calling, tools=tools), encoding="utf-8")
    return {"command": sys.executable, "args": [str(path), *arguments]}


_TOOL_SERVER = """
import json, os, sys
from pathlib import Path
ECHO = {{"name": "echo", "description": "Changes something.", "inputSchema": {{"type": "object", "properties": {{}}}}}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, reply = asked["method"], {{"jsonrpc": "2.0", "id": asked["id"]}}
    if method == "initialize":
        reply["result"] = {{"protocolVersion": "2025-11-25", "capabilities": {{"tools": {{}}}},
                           "serverInfo": {{"name": "small", "version": "1"}}}}
    elif method == "tools/list":
        reply["result"] = {{"tools": {tools}}}
    elif method == "tools/call":
        {calling}
        reply["result"] = {{"content": [{{"type": "text", "text": "done"}}]}}
    else:
        reply["error"] = {{"code": -32601, "message": "no such method"}}
    print(json.dumps(reply), flush=True)
"""


def loaded(*turns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A model in memory; it says Hi where no turn says otherwise."""
    return {"loaded": {"context_length": 8192}, "turns": list(turns), "default": {"say": "Hi."}, **more}


def cold(*turns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A model that is only downloaded."""
    return {"turns": list(turns), "default": {"say": "Hi."}, **more}
