"""The steps and tool servers of a plan as data for machines."""

from __future__ import annotations

from typing import Any

from runner.plan.plan import Plan, PlannedStep
from runner.show.plan.models import choice_json, needs_json
from runner.workflow.fan_out import FanOut, ForEach
from runner.workflow.model import ApproveWork, CallWork, Server, Step


def step_json(planned: PlannedStep) -> dict[str, Any]:
    """A step and what it was tied to. ``callee`` is the plan of the workflow that it calls, as far as it has its own.

    ``rows`` are there where the rows of a matrix differ in model or callee: ``{model, callee}`` each, in order.
    """
    step, choice = planned.step, planned.model
    return {
        "id": step.id,
        "kind": step.kind,
        "name": step.name,
        "when": step.when,
        "join": step.join,
        "on_error": {"do": step.on_error.do, "output": step.on_error.output},
        "waits_for": list(planned.waits_for),
        "fan_out": None if step.fan_out is None else _fan_out_json(step.fan_out),
        "repeat": None if step.repeat is None else {"until": step.repeat.until, "max": step.repeat.most},
        "approval": _approval_json(step),
        "artifacts": list(step.artifacts),
        "reads_only": step.reads_only,
        "wanted_model": choice.wanted if choice else planned.wanted_model,
        "model": None if choice is None else choice_json(choice),
        "needs": None if planned.needs is None else needs_json(planned.needs),
        "tools": [{"server": grant.server, "patterns": list(grant.patterns)} for grant in planned.grants],
        "callee": _callee_json(planned),
        "rows": [
            {"model": None if row.model is None else choice_json(row.model), "callee": _callee_json(row)}
            for row in planned.rows
        ],
    }


def servers_json(plan: Plan) -> dict[str, Any]:
    """The tool servers of the file that some step of it may use, by name."""
    return {name: _server_json(plan.workflow.servers[name]) for name in used_servers(plan)}


def used_servers(plan: Plan) -> list[str]:
    """The servers that some step of the file may use, in its order."""
    used = {grant.server for planned in plan.steps for grant in planned.grants}
    return [name for name in plan.workflow.servers if name in used]


def _callee_json(planned: PlannedStep) -> dict[str, Any] | None:
    callee = planned.callee
    if callee is None or not isinstance(planned.step.work, CallWork):
        return None
    return {
        "workflow": callee.workflow.name,
        "file": planned.step.work.file,
        "steps": [step_json(one) for one in callee.steps],
        "servers": servers_json(callee),
    }


def _fan_out_json(fan_out: FanOut) -> dict[str, Any]:
    """``items`` is an expression or the list; of a matrix the list of its rows."""
    over = fan_out.over
    items = over.rows if not isinstance(over, ForEach) else over.items
    return {
        "over": "for_each" if isinstance(over, ForEach) else "matrix",
        "items": items if isinstance(items, str) else list(items),
        "max_parallel": fan_out.max_parallel,
        "order": "items" if fan_out.in_order else None,
        "fail_fast": fan_out.fail_fast,
    }


def _approval_json(step: Step) -> dict[str, Any] | None:
    """``timeout`` in seconds: how long somebody at a terminal is waited for."""
    work = step.work
    if not isinstance(work, ApproveWork):
        return None
    return {
        "question": work.question,
        "choices": list(work.choices),
        "default": work.default,
        "timeout": work.patience,
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
