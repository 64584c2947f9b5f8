"""Tie every step to its model and tools: ``Workflow`` and ``Catalogue`` become a ``Plan``, or all that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.chat.catalogue import Catalogue
from runner.plan.allowed import Judged, sift, stale
from runner.plan.capability import judge
from runner.plan.finding import finding
from runner.plan.grants import grants_for
from runner.plan.graph import run_order
from runner.plan.loading import agree_on_loads, unknown_settings
from runner.plan.needs import needs_of
from runner.plan.overrides import NO_OVERRIDES, Overrides
from runner.plan.plan import Plan, PlannedStep
from runner.plan.resolve import Resolution, resolve_model
from runner.plan.setting import NO_SETTING, Setting
from runner.plan.wanted import Names, Wanted
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import CannotServeError, ModelNotFoundError
from runner.workflow.model import Step, TaskWork, Workflow


def needs_models(workflow: Workflow) -> bool:
    """Whether any step asks a model; if none does, no server of models need be there."""
    return any(isinstance(step.work, TaskWork) for step in workflow.steps)


def make_plan(
    workflow: Workflow,
    catalogue: Catalogue | None,
    overrides: Overrides = NO_OVERRIDES,
    inputs: Mapping[str, Any] | None = None,
    setting: Setting = NO_SETTING,
) -> Plan:
    """The plan of a run with these ``inputs``; its ``findings`` are warnings only.

    Without a catalogue (``--offline``) no model is looked up and the plan says so. Where inputs are not all given (as
    in ``check``), a model whose name needs a missing one stays open: ``model`` is None.

    Raises:
        CannotServeError: with all findings at once, in file order; its cause is the first ``ModelNotFoundError``.
    """
    names = Names(workflow=workflow, overrides=overrides, inputs=inputs or {}, default_model=setting.default_model)
    planner = _Planner(workflow, catalogue, names, setting)
    planned = [planner.planned(step) for step in run_order(workflow.steps)]
    steps, disagreements = agree_on_loads([step for step, _ in planned], workflow)
    told = [*disagreements, *(one for _, resolution in planned for one in resolution.findings)]
    told += planner.idle_swap(steps)
    told += unknown_settings([step for step, _ in planned], catalogue, workflow) if catalogue else ()
    judged = (*(Judged(finding=one) for one in told), *(judge(steps, catalogue, workflow) if catalogue else ()))
    findings = in_file_order((*sift(judged, workflow), *planner.stale(steps, judged)))
    if has_errors(findings):
        raise CannotServeError(findings) from _first_error(resolution for _, resolution in planned)
    return Plan(
        workflow=workflow,
        steps=steps,
        endpoints=tuple(endpoint.endpoint for endpoint in catalogue.endpoints) if catalogue else (),
        servers=setting.servers,
        offline=catalogue is None,
        findings=findings,
    )


@dataclass(frozen=True, slots=True)
class _Planner:
    workflow: Workflow
    catalogue: Catalogue | None
    names: Names
    setting: Setting

    def planned(self, step: Step) -> tuple[PlannedStep, Resolution]:
        grants = grants_for(step, self.workflow.servers)
        if not isinstance(step.work, TaskWork):
            return PlannedStep(step=step, waits_for=step.needs, grants=grants), Resolution()
        wanted = self.names.wanted_by(step, step.work)
        resolution = self._resolved(step, step.work, wanted)
        choice = resolution.choice
        sampling = choice.sampling if choice is not None else step.work.sampling
        needs = needs_of(step, step.work, self.workflow, grants=grants, sampling=sampling, inputs=self.names.inputs)
        planned = PlannedStep(
            step=step,
            waits_for=step.needs,
            model=choice,
            wanted_model=wanted[0].name or wanted[0].text,
            grants=grants,
            needs=needs,
        )
        return planned, resolution

    def stale(self, steps: Sequence[PlannedStep], judged: Sequence[Judged]) -> Iterator[Diagnostic]:
        """Comments that allow nothing; not told where other models are tried, or some are not known yet."""
        asked = [step for step in steps if step.needs is not None]
        if self.names.overrides == NO_OVERRIDES and all(step.model is not None for step in asked):
            yield from stale(judged, self.workflow)

    def idle_swap(self, steps: Sequence[PlannedStep]) -> Iterator[Diagnostic]:
        """A `--model ID` that no step takes: each names a model of its own."""
        swap = self.names.overrides.default
        asked = [step for step in steps if step.model is not None]
        if swap is None or not asked or any(f"--model {swap}" in one.model.origin for one in asked if one.model):
            return
        aliases = list(dict.fromkeys(alias for alias in self.workflow.models if "." not in alias))
        ways = f"swap an alias: `--model {aliases[0]}={swap}`" if aliases else "take the `model` out of the steps"
        message = f"`--model {swap}` changes nothing: every step names a model of its own"
        yield finding(self.workflow, "BR326", (*asked[0].step.path, "model"), message, level="warning", help=ways)

    def _resolved(self, step: Step, work: TaskWork, wanted: Sequence[Wanted]) -> Resolution:
        waits_for_input = self._lacks_inputs and any(wish.problem is not None for wish in wanted)
        if self.catalogue is None or waits_for_input:
            return Resolution()
        return resolve_model(
            wanted, self.catalogue, self.workflow, self.setting, step_id=step.id, sampling=work.sampling
        )

    @property
    def _lacks_inputs(self) -> bool:
        return any(name not in self.names.inputs for name in self.workflow.inputs)


def _first_error(resolutions: Iterator[Resolution]) -> ModelNotFoundError | None:
    return next((resolution.error for resolution in resolutions if resolution.error is not None), None)
