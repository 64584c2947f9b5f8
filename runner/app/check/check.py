"""``bridge-run check``: the story of many files up to their plans, without running anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from runner.app.files import workflow_files
from runner.app.prepare import Prepared, configured, known_inputs, models_named, open_models, plan_of
from runner.app.request import OFFLINE, CheckRequest
from runner.app.servers import Asked, asked_servers, setting_of
from runner.app.surroundings import TOLERATED, survey
from runner.app.tools import confirm_tools, not_startable, startable
from runner.edges.config.configuration import NO_CONFIGURATION, Configuration
from runner.plan.make import needs_models
from runner.plan.overrides import Overrides, parse_overrides, refuse_unknown_aliases
from runner.plan.plan import Plan
from runner.plan.setting import Setting
from runner.plan.tool_room import NOTHING_LISTED, ToolRoom
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import CannotServeError, OutsideError, WorkflowError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.load import load


@noun
class Report:
    """What a check found. ``findings`` are in the order of the files; ``notes`` are words for stderr.

    ``looked_for`` says what was found outside the files; ``outside`` is set when no model server could be asked.
    """

    files: tuple[str, ...]
    findings: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()
    looked_for: tuple[str, ...] = ()
    outside: OutsideError | None = None
    exit_code: Exit = Exit.OK


@noun
class _File:
    """A file under check: what is wrong with itself, what this machine lacks, and what could not be judged.

    ``started`` are the tool servers that were asked; ``unreachable`` says that one of them did not start.
    """

    name: str
    prepared: Prepared | None = None
    plan: Plan | None = None
    faults: tuple[Diagnostic, ...] = ()
    lacks: tuple[Diagnostic, ...] = ()
    open: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    unreachable: bool = False


def check(request: CheckRequest, environment: Mapping[str, str]) -> Report:
    """Check all files of the request; all findings of all files at once, model servers asked once for all.

    Raises:
        UsageError: a path, an address or a model swap on the command line makes no sense.
        WorkflowError: a file of the configuration is at fault.
    """
    overrides = parse_overrides(request.models)
    names = workflow_files(request.paths)
    files = [_load(name, overrides, environment, offline=request.offline) for name in names]
    workflows = [file.prepared.workflow for file in files if file.prepared is not None]
    if len(workflows) == len(files):
        refuse_unknown_aliases(overrides, [member for workflow in workflows for member in workflow.family])
    wanted = any(map(needs_models, workflows))
    config = configured(request, environment) if wanted else NO_CONFIGURATION
    named = frozenset(name for file in files if file.prepared for name in models_named(file.prepared, config))
    asked, outside = _ask(request, environment, config, named) if wanted and not request.offline else (None, None)
    setting = setting_of(asked.endpoints if asked is not None else (), config)
    judge = partial(_judge, asked=asked, setting=setting, alone=len(files) == 1)
    judged = [_with_tools(file, environment, judge) if request.tools else judge(file) for file in files]
    settings = _File(name="the configuration", faults=config.warnings)
    return _report(request, names, [settings, *judged], asked, outside)


def _load(name: str, overrides: Overrides, environment: Mapping[str, str], *, offline: bool) -> _File:
    try:
        loaded = load(name)
    except WorkflowError as error:
        return _File(name=name, faults=error.diagnostics)
    inputs = known_inputs(loaded.workflow)
    surroundings = survey(loaded.workflow, inputs, environment, unset_secret=None if offline else TOLERATED)
    prepared = Prepared(workflow=loaded.workflow, inputs=inputs, overrides=overrides, surroundings=surroundings)
    return _File(name=name, prepared=prepared, faults=tuple(loaded.warnings), open=surroundings.open)


def _judge(
    file: _File, room: ToolRoom = NOTHING_LISTED, *, asked: Asked | None, setting: Setting, alone: bool
) -> _File:
    if file.prepared is None:
        return file
    try:
        plan = plan_of(file.prepared, asked.catalogue if asked is not None else None, setting, room)
    except CannotServeError as error:
        return replace(file, lacks=error.diagnostics)
    lacks = tuple(finding for finding in plan.findings if finding.code != _IDLE_SWAP or alone)
    return replace(file, plan=plan, lacks=lacks, open=(*file.open, *open_models(plan)))


_IDLE_SWAP = "BR326"
"""A model of the command line that a file does not take: of several files it may be meant for another."""


def _with_tools(file: _File, environment: Mapping[str, str], judge: Callable[..., _File]) -> _File:
    """The file judged by what its tool servers list, and those servers as well."""
    prepared = file.prepared
    if prepared is None:
        return file
    unknown = map(_NOT_STARTED.format, not_startable(prepared, environment))
    started = startable(prepared, environment)
    try:
        confirmed = confirm_tools(prepared, environment)
    except CannotServeError as error:
        file, lacks, unreachable = judge(file), error.diagnostics, error.exit_code == Exit.OUTSIDE
    else:
        file, lacks, unreachable = judge(file, confirmed.room), confirmed.findings, False
    lacks = (*file.lacks, *lacks)
    return replace(file, started=started, open=(*file.open, *unknown), lacks=lacks, unreachable=unreachable)


_NOT_STARTED = "the server `{}` depends on inputs that are not given; it was not started, and its tools are not known"


def _ask(
    request: CheckRequest, environment: Mapping[str, str], config: Configuration, named: Collection[str]
) -> tuple[Asked | None, OutsideError | None]:
    try:
        return asked_servers(request, environment, config, named), None
    except OutsideError as error:
        return None, error


def _report(
    request: CheckRequest,
    names: tuple[str, ...],
    files: Sequence[_File],
    asked: Asked | None,
    outside: OutsideError | None,
) -> Report:
    findings = tuple(one for file in files for one in in_file_order((*file.faults, *file.lacks)))
    notes = [f"{file.name}: {what}" for file in files for what in file.open]
    notes += [f"warning: {failure}" for failure in (asked.failures if asked else ())]
    return Report(
        files=names,
        findings=findings,
        notes=tuple(notes),
        looked_for=tuple(_looked_for(request, files)),
        outside=outside,
        exit_code=_exit_code(files, outside, _bad if request.strict else has_errors),
    )


def _looked_for(request: CheckRequest, files: Sequence[_File]) -> Iterator[str]:
    """What was looked for outside the files, when nothing of it is missing."""
    prepared = [file.prepared for file in files if file.prepared is not None]
    plans = [file.plan for file in files if file.plan is not None]
    if request.offline:
        yield OFFLINE
    models = {(one.model.model, one.model.endpoint) for plan in plans for one in plan.family if one.model is not None}
    if models:
        yield f"{counted(len(models), 'model')} found"
    commands = {name for one in prepared for name in one.surroundings.commands}
    if commands:
        yield f"{counted(len(commands), 'command')} of tool servers found"
    started = sum(len(file.started) for file in files)
    if started:
        yield f"the tools of {counted(started, 'server')} found"


def counted(number: int, what: str) -> str:
    """``1 model``, ``2 models``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _bad(findings: Iterable[Diagnostic]) -> bool:
    return any(True for _ in findings)


def _exit_code(
    files: Sequence[_File], outside: OutsideError | None, wrong: Callable[[Iterable[Diagnostic]], bool]
) -> Exit:
    if any(wrong(file.faults) for file in files):
        return Exit.FILE
    if outside is not None or any(file.unreachable for file in files):
        return Exit.OUTSIDE
    return Exit.CANNOT_SERVE if any(wrong(file.lacks) for file in files) else Exit.OK


def outside_findings(report: Report) -> Iterator[Diagnostic]:
    """For machines: that no server could be asked, as a finding about the first file of the check."""
    if report.outside is not None:
        yield Diagnostic(code="BR310", message=report.outside.message, file=report.files[0], help=report.outside.hint)


def good_text(report: Report) -> str:
    """What is said of files that nothing is wrong with."""
    found = f" ({', '.join(report.looked_for)})" if report.looked_for else ""
    return f"{counted(len(report.files), 'workflow')} checked, nothing to complain about{found}"
