"""``bridge-run check --locked``: the story of ``check`` with a lock file instead of servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from runner.app.check.check import Report, counted
from runner.app.files import workflow_files
from runner.app.lock.locked import Locked, plan_by_lock, read_locked
from runner.app.prepare import Prepared, known_inputs, open_models
from runner.app.request import CheckRequest
from runner.app.run.tool_start import servers_used
from runner.app.surroundings import survey
from runner.edges.config.file import read_configuration
from runner.plan.overrides import Overrides, parse_overrides, refuse_unknown_aliases
from runner.plan.plan import Plan
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import CannotServeError, WorkflowError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.load import load

_IDLE_SWAP = "BR326"
"""A model of the command line that a file does not take: of several files it may be meant for another."""


@noun
class _Judged:
    """One file: what is wrong with itself, what the lock or this machine lacks, what could not be judged."""

    prepared: Prepared | None = None
    plan: Plan | None = None
    faults: tuple[Diagnostic, ...] = ()
    lacks: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()


def check_locked(request: CheckRequest, environment: Mapping[str, str]) -> Report:
    """Check all files of the request against the lock; nobody is asked and nothing is started.

    Raises:
        UsageError: a path, a model swap or the name of the lock makes no sense.
        WorkflowError: the lock (BR510) or a file of the configuration is at fault.
    """
    overrides = parse_overrides(request.models)
    names = workflow_files(request.paths)
    config = read_configuration(request.config, environment)
    locked = read_locked(request.locked or "", environment, config, request.endpoints)
    loaded = {name: _load(name, overrides, environment) for name in names}
    workflows = [one.prepared.workflow for one in loaded.values() if one.prepared is not None]
    if len(workflows) == len(loaded):
        refuse_unknown_aliases(overrides, [member for workflow in workflows for member in workflow.family])
    judged = {name: _judge(one, locked, alone=len(names) == 1) for name, one in loaded.items()}
    return _report(request, judged, config.warnings, locked)


def _load(name: str, overrides: Overrides, environment: Mapping[str, str]) -> _Judged:
    try:
        loaded = load(name)
    except WorkflowError as error:
        return _Judged(faults=error.diagnostics)
    inputs = known_inputs(loaded.workflow)
    around = survey(loaded.workflow, inputs, environment, unset_secret=None)
    prepared = Prepared(
        workflow=loaded.workflow, inputs=inputs, overrides=overrides, surroundings=replace(around, open=())
    )
    return _Judged(prepared=prepared, faults=tuple(loaded.warnings))


def _judge(one: _Judged, locked: Locked, *, alone: bool) -> _Judged:
    if one.prepared is None:
        return one
    try:
        plan, notes = plan_by_lock(one.prepared, locked)
    except CannotServeError as error:
        return replace(one, lacks=error.diagnostics)
    lacks = tuple(finding for finding in plan.findings if finding.code != _IDLE_SWAP or alone)
    return replace(one, plan=plan, lacks=lacks, notes=(*notes, *open_models(plan)))


def _report(
    request: CheckRequest, judged: Mapping[str, _Judged], warnings: Sequence[Diagnostic], locked: Locked
) -> Report:
    files = list(judged.values())
    found = [in_file_order((*one.faults, *one.lacks)) for one in files]
    return Report(
        files=tuple(judged),
        findings=(*warnings, *(finding for each in found for finding in each)),
        notes=tuple(f"{name}: {what}" for name, one in judged.items() for what in one.notes),
        looked_for=_looked_for(files, locked),
        exit_code=_exit_code(files, warnings, strict=request.strict),
    )


def _exit_code(files: Sequence[_Judged], warnings: Sequence[Diagnostic], *, strict: bool) -> Exit:
    def wrong(findings: Collection[Diagnostic]) -> bool:
        return bool(findings) if strict else has_errors(findings)

    if wrong(warnings) or any(wrong(one.faults) for one in files):
        return Exit.FILE
    return Exit.CANNOT_SERVE if any(wrong(one.lacks) for one in files) else Exit.OK


def _looked_for(files: Sequence[_Judged], locked: Locked) -> tuple[str, ...]:
    """What was looked up in the lock, when nothing of it is missing."""
    plans = [one.plan for one in files if one.plan is not None]
    models = {(one.model.model, one.model.endpoint) for plan in plans for one in plan.family if one.model is not None}
    family = {member.file: member for plan in plans for member in plan.workflow.family}
    servers = sum(len(servers_used(member)) for member in family.values())
    told = [(len(models), "model"), (servers, "tool server")]
    found = " and ".join(counted(number, what) for number, what in told if number)
    return (f"{found} found in {locked.lock.file}",) if found else ()
