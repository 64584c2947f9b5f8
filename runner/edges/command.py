"""Commands of ``run`` steps and expectations: started without a shell, ended with everything they started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from runner.edges.process_group import Offspring, ProcessGroup
from runner.edges.process_start import start_group
from runner.execute.world import CommandResult
from runner.words.errors import StepError

KEPT: Final = 16 * 1024 * 1024
"""Bytes that a command may write to each of stdout and stderr."""
_GRACE: Final = 2.0
"""Seconds between asking a cancelled command to end and ending it."""
_LINGER: Final = 1.0
"""Seconds that what a finished command left behind (a ``tee`` in the background) may go on writing."""
_STREAMS: Final = {1: "stdout", 2: "stderr"}


class CommandRunner:
    """Starts commands in their own process groups.

    ``environment`` is what they inherit (ours, less the variables of declared secrets); ``offspring`` is told of every
    group that is alive, so that nothing is left when we are ended in a hurry. ``folder`` is where they start, and where
    a relative ``cwd`` counts from; None = where we were started.
    """

    def __init__(self, environment: Mapping[str, str], offspring: Offspring, folder: str | None = None) -> None:
        self._environment = environment
        self._offspring = offspring
        self._folder = folder

    async def run(
        self, argv: Sequence[str], *, stdin: str | None = None, cwd: str | None = None, env: Mapping[str, str]
    ) -> CommandResult:
        """Run ``argv`` to its end and return what it wrote.

        Raises:
            StepError: kind ``command``: it cannot be started; kind ``limit``: it wrote more than ``KEPT`` bytes.
        """
        import anyio

        if self._folder is not None:
            cwd = str(Path(self._folder) / (cwd or "."))
        transport, watch, group = await self._start(argv, cwd, env, with_stdin=stdin is not None)
        try:
            _feed(transport, stdin)
            await watch.over.wait()
            with anyio.move_on_after(_LINGER):
                await watch.silent.wait()
        finally:
            # A cancellation is delivered again at every wait, so the end of the group needs a shield.
            with anyio.CancelScope(shield=True):
                await _end(group, watch)
            transport.close()
            self._offspring.discard(group)
        return watch.result(transport.get_returncode(), argv)

    async def _start(
        self, argv: Sequence[str], cwd: str | None, env: Mapping[str, str], *, with_stdin: bool
    ) -> tuple[asyncio.SubprocessTransport, _Watch, ProcessGroup]:
        try:
            return await start_group(
                _Watch,
                argv,
                environment={**self._environment, **env},
                folder=cwd,
                offspring=self._offspring,
                stdin=asyncio.subprocess.PIPE if with_stdin else asyncio.subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:
            raise StepError("command", _cannot_start(argv, cwd, error)) from error


class _Watch(asyncio.SubprocessProtocol):
    """What a command writes, and its end.

    asyncio's own ``Process.wait`` waits for the pipes as well, and a grandchild may keep those open for ever; here the
    end of the process and the end of its output are two things.
    """

    def __init__(self) -> None:
        self.over = asyncio.Event()
        """The process has ended, or must be ended because it wrote too much."""
        self.exited = asyncio.Event()
        """The process itself has ended; its children may still write."""
        self.silent = asyncio.Event()
        """Nothing more can come."""
        self._written = {stream: bytearray() for stream in _STREAMS}
        self._open = set(_STREAMS)
        self._flooded: int | None = None

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        """Keep what was written, up to the limit."""
        assert isinstance(data, bytes)
        if self._flooded is not None:
            return
        self._written[fd] += data
        if len(self._written[fd]) > KEPT:
            self._flooded = fd
            self.over.set()
            self.silent.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  asyncio names them
        """One of the streams has ended; that of stdin only says that the command does not read on."""
        self._open.discard(fd)
        if not self._open:
            self.silent.set()

    def process_exited(self) -> None:
        """Asyncio has reaped the process."""
        self.exited.set()
        self.over.set()

    def result(self, code: int | None, argv: Sequence[str]) -> CommandResult:
        """How the command ended.

        Raises:
            StepError: kind ``limit``: it wrote too much.
        """
        if self._flooded is not None:
            limit, stream = f"{KEPT // 1024**2} MB", _STREAMS[self._flooded]
            raise StepError("limit", f"`{argv[0]}` wrote more than {limit} to {stream}", hint="write it to a file")
        assert code is not None, "its end was waited for"
        return CommandResult(
            exit_code=code if code >= 0 else 128 - code,  # ended by a signal: what a shell would say
            stdout=self._written[1].decode("utf-8", "replace"),
            stderr=self._written[2].decode("utf-8", "replace"),
        )


def _feed(transport: asyncio.SubprocessTransport, stdin: str | None) -> None:
    """Hand over the whole input; a command need not read it, and asyncio keeps a broken pipe to itself."""
    if stdin is None:
        return
    pipe = transport.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    pipe.write(stdin.encode("utf-8", "replace"))
    pipe.write_eof()


async def _end(group: ProcessGroup, watch: _Watch) -> None:
    """Leave nothing behind: children of a finished command, or all of a cancelled one."""
    import anyio

    if not watch.exited.is_set():
        group.terminate()
        with anyio.move_on_after(_GRACE):
            await watch.exited.wait()
    group.kill()
    await watch.exited.wait()


def _cannot_start(argv: Sequence[str], cwd: str | None, error: OSError | ValueError) -> str:
    said = f"cannot start `{argv[0]}`"
    if cwd is not None and not Path(cwd).is_dir():
        return f"{said}: the folder `{cwd}` (`cwd`) does not exist"
    if cwd is not None and getattr(error, "filename", None) == cwd:
        return f"{said}: the folder `{cwd}` (`cwd`) cannot be entered"
    if isinstance(error, FileNotFoundError):
        if "/" in argv[0] and Path(cwd or ".", argv[0]).is_file():
            return f"{said}: the interpreter that its first line names does not exist"
        return f"{said}: there is no such command (nor file)"
    if isinstance(error, PermissionError):
        return f"{said}: it is not executable"
    return f"{said}: {getattr(error, 'strerror', None) or error}"
