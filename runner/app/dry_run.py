"""``bridge-run FILE --dry-run``: the story of one run up to its plan."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.app.console import allows_colour, say, tell
from runner.app.prepare import Prepared, models_named, plan_of, prepare
from runner.app.problem import tell_findings
from runner.app.request import RunRequest
from runner.app.server_text import announced_server
from runner.app.servers import asked_servers, setting_of
from runner.app.surroundings import TOLERATED
from runner.app.tools import confirm_tools
from runner.chat.catalogue import Catalogue
from runner.edges.measured import read_costs
from runner.plan.make import needs_models
from runner.plan.plan import Plan
from runner.plan.schedule.schedule import make_forecast
from runner.plan.setting import NO_SETTING
from runner.show.plan.view import plan_json, plan_text
from runner.words.diagnostics import in_file_order
from runner.workflow.model import Workflow


def dry_run(request: RunRequest, environment: Mapping[str, str]) -> tuple[Plan, tuple[str, ...]]:
    """The plan of the run that the request asks for, and words for stderr.

    Raises:
        WorkflowError: the file is at fault; CannotServeError: something it names is missing here.
        UsageError: the command line is wrong.
        OutsideError: no model server can be asked.
    """
    prepared = prepare(request, environment, unset_secret=TOLERATED)
    notes: tuple[str, ...] = ()
    catalogue: Catalogue | None = None if request.offline else Catalogue()
    setting = setting_of((), prepared.config) if request.offline else NO_SETTING
    if not request.offline and needs_models(prepared.workflow):
        asked = asked_servers(request, environment, prepared.config, models_named(prepared, prepared.config))
        catalogue, setting = asked.catalogue, setting_of(asked.endpoints, prepared.config)
        notes = tuple(f"warning: {failure}" for failure in asked.failures)
    plan = plan_of(prepared, catalogue, setting)
    if request.tools:
        confirmed = confirm_tools(prepared, environment)
        plan = plan_of(prepared, catalogue, setting, confirmed.room)
        plan = replace(plan, findings=in_file_order((*plan.findings, *confirmed.findings)))
    plan = replace(plan, forecast=make_forecast(plan, read_costs(environment)))
    return replace(plan, workflow=_announced(prepared)), notes


def _announced(prepared: Prepared) -> Workflow:
    """The workflow for the eyes: its tool servers as they will start with the inputs of the request."""
    workflow = prepared.workflow
    servers = {name: announced_server(server, workflow, prepared.inputs) for name, server in workflow.servers.items()}
    return replace(workflow, servers=servers)


def tell_plan(plan: Plan, notes: Sequence[str], request: RunRequest, environment: Mapping[str, str]) -> None:
    """Show a plan on stdout, and on stderr what else there is to say."""
    for note in notes:
        tell(note)
    tell_findings(plan.findings, colour=allows_colour(sys.stderr, environment, wanted=request.colour))
    if request.format == "json":
        say(json.dumps(plan_json(plan), ensure_ascii=False, indent=2))
    else:
        say(plan_text(plan))
