"""Calls to the tool servers of a run: a death is survived once per server, then it is a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from runner.chat.toolbox import Tool, ToolBox, ToolResult
from runner.execute.place import Recorder
from runner.record.events import ToolServerDied
from runner.words.errors import ToolServerError
from runner.workflow.model import Workflow


class ToolServers:
    """The started tool servers of a run, by name.

    A server that dies in a call is started again once in a run (format, point 8); the caller that was cut off decides
    whether to tell the model or to fail. Callers that were cut off by the same death share one restart.
    """

    def __init__(self, boxes: Mapping[str, ToolBox], journal: Recorder) -> None:
        self._boxes = boxes
        self._journal = journal
        self._locks = {name: asyncio.Lock() for name in boxes}
        self._generations = dict.fromkeys(boxes, 0)
        self._dead: dict[str, ToolServerError] = {}

    def beside(self, own: ToolServers) -> ToolServers:
        """These servers, and ``own`` ones in place of those of the same names."""
        return _Beside(self, own)

    def knows(self, server: str) -> bool:
        """Whether a server of that name was started."""
        return server in self._boxes

    def tools(self, server: str) -> tuple[Tool, ...]:
        """The tools of one server."""
        return self._boxes[server].tools

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool of a server.

        Raises:
            ToolServerError: the server died in this call, or is dead for good. Its ``revived`` tells which.
        """
        async with self._locks[server]:  # waits for a restart under way
            generation = self._generations[server]
        dead = self._dead.get(server)
        if dead is not None:
            raise _cut_off(dead, revived=False, restarted=None) from dead
        try:
            return await self._boxes[server].call(tool, arguments)
        except ToolServerError as error:
            restarted = await self._revive(server, generation, error)
            raise _cut_off(error, revived=server not in self._dead, restarted=restarted) from error

    async def _revive(self, server: str, generation: int, error: ToolServerError) -> bool | None:
        """Start the server anew after its first death; None for who comes second and finds it done.

        A caller that is cancelled in mid-restart leaves it to the next one that was cut off by the same death.
        """
        async with self._locks[server]:
            if self._generations[server] != generation or server in self._dead:
                return None
            restarted = generation == 0 and await self._restarted(server)
            self._generations[server] += 1
            if not restarted:
                self._dead[server] = error
            self._journal.append(ToolServerDied(server=server, message=error.message, restarted=restarted))
            return restarted

    async def _restarted(self, server: str) -> bool:
        try:
            await self._boxes[server].restart()
        except ToolServerError:
            return False
        return True


def _cut_off(error: ToolServerError, *, revived: bool, restarted: bool | None) -> ToolServerError:
    """What a caller is told of a death; of its own, for one death may cut off several."""
    told = ToolServerError(error.server, error.message, stderr=error.stderr, hint=error.hint)
    told.revived, told.restarted = revived, restarted
    return told


class _Beside(ToolServers):
    """The servers of a run, some of them replaced by processes of a step's own."""

    def __init__(self, run: ToolServers, own: ToolServers) -> None:
        self._run = run
        self._own = own

    def knows(self, server: str) -> bool:
        return self._own.knows(server) or self._run.knows(server)

    def tools(self, server: str) -> tuple[Tool, ...]:
        return self._whose(server).tools(server)

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        return await self._whose(server).call(server, tool, arguments)

    def _whose(self, server: str) -> ToolServers:
        return self._own if self._own.knows(server) else self._run


class ToolHouse(Protocol):
    """Starts tool servers in mid-run: those of called workflows, and processes of a step's own."""

    def of_callee(
        self, callee: Workflow, inputs: Mapping[str, Any], journal: Recorder
    ) -> AbstractAsyncContextManager[ToolServers]:
        """The servers that a called workflow uses, with its inputs; those that it alone uses end with it.

        Raises:
            StepError: kind ``tool_server``: one does not start, or lacks a tool; ``request``: its texts cannot be made.
        """

    def own(
        self, workflow: Workflow, names: Sequence[str], inputs: Mapping[str, Any], journal: Recorder
    ) -> AbstractAsyncContextManager[ToolServers]:
        """Servers of these names for one step alone (``isolate``).

        Raises:
            StepError: as ``of_callee``.
        """
