"""MCP over our own stdin and stdout.

The SDK's own (``mcp.server.stdio``, 2.3) is not used: it waits for a thread that reads stdin, so that SIGTERM would not
end us before the host closes its end, and its lines have no bound.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from runner.edges.line_splitter import LineSplitter, TooLong
from runner.edges.mcp_server.body import without_halves
from runner.edges.mcp_server.server import DeskServer
from runner.words.units import show_bytes

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage
    from mcp_types import RequestId

LINE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one message of the host, at most."""
_AHEAD: Final = 64
"""So many chunks are read before somebody takes them."""
_CHUNK: Final = 65_536


async def serve_stdio(server: DeskServer, *, line_limit: int = LINE_LIMIT) -> None:
    """Serve until the host closes our stdin, or we are cancelled. Nothing that others print reaches the wire."""
    with _Wire() as wire:
        writer = _Writer(wire.writing)
        reader = _Reader(wire.reading, line_limit, writer)
        async with server.watching(), _threads(reader, writer):
            await server.run(reader, writer, server.create_initialization_options())


class _Wire:
    """Our stdin and stdout under other numbers; 0 is the null device and 1 is stderr while the context lives."""

    def __init__(self) -> None:
        self.reading = os.dup(0)
        self.writing = os.dup(1)

    def __enter__(self) -> Self:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.dup2(self.writing, 1)  # the others stay as they are: a thread may still read


@asynccontextmanager
async def _threads(reader: _Reader, writer: _Writer) -> AsyncIterator[None]:
    """Both threads at work. They are never waited for: a host that holds its ends open must not hold us."""
    loop = asyncio.get_running_loop()
    for name, work in (("read stdin", reader.read), ("write stdout", writer.write)):
        threading.Thread(target=work, args=(loop,), name=name, daemon=True).start()
    yield
    await writer.drained()


class _Stream:
    """What both streams have of the SDK's protocol (``mcp.shared._stream_protocols``, 2.3)."""

    async def aclose(self) -> None:
        """Nothing to close here."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class _Reader(_Stream):
    """Messages in. A line that is none, or too long, is answered with an error and skipped."""

    def __init__(self, file: int, limit: int, writer: _Writer) -> None:
        self._file = file
        self._writer = writer
        self._lines = LineSplitter(limit)
        self._limit = limit
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._ready: list[bytes | TooLong] = []
        self._ended = False

    def read(self, loop: asyncio.AbstractEventLoop) -> None:
        """The work of the thread: chunks, and an empty one at the end."""
        chunk = b"."
        while chunk:
            try:
                chunk = os.read(self._file, _CHUNK)
            except OSError:
                chunk = b""
            self._room.acquire()
            try:
                loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
            except RuntimeError:  # the loop has ended
                return

    def __aiter__(self) -> Self:
        return self

    async def receive(self) -> SessionMessage | Exception:
        """The next message."""
        import anyio

        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    async def __anext__(self) -> SessionMessage | Exception:
        while True:
            line = await self._line()
            if line is None:
                raise StopAsyncIteration
            message = await self._message(line)
            if message is not None:
                return message

    async def _line(self) -> bytes | TooLong | None:
        while not self._ready and not self._ended:
            chunk = await self._chunks.get()
            self._room.release()
            self._ready.extend(self._lines.feed(chunk))
            if not chunk:
                self._ended = True
                rest = self._lines.rest()
                self._ready.extend(() if rest is None else (rest,))
        return self._ready.pop(0) if self._ready else None

    async def _message(self, line: bytes | TooLong) -> SessionMessage | None:
        from mcp.shared.message import SessionMessage
        from mcp_types import INVALID_REQUEST, PARSE_ERROR, jsonrpc_message_adapter

        if isinstance(line, TooLong):
            words = f"a message of more than {show_bytes(self._limit)}, which is not read"
            await self._refuse(INVALID_REQUEST, words)
            return None
        if not line.strip():
            return None
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
        except ValueError:
            pass
        whole = without_halves(line)
        try:
            return SessionMessage(jsonrpc_message_adapter.validate_python(whole, by_name=False))
        except ValueError:
            code = PARSE_ERROR if whole is None else INVALID_REQUEST
            await self._refuse(code, "a line that is no JSON-RPC message", _id_of(whole))
            return None

    async def _refuse(self, code: int, words: str, to: RequestId | None = None) -> None:
        from mcp.shared.message import SessionMessage
        from mcp_types import ErrorData, JSONRPCError

        error = ErrorData(code=code, message=words)
        await self._writer.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=to, error=error)))


def _id_of(message: Any) -> RequestId | None:
    """Whose request it is, so that the host does not wait for an answer. The ids of its own answers are ours."""
    found = message.get("id") if isinstance(message, dict) and "method" in message else None
    return found if isinstance(found, (int, str)) and not isinstance(found, bool) else None


class _Writer(_Stream):
    """Messages out, one after the other."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._waiting: set[asyncio.Future[None]] = set()
        self._broken = False

    def write(self, loop: asyncio.AbstractEventLoop) -> None:
        """The work of the thread."""
        while True:
            line, done = self._lines.get()
            while line and not self._broken:
                try:
                    line = line[os.write(self._file, line) :]
                except OSError:  # the host is gone: its end of stdin says so too
                    self._broken = True
            try:
                loop.call_soon_threadsafe(self._written, done)
            except RuntimeError:  # the loop has ended
                return

    def _written(self, done: asyncio.Future[None]) -> None:
        self._waiting.discard(done)
        if not done.done():
            done.set_result(None)

    async def send(self, item: SessionMessage, /) -> None:
        """Write it, and wait until it is written."""
        import anyio

        if self._broken:
            raise anyio.BrokenResourceError
        line = item.message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(done)
        self._lines.put((line.encode(), done))
        await asyncio.shield(done)

    async def drained(self) -> None:
        """All that was sent is written, unless the host does not read."""
        if self._waiting:
            await asyncio.wait(set(self._waiting), timeout=1)
