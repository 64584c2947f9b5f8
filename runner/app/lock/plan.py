"""``bridge-run FILE --dry-run --locked``: the plan of a run, made from the lock file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.app.lock.locked import plan_by_lock, read_locked
from runner.app.prepare import open_models, prepare
from runner.app.request import RunRequest
from runner.app.server_text import announced_server
from runner.app.surroundings import TOLERATED
from runner.edges.config.file import read_configuration
from runner.edges.measured import read_costs
from runner.plan.plan import Plan
from runner.plan.schedule.schedule import make_forecast


def dry_run_locked(request: RunRequest, environment: Mapping[str, str]) -> tuple[Plan, tuple[str, ...]]:
    """The plan of the run that the request asks for, its forecast with it, and words for stderr.

    Raises:
        WorkflowError: the file or the lock is at fault; CannotServeError: the lock lacks something, or this machine.
        UsageError: the command line is wrong.
    """
    prepared = prepare(replace(request, offline=True), environment, unset_secret=TOLERATED)
    config = read_configuration(request.config, environment)
    plan, notes = plan_by_lock(prepared, read_locked(request.locked or "", environment, config, request.endpoints))
    plan = replace(plan, forecast=make_forecast(plan, read_costs(environment)))
    workflow = prepared.workflow
    servers = {name: announced_server(server, workflow, prepared.inputs) for name, server in workflow.servers.items()}
    return replace(plan, workflow=replace(workflow, servers=servers)), (*notes, *open_models(plan))
