"""What will happen, as text for people and as data for machines: what ``--dry-run`` and ``check`` print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.plan.plan import Plan
from runner.plan.residency import residences
from runner.show.cell import fit, one_line
from runner.show.findings.findings import finding_json
from runner.show.plan.json import servers_json, step_json, used_servers
from runner.show.plan.lines import Line, join, lines_of, times
from runner.show.plan.models import capabilities_text, models_text, residence_json, server_json, whole_seconds
from runner.show.table import full_table, wrap
from runner.words.json_text import as_text
from runner.workflow.model import ApproveWork, CallWork, OnError, Server

_FALLBACK = 120
"""Cells of a value that stands in for the output of a failed step."""
_QUESTION = 160
"""Cells of a question to a person."""
_WORKSPACES: Mapping[str, str] = {
    "copy": "Steps that change files work in a copy of the folder; the run ends with a patch to apply.",
    "worktree": "Steps that change files work in a git worktree of their own; the run ends with a patch to apply.",
}


def plan_text(plan: Plan, width: int = 100) -> str:
    """The steps in order, the models that answer them, the tool servers they use; ends with a newline.

    ``width`` in cells. What called files say stands among it.
    """
    room = width - 2
    lines = tuple(lines_of(plan))
    steps = tuple(line.named for line in lines if not line.has_rows)
    there = residences(steps)
    models = models_text(plan, there, room)
    asked = tuple({line.group: line for line in reversed(lines) if not line.is_row}.values())[::-1]
    sections: list[list[str]] = [
        _title(plan, asked, width),
        _indented(_steps(lines, room)),
        _section("Fan-outs and rounds", ("STEP", "RUNS"), _times(asked), room),
        _section("Conditions", ("STEP", "STARTS", "RUNS ONLY WHEN", "IF IT FAILS"), _conditions(asked), room),
        _section("Called workflows", ("STEP", "FILE", "NAME"), _calls(asked), room),
        _section(
            "Questions to a person", ("STEP", "QUESTION", "CHOICES", "IF NOBODY ANSWERS"), _questions(asked), room
        ),
        _section("Files", ("STEP", "KEEPS", "CHANGES"), _files(asked), room),
        models,
        capabilities_text(steps, there, room) if models else [],
        ["Models were not asked for (--offline): whether they exist is not known."] if plan.offline else [],
        _section("Tool servers", ("SERVER", "STARTED AS", "USED BY"), _servers(lines), room),
        _forecast(plan, room),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines: ``{workflow, file, offline, endpoints, model_servers, workspace, steps, models, servers,
    findings, forecast}``.

    Steps stand in the order in which they could run one by one; ``servers`` are those of tools. A step that calls a
    workflow has its ``steps`` and ``servers`` under ``callee``.
    """
    steps = tuple(line.named for line in lines_of(plan) if not line.has_rows)
    return {
        "workflow": plan.workflow.name,
        "file": plan.workflow.file,
        "offline": plan.offline,
        "endpoints": list(plan.endpoints),
        "model_servers": [server_json(server) for server in plan.servers],
        "workspace": plan.workflow.workspace,
        "steps": [step_json(planned) for planned in plan.steps],
        "models": [residence_json(one) for one in residences(steps)],
        "servers": servers_json(plan),
        "findings": [finding_json(finding) for finding in plan.findings],
        "forecast": _forecast_json(plan),
    }


def _title(plan: Plan, lines: Sequence[Line], width: int) -> list[str]:
    workflow, count = plan.workflow, len(plan.steps)
    called = len(lines) - count
    more = f", {called} more in called workflows" if called else ""
    title = [one_line(f"{workflow.name}: {count} step{'s' * (count != 1)}{more} ({workflow.file})")]
    return title + (wrap(_WORKSPACES[workflow.workspace], width) if workflow.workspace in _WORKSPACES else [])


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """A table under its title, without the columns that say nothing; nothing without rows."""
    return [title, *_indented(full_table(head, rows, room))] if rows else []


def _forecast(plan: Plan, room: int) -> list[str]:
    if plan.forecast is None:
        return []
    from runner.show.plan.forecast import forecast_text

    return ["Schedule", *_indented(forecast_text(plan.forecast, room))]


def _forecast_json(plan: Plan) -> dict[str, Any] | None:
    if plan.forecast is None:
        return None
    from runner.show.plan.forecast import forecast_json

    return forecast_json(plan.forecast)


def _steps(lines: Sequence[Line], room: int) -> list[str]:
    head = ("#", "STEP", "KIND", "WAITS FOR", "MODEL", "CHOSEN BY", "TOOLS")
    return full_table(head, [_step_row(line) for line in lines if not line.hidden], room, first=3)


def _step_row(line: Line) -> Sequence[str]:
    planned = line.planned
    choice = None if line.has_rows else planned.model
    wanted = "" if line.has_rows else planned.wanted_model or ""
    alike = "" if line.like is None else f"as [{line.like}]"
    first = [line.number, "  " * line.depth + one_line(line.label)]
    rest = (
        "" if line.is_row else line.step.kind,
        "" if line.is_row else ", ".join(planned.waits_for),
        alike or (choice.model if choice else wanted),
        choice.origin if choice and not alike else "",
        "" if line.is_row else "; ".join(f"{grant.server}: {', '.join(grant.patterns)}" for grant in planned.grants),
    )
    return [*first, *(one_line(text) or "-" for text in rest)]


def _times(lines: Sequence[Line]) -> list[Sequence[str]]:
    """The steps that run more than once."""
    rows = [(line.group, times(line.step)) for line in lines]
    return [row for row in rows if row[1] != "-"]


def _conditions(lines: Sequence[Line]) -> list[Sequence[str]]:
    """The steps that start at another time than the rest, or not always, and those whose failure is not the end."""
    rows = [
        (line.group, join(line.step), one_line(line.step.when or "") or "-", _fallback(line.step.on_error))
        for line in lines
    ]
    return [row for row in rows if any(cell != "-" for cell in row[1:])]


def _calls(lines: Sequence[Line]) -> list[Sequence[str]]:
    return [
        (line.group, one_line(line.step.work.callee.file), one_line(line.step.work.callee.name))
        for line in lines
        if isinstance(line.step.work, CallWork)
    ]


def _questions(lines: Sequence[Line]) -> list[Sequence[str]]:
    asked = [(line.group, line.step.work) for line in lines if isinstance(line.step.work, ApproveWork)]
    return [
        (unit, fit(one_line(work.question), _QUESTION), one_line(", ".join(work.choices)), _unanswered(work))
        for unit, work in asked
    ]


def _unanswered(work: ApproveWork) -> str:
    then = "the run pauses" if work.default is None else f"`{one_line(work.default)}` holds"
    return then if work.patience is None else f"{then}, at a terminal after {whole_seconds(work.patience)}"


def _files(lines: Sequence[Line]) -> list[Sequence[str]]:
    """What steps keep of the files, and which may not change any."""
    rows = [
        (
            line.group,
            one_line(", ".join(line.step.artifacts)) or "-",
            "none, or it fails" if line.step.reads_only else "-",
        )
        for line in lines
    ]
    return [row for row in rows if row[1:] != ("-", "-")]


def _fallback(on_error: OnError) -> str:
    if on_error.do == "output":
        return f"its output is {fit(one_line(as_text(on_error.output)), _FALLBACK) or 'empty'}"
    return "the run goes on" if on_error.do == "continue" else "-"


def _servers(lines: Sequence[Line]) -> list[Sequence[str]]:
    """Every server that some step may use, in the order of its file; one of the same name in another file apart."""
    users: dict[tuple[str, str], list[str]] = {}
    plans = {id(line.plan): line.plan for line in lines}
    for plan in plans.values():
        for name in used_servers(plan):
            users.setdefault((name, one_line(_how(plan.workflow.servers[name]))), [])
    for line in lines:
        for grant in () if line.is_row else line.planned.grants:
            key = grant.server, one_line(_how(line.plan.workflow.servers[grant.server]))
            users[key] += [] if line.group in users[key] else [line.group]
    return [(name, how, ", ".join(units)) for (name, how), units in users.items()]


def _how(server: Server) -> str:
    if server.builtin is not None:
        return f"built-in {server.builtin}, root {server.root}, " + ("may write" if server.write else "read-only")
    if server.url is not None:
        return server.url
    if server.source is not None:
        return f"as in {server.source}"
    return " ".join([server.command or "", *server.args])


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]
