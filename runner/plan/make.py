"""Tie every step to its model and tools: ``Workflow`` and ``Catalogue`` become a ``Plan``, or all that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.chat.catalogue import Catalogue
from runner.plan.allowed import Judged, sift, stale
from runner.plan.calls import for_callee, for_row, known_items, rows_of
from runner.plan.capability import judge
from runner.plan.finding import finding
from runner.plan.grants import grants_for
from runner.plan.graph import run_order
from runner.plan.loading import agree_on_loads, unknown_settings
from runner.plan.lookup import Places
from runner.plan.needs import needs_of
from runner.plan.overrides import NO_OVERRIDES, Overrides
from runner.plan.plan import Plan, PlannedStep
from runner.plan.resolve import Resolution, resolve_model
from runner.plan.setting import NO_SETTING, Setting
from runner.plan.tool_room import NOTHING_LISTED, ToolRoom
from runner.plan.wanted import Names, Wanted
from runner.words.diagnostics import Diagnostic, has_errors, in_file_order
from runner.words.errors import CannotServeError, ModelNotFoundError
from runner.words.noun import noun
from runner.workflow.model import CallWork, Step, TaskWork, Workflow


def needs_models(workflow: Workflow) -> bool:
    """Whether any step asks a model; if none does, no server of models need be there."""
    return any(isinstance(step.work, TaskWork) for file in workflow.family for step in file.steps)


def make_plan(
    workflow: Workflow,
    catalogue: Catalogue | None,
    overrides: Overrides = NO_OVERRIDES,
    inputs: Mapping[str, Any] | None = None,
    setting: Setting = NO_SETTING,
    *,
    room: ToolRoom = NOTHING_LISTED,
) -> Plan:
    """The plan of a run with these ``inputs``, all that it calls included; its ``findings`` are warnings only.
    ``room`` is what is known of the tools by now.

    Without a catalogue (``--offline``) no model is looked up and the plan says so. Where inputs are not all given (as
    in ``check``), a model whose name needs a missing one stays open: ``model`` is None.

    Raises:
        CannotServeError: with all findings at once, in file order; its cause is the first ``ModelNotFoundError``.
    """
    names = Names(workflow=workflow, overrides=overrides, inputs=inputs or {}, default_model=setting.default_model)
    drafted = _Planner(catalogue, names, setting, Places(), room).drafted()
    swap = sift([Judged(finding=one) for one in _idle_swap(drafted.plan, overrides)], workflow)
    findings = in_file_order((*drafted.plan.findings, *swap))
    if has_errors(findings):
        raise CannotServeError(findings) from drafted.error
    return replace(drafted.plan, findings=findings)


@noun
class _Drafted:
    """A plan whose findings may still be errors; ``error`` is the first of a model that nobody has."""

    plan: Plan
    error: ModelNotFoundError | None = None


@dataclass(frozen=True, slots=True)
class _Planner:
    """Plans one file; the files that it calls are planned by planners of their own."""

    catalogue: Catalogue | None
    names: Names
    setting: Setting
    places: Places
    room: ToolRoom

    @property
    def workflow(self) -> Workflow:
        return self.names.workflow

    def drafted(self) -> _Drafted:
        """The plan of the file, with all that is said against it and the files below it."""
        resolutions: list[Resolution] = []
        calls: list[_Drafted] = []
        planned = [self._planned(step, resolutions, calls) for step in run_order(self.workflow.steps)]
        steps, disagreements = agree_on_loads(planned, self.workflow)
        told = [*disagreements, *(one for resolution in resolutions for one in resolution.findings)]
        told += unknown_settings(steps, self.catalogue, self.workflow) if self.catalogue else ()
        rows = [row for step in steps for row in step.rows or (step,)]
        judged = (
            *(Judged(finding=one) for one in told),
            *(judge(rows, self.catalogue, self.workflow) if self.catalogue else ()),
        )
        below = [finding for call in calls for finding in call.plan.findings]
        plan = Plan(
            workflow=self.workflow,
            steps=steps,
            endpoints=tuple(endpoint.endpoint for endpoint in self.catalogue.endpoints) if self.catalogue else (),
            servers=self.setting.servers,
            offline=self.catalogue is None,
            findings=in_file_order((*sift(judged, self.workflow), *self._stale(rows, judged), *below)),
        )
        errors = [*(one.error for one in resolutions), *(one.error for one in calls)]
        return _Drafted(plan=plan, error=next((error for error in errors if error is not None), None))

    def _planned(self, step: Step, resolutions: list[Resolution], calls: list[_Drafted]) -> PlannedStep:
        """The step, and its rows where they are not answered alike."""
        rows = tuple(
            self._for_row(step, for_row(self.names, row), resolutions, calls) for row in rows_of(step) or (None,)
        )
        return replace(rows[0], rows=rows) if len(rows) > 1 else rows[0]

    def _for_row(self, step: Step, names: Names, resolutions: list[Resolution], calls: list[_Drafted]) -> PlannedStep:
        grants = grants_for(step, self.workflow.servers)
        planned = PlannedStep(step=step, waits_for=step.needs, grants=grants, items=known_items(step, names))
        if isinstance(step.work, CallWork):
            callee = for_callee(names, step.work)
            below = _Planner(self.catalogue, callee, self.setting, self.places, self.room).drafted()
            calls.append(below)
            return replace(planned, callee=below.plan)
        if not isinstance(step.work, TaskWork):
            return planned
        wanted = names.wanted_by(step, step.work)
        resolution = self._resolved(step, step.work, wanted)
        resolutions.append(resolution)
        choice = resolution.choice
        return replace(
            planned,
            model=choice,
            wanted_model=wanted[0].name or wanted[0].text,
            needs=needs_of(
                step,
                step.work,
                self.workflow,
                grants=grants,
                sampling=choice.sampling if choice is not None else step.work.sampling,
                inputs=names.inputs,
                room=self.room,
            ),
        )

    def _stale(self, steps: Sequence[PlannedStep], judged: Sequence[Judged]) -> Iterator[Diagnostic]:
        """Comments that allow nothing; not told where other models are tried, or some are not known yet."""
        asked = [step for step in steps if step.needs is not None]
        if self.names.overrides == NO_OVERRIDES and all(step.model is not None for step in asked):
            yield from stale(judged, self.workflow)

    def _resolved(self, step: Step, work: TaskWork, wanted: Sequence[Wanted]) -> Resolution:
        unmade = any(wish.problem is not None for wish in wanted)
        if unmade and self.names.late:
            return Resolution(findings=(self._too_late(step, wanted),))
        if self.catalogue is None or (unmade and self._lacks_inputs):
            return Resolution()
        return resolve_model(
            wanted,
            self.catalogue,
            self.workflow,
            self.setting,
            step_id=step.id,
            sampling=work.sampling,
            places=self.places,
        )

    def _too_late(self, step: Step, wanted: Sequence[Wanted]) -> Diagnostic:
        wish = next(wish for wish in wanted if wish.problem is not None)
        late = ", ".join(f"`{name}`" for name in sorted(self.names.late))
        message = (
            f"the model `{wish.text}` of step `{step.id}` depends on an input that a step of the calling file answers "
            f"({late}), and every model is found before anything starts"
        )
        ways = "let the calling step hand over a value that only `inputs` or `matrix` decide"
        return finding(self.workflow, "BR327", wish.path, message, help=ways)

    @property
    def _lacks_inputs(self) -> bool:
        return any(name not in self.names.inputs for name in self.workflow.inputs)


def _idle_swap(plan: Plan, overrides: Overrides) -> Iterator[Diagnostic]:
    """A `--model ID` that no step takes: each names a model of its own."""
    swap = overrides.default
    asked = [step for step in plan.family if step.model is not None]
    if swap is None or not asked or any(f"--model {swap}" in one.model.origin for one in asked if one.model):
        return
    workflow = plan.workflow
    aliases = list(dict.fromkeys(alias for alias in workflow.models if "." not in alias))
    ways = f"swap an alias: `--model {aliases[0]}={swap}`" if aliases else "take the `model` out of the steps"
    message = f"`--model {swap}` changes nothing: every step names a model of its own"
    yield finding(workflow, "BR326", (*asked[0].step.path, "model"), message, level="warning", help=ways)
