"""A lock and its drift, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.plan.lock.drift import Drift
from runner.plan.lock.lock import Lock
from runner.plan.lock.words import visible, words_of


def drift_text(drift: Sequence[Drift]) -> str:
    """One line an item, and below it what of it changed."""
    lines: list[str] = []
    for one in drift:
        lines.append(f"{one.how:<7}  {one.kind} `{visible(one.name)}`")
        lines += [f"           {words_of(change)}" for change in one.changes]
    return "\n".join(lines)


def drift_json(file: str, drift: Sequence[Drift], exit_code: int) -> dict[str, Any]:
    """``{lock, drift: [{kind, name, how, changes: [{path, before, after}]}], exit_code}``."""
    items = [
        {
            "kind": one.kind,
            "name": one.name,
            "how": one.how,
            "changes": [
                {"path": change.path, "before": change.before, "after": change.after} for change in one.changes
            ],
        }
        for one in drift
    ]
    return {"lock": file, "drift": items, "exit_code": exit_code}


def contents(lock: Lock) -> str:
    """``3 models, 2 tool servers with 14 tools``."""
    models = sum(len(endpoint.models) for endpoint in lock.endpoints)
    tools = sum(len(server.tools or ()) for server in lock.servers)
    servers = f"{_counted(len(lock.servers), 'tool server')} with {_counted(tools, 'tool')}"
    return f"{_counted(models, 'model')}, {servers}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
