"""``--locked``: what the lock file says stands in for model servers and tool servers.

Nothing of this asks anybody: no HTTP client, no SDK of tool servers is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from runner.app.prepare import Prepared, plan_of
from runner.app.run.tool_start import servers_used
from runner.app.surroundings import Surroundings
from runner.chat.catalogue import Catalogue
from runner.edges.config.configuration import Configuration
from runner.edges.config.endpoints import endpoints_from
from runner.edges.lock_file import read_lock_file
from runner.plan.grants import missing_tools
from runner.plan.lock.lock import Lock, tools_of
from runner.plan.lock.rules import unlocked_models, unlocked_servers, vouched_for, with_unlocked
from runner.plan.make import needs_models
from runner.plan.plan import Plan
from runner.plan.setting import Setting
from runner.plan.tool_room import Listing, ToolRoom
from runner.plan.wanted import Names
from runner.words.diagnostics import Diagnostic, Level, has_errors, in_file_order
from runner.words.errors import CannotServeError
from runner.words.noun import noun
from runner.workflow.model import Workflow

TOLERANT: Final = "warn"
"""``--locked=warn``: a tool that is not as the lock says, or not in it, is a warning."""
_COMMANDS: Final = frozenset(("BR401", "BR404"))


@noun
class Locked:
    """A lock in use: ``catalogue`` and ``setting`` are for plans, ``level`` is how bad it is to be not in it."""

    lock: Lock
    catalogue: Catalogue
    setting: Setting
    level: Level = "error"


def read_locked(
    option: str, environment: Mapping[str, str], config: Configuration, endpoints: tuple[str, ...] = ()
) -> Locked:
    """What ``--locked`` means: ``option`` is empty, ``warn``, or the name of the file.

    Raises:
        UsageError: the file is not there, or an address makes no sense.
        WorkflowError: the file is no lock (BR510).
    """
    tolerant = option == TOLERANT
    lock = read_lock_file(None if tolerant else option or None, environment)
    names = {one.name for one in lock.endpoints if one.name is not None}
    servers = tuple(one for one in endpoints_from(endpoints, environment, config) if one.name in names)
    return Locked(
        lock=lock,
        catalogue=lock.catalogue({one.name: one.url for one in servers if one.name is not None}),
        setting=Setting(servers=servers, names=config.names, default_model=config.default_model or lock.default_model),
        level="warning" if tolerant else "error",
    )


def plan_by_lock(prepared: Prepared, locked: Locked) -> tuple[Plan, tuple[str, ...]]:
    """The plan of a file, every model and tool looked up in the lock; and words about what could not be judged.

    Raises:
        CannotServeError: with all that the lock, this file and its surroundings lack.
    """
    prepared = replace(prepared, surroundings=_without_commands(prepared, locked.lock))
    found, notes = _servers(prepared, locked)
    plan, lacks = _plan(prepared, locked, ToolRoom(_listings(prepared.workflow, locked.lock)))
    findings = in_file_order((*lacks, *found))
    if plan is None or has_errors(findings):
        raise CannotServeError(findings)
    return replace(plan, findings=findings), notes


def _listings(workflow: Workflow, lock: Lock) -> Iterator[Listing]:
    """What the lock knows of tools; of a server with a tool that was too large for it, nothing."""
    for file in _once(workflow.family):
        for name in servers_used(file):
            entry = lock.server_for(file.servers[name])
            if entry is not None and entry.tools and all(tool.definition is not None for tool in entry.tools):
                yield file, name, tools_of(entry)


def _plan(prepared: Prepared, locked: Locked, room: ToolRoom) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """The plan, None if there is none, and its findings."""
    if not needs_models(prepared.workflow):
        locked = replace(locked, catalogue=Catalogue())
    names = Names(
        workflow=prepared.workflow,
        overrides=prepared.overrides,
        inputs=prepared.inputs,
        default_model=locked.setting.default_model,
    )
    unlocked = unlocked_models(names, locked.lock)
    try:
        plan = plan_of(prepared, locked.catalogue, locked.setting, room)
    except CannotServeError as error:
        return None, with_unlocked(error.diagnostics, unlocked)
    return plan, with_unlocked(plan.findings, unlocked)


def _servers(prepared: Prepared, locked: Locked) -> tuple[tuple[Diagnostic, ...], tuple[str, ...]]:
    """What the tool servers of the file and of those that it calls lack; and in words, what is not known."""
    found: list[Diagnostic] = []
    notes: list[str] = []
    for workflow in _once(prepared.workflow.family):
        used = servers_used(workflow)
        found += unlocked_servers(workflow, used, locked.lock, locked.level)
        entries = {name: locked.lock.server_for(workflow.servers[name]) for name in used}
        known = {name: tools_of(one) for name, one in entries.items() if one is not None and one.tools is not None}
        found += missing_tools(workflow, known)
        open_ = (name for name, one in entries.items() if one is not None and one.tools is None)
        notes += [f"the tools of `{name}` are not in {locked.lock.file}: its start depends on inputs" for name in open_]
    return tuple(found), tuple(notes)


def _without_commands(prepared: Prepared, lock: Lock) -> Surroundings:
    """What this machine lacks, less the commands and client files of servers that the lock knows."""
    around = prepared.surroundings
    if not any(one.code in _COMMANDS for one in around.findings):
        return around
    places = frozenset[object]().union(*(vouched_for(one, lock) for one in prepared.workflow.family))
    files = {file for one in prepared.workflow.family for file in _client_files(one, lock)}

    def vouched(one: Diagnostic) -> bool:
        return one.code in _COMMANDS and ((one.file, one.span) in places or one.file in files)

    return replace(around, findings=tuple(one for one in around.findings if not vouched(one)))


def _client_files(workflow: Workflow, lock: Lock) -> Iterable[str]:
    from pathlib import Path

    for server in workflow.servers.values():
        if server.source is not None and lock.server_for(server) is not None:
            yield str(Path(workflow.folder) / server.source)


def _once(family: Iterable[Workflow]) -> Iterable[Workflow]:
    """Each file once, however often it is called."""
    return {one.file: one for one in family}.values()
