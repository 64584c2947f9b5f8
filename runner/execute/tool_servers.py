"""Calls to the tool servers of a run: a death is survived once per server, then it is a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from runner.chat.toolbox import Tool, ToolBox, ToolResult
from runner.record.events import ToolServerDied
from runner.record.journal import Journal
from runner.words.errors import ToolServerError


class ToolServers:
    """The started tool servers of a run, by name.

    A server that dies in a call is started again once in a run (format, point 8); the caller that was cut off decides
    whether to tell the model or to fail. Callers that were cut off by the same death share one restart.
    """

    def __init__(self, boxes: Mapping[str, ToolBox], journal: Journal) -> None:
        self._boxes = boxes
        self._journal = journal
        self._locks = {name: asyncio.Lock() for name in boxes}
        self._generations = dict.fromkeys(boxes, 0)
        self._dead: dict[str, ToolServerError] = {}

    def tools(self, server: str) -> tuple[Tool, ...]:
        """The tools of one server."""
        return self._boxes[server].tools

    def revived(self, server: str) -> bool:
        """Whether the server is alive (again) after the last death."""
        return server not in self._dead

    async def call(self, server: str, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool of a server.

        Raises:
            ToolServerError: the server died in this call, or is dead for good. ``revived`` tells which.
        """
        async with self._locks[server]:  # waits for a restart under way
            generation = self._generations[server]
        dead = self._dead.get(server)
        if dead is not None:
            raise ToolServerError(server, dead.message, stderr=dead.stderr, hint=dead.hint) from dead
        try:
            return await self._boxes[server].call(tool, arguments)
        except ToolServerError as error:
            await self._revive(server, generation, error)
            raise

    async def _revive(self, server: str, generation: int, error: ToolServerError) -> None:
        """Start the server anew after its first death; who comes second finds it done.

        A caller that is cancelled in mid-restart leaves it to the next one that was cut off by the same death.
        """
        async with self._locks[server]:
            if self._generations[server] != generation or server in self._dead:
                return
            restarted = generation == 0 and await self._restarted(server)
            self._generations[server] += 1
            if not restarted:
                self._dead[server] = error
            self._journal.append(ToolServerDied(server=server, message=error.message, restarted=restarted))

    async def _restarted(self, server: str) -> bool:
        try:
            await self._boxes[server].restart()
        except ToolServerError:
            return False
        return True
