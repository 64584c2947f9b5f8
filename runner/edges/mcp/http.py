"""MCP over HTTP: streamable HTTP, or the older SSE transport where the file asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.edges.mcp.link import Farewell
from runner.edges.mcp.mend import mend_result
from runner.edges.no_connection import why_no_connection
from runner.words.errors import ToolServerError
from runner.words.units import show_bytes, show_seconds
from runner.workflow.model import Server

if TYPE_CHECKING:
    import httpx2
    from mcp.client import Transport
    from mcp.client._transport import ReadStream, TransportStreams
    from mcp.shared.message import SessionMessage

ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of one answer, as for stdio
CONNECT_TIMEOUT = 30.0  # seconds to connect, to send, to get a connection


@dataclass(slots=True, kw_only=True)
class HttpLink:
    """A server at an address. ``status`` is that of its last refusal, for the words about it."""

    server: Server
    answer_limit: int = ANSWER_LIMIT
    status: int | None = None

    async def begin(self) -> None:
        """Nothing is to be started."""

    def transport(self) -> Transport:
        """A new transport to the address, with the headers of the file."""
        return self._connect()

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[TransportStreams]:
        transport = self._sse() if self.server.transport == "sse" else self._streamable()
        async with transport as (reader, writer):
            yield _MendingReader(reader), writer

    @asynccontextmanager
    async def _streamable(self) -> AsyncIterator[TransportStreams]:
        from mcp.client.streamable_http import streamable_http_client

        async with self._client() as client:
            transport = streamable_http_client(
                self.server.url or "", http_client=client, max_sse_event_size=self.answer_limit
            )
            async with transport as streams:
                yield streams

    def _sse(self) -> Transport:
        from mcp.client.sse import sse_client

        def make_client(
            headers: dict[str, str] | None = None,  # noqa: ARG001 - what the SDK would set is set by _client
            timeout: httpx2.Timeout | None = None,  # noqa: ARG001
            auth: httpx2.Auth | None = None,  # noqa: ARG001
        ) -> httpx2.AsyncClient:
            return self._client()

        return sse_client(self.server.url or "", httpx_client_factory=make_client)

    def _client(self) -> httpx2.AsyncClient:
        import httpx2

        # A stream may be silent for as long as a call may take; whoever calls has a timeout of his own.
        timeout = httpx2.Timeout(CONNECT_TIMEOUT, read=max(self.server.timeout, self.server.start_timeout) + 5.0)
        return httpx2.AsyncClient(
            headers=dict(self.server.headers), timeout=timeout, event_hooks={"response": [self._on_response]}
        )

    async def _on_response(self, response: httpx2.Response) -> None:
        """Remember a refusal, which the SDK tells only in part, and bound a body, which it does not."""
        if response.status_code >= 400:
            self.status = response.status_code
        if response.headers.get("content-type", "").lower().startswith("application/json"):
            response.stream = _bounded(response.stream, self.answer_limit)

    async def explain(self, error: BaseException | None, *, ready: bool) -> ToolServerError:
        """Why the address does not answer as an MCP server."""
        name, place = self.server.name, _place(self.server.url or "")
        if error is None:
            within = show_seconds(self.server.start_timeout)
            message = f"MCP server `{name}` did not answer within {within} at {place}"
        elif ready:
            message = f"the connection to MCP server `{name}` at {place} broke: {_words(error)}"
        elif self.status is not None:
            message = f"MCP server `{name}` at {place} refused the connection: HTTP {self.status}"
        else:
            message = f"MCP server `{name}` cannot be reached at {place}: {_words(error)}"
        return ToolServerError(name, message, hint=self._hint())

    def _hint(self) -> str:
        where = f"under `mcp_servers.{self.server.name}`"
        if self.status in (401, 403):
            return f"check `headers` {where}"
        if self.status in (404, 405) and self.server.transport == "http":
            return f"check the path of `url` {where}; an old server needs `transport: sse`"
        return f"start the server, or correct `url` {where}"

    async def end(self, farewell: Farewell) -> None:
        """The transport has closed everything already."""


@dataclass(slots=True)
class _MendingReader:
    """The SDK's stream of messages, each result mended before the SDK judges it."""

    inner: ReadStream[SessionMessage | Exception]

    @property
    def last_context(self) -> Any:
        """What the SDK asks of its own streams, by name."""
        return getattr(self.inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        return _mended(await self.inner.receive())

    def __aiter__(self) -> _MendingReader:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return _mended(await self.inner.__anext__())

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def __aenter__(self) -> _MendingReader:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.inner.__aexit__(kind, error, traceback)


def _mended(item: SessionMessage | Exception) -> SessionMessage | Exception:
    from mcp_types import JSONRPCResponse

    if not isinstance(item, Exception) and isinstance(item.message, JSONRPCResponse):
        mend_result(item.message.result)
    return item


def _bounded(stream: Any, limit: int) -> httpx2.AsyncByteStream:
    """The body, up to ``limit`` bytes; beyond, the error that the SDK turns into the answer of that one request."""
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in stream:
                size += len(chunk)
                if size > limit:
                    raise httpx2.StreamError(f"the answer is larger than {show_bytes(limit)}")
                yield chunk

        async def aclose(self) -> None:
            await stream.aclose()

    return Bounded()


def _place(url: str) -> str:
    """The address without what may be secret in it: user, password, query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _words(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return why_no_connection(error) or first[:300] or type(error).__name__
