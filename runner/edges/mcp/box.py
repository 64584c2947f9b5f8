"""An MCP server as a ``ToolBox``, over the official SDK (``mcp`` 2.x).

Each life of a server has one owner task: it enters the SDK's client, says that it is ready, waits to be stopped and
leaves the client again, all in the same task, because the SDK's cancel scopes must not cross tasks. Calls come from
other tasks; a call that is cancelled is cancelled on the server too, and the session lives on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner import __version__
from runner.chat.toolbox import ServerFacts, Tool, ToolResult
from runner.edges.mcp.link import Link, load_sdk
from runner.edges.mcp.results import failed, result_of, tools_of
from runner.words.errors import ToolServerError, root_cause
from runner.words.units import show_seconds
from runner.workflow.model import Server

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import Tool as ListedTool

PAGES = 100  # of a list of tools; the SDK has no bound of its own
CLOSE_WITHIN = 6.0  # seconds a life may take to end by itself before it is cancelled


@dataclass(slots=True)
class _Life:
    """One life of a server, from its start to its end. ``busy``: it was called, and nobody waits for the answer."""

    name: str
    link: Link
    client: Client | None = None
    tools: tuple[Tool, ...] = ()
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    failure: ToolServerError | None = None
    task: asyncio.Task[None] | None = None
    served: bool = False
    busy: bool = False
    broken: bool = False

    @property
    def serves(self) -> bool:
        return self.client is not None and not self.stop.is_set() and not self.broken

    def begin(self) -> None:
        """Start the owner task."""
        self.task = asyncio.create_task(self._own(), name=f"mcp server {self.name}")

    async def _own(self) -> None:
        try:
            await self._serve()
        except (Exception, asyncio.CancelledError) as error:  # the task has no other reader: kept for who asks why
            await self.fail(error)
        finally:
            self.client = None
            try:
                await self.link.end("none" if not self.served else "short" if self.busy else "full")
            finally:
                self.loaded.set()
                self.ready.set()

    async def fail(self, error: BaseException) -> ToolServerError:
        """Keep, and give, the reason of the end; asked before the end, because afterwards every process was killed."""
        self.broken = True
        if self.failure is None:
            cause = root_cause(error)
            if not isinstance(cause, ToolServerError):
                cause = await self.link.explain(cause, ready=self.served)
            self.failure = cause
        return self.failure

    async def _serve(self) -> None:
        await self.link.begin()
        await load_sdk()
        self.loaded.set()
        from mcp import Client
        from mcp_types import Implementation

        info = Implementation(name="bridge-run", version=__version__)
        async with Client(self.link.transport(), client_info=info, cache=None) as client:
            self.tools = tools_of(await _list_tools(client, self.name))
            self.client, self.served = client, True
            self.ready.set()
            await self.stop.wait()

    async def end(self) -> None:
        """Stop it and wait for its end; a caller that is cancelled meanwhile hurries it, but waits nevertheless."""
        import anyio

        self.stop.set()
        if self.task is None:
            return
        if not self.ready.is_set():
            self.task.cancel()
        with anyio.CancelScope(shield=True):
            await self._wait_for_end(self.task)

    async def _wait_for_end(self, task: asyncio.Task[None]) -> None:
        cancelled: asyncio.CancelledError | None = None
        timeout: float | None = CLOSE_WITHIN
        while not task.done():
            try:
                done, _ = await asyncio.wait({task}, timeout=timeout)
                if done:
                    break
            except asyncio.CancelledError as error:
                cancelled = error
            task.cancel()
            timeout = None
        if cancelled is not None:
            raise cancelled


async def _list_tools(client: Client, name: str) -> list[ListedTool]:
    """Every page of the list of tools.

    Raises:
        ToolServerError: there is no end to them.
    """
    if client.server_capabilities is not None and client.server_capabilities.tools is None:
        return []
    listed: list[ListedTool] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        listed += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return listed
    raise ToolServerError(name, f"MCP server `{name}` is of no use: its list of tools has more than {PAGES} pages")


@dataclass(slots=True)
class McpToolBox:
    """A ``ToolBox``. ``make_link`` gives a new link for each life; texts of ``server`` are rendered already."""

    server: Server
    make_link: Callable[[], Link]
    _life: _Life | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """The name it has in the workflow file."""
        return self.server.name

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Its tools after ``start``, sorted by name."""
        return self._life.tools if self._life is not None else ()

    async def start(self) -> ServerFacts:
        """Start it and list its tools, within its start timeout.

        Raises:
            ToolServerError: it cannot be started, does not answer in time, or breaks the protocol.
        """
        async with self._lock:
            return await self._begin()

    async def _begin(self) -> ServerFacts:
        began = asyncio.get_running_loop().time()
        if self._life is not None:
            await self._life.end()
        self._life = life = _Life(self.name, self.make_link())
        life.begin()
        try:
            await life.loaded.wait()  # the import of the SDK takes our time, and none of the server's
            async with asyncio.timeout(self.server.start_timeout):
                await life.ready.wait()
        except TimeoutError:
            error = await life.link.explain(None, ready=False)
            await life.end()
            raise error from None
        except asyncio.CancelledError:
            await life.end()
            raise
        if life.client is None:
            raise await life.fail(ConnectionError("it ended at once"))
        return self._facts(life.client, asyncio.get_running_loop().time() - began)

    def _facts(self, client: Client, seconds: float) -> ServerFacts:
        info = client.server_info
        return ServerFacts(
            name=info.name if info else self.name,
            version=(info.version or "") if info else "",
            protocol=client.protocol_version or "",
            seconds=seconds,
        )

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool. One that fails, is refused, or takes longer than the server's timeout gives ``is_error``.

        Raises:
            ToolServerError: the server is not running, died in the call, or broke the protocol.
        """
        life = self._life
        if life is None:
            raise ToolServerError(self.name, f"MCP server `{self.name}` was not started")
        if life.stop.is_set():
            raise ToolServerError(self.name, f"MCP server `{self.name}` was closed")
        if not life.serves or life.client is None:
            raise await life.fail(ConnectionError("it is not running"))
        try:
            async with asyncio.timeout(self.server.timeout):
                answer = await life.client.call_tool(tool, dict(arguments))
        except asyncio.CancelledError:
            life.busy = True
            raise
        except TimeoutError:
            life.busy = True
            return failed(
                f"tool `{tool}` of `{self.name}` did not answer within {show_seconds(self.server.timeout)}; "
                "the call was cancelled, what it did until then is unknown"
            )
        except Exception as error:  # the SDK lets almost anything through; sorted right below
            return await self._sort_out(life, tool, error)
        return result_of(answer)

    async def _sort_out(self, life: _Life, tool: str, error: Exception) -> ToolResult:
        """What a model should read of is a result; what ends the session is raised."""
        from mcp import InputRequiredRoundsExceededError, MCPError
        from mcp_types import CONNECTION_CLOSED

        if isinstance(error, InputRequiredRoundsExceededError):
            return failed(f"tool `{tool}` of `{self.name}` asks a person for input, and nobody is there to answer")
        if isinstance(error, MCPError) and error.code != CONNECTION_CLOSED and error.message != "Session terminated":
            return failed(f"`{self.name}` refused the call of `{tool}`: {error.message}")
        raise await life.fail(error) from error

    async def restart(self) -> None:
        """Start anew after a death. Callers that saw the same death restart it once; a server that serves stays.

        Raises:
            ToolServerError: as ``start``.
        """
        async with self._lock:
            if self._life is None or not self._life.serves:
                await self._begin()

    async def close(self) -> None:
        """End it with everything it started: stdin closed, SIGTERM, SIGKILL. Never raises but cancellation."""
        life = self._life
        if life is not None:
            await life.end()
