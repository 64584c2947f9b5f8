"""Which MCP servers of the hosts a task works with: those that are named, or all that are enabled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from runner.app.bridge.autonomous.task import TaskServer
from runner.app.bridge.house import BridgeHouse
from runner.words.diagnostics import place_of
from runner.words.errors import McpNotFoundError, UsageError

DISCOVERED: Final = "discovered"
"""The ``mcp_label`` of a task with all servers that are enabled."""


def named_servers(house: BridgeHouse, names: Sequence[str]) -> tuple[TaskServer, ...]:
    """The servers of these names, each once.

    Raises:
        UsageError: there is no name.
        McpNotFoundError: one is not there, is disabled, or is ourselves; it has ``available_mcps``.
        WorkflowError: the entry or the file is at fault.
    """
    if not names:
        raise UsageError("no MCP server is named", hint="`list_available_mcps` lists them")
    found = map(house.hosts.find, dict.fromkeys(names))
    return tuple(TaskServer(name=server.name, file=server.file) for server in found)


def enabled_servers(house: BridgeHouse) -> tuple[TaskServer, ...]:
    """All servers that are enabled, never ourselves.

    Raises:
        McpNotFoundError: there is none.
        WorkflowError: no file of servers can be read.
    """
    hosts = house.hosts
    found = hosts.enabled()
    if not found:
        looked = ", ".join(file.path for file in hosts.files if file.used)
        message = f"no MCP server is enabled in {looked}" if looked else "no file of MCP servers was found"
        raise McpNotFoundError("", (), message=message, hint="`list_available_mcps` says where was looked")
    return tuple(TaskServer(name=server.name, file=server.file) for server in found)


def files_left_out(house: BridgeHouse) -> tuple[str, ...]:
    """In words: the files whose servers are not among all that are enabled, because they are broken."""
    broken = [file.error for file in house.hosts.files if file.error is not None and not file.skipped]
    return tuple(f"the MCP servers of {place_of(error)} are left out: {error.message}" for error in broken)


def label_of(names: Sequence[str]) -> str:
    """What several servers are called where tasks are counted: their names in order, with ``+`` between them."""
    return "+".join(sorted(set(names)))
