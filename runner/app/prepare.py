"""The first half of the story, shared by a run, a dry run and a check: load, bind, survey, plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from runner.app.files import one_file
from runner.app.request import CheckRequest, RunRequest
from runner.app.surroundings import Surroundings, survey
from runner.chat.catalogue import Catalogue
from runner.edges.config.configuration import NO_CONFIGURATION, Configuration
from runner.edges.config.file import read_configuration
from runner.plan.calls import every_name
from runner.plan.make import make_plan, needs_models
from runner.plan.overrides import NO_OVERRIDES, Overrides, parse_overrides, refuse_unknown_aliases
from runner.plan.plan import Plan
from runner.plan.setting import NO_SETTING, Setting
from runner.plan.tool_room import NOTHING_LISTED, ToolRoom
from runner.plan.wanted import Names
from runner.words.diagnostics import Diagnostic, Level, has_errors, in_file_order
from runner.words.errors import CannotServeError, UsageError
from runner.words.noun import noun
from runner.workflow.document import read_document
from runner.workflow.inputs import bind_inputs
from runner.workflow.load import Loaded, load
from runner.workflow.model import Workflow


@noun
class Prepared:
    """A workflow that was loaded, with the values of its inputs; nothing outside was asked yet."""

    workflow: Workflow
    inputs: Mapping[str, Any]
    overrides: Overrides = NO_OVERRIDES
    warnings: tuple[Diagnostic, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)
    config: Configuration = NO_CONFIGURATION


def prepare(
    request: RunRequest,
    environment: Mapping[str, str],
    *,
    unset_secret: Level,
    configures: bool = True,
    loaded: Loaded | None = None,
) -> Prepared:
    """Load the file of a request, bind its inputs, look at this machine and its configuration.

    ``loaded`` is a workflow that has no file. Without ``configures`` the configuration is left alone: no model server
    will be asked.

    Raises:
        WorkflowError: the file, the file of inputs or that of the configuration is at fault.
        UsageError: an input, a model swap or the file's name on the command line is wrong.
    """
    overrides = parse_overrides(request.models)
    loaded = loaded or load(one_file(request.file))
    refuse_unknown_aliases(overrides, loaded.workflow.family)
    given = _read_inputs(request.inputs_file) if request.inputs_file else request.bound
    inputs = bind_inputs(loaded.workflow, request.inputs, given, _read_text)
    config = configured(request, environment) if configures and needs_models(loaded.workflow) else NO_CONFIGURATION
    return Prepared(
        workflow=loaded.workflow,
        inputs=inputs,
        overrides=overrides,
        warnings=(*config.warnings, *loaded.warnings),
        surroundings=survey(loaded.workflow, inputs, environment, unset_secret=unset_secret),
        config=config,
    )


def configured(request: RunRequest | CheckRequest, environment: Mapping[str, str]) -> Configuration:
    """What the configuration says; among its warnings are tokens that this request needs and nobody set.

    Raises:
        WorkflowError: a file of the configuration is at fault.
        UsageError: the file named by ``--config`` is not there, or ``--endpoint`` makes no sense.
    """
    config = read_configuration(request.config, environment)
    if config.default_model is None and request.default_model is not None:
        config = replace(config, default_model=request.default_model)
    if request.offline or request.simulate is not None or not config.endpoints:
        return config
    from runner.edges.config.endpoints import endpoints_from, unset_tokens

    unset = unset_tokens(endpoints_from(request.endpoints, environment, config), environment, config)
    return replace(config, warnings=(*config.warnings, *unset))


def plan_of(
    prepared: Prepared,
    catalogue: Catalogue | None,
    setting: Setting = NO_SETTING,
    room: ToolRoom = NOTHING_LISTED,
) -> Plan:
    """The plan, with every warning from the file on among its findings. ``room`` is what is known of the tools.

    Raises:
        CannotServeError: a model, a command, a client file or a secret is missing; with all findings at once.
    """
    outside = prepared.surroundings.findings
    try:
        plan = make_plan(prepared.workflow, catalogue, prepared.overrides, prepared.inputs, setting, room=room)
    except CannotServeError as error:
        findings = in_file_order((*prepared.warnings, *outside, *error.diagnostics))
        raise CannotServeError(findings) from error.__cause__
    findings = in_file_order((*prepared.warnings, *outside, *plan.findings))
    if has_errors(findings):
        raise CannotServeError(findings)
    return replace(plan, findings=findings)


def known_inputs(workflow: Workflow) -> dict[str, Any]:
    """What a check knows of the inputs: the defaults of those that have one."""
    return {name: declared.default for name, declared in workflow.inputs.items() if not declared.required}


def models_named(prepared: Prepared, config: Configuration) -> frozenset[str]:
    """Every name under which the steps would take a model, fallbacks and the default of ``config`` among them."""
    names = Names(
        workflow=prepared.workflow,
        overrides=prepared.overrides,
        inputs=prepared.inputs,
        default_model=config.default_model,
    )
    return frozenset(every_name(prepared.workflow, names))


def open_models(plan: Plan) -> Sequence[str]:
    """In words: the models that were not looked up because their names depend on inputs that are not given."""
    names = dict.fromkeys(
        step.wanted_model for step in plan.family if step.wanted_model is not None and step.model is None
    )
    if plan.offline:
        return ()
    return [f"the model `{name}` depends on inputs that are not given; it was not looked for" for name in names]


def _read_text(path: str) -> str:
    return Path(path).read_text("utf-8")


def _read_inputs(path: str) -> Mapping[str, Any]:
    if not Path(path).is_file():
        raise UsageError(f"`--inputs`: there is no file `{path}`", hint="the path counts from where you are")
    return read_document(path, start="write a line `name: value` for each input").data
