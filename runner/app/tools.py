"""``--tools``: start the tool servers of a workflow that is not run, confirm what its steps name, end them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.app.prepare import Prepared
from runner.plan.tool_room import NOTHING_LISTED, ToolRoom
from runner.plan.wanted import Names
from runner.words.diagnostics import Diagnostic
from runner.words.errors import TemplateError
from runner.words.noun import noun
from runner.workflow.model import Server, Workflow

if TYPE_CHECKING:  # they bring asyncio, and the SDK of the tool servers
    from runner.app.run.tool_start import Household
    from runner.chat.toolbox import ToolBox
    from runner.edges.process_group import Offspring


@noun
class Confirmed:
    """Tool servers that have listed what they offer: the warnings, and what their tools take of a context."""

    findings: tuple[Diagnostic, ...] = ()
    room: ToolRoom = NOTHING_LISTED


def confirm_tools(prepared: Prepared, environment: Mapping[str, str]) -> Confirmed:
    """Start every tool server that a step uses, all at once, list their tools, end them.

    Servers whose client file is at fault are left out, and those that ``not_startable`` names.

    Raises:
        ToolsUnreachableError: servers did not start (BR403).
        ToolsMissingError: a tool that a step names is not offered (BR402).
        KeyboardInterrupt: Ctrl-C or SIGTERM; all servers have ended.
    """
    import asyncio

    used = [one for one in _used(prepared, environment) if one.server is not None]
    if not used:
        return Confirmed()
    try:
        return asyncio.run(_confirm(used, _secrets(prepared, environment), environment))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def startable(prepared: Prepared, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the tool servers that ``confirm_tools`` starts; those that would start alike are one."""
    from runner.app.run.tool_house import alike

    found = [one.server for one in _used(prepared, environment) if one.server is not None]
    return tuple({alike(server): server.name for server in found}.values())


def not_startable(prepared: Prepared, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of those that it leaves out, because their templates read inputs that are not given."""
    return tuple(dict.fromkeys(one.name for one in _used(prepared, environment) if one.server is None))


@noun
class _Used:
    """A server that a step of ``workflow`` may use, ready to start; ``server`` is None if it cannot be known yet."""

    workflow: Workflow
    name: str
    server: Server | None


def _used(prepared: Prepared, environment: Mapping[str, str]) -> tuple[_Used, ...]:
    """The servers of the file and of all that it calls."""
    from runner.app.run.tool_house import every_file
    from runner.app.run.tool_start import servers_used

    names = Names(workflow=prepared.workflow, overrides=prepared.overrides, inputs=prepared.inputs)
    secrets = _secrets(prepared, environment)

    def used(here: Names) -> Iterator[_Used]:
        servers = prepared.surroundings.servers_of(here.workflow)
        for name in servers_used(here.workflow):
            if name in servers:
                yield _Used(workflow=here.workflow, name=name, server=_ready(servers[name], here.inputs, secrets))

    return tuple(one for here in every_file(names) for one in used(here))


def _secrets(prepared: Prepared, environment: Mapping[str, str]) -> dict[str, str]:
    """The values of all that the files declare; one that is not set is empty."""
    return {name: environment.get(name, "") for file in prepared.workflow.family for name in file.secrets}


def _ready(server: Server, inputs: Mapping[str, Any], secrets: Mapping[str, str]) -> Server | None:
    from runner.app.server_text import rendered_server

    try:
        return rendered_server(server, {"inputs": inputs, "secrets": secrets, "run": {"id": "check"}})
    except TemplateError:
        return None


async def _confirm(used: Sequence[_Used], secrets: Mapping[str, str], environment: Mapping[str, str]) -> Confirmed:
    import asyncio

    from runner.app.interrupt import interruptible
    from runner.app.run.tool_start import ToolStart
    from runner.edges.process_group import Offspring
    from runner.words.redact import Redactor

    offspring = Offspring()
    start = ToolStart(_households(used, environment, offspring), Redactor(secrets).text)
    confirmed = asyncio.ensure_future(start.confirm(lambda _: None))
    with interruptible(confirmed, offspring):
        try:
            start.begin()
            return Confirmed(findings=await confirmed, room=start.room)
        finally:
            await start.close()
            offspring.kill_all_now()


def _households(used: Sequence[_Used], environment: Mapping[str, str], offspring: Offspring) -> tuple[Household, ...]:
    """The servers, each with its file; what would start alike is started once."""
    from runner.app.run.tool_house import alike
    from runner.app.run.tool_start import Household
    from runner.edges.toolbox import make_toolbox

    folder = os.getcwd()  # noqa: PTH109 - a text is asked for
    boxes: dict[str, ToolBox] = {}
    for server in filter(None, (one.server for one in used)):
        if alike(server) not in boxes:
            boxes[alike(server)] = make_toolbox(server, folder=folder, environment=environment, offspring=offspring)
    return tuple(
        Household(workflow=one.workflow, boxes={one.name: boxes[alike(one.server)]})
        for one in used
        if one.server is not None
    )
