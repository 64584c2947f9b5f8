"""``--tools``: start the tool servers of a workflow that is not run, confirm what its steps name, end them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from runner.app.prepare import Prepared
from runner.words.diagnostics import Diagnostic
from runner.words.errors import TemplateError
from runner.workflow.model import Server, Workflow


def confirm_tools(prepared: Prepared, environment: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Start every tool server that a step uses, all at once, list their tools, end them; returns the warnings.

    Servers whose client file is at fault are left out, and those that ``not_startable`` names.

    Raises:
        ToolsUnreachableError: servers did not start (BR403).
        ToolsMissingError: a tool that a step names is not offered (BR402).
        KeyboardInterrupt: Ctrl-C or SIGTERM; all servers have ended.
    """
    import asyncio

    ready = [server for server in _rendered(prepared, environment).values() if server is not None]
    if not ready:
        return ()
    try:
        return asyncio.run(_confirm(prepared.workflow, ready, environment))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def startable(prepared: Prepared, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the tool servers that ``confirm_tools`` starts."""
    return tuple(name for name, server in _rendered(prepared, environment).items() if server is not None)


def not_startable(prepared: Prepared, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of those that it leaves out, because their templates read inputs that are not given."""
    return tuple(name for name, server in _rendered(prepared, environment).items() if server is None)


def _rendered(prepared: Prepared, environment: Mapping[str, str]) -> dict[str, Server | None]:
    from runner.app.tool_start import servers_used

    servers = prepared.surroundings.servers
    used = (name for name in servers_used(prepared.workflow) if name in servers)
    return {name: _ready(servers[name], prepared, environment) for name in used}


def _ready(server: Server, prepared: Prepared, environment: Mapping[str, str]) -> Server | None:
    from runner.app.server_text import rendered_server

    secrets = {name: environment.get(name, "") for name in prepared.workflow.secrets}
    try:
        return rendered_server(server, {"inputs": prepared.inputs, "secrets": secrets, "run": {"id": "check"}})
    except TemplateError:
        return None


async def _confirm(
    workflow: Workflow, servers: Sequence[Server], environment: Mapping[str, str]
) -> tuple[Diagnostic, ...]:
    import asyncio

    from runner.app.interrupt import interruptible
    from runner.app.tool_start import Household, ToolStart
    from runner.edges.process_group import Offspring
    from runner.edges.toolbox import make_toolbox
    from runner.words.redact import Redactor

    folder, offspring = os.getcwd(), Offspring()  # noqa: PTH109 - a text is asked for
    boxes = {
        server.name: make_toolbox(server, folder=folder, environment=environment, offspring=offspring)
        for server in servers
    }
    secrets = {name: environment[name] for name in workflow.secrets if name in environment}
    start = ToolStart((Household(workflow=workflow, boxes=boxes),), Redactor(secrets).text)
    confirmed = asyncio.ensure_future(start.confirm(lambda _: None))
    with interruptible(confirmed, offspring):
        try:
            start.begin()
            return await confirmed
        finally:
            await start.close()
            offspring.kill_all_now()
