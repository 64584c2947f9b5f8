"""The workflow of one step that an autonomous task is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from runner.app.bridge.autonomous.task import MODEL_STEP, AutonomousTask, TaskServer
from runner.words.diagnostics import Diagnostic
from runner.words.errors import UsageError, WorkflowError
from runner.words.noun import noun
from runner.workflow.document import parse_document
from runner.workflow.load import Loaded, load_document

FILE = "<task>"
"""What stands where findings name a file."""
WORKFLOW = "autonomous"
_LEGAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_YAML = re.compile("[\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


@noun
class Names:
    """What a workflow calls the servers of hosts, whose names may be any text: real name → legal name."""

    legal: Mapping[str, str]

    @classmethod
    def of(cls, servers: Sequence[TaskServer]) -> Self:
        """A name that is legal stays as it is; what is not legal of another becomes ``_``."""
        legal = {server.name: server.name for server in servers if _LEGAL.fullmatch(server.name)}
        for server in servers:
            if server.name not in legal:
                legal[server.name] = _free(_ILLEGAL.sub("_", server.name).lstrip("-") or "_", set(legal.values()))
        return cls(legal={server.name: legal[server.name] for server in servers})

    def pattern(self, pattern: str) -> str:
        """A pattern of tools (``server.tool``, or ``server``) with the legal name of its server."""
        for name in sorted(self.legal, key=len, reverse=True):
            if pattern == name or pattern.startswith(f"{name}."):
                return self.legal[name] + pattern[len(name) :]
        return pattern


def _free(name: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def file_of(
    task: AutonomousTask, names: Names, model: str, environment: Mapping[str, str]
) -> tuple[Loaded, dict[str, Any]]:
    """The workflow, checked, and the values of its inputs: all that may hold braces is one of these.

    Raises:
        UsageError: the schema of the output is none.
        WorkflowError: the schema of the output, a pattern of tools or the entry of a server is at fault.
        CannotServeError: the entry of a server needs a variable that is not set.
    """
    if task.output_schema is not None and "schema" in task.output_schema:
        raise UsageError("`output_schema` has a key `schema`, which JSON Schema does not know")
    inputs = {
        "task": task.task,
        **({} if task.system is None else {"system": task.system}),
        **{f"image_{number}": path for number, path in enumerate(task.images, 1)},
    }
    data = {
        "version": 1,
        "name": WORKFLOW,
        "inputs": {name: {"type": "string"} for name in inputs},
        **(
            {"mcp_servers": {names.legal[one.name]: {"from": one.file} for one in task.servers}} if task.servers else {}
        ),
        "limits": _set(tokens=task.tokens, time=_milliseconds(task.timeout)),
        "steps": [_step(task, names, model)],
    }
    text = _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(data, ensure_ascii=False, indent=1))
    loaded = load_document(parse_document(text, FILE))
    return _renamed(loaded, task, names, environment), inputs


def _step(task: AutonomousTask, names: Names, model: str) -> dict[str, Any]:
    return {
        "id": MODEL_STEP,
        "task": "{{ inputs.task }}",
        "model": model,
        "timeout": _milliseconds(task.timeout),
        "limits": _set(rounds=task.max_rounds, tool_calls=task.tool_calls),
        **_set(
            system=None if task.system is None else "{{ inputs.system }}",
            images=[f"{{{{ inputs.image_{number} }}}}" for number in range(1, len(task.images) + 1)] or None,
            sampling=None if task.max_tokens is None else {"max_tokens": task.max_tokens},
            output=task.output_schema,
            mcp_servers=[names.legal[server.name] for server in task.servers] or None,
            tools=None if task.tools is None or not task.servers else list(map(names.pattern, task.tools)),
        ),
    }


def _milliseconds(seconds: float) -> str:
    return f"{max(round(seconds * 1000), 1)}ms"


def _set(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def _renamed(loaded: Loaded, task: AutonomousTask, names: Names, environment: Mapping[str, str]) -> Loaded:
    """The same with the entries of those servers in it that the workflow must call by other names."""
    from runner.edges.host_config.client_config import read_client_server

    servers = dict(loaded.workflow.servers)
    problems: list[Diagnostic] = []
    kinds: set[type[WorkflowError]] = set()
    for server in task.servers:
        legal = names.legal[server.name]
        if legal == server.name:
            continue
        try:
            entry = read_client_server(server.file, server.name, environment)
        except WorkflowError as error:
            problems += error.diagnostics
            kinds.add(type(error))
            continue
        declared = servers[legal]
        servers[legal] = replace(entry, name=legal, path=declared.path)
    if problems:
        raise (kinds.pop() if len(kinds) == 1 else WorkflowError)(problems)
    return replace(loaded, workflow=replace(loaded.workflow, servers=servers))


def left_out(findings: Sequence[Diagnostic], task: AutonomousTask, names: Names) -> tuple[tuple[str, str], ...]:
    """The servers that errors are about, each with what is wrong with it; empty if one of them is about more."""
    found: dict[str, str] = {}
    for finding in findings:
        if finding.level != "error":
            continue
        about = [server.name for server in task.servers if _is_about(finding, server, names.legal[server.name])]
        if len(about) != 1:
            return ()
        found.setdefault(about[0], finding.message)
    return tuple(found.items())


def _is_about(finding: Diagnostic, server: TaskServer, legal: str) -> bool:
    """Every finding about a server names it so: with the name of the host's file, or ours.

    The name alone would not do: a command may have the name of another server.
    """
    return any(f"server `{name}`" in finding.message for name in (server.name, legal))
