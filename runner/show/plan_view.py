"""What will happen, as text for people and as data for machines: what ``--dry-run`` and ``check`` print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.plan.plan import Plan, PlannedStep
from runner.plan.residency import residences
from runner.show.cell import fit, one_line
from runner.show.findings import finding_json
from runner.show.plan_models import (
    capabilities_text,
    choice_json,
    models_text,
    needs_json,
    residence_json,
    server_json,
)
from runner.show.table import full_table, table
from runner.words.json_text import as_text
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
    there = residences(plan.steps)
    models = models_text(plan, there, width - 2)
    if models:
        parts += [models, capabilities_text(plan, there, width - 2)]
    if plan.offline:
        parts.append(["Models were not asked for (--offline): whether they exist is not known."])
    servers = _servers(plan, width - 2)
    if servers:
        parts.append(["Tool servers", *_indented(servers)])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines: ``{workflow, file, offline, endpoints, model_servers, steps, models, servers, findings}``.

    Steps stand in the order in which they could run one by one; ``servers`` are those of tools.
    """
    workflow = plan.workflow
    return {
        "workflow": workflow.name,
        "file": workflow.file,
        "offline": plan.offline,
        "endpoints": list(plan.endpoints),
        "model_servers": [server_json(server) for server in plan.servers],
        "steps": [_step_json(planned) for planned in plan.steps],
        "models": [residence_json(one) for one in residences(plan.steps)],
        "servers": {name: _server_json(workflow.servers[name]) for name in _used_servers(plan)},
        "findings": [finding_json(finding) for finding in plan.findings],
    }


def _steps(plan: Plan, room: int) -> list[str]:
    head = ("#", "STEP", "KIND", "WAITS FOR", "MODEL", "CHOSEN BY", "TOOLS")
    rows = [_step_row(number, planned) for number, planned in enumerate(plan.steps, 1)]
    return full_table(head, rows, room, first=3)


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
    return full_table(("STEP", "RUNS ONLY WHEN", "IF IT FAILS"), rows, room) if rows else []


def _fallback(on_error: OnError) -> str:
    if on_error.do == "output":
        return f"its output is {fit(one_line(as_text(on_error.output)), _FALLBACK) or 'empty'}"
    return "the run goes on" if on_error.do == "continue" else "-"


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
        "model": None if choice is None else choice_json(choice),
        "needs": None if planned.needs is None else needs_json(planned.needs),
        "tools": [{"server": grant.server, "patterns": list(grant.patterns)} for grant in planned.grants],
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
