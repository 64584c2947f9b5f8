"""Starting a process as the leader of its group, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from runner.edges.process_group import Offspring, ProcessGroup

Protocol = TypeVar("Protocol", bound=asyncio.SubprocessProtocol)


async def start_group(
    protocol: Callable[[], Protocol],
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: str | None,
    offspring: Offspring,
    stdin: int = asyncio.subprocess.PIPE,
) -> tuple[asyncio.SubprocessTransport, Protocol, ProcessGroup]:
    """Start ``argv`` as the leader of a session of its own, which ``offspring`` then knows of.

    A start is never left half done: whoever is cancelled meanwhile gets the process all the same, and the cancellation
    at the next wait. (asyncio's own way is to end the process alone, not what it has started by then; and before
    github.com/python/cpython/pull/140805 it waits for ever for pipes that were not connected yet.)

    Raises:
        OSError: it cannot be started: no such file, not executable, no such folder.
        ValueError: a NUL byte in an argument or a variable.
    """
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            protocol, *argv, stdin=stdin, env=dict(environment), cwd=folder, start_new_session=True
        )
    )
    cancelled: asyncio.CancelledError | None = None
    while not starting.done():
        try:
            await asyncio.wait([starting])
        except asyncio.CancelledError as error:
            cancelled = error
    task = asyncio.current_task()
    if cancelled is not None and task is not None:
        task.uncancel()
        task.cancel(*cancelled.args)  # in the words in which anyio knows its own, else its scope would not end here
    transport, made = starting.result()
    group = ProcessGroup(transport.get_pid())
    offspring.add(group)
    return transport, made, group
