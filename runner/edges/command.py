"""Commands of ``run`` steps and expectations: started without a shell, ended with everything they started."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.edges.process_group import Offspring, ProcessGroup
from runner.execute.world import CommandResult
from runner.words.errors import StepError

KEPT = 16 * 1024 * 1024
"""Bytes that a command may write to each of stdout and stderr."""
_GRACE = 2.0
"""Seconds between asking a cancelled command to end and ending it."""


class CommandRunner:
    """Starts commands in their own process groups.

    ``environment`` is what they inherit (ours, less the variables of declared secrets); ``offspring`` is told of every
    group that is alive, so that nothing is left when we are ended in a hurry.
    """

    def __init__(self, environment: Mapping[str, str], offspring: Offspring) -> None:
        self._environment = environment
        self._offspring = offspring

    async def run(
        self, argv: Sequence[str], *, stdin: str | None = None, cwd: str | None = None, env: Mapping[str, str]
    ) -> CommandResult:
        """Run ``argv`` to its end and return what it wrote.

        Raises:
            StepError: kind ``command``: it cannot be started; kind ``limit``: it wrote more than ``KEPT`` bytes.
        """
        process = await self._start(argv, stdin, cwd, env)
        group = ProcessGroup(process.pid)
        self._offspring.add(group)
        try:
            return await _collect(process, argv, stdin)
        finally:
            await asyncio.shield(_end(process, group))
            self._offspring.discard(group)

    async def _start(
        self, argv: Sequence[str], stdin: str | None, cwd: str | None, env: Mapping[str, str]
    ) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=cwd,
                env={**self._environment, **env},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise StepError("command", _cannot_start(argv, cwd, error)) from error


async def _collect(process: asyncio.subprocess.Process, argv: Sequence[str], stdin: str | None) -> CommandResult:
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr, _ = await asyncio.gather(
        _read(process.stdout, argv, "stdout"), _read(process.stderr, argv, "stderr"), _feed(process, stdin)
    )
    code = await process.wait()
    return CommandResult(
        exit_code=code if code >= 0 else 128 - code,  # ended by a signal: what a shell would say
        stdout=stdout.decode("utf-8", "replace"),
        stderr=stderr.decode("utf-8", "replace"),
    )


async def _read(stream: asyncio.StreamReader, argv: Sequence[str], which: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.read(65536):
        size += len(chunk)
        if size > KEPT:
            limit = f"{KEPT // 1024**2} MB"
            raise StepError("limit", f"`{argv[0]}` wrote more than {limit} to {which}", hint="write it to a file")
        chunks.append(chunk)
    return b"".join(chunks)


async def _feed(process: asyncio.subprocess.Process, stdin: str | None) -> None:
    if stdin is None or process.stdin is None:
        return
    # A command need not read what it is given.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(stdin.encode())
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process, group: ProcessGroup) -> None:
    """Leave nothing behind: children of a finished command, or all of a cancelled one."""
    if process.returncode is None:
        group.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
    group.kill()
    if process.returncode is None:
        await process.wait()


def _cannot_start(argv: Sequence[str], cwd: str | None, error: OSError | ValueError) -> str:
    if cwd is not None and not Path(cwd).is_dir():
        return f"cannot start `{argv[0]}`: the folder `{cwd}` (`cwd`) does not exist"
    if isinstance(error, FileNotFoundError):
        return f"cannot start `{argv[0]}`: there is no such command (nor file)"
    if isinstance(error, PermissionError):
        return f"cannot start `{argv[0]}`: it is not executable"
    return f"cannot start `{argv[0]}`: {getattr(error, 'strerror', None) or error}"
