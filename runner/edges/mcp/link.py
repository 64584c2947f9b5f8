"""The way to one MCP server: what the owner of a session needs of a process or of an address. And loading the SDK."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, Protocol

from runner.words.errors import ToolServerError

if TYPE_CHECKING:
    from mcp.client import Transport


Farewell = Literal["full", "short", "none"]
"""How long a server may take to end by itself before it is told to: ``short`` if it is busy with what nobody wants."""


class Link(Protocol):
    """One life of a connection. ``begin``, then the transport, then ``end`` in every case."""

    async def begin(self) -> None:
        """Start the process, if there is one. Must not need the SDK: it loads meanwhile.

        Raises:
            ToolServerError: it cannot be started.
        """

    def transport(self) -> Transport:
        """The transport for ``mcp.Client``; called once, after the SDK was loaded."""

    async def explain(self, error: BaseException | None, *, ready: bool) -> ToolServerError:
        """Why it does not answer (any more), for people. ``error`` is what the SDK raised, None if it never answered.

        ``ready`` tells a death in a call from a failure to start.
        """

    async def end(self, farewell: Farewell) -> None:
        """Let go of it, with all it started; bounded, also when cancelled."""


async def load_sdk() -> None:
    """Import ``mcp``: most of a second of processor time, so in a thread beside the start of the servers."""
    await asyncio.to_thread(_load_sdk)


def _load_sdk() -> None:
    import logging

    import mcp

    # The SDK logs tracebacks of what we turn into errors of our own; without a handler they would reach the terminal.
    for name in (mcp.__name__, "client"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
