"""``bridge-run doctor``: whether servers, models and tools are ready, and what to do where they are not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.app.check.check import counted
from runner.app.console import allows_colour, say
from runner.app.doctor.machine import MACHINE, machine_checks
from runner.app.doctor.servers import SERVERS, Looked, default_check, look_at, tolerated
from runner.app.doctor.tools import Started, engine_checks, servers_wanted, start_all
from runner.app.files import DEFAULT_FOLDER, workflow_files
from runner.app.interrupt import interruptible
from runner.app.prepare import Prepared, known_inputs, models_named, plan_of
from runner.app.request import Format
from runner.app.servers import model_endpoints, setting_of
from runner.app.surroundings import TOLERATED, survey
from runner.chat.catalogue import Catalogue
from runner.chat.endpoint import Endpoint
from runner.edges.config.configuration import NO_CONFIGURATION, Configuration
from runner.edges.config.endpoints import unset_tokens
from runner.edges.config.file import read_configuration
from runner.edges.process_group import Offspring
from runner.plan.grants import missing_tools
from runner.plan.make import needs_models
from runner.plan.setting import Setting
from runner.show.doctor_view import Check, doctor_json, doctor_text, exit_code, problem
from runner.words.diagnostics import Diagnostic, place_of
from runner.words.errors import CannotServeError, WorkflowError
from runner.words.exits import Exit
from runner.words.noun import noun
from runner.workflow.load import load

WORKFLOWS = "workflows"


@noun
class DoctorRequest:
    """``paths`` are workflow files and folders; empty means the folder ``workflows``, if there is one."""

    paths: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    simulate: str | None = None
    config: str | None = None
    format: Format = "text"
    colour: bool = True


@noun
class _Files:
    """The workflow files that could be read, and a check for each that could not."""

    prepared: tuple[Prepared, ...] = ()
    faults: tuple[Check, ...] = ()


def doctor(request: DoctorRequest, environment: Mapping[str, str]) -> int:
    """Look at everything, show it, and give the exit code: 0 if there is no problem.

    Raises:
        UsageError: a path or an address on the command line makes no sense.
        WorkflowError: the simulator's script is at fault.
        KeyboardInterrupt: Ctrl-C or SIGTERM; what was started has ended.
    """
    checks = [*machine_checks()]
    config, fault = _configuration(request, environment)
    checks += fault
    files = _read(_paths(request), environment)
    with model_endpoints(request.endpoints, request.simulate, environment, config) as endpoints:
        unset = unset_tokens(endpoints, environment, config)
        checks += [_of_finding(one, SERVERS, "token", Exit.CANNOT_SERVE) for one in unset]
        try:
            checks += asyncio.run(_look(files, endpoints, config, environment))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
    if request.format == "json":
        say(json.dumps(doctor_json(checks), ensure_ascii=False, indent=2))
    else:
        say(doctor_text(checks, colour=allows_colour(sys.stdout, environment, wanted=request.colour)))
    return exit_code(checks)


def _configuration(request: DoctorRequest, environment: Mapping[str, str]) -> tuple[Configuration, list[Check]]:
    try:
        config = read_configuration(request.config, environment)
    except WorkflowError as error:
        return NO_CONFIGURATION, [_of_finding(one, MACHINE, "configuration", Exit.FILE) for one in error.diagnostics]
    checks = [_of_finding(one, MACHINE, "configuration", Exit.FILE) for one in config.warnings]
    if config.files and not checks:
        text = f"{', '.join(config.files)}: {counted(len(config.endpoints), 'endpoint')}"
        checks.append(Check(group=MACHINE, name="configuration", health="ok", text=text))
    return config, checks


def _of_finding(found: Diagnostic, group: str, name: str, exit: Exit) -> Check:
    text = f"{found.code}: {found.message} ({place_of(found)})"
    if found.level == "error":
        return problem(group, name, text, exit=exit, help=found.help)
    return Check(group=group, name=name, health="warning", text=text, help=found.help)


def _paths(request: DoctorRequest) -> tuple[str, ...]:
    return workflow_files(request.paths) if request.paths or Path(DEFAULT_FOLDER).is_dir() else ()


def _read(files: Sequence[str], environment: Mapping[str, str]) -> _Files:
    prepared: list[Prepared] = []
    faults: list[Check] = []
    for file in files:
        try:
            workflow = load(file).workflow
        except WorkflowError as error:
            first = next((one for one in error.diagnostics if one.level == "error"), error.diagnostics[0])
            ways = f"`bridge-run check {file}` shows all that is wrong with it"
            faults.append(problem(WORKFLOWS, file, f"{first.code}: {first.message}", exit=Exit.FILE, help=ways))
            continue
        inputs = known_inputs(workflow)
        surroundings = survey(workflow, inputs, environment, unset_secret=TOLERATED)
        prepared.append(Prepared(workflow=workflow, inputs=inputs, surroundings=surroundings))
    return _Files(prepared=tuple(prepared), faults=tuple(faults))


async def _look(
    files: _Files, endpoints: Sequence[Endpoint], config: Configuration, environment: Mapping[str, str]
) -> list[Check]:
    """Everything outside, all at once, until it is known or a signal ends it."""
    offspring = Offspring()
    looking = asyncio.ensure_future(_outside(files, endpoints, config, environment, offspring))
    with interruptible(looking, offspring):
        try:
            return await looking
        finally:
            offspring.kill_all_now()


async def _outside(
    files: _Files,
    endpoints: Sequence[Endpoint],
    config: Configuration,
    environment: Mapping[str, str],
    offspring: Offspring,
) -> list[Check]:
    wanted, unknown = servers_wanted(files.prepared, environment)
    named = frozenset(name for one in files.prepared for name in models_named(one, config))
    async with asyncio.TaskGroup() as group:
        looks = [group.create_task(look_at(endpoint, named)) for endpoint in endpoints]
        starts = group.create_task(start_all(wanted, environment, offspring))
        engines = group.create_task(engine_checks(wanted, environment, offspring))
    looked, started = [look.result() for look in looks], starts.result()
    catalogue = Catalogue(tuple(one.catalogue for one in looked if one.catalogue is not None))
    setting = setting_of(endpoints, config)
    return [
        *_server_checks(files, looked, catalogue, config),
        *files.faults,
        *(_file_check(one, catalogue if catalogue.endpoints else None, setting, started) for one in files.prepared),
        *(one.check for one in started),
        *unknown,
        *engines.result(),
    ]


def _server_checks(
    files: _Files, looked: Sequence[Looked], catalogue: Catalogue, config: Configuration
) -> tuple[Check, ...]:
    """A server that does not answer is a problem if none does, and some workflow may need one."""
    checks = tuple(check for one in looked for check in one.checks)
    if not catalogue.endpoints:
        unneeded = files.prepared and not any(needs_models(one.workflow) for one in files.prepared)
        return tolerated(checks) if unneeded else checks
    if not any(endpoint.models for endpoint in catalogue.endpoints):
        return tolerated(checks)
    return (*tolerated(checks), default_check(catalogue, config.default_model))


def _file_check(prepared: Prepared, catalogue: Catalogue | None, setting: Setting, started: Sequence[Started]) -> Check:
    """Whether a file could run here: its models, commands, secrets and tools; the first of what is missing."""
    file = prepared.workflow.file
    try:
        plan = plan_of(prepared, catalogue, setting)
        findings = (*plan.findings, *_missing_tools(prepared, started))
    except CannotServeError as error:
        findings = error.diagnostics
    errors = [one for one in findings if one.level == "error"]
    facts = {"errors": len(errors), "warnings": len(findings) - len(errors)}
    more = f"`bridge-run check --tools {file}` shows it in the file"
    if errors:
        rest = f", and {counted(len(errors) - 1, 'more error')}" if len(errors) > 1 else ""
        text = f"{errors[0].code}: {errors[0].message}{rest}"
        return problem(WORKFLOWS, file, text, exit=Exit.CANNOT_SERVE, help=errors[0].help or more, facts=facts)
    models = {step.model.model for step in plan.family if step.model is not None}
    unasked = catalogue is None and needs_models(prepared.workflow)
    found = "its models were not looked for" if unasked else f"{counted(len(models), 'model')} found"
    text = f"{counted(len(plan.steps), 'step')}, {found}"
    if findings:
        text = f"{text}; {findings[0].code}: {findings[0].message}"
        return Check(
            group=WORKFLOWS, name=file, health="warning", text=text, help=findings[0].help or more, facts=facts
        )
    return Check(group=WORKFLOWS, name=file, health="ok", text=text, facts=facts)


def _missing_tools(prepared: Prepared, started: Sequence[Started]) -> tuple[Diagnostic, ...]:
    """Tools that steps name and that the servers of this file, as far as they started, do not offer."""
    offered = {
        one.wanted.server.name: one.tools
        for one in started
        if one.tools is not None and prepared.workflow.file in one.wanted.files
    }
    return tuple(missing_tools(prepared.workflow, offered))
