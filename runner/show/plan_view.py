"""What will happen, as text for people and as data for machines: what ``--dry-run`` and ``check`` print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.chat.catalogue import ModelEntry
from runner.plan.plan import ModelChoice, Plan, PlannedStep
from runner.show.cell import fit, one_line
from runner.show.findings import finding_json
from runner.show.table import table
from runner.words.json_text import as_text
from runner.words.units import show_bytes
from runner.workflow.model import OnError, Server

_FALLBACK = 120
"""Cells of a value that stands in for the output of a failed step."""


def plan_text(plan: Plan, width: int = 100) -> str:
    """The steps in order, the models that answer them, the tool servers they use; ends with a newline."""
    workflow = plan.workflow
    count = len(plan.steps)
    parts = [[one_line(f"{workflow.name}: {count} step{'s' * (count != 1)} ({workflow.file})")]]
    parts.append(_indented(_steps(plan, width - 2)))
    conditions = _conditions(plan, width - 2)
    if conditions:
        parts.append(["Conditions", *_indented(conditions)])
    models = _models(plan, width - 2)
    if models:
        parts.append(["Models", *_indented(models)])
    if plan.offline:
        parts.append(["Models were not asked for (--offline): whether they exist is not known."])
    servers = _servers(plan, width - 2)
    if servers:
        parts.append(["Tool servers", *_indented(servers)])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines: ``{workflow, file, offline, endpoints, steps, servers, findings}``, steps in order."""
    workflow = plan.workflow
    return {
        "workflow": workflow.name,
        "file": workflow.file,
        "offline": plan.offline,
        "endpoints": list(plan.endpoints),
        "steps": [_step_json(planned) for planned in plan.steps],
        "servers": {name: _server_json(workflow.servers[name]) for name in _used_servers(plan)},
        "findings": [finding_json(finding) for finding in plan.findings],
    }


def _steps(plan: Plan, room: int) -> list[str]:
    head = ("#", "STEP", "KIND", "WAITS FOR", "MODEL", "CHOSEN BY", "TOOLS")
    rows = [_step_row(number, planned) for number, planned in enumerate(plan.steps, 1)]
    return _without_empty(head, rows, room, first=3)


def _step_row(number: int, planned: PlannedStep) -> Sequence[str]:
    choice = planned.model
    return [
        one_line(text) or "-"
        for text in (
            str(number),
            planned.step.id,
            planned.step.kind,
            ", ".join(planned.waits_for),
            choice.model if choice else planned.wanted_model or "",
            choice.origin if choice else "",
            "; ".join(f"{grant.server}: {', '.join(grant.patterns)}" for grant in planned.grants),
        )
    ]


def _conditions(plan: Plan, room: int) -> list[str]:
    """The steps that their own ``when`` may skip, and those whose failure is not the end."""
    steps = [planned.step for planned in plan.steps]
    rows = [(step.id, one_line(step.when or "") or "-", _fallback(step.on_error)) for step in steps]
    rows = [row for row in rows if row[1:] != ("-", "-")]
    return _without_empty(("STEP", "RUNS ONLY WHEN", "IF IT FAILS"), rows, room) if rows else []


def _fallback(on_error: OnError) -> str:
    if on_error.do == "output":
        return f"its output is {fit(one_line(as_text(on_error.output)), _FALLBACK) or 'empty'}"
    return "the run goes on" if on_error.do == "continue" else "-"


def _without_empty(head: Sequence[str], rows: Sequence[Sequence[str]], room: int, first: int = 1) -> list[str]:
    """A table without the columns in which no row says anything; the ``first`` ones always stay."""
    used = [column for column in range(len(head)) if column < first or any(row[column] != "-" for row in rows)]
    return table([head[column] for column in used], [[row[column] for column in used] for row in rows], room)


def _models(plan: Plan, room: int) -> list[str]:
    """Every model once, with its server, its state there, and the steps that it answers."""
    steps: dict[tuple[str, str], list[str]] = {}
    choices: dict[tuple[str, str], ModelChoice] = {}
    for planned in plan.steps:
        if planned.model is not None:
            key = (planned.model.model, planned.model.endpoint)
            choices.setdefault(key, planned.model)
            steps.setdefault(key, []).append(planned.step.id)
    rows = [
        [one_line(choice.model), one_line(choice.endpoint), one_line(_state(choice)), ", ".join(steps[key])]
        for key, choice in choices.items()
    ]
    return table(("MODEL", "SERVER", "STATE", "ANSWERS"), rows, room) if rows else []


def _state(choice: ModelChoice) -> str:
    """``loaded, context 32,768``; ``will be loaded on demand, 18.6 GB``; the wish it stands in for, if another."""
    entry = choice.entry
    facts = ["loaded" if is_loaded(entry) else "state unknown" if entry.loaded is None else "will be loaded on demand"]
    context = next((instance.context_length for instance in entry.instances if instance.context_length), None)
    if context is not None:
        facts.append(f"context {context:,}")
    if entry.quantization:
        facts.append(entry.quantization)
    if entry.size_bytes and not is_loaded(entry):
        facts.append(show_bytes(entry.size_bytes))
    if choice.wanted not in choice.entry.names and choice.wanted != choice.model:
        facts.append(f"stands in for {choice.wanted}")
    return ", ".join(facts)


def is_loaded(entry: ModelEntry) -> bool:
    """Whether the server said that the model is in memory."""
    return bool(entry.instances) or entry.loaded is True


def _servers(plan: Plan, room: int) -> list[str]:
    rows = []
    for name in _used_servers(plan):
        server = plan.workflow.servers[name]
        rows.append([name, one_line(_how(server)), ", ".join(_users(plan, name))])
    return table(("SERVER", "STARTED AS", "USED BY"), rows, room) if rows else []


def _how(server: Server) -> str:
    if server.builtin is not None:
        return f"built-in {server.builtin}, root {server.root}, " + ("may write" if server.write else "read-only")
    if server.url is not None:
        return server.url
    if server.source is not None:
        return f"as in {server.source}"
    return " ".join([server.command or "", *server.args])


def _used_servers(plan: Plan) -> list[str]:
    """The servers that some step may use, in the order of the file."""
    used = {grant.server for planned in plan.steps for grant in planned.grants}
    return [name for name in plan.workflow.servers if name in used]


def _users(plan: Plan, server: str) -> Iterable[str]:
    return (planned.step.id for planned in plan.steps if any(grant.server == server for grant in planned.grants))


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]


def _step_json(planned: PlannedStep) -> dict[str, Any]:
    choice = planned.model
    return {
        "id": planned.step.id,
        "kind": planned.step.kind,
        "name": planned.step.name,
        "when": planned.step.when,
        "on_error": {"do": planned.step.on_error.do, "output": planned.step.on_error.output},
        "waits_for": list(planned.waits_for),
        "wanted_model": choice.wanted if choice else planned.wanted_model,
        "model": None if choice is None else _choice_json(choice),
        "tools": [{"server": grant.server, "patterns": list(grant.patterns)} for grant in planned.grants],
    }


def _choice_json(choice: ModelChoice) -> dict[str, Any]:
    entry = choice.entry
    contexts = [instance.context_length for instance in entry.instances if instance.context_length]
    return {
        "id": choice.model,
        "endpoint": choice.endpoint,
        "origin": choice.origin,
        "loaded": True if is_loaded(entry) else entry.loaded,
        "context_length": contexts[0] if contexts else None,
        "max_context_length": entry.max_context_length,
        "quantization": entry.quantization,
        "sampling": dict(choice.sampling),
    }


def _server_json(server: Server) -> dict[str, Any]:
    """How it is started; ``env`` and ``headers`` by name only, for their values may be secret."""
    return {
        "command": server.command,
        "args": list(server.args),
        "env": sorted(server.env),
        "url": server.url,
        "headers": sorted(server.headers),
        "builtin": server.builtin,
        "root": server.root if server.builtin else None,
        "write": server.write,
        "from": server.source,
    }
