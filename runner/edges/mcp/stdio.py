"""MCP over the pipes of a process: our own transport for the SDK's client.

The SDK's own (``mcp.client.stdio``, 2.3) is not used: it starts the process only after the SDK is imported, its line
buffer is quadratic and unbounded (50 MB took 48 s), and it hides the process id, so the group could not be ended.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from runner.edges.line_splitter import TooLong
from runner.edges.mcp.link import Farewell
from runner.edges.mcp.mend import mend_result
from runner.edges.process_group import Offspring, child_environment, find_command
from runner.edges.stdio_pipe import GRACE, LINE_LIMIT, Launch, StdioPipe, end_of, start_process
from runner.words.errors import ToolServerError
from runner.words.units import show_bytes, show_seconds
from runner.workflow.model import Server

if TYPE_CHECKING:
    from mcp.client import Transport
    from mcp.client._transport import TransportStreams
    from mcp.shared.message import SessionMessage

# Where SDKs put the id of a response: right after the version, or at the very end of the object.
_ID_FIRST = re.compile(rb'\s*\{\s*"jsonrpc"\s*:\s*"2\.0"\s*,\s*"id"\s*:\s*(\d{1,18})\s*,')
_ID_LAST = re.compile(rb'[}\]"\w]\s*,\s*"id"\s*:\s*(\d{1,18})\s*\}\s*$')


_GRACE: Mapping[Farewell, float] = {"full": GRACE, "short": 0.5, "none": 0.0}
"""Seconds. Hosts give us 4 of them from the end of our stdin to SIGKILL, and a stubborn server takes ``GRACE`` more."""


@dataclass(slots=True, kw_only=True)
class StdioLink:
    """A server that is a process. ``folder`` is where bridge-run was started, ``environment`` our own variables."""

    server: Server
    folder: str
    environment: Mapping[str, str]
    offspring: Offspring
    line_limit: int = LINE_LIMIT
    pipe: StdioPipe | None = None
    noise: list[str] = field(default_factory=list)
    """What it wrote to stdout that is no message: the first lines of it."""
    fault: str | None = None
    """How it broke the protocol beyond repair."""

    async def begin(self) -> None:
        """Start the process.

        Raises:
            ToolServerError: no such command or folder, not executable.
        """
        try:
            self.pipe = await start_process(self._launch(), offspring=self.offspring, line_limit=self.line_limit)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise self._refusal(
                f"cannot start MCP server `{self.server.name}`: {reason}: `{self.server.command}`"
            ) from error

    def _launch(self) -> Launch:
        server, name = self.server, self.server.command or ""
        environment = child_environment(self.environment, server.env)
        folder = Path(self.folder, server.cwd or ".")
        if not folder.is_dir():
            raise self._refusal(f"cannot start MCP server `{server.name}`: its folder `{server.cwd}` does not exist")
        command = find_command(name, folder=self.folder, path=environment.get("PATH"))
        if command is None:
            there = "/" in name and Path(self.folder, name).exists()
            problem = f"`{name}` cannot be executed" if there else f"there is no command `{name}`"
            raise self._refusal(f"cannot start MCP server `{server.name}`: {problem}")
        return Launch(argv=(command, *server.args), environment=environment, folder=str(folder))

    def _refusal(self, message: str) -> ToolServerError:
        hint = f"install it, or correct `command` and `cwd` under `mcp_servers.{self.server.name}`"
        return ToolServerError(self.server.name, message, hint=hint)

    def transport(self) -> Transport:
        """Its pipes, as the SDK wants them."""
        if self.pipe is None:
            raise AssertionError("begin comes before transport")
        return _PipeTransport(self, self.pipe)

    async def explain(self, error: BaseException | None, *, ready: bool) -> ToolServerError:
        """How it ended, its last words, and what else it said."""
        name, pipe = self.server.name, self.pipe
        stderr = pipe.stderr if pipe else ""
        if pipe is not None and error is not None:
            await pipe.exits_within(0.2)  # the end of its output is often seen just before the end of itself
        if self.fault is not None:
            what = f"broke the protocol: {self.fault}"
        elif error is None:
            what = f"did not answer within {show_seconds(self.server.start_timeout)} of its start"
        elif pipe is not None and pipe.pipes.ended and _is_end(error):
            what = f"{end_of(pipe.exit_code)} {'while it was used' if ready else 'before it was ready'}"
        else:
            what = f"broke the protocol: {_first_line(str(error))}"
        last_words = _last_line(stderr)
        message = (
            f"MCP server `{name}` {what}{self._noise()}{f'; last on its stderr: {last_words}' if last_words else ''}"
        )
        return ToolServerError(name, message, stderr=stderr, hint=self._hint(slow=error is None))

    def _noise(self) -> str:
        if not self.noise:
            return ""
        return f"; it wrote to stdout what is no MCP message: {self.noise[0]!r}"

    def _hint(self, *, slow: bool) -> str:
        if slow and not self.noise:
            return f"raise `start_timeout` under `mcp_servers.{self.server.name}` if it needs longer"
        return f"try it by hand: {shlex.join((self.server.command or '', *self.server.args))}"

    async def end(self, farewell: Farewell) -> None:
        """End the process and its group."""
        if self.pipe is not None:
            await self.pipe.end(grace=_GRACE[farewell])


@dataclass(slots=True)
class _PipeTransport:
    """An ``mcp`` transport: an async context manager over a stream to read and one to write."""

    link: StdioLink
    pipe: StdioPipe

    async def __aenter__(self) -> TransportStreams:
        return _Reader(self.link, self.pipe), _Writer(self.pipe)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.pipe.close_stdin()


@dataclass(slots=True)
class _Writer:
    """Messages out. The stream protocols are those of ``mcp.shared._stream_protocols`` (2.3)."""

    pipe: StdioPipe

    async def send(self, item: SessionMessage, /) -> None:
        import anyio

        line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        try:
            await self.pipe.write_line(line.encode())
        except OSError as error:
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        self.pipe.close_stdin()

    async def __aenter__(self) -> _Writer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


@dataclass(slots=True)
class _Reader:
    """Messages in: straight from the pipe, mended, without a task or a queue between."""

    link: StdioLink
    pipe: StdioPipe

    async def receive(self) -> SessionMessage | Exception:
        import anyio

        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        while (line := await self.pipe.read_line()) is not None:
            message = self._too_long(line) if isinstance(line, TooLong) else self._parse(line)
            if message is not None:
                return message
            if self.link.fault is not None:
                break
        raise StopAsyncIteration

    def _parse(self, line: bytes) -> SessionMessage | None:
        from mcp.shared.message import SessionMessage
        from mcp_types import JSONRPCResponse, jsonrpc_message_adapter

        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            self._note(line)
            return None
        if isinstance(message, JSONRPCResponse):
            mend_result(message.result)
        return SessionMessage(message)

    def _note(self, line: bytes) -> None:
        """A banner or a stray print: skipped, but remembered in case the server never says anything better."""
        text = line.decode("utf-8", "replace").strip()
        if text and len(self.link.noise) < 5:
            self.link.noise.append(text[:200])

    def _too_long(self, line: TooLong) -> SessionMessage | None:
        """Answer the call that it belongs to with an error; without an id nobody knows which, and all would wait."""
        from mcp.shared.message import SessionMessage
        from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError

        words = f"a message of {show_bytes(line.size)}, more than {show_bytes(self.link.line_limit)}"
        found = _ID_FIRST.match(line.head) or _ID_LAST.search(line.tail)
        if found is None:
            self.link.fault = f"it sent {words}"
            return None
        error = ErrorData(code=INTERNAL_ERROR, message=f"it answered with {words}; ask it for less")
        return SessionMessage(JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=error))

    async def aclose(self) -> None:
        """The pipe is closed by the link."""

    async def __aenter__(self) -> _Reader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _is_end(error: BaseException) -> bool:
    """Whether the error means no more than that nobody is there: the code is ``mcp_types.CONNECTION_CLOSED``."""
    return isinstance(error, ConnectionError) or getattr(error, "code", None) == -32000


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:300]
