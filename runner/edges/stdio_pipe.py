"""A tool server as a process: its pipes, its last words, its end. Of MCP it knows only that a line is a message."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.edges.line_splitter import LineSplitter, TooLong
from runner.edges.process_group import Offspring, ProcessGroup
from runner.edges.process_start import start_group
from runner.words.noun import noun

LINE_LIMIT = 64 * 1024 * 1024  # bytes of one message; a result of 50 MB passes, memory stays bounded
STDERR_TAIL = 16 * 1024  # bytes kept of what the server wrote to stderr
HIGH_WATER = 4 * 1024 * 1024  # bytes of whole lines that wait to be read before the server has to wait
GRACE = 2.0  # seconds to end by itself once its stdin is closed, and again after SIGTERM; as the MCP SDK gives
REAP = 1.0  # seconds for the event loop to see the end of a killed process
LAST_OUTPUT = 0.5  # seconds after the end of the process in which its last output may still arrive
POLL = 0.01


@noun
class Launch:
    """What is started: an absolute executable and its arguments, the whole environment, the folder."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str


@dataclass(slots=True)
class _Pipes(asyncio.SubprocessProtocol):
    """Collects what the process writes; wakes whoever waits for it."""

    splitter: LineSplitter
    lines: deque[bytes | TooLong] = field(default_factory=deque)
    waiting: int = 0
    stderr: bytearray = field(default_factory=bytearray)
    stderr_size: int = 0
    ended: bool = False
    readable: asyncio.Event = field(default_factory=asyncio.Event)
    writable: asyncio.Event = field(default_factory=asyncio.Event)
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    stdout: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.SubprocessTransport):
            pipe = transport.get_pipe_transport(1)
            self.stdout = pipe if isinstance(pipe, asyncio.ReadTransport) else None
        self.writable.set()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.stderr_size += len(data)
            self.stderr += data
            del self.stderr[:-STDERR_TAIL]
            return
        for line in self.splitter.feed(data):
            self._keep(line)
        if self.waiting > HIGH_WATER and self.stdout is not None:
            self.stdout.pause_reading()

    def _keep(self, line: bytes | TooLong) -> None:
        self.lines.append(line)
        self.waiting += len(line) if isinstance(line, bytes) else 0
        self.readable.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        if fd == 0:
            self.writable.set()
        elif fd == 1:
            self.end_output()
        elif fd == 2:
            self.silent.set()

    def process_exited(self) -> None:
        self.exited.set()
        self.writable.set()
        # A child of the server that holds its stdout open would hide the end of the output for ever.
        asyncio.get_running_loop().call_later(LAST_OUTPUT, self.end_output)

    def end_output(self) -> None:
        """Nothing more will come; an unfinished last line counts as a line."""
        if not self.ended:
            self.ended = True
            if (rest := self.splitter.rest()) is not None:
                self._keep(rest)
            self.readable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


@dataclass(slots=True)
class StdioPipe:
    """A started server. ``start`` makes one; ``end`` must follow in every case."""

    process: asyncio.SubprocessTransport
    group: ProcessGroup
    offspring: Offspring
    pipes: _Pipes

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self.process.get_returncode()

    @property
    def stderr(self) -> str:
        """The end of what it wrote to stderr."""
        text = self.pipes.stderr.decode("utf-8", "replace").strip("\n")
        return f"…{text}" if self.pipes.stderr_size > STDERR_TAIL else text

    async def read_line(self) -> bytes | TooLong | None:
        """The next line; None when the server has ended or closed its stdout. For one reader."""
        pipes = self.pipes
        while not pipes.lines:
            if pipes.ended:
                return None
            pipes.readable.clear()
            await pipes.readable.wait()
        line = pipes.lines.popleft()
        pipes.waiting -= len(line) if isinstance(line, bytes) else 0
        if pipes.waiting <= HIGH_WATER and pipes.stdout is not None and not pipes.stdout.is_closing():
            pipes.stdout.resume_reading()
        return line

    async def write_line(self, line: bytes) -> None:
        """Send one message; waits while the server does not read.

        Raises:
            BrokenPipeError: the server has ended or closed its stdin.
        """
        stdin = self.process.get_pipe_transport(0)
        if not isinstance(stdin, asyncio.WriteTransport) or stdin.is_closing() or self.pipes.exited.is_set():
            raise BrokenPipeError
        stdin.write(line + b"\n")
        await self.pipes.writable.wait()

    def close_stdin(self) -> None:
        """Tell the server that nobody will ask it anything more: the polite way to end it."""
        stdin = self.process.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()

    async def end(self, *, grace: float = GRACE) -> None:
        """End it and all it started: close stdin, wait ``grace`` seconds, SIGTERM, wait, SIGKILL. At most about 5 s.

        Cancelled in between, it goes to SIGKILL at once and passes the cancellation on.
        """
        try:
            await self._end_group(grace)
        finally:
            await self._reap()

    async def _reap(self) -> None:
        """Let the event loop see the end, or the process would be reported as forgotten."""
        try:
            await self.exits_within(REAP)
        finally:
            self.pipes.end_output()
            self.process.close()

    async def _end_group(self, grace: float) -> None:
        try:
            self.close_stdin()
            if not await self.exits_within(grace) or self.group.exists():
                self.group.terminate()
                await self._group_ends(GRACE)
        finally:
            if not self.pipes.exited.is_set() or self.group.exists():
                self.group.kill()
            self.offspring.discard(self.group)

    async def exits_within(self, seconds: float) -> bool:
        """Wait for the process itself (not for what it started); whether it has ended by then."""
        return await _set_within(self.pipes.exited, seconds)

    async def silent_within(self, seconds: float) -> bool:
        """Wait for the end of its stderr, which may come after its own; whether all of it has been read by then."""
        return await _set_within(self.pipes.silent, seconds)

    async def _group_ends(self, seconds: float) -> None:
        """Nothing tells when the last of a group ends, so look now and then."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if self.pipes.exited.is_set() and not self.group.exists():
                return
            await asyncio.sleep(POLL)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; whether it has come by then."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def end_of(exit_code: int | None) -> str:
    """How a process ended, in words: ``exited with code 3``, ``was ended by SIGKILL``."""
    if exit_code is None:
        return "closed its output"
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


async def start_process(launch: Launch, *, offspring: Offspring, line_limit: int = LINE_LIMIT) -> StdioPipe:
    """Start a server with pipes, as the leader of its own session.

    Its own session keeps a Ctrl-C at our terminal away from it: we end it ourselves, politely.

    Raises:
        OSError: it cannot be started: no such file, not executable, no such folder.
        ValueError: a NUL byte in an argument or a variable.
    """
    process, pipes, group = await start_group(
        lambda: _Pipes(LineSplitter(line_limit)),
        launch.argv,
        environment=launch.environment,
        folder=launch.folder,
        offspring=offspring,
    )
    return StdioPipe(process, group, offspring, pipes)
