"""What ``doctor`` looks at behind the workflows: every tool server started and listed, and what those run on."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from runner.app.prepare import Prepared
from runner.app.run.tool_start import CLOSE_WITHIN, servers_used
from runner.app.server_text import rendered_server
from runner.chat.toolbox import Tool
from runner.edges.process_group import Offspring, child_environment, find_command
from runner.edges.toolbox import make_toolbox
from runner.show.doctor_view import Check, problem
from runner.words.errors import StepError, TemplateError, ToolServerError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.words.redact import Redactor
from runner.words.units import show_seconds
from runner.workflow.model import Server

Result = TypeVar("Result")
TOOLS: Final = "tool servers"
START_SECONDS: Final = 90.0
"""For one server, whatever its `start_timeout` says."""
VERSION_SECONDS: Final = 10.0
_STDERR_LINES: Final = 8
_ENGINES: Final[Mapping[str, str]] = {
    "npx": "node", "npm": "node", "node": "node", "uvx": "uv", "uv": "uv", "docker": "docker", "deno": "deno",
    "bunx": "bun", "bun": "bun",
}  # fmt: skip
"""Command of a server → what has to be installed for it."""
_GIT = re.compile(r"(?<![a-z])git(?![a-z])")


@noun
class Wanted:
    """A tool server as it would start, and the files that use it."""

    server: Server
    files: tuple[str, ...]
    mask: Redactor


@noun
class Started:
    """What came of one: the check, and the tools that it offers, None if it did not start."""

    wanted: Wanted
    check: Check
    tools: tuple[Tool, ...] | None = None


def servers_wanted(
    prepared: Sequence[Prepared], environment: Mapping[str, str]
) -> tuple[tuple[Wanted, ...], tuple[Check, ...]]:
    """Every server that a step of these files uses, equal ones once; and a check for each that cannot be known yet."""
    wanted: dict[str, Wanted] = {}
    open_: list[Check] = []
    for one in prepared:
        secrets = {name: environment.get(name, "") for name in one.workflow.secrets}
        names = {"inputs": one.inputs, "secrets": secrets, "run": {"id": "doctor"}}
        for name in servers_used(one.workflow):
            declared = one.surroundings.servers.get(name)
            if declared is None:
                continue  # its client file is at fault, as the file's own check says
            try:
                server = replace(rendered_server(declared, names), path=())
            except TemplateError:
                text = f"depends on inputs that are not given ({one.workflow.file}); it was not started"
                open_.append(Check(group=TOOLS, name=name, health="warning", text=text))
                continue
            known = wanted.get(repr(server))
            files = (*(known.files if known else ()), one.workflow.file)
            wanted[repr(server)] = Wanted(server=server, files=files, mask=Redactor(secrets))
    return tuple(wanted.values()), tuple(open_)


async def start_all(
    wanted: Sequence[Wanted], environment: Mapping[str, str], offspring: Offspring
) -> tuple[Started, ...]:
    """Start every server, list its tools, end it; all at once, each bounded. Raises nothing but cancellation."""
    return await _all(_start(one, environment, offspring) for one in wanted)


async def engine_checks(
    wanted: Sequence[Wanted], environment: Mapping[str, str], offspring: Offspring
) -> tuple[Check, ...]:
    """The versions of what the servers run on (node, uv, docker) or work with (git), of those that they need."""
    needs: dict[str, list[str]] = {}
    for one in wanted:
        for engine in engines_of(one.server, environment):
            needs.setdefault(engine, []).append(one.server.name)
    return await _all(_engine(name, users, environment, offspring) for name, users in needs.items())


async def _all(works: Iterable[Coroutine[Any, Any, Result]]) -> tuple[Result, ...]:
    """Side by side, until the last has ended what it started. A plain `gather` that is cancelled leaves with the first
    of them; the loop would then be closed while it still waits for the processes of the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
    return tuple(task.result() for task in tasks)


def engines_of(server: Server, environment: Mapping[str, str]) -> Iterator[str]:
    """What has to be installed besides the server's own command: by its name, its first line, its words."""
    if server.command is None:
        return
    path = find_command(server.command, folder=".", path=server.env.get("PATH", environment.get("PATH")))
    engine = _ENGINES.get(Path(server.command).name) or (_interpreter(path) if path else None)
    if engine is not None:
        yield engine
    if any(_GIT.search(word) for word in (Path(server.command).name, *server.args)):
        yield "git"


async def _start(wanted: Wanted, environment: Mapping[str, str], offspring: Offspring) -> Started:
    server = wanted.server
    if _is_missing(server, environment):
        check = problem(
            TOOLS,
            server.name,
            f"the command `{server.command}` is not there ({', '.join(wanted.files)})",
            exit=Exit.CANNOT_SERVE,
            help=f"install `{server.command}`, or write its whole path",
            facts={"files": list(wanted.files)},
        )
        return Started(wanted=wanted, check=check)
    box = make_toolbox(server, folder=str(Path.cwd()), environment=environment, offspring=offspring)
    began = time.monotonic()
    try:
        async with asyncio.timeout(min(server.start_timeout + 5, START_SECONDS)):
            facts = await box.start()
    except ToolServerError as error:
        return Started(wanted=wanted, check=_not_started(wanted, error))
    except TimeoutError:
        late = ToolServerError(server.name, f"it did not start within {show_seconds(time.monotonic() - began)}")
        return Started(wanted=wanted, check=_not_started(wanted, late))
    finally:
        await asyncio.wait((asyncio.ensure_future(box.close()),), timeout=CLOSE_WITHIN)
    number = len(box.tools)
    who = " ".join(filter(None, (facts.name, facts.version)))
    check = Check(
        group=TOOLS,
        name=server.name,
        health="ok" if number else "warning",
        text=f"{who or 'started'}, {number} tool{'s' * (number != 1)}, in {show_seconds(facts.seconds)}",
        facts={
            "files": list(wanted.files),
            "version": facts.version,
            "protocol": facts.protocol,
            "tools": [tool.name for tool in box.tools],
            "seconds": round(facts.seconds, 3),
        },
    )
    return Started(wanted=wanted, check=check, tools=box.tools)


def _is_missing(server: Server, environment: Mapping[str, str]) -> bool:
    if server.command is None:
        return False
    search_path = server.env.get("PATH", environment.get("PATH"))
    return find_command(server.command, folder=".", path=search_path) is None


def _not_started(wanted: Wanted, error: ToolServerError) -> Check:
    first, *rest = wanted.mask.text(error.message).splitlines()
    wrote = [line for line in wanted.mask.text(error.stderr).splitlines() if line.strip() and line not in rest]
    return problem(
        TOOLS,
        wanted.server.name,
        f"{first} ({', '.join(wanted.files)})",
        exit=Exit.OUTSIDE,
        help=wanted.mask.text(error.hint) if error.hint else None,
        detail=tuple([*rest, *wrote][-_STDERR_LINES:]),
        facts={"files": list(wanted.files), "stderr": wanted.mask.text(error.stderr)},
    )


def _interpreter(path: str) -> str | None:
    """The engine that the first line of a script names: ``#!/usr/bin/env node``."""
    try:
        with Path(path).open("rb") as file:
            words = file.readline(200).decode("utf-8", "replace").removeprefix("#!").split()
    except OSError:
        return None
    return next((_ENGINES[name] for word in words if (name := os.path.basename(word)) in _ENGINES), None)  # noqa: PTH119 - a word, not a path of ours


async def _engine(name: str, users: Sequence[str], environment: Mapping[str, str], offspring: Offspring) -> Check:
    from runner.edges.command import CommandRunner

    who = f"needed by {', '.join(f'`{user}`' for user in dict.fromkeys(users))}"
    path = find_command(name, folder=".", path=environment.get("PATH"))
    if path is None:
        return problem(
            TOOLS,
            name,
            f"not on PATH, and {who}",
            exit=Exit.CANNOT_SERVE,
            help=f"install `{name}`",
            facts={"users": users},
        )
    commands = CommandRunner(child_environment(environment, {}), offspring)
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            ended = await commands.run([path, "--version"], env={})
        said = (ended.stdout.strip() or ended.stderr.strip()).splitlines()
    except (StepError, TimeoutError):
        said = []
    if not said:
        text = f"{path} does not tell its version; {who}"
        return Check(group=TOOLS, name=name, health="warning", text=text, facts={"path": path})
    return Check(
        group=TOOLS, name=name, health="ok", text=f"{said[0]}, {who}", facts={"path": path, "version": said[0]}
    )
