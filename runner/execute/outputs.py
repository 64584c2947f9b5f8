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
    """Whether every step has what is read of it: ``status`` and ``error`` always, the rest by how it ended."""
    return all(_has(finished[step], what) for step, what in _steps_read(value))


def _has(end: StepFinished, what: str) -> bool:
    return end.status in ("succeeded", "recovered") or what in _ALWAYS or what in end.extras


_ALWAYS = ("status", "error")


def _steps_read(value: Any) -> set[tuple[str, str]]:
    """Pairs of a step and what is read of it."""
    if isinstance(value, str):
        paths = (reference.path for reference in inspect_template(value).references)
        return {(str(path[1]), str(path[2])) for path in paths if len(path) > 2 and path[0] == "steps"}
    if isinstance(value, Mapping):
        return set().union(*map(_steps_read, value.values()))
    return set().union(*map(_steps_read, value)) if isinstance(value, list | tuple) else set()
