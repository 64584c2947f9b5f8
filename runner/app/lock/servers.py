"""The tool servers of workflows as a lock keeps them: each started once, listed and ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.app.prepare import Prepared
from runner.app.run.tool_start import CLOSE_WITHIN, servers_used
from runner.app.server_text import rendered_server
from runner.chat.toolbox import ServerFacts, ToolBox
from runner.edges.process_group import Offspring, find_command
from runner.plan.calls import for_callee, for_row, rows_of
from runner.plan.finding import finding
from runner.plan.lock.lock import LockedServer
from runner.plan.lock.start import start_of
from runner.plan.lock.tool import locked_tool
from runner.plan.wanted import Names
from runner.words.diagnostics import in_file_order
from runner.words.errors import TemplateError, ToolServerError, ToolsUnreachableError
from runner.words.noun import noun
from runner.words.redact import Redactor
from runner.words.templates import has_template
from runner.workflow.model import CallWork, Server, Workflow


@noun
class WantedServer:
    """A tool server of the workflows. ``declared`` is as its file has it; ``ready`` with its texts filled in, None
    where they read inputs that nobody gave. ``names`` are all that it has in files, ``secrets`` what may stand in it.
    """

    workflow: Workflow
    declared: Server
    ready: Server | None
    names: tuple[str, ...]
    secrets: Mapping[str, str]


def wanted_servers(prepared: Iterable[Prepared], environment: Mapping[str, str]) -> tuple[WantedServer, ...]:
    """Every server that a step of these files, or of those that they call, may use; those declared alike once."""
    found: dict[str, WantedServer] = {}
    for one in prepared:
        names = Names(workflow=one.workflow, overrides=one.overrides, inputs=one.inputs)
        for wanted in _wanted(one, names, environment):
            key = repr(replace(wanted.declared, name=_own_name(wanted.declared), path=(), tools=(), isolate=False))
            known = found.get(key)
            if known is None:
                found[key] = wanted
                continue
            names_ = tuple(dict.fromkeys((*known.names, *wanted.names)))
            found[key] = replace(known if known.ready is not None else wanted, names=names_)
    return tuple(found.values())


def _own_name(server: Server) -> str:
    """The name, where it says which entry of a client file is meant."""
    return server.name if server.source is not None else ""


def _wanted(prepared: Prepared, names: Names, environment: Mapping[str, str]) -> Iterator[WantedServer]:
    workflow = names.workflow
    secrets = {name: environment.get(name, "") for name in workflow.secrets}
    there = prepared.surroundings.servers_of(workflow)
    for name in servers_used(workflow):
        if name in there:
            yield WantedServer(
                workflow=workflow,
                declared=workflow.servers[name],
                ready=_ready(there[name], names.inputs, secrets),
                names=(name,),
                secrets=secrets,
            )
    for step in workflow.steps:
        if isinstance(step.work, CallWork):
            for row in rows_of(step) or (None,):
                yield from _wanted(prepared, for_callee(for_row(names, row), step.work), environment)


def _ready(server: Server, inputs: Mapping[str, Any], secrets: Mapping[str, str]) -> Server | None:
    try:
        return rendered_server(server, {"inputs": inputs, "secrets": secrets, "run": {"id": "lock"}})
    except TemplateError:
        return None if server.builtin is None else replace(server, root=".")


def lock_servers(
    wanted: Sequence[WantedServer], environment: Mapping[str, str], root: Path
) -> tuple[LockedServer, ...]:
    """Start them all at once, list their tools, end them; ``root`` is the folder of the lock file.

    Raises:
        ToolsUnreachableError: servers did not start; with one finding each (BR403).
        KeyboardInterrupt: Ctrl-C or SIGTERM; all servers have ended.
    """
    try:
        return asyncio.run(_listed(wanted, environment, root)) if wanted else ()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _listed(
    wanted: Sequence[WantedServer], environment: Mapping[str, str], root: Path
) -> tuple[LockedServer, ...]:
    from runner.app.interrupt import interruptible
    from runner.edges.toolbox import make_toolbox

    folder, offspring = os.getcwd(), Offspring()  # noqa: PTH109 - a text is asked for
    boxes = {
        number: make_toolbox(one.ready, folder=folder, environment=environment, offspring=offspring)
        for number, one in enumerate(wanted)
        if one.ready is not None
    }
    facts = [_facts(box, wanted[number].declared) for number, box in boxes.items()]
    starts = asyncio.create_task(_all(facts))
    with interruptible(starts, offspring):
        try:
            outcomes = dict(zip(boxes, await starts, strict=True))
            _refuse_failed(wanted, outcomes)
            return tuple(
                _locked(one, boxes.get(number), outcomes.get(number), environment, root)
                for number, one in enumerate(wanted)
            )
        finally:
            ends = [asyncio.create_task(box.close()) for box in boxes.values()]
            if ends:
                await asyncio.wait(ends, timeout=CLOSE_WITHIN)
            offspring.kill_all_now()


async def _all(facts: Iterable[Coroutine[Any, Any, ServerFacts]]) -> list[ServerFacts | BaseException]:
    return await asyncio.gather(*facts, return_exceptions=True)


async def _facts(box: ToolBox, declared: Server) -> ServerFacts:
    if declared.builtin is not None:  # nothing starts: its tools are known, whatever its folder is here
        return ServerFacts(name=box.name)
    return await box.start()


def _refuse_failed(wanted: Sequence[WantedServer], outcomes: Mapping[int, ServerFacts | BaseException]) -> None:
    failed = []
    for number, outcome in outcomes.items():
        if isinstance(outcome, ToolServerError):
            one, mask = wanted[number], Redactor(wanted[number].secrets).text
            hint = None if outcome.hint is None else mask(outcome.hint)
            place = ("mcp_servers", one.declared.name)
            failed.append(finding(one.workflow, "BR403", place, mask(outcome.message), help=hint))
        elif isinstance(outcome, BaseException):
            raise outcome
    if failed:
        raise ToolsUnreachableError(in_file_order(failed))


def _locked(
    one: WantedServer,
    box: ToolBox | None,
    facts: ServerFacts | BaseException | None,
    environment: Mapping[str, str],
    root: Path,
) -> LockedServer:
    start = start_of(one.declared, command=_found(one, environment), project_path=lambda path: _in_project(path, root))
    if box is None or not isinstance(facts, ServerFacts):
        return LockedServer(names=one.names, start=start)
    mask = Redactor(one.secrets).value
    said = {} if one.declared.builtin else {"name": facts.name, "version": facts.version, "protocol": facts.protocol}
    return LockedServer(
        names=one.names,
        start=start,
        said=mask({key: value for key, value in said.items() if value}),
        tools=tuple(locked_tool(tool, mask) for tool in box.tools),
    )


def _found(one: WantedServer, environment: Mapping[str, str]) -> str | None:
    """The command where it was found, None if its name depends on inputs, or it has none."""
    command = one.declared.command
    if command is None or (has_template(command) and not one.declared.verbatim):
        return None
    ready = one.ready or one.declared
    return find_command(command, folder=".", path=ready.env.get("PATH", environment.get("PATH")))


def _in_project(path: str, root: Path) -> str | None:
    """The path from the root of the project; None if it lies elsewhere."""
    home = root.absolute()
    return os.path.relpath(path, home) if Path(path).is_relative_to(home) and Path(path) != home else None
