"""The ``tools`` of a task: patterns over the tools of its own MCP servers, and of no others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase

from runner.app.bridge.autonomous.task import AutonomousTask
from runner.words.errors import UsageError
from runner.words.suggest import did_you_mean


def refuse_foreign(task: AutonomousTask) -> None:
    """Raises: UsageError: a pattern means none of the servers of the task."""
    names = [server.name for server in task.servers]
    for pattern in task.tools or () if names else ():
        if any(_means(pattern, name) for name in names):
            continue
        near = did_you_mean(pattern.partition(".")[0], names)
        known = f"the servers of this task are {', '.join(f'`{name}`' for name in names)}"
        hint = f"write `SERVER.TOOL`, with globs if need be, or `SERVER`; {known}"
        raise UsageError(
            f"`tools`: `{pattern}` is of no server that this task has", hint=f"{near} {hint}" if near else hint
        )


def without(task: AutonomousTask, lost: Collection[str]) -> AutonomousTask:
    """The task without these servers, and without the patterns that meant nothing but their tools."""
    servers = tuple(server for server in task.servers if server.name not in lost)
    tools = task.tools
    if tools is not None:
        tools = tuple(pattern for pattern in tools if any(_means(pattern, server.name) for server in servers))
    return replace(task, servers=servers, tools=tools)


def _means(pattern: str, server: str) -> bool:
    """Whether it may mean tools of that server, whose name may be any text."""
    return pattern == server or pattern.startswith(f"{server}.") or fnmatchcase(server, pattern.partition(".")[0])
