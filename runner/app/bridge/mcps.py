"""The tool that tells which MCP servers a task may use: those that the hosts of this machine know."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from runner.app.bridge.house import BridgeHouse
from runner.app.bridge.tool import Tool
from runner.chat.offer import Offer, Progress
from runner.edges.host_config.host_config import VARIABLE, HostFile, HostServer
from runner.edges.host_config.shown import shown_url
from runner.words.errors import BridgeError, ToolServerError
from runner.words.redact import Redactor
from runner.words.units import show_seconds
from runner.workflow.model import Server

START_SECONDS: Final = 30.0
"""For one server to start and list its tools: a host waits for the whole answer."""
CLOSE_SECONDS: Final = 5.0
AT_ONCE: Final = 8
MOST_TOOLS: Final = 200
"""Of one server. A description is cut at so many characters:"""
MOST_WORDS: Final = 300
_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}


async def list_available_mcps(
    house: BridgeHouse, arguments: Mapping[str, Any], progress: Progress
) -> Mapping[str, Any]:
    """``{mcps, files, hint}``; with ``tools`` true each server that can be started is, for as long as it takes.

    Raises:
        WorkflowError: files of MCP servers are broken, and none is right (BR404).
    """
    servers = tuple(house.hosts.servers().values())
    rows = [_row(server) for server in servers]
    if arguments.get("tools"):
        usable = [(server, row) for server, row in zip(servers, rows, strict=True) if row["problem"] is None]
        await _add_tools(house, usable, progress)
    files = house.hosts.files
    return {"mcps": rows, "files": [_file_row(file) for file in files], "hint": _hint(rows, files)}


def _row(server: HostServer) -> dict[str, Any]:
    problem = server.problem
    if server.is_self:
        problem = "this is the bridge itself, which does not use itself"
    elif server.disabled:
        problem = "it is disabled in the file"
    reached = {"url": server.url} if server.url is not None else {"command": server.command}
    return {
        "name": server.name,
        "transport": server.transport,
        **reached,
        "file": server.file,
        "line": server.line,
        "enabled": server.enabled,
        "problem": problem,
    }


def _file_row(file: HostFile) -> dict[str, Any]:
    error = file.error
    row: dict[str, Any] = {"path": file.path, "origin": file.origin, "found": file.found, "used": file.used}
    if error is not None:
        place = {"line": error.span.line, "column": error.span.column} if error.span else {}
        row["error"] = {"code": error.code, "message": error.message, **place, "help": error.help}
    return row


def _hint(rows: Sequence[Mapping[str, Any]], files: Sequence[HostFile]) -> str | None:
    """What to do next, if something can be done."""
    broken = [file.path for file in files if file.error is not None]
    if broken:
        return f"these files do not count, see `error`: {', '.join(broken)}"
    if not any(file.used for file in files):
        return (
            f"there is no file of MCP servers: write one of {', '.join(file.path for file in files)}, or name one "
            f"in {VARIABLE}"
        )
    if not any(row["enabled"] and row["problem"] is None for row in rows):
        return "no MCP server can be used: see `problem` of each, and the files"
    return None


async def _add_tools(
    house: BridgeHouse, usable: Sequence[tuple[HostServer, dict[str, Any]]], progress: Progress
) -> None:
    """The tools of each, or what became its problem; side by side, and all have ended afterwards."""
    from runner.edges.process_group import Offspring

    offspring, places, done = Offspring(), asyncio.Semaphore(AT_ONCE), 0

    async def one(server: HostServer, row: dict[str, Any]) -> None:
        nonlocal done
        async with places:
            row.update(await _started(house, server, offspring))
        done += 1
        await progress(done, len(usable), f"asked `{server.name}` for its tools")

    try:
        async with asyncio.TaskGroup() as group:
            for server, row in usable:
                group.create_task(one(server, row))
    finally:
        offspring.kill_all_now()


async def _started(house: BridgeHouse, host_server: HostServer, offspring: Any) -> Mapping[str, Any]:
    """``{tools}``, or ``{problem}`` if it does not start."""
    from runner.edges.toolbox import make_toolbox

    try:
        server = house.hosts.ready(host_server.name)
    except BridgeError as error:  # the file was changed in between
        return {"problem": error.message}
    folder = str(house.settings.folder)
    box = make_toolbox(server, folder=folder, environment=house.environment, offspring=offspring)
    patience = min(server.start_timeout, START_SECONDS)
    try:
        async with asyncio.timeout(patience):
            await box.start()
    except ToolServerError as error:
        return {"problem": _mask(server).text(error.message)}
    except TimeoutError:
        return {"problem": f"it did not list its tools within {show_seconds(patience)}"}
    finally:
        await asyncio.wait((asyncio.ensure_future(box.close()),), timeout=CLOSE_SECONDS)
    return {
        "tools": [{"name": tool.name, "description": tool.description[:MOST_WORDS]} for tool in box.tools[:MOST_TOOLS]]
    }


def _mask(server: Server) -> Redactor:
    """What the file says of a server and nobody else should read, out of what the server said of it."""
    secrets = {**server.env, **server.headers, **dict(_words_of(server.args))}
    return Redactor(secrets, {server.url: shown_url(server.url)} if server.url else None)


def _words_of(args: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What may be a secret in a command line: no options, paths and packages, which say what went wrong."""
    for number, arg in enumerate(args):
        value = arg.partition("=")[2] if arg.startswith("-") else arg
        if len(value) >= 8 and not value.startswith(("/", "./", "../", "@")) and os.sep not in value:
            yield f"args[{number}]", value


_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["mcps", "files", "hint"],
    "properties": {
        "mcps": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "transport", "file", "line", "enabled", "problem"],
                "properties": {
                    "name": _TEXT,
                    "transport": {"enum": ["stdio", "http", "sse"]},
                    "command": _TEXT_OR_NULL,
                    "url": _TEXT,
                    "file": _TEXT,
                    "line": {"type": ["integer", "null"]},
                    "enabled": {"type": "boolean"},
                    "problem": _TEXT_OR_NULL,
                    "tools": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"name": _TEXT, "description": _TEXT}},
                    },
                },
            },
        },
        "files": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "origin", "found", "used"],
                "properties": {
                    "path": _TEXT,
                    "origin": _TEXT,
                    "found": {"type": "boolean"},
                    "used": {"type": "boolean"},
                    "error": {"type": "object"},
                },
            },
        },
        "hint": _TEXT_OR_NULL,
    },
}

MCP_TOOLS: Final = (
    Tool(
        offer=Offer(
            name="list_available_mcps",
            title="List MCP servers",
            description=(
                "Lists the MCP servers that a local model can be given for a task: name, transport, the file that "
                "names each, whether it is enabled, and what keeps it from being used. With `tools` each is started "
                "and its tools are listed, which takes some seconds."
            ),
            input_schema={
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "tools": {
                        "type": "boolean",
                        "default": False,
                        "description": "Start each enabled server and list its tools.",
                    }
                },
            },
            output_schema=_SCHEMA,
            read_only=True,
            idempotent=True,
        ),
        work=list_available_mcps,
    ),
)
