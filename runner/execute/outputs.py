"""The outputs of a finished workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.execute.world import World
from runner.record.events import StepFinished
from runner.words.errors import BridgeError, TemplateError
from runner.words.templates import inspect_template, render
from runner.workflow.model import Workflow


def workflow_outputs(world: World, workflow: Workflow, finished: Mapping[str, StepFinished]) -> dict[str, Any]:
    """Each declared output rendered; without ``outputs``, the output of every step that no other step uses.

    An output that reads a step which did not succeed is None (format, point 14).

    Raises:
        TemplateError: an output over succeeded steps cannot be rendered.
    """
    if workflow.outputs is None:
        used = {need for step in workflow.steps for need in step.needs}
        return {step.id: finished[step.id].output for step in workflow.steps if step.id not in used}
    rendered: dict[str, Any] = {}
    for name, value in workflow.outputs.items():
        try:
            rendered[name] = render(value, world.names()) if _all_there(value, finished) else None
        except BridgeError as error:
            raise TemplateError(f"outputs.{name}: {error.message}", hint=error.hint) from error
    return rendered


def _all_there(value: Any, finished: Mapping[str, StepFinished]) -> bool:
    """Whether every step whose output is read has one."""
    return all(finished[step].status in ("succeeded", "recovered") for step in _steps_read(value))


def _steps_read(value: Any) -> set[str]:
    if isinstance(value, str):
        return {
            str(r.path[1])
            for r in inspect_template(value).references
            if len(r.path) > 2 and r.path[0] == "steps" and r.path[2] == "output"
        }
    if isinstance(value, Mapping):
        return set().union(*map(_steps_read, value.values()))
    return set().union(*map(_steps_read, value)) if isinstance(value, list | tuple) else set()
