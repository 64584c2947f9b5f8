"""What a workflow needs of this machine besides models: commands of tool servers, client files, secrets.

Nothing is started here; files are read and PATH is searched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from runner.plan.finding import finding
from runner.words.diagnostics import Diagnostic, Level
from runner.words.errors import TemplateError, WorkflowError
from runner.words.noun import noun
from runner.words.templates import has_template, render_text
from runner.workflow.model import Server, Workflow

TOLERATED: Level = "warning"
FATAL: Level = "error"
"""How bad it is that a declared secret has no value: in a check and a dry run, and before a run. None: it is nothing,
as where files are checked and this machine is not the one that runs them."""


@noun
class Surroundings:
    """What was found. ``servers`` are the file's servers, those with ``from:`` replaced by the entries they name.

    ``commands`` are those of servers that are there. ``open`` says in words what could not be judged yet, because it
    depends on inputs that are not given. ``below`` are the servers of called files, by file.
    """

    servers: Mapping[str, Server] = field(default_factory=dict)
    findings: tuple[Diagnostic, ...] = ()
    commands: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    below: Mapping[str, Mapping[str, Server]] = field(default_factory=dict)

    def servers_of(self, workflow: Workflow) -> Mapping[str, Server]:
        """The servers of a file: of the one that is run, or of one that it calls."""
        return self.below.get(workflow.file, self.servers)


def survey(
    workflow: Workflow, inputs: Mapping[str, Any], environment: Mapping[str, str], *, unset_secret: Level | None
) -> Surroundings:
    """Look at everything that the file and those that it calls name outside themselves, models apart: BR401, BR404,
    BR405.

    ``inputs`` are the values known so far; ``unset_secret`` is ``TOLERATED``, ``FATAL`` or None.
    """
    own = _survey_file(workflow, inputs, environment, unset_secret)
    files = {member.file: member for member in workflow.family[1:]}
    below = {name: _survey_file(member, {}, environment, unset_secret) for name, member in files.items()}
    return replace(
        own,
        findings=tuple(finding for one in (own, *below.values()) for finding in one.findings),
        commands=tuple(
            dict.fromkeys((*own.commands, *(command for one in below.values() for command in one.commands)))
        ),
        below={name: one.servers for name, one in below.items()},
    )


def _survey_file(
    workflow: Workflow, inputs: Mapping[str, Any], environment: Mapping[str, str], unset_secret: Level | None
) -> Surroundings:
    servers: dict[str, Server] = {}
    findings = [] if unset_secret is None else [*_unset_secrets(workflow, environment, unset_secret)]
    unknown: list[str] = []
    there: list[str] = []
    for name, declared in workflow.servers.items():
        try:
            servers[name] = imported(declared, workflow, environment)
        except WorkflowError as error:
            findings += error.diagnostics
            continue
        command = _command(servers[name], inputs)
        if command is None:
            unknown.append(
                f"the command of server `{name}` depends on inputs that are not given; it was not looked for"
            )
        elif command:
            missing = list(_missing_command(command, servers[name], workflow, environment))
            findings += missing
            there += [] if missing else [command]
    return Surroundings(servers=servers, findings=tuple(findings), commands=tuple(there), open=tuple(unknown))


def imported(server: Server, workflow: Workflow, environment: Mapping[str, str]) -> Server:
    """The server itself, or the entry of the client file that its ``from`` names, under the bounds of the workflow.

    Raises:
        WorkflowError: the client file or its entry is at fault (BR404).
    """
    if server.source is None:
        return server
    from runner.edges.host_config.client_config import read_client_server

    found = read_client_server(str(Path(workflow.folder) / server.source), server.name, environment)
    return replace(
        found,
        path=server.path,
        verbatim=True,
        tools=server.tools,
        timeout=server.timeout,
        start_timeout=server.start_timeout,
        isolate=server.isolate,
    )


def _command(server: Server, inputs: Mapping[str, Any]) -> str | None:
    """The command to look for; empty if the server has none, None if it cannot be known yet."""
    command = server.command or ""
    if server.verbatim or not has_template(command):
        return command
    try:
        return render_text(command, {"inputs": inputs})
    except TemplateError:
        return None


def _missing_command(
    command: str, server: Server, workflow: Workflow, environment: Mapping[str, str]
) -> Iterator[Diagnostic]:
    from runner.edges.process_group import find_command

    search_path = server.env.get("PATH", environment.get("PATH"))
    if find_command(command, folder=".", path=search_path) is not None:
        return
    place = ("mcp_servers", server.name, "from" if workflow.servers[server.name].source else "command")
    if os.sep in command:
        exists = Path(command).exists()
        message = f"the command `{command}` of server `{server.name}` " + (
            "cannot be executed" if exists else "does not exist"
        )
        ways = f"make it executable: `chmod +x {command}`" if exists else "paths count from where bridge-run is started"
    else:
        message = f"the command `{command}` of server `{server.name}` is not on PATH"
        ways = f"install `{command}`, or write its whole path"
    first, *others = command.split()
    if others and find_command(first, folder=".", path=search_path) is not None:
        ways = f"write the program alone as `command`, and the words behind `{first}` as `args`"
    yield finding(workflow, "BR401", place, message, help=ways)


def _unset_secrets(workflow: Workflow, environment: Mapping[str, str], level: Level) -> Iterator[Diagnostic]:
    for index, name in enumerate(workflow.secrets):
        if not environment.get(name):
            message = f"the secret `{name}` is declared, and the environment has no value for it"
            ways = f"set it where bridge-run is started: `export {name}=…`"
            yield finding(workflow, "BR405", ("secrets", index), message, level=level, help=ways)
