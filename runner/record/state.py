"""How a run stands: folded from its entries, nothing else. Displays, results and reports are read off it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runner.chat.messages import Usage
from runner.record.events import NO_USAGE, RunFinished, RunStarted, RunStatus, ToolServerDied, ToolServerStarted
from runner.record.model_state import ModelKey, ModelState, after
from runner.record.step_state import StepState, step_after, unix_seconds
from runner.record.wire import Entry
from runner.words.exits import Exit


@dataclass(slots=True, kw_only=True)
class RunState:
    """How a run stands; grows with every entry that is applied. ``steps`` are in file order."""

    run: str = ""
    workflow: str = ""
    file: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    status: RunStatus | Literal["waiting", "running"] = "waiting"
    exit_code: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, str] | None = None
    started_at: float | None = None
    seconds: float = 0.0
    steps: dict[str, StepState] = field(default_factory=dict)
    servers: dict[str, ToolServerStarted] = field(default_factory=dict)
    models: dict[ModelKey, ModelState] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def usage(self) -> Usage:
        """Tokens of all steps together."""
        return sum((step.usage for step in self.steps.values()), NO_USAGE)

    @property
    def running(self) -> tuple[StepState, ...]:
        """The steps at work, in file order."""
        return tuple(step for step in tuple(self.steps.values()) if step.status == "running")

    def apply(self, entry: Entry) -> None:
        """Take one more fact into account."""
        event = entry.event
        if (step := step_after(self.steps, entry)) is not None:
            self.steps[step.id] = step
        elif isinstance(event, RunStarted):
            self._start(event, entry)
        elif isinstance(event, RunFinished):
            self._finish(event)
        elif isinstance(event, ToolServerStarted):
            self.servers[event.server] = event
        elif isinstance(event, ToolServerDied):
            then = "it was started again" if event.restarted else "it was not started again"
            self.warnings += (f"tool server `{event.server}` died: {event.message}; {then}",)
        elif (model := after(self.models, event)) is not None:
            self.models[(model.endpoint, model.model)] = model

    def model_of(self, step: StepState) -> ModelState | None:
        """How the model of a step stands; None if it has none, or its server loads models as it likes."""
        for model in tuple(self.models.values()):
            if model.endpoint == step.endpoint and step.model in (model.model, model.instance):
                return model
        return None

    def _start(self, event: RunStarted, entry: Entry) -> None:
        self.run, self.workflow, self.file, self.inputs = entry.run, event.workflow, event.file, event.inputs
        self.status, self.started_at = "running", unix_seconds(entry.at)
        for step_id in event.steps:
            model = event.models.get(step_id, {})
            self.steps[step_id] = StepState(id=step_id, model=model.get("model"), endpoint=model.get("endpoint"))

    def _finish(self, event: RunFinished) -> None:
        self.status, self.exit_code = event.status, event.exit_code
        self.outputs, self.error, self.seconds = event.outputs, event.error, event.seconds


def fold(entries: Iterable[Entry]) -> RunState:
    """The state after all the entries."""
    state = RunState()
    for entry in entries:
        state.apply(entry)
    return state


def result(state: RunState) -> dict[str, Any]:
    """What ``result.json`` holds (``schemas/result.schema.json``).

    A run whose last line is missing was ended from outside: it counts as cancelled, as do its unfinished steps.
    """
    over = state.status not in ("waiting", "running")
    return {
        "run": state.run,
        "workflow": state.workflow,
        "file": state.file,
        "status": state.status if over else "cancelled",
        "exit_code": int(Exit.INTERRUPTED) if state.exit_code is None else state.exit_code,
        "outputs": dict(state.outputs),
        "steps": {step.id: _step_result(step) for step in state.steps.values()},
        "models": [_model_result(model) for model in state.models.values()],
        "seconds": round(state.seconds, 3),
        "error": None if state.error is None else dict(state.error),
        "warnings": list(state.warnings),
    }


def _step_result(step: StepState) -> dict[str, Any]:
    reason = step.reason
    if not step.finished:
        reason = "the run ended before it" + (" was done" if step.status == "running" else " could start")
    return {
        "status": step.status if step.finished else "cancelled",
        "output": step.output,
        "error": None if step.error is None else dict(step.error),
        "reason": reason,
        "model": step.model,
        "fallbacks": [dict(fallback) for fallback in step.fallbacks],
        "attempts": step.attempts,
        "items": None,
        "usage": {
            "prompt_tokens": step.usage.prompt_tokens,
            "completion_tokens": step.usage.completion_tokens,
            "reasoning_tokens": step.usage.reasoning_tokens,
            "cached_tokens": step.usage.cached_tokens,
        },
        "seconds": round(step.seconds, 3),
        "warnings": [*step.warnings, *_trimmed_warning(step)],
    }


def _trimmed_warning(step: StepState) -> Iterator[str]:
    if step.trimmed_results:
        results = f"{step.trimmed_results:,} old tool result" + "s" * (step.trimmed_results != 1)
        yield f"{results} shortened by {step.trimmed_characters:,} characters to fit the model's context"


def _model_result(model: ModelState) -> dict[str, Any]:
    return {
        "model": model.model,
        "endpoint": model.endpoint,
        "loads": model.loads,
        "failed": model.failed,
        "reused": model.reused,
        "seconds": round(model.seconds, 3),
        "context_length": model.context_length,
    }
