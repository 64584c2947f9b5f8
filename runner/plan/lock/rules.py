"""A workflow against a lock: what the lock lacks (BR511, BR512), and what is not as it says (BR513, BR514)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.chat.catalogue import Catalogue
from runner.chat.toolbox import Tool
from runner.plan.calls import for_callee, for_row, rows_of
from runner.plan.finding import finding, span_at
from runner.plan.grants import grants_for, is_granted
from runner.plan.lock.drift import tool_changes
from runner.plan.lock.lock import Lock, LockedServer, LockedTool, locked_entry
from runner.plan.lock.text import model_facts
from runner.plan.lock.tool import locked_tool
from runner.plan.lock.words import Change, changes_between, words_of
from runner.plan.lookup import look_up
from runner.plan.plan import ModelChoice, Plan
from runner.plan.wanted import Names, Wanted
from runner.words.diagnostics import Diagnostic, Level, Note
from runner.workflow.model import CallWork, Step, TaskWork, Workflow

_INSTEAD = frozenset(("BR301", "BR302", "BR303"))
"""Findings about a model that no server has: of one that the lock does not know, nobody has asked a server."""
_BINDING = frozenset(("BR313", "BR314"))
_SHOWN = 6
"""Changes of one item that are told beside a finding."""


def wishes_of(names: Names) -> Iterator[tuple[Names, Step, Wanted]]:
    """Every name under which a step of the file, or of one that it calls, would take a model."""
    for step in names.workflow.steps:
        for row in rows_of(step) or (None,):
            here = for_row(names, row)
            if isinstance(step.work, TaskWork):
                yield from ((here, step, wish) for wish in here.wanted_by(step, step.work))
            elif isinstance(step.work, CallWork):
                yield from wishes_of(for_callee(here, step.work))


def unlocked_models(names: Names, lock: Lock) -> tuple[Diagnostic, ...]:
    """BR511: models that the lock does not know, each where its name stands; what cannot be made is not judged."""
    found: dict[Diagnostic, None] = {}
    catalogue = lock.catalogue()
    for here, _, wish in wishes_of(names):
        if wish.problem is None and not _knows(lock, catalogue, wish):
            where = f" on the server `{wish.endpoint}`" if wish.endpoint else ""
            what = "the model of steps that name none" if wish.name is None else f"the model `{wish.name}`"
            ways = "write it anew where the model servers can be asked: `bridge-run lock`"
            message = f"{lock.file} does not know {what}{where}"
            found[finding(here.workflow, "BR511", wish.path, message, help=ways)] = None
    return tuple(found)


def _knows(lock: Lock, catalogue: Catalogue, wish: Wanted) -> bool:
    name = wish.name
    if name is None:
        return False  # else it would be named after the lock's `default_model`
    bound = tuple(one for one in catalogue.endpoints if wish.endpoint in (None, one.name))
    return name in lock.missing or look_up(name, Catalogue(bound)) is not None


def with_unlocked(findings: Iterable[Diagnostic], unlocked: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """All of them, less those that say of an unlocked name that no server has it."""
    places = {(one.file, one.span) for one in unlocked}
    files = {one.file for one in unlocked}

    def follows(one: Diagnostic) -> bool:
        return (one.code in _INSTEAD and (one.file, one.span) in places) or (one.code in _BINDING and one.file in files)

    return (*(one for one in findings if not follows(one)), *unlocked)


def unlocked_servers(
    workflow: Workflow, used: Iterable[str], lock: Lock, level: Level = "error"
) -> tuple[Diagnostic, ...]:
    """BR512: servers of the file that steps use and the lock does not know."""
    found = []
    for name in used:
        if lock.server_for(workflow.servers[name]) is None:
            message = f"{lock.file} does not know the tool server `{name}`, as it is started here"
            ways = "write it anew where the server can be started: `bridge-run lock`"
            found.append(finding(workflow, "BR512", ("mcp_servers", name), message, level=level, help=ways))
    return tuple(found)


def vouched_for(workflow: Workflow, lock: Lock) -> frozenset[tuple[str, Any]]:
    """Where the commands and client files of locked servers stand (file, span): the lock stands in for both."""
    known = [name for name, server in workflow.servers.items() if lock.server_for(server) is not None]
    keys = ("command", "from")
    return frozenset((workflow.file, span_at(workflow, ("mcp_servers", name, key))) for name in known for key in keys)


def changed_tools(
    workflow: Workflow,
    lock: Lock,
    offered: Mapping[str, Sequence[Tool]],
    *,
    mask: Callable[[Any], Any] = lambda value: value,
    level: Level = "error",
) -> tuple[Diagnostic, ...]:
    """What started servers offer against the lock: BR512 for servers, BR513 for tools that a step may use.

    A tool that is not offered any more is a warning: what names it is refused anyway (BR402).
    """
    found: list[Diagnostic] = []
    for name, tools in offered.items():
        locked = lock.server_for(workflow.servers[name])
        if locked is None or locked.tools is None:
            found += unlocked_servers(workflow, (name,), lock, level) or _never_listed(workflow, name, lock, level)
            continue
        here = _Compared(workflow=workflow, name=name, locked=locked, lock=lock, level=level)
        found += here.findings([locked_tool(tool, mask) for tool in tools])
    return tuple(found)


def _never_listed(workflow: Workflow, name: str, lock: Lock, level: Level) -> tuple[Diagnostic, ...]:
    message = f"the tools of `{name}` are not in {lock.file}: its start depends on inputs that were not given then"
    ways = "give these inputs a `default`, and write the lock anew: `bridge-run lock`"
    return (finding(workflow, "BR512", ("mcp_servers", name), message, level=level, help=ways),)


class _Compared:
    """One started server of a file against its entry of the lock."""

    def __init__(self, *, workflow: Workflow, name: str, locked: LockedServer, lock: Lock, level: Level) -> None:
        self._workflow = workflow
        self._name = name
        self._locked = {tool.name: tool for tool in locked.tools or ()}
        self._lock = lock
        self._level = level
        grants = (grant for step in workflow.steps for grant in grants_for(step, workflow.servers))
        self._grants = tuple(dict.fromkeys(grant for grant in grants if grant.server == name))

    def findings(self, tools: Sequence[LockedTool]) -> Iterator[Diagnostic]:
        usable = [tool for tool in tools if self._is_usable(tool.name)]
        for tool in usable:
            locked = self._locked.get(tool.name)
            if locked is None:
                yield self._finding(f"`{self._name}` offers a tool that {self._lock.file} does not know: `{tool.name}`")
                continue
            changes = tool_changes(locked, tool)
            if changes:
                message = f"the tool `{self._name}.{tool.name}` is not the one of {self._lock.file}: {_keys(changes)}"
                yield self._finding(message, changes)
        there = {tool.name for tool in tools}
        for name in self._locked:
            if name not in there and self._is_usable(name):
                message = f"`{self._name}` no longer offers the tool `{name}`, which is in {self._lock.file}"
                yield replace(self._finding(message), level="warning")

    def _is_usable(self, tool: str) -> bool:
        return any(is_granted(tool, grant, self._workflow.servers[self._name]) for grant in self._grants)

    def _finding(self, message: str, changes: Sequence[Change] = ()) -> Diagnostic:
        ways = "look at what changed, and if it is right write the lock anew: "
        return finding(
            self._workflow,
            "BR513",
            ("mcp_servers", self._name),
            message,
            level=self._level,
            help=f"{ways}`bridge-run lock --update {self._name}`",
            notes=_notes(changes),
        )


def changed_models(plan: Plan, lock: Lock, catalogue: Catalogue) -> tuple[Diagnostic, ...]:
    """Warnings about models of a plan that are not as the lock says (BR514), or that it does not know (BR511)."""
    servers = {one.endpoint: one for one in catalogue.endpoints}
    found: dict[tuple[str, str, str], Diagnostic] = {}
    for workflow, step, choice in _choices(plan):
        server = servers[choice.endpoint]
        fixed = not (server.manages or server.loads_on_demand)
        key = (workflow.file, choice.endpoint, choice.model)
        judged = None if key in found else _changed_model(workflow, step, choice, lock, server.name, fixed=fixed)
        if judged is not None:
            found[key] = judged
    return tuple(found.values())


def _changed_model(
    workflow: Workflow, step: Step, choice: ModelChoice, lock: Lock, server: str | None, *, fixed: bool
) -> Diagnostic | None:
    place = (*step.path, "model")
    same = [
        (endpoint.name == server, model.entry)
        for endpoint, model in lock.models_named(choice.model)
        if model.entry.key == choice.entry.key
    ]
    if not same:
        message = f"{lock.file} does not know the model `{choice.model}`"
        ways = "write it anew: `bridge-run lock`"
        return finding(workflow, "BR511", place, message, level="warning", help=ways)
    _, entry = max(same, key=lambda one: one[0])
    now = locked_entry(choice.entry, (choice.model,), fixed=fixed)
    changes = tuple(changes_between(model_facts(entry), model_facts(now)))
    if not changes:
        return None
    message = f"the model `{choice.model}` is not as {lock.file} says: {_keys(changes)}"
    ways = f"answers may differ from those before; if this is right: `bridge-run lock --update {choice.entry.key}`"
    return finding(workflow, "BR514", place, message, level="warning", help=ways, notes=_notes(changes))


def _choices(plan: Plan) -> Iterator[tuple[Workflow, Step, ModelChoice]]:
    for planned in plan.steps:
        for one in planned.rows or (planned,):
            yield from ((plan.workflow, one.step, choice) for choice in one.choices)
            if one.callee is not None:
                yield from _choices(one.callee)


def _keys(changes: Sequence[Change]) -> str:
    paths = [f"`{change.path}`" for change in changes]
    rest = len(paths) - 3
    shown = ", ".join(paths[:3]) + (f" and {rest} more" if rest > 0 else "")
    return f"{shown} changed"


def _notes(changes: Sequence[Change]) -> tuple[Note, ...]:
    rest = len(changes) - _SHOWN
    told = [words_of(change) for change in changes[:_SHOWN]]
    return tuple(Note(message=text) for text in (*told, *([f"and {rest} more changes"] if rest > 0 else [])))
