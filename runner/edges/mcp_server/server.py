"""What stands behind a desk, offered as an MCP server: the wall over the SDK's server (``mcp`` 2.x).

The SDK's low-level server is used because our tools come and go, and because their arguments are judged behind the
desk, in our words. It speaks to hosts of 2025 (handshake) and of 2026 (no handshake) alike. Importing this module loads
the SDK, which takes a second: only who serves does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from runner import __version__
from runner.chat.offer import Answered, Desk, Offer, Progress

NAME: Final = "bridge-run"
LOOK_EVERY: Final = 2.0
"""Seconds between two looks whether other tools are offered."""
SESSIONS: Final = 1_000
"""Of so many hosts it is known how to tell them that the tools have changed."""
GONE: Final = "runner.gone"
"""In the scope of an HTTP request: an event that is set when nobody reads the answer any more."""


class DeskServer(Server[Any]):
    """The SDK's server over a desk; ``instructions`` is what hosts tell their model about it."""

    def __init__(self, desk: Desk, *, instructions: str, look_every: float = LOOK_EVERY) -> None:
        self._desk = desk
        self._bus = InMemorySubscriptionBus()
        self._listening = ListenHandler(self._bus)
        self._sessions: dict[str, ServerSession] = {}
        self._look_every = look_every
        super().__init__(
            NAME,
            version=__version__,
            title="bridge-run",
            instructions=instructions,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=self._listening,
        )

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """As the SDK's, and hosts of 2025 are promised to be told when the tools change."""
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """While the context lives, hosts are told when other tools are offered."""
        looking = asyncio.create_task(self._look(), name="look for other tools")
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait((looking,))
            self._listening.close()

    async def _look(self) -> None:
        seen = await self._desk.offers()
        while True:
            await asyncio.sleep(self._look_every)
            found = await self._desk.offers()
            if found != seen:
                seen = found
                await self._tell_changed()

    async def _tell_changed(self) -> None:
        await self._bus.publish(ToolsListChanged())
        for session in tuple(self._sessions.values()):
            await session.send_tool_list_changed()  # to who is gone it goes nowhere

    def _remember(self, context: Any) -> None:
        """Hosts of 2025 are told over their session, the others over the stream that they ask for."""
        request = context.request
        key = "" if request is None else request.headers.get("mcp-session-id")
        if key is None:
            return
        self._sessions.pop(key, None)
        self._sessions[key] = context.session
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    async def _list_tools(self, context: Any, _: PaginatedRequestParams | None) -> ListToolsResult:
        self._remember(context)
        return ListToolsResult(tools=[_tool(offer) for offer in await self._desk.offers()])

    async def _call_tool(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        call = self._desk.call(params.name, params.arguments or {}, _progress(context.session))
        gone = None if context.request is None else context.request.scope.get(GONE)
        return _result(await _to_the_end(asyncio.ensure_future(call), gone))


async def _to_the_end(working: asyncio.Task[Answered], gone: asyncio.Event | None) -> Answered:
    """What it gives. Who cancels, or is ``gone``, ends the work: it is cancelled once, and waited for.

    The work is a task of its own, as the scopes of anyio cancel again and again, and work that is cancelled twice may
    not clean up.
    """
    waiting = [working] if gone is None else [working, asyncio.ensure_future(gone.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait(waiting)
    if working.cancelled():  # not we were cancelled: as a cancellation it would take the whole session along
        raise MCPError(INTERNAL_ERROR, "the call was cancelled")
    return working.result()


def _progress(session: ServerSession) -> Progress:
    """Nothing is sent to a host that gave no token; who hears no more harms no work."""

    async def tell(done: float, total: float | None, message: str) -> None:
        await session.report_progress(done, total, message)

    return tell


def _tool(offer: Offer) -> Tool:
    return Tool(
        name=offer.name,
        title=offer.title,
        description=offer.description,
        input_schema=_plain(offer.input_schema),
        output_schema=None if offer.output_schema is None else _plain(offer.output_schema),
        annotations=ToolAnnotations(
            title=offer.title,
            read_only_hint=offer.read_only,
            destructive_hint=offer.destructive,
            idempotent_hint=offer.idempotent,
            open_world_hint=offer.open_world,
        ),
    )


def _result(answered: Answered) -> CallToolResult:
    structured = _plain(answered.structured)
    text = answered.text
    if text is None:
        text = json.dumps(structured, ensure_ascii=False, indent=2)
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured, is_error=answered.is_error
    )


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same of lists and dictionaries alone."""
    plain: dict[str, Any] = json.loads(json.dumps(value, default=_as_json))
    return plain


def _as_json(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
